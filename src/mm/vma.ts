/**
 * VMAs: making, copying and freeing them, what they count for in their address space, and when two of them are one
 * (mm/vma.c).
 *
 * VMAs are type-stable: a freed one may be reused at once, while a reader who found it in an old tree looks at it. All
 * its fields are therefore stored atomically, and its reference count stays 0 until it is complete.
 */
import { Cache } from "../kernel/caches.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, PATH, VMA } from "../kernel/layout.ts";
import { pathGet, pathPut } from "../kernel/path.ts";
import { BYTES, bytesGet, bytesLength, bytesPut } from "../shm/bytes.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import {
  VM2_SHADOW_STACK,
  VM2_SHMEM,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_SHARED,
  VM_SPECIAL,
  VM_WRITE,
} from "./flags.ts";

/** vm_lock_seq of a VMA that was never write-locked. */
const NEVER_LOCKED = -1;

/** What a mapping is, apart from where it ends: for making a VMA and for deciding whether it merges with another. */
export class VmaSpec {
  /** Address that `pgoff` belongs to. */
  start = 0;
  flags = 0;
  flags2 = 0;
  /** Bytes. */
  pgoff = 0;
  /** PATH or NULL; BYTES or NULL. Borrowed: a VMA that is made of it takes references of its own. */
  file: Ptr = NULL;
  anonName: Ptr = NULL;
  anonVma = 0;
}

/** Bytes. @pre mmap_lock, or the VMA locked */
export function vmaStart(m: Memory, vma: Ptr): number {
  return m.load64(vma + VMA.vmStart);
}

/** Bytes. @pre mmap_lock, or the VMA locked */
export function vmaEnd(m: Memory, vma: Ptr): number {
  return m.load64(vma + VMA.vmEnd);
}

/** @pre mmap_lock, or the VMA locked */
export function vmaPages(m: Memory, vma: Ptr): number {
  return (m.load64(vma + VMA.vmEnd) - m.load64(vma + VMA.vmStart)) / PAGE_SIZE;
}

/** A detached VMA of `mm`, with references of its own, without resident pages. */
export function vmaNew(k: Kernel, mm: Ptr, start: number, end: number, spec: VmaSpec): Ptr {
  const { m } = k;
  const vma = k.slab.allocDirty(Cache.vma);
  m.store(vma + VMA.vmMm, mm);
  m.store64(vma + VMA.vmStart, start);
  m.store64(vma + VMA.vmEnd, end);
  const sequence = m.load(mm + MM.mmLockSeq);
  m.store(vma + VMA.vmLockSeq, (sequence & 1) !== 0 ? sequence : NEVER_LOCKED);
  m.store(vma + VMA.vmFlags, spec.flags);
  m.store(vma + VMA.vmFlags2, spec.flags2);
  m.store64(vma + VMA.vmPgoff, spec.pgoff + (start - spec.start));
  m.store(vma + VMA.vmFile, pathGet(k, spec.file));
  m.store(vma + VMA.anonName, bytesGet(m, spec.anonName));
  m.store(vma + VMA.anonVma, spec.anonVma);
  m.store(vma + VMA.nrAnon, 0);
  m.store(vma + VMA.nrFile, 0);
  m.store(vma + VMA.nrSwap, 0);
  m.store(vma + VMA.nrDirty, 0);
  if (spec.file !== NULL && spec.pgoff + start === spec.start) m.add(spec.file + PATH.mappers, 1);
  return vma;
}

/** Drops a VMA's references and frees it at once: the cache is type-stable. @pre detached, out of the tree */
export function vmaFree(k: Kernel, vma: Ptr): void {
  const { m } = k;
  countMapper(m, vma, -1);
  pathPut(k, m.load(vma + VMA.vmFile));
  bytesPut(m, k.slab, m.load(vma + VMA.anonName));
  k.slab.free(vma);
}

/** A VMA that maps the first page of a file counts as one who shares its pages. */
function countMapper(m: Memory, vma: Ptr, delta: number): void {
  const file = m.load(vma + VMA.vmFile);
  if (file !== NULL && m.load64(vma + VMA.vmPgoff) === 0) m.add(file + PATH.mappers, delta);
}

/** Moves a VMA's bounds; the offset follows the start. @pre write-locked, the tree holds the new bounds or will */
export function vmaSetRange(k: Kernel, vma: Ptr, start: number, end: number): void {
  const { m } = k;
  const oldStart = vmaStart(m, vma);
  m.store64(vma + VMA.vmEnd, end);
  if (start === oldStart) return;
  countMapper(m, vma, -1);
  m.store64(vma + VMA.vmStart, start);
  m.store64(vma + VMA.vmPgoff, m.load64(vma + VMA.vmPgoff) + start - oldStart);
  countMapper(m, vma, 1);
}

