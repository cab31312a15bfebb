/** Rules of the mmap family that a child process can't show in a quiet corner: limits, addresses, heap, stack, names. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { EBADF, EFAULT, EINVAL, ENOMEM } from "../../src/kernel/errno.ts";
import { MM, VMA } from "../../src/kernel/layout.ts";
import { configPath } from "../../src/kernel/path.ts";
import type { Program } from "../../src/kernel/config.ts";
import { Random } from "../../src/kernel/random.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAX_MAP_COUNT,
  PROT_READ,
  PROT_WRITE,
  TASK_SIZE,
} from "../../src/mm/flags.ts";
import { loadImage } from "../../src/mm/image.ts";
import { mmapWriteLock, mmapWriteUnlock } from "../../src/mm/lock.ts";
import { allVmas, mmAlloc } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../src/mm/mprotect.ts";
import { brk, expandStack, mremap } from "../../src/mm/mremap.ts";
import { setResident, swapOut, touch } from "../../src/mm/resident.ts";
import { findVma } from "../../src/mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../src/mm/vma.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { testKernel } from "../support/kernel.ts";
import { parseSmaps, mapsText } from "./shown.ts";

const PAGE = 4096;
const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const BASE = 0x30000000;
const MIB = 2 ** 20;

let k: Kernel;
let mm: number;

beforeEach(() => {
  k = testKernel();
  mm = mmAlloc(k);
  k.m.store64(mm + MM.mmapBase, 0x7f1234567000);
});

function ranges(): [number, number][] {
  return allVmas(k, mm).map((vma) => [vmaStart(k.m, vma), vmaEnd(k.m, vma)]);
}

function names(): string[] {
  return parseSmaps(mapsText(k, mm)).map(({ path }) => path);
}

describe("addresses", () => {
  test("go down from mmap_base; huge sizes are aligned, as on the real kernel", () => {
    const sizes = [0x200000, 0x200000, 0x400000, 0x201000, 0x200000, 0x1000, 0x600000];
    const got = sizes.map((size, i) => mmap(k, mm, 0, size, i % 2 === 0 ? RW : PROT_READ, ANON, 0, 0));
    expect(got.map((address) => address.toString(16))).toEqual([
      "7f1234200000",
      "7f1234000000",
      "7f1233c00000",
      "7f12339ff000",
      "7f1233600000",
      "7f1234566000",
      "7f1233000000",
    ]);
  });

  test("a hint is taken if the place is free, rounded down to a page, and up to the lowest there is", () => {
    expect(mmap(k, mm, BASE + 5, PAGE, RW, ANON, 0, 0)).toBe(BASE);
    expect(mmap(k, mm, BASE, PAGE, PROT_READ, ANON, 0, 0)).toBe(0x7f1234566000);
    expect(mmap(k, mm, 0x1000, PAGE, PROT_READ, ANON, 0, 0)).toBe(0x10000);
    expect(mmap(k, mm, 0xfff, PAGE, PROT_READ, ANON, 0, 0)).toBe(0x7f1234565000);
  });

  test("below mmap_base is full: above it", () => {
    mmap(k, mm, 0x10000, 0x7f1234567000 - 0x10000, RW, ANON | MAP_FIXED, 0, 0);
    expect(mmap(k, mm, 0, PAGE, PROT_READ, ANON, 0, 0)).toBe(TASK_SIZE - PAGE);
    mmap(k, mm, 0x7f1234567000, TASK_SIZE - 0x7f1234567000, PROT_READ, ANON | MAP_FIXED, 0, 0);
    expect(mmap(k, mm, 0, PAGE, RW, ANON, 0, 0)).toBe(-ENOMEM);
  });

  test("a gap is kept below a mapping that grows down", () => {
    const top = mmap(k, mm, 0, 4 * PAGE, RW, ANON | MAP_GROWSDOWN, 0, 0);
    expect(mmap(k, mm, 0, PAGE, RW, ANON, 0, 0)).toBe(top - MIB - PAGE);
    expect(mmap(k, mm, top - PAGE, PAGE, RW, ANON, 0, 0)).not.toBe(top - PAGE);
  });
});

describe("limits", () => {
  test("65,530 mappings", () => {
    for (let i = 0; i < MAX_MAP_COUNT; i++) {
      const got = mmap(k, mm, BASE + i * 4 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, 0, 0);
      if (got < 0) throw new Error(`mapping ${i}: ${got}`);
      if (i % 64 === 0) k.slab.reclaim();
      k.quiescent();
    }
    expect(k.m.load(mm + MM.mapCount)).toBe(MAX_MAP_COUNT);
    expect(munmap(k, mm, BASE + PAGE, PAGE)).toBe(-ENOMEM);
    expect(mprotect(k, mm, BASE + PAGE, PAGE, PROT_READ)).toBe(-ENOMEM);
    // One more may be mapped, as in the kernel; what doesn't need a further mapping still goes.
    expect(mmap(k, mm, 0, PAGE, RW, ANON, 0, 0)).toBeGreaterThan(0);
    expect(mmap(k, mm, 0, PAGE, PROT_READ, ANON, 0, 0)).toBe(-ENOMEM);
    expect(munmap(k, mm, BASE, PAGE)).toBe(0);
    expect(munmap(k, mm, BASE + PAGE, 8 * PAGE)).toBe(0);
    expect(munmap(k, mm, BASE + 13 * PAGE, PAGE)).toBe(0);
    expect(ranges().slice(0, 3)).toEqual([
      [BASE + 9 * PAGE, BASE + 11 * PAGE],
      [BASE + 12 * PAGE, BASE + 13 * PAGE],
      [BASE + 14 * PAGE, BASE + 15 * PAGE],
    ]);
  });

  test("the address space", () => {
    expect(mmap(k, mm, 0, TASK_SIZE + PAGE, RW, ANON, 0, 0)).toBe(-ENOMEM);
    expect(mmap(k, mm, TASK_SIZE, PAGE, RW, ANON | MAP_FIXED, 0, 0)).toBe(-ENOMEM);
    expect(mmap(k, mm, BASE, PAGE, RW, MAP_PRIVATE, configPath(k, 0), 7)).toBe(-EINVAL);
    expect(munmap(k, mm, TASK_SIZE, PAGE)).toBe(-EINVAL);
  });
});

describe("a lock that is taken", () => {
  test("a thread that must not sleep changes nothing and is told", () => {
    mmap(k, mm, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, 0, 0);
    mmapWriteLock(k, mm);
    k.t.lockdep.release(LockClass.mmap);
    k.t.maySleep = false;
    const answers = [
      mmap(k, mm, 0, PAGE, RW, ANON, 0, 0),
      munmap(k, mm, BASE, PAGE),
      mprotect(k, mm, BASE, PAGE, PROT_READ),
      mremap(k, mm, BASE, PAGE, 2 * PAGE, 1),
      brk(k, mm, 0),
      expandStack(k, mm, BASE - PAGE),
      madviseName(k, mm, BASE, PAGE, new Uint8Array([65])),
      mlock(k, mm, BASE, PAGE, true),
      touch(k, mm, BASE, 1),
      swapOut(k, mm, BASE, 1),
      setResident(k, mm, { rss: 3 }),
    ];
    expect(answers).toEqual(answers.map(() => WAIT_WOULD_BLOCK));
    k.t.lockdep.acquire(LockClass.mmap);
    mmapWriteUnlock(k, mm);
    expect(ranges()).toEqual([[BASE, BASE + 4 * PAGE]]);
  });
});

describe("heap and stack", () => {
  let heap: number;

  beforeEach(() => {
    mm = mmAlloc(k);
    loadImage(k, mm, k.config.programs[0] as Program, new Uint8Array(1), new Uint8Array(1), new Random(1));
    heap = k.m.load64(mm + MM.brk);
  });

  test("brk moves the end of the heap by bytes, the mapping by pages", () => {
    expect(brk(k, mm, 0)).toBe(heap);
    expect(brk(k, mm, heap + 10)).toBe(heap + 10);
    expect(vmaEnd(k.m, findVma(k, mm, heap))).toBe(heap + PAGE);
    expect(brk(k, mm, heap + 20)).toBe(heap + 20);
    expect(brk(k, mm, heap - 3 * PAGE)).toBe(heap - 3 * PAGE);
    expect(names().filter((name) => name === "[heap]")).toHaveLength(1);
    expect(brk(k, mm, k.m.load64(mm + MM.startBrk))).toBe(k.m.load64(mm + MM.startBrk));
    expect(names()).not.toContain("[heap]");
  });

  test("brk stops where something is mapped, a page before it", () => {
    mmap(k, mm, heap + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, 0, 0);
    expect(brk(k, mm, heap + 8 * PAGE)).toBe(heap);
    expect(brk(k, mm, heap + 7 * PAGE)).toBe(heap + 7 * PAGE);
  });

  test("a stack grows within its limit, not into a neighbour", () => {
    const stack = allVmas(k, mm).at(-1) as number;
    const [start, end] = [vmaStart(k.m, stack), vmaEnd(k.m, stack)];
    expect(expandStack(k, mm, start - 10)).toBe(0);
    expect(vmaStart(k.m, stack)).toBe(start - PAGE);
    expect(expandStack(k, mm, end - 8 * MIB)).toBe(0);
    expect(expandStack(k, mm, end - 8 * MIB - PAGE)).toBe(-ENOMEM);
    expect(k.m.load(mm + MM.stackVm)).toBe((8 * MIB) / PAGE);
    mmap(k, mm, end - 10 * MIB, PAGE, RW, ANON | MAP_FIXED, 0, 0);
    expect(expandStack(k, mm, end - 9 * MIB, 100 * MIB)).toBe(-ENOMEM);
    expect(expandStack(k, mm, heap - 500 * MIB)).toBe(-EFAULT);
    expect(names().at(-1)).toBe("[stack]");
  });
});

describe("names", () => {
  const name = (text: string): Uint8Array => new TextEncoder().encode(text);

  test("split, merge by content, and go away", () => {
    mmap(k, mm, BASE, 6 * PAGE, RW, ANON | MAP_FIXED, 0, 0);
    expect(madviseName(k, mm, BASE, 2 * PAGE, name("pool"))).toBe(0);
    expect(madviseName(k, mm, BASE + 2 * PAGE, PAGE, name("pool"))).toBe(0);
    expect(names()).toEqual(["[anon:pool]", ""]);
    expect(ranges()).toEqual([
      [BASE, BASE + 3 * PAGE],
      [BASE + 3 * PAGE, BASE + 6 * PAGE],
    ]);
    expect(madviseName(k, mm, BASE + PAGE, PAGE, name("pool"))).toBe(0);
    expect(ranges()).toHaveLength(2);
    expect(madviseName(k, mm, BASE, 3 * PAGE, null)).toBe(0);
    expect(ranges()).toEqual([[BASE, BASE + 6 * PAGE]]);
  });

  test("holes, files and bad names", () => {
    mmap(k, mm, BASE, PAGE, RW, ANON | MAP_FIXED, 0, 0);
    mmap(k, mm, BASE + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, 0, 0);
    expect(madviseName(k, mm, BASE, 3 * PAGE, name("x"))).toBe(-ENOMEM);
    expect(names()).toEqual(["[anon:x]", "[anon:x]"]);
    mmap(k, mm, BASE + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, configPath(k, 0), 0);
    expect(madviseName(k, mm, BASE + 3 * PAGE, PAGE, name("x"))).toBe(-EBADF);
    mmap(k, mm, BASE + 4 * PAGE, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, 0, 0);
    expect(madviseName(k, mm, BASE + 4 * PAGE, PAGE, name("x"))).toBe(0);
    expect(names().at(-1)).toBe("[anon_shmem:x]");
    expect(madviseName(k, mm, BASE, PAGE, name("a[b"))).toBe(-EINVAL);
    expect(madviseName(k, mm, BASE, PAGE, name("x".repeat(80)))).toBe(-EINVAL);
    expect(madviseName(k, mm, BASE, PAGE, name("x".repeat(79)))).toBe(0);
    expect(madviseName(k, mm, BASE + 1, PAGE, name("x"))).toBe(-EINVAL);
  });
});

test("resident pages: written, swapped, brought back, set as a whole", () => {
  mmap(k, mm, BASE, 100 * PAGE, RW, ANON | MAP_FIXED, 0, 0);
  const vma = findVma(k, mm, BASE);
  const pages = (): number[] => [k.m.load(vma + VMA.nrAnon), k.m.load(vma + VMA.nrSwap)];
  expect(touch(k, mm, BASE, 30)).toBe(30);
  expect(swapOut(k, mm, BASE, 12)).toBe(12);
  expect(pages()).toEqual([18, 12]);
  expect(touch(k, mm, BASE, 20)).toBe(20);
  expect(pages()).toEqual([38, 0]);
  expect(touch(k, mm, BASE, 200)).toBe(62);
  expect(touch(k, mm, BASE - PAGE, 1)).toBe(-EFAULT);
  expect(setResident(k, mm, { rss: 40, swap: 7 })).toBe(40);
  expect(pages()).toEqual([40, 7]);
  expect(setResident(k, mm, { rss: 50, swap: 7 })).toBe(50);
  expect(pages()).toEqual([50, 7]);
  expect(mmap(k, mm, 0, 8 * PAGE, RW, ANON | MAP_POPULATE, 0, 0)).toBeGreaterThan(0);
  expect(k.m.load(mm + MM.rssAnon)).toBe(58);
});
