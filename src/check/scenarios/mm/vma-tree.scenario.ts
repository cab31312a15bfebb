/**
 * The VMA tree by itself: one thread changes it in many ways, and it holds what a plain list holds after the same changes;
 * and somebody walks over it meanwhile.
 * The numbers that stand for VMAs are no VMAs: the tree doesn't look at them.
 */
import { Cache } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE } from "../../../kernel/layout.ts";
import { Random } from "../../../kernel/random.ts";
import { mmAlloc } from "../../../mm/mm.ts";
import {
  VMA_NODE_WORDS,
  VmaIter,
  findGapTopDown,
  findVma,
  treeBuild,
  treeDestroy,
  treePrepare,
  treePublish,
  vmaIterInit,
  vmaNext,
} from "../../../mm/vma-tree.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import { reclaimNow } from "../kernel/pid-kit.ts";

/** What a leaf and an inner node hold at most. */
const LEAF = 15;
const INNER = 12;
/** Where most entries lie: page numbers there need more than 32 bits. */
const BASE = 0x7f0000000000;
const PAGES = 2000;
/** An entry this far below leaves a gap of more pages than fit into 31 bits. */
const FAR_BELOW = 0x10000;
/** The address of page 2 ** 32. */
const WORD_BORDER = 0x100000000000;

/** What a tree holds; start and end in bytes. */
interface Entry {
  readonly start: number;
  readonly end: number;
  readonly vma: number;
}

/** A tree, and the list that it is compared with. */
interface Twin {
  readonly mm: Ptr;
  entries: readonly Entry[];
  /** Live nodes that are not of this tree. */
  readonly beside: number;
  /** The number that stands for the next VMA. */
  next: number;
}

/** A tree of one thread's. */
function newTwin(k: Kernel): Twin {
  const mm = mmAlloc(k);
  return { mm, entries: [], beside: liveNodes(k), next: 1 };
}

/** Live nodes, once those that were retired are free. */
function liveNodes(k: Kernel): number {
  reclaimNow(k);
  return k.slab.live(Cache.vmaNode);
}

/** `count` pages from a page on, as an entry. */
function entryAt(twin: Twin, page: number, count: number): Entry {
  const start = BASE + page * PAGE_SIZE;
  return { start, end: start + count * PAGE_SIZE, vma: twin.next++ };
}

function triples(entries: readonly Entry[]): number[] {
  return entries.flatMap(({ start, end, vma }) => [start, end, vma]);
}

/** Replaces what lies in [low, high), which cuts no entry. */
function replace(k: Kernel, twin: Twin, low: number, high: number, entries: readonly Entry[]): void {
  treePublish(k, twin.mm, treePrepare(k, twin.mm, low, high, triples(entries)));
  const below = twin.entries.filter(({ end }) => end <= low);
  const above = twin.entries.filter(({ start }) => start >= high);
  twin.entries = [...below, ...entries, ...above];
}

/** Throws unless the tree holds what it should. */
function compare(k: Kernel, twin: Twin): void {
  const wrong = walkDiffers(k, twin) ?? lookupDiffers(k, twin) ?? gapDiffers(k, twin);
  if (wrong !== null) throw new Error(`of ${twin.entries.length} entries: ${wrong}`);
}

function walkDiffers(k: Kernel, { mm, entries }: Twin): string | null {
  const iter = new VmaIter();
  vmaIterInit(iter, 0);
  for (let i = 0; i < entries.length; i++) {
    const { start, end, vma } = entries[i] as Entry;
    const found = vmaNext(k, mm, iter);
    if (found !== vma || iter.start !== start || iter.end !== end || iter.index !== end) {
      return `entry ${i} is ${found} at ${iter.start}-${iter.end}, not ${vma} at ${start}-${end}`;
    }
  }
  const beyond = vmaNext(k, mm, iter);
  return beyond === NULL ? null : `${beyond} comes behind the last entry`;
}

function lookupDiffers(k: Kernel, { mm, entries }: Twin): string | null {
  const iter = new VmaIter();
  for (let i = 0; i < entries.length; i++) {
    const { start, end, vma } = entries[i] as Entry;
    const above = entries[i + 1]?.vma ?? NULL;
    if (findVma(k, mm, start) !== vma || findVma(k, mm, end - 1) !== vma) return `${vma} is not found`;
    if (findVma(k, mm, end) !== above) return `above ${vma} is ${findVma(k, mm, end)}, not ${above}`;
    vmaIterInit(iter, end);
    const next = vmaNext(k, mm, iter);
    if (next !== above) return `a walk from the end of ${vma} finds ${next}, not ${above}`;
  }
  return findVma(k, mm, 0) === (entries[0]?.vma ?? NULL) ? null : "the first is not found";
}