/** Describes `vma` from `address` on. @pre mmap_lock */
export function specOf(m: Memory, vma: Ptr, address: number): VmaSpec {
  const spec = new VmaSpec();
  readSpec(m, vma, vmaStart(m, vma), spec);
  spec.pgoff += address - spec.start;
  spec.start = address;
  return spec;
}

/** Describes `vma`, which starts at `start`, in an object that is there. @pre mmap_lock */
export function readSpec(m: Memory, vma: Ptr, start: number, spec: VmaSpec): void {
  spec.start = start;
  spec.flags = m.load(vma + VMA.vmFlags);
  spec.flags2 = m.load(vma + VMA.vmFlags2);
  spec.pgoff = m.load64(vma + VMA.vmPgoff);
  spec.file = m.load(vma + VMA.vmFile);
  spec.anonName = m.load(vma + VMA.anonName);
  spec.anonVma = m.load(vma + VMA.anonVma);
}

/** True if `vma` and a mapping like `spec`, right before or after it, can be one VMA. @pre mmap_lock for write */
export function canMerge(k: Kernel, vma: Ptr, spec: VmaSpec): boolean {
  const { m } = k;
  const flags = m.load(vma + VMA.vmFlags);
  if (flags !== spec.flags || (flags & VM_SPECIAL) !== 0) return false;
  if (m.load(vma + VMA.vmFlags2) !== spec.flags2 || m.load(vma + VMA.vmFile) !== spec.file) return false;
  if (m.load64(vma + VMA.vmPgoff) - vmaStart(m, vma) !== spec.pgoff - spec.start) return false;
  if (!anonVmasCompatible(m.load(vma + VMA.anonVma), spec.anonVma)) return false;
  return sameName(m, m.load(vma + VMA.anonName), spec.anonName);
}

/** Two VMAs with different anon_vmas stay apart; one that was forked never lends its own (is_mergeable_anon_vma). */
export function anonVmasCompatible(a: number, b: number): boolean {
  if (a === b) return true;
  return a === 0 ? b > 0 : b === 0 && a > 0;
}

/** Names are compared by content (anon_vma_name_eq). */
export function sameName(m: Memory, a: Ptr, b: Ptr): boolean {
  if (a === b) return true;
  const length = bytesLength(m, a);
  if (a === NULL || b === NULL || bytesLength(m, b) !== length) return false;
  for (let i = 0; i < length; i++) {
    if (m.byteAt(a + BYTES.words, i) !== m.byteAt(b + BYTES.words, i)) return false;
  }
  return true;
}

/** A change of an address space's totals, collected over an operation; all in pages. */
export class Tally {
  total = 0;
  data = 0;
  exec = 0;
  stack = 0;
  locked = 0;
  anon = 0;
  file = 0;
  shmem = 0;
  swap = 0;
}

/** Counts `pages` mapped with these flags (vm_stat_account); negative: unmapped. */
export function tallyPages(tally: Tally, flags: number, flags2: number, pages: number): void {
  const kind = flags & (VM_EXEC | VM_WRITE | VM_SHARED | VM_GROWSDOWN);
  tally.total += pages;
  if ((kind & ~VM_SHARED) === VM_EXEC) tally.exec += pages;
  else if ((kind & VM_GROWSDOWN) !== 0 || (flags2 & VM2_SHADOW_STACK) !== 0) tally.stack += pages;
  else if ((kind & ~VM_EXEC) === VM_WRITE) tally.data += pages;
  if ((flags & VM_LOCKED) !== 0) tally.locked += pages;
}

/** Counts resident and swapped pages of a VMA with these high flags. */
export function tallyResident(tally: Tally, flags2: number, anon: number, file: number, swap: number): void {
  tally.anon += anon;
  if ((flags2 & VM2_SHMEM) !== 0) tally.shmem += file;
  else tally.file += file;
  tally.swap += swap;
}

/** Counts a whole VMA: +1 for one that comes, -1 for one that goes. */
export function tallyVma(m: Memory, tally: Tally, vma: Ptr, sign: 1 | -1): void {
  const flags2 = m.load(vma + VMA.vmFlags2);
  tallyPages(tally, m.load(vma + VMA.vmFlags), flags2, sign * vmaPages(m, vma));
  tallyResident(
    tally,
    flags2,
    sign * m.load(vma + VMA.nrAnon),
    sign * m.load(vma + VMA.nrFile),
    sign * m.load(vma + VMA.nrSwap),
  );
}

