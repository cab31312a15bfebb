/**
 * VMAs are type-stable: a freed one is used again at once, for another address space, while a reader stands on it. Each
 * way in which that reader notices, one after the other, in an order that the test decides.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { EventId } from "../../src/kernel/counters.ts";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { MM, VMA } from "../../src/kernel/layout.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import {
  VMA_BUSY,
  VMA_DETACHED,
  lockNextVma,
  mmapWriteLock,
  mmapWriteUnlock,
  vmaEndRead,
  vmaStartRead,
  vmaStartWrite,
} from "../../src/mm/lock.ts";
import { mmAlloc } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { VmaIter, findVma, vmaIterInit } from "../../src/mm/vma-tree.ts";
import { rcuReadLock, rcuReadUnlock } from "../../src/sync/rcu.ts";
import { TEST_CONFIG, testKernel } from "../support/kernel.ts";

const PAGE = 4096;
const BASE = 0x30000000;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

/** Whoever changes address spaces, and who reads: two handles on one arena, as two threads have. */
let writer: Kernel;
let reader: Kernel;
let mm: number;
let otherMm: number;
/** The VMA at BASE, which the reader has found and not locked. */
let found: number;

beforeEach(() => {
  writer = testKernel();
  reader = Kernel.attach(writer.m.buffer, TEST_CONFIG, { debug: true });
  reader.busy();
  mm = mmAlloc(writer);
  otherMm = mmAlloc(writer);
  mmap(writer, mm, BASE, 2 * PAGE, PROT_READ, FIXED, 0, 0);
  mmap(writer, mm, BASE + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE, FIXED, 0, 0);
  found = findVma(reader, mm, BASE);
});

const refcount = (vma: number): number => reader.m.load(vma + VMA.vmRefcnt);

/** What was at BASE goes; @returns where the other address space maps it now. */
function handOver(): number {
  expect(munmap(writer, mm, BASE, 2 * PAGE)).toBe(0);
  const address = mmap(writer, otherMm, 0, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, 0, 0);
  expect(findVma(writer, otherMm, address)).toBe(found);
  expect(reader.m.load(found + VMA.vmMm)).toBe(otherMm);
  return address;
}

describe("a reader that stands on a VMA and then tries to lock it", () => {
  test("gets it while nothing has happened", () => {
    expect(vmaStartRead(reader, mm, found)).toBe(found);
    expect(refcount(found)).toBe(2);
    vmaEndRead(reader, found);
    expect(refcount(found)).toBe(1);
  });

  test("is told by the reference count that it is free", () => {
    munmap(writer, mm, BASE, 2 * PAGE);
    expect(refcount(found)).toBe(0);
    expect(vmaStartRead(reader, mm, found)).toBe(VMA_DETACHED);
    expect(refcount(found)).toBe(0);
  });

  test("is told by vm_mm that it is another one's, and leaves no reference behind", () => {
    handOver();
    // The sequence doesn't tell: the two address spaces count for themselves.
    reader.m.store(found + VMA.vmLockSeq, -1);
    expect(vmaStartRead(reader, mm, found)).toBe(VMA_BUSY);
    expect(refcount(found)).toBe(1);
    expect(vmaStartRead(reader, otherMm, found)).toBe(found);
    vmaEndRead(reader, found);
  });

  test("is told by vm_lock_seq that the new owner is at it, where that happens to equal its own", () => {
    handOver();
    reader.m.store(found + VMA.vmLockSeq, reader.m.load(mm + MM.mmLockSeq));
    expect(vmaStartRead(reader, mm, found)).toBe(VMA_BUSY);
    expect(refcount(found)).toBe(1);
  });

  test("is told while the new owner holds it for write", () => {
    handOver();
    mmapWriteLock(writer, otherMm);
    vmaStartWrite(writer, otherMm, found);
    expect(vmaStartRead(reader, otherMm, found)).toBe(VMA_BUSY);
    expect(vmaStartRead(reader, mm, found)).toBe(VMA_BUSY);
    mmapWriteUnlock(writer, otherMm);
    expect(vmaStartRead(reader, otherMm, found)).toBe(found);
    vmaEndRead(reader, found);
  });
});

