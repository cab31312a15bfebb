/** Thread bodies of page-walk.test.ts. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { MM } from "../../src/kernel/layout.ts";
import { Random } from "../../src/kernel/random.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { clipBelow } from "../../src/mm/vma-snapshot.ts";
import { joinKernel } from "../support/kernel.ts";

const PAGE = 4096;
export const AREA = 0x10000000;
export const AREA_PAGES = 400;

export interface RollupJob {
  buffer: SharedArrayBuffer;
  mm: number;
  milliseconds: number;
  role: "reader" | "writer";
}

export interface RollupResult {
  operations: number;
  /** Changes of the address space while the reader let writers go first; in the locked form there are none but these. */
  gaveWay: number;
  wrong: string[];
}

export function run(job: RollupJob): RollupResult {
  const k = joinKernel(job.buffer);
  const result: RollupResult = { operations: 0, gaveWay: 0, wrong: [] };
  const random = new Random(7);
  const end = performance.now() + job.milliseconds;
  while (performance.now() < end) {
    for (let i = 0; i < 20; i++) {
      if (job.role === "writer") write(k, job.mm, random);
      else read(k, job.mm, result);
      result.operations++;
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

function write(k: Kernel, mm: number, random: Random): void {
  const at = random.below(AREA_PAGES - 16);
  const prot = [PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC][random.below(3)] as number;
  const status = mprotect(k, mm, AREA + at * PAGE, (1 + random.below(16)) * PAGE, prot);
  if (status !== 0) throw new Error(`mprotect: ${status}`);
}

/** As smapsRollup sums up, looking at each mapping. */
function read(k: Kernel, mm: number, result: RollupResult): void {
  const walk = new MapsWalk();
  const { vma } = walk;
  let end = 0;
  let pages = 0;
  let found = walk.start(k, mm, Path.smaps_rollup, 0, 0);
  while (found > 0 && vma.vma !== 0) {
    if (end !== 0 && vma.start < end) clipBelow(vma, end);
    if (end !== 0 && vma.start !== end) result.wrong.push(`a gap from ${end} to ${vma.start}`);
    pages += vma.anonPages;
    end = vma.end;
    const sequence = k.m.load(mm + MM.mmLockSeq);
    found = walk.giveWay(k);
    if (k.m.load(mm + MM.mmLockSeq) !== sequence) result.gaveWay++;
    if (found === 0) found = walk.next(k);
  }
  walk.stop(k);
  if (pages !== AREA_PAGES) result.wrong.push(`${pages} pages`);
}
