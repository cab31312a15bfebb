/**
 * A sleeping lock with killable waits (struct mutex) in one word: 0 free, 1 held, 2 held and somebody may be waiting.
 * Cheaper than a rwsem where nobody contends: one swap to take it, one to give it back.
 */
import type { Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import type { Thread } from "./thread.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "./thread.ts";
import { sleepOn, wakeAll } from "./waitqueue.ts";

/** Words a mutex takes. */
export const MUTEX_WORDS = 1;

const FREE = 0;
const HELD = 1;
const CONTENDED = 2;

/**
 * Takes the lock (mutex_lock_killable).
 * @returns WAIT_OK; WAIT_EINTR if the wait was interrupted; WAIT_WOULD_BLOCK if this thread must not sleep.
 */
export function mutexLockKillable(t: Thread, lock: Ptr, lockClass: LockClassId): number {
  const m = t.m;
  if (m.compareExchange(lock, FREE, HELD) === FREE) {
    t.lockdep.acquire(lockClass);
    return WAIT_OK;
  }
  // From here on the lock is taken as contended, since others may be waiting too: the unlock then wakes them in vain.
  while (m.exchange(lock, CONTENDED) !== FREE) {
    if (t.interrupted()) return WAIT_EINTR;
    if (!t.maySleep) return WAIT_WOULD_BLOCK;
    sleepOn(t, lock, CONTENDED);
  }
  t.lockdep.acquire(lockClass);
  return WAIT_OK;
}

export function mutexUnlock(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  t.lockdep.release(lockClass);
  if (t.m.exchange(lock, FREE) === CONTENDED) wakeAll(t, lock);
}
