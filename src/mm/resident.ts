/**
 * Resident pages: page faults, reclaim and swap, as counts per VMA (mm/memory.c). A fault changes no mapping, so it needs
 * mmap_lock only for read; by another lock, which is held only meanwhile, one at a time changes the counts, and they never
 * exceed the VMA. Who reads them has neither.
 */
import { EFAULT, EINVAL, ENOMEM } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../kernel/layout.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { WAIT_OK } from "../sync/thread.ts";
import { VM_ACCESS_FLAGS, VM_GROWSDOWN, VM_IO, VM_LOCKED, VM_PFNMAP, VM_SHARED, VM_WRITE } from "./flags.ts";
import { mmapReadLockKillable, mmapReadUnlock, mmapWriteLockKillable, mmapWriteUnlock } from "./lock.ts";
import { vmaEndingAt } from "./vma-edit.ts";
import { VmaIter, findVma, vmaIterInit, vmaNext } from "./vma-tree.ts";
import { Tally, raiseCachedPages, tallyApplyResident, tallyResident, vmaEnd, vmaPages, vmaStart } from "./vma.ts";

/** Keeps the mappings as they are, and others from their pages. @returns WAIT_OK; or the wait's answer, with nothing held */
function lockPages(k: Kernel, mm: Ptr): number {
  const result = mmapReadLockKillable(k, mm);
  if (result === WAIT_OK) spinLock(k.t, mm + MM.pageTableLock, LockClass.pageTable);
  return result;
}

function unlockPages(k: Kernel, mm: Ptr): void {
  spinUnlock(k.t, mm + MM.pageTableLock, LockClass.pageTable);
  mmapReadUnlock(k, mm);
}

/**
 * Faults in up to `pages` further pages of the VMA at `address`, by writing if that is allowed, else by reading. Where the
 * VMA is writable and private they are anonymous; pages of files are clean, or dirty if the mapping is shared and
 * writable; reading anonymous memory gives no pages.
 * @returns how many became resident; -EFAULT if nothing is mapped there, or what the wait for mmap_lock answers
 */
export function touch(k: Kernel, mm: Ptr, address: number, pages: number): number {
  const result = lockPages(k, mm);
  if (result !== WAIT_OK) return result;
  const vma = findVma(k, mm, address);
  const mapped = vma !== NULL && vmaStart(k.m, vma) <= address;
  const touched = mapped ? faultIn(k, mm, vma, pages, isAnonymous(k.m, vma)) : -EFAULT;
  unlockPages(k, mm);
  return touched;
}

/** As {@link touch}, for pages of the mapped file of a private mapping, which are read, not written. */
export function touchFile(k: Kernel, mm: Ptr, address: number, pages: number): number {
  const result = lockPages(k, mm);
  if (result !== WAIT_OK) return result;
  const vma = findVma(k, mm, address);
  const mapped = vma !== NULL && vmaStart(k.m, vma) <= address;
  const touched = mapped ? faultIn(k, mm, vma, pages, k.m.load(vma + VMA.vmFile) === NULL) : -EFAULT;
  unlockPages(k, mm);
  return touched;
}

/**
 * Makes a range resident, as MAP_POPULATE and mlock do (__mm_populate). Pages of memory that can't be written to stay
 * with the zero page or the file.
 * @returns 0; -ENOMEM if something in it can't be accessed, which ends it; or what the wait for mmap_lock answers
 */
export function populate(k: Kernel, mm: Ptr, address: number, length: number): number {
  const result = lockPages(k, mm);
  if (result !== WAIT_OK) return result;
  const populated = populateLocked(k, mm, address, address + length);
  unlockPages(k, mm);
  return populated;
}

