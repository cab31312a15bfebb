/** Totals of an address space, and of the host, are the sums over the VMAs, whatever happens to them. */
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import type { Program } from "../../src/kernel/config.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { HOST, MM, PATH, VMA } from "../../src/kernel/layout.ts";
import { configPath } from "../../src/kernel/path.ts";
import { Random } from "../../src/kernel/random.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../src/mm/flags.ts";
import { loadImage } from "../../src/mm/image.ts";
import { allVmas, dupMm, mmAlloc, mmput } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../src/mm/mprotect.ts";
import { brk, expandStack, mremap } from "../../src/mm/mremap.ts";
import { dropPages, setResident, swapOut, touch, touchFile } from "../../src/mm/resident.ts";
import { SmapsNumbers, smapsAdd, smapsClear } from "../../src/mm/smaps.ts";
import { MmStat, mmStat } from "../../src/mm/stat.ts";
import { VmaSnapshot, readVma } from "../../src/mm/vma-snapshot.ts";
import { Tally, tallyVma, vmaEnd, vmaPages, vmaStart } from "../../src/mm/vma.ts";
import { testKernel } from "../support/kernel.ts";

const PAGE = 4096;
const NONE = new Uint8Array(0);

function load(k: Kernel, random: Random): number {
  const mm = mmAlloc(k);
  loadImage(k, mm, k.config.programs[0] as Program, new TextEncoder().encode("a\0"), NONE, random);
  return mm;
}

/** Checks one address space; @returns what it holds. */
function check(k: Kernel, mm: number): Tally {
  const { m } = k;
  const vmas = allVmas(k, mm);
  const sum = new Tally();
  const numbers = new SmapsNumbers();
  const snapshot = new VmaSnapshot();
  smapsClear(numbers);
  const wrong: string[] = [];
  let end = 0;
  for (const vma of vmas) {
    tallyVma(m, sum, vma, 1);
    readVma(k, mm, vma, snapshot);
    smapsAdd(snapshot, numbers);
    const pages = [m.load(vma + VMA.nrAnon), m.load(vma + VMA.nrFile), m.load(vma + VMA.nrSwap)];
    if (Math.min(...pages) < 0) wrong.push(`${vma}: negative`);
    if (pages.reduce((a, b) => a + b) > vmaPages(m, vma)) wrong.push(`${vma}: more pages than it has`);
    if (m.load(vma + VMA.nrDirty) > m.load(vma + VMA.nrFile)) wrong.push(`${vma}: dirty pages`);
    if (m.load(vma + VMA.vmRefcnt) !== 1) wrong.push(`${vma}: reference count`);
    if (m.load(vma + VMA.vmMm) !== mm) wrong.push(`${vma}: of another mm`);
    if (vmaStart(m, vma) < end) wrong.push(`${vma}: overlaps`);
    end = vmaEnd(m, vma);
  }
  expect(wrong).toEqual([]);
  const stat = new MmStat();
  mmStat(k, mm, stat);
  expect(stat).toMatchObject({
    mapCount: vmas.length,
    totalVm: sum.total,
    dataVm: sum.data,
    execVm: sum.exec,
    stackVm: sum.stack,
    lockedVm: sum.locked,
    rssAnon: sum.anon,
    rssFile: sum.file,
    rssShmem: sum.shmem,
    swapEnts: sum.swap,
  });
  const resident = stat.rssAnon + stat.rssFile + stat.rssShmem;
  expect(numbers.rss).toBe(4 * resident);
  expect(numbers.sharedClean + numbers.sharedDirty + numbers.privateClean + numbers.privateDirty).toBe(numbers.rss);
  expect(stat.hiwaterRss).toBeGreaterThanOrEqual(resident);
  expect(m.load(mm + MM.mmLockSeq) % 2).toBe(0);
  return sum;
}

