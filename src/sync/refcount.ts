/** Reference counts (refcount_t): one word, from 1; 0 is dead and stays dead. */
import type { Memory, Ptr } from "./atomics.ts";

/** Takes a reference. @pre the caller holds one already, or the object cannot die meanwhile */
export function refcountInc(m: Memory, ref: Ptr): void {
  m.add(ref, 1);
}

/** Takes a reference unless the object is dead (refcount_inc_not_zero). For lookups under RCU. */
export function refcountIncNotZero(m: Memory, ref: Ptr): boolean {
  let seen = m.load(ref);
  while (seen !== 0) {
    const found = m.compareExchange(ref, seen, seen + 1);
    if (found === seen) return true;
    seen = found;
  }
  return false;
}

/** Drops a reference; @returns true if it was the last, and the caller has to free the object. */
export function refcountDecAndTest(m: Memory, ref: Ptr): boolean {
  return m.add(ref, -1) === 1;
}