function populateLocked(k: Kernel, mm: Ptr, start: number, end: number): number {
  const { m } = k;
  const iter = new VmaIter();
  vmaIterInit(iter, start);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL && vmaStart(m, vma) < end; vma = vmaNext(k, mm, iter)) {
    const flags = m.load(vma + VMA.vmFlags);
    if ((flags & (VM_IO | VM_PFNMAP)) !== 0) continue;
    if ((flags & VM_ACCESS_FLAGS) === 0) return -ENOMEM;
    const bytes = Math.min(end, vmaEnd(m, vma)) - Math.max(start, vmaStart(m, vma));
    faultIn(k, mm, vma, bytes / PAGE_SIZE, isAnonymous(m, vma));
  }
  return 0;
}

/** Faults in what it can of [start, end) of one VMA by writing. @pre mmap_lock for write */
export function populateVma(k: Kernel, mm: Ptr, vma: Ptr, start: number, end: number): void {
  faultIn(k, mm, vma, (end - start) / PAGE_SIZE, isAnonymous(k.m, vma));
}

/** True if a write gives the VMA pages of its own. @pre mmap_lock */
function isAnonymous(m: Memory, vma: Ptr): boolean {
  const flags = m.load(vma + VMA.vmFlags);
  return m.load(vma + VMA.vmFile) === NULL || (flags & (VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/** @pre lockPages, or mmap_lock for write; @returns how many pages became resident */
function faultIn(k: Kernel, mm: Ptr, vma: Ptr, pages: number, anonymous: boolean, swapIn = true): number {
  const { m } = k;
  const flags = m.load(vma + VMA.vmFlags);
  if ((flags & VM_ACCESS_FLAGS) === 0 || (flags & (VM_IO | VM_PFNMAP)) !== 0) return 0;
  // Reading anonymous memory maps the zero page, which counts for nothing.
  if (anonymous && (flags & VM_WRITE) === 0) return 0;
  const field = vma + (anonymous ? VMA.nrAnon : VMA.nrFile);
  const swapped = anonymous && swapIn ? takeUpTo(m, vma + VMA.nrSwap, pages) : 0;
  m.add(field, swapped);
  const fresh = addWithinSize(m, vma, field, pages - swapped);
  // Writing to a page of the file that is there already copies it.
  const copied = anonymous ? takeUpTo(m, vma + VMA.nrFile, pages - swapped - fresh) : 0;
  m.add(field, copied);
  if (swapped + fresh + copied === 0) return 0;
  if (anonymous) setAnonVma(k, mm, vma);
  else countFilePages(k, vma, fresh);
  const tally = new Tally();
  const flags2 = m.load(vma + VMA.vmFlags2);
  if (anonymous) tallyResident(tally, flags2, swapped + fresh + copied, -copied, -swapped);
  else tallyResident(tally, flags2, 0, fresh, 0);
  tallyApplyResident(k, mm, tally);
  return swapped + fresh;
}

/** Pages of a VMA that are neither resident nor swapped. */
function room(m: Memory, vma: Ptr): number {
  return vmaPages(m, vma) - m.load(vma + VMA.nrAnon) - m.load(vma + VMA.nrFile) - m.load(vma + VMA.nrSwap);
}

/** Raises a counter as far as the VMA has room; @returns by how much. */
function addWithinSize(m: Memory, vma: Ptr, field: Ptr, pages: number): number {
  const fresh = Math.max(0, Math.min(pages, room(m, vma)));
  m.add(field, fresh);
  return fresh;
}

function countFilePages(k: Kernel, vma: Ptr, fresh: number): void {
  const { m } = k;
  const file = m.load(vma + VMA.vmFile);
  const flags = m.load(vma + VMA.vmFlags);
  if ((flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE)) m.add(vma + VMA.nrDirty, fresh);
  raiseCachedPages(k, file, m.load64(vma + VMA.vmPgoff) / PAGE_SIZE + m.load(vma + VMA.nrFile));
}

/** Takes up to `count` off a counter; @returns how much. */
function takeUpTo(m: Memory, word: Ptr, count: number): number {
  const taken = Math.max(0, Math.min(m.load(word), count));
  m.add(word, -taken);
  return taken;
}

/** The first anonymous page gives a VMA an anon_vma, a neighbour's if both could be one VMA but for their protection. */
function setAnonVma(k: Kernel, mm: Ptr, vma: Ptr): void {
  const { m } = k;
  if (m.load(vma + VMA.anonVma) !== 0) return;
  let id = lentBy(k, findVma(k, mm, vmaEnd(m, vma)), vma);
  if (id === 0) id = lentBy(k, vmaEndingAt(k, mm, vmaStart(m, vma)), vma);
  if (id === 0) id = m.add(mm + MM.lastAnonVma, 1) + 1;
  m.store(vma + VMA.anonVma, id);
}

/** The anon_vma that `vma` may take over from its neighbour, or 0 (reusable_anon_vma). */
function lentBy(k: Kernel, neighbour: Ptr, vma: Ptr): number {
  if (neighbour === NULL) return 0;
  const { m } = k;
  const adjacent = vmaEnd(m, neighbour) === vmaStart(m, vma) || vmaStart(m, neighbour) === vmaEnd(m, vma);
  const differ = (m.load(neighbour + VMA.vmFlags) ^ m.load(vma + VMA.vmFlags)) & ~VM_ACCESS_FLAGS;
  const linear =
    m.load64(neighbour + VMA.vmPgoff) - vmaStart(m, neighbour) === m.load64(vma + VMA.vmPgoff) - vmaStart(m, vma);
  const sameFile = m.load(neighbour + VMA.vmFile) === m.load(vma + VMA.vmFile);
  const id = m.load(neighbour + VMA.anonVma);
  return adjacent && differ === 0 && linear && sameFile && id > 0 ? id : 0;
}

/**
 * Swaps out up to `pages` anonymous pages of the VMA at `address`; locked memory stays.
 * @returns how many went; -EFAULT if nothing is mapped there, or what the wait for mmap_lock answers
 */
export function swapOut(k: Kernel, mm: Ptr, address: number, pages: number): number {
  const result = lockPages(k, mm);
  if (result !== WAIT_OK) return result;
  const { m } = k;
  const vma = findVma(k, mm, address);
  let moved = -EFAULT;
  if (vma !== NULL && vmaStart(m, vma) <= address) {
    moved = (m.load(vma + VMA.vmFlags) & VM_LOCKED) !== 0 ? 0 : takeUpTo(m, vma + VMA.nrAnon, pages);
    m.add(vma + VMA.nrSwap, moved);
    const tally = new Tally();
    tallyResident(tally, 0, -moved, 0, moved);
    tallyApplyResident(k, mm, tally);
  }
  unlockPages(k, mm);
  return moved;
}

/**
 * Drops resident and swapped pages of [address, address + length), as madvise(MADV_DONTNEED). Only whole VMAs give back
 * all; a part of one gives back its share.
 * @returns 0; -EINVAL (not aligned, or locked memory), or what the wait for mmap_lock answers
 */
export function dropPages(k: Kernel, mm: Ptr, address: number, length: number): number {
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  const result = lockPages(k, mm);
  if (result !== WAIT_OK) return result;
  const dropped = dropPagesLocked(k, mm, address, address + length);
  unlockPages(k, mm);
  return dropped;
}

function dropPagesLocked(k: Kernel, mm: Ptr, start: number, end: number): number {
  const iter = new VmaIter();
  const tally = new Tally();
  let result = 0;
  vmaIterInit(iter, start);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL && vmaStart(k.m, vma) < end; vma = vmaNext(k, mm, iter)) {
    if ((k.m.load(vma + VMA.vmFlags) & VM_LOCKED) !== 0) {
      result = -EINVAL;
      break;
    }
    const bytes = Math.min(end, vmaEnd(k.m, vma)) - Math.max(start, vmaStart(k.m, vma));
    dropShare(k.m, vma, bytes / PAGE_SIZE / vmaPages(k.m, vma), tally);
  }
  tallyApplyResident(k, mm, tally);
  return result;
}

function dropShare(m: Memory, vma: Ptr, fraction: number, tally: Tally): void {
  const anon = takeUpTo(m, vma + VMA.nrAnon, Math.ceil(m.load(vma + VMA.nrAnon) * fraction));
  const swap = takeUpTo(m, vma + VMA.nrSwap, Math.ceil(m.load(vma + VMA.nrSwap) * fraction));
  const file = takeUpTo(m, vma + VMA.nrFile, Math.ceil(m.load(vma + VMA.nrFile) * fraction));
  takeUpTo(m, vma + VMA.nrDirty, Math.max(0, m.load(vma + VMA.nrDirty) - m.load(vma + VMA.nrFile)));
  tallyResident(tally, m.load(vma + VMA.vmFlags2), -anon, -file, -swap);
}

/** What {@link setResident} aims at, in pages. */
export interface ResidentTarget {
  /** Resident pages of all kinds together. */
  readonly rss: number;
  /** Swapped pages. */
  readonly swap?: number;
}

/**
 * Brings an address space to a resident and a swapped size: drops pages, or faults some in (heap and anonymous mappings
 * first, then files). What the mappings can't hold stays missing.
 * @returns the resident pages afterwards, or what the wait for mmap_lock answers
 */
export function setResident(k: Kernel, mm: Ptr, target: ResidentTarget): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  try {
    setResidentLocked(k, mm, target);
    return residentPages(k.m, mm);
  } finally {
    mmapWriteUnlock(k, mm);
  }
}

function residentPages(m: Memory, mm: Ptr): number {
  return m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem);
}

