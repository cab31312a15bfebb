/**
 * Waits of readers for a lock, counted and timed for the path that waits.
 *
 * A thread that may sleep waits within one call. One that serves requests gives up instead (WAIT_WOULD_BLOCK), and the
 * request is tried again later, perhaps by another thread: all these tries are one wait, which `Thread.wait` carries from
 * one to the next. Who gets WAIT_WOULD_BLOCK calls {@link keepWait} if it will try again, else {@link endWait}.
 */
import type { Ptr } from "../sync/atomics.ts";
import type { LockClassId } from "../sync/lockdep.ts";
import { downReadKillable, downReadTrylock } from "../sync/rwsem.ts";
import { spinLock, spinTryLock } from "../sync/spinlock.ts";
import { NO_WAIT, WAIT_OK, WAIT_WOULD_BLOCK } from "../sync/thread.ts";
import type { EventId } from "./counters.ts";
import { Event, countEvent, countWait } from "./counters.ts";
import type { Kernel } from "./kernel.ts";
import type { PathId } from "./knobs.ts";

/** True if an earlier try of the same work had to wait for a lock of this path: it goes on, and has been counted. */
export function waitGoesOn(k: Kernel, path: PathId): boolean {
  return k.t.wait.path === path;
}

/** Counts an event that leads to a lock, unless an earlier try of the same work has done so. */
export function countOnWayToLock(k: Kernel, path: PathId, event: EventId): void {
  if (!waitGoesOn(k, path)) countEvent(k, path, event);
}

/** Counts an event that each try of the same work begins with: for the first one only. */
export function countFirstTry(k: Kernel, path: PathId, event: EventId): void {
  if (k.t.wait.path === NO_WAIT) countEvent(k, path, event);
}

/**
 * Takes a lock for read (down_read_killable). A wait is counted and timed for `path`.
 * @returns WAIT_OK; WAIT_EINTR or WAIT_WOULD_BLOCK with nothing held
 */
export function downReadCounted(k: Kernel, path: PathId, sem: Ptr, lockClass: LockClassId, nested = false): number {
  if (downReadTrylock(k.t, sem, lockClass, nested)) {
    if (k.t.wait.lock === sem) endWait(k);
    return WAIT_OK;
  }
  beginWait(k, path, sem);
  const result = downReadKillable(k.t, sem, lockClass, nested);
  if (result !== WAIT_WOULD_BLOCK) endWait(k);
  return result;
}

/** Takes a spinlock. A wait is counted and timed for `path`. */
export function spinLockCounted(k: Kernel, path: PathId, lock: Ptr, lockClass: LockClassId): void {
  if (spinTryLock(k.t, lock, lockClass)) return;
  beginWait(k, path, lock);
  keepWait(k);
  spinLock(k.t, lock, lockClass);
  endWait(k);
}

function beginWait(k: Kernel, path: PathId, lock: Ptr): void {
  const { wait } = k.t;
  if (wait.path !== path || wait.lock !== lock) {
    endWait(k);
    wait.path = path;
    wait.lock = lock;
    wait.since = k.t.now();
    wait.counted = false;
  }
  if (k.t.maySleep) keepWait(k);
}

/** This thread's work, which would have to wait, really does: now, or by coming again. */
export function keepWait(k: Kernel): void {
  const { wait } = k.t;
  if (wait.path === NO_WAIT || wait.counted) return;
  countEvent(k, wait.path, Event.waited);
  wait.counted = true;
}

/** The wait that this thread's work was in, if any, is over: the lock was taken, or is no longer wanted. */
export function endWait(k: Kernel): void {
  const { wait } = k.t;
  if (wait.counted) countWait(k, wait.path, Math.max(0, Math.round(k.t.now() - wait.since)));
  wait.clear();
}
