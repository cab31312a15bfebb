/** Threads that try mutants. One that doesn't answer any more (a loop without end) is ended, and another takes its place. */
import type { Worker } from "node:worker_threads";
import { spawnThread } from "../../../mount/spawn-thread.ts";
import type { Measured, Task, Trial, Tried } from "./worker.ts";

/** How much longer than its limit an exploration may take before it counts as hanging. */
const PATIENCE = 3;
const PATIENCE_MS = 60_000;

/** A loop that allocates ends like this. */
const OUT_OF_MEMORY = "ERR_WORKER_OUT_OF_MEMORY";

/** A thread that does not answer. */
class Hangs extends Error {}

export class Pool {
  private readonly dir: string;
  private readonly jobs: number;
  private readonly idle: Worker[] = [];
  private readonly waiting: ((worker: Worker) => void)[] = [];

  /** @param dir the program that they explore */
  constructor(dir: string, jobs: number) {
    this.dir = dir;
    this.jobs = jobs;
    for (let i = 0; i < jobs; i++) this.idle.push(this.start());
  }

  measure(trial: Trial, limitMs: number): Promise<Measured> {
    return this.run({ kind: "measure", trial, limitMs }, limitMs) as Promise<Measured>;
  }

  attempt(trial: Trial, mutant: number, executions: number, limitMs: number): Promise<Tried> {
    return this.run({ kind: "try", trial, mutant, executions, limitMs }, limitMs) as Promise<Tried>;
  }

  /** Does something for each item, for as many at once as there are threads. Results in order. */
  async each<T, R>(items: readonly T[], what: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let i = next++; i < items.length; i = next++) results[i] = await what(items[i] as T);
    };
    await Promise.all(Array.from({ length: this.jobs }, lane));
    return results;
  }

  async close(): Promise<void> {
    await Promise.all(this.idle.map((worker) => worker.terminate()));
  }

  private start(): Worker {
    return spawnThread("../test/model/mutation/worker", { workerData: this.dir });
  }

  private async run(task: Task, limitMs: number): Promise<Measured | Tried> {
    const worker = this.idle.pop() ?? (await new Promise<Worker>((resolve) => this.waiting.push(resolve)));
    try {
      const answer = await answerOf(worker, task, PATIENCE * limitMs + PATIENCE_MS);
      this.release(worker);
      return answer;
    } catch (error) {
      await worker.terminate();
      this.release(this.start());
      if (task.kind === "measure") throw new Error(`${task.trial.scenario} (${task.trial.form})`, { cause: error });
      if (!(error instanceof Hangs) && (error as NodeJS.ErrnoException).code !== OUT_OF_MEMORY) throw error;
      return `hangs: ${(error as Error).message}`;
    }
  }

  private release(worker: Worker): void {
    const next = this.waiting.shift();
    if (next === undefined) this.idle.push(worker);
    else next(worker);
  }
}

/** @throws Error if the thread dies, or says nothing for too long */
function answerOf(worker: Worker, task: Task, patienceMs: number): Promise<Measured | Tried> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => done(() => reject(new Hangs(`no answer in ${patienceMs} ms`))), patienceMs);
    const onMessage = (answer: Measured | Tried): void => done(() => resolve(answer));
    const onError = (error: Error): void => done(() => reject(error));
    const done = (settle: () => void): void => {
      clearTimeout(late);
      worker.off("message", onMessage);
      worker.off("error", onError);
      settle();
    };
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.postMessage(task);
  });
}
