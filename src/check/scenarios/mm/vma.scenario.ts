/** The lock of a mapping by itself: readers, a writer, detaching, and reuse of its memory. */
import type { Kernel } from "../../../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import {
  VMA_BUSY,
  VMA_DETACHED,
  mmapLockSpeculateRetry,
  mmapLockSpeculateTryBegin,
  mmapReadLockKillable,
  mmapReadUnlock,
  mmapWriteLock,
  mmapWriteUnlock,
  vmaEndRead,
  vmaMarkDetached,
  vmaStartRead,
  vmaStartWrite,
} from "../../../mm/lock.ts";
import { munmap } from "../../../mm/mmap.ts";
import { findVma } from "../../../mm/vma-tree.ts";
import { vmaSetRange } from "../../../mm/vma.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { R, anon, at, judgeSpaces, makeSpace, map, must, restBeside } from "./maps-space.ts";

/** An address space with one mapping, and its VMA. */
function oneMapping(k: Kernel): { mm: Ptr; vma: Ptr } {
  const mm = makeSpace(k, [anon(0, 4)]);
  return { mm, vma: findVma(k, mm, at(0)) };
}

/** Bounds, as they are while the VMA is locked; or what kept it from being locked. */
type Seen = readonly [number, number] | number;

/**
 * Locks a VMA that was found earlier, and looks at its bounds.
 * @param gone a word that isn't 0 once nobody can have it locked any more, or NULL
 */
function look(k: Kernel, mm: Ptr, vma: Ptr, gone: Ptr = NULL): Seen {
  rcuReadLock(k.t);
  const locked = vmaStartRead(k, mm, vma);
  let seen: Seen = locked;
  if (locked === vma) {
    seen = [k.m.load64(vma + VMA.vmStart), k.m.load64(vma + VMA.vmEnd)];
    if (gone !== NULL && k.m.load(gone) !== 0) throw new Error("a detached mapping is locked");
    vmaEndRead(k, vma);
  }
  rcuReadUnlock(k.t);
  return seen;
}

/** Nobody has the address space or the VMA locked. @param refcnt 1, or 0 if the VMA is detached */
function judgeUnlocked(k: Kernel, mm: Ptr, vma: Ptr, refcnt: number): string | null {
  if ((k.m.load(mm + MM.mmLockSeq) & 1) !== 0) return "mm_lock_seq is odd";
  const left = k.m.load(vma + VMA.vmRefcnt);
  return left === refcnt ? null : `vm_refcnt is ${left}`;
}

/** Whole bounds, or a good reason for none. */
function judgeSeen(
  seen: Seen,
  states: readonly (readonly [number, number])[],
  reasons: readonly number[],
): string | null {
  if (typeof seen === "number") return reasons.includes(seen) ? null : `the lock answers ${seen}`;
  return states.some(([start, end]) => start === seen[0] && end === seen[1])
    ? null
    : `it has the bounds ${seen.join("-")}`;
}

export const readWrite = scenario({
  name: "vma/read-write",
  about: "two readers and a writer of one mapping: each reader sees it before the change or after, or finds it locked",
  quick: true,
  setup: (k) => oneMapping(k),
  threads: {
    first: (k, { mm, vma }): Seen => look(k, mm, vma),
    second: (k, { mm, vma }): Seen => look(k, mm, vma),
    writer: (k, { mm, vma }): void => {
      mmapWriteLock(k, mm);
      vmaStartWrite(k, mm, vma);
      vmaSetRange(k, vma, at(1), at(3));
      mmapWriteUnlock(k, mm);
    },
  },
  check: (k, { mm, vma }, { first, second }) => {
    const states = [[at(0), at(4)] as const, [at(1), at(3)] as const];
    return (
      judgeSeen(first, states, [VMA_BUSY]) ?? judgeSeen(second, states, [VMA_BUSY]) ?? judgeUnlocked(k, mm, vma, 1)
    );
  },
});

/** The two write sections have the mapping locked for themselves, each until it ends. */
export const writeTwice = scenario({
  name: "vma/write-twice",
  about: "a reader between two changes of one mapping",
  setup: (k) => oneMapping(k),
  threads: {
    reader: (k, { mm, vma }): Seen => look(k, mm, vma),
    writer: (k, { mm, vma }): void => {
      for (let page = 1; page < 3; page++) {
        mmapWriteLock(k, mm);
        vmaStartWrite(k, mm, vma);
        // A second time it is locked already.
        vmaStartWrite(k, mm, vma);
        vmaSetRange(k, vma, at(page), at(page + 1));
        mmapWriteUnlock(k, mm);
      }
    },
  },
  check: (k, { mm, vma }, { reader }) => {
    const states = [[at(0), at(4)] as const, [at(1), at(2)] as const, [at(2), at(3)] as const];
    return judgeSeen(reader, states, [VMA_BUSY]) ?? judgeUnlocked(k, mm, vma, 1);
  },
});

/** Changes a mapping, and a word that tells how often that was done. */
function change(k: Kernel, { mm, vma, changes }: { mm: Ptr; vma: Ptr; changes: Ptr }, page: number): void {
  mmapWriteLock(k, mm);
  vmaStartWrite(k, mm, vma);
  vmaSetRange(k, vma, at(page), at(page + 1));
  k.m.store(changes, k.m.load(changes) + 1);
  mmapWriteUnlock(k, mm);
}

