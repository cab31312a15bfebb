/**
 * All that the model keeps of an address space, for scenarios that ask for mappings and compare the whole outcome with what
 * they asked for: each field of each mapping, the totals that follow from them, and what everything together has taken.
 */
import { Cache, FIRST_BYTES_CACHE, FIRST_FDTABLE_CACHE } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  VM2_SHADOW_STACK,
  VM2_SHMEM,
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYALL,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../../../mm/flags.ts";
import { mmap } from "../../../mm/mmap.ts";
import { VmaIter, findVma, vmaIterInit, vmaNext } from "../../../mm/vma-tree.ts";
import { bytesText } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { RWSEM_WORDS } from "../../../sync/rwsem.ts";
import { RW, at } from "./maps-space.ts";

/** Flags of private anonymous memory that was mapped to be read, and of such that may be written to. */
export const ANON_R = VM_READ | VM_MAYALL;
export const ANON_RW = VM_READ | VM_WRITE | VM_MAYALL | VM_ACCOUNT;

/** Whose anonymous pages a mapping has: none yet, its own, some of those that its parent had. */
export const [UNTOUCHED, OWN, INHERITED] = [0, 1, -1];

/** Resident pages: anonymous ones, such of the file, swapped ones; dirty ones of the file's. */
export type Pages = readonly [anon: number, file: number, swap: number, dirty: number];

/** A mapping as the model keeps it; places and offsets in bytes. */
export interface Region {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly flags2: number;
  readonly pgoff: number;
  readonly file: Ptr;
  readonly name: string;
  readonly family: number;
  readonly pages: Pages;
}

/** Anonymous memory at the pages [from, to), mapped there, never touched. @param but what is otherwise */
export function region(from: number, to: number, but: Partial<Region> = {}): Region {
  const [start, end] = [at(from), at(to)];
  const none: Pages = [0, 0, 0, 0];
  const plain = { flags: ANON_RW, flags2: 0, pgoff: start, file: NULL, name: "", family: UNTOUCHED, pages: none };
  return { start, end, ...plain, ...but };
}

/** Maps the pages [from, to). @returns where */
export function place(
  k: Kernel,
  mm: Ptr,
  from: number,
  to: number,
  prot = RW,
  flags = 0,
  file = NULL,
  page = 0,
): number {
  const kind = file === NULL ? MAP_ANONYMOUS : 0;
  const type = (flags & 3) === 0 ? MAP_PRIVATE : 0;
  const result = mmap(
    k,
    mm,
    at(from),
    at(to) - at(from),
    prot,
    flags | kind | type | MAP_FIXED,
    file,
    page * PAGE_SIZE,
  );
  if (result !== at(from)) throw new Error(`mmap: ${result}`);
  return result;
}

/** The VMA at a page. */
export function vmaAt(k: Kernel, mm: Ptr, page: number): Ptr {
  const vma = findVma(k, mm, at(page));
  if (vma === NULL || k.m.load64(vma + VMA.vmStart) > at(page)) throw new Error(`nothing is mapped at page ${page}`);
  return vma;
}

/** All mappings. @pre nobody changes them */
export function regionsOf(k: Kernel, mm: Ptr): Region[] {
  const iter = new VmaIter();
  const regions: Region[] = [];
  vmaIterInit(iter, 0);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) regions.push(regionOf(k, vma));
  return regions;
}

function regionOf({ m }: Kernel, vma: Ptr): Region {
  return {
    start: m.load64(vma + VMA.vmStart),
    end: m.load64(vma + VMA.vmEnd),
    flags: m.load(vma + VMA.vmFlags),
    flags2: m.load(vma + VMA.vmFlags2),
    pgoff: m.load64(vma + VMA.vmPgoff),
    file: m.load(vma + VMA.vmFile),
    name: bytesText(m, m.load(vma + VMA.anonName)),
    family: Math.sign(m.load(vma + VMA.anonVma)),
    pages: [m.load(vma + VMA.nrAnon), m.load(vma + VMA.nrFile), m.load(vma + VMA.nrSwap), m.load(vma + VMA.nrDirty)],
  };
}

/** The largest that an address space has been, in pages. */
interface Peaks {
  readonly mapped: number;
  readonly resident: number;
}

/**
 * What is wrong with an address space that nobody is at: its mappings are others than these, a field of theirs or a total
 * does not fit, something is locked.
 * @param peaks what it was at its largest; null: not to be looked at
 */
export function judgeRegions(k: Kernel, mm: Ptr, regions: readonly Region[], peaks: Peaks | null): string | null {
  const found = regionsOf(k, mm);
  for (let i = 0; i < Math.max(found.length, regions.length); i++) {
    const [is, wanted] = [JSON.stringify(found[i]), JSON.stringify(regions[i])];
    if (is !== wanted) return `mapping ${i} is ${is}, not ${wanted}`;
  }
  return judgeUnlocked(k, mm) ?? judgeCounts(k, mm, regions) ?? (peaks === null ? null : judgePeaks(k, mm, peaks));
}

function judgeUnlocked({ m }: Kernel, mm: Ptr): string | null {
  // The third word is a generation.
  for (let i = 0; i < RWSEM_WORDS; i++) if (i !== 2 && m.load(mm + MM.mmapLock + i) !== 0) return "mmap_lock is held";
  return (m.load(mm + MM.mmLockSeq) & 1) === 0 ? null : "mm_lock_seq is odd";
}