/** Sizes of gaps, in pages, that are looked for. */
const SIZES = [1, 2, 3, 5, 9, 30, 200, 2 ** 31 - 1, 2 ** 31, 2 ** 32];

function gapDiffers(k: Kernel, { mm, entries }: Twin): string | null {
  const middle = BASE + (PAGES / 2) * PAGE_SIZE;
  const top = BASE + PAGES * PAGE_SIZE;
  for (const [low, high] of [[0, top] as const, [BASE, middle] as const, [middle, top] as const]) {
    for (const size of SIZES) {
      const length = size * PAGE_SIZE;
      const found = findGapTopDown(k, mm, low, high, length);
      const right = highestGap(entries, low, high, length);
      if (found !== right) return `the highest gap of ${size} pages in ${low}-${high} ends at ${found}, not ${right}`;
    }
  }
  return null;
}

/** The end of the highest gap of `length` bytes within [low, high); -1 if there is none. */
function highestGap(entries: readonly Entry[], low: number, high: number, length: number): number {
  let upper = high;
  for (let i = entries.length - 1; i >= 0; i--) {
    const { start, end } = entries[i] as Entry;
    if (upper - Math.max(low, end) >= length) return upper;
    upper = Math.min(upper, start);
  }
  return upper - low >= length ? upper : -1;
}

/** Throws if the tree has too many nodes, or nodes that were taken out of it are still there. */
function countNodes(k: Kernel, twin: Twin, most: number): void {
  const nodes = liveNodes(k) - twin.beside;
  if (nodes > most) throw new Error(`${twin.entries.length} entries have ${nodes} nodes, not ${most}`);
}

/** Nodes of a tree that is built at once: as few as hold its entries. */
function fewestNodes(entries: number): number {
  if (entries === 0) return 0;
  let level = Math.ceil(entries / LEAF);
  let nodes = level;
  while (level > 1) {
    level = Math.ceil(level / INNER);
    nodes += level;
  }
  return nodes;
}

/** Takes all nodes away at once, and throws if some stay. */
function destroy(k: Kernel, twin: Twin): void {
  treeDestroy(k, twin.mm);
  twin.entries = [];
  compare(k, twin);
  countNodes(k, twin, 0);
}

/** How many entries come and go one by one. */
const COUNT = 160;

/** The numbers below COUNT, from `first` on in steps that have no factor in common with it. */
function every(step: number, first = 0): number[] {
  return Array.from({ length: COUNT }, (_, i) => (first + i * step) % COUNT);
}

const UP = every(1);
const DOWN = every(COUNT - 1, COUNT - 1);

/** The entry of a number: there is a page between two of them, or two, or none. */
function numbered(twin: Twin, number: number): Entry {
  return entryAt(twin, 3 * number, 1 + (number % 3));
}

/** Nodes of a tree whose leaves and inner nodes are not too small, but for a few. */
function mostNodes(entries: number): number {
  return entries === 0 ? 0 : 1 + Math.floor(entries / 3);
}

/** Entries come one by one: nodes split, the tree becomes higher. */
function grow(k: Kernel, coming: readonly number[]): Twin {
  const twin = newTwin(k);
  for (let i = 0; i < COUNT; i++) {
    const entry = numbered(twin, coming[i] as number);
    replace(k, twin, entry.start, entry.end, [entry]);
    if (i % 50 === 0) compare(k, twin);
  }
  compare(k, twin);
  countNodes(k, twin, mostNodes(COUNT));
  return twin;
}

/** Takes away the entries of some numbers. */
function takeAway(k: Kernel, twin: Twin, numbers: readonly number[]): void {
  for (let i = 0; i < numbers.length; i++) {
    const { start, end } = numbered(twin, numbers[i] as number);
    replace(k, twin, start, end, []);
  }
}

/** They go, in another order: nodes merge, the tree becomes lower. */
function shrink(k: Kernel, twin: Twin, going: readonly number[]): void {
  const few = going.length - 16;
  for (let i = 0; i < going.length; i += i < few ? 20 : 1) {
    compare(k, twin);
    takeAway(k, twin, going.slice(i, i < few ? i + 20 : i + 1));
    countNodes(k, twin, mostNodes(twin.entries.length));
  }
  destroy(k, twin);
}

/** So many entries are taken away by the thread: the explorer follows each access, and sees those to freed nodes. */
const EXPLORED = 24;

function growAndShrink(name: string, about: string, coming: readonly number[], going: readonly number[]): Scenario {
  return scenario({
    name: `vma/tree-${name}`,
    about: `entries are put into a tree one by one, ${about}`,
    quick: true,
    setup: (k) => grow(k, coming),
    threads: {
      writer: (k, plan): readonly Entry[] => {
        const twin = { ...plan };
        takeAway(k, twin, going.slice(0, EXPLORED));
        return twin.entries;
      },
    },
    check: (k, plan, { writer }) => {
      shrink(k, { ...plan, entries: writer }, going.slice(EXPLORED));
      return null;
    },
  });
}

