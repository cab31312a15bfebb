/**
 * Sleeping on a word: always timed, always re-checked by the caller, offline for RCU meanwhile, if the thread may be.
 *
 * The time limit is a safety net against a lost wake-up in a crashed thread. Protocols need it in one place only: an
 * interrupt (a kill) wakes nobody, and is noticed when the sleeper looks again.
 */
import type { Ptr } from "./atomics.ts";
import { NULL } from "./atomics.ts";
import type { Thread } from "./thread.ts";

/** Milliseconds after which a sleeper looks again by itself. */
const RECHECK_MS = 20;
/** Wakes every sleeper. */
const ALL = 0x7fffffff;

/**
 * Sleeps while `word` holds `expected`, at most {@link RECHECK_MS}. RCU: the thread is offline while it sleeps; but not one
 * that serves requests. That has taken no references, and sleeps only where it must and not for long (a last mmput, a
 * writer that waits for a VMA's readers), for nobody who waits for a grace period in turn.
 */
export function sleepOn(t: Thread, word: Ptr, expected: number): void {
  t.lockdep.mightSleep();
  const seen = t.m.load(t.rcuWord);
  if (seen === 0 || !t.maySleep) {
    t.m.wait(word, expected, RECHECK_MS);
    return;
  }
  t.m.store(t.rcuWord, 0);
  t.m.wait(word, expected, RECHECK_MS);
  // What was seen before the sleep is an old grace-period number: a grace period that started since then waits for the
  // next quiescent state of this thread, which is later than needed but never too early.
  t.m.store(t.rcuWord, seen);
}

/** Wakes all who sleep on `word`, and has parked requests tried again. */
export function wakeAll(t: Thread, word: Ptr): void {
  t.m.notify(word, ALL);
  wakeParked(t);
}

/**
 * Has parked requests tried again, if there are any: some lock has become free. A request that is about to be parked and
 * not counted yet is tried once after it has been.
 */
export function wakeParked(t: Thread): void {
  if (t.parkWord === NULL || t.m.load(t.parkWord + 1) === 0) return;
  t.m.add(t.parkWord, 1);
  t.m.notify(t.parkWord, ALL);
}
