/** `synthproc check`, from the plan to the result. */
import { performance } from "node:perf_hooks";
import { packageVersion } from "../version.ts";
import type { Limits } from "./explorer.ts";
import { Explorers } from "./explorers.ts";
import type { CheckResult, Job, Outcome } from "./result.ts";

export interface CheckPlan {
  readonly jobs: readonly Job[];
  /** Folder of the transformed program. */
  readonly program: string;
  /** Threads that explore side by side. */
  readonly threads: number;
  readonly limits: Limits;
  /** True to explore the other scenarios too when one fails. */
  readonly keepGoing: boolean;
  /** Ends it early, with what is known. */
  readonly signal: AbortSignal;
  /** @param done so many jobs, with a share of those under way; @param label what is under way */
  readonly onProgress: (done: number, total: number, label: string) => void;
}

/** Explores all jobs of the plan. No thread stays behind. */
export async function runCheck(plan: CheckPlan): Promise<Omit<CheckResult, "interrupted">> {
  const start = performance.now();
  const threads = Math.min(plan.threads, plan.jobs.length);
  const explorers = new Explorers(plan.program, threads);
  const stop = (): void => explorers.stop();
  plan.signal.addEventListener("abort", stop);
  try {
    const progress = new Shares(plan);
    const outcomes = await Promise.all(plan.jobs.map((job, index) => one(plan, explorers, job, index, progress)));
    const milliseconds = performance.now() - start;
    return { version: packageVersion(), outcomes, jobs: threads, milliseconds };
  } finally {
    plan.signal.removeEventListener("abort", stop);
    await explorers.close();
  }
}

async function one(plan: CheckPlan, explorers: Explorers, job: Job, index: number, shares: Shares): Promise<Outcome> {
  const onProgress = ({ fraction }: { fraction: number }): void => shares.update(index, fraction);
  const outcome = await explorers.explore(job, plan.limits, onProgress);
  if (outcome.verdict !== "not run") shares.update(index, 1);
  const wrong = outcome.verdict === "fails" || outcome.verdict === "broken";
  if (wrong && !plan.keepGoing) explorers.stop();
  return outcome;
}

/** How far the jobs have come, each from 0 to 1. */
class Shares {
  private readonly plan: CheckPlan;
  private readonly shares: number[];

  constructor(plan: CheckPlan) {
    this.plan = plan;
    this.shares = plan.jobs.map(() => 0);
  }

  update(index: number, share: number): void {
    this.shares[index] = share;
    const { jobs, onProgress } = this.plan;
    const done = this.shares.reduce((sum, value) => sum + value, 0);
    const { scenario, form } = jobs[index]!;
    onProgress(done, jobs.length, `${scenario} (${form})`);
  }
}