export const upwards = growAndShrink("upwards", "upwards, and taken out downwards", UP, DOWN);
export const downwards = growAndShrink("downwards", "downwards, and taken out here and there", DOWN, every(7));
export const scattered = growAndShrink("scattered", "here and there, and taken out upwards", every(97), UP);

/** A tree that is built at once. */
function build(k: Kernel, count: number): Twin {
  const twin = newTwin(k);
  twin.entries = Array.from({ length: count }, (_, i): Entry => entryAt(twin, 8 * i, 1 + (i % 8)));
  treeBuild(k, twin.mm, triples(twin.entries));
  return twin;
}

/** A range that cuts no entry, and up to three entries to put there. */
function anyChange(random: Random, twin: Twin): { low: number; high: number; entries: Entry[] } {
  let low = random.below(PAGES - 100);
  let high = Math.min(PAGES, low + 1 + random.below(random.below(6) === 0 ? 400 : 30));
  for (const { start, end } of twin.entries) {
    const [from, to] = [(start - BASE) / PAGE_SIZE, (end - BASE) / PAGE_SIZE];
    if (from < low && to > low) low = from;
    if (from < high && to > high) high = to;
  }
  const entries: Entry[] = [];
  for (let i = random.below(4), page = low; i > 0; i--) {
    const from = page + random.below(3);
    page = Math.min(high, from + 1 + random.below(12));
    if (from < page) entries.push(entryAt(twin, from, page - from));
  }
  return { low: BASE + low * PAGE_SIZE, high: BASE + high * PAGE_SIZE, entries };
}

function changeAtRandom(k: Kernel, twin: Twin, seed: number, changes: number): void {
  const random = new Random(seed);
  for (let i = 0; i < changes; i++) {
    const { low, high, entries } = anyChange(random, twin);
    replace(k, twin, low, high, entries);
  }
}

export const changes = scenario({
  name: "vma/tree-changes",
  about: "ranges of a tree of three levels, small and large, are replaced by up to three entries",
  quick: true,
  setup: (k) => build(k, 250),
  threads: {
    writer: (k, plan): readonly Entry[] => {
      const twin = { ...plan, next: 1000 };
      changeAtRandom(k, twin, 1, 20);
      return twin.entries;
    },
  },
  check: (k, plan, { writer }) => {
    const twin = { ...plan, entries: writer, next: 2000 };
    for (let round = 0; round < 10; round++) {
      compare(k, twin);
      countNodes(k, twin, mostNodes(twin.entries.length));
      changeAtRandom(k, twin, 2 + round, 12);
    }
    replace(k, twin, 0, BASE + PAGES * PAGE_SIZE, []);
    compare(k, twin);
    countNodes(k, twin, 0);
    return null;
  },
});

/** Gaps are kept in 31 bits of pages, addresses in 36. */
export const farApart = scenario({
  name: "vma/tree-far-apart",
  about: "a tree whose entries lie at both ends of the address space, and across the border of 32 bits of pages",
  quick: true,
  setup: (k) => build(k, 40),
  threads: {
    writer: (k, plan): readonly Entry[] => {
      const twin = { ...plan };
      for (let i = 20; i >= 0; i--) {
        const start = FAR_BELOW + 2 * i * PAGE_SIZE;
        replace(k, twin, start, start + PAGE_SIZE, [{ start, end: start + PAGE_SIZE, vma: 100 + i }]);
      }
      const [start, end] = [WORD_BORDER - PAGE_SIZE, WORD_BORDER + 2 * PAGE_SIZE];
      replace(k, twin, start, end, [{ start, end, vma: 200 }]);
      return twin.entries;
    },
  },
  check: (k, plan, { writer }) => {
    const twin = { ...plan, entries: writer };
    const [start, end] = [WORD_BORDER - PAGE_SIZE, WORD_BORDER + 2 * PAGE_SIZE];
    compare(k, twin);
    replace(k, twin, start, end, [
      { start, end: WORD_BORDER, vma: 201 },
      { start: WORD_BORDER, end, vma: 202 },
    ]);
    compare(k, twin);
    destroy(k, twin);
    return null;
  },
});

export const built = scenario({
  name: "vma/tree-built",
  about: "trees that are built at once, and destroyed: they have as few nodes as hold their entries, and leave none",
  quick: true,
  setup: () => null,
  threads: {
    writer: (k): void => {
      for (const count of [0, 1, LEAF, LEAF + 1]) buildAndDestroy(k, count);
    },
  },
  check: (k) => {
    for (const count of [LEAF * INNER, LEAF * INNER + 1]) buildAndDestroy(k, count);
    return null;
  },
});