function judgePeaks({ m }: Kernel, mm: Ptr, peaks: Peaks): string | null {
  const [mapped, resident] = [m.load64(mm + MM.hiwaterVm), m.load(mm + MM.hiwaterRss)];
  if (mapped !== peaks.mapped) return `the peak of mapped pages is ${mapped}, not ${peaks.mapped}`;
  return resident === peaks.resident ? null : `the peak of resident pages is ${resident}, not ${peaks.resident}`;
}

function judgeCounts(k: Kernel, mm: Ptr, regions: readonly Region[]): string | null {
  const wanted = totalsOf(regions);
  const found = totals(k, mm);
  for (const name of Object.keys(wanted) as (keyof Totals)[]) {
    if (found[name] !== wanted[name]) return `${name} is ${found[name]}, not ${wanted[name]}`;
  }
  return judgeVmas(k, mm);
}

function judgeVmas(k: Kernel, mm: Ptr): string | null {
  const { m } = k;
  const iter = new VmaIter();
  vmaIterInit(iter, 0);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) {
    if (m.load64(vma + VMA.vmStart) !== iter.start || m.load64(vma + VMA.vmEnd) !== iter.end) {
      return `the mapping at ${iter.start.toString(16)} stands elsewhere in the tree`;
    }
    if (m.load(vma + VMA.vmMm) !== mm) return `the mapping at ${iter.start.toString(16)} is another address space's`;
    if (m.load(vma + VMA.vmRefcnt) !== 1) return `the mapping at ${iter.start.toString(16)} is locked, or detached`;
  }
  return null;
}

/** Pages, but for the number of mappings. */
interface Totals {
  readonly mappings: number;
  readonly total: number;
  readonly data: number;
  readonly exec: number;
  readonly stack: number;
  readonly locked: number;
  readonly anon: number;
  readonly file: number;
  readonly shmem: number;
  readonly swap: number;
}

function totals({ m }: Kernel, mm: Ptr): Totals {
  return {
    mappings: m.load(mm + MM.mapCount),
    total: m.load64(mm + MM.totalVm),
    data: m.load64(mm + MM.dataVm),
    exec: m.load(mm + MM.execVm),
    stack: m.load(mm + MM.stackVm),
    locked: m.load(mm + MM.lockedVm),
    anon: m.load(mm + MM.rssAnon),
    file: m.load(mm + MM.rssFile),
    shmem: m.load(mm + MM.rssShmem),
    swap: m.load(mm + MM.swapEnts),
  };
}

/** What the kernel counts for such mappings (is_exec_mapping, is_stack_mapping, is_data_mapping). */
function totalsOf(regions: readonly Region[]): Totals {
  const sum = { mappings: 0, total: 0, data: 0, exec: 0, stack: 0, locked: 0, anon: 0, file: 0, shmem: 0, swap: 0 };
  for (const { start, end, flags, flags2, pages } of regions) {
    const size = (end - start) / PAGE_SIZE;
    sum.mappings++;
    sum.total += size;
    if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC) sum.exec += size;
    else if ((flags & VM_GROWSDOWN) !== 0 || (flags2 & VM2_SHADOW_STACK) !== 0) sum.stack += size;
    else if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE) sum.data += size;
    if ((flags & VM_LOCKED) !== 0) sum.locked += size;
    sum.anon += pages[0];
    if ((flags2 & VM2_SHMEM) !== 0) sum.shmem += pages[1];
    else sum.file += pages[1];
    sum.swap += pages[2];
  }
  return sum;
}

/** What everything together has taken: objects of each kind, and pages of the host. */
export interface Ledger {
  readonly mms: number;
  readonly vmas: number;
  readonly nodes: number;
  readonly files: number;
  readonly texts: number;
  readonly anon: number;
  readonly file: number;
  readonly shmem: number;
  readonly swap: number;
}

/** Counts what is taken now; what nobody can look at any more is given back before. @pre the caller is alone */
export function takeLedger(k: Kernel): Ledger {
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
  const { m, slab } = k;
  let texts = 0;
  for (let cache = FIRST_BYTES_CACHE; cache < FIRST_FDTABLE_CACHE; cache++) texts += slab.live(cache);
  return {
    mms: slab.live(Cache.mm),
    vmas: slab.live(Cache.vma),
    nodes: slab.live(Cache.vmaNode),
    files: slab.live(Cache.path),
    texts,
    anon: m.load(HOST.anonPages),
    file: m.load(HOST.filePages),
    shmem: m.load(HOST.shmemPages),
    swap: m.load(HOST.swapPages),
  };
}

/** Compares with an earlier count. @param more what was taken since and is to be there */
export function judgeLedger(k: Kernel, before: Ledger, more: Partial<Ledger> = {}): string | null {
  const now = takeLedger(k);
  for (const name of Object.keys(before) as (keyof Ledger)[]) {
    const wanted = before[name] + (more[name] ?? 0);
    if (now[name] !== wanted) return `${name}: ${now[name]} are taken, not ${wanted}`;
  }
  return null;
}