function setResidentLocked(k: Kernel, mm: Ptr, target: ResidentTarget): void {
  const { m } = k;
  const swap = target.swap ?? m.load(mm + MM.swapEnts);
  for (let pass = 0; pass < 4; pass++) {
    const iter = new VmaIter();
    vmaIterInit(iter, 0);
    for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) {
      if (pass === 0) shrink(k, mm, vma, residentPages(m, mm) - target.rss);
      else if (pass === 1) adjustSwap(k, mm, vma, swap - m.load(mm + MM.swapEnts));
      else grow(k, mm, vma, target.rss - residentPages(m, mm), pass === 2);
    }
  }
}

/** Stacks are left alone: they grow by use. */
function isStack(m: Memory, vma: Ptr): boolean {
  return (m.load(vma + VMA.vmFlags) & VM_GROWSDOWN) !== 0;
}

function grow(k: Kernel, mm: Ptr, vma: Ptr, pages: number, anonymous: boolean): void {
  if (pages <= 0 || isStack(k.m, vma) || isAnonymous(k.m, vma) !== anonymous) return;
  faultIn(k, mm, vma, pages, anonymous, false);
}

function adjustSwap(k: Kernel, mm: Ptr, vma: Ptr, pages: number): void {
  const { m } = k;
  const flags = m.load(vma + VMA.vmFlags);
  if (pages === 0 || isStack(m, vma) || !isAnonymous(m, vma) || (flags & VM_LOCKED) !== 0) return;
  if ((flags & VM_WRITE) === 0 || (flags & (VM_IO | VM_PFNMAP)) !== 0) return;
  const swap = vma + VMA.nrSwap;
  const moved = pages > 0 ? addWithinSize(m, vma, swap, pages) : -takeUpTo(m, swap, -pages);
  if (moved === 0) return;
  setAnonVma(k, mm, vma);
  const tally = new Tally();
  tallyResident(tally, 0, 0, 0, moved);
  tallyApplyResident(k, mm, tally);
}

function shrink(k: Kernel, mm: Ptr, vma: Ptr, pages: number): void {
  const { m } = k;
  if (pages <= 0 || isStack(m, vma) || (m.load(vma + VMA.vmFlags) & VM_LOCKED) !== 0) return;
  const anon = takeUpTo(m, vma + VMA.nrAnon, pages);
  const file = takeUpTo(m, vma + VMA.nrFile, pages - anon);
  takeUpTo(m, vma + VMA.nrDirty, Math.max(0, m.load(vma + VMA.nrDirty) - m.load(vma + VMA.nrFile)));
  const tally = new Tally();
  tallyResident(tally, m.load(vma + VMA.vmFlags2), -anon, -file, 0);
  tallyApplyResident(k, mm, tally);
}
