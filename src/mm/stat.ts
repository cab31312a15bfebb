/** Sizes of an address space at one moment: what stat, statm, status and the oom killer go by. */
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE } from "../kernel/layout.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downReadTrylock } from "../sync/rwsem.ts";
import { mmapLockSpeculateRetry, mmapLockSpeculateTryBegin, mmapReadUnlock } from "./lock.ts";

/** In pages, but for the page tables. */
export class MmStat {
  totalVm = 0;
  hiwaterVm = 0;
  lockedVm = 0;
  pinnedVm = 0;
  dataVm = 0;
  execVm = 0;
  stackVm = 0;
  rssAnon = 0;
  rssFile = 0;
  rssShmem = 0;
  swapEnts = 0;
  hiwaterRss = 0;
  mapCount = 0;
  /** Bytes. */
  pgtablesBytes = 0;
}

/** Speculations before mmap_lock is tried. */
const TRIES = 16;
/** Page tables that even a small process has, and pages that one further table serves on average. */
const FIXED_TABLES = 8;
const PAGES_PER_TABLE = 256;

/**
 * Reads the sizes. They belong to one moment between two operations on the mappings: speculating on mm_lock_seq, then by
 * a try for mmap_lock; only if writers keep both from succeeding they are as they were found. Never sleeps.
 * @pre RCU, or a reference to the mm
 */
export function mmStat(k: Kernel, mm: Ptr, out: MmStat): void {
  for (let i = 0; i < TRIES; i++) {
    const snapshot = mmapLockSpeculateTryBegin(k, mm);
    if (snapshot < 0) continue;
    readStat(k, mm, out);
    if (!mmapLockSpeculateRetry(k, mm, snapshot)) return;
  }
  const locked = downReadTrylock(k.t, mm + MM.mmapLock, LockClass.mmap);
  readStat(k, mm, out);
  if (locked) mmapReadUnlock(k, mm);
}

function readStat(k: Kernel, mm: Ptr, out: MmStat): void {
  const { m } = k;
  out.totalVm = m.load64(mm + MM.totalVm);
  out.lockedVm = m.load(mm + MM.lockedVm);
  out.pinnedVm = m.load(mm + MM.pinnedVm);
  out.dataVm = m.load64(mm + MM.dataVm);
  out.execVm = m.load(mm + MM.execVm);
  out.stackVm = m.load(mm + MM.stackVm);
  out.rssAnon = m.load(mm + MM.rssAnon);
  out.rssFile = m.load(mm + MM.rssFile);
  out.rssShmem = m.load(mm + MM.rssShmem);
  out.swapEnts = m.load(mm + MM.swapEnts);
  out.mapCount = m.load(mm + MM.mapCount);
  const rss = out.rssAnon + out.rssFile + out.rssShmem;
  out.hiwaterVm = Math.max(out.totalVm, m.load64(mm + MM.hiwaterVm));
  out.hiwaterRss = Math.max(rss, m.load(mm + MM.hiwaterRss));
  out.pgtablesBytes = m.load(mm + MM.pgtablesBytes) || estimateTables(rss + out.swapEnts);
}

/** Bytes of page tables for so many present pages: as simulated pages have no place, an average. */
function estimateTables(pages: number): number {
  return (FIXED_TABLES + Math.ceil(pages / PAGES_PER_TABLE)) * PAGE_SIZE;
}
