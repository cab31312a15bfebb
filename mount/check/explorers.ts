/** Threads that explore scenarios side by side. */
import type { Worker } from "node:worker_threads";
import type { Progress } from "../../src/check/explore/report.ts";
import { SharedWords } from "../shared.ts";
import { spawnThread } from "../spawn-thread.ts";
import type { ExploreMessage, ExploreOrder, ExploreThreadData } from "./explore-thread.ts";
import type { Limits } from "./explorer.ts";
import type { Job, Outcome } from "./result.ts";

type OnProgress = (progress: Progress) => void;

const ignore: OnProgress = () => undefined;

interface Waiting {
  readonly order: ExploreOrder;
  readonly onProgress: OnProgress;
  readonly done: (outcome: Outcome) => void;
  readonly failed: (error: Error) => void;
}

/** Jobs are taken in the order in which they are given, by whichever thread is free. */
export class Explorers {
  private readonly stopWord = new SharedWords(new SharedArrayBuffer(4));
  private readonly queue: Waiting[] = [];
  private readonly idle: Worker[] = [];
  private readonly all: Worker[] = [];
  private readonly program: string;
  private readonly threads: number;

  /** @param program folder of the transformed program; @param threads the most that run at a time */
  constructor(program: string, threads: number) {
    this.program = program;
    this.threads = threads;
  }

  /** Resolves with what was found; rejects if the thread ends. Once stopped, nothing begins any more. */
  explore(job: Job, limits: Limits, onProgress = ignore): Promise<Outcome> {
    return new Promise((done, failed) => {
      this.queue.push({ order: { job, limits }, onProgress, done, failed });
      this.next();
    });
  }

  /** Explorations under way end soon, with what they know; those that wait are not run. */
  stop(): void {
    this.stopWord.store(0, 1);
    for (const { order, done } of this.queue.splice(0)) done(notRun(order.job));
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.all.map((worker) => worker.terminate()));
  }

  private next(): void {
    if (this.queue.length === 0) return;
    if (this.stopWord.load(0) !== 0) return this.stop();
    const worker = this.idle.pop() ?? (this.all.length < this.threads ? this.start() : undefined);
    if (worker !== undefined) this.run(worker, this.queue.shift()!);
  }

  private start(): Worker {
    const workerData: ExploreThreadData = { program: this.program, stop: this.stopWord.buffer };
    const worker = spawnThread("check/explore-thread", { workerData, name: `explorer ${this.all.length + 1}` });
    // Everybody who waits for a result listens to it.
    worker.setMaxListeners(0);
    this.all.push(worker);
    return worker;
  }

  private run(worker: Worker, { order, onProgress, done, failed }: Waiting): void {
    const onMessage = (message: ExploreMessage): void => {
      if (message.kind === "progress") return onProgress(message.progress);
      worker.off("message", onMessage).off("error", failed);
      this.idle.push(worker);
      done(message.outcome);
      this.next();
    };
    worker.on("message", onMessage).on("error", failed);
    worker.postMessage(order);
  }
}

/** What is known of a scenario that wasn't begun. */
export function notRun(job: Job): Outcome {
  return { ...job, verdict: "not run", ended: null, report: null, replay: null, error: null };
}
