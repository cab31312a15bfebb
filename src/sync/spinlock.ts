/** A lock for short sections (spinlock_t): spins, then naps, since the holder may have no CPU. */
import type { Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import type { Thread } from "./thread.ts";

/** Words a spinlock takes. */
export const SPINLOCK_WORDS = 1;

const FREE = 0;
const HELD = 1;
/** Held, and somebody naps. */
const CONTENDED = 2;
const NAP_MS = 1;

/** Takes the lock. Allowed inside RCU: sections are short. */
export function spinLock(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  t.lockdep.acquire(lockClass);
  const m = t.m;
  // Who waits looks before it swaps: a swap takes the line from whoever has it, even if it fails.
  for (let i = 0; i < m.spins; i++) {
    if ((i === 0 || m.load(lock) === FREE) && m.compareExchange(lock, FREE, HELD) === FREE) return;
  }
  while (m.exchange(lock, CONTENDED) !== FREE) m.wait(lock, CONTENDED, NAP_MS);
}

/** @returns true if the lock was free and is now held. */
export function spinTryLock(t: Thread, lock: Ptr, lockClass: LockClassId): boolean {
  if (t.m.compareExchange(lock, FREE, HELD) !== FREE) return false;
  t.lockdep.acquire(lockClass);
  return true;
}

export function spinUnlock(t: Thread, lock: Ptr, lockClass: LockClassId): void {
  if (t.m.exchange(lock, FREE) === CONTENDED) t.m.notify(lock, 1);
  t.lockdep.release(lockClass);
}
