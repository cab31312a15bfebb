/**
 * One thread's handle on the synchronisation layer: its view of the arena, its RCU slot, what it holds, and how it
 * waits. Every primitive takes it first. It is never shared.
 */
import type { Memory, Ptr } from "./atomics.ts";
import { NULL } from "./atomics.ts";
import { Lockdep } from "./lockdep.ts";

/** What a wait answers: taken, interrupted, or not to be had without waiting. */
export const WAIT_OK = 0;
/** -EINTR: the waiter was killed or interrupted (down_read_killable). */
export const WAIT_EINTR = -4;
/** The thread must not sleep (it serves other requests): nothing was taken; park the request and come again. */
export const WAIT_WOULD_BLOCK = -0x10000;

/** Nanoseconds of a clock that never goes back, the same one for all threads. Exact to a few nanoseconds. */
export type Clock = () => number;

/** The clock of a thread that was given none: waits are counted, and take no time. */
const NO_CLOCK: Clock = () => 0;

/** {@link LockWait.path}: nothing is waited for. */
export const NO_WAIT = -1;

/**
 * A wait for a lock, from the first try to the moment when the lock is taken or the wait given up. Where a thread must
 * not sleep, a wait spans several tries of a request, perhaps by different threads: whoever keeps the request keeps this.
 */
export class LockWait {
  /** For whom it is counted: a path of the layer above, or NO_WAIT. */
  path = NO_WAIT;
  /** The lock. */
  lock: Ptr = NULL;
  /** When it began, by {@link Thread.now}. */
  since = 0;
  /** False until somebody really waits: a request that would have to may still be answered with what it has so far. */
  counted = false;

  /** Makes this one the same as another. */
  copy(from: LockWait): void {
    this.path = from.path;
    this.lock = from.lock;
    this.since = from.since;
    this.counted = from.counted;
  }

  /** Forgets it, without a word to anybody. */
  clear(): void {
    this.path = NO_WAIT;
    this.lock = NULL;
    this.counted = false;
  }
}

export class Thread {
  readonly m: Memory;
  /** This thread's slot number in the RCU table and in per-thread counters. */
  readonly slot: number;
  /** Address of this thread's RCU word; see rcu.ts. */
  readonly rcuWord: Ptr;
  readonly lockdep: Lockdep;
  /** False for threads that serve requests: a killable wait then answers WAIT_WOULD_BLOCK instead of sleeping. */
  maySleep = true;
  /** A word that is non-zero once the current wait was interrupted; NULL if nothing can interrupt it. */
  interruptWord: Ptr = NULL;
  /**
   * A word that lock releases raise and notify, so that parked requests are tried again, while the word after it, which
   * counts them, is not 0. NULL if there can't be any.
   */
  readonly parkWord: Ptr;
  /** Looked at only by who has to wait: a path without waits pays nothing for it. May be replaced. */
  now: Clock;
  /** The wait in which this thread's current work is. */
  readonly wait = new LockWait();

  constructor(m: Memory, slot: number, rcuWord: Ptr, parkWord: Ptr, debug: boolean, now: Clock = NO_CLOCK) {
    this.m = m;
    this.slot = slot;
    this.rcuWord = rcuWord;
    this.parkWord = parkWord;
    this.now = now;
    this.lockdep = new Lockdep(debug);
  }

  /** True if the current wait was interrupted. */
  interrupted(): boolean {
    return this.interruptWord !== NULL && this.m.load(this.interruptWord) !== 0;
  }
}
