/** Explorations of a program in tests: what to explore, and what must come out. */
import { expect } from "vitest";
import type { Limits } from "../../mount/check/explorer.ts";
import { loadProgram } from "../../mount/check/explorer.ts";
import { failureText, seconds } from "../../mount/check/report/describe.ts";
import { interleaving } from "../../mount/check/report/text.ts";
import { tell } from "../../mount/check/report/story.ts";
import type { Job, Outcome } from "../../mount/check/result.ts";
import { select } from "../../mount/check/select.ts";
import { integer } from "../../mount/bench/report/format.ts";

/** The seed of samples; the rest has no chance in it. */
export const LIMITS: Limits = { seed: 1 };

/** The scenarios of a program in their forms, with names for tests. */
export async function jobsOf(dir: string, quick: boolean): Promise<[name: string, job: Job][]> {
  const { scenarios } = await loadProgram(dir);
  const jobs = select(scenarios, { names: [], quick });
  return jobs.map((job) => [`${job.scenario} (${job.form})`, job]);
}

/** Everything within the extent was explored, and nothing is wrong. */
export function expectHolds(outcome: Outcome): void {
  const shown = outcome.replay === null ? "" : interleaving(tell(outcome.replay), { colour: false, stacks: false });
  expect(outcome.verdict, `${outcome.error ?? failureText(outcome)}\n${shown}`).toBe("holds");
  expect(outcome.report!.executions).toBeGreaterThan(0);
}

/** What a run prints of it. */
export function figures({ report }: Outcome): string {
  if (report === null) return "not explored";
  const { executions, blocked, traces, milliseconds } = report;
  const counts = `${integer(executions)} executions, ${integer(blocked)} given up, ${integer(traces)} traces`;
  return `${counts}, ${seconds(milliseconds)}`;
}

/** What must be the same each time. */
export function countsOf({ report }: Outcome): Record<string, number> {
  const { executions, blocked, traces, steps, sharedWords } = report!;
  return { executions, blocked, traces, steps, sharedWords };
}
