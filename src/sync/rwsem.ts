/**
 * A sleeping reader/writer lock (rw_semaphore) with writer preference and killable waits.
 *
 * Words: count (-1 a writer, n readers), writers that wait, a wake-up generation that sleepers watch, threads that are
 * about to sleep or do. A reader steps back while a writer waits, so a stream of readers cannot starve it. Ownership is
 * not tied to a thread.
 *
 * No wake-up is lost: a thread counts itself as a sleeper and tries again before it sleeps; a release frees the lock and
 * then looks for sleepers. One of the two sees the other.
 */
import type { Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import type { Thread } from "./thread.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "./thread.ts";
import { sleepOn, wakeAll, wakeParked } from "./waitqueue.ts";

/** Words a rwsem takes. */
export const RWSEM_WORDS = 4;

const COUNT = 0;
const WRITERS_WAITING = 1;
const GENERATION = 2;
const SLEEPERS = 3;

const WRITER = -1;

/** Takes the lock for read if that needs no wait. */
export function downReadTrylock(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): boolean {
  const m = t.m;
  if (m.load(sem + WRITERS_WAITING) !== 0) return false;
  let count = m.load(sem + COUNT);
  while (count >= 0) {
    const found = m.compareExchange(sem + COUNT, count, count + 1);
    if (found === count) {
      t.lockdep.acquire(lockClass, nested);
      return true;
    }
    count = found;
  }
  return false;
}

/**
 * Takes the lock for read (down_read_killable).
 * @returns WAIT_OK; WAIT_EINTR if the wait was interrupted; WAIT_WOULD_BLOCK if this thread must not sleep.
 */
export function downReadKillable(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): number {
  if (downReadTrylock(t, sem, lockClass, nested)) return WAIT_OK;
  if (!t.maySleep) return WAIT_WOULD_BLOCK;
  t.m.add(sem + SLEEPERS, 1);
  let result = WAIT_OK;
  for (;;) {
    const generation = t.m.load(sem + GENERATION);
    if (downReadTrylock(t, sem, lockClass, nested)) break;
    if (t.interrupted()) {
      result = WAIT_EINTR;
      break;
    }
    sleepOn(t, sem + GENERATION, generation);
  }
  t.m.add(sem + SLEEPERS, -1);
  return result;
}

/** Takes the lock for read, sleeping as long as it takes, for threads that nobody can interrupt. */
export function downRead(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  if (downReadTrylock(t, sem, lockClass)) return;
  t.m.add(sem + SLEEPERS, 1);
  for (;;) {
    const generation = t.m.load(sem + GENERATION);
    if (downReadTrylock(t, sem, lockClass)) break;
    sleepOn(t, sem + GENERATION, generation);
  }
  t.m.add(sem + SLEEPERS, -1);
}

export function upRead(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  t.lockdep.release(lockClass);
  if (t.m.add(sem + COUNT, -1) === 1) wake(t, sem);
}

/** Makes a lock that its maker holds for write. @pre no other thread can see it yet */
export function rwsemInitHeld(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): void {
  t.m.plainStore(sem + COUNT, WRITER);
  t.lockdep.acquire(lockClass, nested);
}

/** Takes the lock for write if it is free. */
export function downWriteTrylock(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): boolean {
  if (t.m.compareExchange(sem + COUNT, 0, WRITER) !== 0) return false;
  t.lockdep.acquire(lockClass, nested);
  return true;
}

/** Takes the lock for write (down_write). */
export function downWrite(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  const m = t.m;
  if (downWriteTrylock(t, sem, lockClass)) return;
  m.add(sem + WRITERS_WAITING, 1);
  m.add(sem + SLEEPERS, 1);
  for (;;) {
    const generation = m.load(sem + GENERATION);
    if (downWriteTrylock(t, sem, lockClass)) break;
    sleepOn(t, sem + GENERATION, generation);
  }
  m.add(sem + WRITERS_WAITING, -1);
  m.add(sem + SLEEPERS, -1);
}

/** As {@link downWrite}, but a killed or unsleepable caller gets WAIT_EINTR or WAIT_WOULD_BLOCK and holds nothing. */
export function downWriteKillable(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): number {
  const m = t.m;
  if (downWriteTrylock(t, sem, lockClass, nested)) return WAIT_OK;
  if (!t.maySleep) return WAIT_WOULD_BLOCK;
  m.add(sem + WRITERS_WAITING, 1);
  m.add(sem + SLEEPERS, 1);
  let result = WAIT_OK;
  for (;;) {
    const generation = m.load(sem + GENERATION);
    if (downWriteTrylock(t, sem, lockClass, nested)) break;
    if (t.interrupted()) {
      result = WAIT_EINTR;
      break;
    }
    sleepOn(t, sem + GENERATION, generation);
  }
  m.add(sem + WRITERS_WAITING, -1);
  m.add(sem + SLEEPERS, -1);
  if (result !== WAIT_OK) wake(t, sem);
  return result;
}

export function upWrite(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  t.lockdep.release(lockClass);
  t.m.store(sem + COUNT, 0);
  wake(t, sem);
}

/** True while anybody holds the lock (rwsem_is_locked). */
export function rwsemIsLocked(t: Thread, sem: Ptr): boolean {
  return t.m.load(sem + COUNT) !== 0;
}

/** True while anybody sleeps for the lock, or is about to (rwsem_is_contended). */
export function rwsemIsContended(t: Thread, sem: Ptr): boolean {
  return t.m.load(sem + SLEEPERS) !== 0;
}

/** The lock has become free, or a waiting writer has given up. */
function wake(t: Thread, sem: Ptr): void {
  if (t.m.load(sem + SLEEPERS) !== 0) {
    t.m.add(sem + GENERATION, 1);
    wakeAll(t, sem + GENERATION);
  } else {
    wakeParked(t);
  }
}