function buildAndDestroy(k: Kernel, count: number): void {
  const twin = build(k, count);
  compare(k, twin);
  countNodes(k, twin, fewestNodes(count));
  destroy(k, twin);
}

export const emptied = scenario({
  name: "vma/tree-emptied",
  about: "trees of two full leaves: one loses all but the beginning of the first at once, one its entries one by one",
  quick: true,
  setup: () => null,
  threads: {
    writer: (k): void => {
      const cut = build(k, 2 * LEAF);
      replace(k, cut, (cut.entries[5] as Entry).start, BASE + PAGES * PAGE_SIZE, []);
      compare(k, cut);
      countNodes(k, cut, 1);
      destroy(k, cut);
      const twin = build(k, 2 * LEAF);
      while (twin.entries.length > 0) {
        const { start, end } = twin.entries[0] as Entry;
        replace(k, twin, start, end, []);
      }
      destroy(k, twin);
    },
  },
  check: () => null,
});

/** A node in the last words that there are. */
export const atTheEnd = scenario({
  name: "vma/tree-at-the-end",
  about: "a full leaf lies at the end of the arena: who changes it reads nothing beyond",
  quick: true,
  setup: () => null,
  threads: {
    writer: (k): void => {
      const limit = k.m.load(HOST.limit);
      k.m.store(HOST.breakAt, limit - VMA_NODE_WORDS);
      if (k.slab.reserve(Cache.vmaNode, 1000)) throw new Error("there is room for more");
      const twin = build(k, LEAF);
      const root = k.m.load(twin.mm + MM.mmMt);
      if (root !== limit - VMA_NODE_WORDS) throw new Error(`the leaf is at ${root}`);
      const { start, end } = twin.entries[0] as Entry;
      replace(k, twin, start, end, []);
      compare(k, twin);
      destroy(k, twin);
    },
  },
  check: () => null,
});

/** What a walk has found behind a position; all in bytes, `vma` is NULL at the end. */
interface Step extends Entry {
  readonly position: number;
}

/** Goes on from a position, as long as the tree has something, but not farther than so many entries. */
function walk(k: Kernel, mm: Ptr, position: number, most: number): Step[] {
  const iter = new VmaIter();
  const steps: Step[] = [];
  rcuReadLock(k.t);
  vmaIterInit(iter, position);
  for (let i = 0; i < most; i++) {
    const asked = iter.index;
    const vma = vmaNext(k, mm, iter);
    steps.push({ position: asked, start: iter.start, end: iter.end, vma });
    if (vma === NULL) break;
  }
  rcuReadUnlock(k.t);
  return steps;
}

/** Each step is true of one moment, and of none before that of the step before. */
function judgeSteps(steps: readonly Step[], states: readonly (readonly Entry[])[]): string | null {
  let moment = 0;
  for (const { position, start, end, vma } of steps) {
    const isTrue = (state: readonly Entry[]): boolean => {
      const next = state.find((entry) => entry.end > position);
      if (next === undefined) return vma === NULL;
      return next.vma === vma && next.start === start && next.end === end;
    };
    while (moment < states.length && !isTrue(states[moment] as readonly Entry[])) moment++;
    if (moment === states.length)
      return `behind ${position} it finds ${vma} at ${start}-${end}: ${JSON.stringify(steps)}`;
  }
  return null;
}

export const walker = scenario({
  name: "vma/tree-walker",
  about: "a walk over a leaf that is split by one change, and merged again by another one, in memory that was freed",
  quick: true,
  setup: (k) => {
    const twin = build(k, LEAF);
    const middle = entryAt(twin, 8 * 6 + 7, 1);
    const split = [...twin.entries.slice(0, 7), middle, ...twin.entries.slice(7)];
    return { mm: twin.mm, beside: twin.beside, middle, states: [twin.entries, split, split.slice(6)] as const };
  },
  threads: {
    reader: (k, { mm, states }): Step[] => walk(k, mm, (states[0][5] as Entry).end, 4),
    writer: (k, { mm, middle, states }): void => {
      treePublish(k, mm, treePrepare(k, mm, middle.start, middle.end, triples([middle])));
      reclaimNow(k);
      treePublish(k, mm, treePrepare(k, mm, 0, (states[1][5] as Entry).end, []));
      k.slab.flush();
    },
  },
  check: (k, { mm, beside, states }, { reader }) => {
    const twin = { mm, beside, entries: states[2], next: 0 };
    compare(k, twin);
    destroy(k, twin);
    return judgeSteps(reader, states);
  },
});
