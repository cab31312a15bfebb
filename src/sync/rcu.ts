/**
 * RCU in the QSBR manner (quiescent-state based, as in liburcu-qsbr).
 *
 * Each thread owns one word on a cache line of its own: 0 while it is offline (blocked, holding no pointers), else the
 * grace-period number that it saw last. A grace period raises the global number and waits until every online thread has
 * seen it. A thread announces a quiescent state between requests, between ticks, and around every sleep; a read-side
 * section must therefore not sleep, which debug builds assert.
 */
import type { Memory, Ptr } from "./atomics.ts";
import type { Thread } from "./thread.ts";

/** Threads that can register at once: 1,024 virtual CPUs, and who builds the table; a multiple of 32. */
export const RCU_THREADS = 1056;
/** Words of a cache line. */
const LINE = 16;

/** Words of the RCU area: one line for the grace-period number, one for each thread. It begins with a cache line. */
export const RCU_WORDS = LINE * (1 + RCU_THREADS);
/** In the first line: slots up to the highest that has ever been claimed. All others are offline and always were. */
const SLOTS = 1;

/** Grace-period numbers are odd, so that none of them means this, even when they wrap around. */
const OFFLINE = 0;
const STEP = 2;

/** Address of the word that says what thread `slot` has seen. */
export function rcuWordOf(area: Ptr, slot: number): Ptr {
  return area + LINE * (1 + slot);
}

/** Prepares the area. @pre no other thread can see it yet; it is all zero */
export function rcuInit(m: Memory, area: Ptr): void {
  m.plainStore(area, 1);
}

/** Slots that have ever been claimed, and thus may hold something: 0 to this, exclusive. */
export function rcuSlots(m: Memory, area: Ptr): number {
  return m.load(area + SLOTS);
}

/** A thread has claimed a slot. Before it goes online: who polls a grace period looks no further than this. */
export function rcuClaim(m: Memory, area: Ptr, slot: number): void {
  let seen = m.load(area + SLOTS);
  while (seen <= slot) {
    const found = m.compareExchange(area + SLOTS, seen, slot + 1);
    if (found === seen) return;
    seen = found;
  }
}

/** The thread may hold RCU-protected pointers from now on (rcu_thread_online). */
export function rcuOnline(t: Thread, area: Ptr): void {
  t.m.store(t.rcuWord, t.m.load(area));
}

/** The thread holds none (rcu_thread_offline); call before blocking. */
export function rcuOffline(t: Thread): void {
  t.lockdep.mightSleep();
  t.m.store(t.rcuWord, OFFLINE);
}

/** Between two units of work: nothing is held right now (rcu_quiescent_state). */
export function rcuQuiescent(t: Thread, area: Ptr): void {
  t.lockdep.mightSleep();
  const now = t.m.load(area);
  if (t.m.load(t.rcuWord) !== now) t.m.store(t.rcuWord, now);
}

/** Enters a read-side section: marks it for the assertions; costs nothing else. @pre the thread is online */
export function rcuReadLock(t: Thread): void {
  t.lockdep.rcuEnter();
}

export function rcuReadUnlock(t: Thread): void {
  t.lockdep.rcuExit();
}

/** Starts a grace period; @returns its number, for {@link rcuPoll} (start_poll_synchronize_rcu). */
export function rcuStart(m: Memory, area: Ptr): number {
  return (m.add(area, STEP) + STEP) | 0;
}

/** True once every thread has been quiescent since {@link rcuStart} gave `number` (poll_state_synchronize_rcu). */
export function rcuPoll(m: Memory, area: Ptr, number: number): boolean {
  const slots = rcuSlots(m, area);
  for (let slot = 0; slot < slots; slot++) {
    const seen = m.load(rcuWordOf(area, slot));
    if (seen !== OFFLINE && ((seen - number) | 0) < 0) return false;
  }
  return true;
}
