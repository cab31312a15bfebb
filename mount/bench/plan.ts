/** What a run of the benchmark is told, and who may stop it. */
import type { BenchOptions } from "./result.ts";

export interface BenchPlan extends BenchOptions {
  seed: number;
  /** Ends the run early: whatever waits rejects with {@link Interrupted}. */
  signal: AbortSignal;
  /** Told before each measurement; the last call has done = total. */
  onProgress: (done: number, total: number, label: string) => void;
}

/** Thrown when the run was told to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor() {
    super("the benchmark was interrupted");
  }
}

/** @throws Interrupted */
export function checkGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted();
}

/** Waits for so many seconds. @throws Interrupted */
export function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    checkGoing(signal);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new Interrupted());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, seconds * 1000);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Waits for something that takes its time. @throws Interrupted, whatever it throws */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Interrupted());
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
