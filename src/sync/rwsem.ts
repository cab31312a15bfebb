/**
 * A sleeping reader/writer lock (rw_semaphore) with writer preference and killable waits.
 *
 * Words: count (-1 a writer, n readers), writers that wait, a wake-up generation that sleepers watch. A reader steps
 * back while a writer waits, so a stream of readers cannot starve it. Ownership is not tied to a thread.
 */
import type { Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import type { Thread } from "./thread.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "./thread.ts";
import { sleepOn, wakeAll } from "./waitqueue.ts";

/** Words a rwsem takes. */
export const RWSEM_WORDS = 3;

const COUNT = 0;
const WRITERS_WAITING = 1;
const GENERATION = 2;

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
  for (;;) {
    const generation = t.m.load(sem + GENERATION);
    if (downReadTrylock(t, sem, lockClass, nested)) return WAIT_OK;
    if (t.interrupted()) return WAIT_EINTR;
    if (!t.maySleep) return WAIT_WOULD_BLOCK;
    sleepOn(t, sem + GENERATION, generation);
  }
}

/** Takes the lock for read, sleeping as long as it takes, for threads that nobody can interrupt. */
export function downRead(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  for (;;) {
    const generation = t.m.load(sem + GENERATION);
    if (downReadTrylock(t, sem, lockClass)) return;
    sleepOn(t, sem + GENERATION, generation);
  }
}

export function upRead(t: Thread, sem: Ptr, lockClass: LockClassId): void {
  t.lockdep.release(lockClass);
  if (t.m.add(sem + COUNT, -1) === 1 && t.m.load(sem + WRITERS_WAITING) !== 0) wake(t, sem);
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
  for (;;) {
    const generation = m.load(sem + GENERATION);
    if (downWriteTrylock(t, sem, lockClass)) break;
    sleepOn(t, sem + GENERATION, generation);
  }
  m.add(sem + WRITERS_WAITING, -1);
}

/** As {@link downWrite}, but a killed or unsleepable caller gets WAIT_EINTR or WAIT_WOULD_BLOCK and holds nothing. */
export function downWriteKillable(t: Thread, sem: Ptr, lockClass: LockClassId, nested = false): number {
  const m = t.m;
  if (downWriteTrylock(t, sem, lockClass, nested)) return WAIT_OK;
  if (!t.maySleep) return WAIT_WOULD_BLOCK;
  m.add(sem + WRITERS_WAITING, 1);
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

function wake(t: Thread, sem: Ptr): void {
  t.m.add(sem + GENERATION, 1);
  wakeAll(t, sem + GENERATION);
}
