/** The numbers of smaps, smaps_rollup and numa_maps, derived from a VMA's page counts (smap_gather_stats). */
import type { VmaSnapshot } from "./vma-snapshot.ts";
import { PMD_SIZE, VM_HUGEPAGE, VM_LOCKED } from "./flags.ts";

const KB_PER_PAGE = 4;
/** A page in the unit in which shares are added up: bytes with 12 more bits. */
const PAGE_PSS = 4096 * 4096;
/** Those units in a kB. */
const PSS_PER_KB = 4096 * 1024;

/** Sums over one VMA or several; kB, except the shares (`pss…`, `locked`, `swapPss`), which {@link smapsFinish} converts. */
export class SmapsNumbers {
  size = 0;
  rss = 0;
  pss = 0;
  pssDirty = 0;
  pssAnon = 0;
  pssFile = 0;
  pssShmem = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  anonymous = 0;
  ksm = 0;
  lazyFree = 0;
  anonHugePages = 0;
  shmemPmdMapped = 0;
  filePmdMapped = 0;
  sharedHugetlb = 0;
  privateHugetlb = 0;
  swap = 0;
  swapPss = 0;
  locked = 0;
}

const FIELDS = Object.keys(new SmapsNumbers()) as (keyof SmapsNumbers)[];

/** Starts a sum. */
export function smapsClear(out: SmapsNumbers): void {
  for (let i = 0; i < FIELDS.length; i++) out[FIELDS[i] as keyof SmapsNumbers] = 0;
}

/** Adds a VMA's pages: Rss = shared + private, Pss = private + shared / sharers. */
export function smapsAdd(v: VmaSnapshot, out: SmapsNumbers): void {
  const file = v.filePages + v.shmemPages;
  const anonPss = v.anonPages * PAGE_PSS;
  const pagePss = Math.floor(PAGE_PSS / v.sharers);
  const filePss = file * pagePss;
  const clean = file - v.dirtyPages;
  out.size += (v.end - v.start) / 1024;
  out.rss += (v.anonPages + file) * KB_PER_PAGE;
  out.pss += anonPss + filePss;
  out.pssDirty += anonPss + v.dirtyPages * pagePss;
  out.pssAnon += anonPss;
  out.pssFile += v.filePages * pagePss;
  out.pssShmem += v.shmemPages * pagePss;
  if (v.sharers > 1) {
    out.sharedClean += clean * KB_PER_PAGE;
    out.sharedDirty += v.dirtyPages * KB_PER_PAGE;
  } else {
    out.privateClean += clean * KB_PER_PAGE;
    out.privateDirty += v.dirtyPages * KB_PER_PAGE;
  }
  out.privateDirty += v.anonPages * KB_PER_PAGE;
  out.referenced += (v.anonPages + file) * KB_PER_PAGE;
  out.anonymous += v.anonPages * KB_PER_PAGE;
  out.swap += v.swapPages * KB_PER_PAGE;
  out.swapPss += v.swapPages * PAGE_PSS;
  if ((v.flags & VM_LOCKED) !== 0) out.locked += anonPss + filePss;
}

/** Ends a sum: the shares become kB, rounded down once. */
export function smapsFinish(out: SmapsNumbers): void {
  out.pss = Math.floor(out.pss / PSS_PER_KB);
  out.pssDirty = Math.floor(out.pssDirty / PSS_PER_KB);
  out.pssAnon = Math.floor(out.pssAnon / PSS_PER_KB);
  out.pssFile = Math.floor(out.pssFile / PSS_PER_KB);
  out.pssShmem = Math.floor(out.pssShmem / PSS_PER_KB);
  out.swapPss = Math.floor(out.swapPss / PSS_PER_KB);
  out.locked = Math.floor(out.locked / PSS_PER_KB);
}

/** THPeligible: with huge pages on request only, memory that asked for them and holds an aligned one. */
export function thpEligible(v: VmaSnapshot): boolean {
  if ((v.flags & VM_HUGEPAGE) === 0) return false;
  return Math.ceil(v.start / PMD_SIZE) * PMD_SIZE + PMD_SIZE <= v.end;
}
