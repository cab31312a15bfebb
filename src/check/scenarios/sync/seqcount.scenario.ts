/** The sequence count by itself: 64 bits in two words. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import {
  SEQCOUNT_WORDS,
  readSeqcountBegin,
  seqcountRetry,
  seqcountTryBegin,
  writeSeqcountBegin,
  writeSeqcountEnd,
} from "../../../sync/seqcount.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

/** A count, and two words that its writer keeps equal. */
interface Plan {
  readonly seq: Ptr;
  readonly data: Ptr;
}

/** Both words, and the count at which they have been read. */
type Seen = [number, number, number];

const TWO_32 = 2 ** 32;
/** The high word at first. */
const HIGH = 5;
/** Counts at rest, before and after the writer's changes: the low word wraps around between the first two. */
const COUNTS = [HIGH * TWO_32 + 0xfffffffe, (HIGH + 1) * TWO_32, (HIGH + 1) * TWO_32 + 2];

/** A count whose low word is about to wrap around. */
function aboutToWrap(k: Kernel): Plan {
  const seq = words(k, SEQCOUNT_WORDS);
  k.m.store(seq, -2);
  k.m.store(seq + 1, HIGH);
  return { seq, data: words(k, 2) };
}

function write(k: Kernel, { seq, data }: Plan, value: number): void {
  writeSeqcountBegin(k.m, seq);
  k.m.store(data, value);
  k.m.store(data + 1, value);
  writeSeqcountEnd(k.m, seq);
}

function writeTwice(k: Kernel, plan: Plan): void {
  write(k, plan, 1);
  write(k, plan, 2);
}

function read(k: Kernel, { seq, data }: Plan): Seen {
  for (;;) {
    const snapshot = readSeqcountBegin(k.m, seq);
    const low = k.m.load(data);
    const high = k.m.load(data + 1);
    if (!seqcountRetry(k.m, seq, snapshot)) return [low, high, snapshot];
  }
}

function judge([low, high, snapshot]: Seen, counts: readonly number[]): string | null {
  return low === high && snapshot === counts[low] ? null : `the reader got ${low} and ${high} at ${snapshot}`;
}

export const carry = scenario({
  name: "seqcount/carry",
  about: "while the low word wraps around, what a reader has seen is whole and its count is that moment's",
  quick: true,
  setup: aboutToWrap,
  threads: { reader: read, writer: writeTwice },
  check: (_k, _plan, { reader }) => judge(reader, COUNTS),
});

export const asleep = scenario({
  name: "seqcount/asleep",
  about: "while a reader sleeps, so many have written that the low word is what it was: the reader knows",
  quick: true,
  setup: (k: Kernel): Plan => ({ seq: words(k, SEQCOUNT_WORDS), data: words(k, 2) }),
  threads: {
    reader: read,
    writer: (k, { seq, data }): void => {
      writeSeqcountBegin(k.m, seq);
      k.m.store(data, 1);
      // 2^31 - 1 others write, and the last of them goes on.
      k.m.store(seq, -1);
      k.m.store(data + 1, 1);
      writeSeqcountEnd(k.m, seq);
    },
  },
  check: (_k, _plan, { reader }) => judge(reader, [0, TWO_32]),
});

export const tries = scenario({
  name: "seqcount/try",
  about:
    "who doesn't wait for a writer is told so, or gets a count that there has been, and never an earlier one later",
  quick: true,
  setup: aboutToWrap,
  threads: {
    reader: (k, { seq }): number[] => [seqcountTryBegin(k.m, seq), seqcountTryBegin(k.m, seq)],
    writer: writeTwice,
  },
  check: (_k, _plan, { reader }) => {
    const counts = reader.filter((snapshot) => snapshot !== -1).map((snapshot) => COUNTS.indexOf(snapshot));
    const inOrder = counts.every((count, i) => count >= (counts[i - 1] ?? 0));
    return inOrder ? null : `the reader got the counts ${reader.join(", ")}`;
  },
});
