/** The sequence lock by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import {
  SEQLOCK_WORDS,
  readSeqbegin,
  readSeqlockExcl,
  readSeqretry,
  readSequnlockExcl,
  writeSeqlock,
  writeSequnlock,
} from "../../../sync/seqlock.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

/** A lock, and two words that writers keep equal. */
interface Plan {
  readonly lock: Ptr;
  readonly data: Ptr;
}

type Pair = [number, number];

function plan(k: Kernel): Plan {
  return { lock: words(k, SEQLOCK_WORDS), data: words(k, 2) };
}

function look(k: Kernel, { data }: Plan): Pair {
  return [k.m.load(data), k.m.load(data + 1)];
}

/** Both words of one moment. */
function read(k: Kernel, plan: Plan): Pair {
  for (;;) {
    const sequence = readSeqbegin(k.m, plan.lock);
    const pair = look(k, plan);
    if (!readSeqretry(k.m, plan.lock, sequence)) return pair;
  }
}

/** Raises both words by one. */
function raise(k: Kernel, plan: Plan): void {
  writeSeqlock(k.t, plan.lock, LockClass.stats);
  const [low, high] = look(k, plan);
  k.m.store(plan.data, low + 1);
  k.m.store(plan.data + 1, high + 1);
  writeSequnlock(k.t, plan.lock, LockClass.stats);
}

/** @param most how often the words have been raised by now */
function judge([low, high]: Pair, least: number, most: number): string | null {
  return low === high && low >= least && low <= most ? null : `a reader got ${low} and ${high}`;
}

/** Reads both words until nobody has written meanwhile. */
export const wholeRead = scenario({
  name: "seqlock/whole-read",
  about: "a reader that needs no retry has both words of one write",
  quick: true,
  setup: plan,
  threads: { reader: read, writer: raise },
  check: (_k, _plan, { reader }) => judge(reader, 0, 1),
});

export const exclusive = scenario({
  name: "seqlock/exclusive-read",
  about: "a reader that failed once keeps writers away, without being one for the readers beside it",
  quick: true,
  setup: plan,
  threads: {
    reader: (k, plan): Pair => {
      const sequence = readSeqbegin(k.m, plan.lock);
      const pair = look(k, plan);
      if (!readSeqretry(k.m, plan.lock, sequence)) return pair;
      readSeqlockExcl(k.t, plan.lock, LockClass.stats);
      const second = look(k, plan);
      readSequnlockExcl(k.t, plan.lock, LockClass.stats);
      return second;
    },
    writer: raise,
    other: raise,
  },
  check: (k, plan, { reader }) => judge(reader, 0, 2) ?? judge(look(k, plan), 2, 2),
});

export const twoWriters = scenario({
  name: "seqlock/two-writers",
  about: "two writers exclude each other, and a reader sees each write whole",
  quick: true,
  setup: plan,
  threads: { reader: read, writer: raise, other: raise },
  check: (k, plan, { reader }) => judge(reader, 0, 2) ?? judge(look(k, plan), 2, 2),
});
