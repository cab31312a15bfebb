/** The transformed program, and what a thread does with it: explore a scenario, and run what fails once more. */
import { fileURLToPath } from "node:url";
import { explore, replay } from "../../src/check/explore/explore.ts";
import type { Progress, Replay, Report } from "../../src/check/explore/report.ts";
import { loadProgram } from "../../src/check/interleave/load.ts";
import type { LoadedProgram } from "../../src/check/interleave/load.ts";
import type { Form, Scenario } from "../../src/check/scenario.ts";
import type { End, Job, Outcome } from "./result.ts";
import { verdictOf } from "./result.ts";

/** What an exploration may cost, and where its chance comes from. */
export interface Limits {
  /** Of a sample. */
  readonly seed: number;
  /** Accesses of a run: one that has more is a livelock. The explorer's own limit unless given. */
  readonly steps?: number;
  readonly executions?: number;
  readonly milliseconds?: number;
}

/** Built from the sources: beside the code in an installed package, in dist/ of a checkout. */
export const SHIPPED_PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/check/" : "./check/", import.meta.url),
);

export { loadProgram };
export type Program = LoadedProgram;

/** The scenario of that name. @throws Error if there is none */
export function scenarioOf({ scenarios }: LoadedProgram, name: string): Scenario {
  const found = scenarios.find((spec) => spec.name === name);
  if (found === undefined) throw new Error(`the program has no scenario ${name}`);
  return found;
}

/** Explores as far as the limits and `going` allow. */
export function exploreJob(
  program: LoadedProgram,
  job: Job,
  limits: Limits,
  onProgress: (p: Progress) => boolean,
): Outcome {
  const spec = scenarioOf(program, job.scenario);
  let stopped = false;
  const report = explore(program, spec, job.form, {
    extent: job.extent,
    seed: limits.seed,
    stepLimit: limits.steps,
    maxExecutions: limits.executions,
    timeLimit: limits.milliseconds,
    onProgress: (progress) => {
      stopped = !onProgress(progress);
      return !stopped;
    },
  });
  const verdict = verdictOf(report);
  const ended = verdict !== "not finished" ? null : stopped ? "stopped" : endOf(report, limits);
  const { failure } = report;
  const shown = failure === null ? null : replay(program, spec, job.form, failure.schedule);
  return { ...job, verdict, ended, report, replay: shown, error: null };
}

/** Which of the limits ended it. */
function endOf({ executions, blocked }: Report, limits: Limits): End {
  return executions + blocked >= (limits.executions ?? Infinity) ? "executions" : "time";
}

/** Runs one schedule. @throws Error if the schedule can't be read, or doesn't fit */
export function replayJob(program: LoadedProgram, scenario: string, form: Form, schedule: string): Replay {
  return replay(program, scenarioOf(program, scenario), form, schedule);
}
