/** The reader and writer threads of one comparison. */
import type { Worker } from "node:worker_threads";
import { errorText, MountError } from "../errors.ts";
import { SharedWords, allocateShared } from "../shared.ts";
import { spawnThread } from "../spawn-thread.ts";
import type { FileSystemData } from "../file-system.ts";
import type { LoadMessage, LoadThreadData, RoundOrder } from "./load-thread.ts";

/** Milliseconds that threads get to end a round, or themselves: a stuck one is a bug. */
const PATIENCE_MS = 30_000;
const ENTRY = "bench/load-thread";

export type RoundMessage = Exclude<LoadMessage, { kind: "ready" }>;
type Job = LoadThreadData["job"];

/** Starts threads, has them run rounds, ends them. */
export class LoadThreads {
  private readonly control = allocateShared(1);
  private readonly words = new SharedWords(this.control);
  private readonly workers: Worker[] = [];
  private readonly ends: Promise<void>[] = [];
  private failure: MountError | null = null;
  private round = 0;

  /** @throws MountError ESYNTH_THREAD if one can't; the others are running then: call {@link close} */
  async start(fileSystem: FileSystemData, jobs: readonly Job[]): Promise<void> {
    await Promise.all(jobs.map((job, index) => this.startOne({ fileSystem, control: this.control, index, job })));
  }

  private async startOne(workerData: LoadThreadData): Promise<void> {
    const worker = spawnThread(ENTRY, { workerData, name: `bench-${workerData.job.role}` });
    this.workers.push(worker);
    this.ends.push(new Promise((resolve) => worker.once("exit", () => resolve())));
    worker.on("error", (error) => {
      this.failure ??= new MountError("ESYNTH_THREAD", `A thread of the benchmark: ${errorText(error)}.`, {
        cause: error,
      });
    });
    await this.nextMessage(worker);
  }

  /**
   * One round.
   * @param chosen which threads take part, by place
   * @param during lasts as long as the round is to last
   * @throws MountError ESYNTH_THREAD; whatever `during` throws
   */
  async run(chosen: readonly number[], during: () => Promise<void>): Promise<RoundMessage[]> {
    const order: RoundOrder = { round: ++this.round };
    this.words.store(0, order.round);
    const answers = chosen.map((place) => {
      const worker = this.workers[place] as Worker;
      const answer = this.nextMessage(worker);
      worker.postMessage(order);
      return answer;
    });
    try {
      await Promise.race([during(), ...answers.map(failureOnly)]);
    } finally {
      this.words.store(0, 0);
      this.words.wake(0);
    }
    return (await Promise.all(answers)) as RoundMessage[];
  }

  /** Ends all threads; may be called at any time. @throws MountError ESYNTH_THREAD if one had to be terminated */
  async close(): Promise<void> {
    this.words.store(0, 0);
    this.words.wake(0);
    for (const worker of this.workers) worker.postMessage(null);
    let stuck = false;
    const timer = setTimeout(() => {
      stuck = true;
      for (const worker of this.workers) void worker.terminate();
    }, PATIENCE_MS);
    await Promise.all(this.ends);
    clearTimeout(timer);
    if (stuck) {
      throw new MountError("ESYNTH_THREAD", `A thread of the benchmark did not end within ${PATIENCE_MS / 1000} s.`);
    }
  }

  private nextMessage(worker: Worker): Promise<LoadMessage> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        worker.off("message", onMessage);
        worker.off("exit", onExit);
      };
      const onMessage = (message: LoadMessage): void => {
        done();
        resolve(message);
      };
      const onExit = (): void => {
        done();
        reject(this.failure ?? new MountError("ESYNTH_THREAD", "A thread of the benchmark ended too early."));
      };
      worker.on("message", onMessage);
      worker.on("exit", onExit);
    });
  }
}

/** Never resolves: a round lasts until its time is up, or a thread has died. */
function failureOnly(answer: Promise<unknown>): Promise<never> {
  return new Promise((_resolve, reject) => answer.catch(reject));
}
