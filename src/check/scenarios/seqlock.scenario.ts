/** The sequence lock by itself. */
import { LockClass } from "../../sync/lockdep.ts";
import { SEQLOCK_WORDS, readSeqbegin, readSeqretry, writeSeqlock, writeSequnlock } from "../../sync/seqlock.ts";
import { words } from "../model.ts";
import { scenario } from "../scenario.ts";

/** Reads both words until nobody has written meanwhile. */
export const wholeRead = scenario({
  name: "seqlock/whole-read",
  about: "a reader that needs no retry has both words of one write",
  quick: true,
  setup: (k) => ({ lock: words(k, SEQLOCK_WORDS), data: words(k, 2) }),
  threads: {
    reader: (k, { lock, data }): [number, number] => {
      for (;;) {
        const sequence = readSeqbegin(k.m, lock);
        const low = k.m.load(data);
        const high = k.m.load(data + 1);
        if (!readSeqretry(k.m, lock, sequence)) return [low, high];
      }
    },
    writer: (k, { lock, data }): void => {
      writeSeqlock(k.t, lock, LockClass.stats);
      k.m.store(data, 1);
      k.m.store(data + 1, 1);
      writeSequnlock(k.t, lock, LockClass.stats);
    },
  },
  check: (_k, _plan, { reader: [low, high] }) => (low === high ? null : `the reader got ${low} and ${high}`),
});