test("the walk goes on with what follows in its own address space", () => {
  const iter = new VmaIter();
  vmaIterInit(iter, BASE);
  const spaces = [mm, otherMm].map((one) => reader.m.load(one + MM.mapCount));
  expect(spaces).toEqual([2, 0]);
  handOver();
  rcuReadLock(reader.t);
  const next = lockNextVma(reader, mm, iter, BASE, Path.maps);
  expect(next).toBe(findVma(reader, mm, BASE + 8 * PAGE));
  expect(reader.m.load(next + VMA.vmMm)).toBe(mm);
  vmaEndRead(reader, next);
  rcuReadUnlock(reader.t);
  expect(refcount(found)).toBe(1);
});

/** Lets something happen right before the reader touches a word for the first time. */
function before(access: "load" | "compareExchange", word: number, happens: () => void): void {
  const { m } = reader;
  const original = m[access].bind(m) as (at: number, ...rest: number[]) => number;
  m[access] = (at: number, ...rest: number[]): number => {
    if (at === word) {
      m[access] = original;
      happens();
    }
    return original(at, ...rest);
  };
}

describe("lockNextVma, when the VMA that it has found is taken away", () => {
  function lockNext(): number {
    const iter = new VmaIter();
    vmaIterInit(iter, BASE);
    rcuReadLock(reader.t);
    const vma = lockNextVma(reader, mm, iter, BASE, Path.maps);
    rcuReadUnlock(reader.t);
    return vma;
  }

  const count = (event: EventId): number => eventCount(reader, Path.maps, event);

  test.each([
    ["before it looks at vm_lock_seq", "load", VMA.vmLockSeq],
    ["before it looks at vm_refcnt", "load", VMA.vmRefcnt],
    // The count is 1 again: that it was 0 in between can't be seen.
    ["between its look at vm_refcnt and its reference", "compareExchange", VMA.vmRefcnt],
  ] as const)("and used again, %s: it takes the next one, under mmap_lock", (_, access, field) => {
    before(access, found + field, () => handOver());
    const vma = lockNext();
    expect(vma).toBe(findVma(reader, mm, BASE + 8 * PAGE));
    expect([refcount(found), refcount(vma)]).toEqual([1, 2]);
    expect([count(Event.mmapLockFallback), count(Event.retried)]).toEqual([1, 0]);
    vmaEndRead(reader, vma);
  });

  test("and not used again: it looks again without a lock", () => {
    before("load", found + VMA.vmRefcnt, () => munmap(writer, mm, BASE, 2 * PAGE));
    const vma = lockNext();
    expect(vma).toBe(findVma(reader, mm, BASE + 8 * PAGE));
    expect(refcount(found)).toBe(0);
    expect([count(Event.mmapLockFallback), count(Event.retried)]).toEqual([0, 1]);
    vmaEndRead(reader, vma);
  });

  test("and used again for the same address space, elsewhere: it is not taken for what was here", () => {
    before("compareExchange", found + VMA.vmRefcnt, () => {
      munmap(writer, mm, BASE, 2 * PAGE);
      mmap(writer, mm, BASE + 20 * PAGE, PAGE, PROT_READ, FIXED, 0, 0);
      expect(findVma(writer, mm, BASE + 20 * PAGE)).toBe(found);
    });
    const vma = lockNext();
    expect(vma).toBe(findVma(reader, mm, BASE + 8 * PAGE));
    expect(count(Event.gapVerified) + count(Event.mmapLockFallback)).toBeGreaterThan(0);
    vmaEndRead(reader, vma);
    expect(refcount(found)).toBe(1);
  });
});
