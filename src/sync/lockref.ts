/**
 * A lock and a reference count in one word (lockref, as in dentry.d_lockref): bit 31 the lock, the rest the count.
 * References are taken and dropped by compare-and-swap while nobody holds the lock.
 */
import type { Memory, Ptr } from "./atomics.ts";
import type { LockClassId } from "./lockdep.ts";
import type { Thread } from "./thread.ts";

const LOCKED = 0x80000000 | 0;
const COUNT_MASK = 0x7fffffff;
/** Count of a dead object (lockref_mark_dead). */
const DEAD = 0x7fffffff;
const NAP_MS = 0.1;

/** Takes a reference unless the object is dead (lockref_get_not_dead): counts as taking the lock. */
export function lockrefGetNotDead(t: Thread, ref: Ptr, lockClass: LockClassId): boolean {
  t.lockdep.count(lockClass);
  const m = t.m;
  let seen = unlocked(m, ref, m.load(ref));
  while (seen !== DEAD) {
    const found = m.compareExchange(ref, seen, seen + 1);
    if (found === seen) return true;
    seen = unlocked(m, ref, found);
  }
  return false;
}

/** Drops a reference; @returns the count left (lockref_put_return, and the lock if that fails). */
export function lockrefPut(t: Thread, ref: Ptr): number {
  const m = t.m;
  for (let seen = unlocked(m, ref, m.load(ref)); ;) {
    const found = m.compareExchange(ref, seen, seen - 1);
    if (found === seen) return seen - 1;
    seen = unlocked(m, ref, found);
  }
}

/** Takes the lock; the count stays as it is while it is held: who comes or goes waits. */
export function lockrefLock(t: Thread, ref: Ptr, lockClass: LockClassId): void {
  t.lockdep.acquire(lockClass);
  const m = t.m;
  for (let seen = unlocked(m, ref, m.load(ref)); ;) {
    const found = m.compareExchange(ref, seen, seen | LOCKED);
    if (found === seen) return;
    seen = unlocked(m, ref, found);
  }
}

/**
 * Waits while the lock is held: looks again at once, or after a nap, since the holder may have no CPU.
 * @param seen what the word was just now
 * @returns what it is when nobody holds the lock
 */
function unlocked(m: Memory, ref: Ptr, seen: number): number {
  for (let looks = 0; seen < 0; looks++) {
    if (looks >= m.spins) m.nap(ref, seen, NAP_MS);
    seen = m.load(ref);
  }
  return seen;
}

export function lockrefUnlock(t: Thread, ref: Ptr, lockClass: LockClassId): void {
  t.m.and(ref, COUNT_MASK);
  t.lockdep.release(lockClass);
}

/** Nobody can take a reference any more. @pre the lockref is locked */
export function lockrefMarkDead(t: Thread, ref: Ptr): void {
  t.m.store(ref, LOCKED | DEAD);
}

/** References right now. */
export function lockrefCount(t: Thread, ref: Ptr): number {
  return t.m.load(ref) & COUNT_MASK;
}
