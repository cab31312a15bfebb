/** Two words that a sequence lock keeps together: code that is transformed. */
import type { Kernel } from "../../../src/kernel/kernel.ts";
import type { Ptr } from "../../../src/sync/atomics.ts";
import { LockClass } from "../../../src/sync/lockdep.ts";
import { SEQLOCK_WORDS, readSeqbegin, readSeqretry, writeSeqlock, writeSequnlock } from "../../../src/sync/seqlock.ts";

/** Words from one to the other: on the same line they would travel together. */
const FAR = 32;

/** Raises both words by one. @param lock the words follow it */
export function raisePair(k: Kernel, lock: Ptr): void {
  const data = lock + SEQLOCK_WORDS;
  writeSeqlock(k.t, lock, LockClass.stats);
  k.m.store(data, k.m.load(data) + 1);
  k.m.store(data + FAR, k.m.load(data + FAR) + 1);
  writeSequnlock(k.t, lock, LockClass.stats);
}

/** Both words, of one moment. */
export function readPair(k: Kernel, lock: Ptr): [number, number] {
  const data = lock + SEQLOCK_WORDS;
  for (;;) {
    const sequence = readSeqbegin(k.m, lock);
    // Against the direction of writers, lest readers be always ahead of them.
    const high = k.m.load(data + FAR);
    const low = k.m.load(data);
    if (!readSeqretry(k.m, lock, sequence)) return [low, high];
  }
}