/** The sequence count is even between two write sections, never in the middle of one. */
export const twoWriters = scenario({
  name: "vma/two-writers",
  about: "a reader while two threads change one mapping: a write section ends before the next one begins",
  quick: true,
  setup: (k) => ({ ...oneMapping(k), changes: words(k, 1) }),
  threads: {
    reader: (k, { mm, vma }): Seen => look(k, mm, vma),
    first: (k, plan): void => change(k, plan, 1),
    second: (k, plan): void => change(k, plan, 2),
  },
  check: (k, { mm, vma, changes }, { reader }) => {
    const states = [[at(0), at(4)] as const, [at(1), at(2)] as const, [at(2), at(3)] as const];
    const done = k.m.load(changes);
    return (
      judgeSeen(reader, states, [VMA_BUSY]) ??
      (done === 2 ? null : `${done} changes were made under the lock`) ??
      judgeUnlocked(k, mm, vma, 1)
    );
  },
});

/** Who finds a detached mapping is told so, and looks again; a mapping that is only locked has him take mmap_lock. */
export const detached = scenario({
  name: "vma/detach",
  about: "a reader of a mapping that is detached: if he has it locked he is waited for, and nobody has it after that",
  quick: true,
  setup: (k) => ({ ...oneMapping(k), gone: words(k, 1) }),
  threads: {
    reader: (k, { mm, vma, gone }): Seen => look(k, mm, vma, gone),
    writer: (k, { mm, vma, gone }): void => {
      mmapWriteLock(k, mm);
      vmaStartWrite(k, mm, vma);
      vmaMarkDetached(k, vma);
      k.m.store(gone, 1);
      mmapWriteUnlock(k, mm);
    },
  },
  check: (k, { mm, vma }, { reader }) =>
    judgeSeen(reader, [[at(0), at(4)]], [VMA_BUSY, VMA_DETACHED]) ??
    judgeSeen(look(k, mm, vma), [], [VMA_DETACHED]) ??
    judgeUnlocked(k, mm, vma, 0),
});

/** Whoever is just finding out that he is too late still counts as a reader: the memory is not reused before he has gone. */
export const detachAndReuse = scenario({
  name: "vma/detach-and-reuse",
  about: "two readers lock a mapping that is detached and freed, and becomes another address space's",
  setup: (k) => {
    const { mm, vma } = oneMapping(k);
    const other = makeSpace(k, []);
    return { mm, vma, other, rest: restBeside(k, [mm, other]) };
  },
  threads: {
    first: (k, { mm, vma }): Seen => look(k, mm, vma),
    second: (k, { mm, vma }): Seen => look(k, mm, vma),
    writer: (k, { mm, other }): void => {
      must(munmap(k, mm, at(0), 4 * PAGE_SIZE));
      map(k, other, anon(2, 6));
    },
  },
  check: (k, { mm, other, rest }, { first, second }) =>
    judgeSeen(first, [[at(0), at(4)]], [VMA_BUSY, VMA_DETACHED]) ??
    judgeSeen(second, [[at(0), at(4)]], [VMA_BUSY, VMA_DETACHED]) ??
    judgeSpaces(k, rest, [
      { mm, states: [[]] },
      { mm: other, states: [[anon(2, 6)]] },
    ]),
});

/** mmap_lock's sequence count: what is read between two looks at it is of one moment, or is not believed. */
export const speculation = scenario({
  name: "vma/speculation",
  about: "two totals of an address space, read without a lock while mmap changes both",
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): readonly [number, number] | null => {
      const snapshot = mmapLockSpeculateTryBegin(k, mm);
      const totals = [k.m.load(mm + MM.mapCount), k.m.load64(mm + MM.totalVm)] as const;
      return snapshot >= 0 && !mmapLockSpeculateRetry(k, mm, snapshot) ? totals : null;
    },
    writer: (k, { mm }): void => map(k, mm, anon(6, 7, R)),
  },
  check: (k, { mm, rest }, { reader }) =>
    reader === null || `${reader}` === "1,4" || `${reader}` === "2,5"
      ? judgeSpaces(k, rest, [{ mm, states: [[anon(0, 4), anon(6, 7, R)]] }])
      : `${reader[0]} mappings have ${reader[1]} pages`,
});

/** The lock itself: two who write, and one who reads with writers kept away. */
export const mmapLock = scenario({
  name: "vma/mmap-lock",
  about: "two totals of an address space, read under mmap_lock while two threads map and unmap",
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): readonly [number, number] => {
      must(mmapReadLockKillable(k, mm));
      const totals = [k.m.load(mm + MM.mapCount), k.m.load64(mm + MM.totalVm)] as const;
      mmapReadUnlock(k, mm);
      return totals;
    },
    mapper: (k, { mm }): void => map(k, mm, anon(6, 7, R)),
    unmapper: (k, { mm }): void => must(munmap(k, mm, at(0), 4 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { reader }) =>
    ["1,4", "2,5", "1,1", "0,0"].includes(`${reader}`)
      ? judgeSpaces(k, rest, [{ mm, states: [[anon(6, 7, R)]] }])
      : `${reader[0]} mappings have ${reader[1]} pages`,
});
