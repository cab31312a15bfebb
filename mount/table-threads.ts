/** The threads that change a table, and the one that passes on what they have reaped. */
import type { Worker } from "node:worker_threads";
import type { Kernel } from "../src/kernel/kernel.ts";
import { rouseReapedReader } from "../src/kernel/exit-events.ts";
import { stopMutators } from "../src/mutate/run/pace.ts";
import { MountError, errorText } from "./errors.ts";
import type { Logger } from "./options.ts";
import { spawnThread } from "./spawn-thread.ts";

/** Starts threads by entry file, waits until each is ready, and ends them all through the arena's stop word. */
export class TableThreads {
  private readonly kernel: Kernel;
  private readonly logger: Logger;
  private readonly threads: { worker: Worker; ended: Promise<void> }[] = [];
  private stopping = false;

  constructor(kernel: Kernel, logger: Logger) {
    this.kernel = kernel;
    this.logger = logger;
  }

  /** Resolves when the thread has said that it is ready. @throws MountError ESYNTH_THREAD */
  start(entry: string, name: string, workerData: unknown): Promise<void> {
    const worker = spawnThread(entry, { workerData, name });
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.threads.push({ worker, ended });
    return new Promise((resolve, reject) => {
      worker.once("message", () => resolve());
      worker.once("error", (error) => {
        reject(
          new MountError("ESYNTH_THREAD", `Thread ${name} could not start: ${errorText(error)}.`, { cause: error }),
        );
        if (!this.stopping) this.logger.error(`thread ${name} ended: ${errorText(error)}`);
      });
    });
  }

  /** Ends all threads; may be called again. */
  async stop(): Promise<void> {
    this.stopping = true;
    stopMutators(this.kernel);
    rouseReapedReader(this.kernel);
    await Promise.all(this.threads.map((thread) => thread.ended));
  }
}
