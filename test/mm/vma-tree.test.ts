/** The VMA tree against a plain array. */
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { MM } from "../../src/kernel/layout.ts";
import { Random } from "../../src/kernel/random.ts";
import { mmAlloc } from "../../src/mm/mm.ts";
import {
  VmaIter,
  findGapTopDown,
  findVma,
  treeBuild,
  treeDestroy,
  treePrepare,
  treePublish,
  vmaIterInit,
  vmaNext,
} from "../../src/mm/vma-tree.ts";
import { testKernel } from "../support/kernel.ts";

const PAGE = 4096;
/** Addresses need more than 32 bits of page number. */
const BASE = 0x7f0000000000;
const LIMIT = 0x7f0000000000 + 4000 * PAGE;

interface Entry {
  start: number;
  end: number;
  vma: number;
}

function contents(k: Kernel, mm: number): Entry[] {
  const iter = new VmaIter();
  const entries: Entry[] = [];
  vmaIterInit(iter, 0);
  for (let vma = vmaNext(k, mm, iter); vma !== 0; vma = vmaNext(k, mm, iter)) {
    entries.push({ start: iter.start, end: iter.end, vma });
  }
  return entries;
}

function triples(entries: readonly Entry[]): number[] {
  return entries.flatMap(({ start, end, vma }) => [start, end, vma]);
}

/** Replaces [low, high), which cuts no entry, in tree and array. */
function replace(k: Kernel, mm: number, model: Entry[], low: number, high: number, entries: Entry[]): Entry[] {
  treePublish(k, mm, treePrepare(k, mm, low, high, triples(entries)));
  const kept = model.filter(({ start, end }) => end <= low || start >= high);
  return [...kept, ...entries].sort((a, b) => a.start - b.start);
}

/** A random range that cuts no entry, with up to three entries to put there. */
function randomChange(random: Random, model: readonly Entry[], next: () => number): [number, number, Entry[]] {
  let low = BASE + random.below(3900) * PAGE;
  let high = low + (1 + random.below(random.below(8) === 0 ? 900 : 30)) * PAGE;
  for (const { start, end } of model) {
    if (start < low && end > low) low = start;
    if (start < high && end > high) high = end;
  }
  const entries: Entry[] = [];
  let at = low;
  for (let i = random.below(4); i > 0 && at < high; i--) {
    const start = at + random.below(3) * PAGE;
    const end = Math.min(high, start + (1 + random.below(12)) * PAGE);
    if (start >= end) break;
    entries.push({ start, end, vma: next() });
    at = end;
  }
  return [low, high, entries];
}

function gapByHand(model: readonly Entry[], low: number, high: number, length: number): number {
  let upper = high;
  for (let i = model.length - 1; i >= -1; i--) {
    const end = i < 0 ? low : Math.max(low, (model[i] as Entry).end);
    if (upper - end >= length) return upper;
    if (i >= 0) upper = Math.min(upper, (model[i] as Entry).start);
  }
  return -1;
}

function checkLookups(k: Kernel, mm: number, model: readonly Entry[], random: Random): void {
  for (let i = 0; i < 20; i++) {
    const address = BASE + random.below(4000 * PAGE);
    expect(findVma(k, mm, address)).toBe(model.find(({ end }) => end > address)?.vma ?? 0);
    const length = (1 + random.below(60)) * PAGE;
    const low = BASE + random.below(2000) * PAGE;
    const high = low + random.below(2000) * PAGE;
    expect(findGapTopDown(k, mm, low, high, length)).toBe(gapByHand(model, low, high, length));
  }
}

describe.each([1, 2, 3, 4, 5, 6])("seed %i", (seed) => {
  test("random changes", () => {
    const k = testKernel();
    const mm = mmAlloc(k);
    const random = new Random(seed);
    let last = 0;
    let model: Entry[] = [];
    for (let round = 0; round < 1500; round++) {
      const [low, high, entries] = randomChange(random, model, () => ++last);
      model = replace(k, mm, model, low, high, entries);
      if (round % 10 === 0) {
        expect(contents(k, mm)).toEqual(model);
        checkLookups(k, mm, model, random);
      }
      k.quiescent();
      k.slab.reclaim();
    }
    expect(model.length).toBeGreaterThan(30);
    treeDestroy(k, mm);
    while (k.slab.reclaiming()) {
      k.slab.reclaim();
      k.quiescent();
    }
    expect(k.slab.live(Cache.vmaNode)).toBe(0);
  });

  test("a reader of an old root sees the old tree", () => {
    const k = testKernel();
    const mm = mmAlloc(k);
    const random = new Random(seed, 1);
    let model: Entry[] = [];
    for (let i = 0; i < 300; i++) {
      const start = BASE + i * 4 * PAGE;
      model.push({ start, end: start + 2 * PAGE, vma: i + 1 });
    }
    treeBuild(k, mm, triples(model));
    const root = k.m.load(mm + MM.mmMt);
    const before = model;
    for (let i = 0; i < 200; i++) {
      const [low, high, entries] = randomChange(random, model, () => 1000 + i);
      model = replace(k, mm, model, low, high, entries);
      k.slab.reclaim();
    }
    expect(contents(k, mm)).toEqual(model);
    k.m.store(mm + MM.mmMt, root);
    expect(contents(k, mm)).toEqual(before);
  });
});

test("65,530 entries: built at once, looked up, removed in the middle", () => {
  const k = testKernel();
  const mm = mmAlloc(k);
  const model: Entry[] = [];
  for (let i = 0; i < 65530; i++) {
    const start = 0x10000 + i * 2 * PAGE;
    model.push({ start, end: start + PAGE, vma: i + 1 });
  }
  treeBuild(k, mm, triples(model));
  expect(findVma(k, mm, 0x10000 + 2 * PAGE * 40000)).toBe(40001);
  expect(findGapTopDown(k, mm, 0x10000, (model[65529] as Entry).end, PAGE)).toBe((model[65529] as Entry).start);
  expect(findGapTopDown(k, mm, 0x10000, (model[65529] as Entry).end, 2 * PAGE)).toBe(-1);
  const low = (model[100] as Entry).start;
  const high = (model[65000] as Entry).start;
  treePublish(k, mm, treePrepare(k, mm, low, high, []));
  expect(contents(k, mm)).toEqual([...model.slice(0, 100), ...model.slice(65000)]);
  expect(findGapTopDown(k, mm, 0x10000, LIMIT, 64900 * 2 * PAGE)).toBe(LIMIT);
  const wide = findGapTopDown(k, mm, 0x10000, (model[65529] as Entry).end, 64000 * 2 * PAGE);
  expect(wide).toBe((model[65000] as Entry).start);
});