/** Adds a tally to an address space and to the host. @pre mmap_lock for write, or nobody else can see the mm */
export function tallyApply(k: Kernel, mm: Ptr, tally: Tally): void {
  const { m } = k;
  if (tally.total !== 0) {
    const total = m.add64(mm + MM.totalVm, tally.total);
    if (total > m.load64(mm + MM.hiwaterVm)) m.store64(mm + MM.hiwaterVm, total);
  }
  if (tally.data !== 0) m.add64(mm + MM.dataVm, tally.data);
  if (tally.exec !== 0) m.add(mm + MM.execVm, tally.exec);
  if (tally.stack !== 0) m.add(mm + MM.stackVm, tally.stack);
  if (tally.locked !== 0) m.add(mm + MM.lockedVm, tally.locked);
  tallyApplyResident(k, mm, tally);
}

/** The part of {@link tallyApply} that page faults change. @pre as there, or mmap_lock for read and pageTableLock */
export function tallyApplyResident(k: Kernel, mm: Ptr, tally: Tally): void {
  const { m } = k;
  if (tally.anon !== 0) {
    m.add(mm + MM.rssAnon, tally.anon);
    m.add(HOST.anonPages, tally.anon);
  }
  if (tally.file !== 0) m.add(mm + MM.rssFile, tally.file);
  if (tally.shmem !== 0) m.add(mm + MM.rssShmem, tally.shmem);
  if (tally.swap !== 0) {
    m.add(mm + MM.swapEnts, tally.swap);
    m.add(HOST.swapPages, tally.swap);
  }
  if (tally.anon + tally.file + tally.shmem > 0) raiseHiwaterRss(m, mm);
}

function raiseHiwaterRss(m: Memory, mm: Ptr): void {
  const rss = m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem);
  if (rss > m.load(mm + MM.hiwaterRss)) m.store(mm + MM.hiwaterRss, rss);
}

/** `pages` pages of a file are in the page cache now, at least; the host counts each page once. */
export function raiseCachedPages(k: Kernel, path: Ptr, pages: number): void {
  const { m } = k;
  let seen = m.load(path + PATH.cachedPages);
  while (seen < pages) {
    const found = m.compareExchange(path + PATH.cachedPages, seen, pages);
    if (found === seen) {
      m.add(m.load(path + PATH.shmem) !== 0 ? HOST.shmemPages : HOST.filePages, pages - seen);
      return;
    }
    seen = found;
  }
}

/** Moves the share of `from`'s resident pages that lies in `pages` of its `total` pages to `to`. @pre both write-locked */
export function moveResident(m: Memory, from: Ptr, to: Ptr, pages: number, total: number): void {
  if (pages === 0) return;
  const anon = m.load(from + VMA.nrAnon);
  const file = m.load(from + VMA.nrFile);
  const swap = m.load(from + VMA.nrSwap);
  if (anon + file + swap === 0) return;
  const moved = [share(anon, pages, total), share(file, pages, total), share(swap, pages, total)];
  // Rounding down may leave more behind than there is room for.
  let excess = anon + file + swap - sum(moved) - (total - pages);
  const have = [anon, file, swap];
  for (let i = 0; i < 3 && excess > 0; i++) {
    const more = Math.min(excess, (have[i] as number) - (moved[i] as number));
    moved[i] = (moved[i] as number) + more;
    excess -= more;
  }
  const dirty = Math.min(share(m.load(from + VMA.nrDirty), pages, total), moved[1] as number);
  transfer(m, from, to, VMA.nrAnon, moved[0] as number);
  transfer(m, from, to, VMA.nrFile, moved[1] as number);
  transfer(m, from, to, VMA.nrSwap, moved[2] as number);
  transfer(m, from, to, VMA.nrDirty, dirty);
  const left = m.load(from + VMA.nrDirty) - m.load(from + VMA.nrFile);
  if (left > 0) transfer(m, from, to, VMA.nrDirty, left);
}

function share(count: number, pages: number, total: number): number {
  return Math.floor((count * pages) / total);
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i] as number;
  return total;
}

function transfer(m: Memory, from: Ptr, to: Ptr, field: number, pages: number): void {
  if (pages === 0) return;
  m.add(from + field, -pages);
  m.add(to + field, pages);
}
