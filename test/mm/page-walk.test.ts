/** Walks of smaps and its kin look at pages outside of RCU: what that asks of the walk, and smaps_rollup among writers. */
import { describe, expect, test } from "vitest";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, MM } from "../../src/kernel/layout.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { mmAlloc } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { touch } from "../../src/mm/resident.ts";
import { clipBelow } from "../../src/mm/vma-snapshot.ts";
import { rcuPoll, rcuStart } from "../../src/sync/rcu.ts";
import { joinKernel, testKernel } from "../support/kernel.ts";
import { inThreads } from "../support/threads.ts";
import type { RollupJob, RollupResult } from "./page-walk-threads.ts";
import { AREA, AREA_PAGES } from "./page-walk-threads.ts";

const BODIES = new URL("./page-walk-threads.ts", import.meta.url).href;
const PAGE = 4096;
const BASE = 0x30000000;
const RW = PROT_READ | PROT_WRITE;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

/** Mappings of two pages each, which don't merge: few enough for the tree to be one node. */
function striped(k: Kernel, count: number): number {
  const mm = mmAlloc(k);
  for (let i = 0; i < count; i++) mmap(k, mm, BASE + i * 2 * PAGE, 2 * PAGE, i % 2 === 0 ? RW : PROT_READ, FIXED, 0, 0);
  return mm;
}

describe.each([
  ["maps", Path.maps, false],
  ["map_files", Path.revalidate, false],
  ["smaps", Path.smaps, true],
  ["smaps_rollup", Path.smaps_rollup, true],
  ["numa_maps", Path.numa_maps, true],
])("%s", (_, path: PathId, pages) => {
  test.each([
    ["lock-free", LOCKFREE],
    ["locked", LOCKED],
  ])(`%s: a grace period ${pages ? "ends" : "doesn't end"} while the walk is under way`, (_form, mode) => {
    const k = testKernel();
    k.m.store(HOST.pathMode + path, mode);
    const mm = striped(k, 4);
    const walk = new MapsWalk();
    walk.start(k, mm, path, 0, 0);
    const gracePeriod = rcuStart(k.m, HOST.rcu);
    expect(walk.next(k)).toBe(1);
    expect(rcuPoll(k.m, HOST.rcu, gracePeriod)).toBe(pages);
    walk.stop(k);
  });
});

test("a serving thread, which others wait for, is not quiescent before its request ends", () => {
  const k = testKernel();
  const mm = striped(k, 4);
  k.t.maySleep = false;
  const walk = new MapsWalk();
  walk.start(k, mm, Path.smaps, 0, 0);
  const gracePeriod = rcuStart(k.m, HOST.rcu);
  expect(walk.next(k)).toBe(1);
  expect(rcuPoll(k.m, HOST.rcu, gracePeriod)).toBe(false);
  walk.stop(k);
});

test("a node of the tree that was freed and used again during a page walk doesn't lead astray", () => {
  const k = testKernel();
  const mm = striped(k, 9);
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
  const writer = joinKernel(k.m.buffer);
  const walk = new MapsWalk();
  walk.start(k, mm, Path.smaps, 0, 0);
  walk.next(k);
  walk.next(k);
  walk.next(k);
  const node = k.m.load(mm + MM.mmMt);
  // The writer's turn comes where the page walk may sleep: just before it does.
  const { lockdep } = k.t;
  const mightSleep = lockdep.mightSleep.bind(lockdep);
  lockdep.mightSleep = (): void => {
    mightSleep();
    lockdep.mightSleep = mightSleep;
    munmap(writer, mm, BASE + 16 * PAGE, 2 * PAGE);
    writer.slab.reclaim();
  };
  walk.next(k);
  expect(walk.vma.start).toBe(BASE + 8 * PAGE);
  writer.quiescent();
  expect(writer.slab.reclaim()).toBeGreaterThan(0);
  // The new root lies where the old one was, and has two entries less before where the walk stands.
  munmap(writer, mm, BASE, 4 * PAGE);
  expect(k.m.load(mm + MM.mmMt)).toBe(node);
  expect(walk.next(k)).toBe(1);
  expect(walk.vma.start).toBe(BASE + 10 * PAGE);
  walk.stop(k);
  writer.idle();
  expect(eventCount(k, Path.smaps, Event.mmapLockFallback)).toBe(0);
});

test("what lies above an address of a mapping has its share of the pages", () => {
  const k = testKernel();
  const mm = mmAlloc(k);
  mmap(k, mm, BASE, 8 * PAGE, RW, FIXED, 0, 0);
  touch(k, mm, BASE, 8);
  const walk = new MapsWalk();
  walk.start(k, mm, Path.smaps_rollup, 0, 0);
  clipBelow(walk.vma, BASE + 6 * PAGE);
  expect(walk.vma).toMatchObject({ start: BASE + 6 * PAGE, end: BASE + 8 * PAGE, anonPages: 2 });
  walk.stop(k);
});

/**
 * All pages of an area are resident all the time, while a writer splits, merges, and moves the borders of its mappings:
 * whatever the reader sees, the sum is the same.
 */
async function rollup(mode: number): Promise<{ k: Kernel; reader: RollupResult; writer: RollupResult }> {
  const k = testKernel();
  k.m.store(HOST.pathMode + Path.smaps_rollup, mode);
  const mm = mmAlloc(k);
  mmap(k, mm, AREA, AREA_PAGES * PAGE, RW, FIXED, 0, 0);
  touch(k, mm, AREA, AREA_PAGES);
  for (let page = 0; page < AREA_PAGES; page += 4) mprotect(k, mm, AREA + page * PAGE, 2 * PAGE, PROT_READ);
  const job = { buffer: k.m.buffer, mm, milliseconds: 1500 };
  k.idle();
  const [writer, reader] = await inThreads<RollupJob, RollupResult>(BODIES, "run", [
    { ...job, role: "writer" },
    { ...job, role: "reader" },
  ]);
  k.busy();
  return { k, reader: reader as RollupResult, writer: writer as RollupResult };
}

describe("smaps_rollup among writers", () => {
  test("lock-free: no page is counted twice, and none is missed", async () => {
    const { k, reader, writer } = await rollup(LOCKFREE);
    expect(reader.wrong).toEqual([]);
    expect(reader.operations).toBeGreaterThan(100);
    expect(writer.operations).toBeGreaterThan(100);
    expect(eventCount(k, Path.smaps_rollup, Event.fellBack)).toBe(0);
  });

  test("locked: the same, and the reader gives way to the writer in the middle", async () => {
    const { k, reader, writer } = await rollup(LOCKED);
    expect(reader.wrong).toEqual([]);
    expect(reader.operations).toBeGreaterThan(100);
    expect(writer.operations).toBeGreaterThan(100);
    expect(reader.gaveWay).toBeGreaterThan(0);
    expect(eventCount(k, Path.smaps_rollup, Event.speculated)).toBe(0);
  });
});