function operate(k: Kernel, mm: number, random: Random): void {
  const vmas = allVmas(k, mm);
  const vma = vmas[random.below(vmas.length)] as number;
  const start = vmaStart(k.m, vma);
  const length = vmaEnd(k.m, vma) - start;
  const inside = start + random.below(length / PAGE) * PAGE;
  const some = (1 + random.below(8)) * PAGE;
  const prot = [PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC][random.below(3)] as number;
  switch (random.below(14)) {
    case 0:
      return void mmap(k, mm, 0, some * 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0, 0);
    case 1:
      return void mmap(k, mm, 0, some, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0, 0);
    case 2:
      return void mmap(k, mm, 0, some, prot, random.below(2) === 0 ? MAP_PRIVATE : MAP_SHARED, configPath(k, 1), 0);
    case 3:
      return void munmap(k, mm, inside, random.below(6) === 0 ? 40 * PAGE : PAGE);
    case 4:
      return void mprotect(k, mm, inside, some, prot);
    case 5:
      return void mremap(k, mm, inside, some, (1 + random.below(12)) * PAGE, MREMAP_MAYMOVE);
    case 6:
      return void brk(k, mm, k.m.load64(mm + MM.brk) + (random.below(20) - 9) * 1000);
    case 7:
      return void expandStack(k, mm, vmaStart(k.m, vmas[vmas.length - 1] as number) - 100);
    case 8:
      return void mlock(k, mm, inside, some, random.below(3) === 0);
    case 9:
      return void swapOut(k, mm, inside, random.below(5));
    case 10:
      return void dropPages(k, mm, inside, some);
    case 11:
      return void madviseName(k, mm, inside, some, random.below(2) === 0 ? null : new TextEncoder().encode("pool"));
    case 12:
      return void setResident(k, mm, { rss: random.below(400), swap: random.below(40) });
    default:
      return void (random.below(3) === 0 ? touchFile : touch)(k, mm, inside, random.below(6));
  }
}

function settle(k: Kernel): void {
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
}

describe.each([1, 2, 3, 4])("seed %i", (seed) => {
  test("sums hold after every operation, and nothing is left at the end", () => {
    const k = testKernel();
    const { m } = k;
    const random = new Random(seed);
    const before = m.load(HOST.filePages);
    const mms = [load(k, random)];
    for (let round = 0; round < 800; round++) {
      const at = random.below(mms.length);
      operate(k, mms[at] as number, random);
      if (random.below(100) === 0 && mms.length < 6) mms.push(dupMm(k, mms[at] as number));
      if (random.below(150) === 0 && mms.length > 1) mmput(k, mms.splice(at, 1)[0] as number);
      k.quiescent();
      k.slab.reclaim();
      if (round % 4 !== 0) continue;
      const sums = mms.map((mm) => check(k, mm));
      expect(m.load(HOST.anonPages)).toBe(sums.reduce((sum, tally) => sum + tally.anon, 0));
      expect(m.load(HOST.swapPages)).toBe(sums.reduce((sum, tally) => sum + tally.swap, 0));
    }
    for (const mm of mms) mmput(k, mm);
    settle(k);
    for (const field of [HOST.anonPages, HOST.swapPages, HOST.shmemPages]) expect(m.load(field)).toBe(0);
    for (const cache of [Cache.mm, Cache.vma, Cache.vmaNode]) expect(k.slab.live(cache)).toBe(0);
    expect(k.slab.live(Cache.path)).toBe(m.load(HOST.pathCount) + ROOTS);
    for (let i = 0; i < m.load(HOST.pathCount); i++) expect(m.load(configPath(k, i) + PATH.mappers)).toBe(0);
    expect(m.load(HOST.filePages)).toBeGreaterThan(before);
  });
});

/** PATHs that a booted kernel has without any process: the root directory. */
const ROOTS = 1;

test("the host counts a file's cached pages once, and forgets them with the file", () => {
  const k = testKernel();
  const random = new Random(1);
  const first = load(k, random);
  const cached = k.m.load(HOST.filePages);
  const second = load(k, random);
  expect(cached).toBeGreaterThan(0);
  expect(k.m.load(HOST.filePages)).toBe(cached);
  const shared = mmap(k, first, 0, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0, 0);
  expect(touch(k, first, shared, 7)).toBe(7);
  expect(k.m.load(HOST.shmemPages)).toBe(7);
  expect(k.m.load(first + MM.rssShmem)).toBe(7);
  munmap(k, first, shared, 10 * PAGE);
  expect(k.m.load(HOST.shmemPages)).toBe(0);
  mmput(k, first);
  mmput(k, second);
});

test("shares: Pss falls as further processes map the file", () => {
  const k = testKernel();
  const random = new Random(1);
  const mms = [load(k, random)];
  const pss = (): number => {
    const numbers = new SmapsNumbers();
    const snapshot = new VmaSnapshot();
    smapsClear(numbers);
    for (const vma of allVmas(k, mms[0] as number)) {
      readVma(k, mms[0] as number, vma, snapshot);
      if (snapshot.path !== 0) smapsAdd(snapshot, numbers);
    }
    return numbers.pssFile / 4096 / 4096;
  };
  const alone = pss();
  mms.push(load(k, random), load(k, random), load(k, random));
  expect(alone).toBeGreaterThan(10);
  expect(pss()).toBeCloseTo(alone / 4, 1);
  for (const mm of mms) mmput(k, mm);
});
