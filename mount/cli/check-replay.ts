/** `synthproc check --replay`: one interleaving of one scenario. */
import { writeFileSync } from "node:fs";
import type { Replay } from "../../src/check/explore/report.ts";
import { ScheduleError } from "../../src/check/explore/schedule.ts";
import type { Form, Scenario } from "../../src/check/scenario.ts";
import { formsOf } from "../../src/check/scenario.ts";
import type { Program } from "../check/explorer.ts";
import { replayJob } from "../check/explorer.ts";
import { replayCommand } from "../check/report/describe.ts";
import { renderReplay } from "../check/report/text.ts";
import type { TextOptions } from "../check/report/text.ts";
import { readSchedule, SavedError } from "../check/saved.ts";
import { scenarioNamed, SelectionError } from "../check/select.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";

/** What the command line says to it. */
export interface ReplayFlags extends TextOptions {
  readonly names: readonly string[];
  readonly form?: Form;
  /** A schedule, or the file of one that was kept, which ends in ".json". */
  readonly schedule: string;
  readonly json: boolean;
  readonly html?: string;
}

interface Asked {
  readonly spec: Scenario;
  readonly form: Form;
  readonly schedule: string;
  /** True if it was kept with a deliberate mistake. */
  readonly broken: boolean;
}

/** Runs the schedule and shows what it does. @throws CommandError, or the system's error */
export async function replay(
  program: Program,
  flags: ReplayFlags,
  { stdout, stderr }: Record<"stdout" | "stderr", NodeJS.WritableStream>,
): Promise<number> {
  const asked = usage(() =>
    flags.schedule.endsWith(".json") ? askedByFile(program, flags) : askedByName(program, flags),
  );
  const { spec, form, schedule, broken } = asked;
  if (broken)
    stderr.write(`${flags.schedule} belongs to sources with a mistake, its "break": others do something else\n`);
  const found = usage(() => replayJob(program, spec.name, form, schedule));
  if (flags.html !== undefined) {
    const { renderReplayHtml } = await import("../check/report/html.ts");
    writeFileSync(flags.html, renderReplayHtml({ scenario: spec.name, form, about: spec.about }, schedule, found));
  }
  stdout.write(flags.json ? `${JSON.stringify(found)}\n` : text(asked, found, flags));
  return found.failure === null ? EXIT.ok : EXIT.violated;
}

function text({ spec, form, schedule }: Asked, found: Replay, options: TextOptions): string {
  return renderReplay(replayCommand({ scenario: spec.name, form }, schedule), found, options);
}

/** What `ask` gives; what is wrong with the question is wrong usage. */
function usage<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const known = error instanceof ScheduleError || error instanceof SelectionError || error instanceof SavedError;
    throw known ? new CommandError(EXIT.usage, error.message) : error;
  }
}

function askedByName({ scenarios }: Program, { names, form, schedule }: ReplayFlags): Asked {
  if (names.length !== 1) throw new CommandError(EXIT.usage, "--replay needs the full name of one scenario");
  const spec = scenarioNamed(names[0]!, scenarios);
  return { spec, form: formOf(spec, form), schedule, broken: false };
}

/** The form that is meant: there is only one, or it is said. */
function formOf(spec: Scenario, form: Form | undefined): Form {
  const forms = formsOf(spec);
  if (form !== undefined && !forms.includes(form)) {
    throw new CommandError(EXIT.usage, `${spec.name} has no form ${form}`);
  }
  if (form === undefined && forms.length > 1) {
    const options = forms.map((one) => `--form ${one}`).join(" or ");
    throw new CommandError(EXIT.usage, `${spec.name} has two forms: add ${options}`);
  }
  return form ?? forms[0]!;
}

/** A kept schedule says itself which scenario and form it is of. */
function askedByFile({ scenarios }: Program, { names, form, schedule: file }: ReplayFlags): Asked {
  const saved = readSchedule(file);
  const others = [...names, ...(form === undefined ? [] : [form])].filter(
    (said) => said !== saved.scenario && said !== saved.form,
  );
  if (others.length > 0) {
    throw new CommandError(EXIT.usage, `${file} is of ${saved.scenario} (${saved.form}), not of ${others.join(", ")}`);
  }
  const spec = scenarioNamed(saved.scenario, scenarios);
  const { schedule, break: edits } = saved;
  return { spec, form: formOf(spec, saved.form), schedule, broken: Array.isArray(edits) };
}
