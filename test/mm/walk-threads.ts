/**
 * Thread bodies of maps-walk.test.ts.
 *
 * The oracle: an area of the address space is mapped all the time, by a file at offset `address - AREA`, while writers
 * split, merge and replace its mappings. A reader must find it without a gap, in ascending order, each line with the
 * offset that belongs to its start, and nothing of the other address space that reuses the same VMAs.
 */
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { Random } from "../../src/kernel/random.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import {
  VMA_BUSY,
  VMA_DETACHED,
  mmapLockSpeculateRetry,
  mmapLockSpeculateTryBegin,
  mmapReadLockKillable,
  mmapReadUnlock,
  vmaEndRead,
  vmaStartRead,
  vmaStartReadLocked,
} from "../../src/mm/lock.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { dupMm, mmput } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { touch } from "../../src/mm/resident.ts";
import { vmaIterInit, vmaNext } from "../../src/mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../src/mm/vma.ts";
import { rcuReadLock, rcuReadUnlock } from "../../src/sync/rcu.ts";
import { joinKernel } from "../support/kernel.ts";

const PAGE = 4096;
/** What is mapped all the time, and what comes and goes, in both address spaces. */
export const AREA = 0x10000000;
export const AREA_PAGES = 200;
const CHURN = 0x20000000;
const CHURN_PAGES = 100;

export interface WalkJob {
  buffer: SharedArrayBuffer;
  mm: number;
  otherMm: number;
  file: number;
  otherFile: number;
  path: PathId;
  milliseconds: number;
  seed: number;
  /** "reader": as shipped. "slow": waits between lookup and lock. "careless": likewise, and believes every gap. */
  role: "writer" | "reader" | "slow" | "careless";
}

export interface WalkResult {
  operations: number;
  walks: number;
  lines: number;
  gaps: number;
  other: string[];
}

export function run(job: WalkJob): WalkResult {
  const k = joinKernel(job.buffer);
  const result: WalkResult = { operations: 0, walks: 0, lines: 0, gaps: 0, other: [] };
  const random = new Random(job.seed);
  const walk = job.role === "reader" ? new MapsWalk() : new SlowWalk(job.role === "slow");
  const end = performance.now() + job.milliseconds;
  while (performance.now() < end) {
    for (let i = 0; i < 20; i++) {
      if (job.role === "writer") write(k, job, random, result);
      else read(k, job, walk, result);
      k.quiescent();
      k.slab.reclaim();
    }
  }
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
  k.slab.flush();
  k.idle();
  return result;
}

/** The area as it is at first. */
export function mapArea(k: Kernel, mm: number, file: number): void {
  if (mmap(k, mm, AREA, AREA_PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) < 0) throw new Error("mmap");
}

function write(k: Kernel, job: WalkJob, random: Random, result: WalkResult): void {
  const { mm, otherMm } = job;
  const at = random.below(AREA_PAGES - 12);
  const pages = 1 + random.below(12);
  const prot = [PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC][random.below(3)] as number;
  const flags = MAP_PRIVATE | MAP_FIXED;
  const churn = CHURN + random.below(CHURN_PAGES) * PAGE;
  result.operations++;
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return must(mmap(k, mm, AREA + at * PAGE, pages * PAGE, prot, flags, job.file, at * PAGE));
    case 3:
      must(mmap(k, mm, churn, 3 * PAGE, prot, flags, job.file, churn - AREA));
      return must(munmap(k, mm, churn, PAGE));
    case 4:
      must(munmap(k, mm, CHURN, CHURN_PAGES * PAGE));
      must(mmap(k, otherMm, churn, 3 * PAGE, prot, flags, job.otherFile, 0));
      return must(munmap(k, otherMm, churn, 2 * PAGE));
    case 5:
      return must(touch(k, mm, AREA + at * PAGE, 1));
    case 6:
      if (random.below(20) === 0) mmput(k, dupMm(k, mm));
      return;
    default:
      return must(mprotect(k, mm, AREA + at * PAGE, pages * PAGE, prot));
  }
}

function must(result: number): void {
  if (result < 0) throw new Error(`a writer's operation failed: ${result}`);
}

/** One walk over the whole address space, judged. */
function read(k: Kernel, job: WalkJob, walk: MapsWalk, result: WalkResult): void {
  let at = AREA;
  let lastEnd = 0;
  let found = walk.start(k, job.mm, job.path, 0, 0);
  for (let lines = 0; found > 0; found = walk.next(k)) {
    const { vma } = walk;
    if (vma.path === 0) break;
    if (vma.start < CHURN) {
      if (vma.start > at) result.gaps++;
      at = vma.end;
    }
    if (vma.end <= lastEnd) result.other.push(`ends descend: ${lastEnd} ${vma.end}`);
    if (vma.offset !== vma.start - AREA) result.other.push(`offset ${vma.offset} at ${vma.start}`);
    if (vma.path !== job.file) result.other.push(`file ${vma.path} at ${vma.start}`);
    if (++lines > 100_000) throw new Error("the walk does not end");
    lastEnd = vma.end;
    result.lines++;
  }
  walk.stop(k);
  if (found < 0) result.other.push(`ended with ${found}`);
  if (at !== AREA + AREA_PAGES * PAGE) result.gaps++;
  result.walks++;
}

/** lock_next_vma again, with time for a writer between lookup and lock; and, if told so, without the check of gaps. */
class SlowWalk extends MapsWalk {
  private readonly verify: boolean;

  constructor(verify: boolean) {
    super();
    this.verify = verify;
  }

  protected override lockNext(k: Kernel, address: number): number {
    if (this.iter.index !== address) vmaIterInit(this.iter, address);
    for (;;) {
      const snapshot = mmapLockSpeculateTryBegin(k, this.mm);
      const found = vmaNext(k, this.mm, this.iter);
      if (found === 0) return 0;
      for (let i = 0; i < 100; i++) k.m.load(this.mm);
      const vma = vmaStartRead(k, this.mm, found);
      if (vma === VMA_DETACHED) {
        vmaIterInit(this.iter, address);
        continue;
      }
      if (vma === VMA_BUSY) break;
      if (this.isStillNext(k, vma, address, snapshot)) return vma;
      vmaEndRead(k, vma);
      break;
    }
    return this.lockUnderMmapLock(k, address);
  }

  private isStillNext(k: Kernel, vma: number, address: number, snapshot: number): boolean {
    if (address >= vmaEnd(k.m, vma)) return false;
    if (!this.verify || address >= vmaStart(k.m, vma)) return true;
    if (snapshot >= 0 && !mmapLockSpeculateRetry(k, this.mm, snapshot)) return true;
    vmaIterInit(this.iter, address);
    return vmaNext(k, this.mm, this.iter) === vma;
  }

  private lockUnderMmapLock(k: Kernel, address: number): number {
    rcuReadUnlock(k.t);
    const waited = mmapReadLockKillable(k, this.mm);
    if (waited !== 0) throw new Error(`mmap_lock: ${waited}`);
    vmaIterInit(this.iter, address);
    const vma = vmaNext(k, this.mm, this.iter);
    if (vma !== 0) vmaStartReadLocked(k, vma);
    mmapReadUnlock(k, this.mm);
    rcuReadLock(k.t);
    return vma;
  }
}
