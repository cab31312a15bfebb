/**
 * A read as the two sorts of threads make it: those that may sleep wait for a lock and can be interrupted; those that serve
 * requests are told that they would have to wait, and try again later, as a parked request is.
 */
import { HOST } from "../../src/kernel/layout.ts";
import { endWait } from "../../src/kernel/lock-wait.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import type { StressThread } from "./world.ts";

const MOST_TRIES = 100;
const NAP_MS = 0.2;

/** Makes a reader's thread one of the two sorts. */
export function prepare(c: StressThread<unknown>, maySleep: boolean): void {
  c.k.t.maySleep = maySleep;
  if (maySleep) c.k.t.interruptWord = c.interruptWord;
}

/**
 * Reads until there is an answer.
 * @param read one try; returns 0, a negative errno, or what tells that it would have to wait
 * @returns what the last try returned; null if there is nothing to judge: interrupted, or given up
 */
export function attempt(c: StressThread<unknown>, read: () => number): number | null {
  const { k } = c;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const error = read();
    if (error === WAIT_EINTR) {
      c.count("interrupted");
      return null;
    }
    if (error !== WAIT_WOULD_BLOCK) return error;
    if (tries === 0) c.count("parked");
    k.idle();
    k.m.wait(HOST.parkWord, k.m.load(HOST.parkWord), NAP_MS);
    k.busy();
  }
  endWait(k);
  c.count("given up");
  return null;
}
