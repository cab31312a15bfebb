/** Verdicts, extents and commands in words: what text and page have in common. */
import type { Extent, Form, Scenario } from "../../../src/check/scenario.ts";
import { extentOf, formsOf } from "../../../src/check/scenario.ts";
import type { Replay } from "../../../src/check/explore/report.ts";
import { integer, plural, rate } from "../../bench/report/format.ts";
import type { CheckResult, Job, Outcome, Verdict } from "../result.ts";

/** In the order in which totals name them. */
export const VERDICTS: readonly Verdict[] = ["holds", "nothing found", "fails", "broken", "not finished", "not run"];

/** `all`, `2 preemptions`, `1,000 runs, depth 3` */
export function extentText(extent: Extent): string {
  if (extent.kind === "all") return "all";
  if (extent.kind === "bounded") return plural(extent.preemptions, "preemption");
  return `${plural(extent.runs, "run")}, depth ${extent.depth}`;
}

/** Of all forms: `all`, or `lockfree 3 preemptions, locked all` if it isn't the same. */
export function extentsText(spec: Scenario): string {
  const texts = formsOf(spec).map((form) => ({ form, text: extentText(extentOf(spec, form)) }));
  if (new Set(texts.map(({ text }) => text)).size === 1) return texts[0]!.text;
  return texts.map(({ form, text }) => `${form} ${text}`).join(", ");
}

/** What `--list --json` says of a scenario. */
export interface ScenarioDescription {
  readonly scenario: string;
  readonly about: string;
  readonly quick: boolean;
  readonly forms: readonly { readonly form: Form; readonly extent: Extent }[];
}

export function describeScenario(spec: Scenario): ScenarioDescription {
  const forms = formsOf(spec).map((form) => ({ form, extent: extentOf(spec, form) }));
  return { scenario: spec.name, about: spec.about, quick: spec.quick === true, forms };
}

/** What was shown: `holds`, `fails: deadlock`, `not finished: time`. */
export function verdictText({ verdict, ended, report }: Outcome): string {
  if (verdict === "fails") return `fails: ${report?.failure?.kind}`;
  return ended === null ? verdict : `${verdict}: ${ended}`;
}

/** `io/exec (locked)` */
export function jobName({ scenario, form }: Pick<Job, "scenario" | "form">): string {
  return `${scenario} (${form})`;
}

/** `0.03 s`, `12.3 s`, `2 min 5 s`. */
export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000;
  if (value >= 60) return `${Math.floor(Math.round(value) / 60)} min ${Math.round(value) % 60} s`;
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

/** `3 hold (2 of them up to a bound), 1 nothing found, 1 fails` */
export function totals({ outcomes }: CheckResult): string {
  const parts = VERDICTS.map((verdict) => {
    const those = outcomes.filter((outcome) => outcome.verdict === verdict);
    return those.length === 0 ? "" : counted(verdict, those.length) + (verdict === "holds" ? boundsOf(those) : "");
  });
  return parts.filter((part) => part !== "").join(", ");
}

/** `3 hold` */
export function counted(verdict: Verdict, count: number): string {
  return `${integer(count)} ${count === 1 ? verdict : verdict.replace(/^(hold|fail)s$/, "$1")}`;
}

/** How many of those that hold do so up to a number of preemptions only. */
function boundsOf(outcomes: readonly Outcome[]): string {
  const bounded = outcomes.filter(({ extent }) => extent.kind === "bounded").length;
  if (bounded === 0) return "";
  return bounded === outcomes.length ? " up to a bound" : ` (${integer(bounded)} of them up to a bound)`;
}

/** What ended it before all was explored; empty if nothing did, or only limits. */
export function endText({ outcomes, interrupted }: CheckResult): string {
  if (interrupted !== null) return `Ended by ${interrupted}; what is listed as explored stands.`;
  const undone = outcomes.some(({ verdict, ended }) => verdict === "not run" || ended === "stopped");
  return undone ? "The first one that is wrong ended it; with --keep-going the others are explored too." : "";
}

/** `35 executions in 0.12 s by 2 threads, 98 k a second each` */
export function effort({ outcomes, milliseconds, jobs }: CheckResult): string {
  const reports = outcomes.flatMap(({ report }) => (report === null ? [] : [report]));
  const executions = reports.reduce((sum, report) => sum + report.executions + report.blocked, 0);
  const busy = reports.reduce((sum, report) => sum + report.milliseconds, 0);
  const pace = busy > 0 ? `, ${rate((1000 * executions) / busy)} a second each` : "";
  return `${plural(executions, "execution")} in ${seconds(milliseconds)} by ${plural(jobs, "thread")}${pace}`;
}

/** The command that runs a failing schedule again. */
export function replayCommand({ scenario, form }: Pick<Job, "scenario" | "form">, schedule: string): string {
  return `synthproc check ${scenario} --form ${form} --replay ${quoted(schedule)}`;
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** What is wrong with a run of one schedule, as sentences. */
export function replayText({ beyond, failure }: Replay): string[] {
  const rest = `The schedule ended before the run, which then made ${plural(beyond, "access", "accesses")}.`;
  const verdict = failure === null ? "Nothing is wrong with this run." : `${failure.kind}: ${failure.message}`;
  return beyond === 0 ? [verdict] : [rest, verdict];
}

/** What is wrong, as one sentence with its number. */
export function failureText({ report }: Outcome): string {
  const failure = report?.failure;
  if (failure === null || failure === undefined) return "";
  return `${failure.kind} in execution ${integer(failure.execution)}: ${failure.message}`;
}
