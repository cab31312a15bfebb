/** A thread that explores scenarios over the program with all mutants in it, one mutant after another. */
import { parentPort, workerData } from "node:worker_threads";
import { explore } from "../../../src/check/explore/explore.ts";
import { runtime } from "../../../src/check/explore/machine/runtime.ts";
import type { Report } from "../../../src/check/explore/report.ts";
import { loadProgram } from "../../../src/check/interleave/load.ts";
import { scenarioOf } from "../../../mount/check/explorer.ts";
import type { Form } from "../../../src/check/scenario.ts";

/** A scenario in one of its forms. */
export interface Trial {
  readonly scenario: string;
  readonly form: Form;
}

/** What a thread is asked. */
export type Task =
  /** What does this trial reach, and what does it cost? */
  | { readonly kind: "measure"; readonly trial: Trial; readonly limitMs: number }
  /** Does this trial notice the mutant? */
  | {
      readonly kind: "try";
      readonly trial: Trial;
      readonly mutant: number;
      readonly executions: number;
      readonly limitMs: number;
    };

export interface Measured {
  /** Mutants whose switch was looked at. */
  readonly reached: readonly number[];
  readonly executions: number;
  readonly milliseconds: number;
  readonly complete: boolean;
  readonly failure: string | null;
}

/** What a mutant is noticed by, or null. */
export type Tried = string | null;

const NONE = -1;
/** Executions from which is learnt which mutants a trial reaches, should its exploration come to no end. */
const SAMPLE = { kind: "sampled", runs: 300, depth: 3 } as const;

const backend = runtime as typeof runtime & { mutant: (number: number) => boolean };
let active = NONE;
const isActive = (number: number): boolean => number === active;
backend.mutant = isActive;
const program = await loadProgram(workerData as string);

function measure(trial: Trial, timeLimit: number): Measured {
  const spec = scenarioOf(program, trial.scenario);
  const reached = new Set<number>();
  backend.mutant = (number) => reached.add(number) === null;
  explore(program, spec, trial.form, { extent: SAMPLE });
  const report = explore(program, spec, trial.form, { timeLimit });
  backend.mutant = isActive;
  const { executions, blocked, milliseconds, complete } = report;
  return { reached: [...reached], executions: executions + blocked, milliseconds, complete, failure: said(report) };
}

function attempt({ trial, mutant, executions, limitMs }: Task & { kind: "try" }): Tried {
  active = mutant;
  try {
    const limits = { maxExecutions: executions, timeLimit: limitMs };
    return said(explore(program, scenarioOf(program, trial.scenario), trial.form, limits));
  } catch (error) {
    return `setup: ${(error as Error).message}`;
  } finally {
    active = NONE;
  }
}

function said({ failure }: Report): string | null {
  return failure === null ? null : `${failure.kind}: ${failure.message} (execution ${failure.execution})`;
}

parentPort?.on("message", (task: Task) => {
  parentPort?.postMessage(task.kind === "measure" ? measure(task.trial, task.limitMs) : attempt(task));
});
