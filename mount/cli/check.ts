/** `synthproc check`: explores the interleavings of the shipped protocol code. */
import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import type { Extent, Form, Scenario } from "../../src/check/scenario.ts";
import type { Limits, Program } from "../check/explorer.ts";
import { loadProgram, SHIPPED_PROGRAM } from "../check/explorer.ts";
import { describeScenario } from "../check/report/describe.ts";
import { renderList, renderText } from "../check/report/text.ts";
import type { TextOptions } from "../check/report/text.ts";
import type { CheckResult, Outcome } from "../check/result.ts";
import { runCheck } from "../check/run.ts";
import { saveSchedule, schedulesOfCheckout } from "../check/saved.ts";
import { select, SelectionError, sorted } from "../check/select.ts";
import { progressOn } from "./bar.ts";
import type { Bar } from "./bar.ts";
import { replay } from "./check-replay.ts";
import { EXIT, statusOfSignal } from "./exit-codes.ts";
import { CommandError, explain } from "./failure.ts";
import { checkFolder, checkWritable } from "./writable.ts";

/** As the command line gives them. */
export interface CheckFlags {
  list: boolean;
  form?: Form;
  quick: boolean;
  bound?: number | "all";
  sample?: number;
  seed: number;
  depth: number;
  maxExecutions?: number;
  timeLimit?: number;
  jobs?: number;
  replay?: string;
  json: boolean;
  html?: string;
  stacks: boolean;
  /** False for --no-save. */
  save?: string | boolean;
  keepGoing: boolean;
  program?: string;
}

export interface CheckStreams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Explores, or replays, or lists; nothing but its report goes to standard output. */
export async function check(names: readonly string[], flags: CheckFlags, streams: CheckStreams): Promise<number> {
  const dir = flags.program ?? SHIPPED_PROGRAM;
  if (!existsSync(dir)) throw new CommandError(EXIT.usage, `${dir}: there is no transformed program`);
  const program = await loadProgram(dir);
  if (flags.list) return list(program, names, flags, streams);
  if (flags.html !== undefined) checkWritable(flags.html);
  if (flags.replay !== undefined) {
    return replay(program, { ...flags, names, schedule: flags.replay, ...textOptions(flags, streams.stdout) }, streams);
  }
  if (typeof flags.save === "string") checkFolder(flags.save);
  const result = await explored(program, dir, names, flags, streams.stderr);
  await report(result, flags, streams);
  return statusOf(result);
}

function list({ scenarios }: Program, names: readonly string[], flags: CheckFlags, { stdout }: CheckStreams): number {
  const jobs = selected(scenarios, names, flags);
  const shown = sorted(scenarios).filter((spec) => jobs.some((job) => job.scenario === spec.name));
  stdout.write(flags.json ? `${JSON.stringify(shown.map(describeScenario))}\n` : renderList(shown, columnsOf(stdout)));
  return EXIT.ok;
}

function selected(
  scenarios: readonly Scenario[],
  names: readonly string[],
  flags: CheckFlags,
): ReturnType<typeof select> {
  const { form, quick } = flags;
  try {
    return select(scenarios, { names, form, quick, extent: givenExtent(flags) });
  } catch (error) {
    throw error instanceof SelectionError ? new CommandError(EXIT.usage, error.message) : error;
  }
}

function givenExtent({ bound, sample, depth }: CheckFlags): Extent | undefined {
  if (sample !== undefined) return { kind: "sampled", runs: sample, depth };
  if (bound === "all") return { kind: "all" };
  return bound === undefined ? undefined : { kind: "bounded", preemptions: bound };
}

async function explored(
  program: Program,
  dir: string,
  names: readonly string[],
  flags: CheckFlags,
  stderr: NodeJS.WriteStream,
): Promise<CheckResult> {
  const jobs = selected(program.scenarios, names, flags);
  const threads = flags.jobs ?? availableParallelism();
  const abort = new AbortController();
  let interrupted: NodeJS.Signals | null = null;
  // The second signal ends it as signals do.
  const onSignal = (signal: NodeJS.Signals): void => {
    interrupted = signal;
    for (const other of SIGNALS) process.off(other, onSignal);
    abort.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const progress = progressOn(stderr, "check");
  const onProgress: Bar["show"] = (done, total, label) => progress.show(PARTS * done, PARTS * total, label);
  try {
    const plan = { jobs, program: dir, threads, limits: limitsOf(flags), keepGoing: flags.keepGoing };
    const result = await runCheck({ ...plan, signal: abort.signal, onProgress });
    return { ...result, interrupted };
  } finally {
    progress.end();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** Of a scenario, for the bar, which guesses the time that is left from some steps. */
const PARTS = 100;

function limitsOf({ seed, maxExecutions, timeLimit }: CheckFlags): Limits {
  return { seed, executions: maxExecutions, milliseconds: timeLimit === undefined ? undefined : 1000 * timeLimit };
}

async function report(result: CheckResult, flags: CheckFlags, { stdout, stderr }: CheckStreams): Promise<void> {
  if (flags.html !== undefined) {
    const { renderHtml } = await import("../check/report/html.ts");
    writeFileSync(flags.html, renderHtml(result));
  }
  stdout.write(flags.json ? `${JSON.stringify(result)}\n` : renderText(result, textOptions(flags, stdout)));
  const dir = saveTo(flags);
  if (dir === undefined) return;
  for (const outcome of result.outcomes) {
    if (outcome.verdict !== "fails") continue;
    stderr.write(`${saved(dir, outcome)}\n`);
  }
}

/** Says where a failure's schedule is kept; that it can't be kept changes nothing of what was found. */
function saved(dir: string, outcome: Outcome): string {
  try {
    const { file, known } = saveSchedule(dir, outcome);
    return `${known ? "known already" : "saved"}: ${file}`;
  } catch (error) {
    return `not saved: ${explain(error).sentence}`;
  }
}

/** Failures of another program than the shipped one are kept only where it is said. */
function saveTo({ save, program }: CheckFlags): string | undefined {
  if (typeof save === "string") return save;
  return save === false || program !== undefined ? undefined : schedulesOfCheckout();
}

function textOptions({ stacks }: CheckFlags, stdout: NodeJS.WriteStream): TextOptions {
  return { colour: stdout.isTTY === true, stacks };
}

/** How wide lines may be; undefined where nobody looks at them but programs. */
function columnsOf(stdout: NodeJS.WriteStream): number | undefined {
  if (stdout.isTTY !== true) return undefined;
  return Number(process.env.COLUMNS) || stdout.columns;
}

function statusOf({ outcomes, interrupted }: CheckResult): number {
  const any = (verdict: string): boolean => outcomes.some((outcome) => outcome.verdict === verdict);
  if (any("fails")) return EXIT.violated;
  if (any("broken")) return EXIT.internal;
  if (interrupted !== null) return statusOfSignal(constants.signals[interrupted]);
  return any("not finished") || any("not run") ? EXIT.unfinished : EXIT.ok;
}
