/** A sequence count with a writer lock (seqlock_t): the form of signal->stats_lock. */
import type { Memory, Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import { SEQCOUNT_WORDS, readSeqcountBegin, seqcountRetry, writeSeqcountBegin, writeSeqcountEnd } from "./seqcount.ts";
import { SPINLOCK_WORDS, spinLock, spinUnlock } from "./spinlock.ts";
import type { Thread } from "./thread.ts";

/** Words a seqlock takes. */
export const SEQLOCK_WORDS = SEQCOUNT_WORDS + SPINLOCK_WORDS;

const LOCK = SEQCOUNT_WORDS;

export function writeSeqlock(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  spinLock(t, lock + LOCK, lockClass);
  writeSeqcountBegin(t.m, lock);
}

export function writeSequnlock(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  writeSeqcountEnd(t.m, lock);
  spinUnlock(t, lock + LOCK, lockClass);
}

/** Keeps writers away without becoming one (read_seqlock_excl): a reader's second try. */
export function readSeqlockExcl(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  spinLock(t, lock + LOCK, lockClass);
}

export function readSequnlockExcl(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  spinUnlock(t, lock + LOCK, lockClass);
}

/** Waits until no writer is inside; @returns the snapshot (read_seqbegin). Writers are short. */
export function readSeqbegin(m: Memory, lock: Ptr): number {
  return readSeqcountBegin(m, lock);
}

export function readSeqretry(m: Memory, lock: Ptr, snapshot: number): boolean {
  return seqcountRetry(m, lock, snapshot);
}
