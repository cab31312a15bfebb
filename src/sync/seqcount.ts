/**
 * A 64-bit sequence count (the kernel's seqcount_t is 32 bits wide, which a reader that sleeps could see wrap around).
 *
 * Two words, low first. Odd: a writer is inside. The high word changes only while the low word is odd, so a reader that
 * sees the same even low word around its load of the high word has both halves of one moment.
 */
import type { Memory, Ptr } from "./atomics.ts";

/** Words a sequence count takes. */
export const SEQCOUNT_WORDS = 2;

const TWO_32 = 4294967296;
const LAST_ODD = -1;

/** Starts a write. Writers exclude each other by a lock. */
export function writeSeqcountBegin(m: Memory, seq: Ptr): void {
  m.add(seq, 1);
}

/** Ends a write. @pre the same thread's writeSeqcountBegin */
export function writeSeqcountEnd(m: Memory, seq: Ptr): void {
  if (m.load(seq) === LAST_ODD) m.add(seq + 1, 1);
  m.add(seq, 1);
}

/** @returns the even snapshot, or -1 while a writer is inside (raw_seqcount_try_begin). */
export function seqcountTryBegin(m: Memory, seq: Ptr): number {
  for (;;) {
    const low = m.load(seq);
    if ((low & 1) !== 0) return -1;
    const high = m.load(seq + 1);
    if (m.load(seq) === low) return (high >>> 0) * TWO_32 + (low >>> 0);
  }
}

const NAP_MS = 0.1;

/** Waits until no writer is inside; @returns the snapshot (read_seqcount_begin). */
export function readSeqcountBegin(m: Memory, seq: Ptr): number {
  for (let i = 0; ; i++) {
    const snapshot = seqcountTryBegin(m, seq);
    if (snapshot >= 0) return snapshot;
    if (i < m.spins) continue;
    const low = m.load(seq);
    if ((low & 1) !== 0) m.nap(seq, low, NAP_MS);
  }
}

/** True if a writer has been inside since `snapshot` was taken (read_seqcount_retry). */
export function seqcountRetry(m: Memory, seq: Ptr, snapshot: number): boolean {
  if (m.load(seq) !== (snapshot | 0)) return true;
  return m.load(seq + 1) !== ((snapshot / TWO_32) | 0);
}
