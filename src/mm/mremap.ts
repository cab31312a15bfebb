/** mremap(2), brk(2) and the growth of stacks (mm/mremap.c, mm/mmap.c, mm/vma.c). */
import { EFAULT, EINVAL, ENOMEM, EPERM } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../kernel/layout.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { WAIT_OK } from "../sync/thread.ts";
import {
  MAP_FIXED,
  MAP_PRIVATE,
  MAX_MAP_COUNT,
  MMAP_MIN_ADDR,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  STACK_GUARD_GAP,
  TASK_SIZE,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYALL,
  VM_MAYSHARE,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
} from "./flags.ts";
import { mmapWriteLockKillable, mmapWriteUnlock, vmaStartWrite } from "./lock.ts";
import { mmBrk, mmSetBrk } from "./mm.ts";
import { chooseAddress, guardedStart, munmapLocked, pageAlign } from "./mmap.ts";
import { populate } from "./resident.ts";
import { reserveOperation, vmaAbsorb, vmaPlace, vmaSplit } from "./vma-edit.ts";
import { findVma } from "./vma-tree.ts";
import {
  Tally,
  VmaSpec,
  canMerge,
  moveResident,
  specOf,
  tallyApply,
  tallyPages,
  vmaEnd,
  vmaPages,
  vmaStart,
} from "./vma.ts";

/** RLIMIT_STACK unless told otherwise, in bytes. */
const DEFAULT_STACK_LIMIT = 8 * 1024 * 1024;

/** MREMAP_* that say where the mapping goes; with MREMAP_DONTUNMAP alone it is a hint. */
const ELSEWHERE = MREMAP_FIXED | MREMAP_DONTUNMAP;

/**
 * Resizes or moves a mapping (do_mremap).
 * @param oldLength bytes; 0 asks for a second mapping of shared memory
 * @param flags MREMAP_*
 * @param newAddress with MREMAP_FIXED: where to; with MREMAP_DONTUNMAP: where to if that is free
 * @returns the address; -EINVAL, -EFAULT, -ENOMEM, or what the wait for mmap_lock answers
 */
export function mremap(
  k: Kernel,
  mm: Ptr,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress = 0,
): number {
  if (!isSaneRemap(address, oldLength, newLength, flags, newAddress)) return -EINVAL;
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  const more = pageAlign(newLength) - pageAlign(oldLength);
  let moved: number;
  let locked: boolean;
  try {
    moved = remapLocked(k, mm, address, pageAlign(oldLength), pageAlign(newLength), flags, newAddress);
    locked = moved >= 0 && (k.m.load(findVma(k, mm, moved) + VMA.vmFlags) & VM_LOCKED) !== 0;
  } finally {
    mmapWriteUnlock(k, mm);
  }
  if (locked && more > 0) populate(k, mm, moved + pageAlign(oldLength), more);
  return moved;
}

/** What can be said without a look at the mappings (check_mremap_params). */
function isSaneRemap(address: number, oldLength: number, newLength: number, flags: number, to: number): boolean {
  if ((flags & ~(ELSEWHERE | MREMAP_MAYMOVE)) !== 0) return false;
  if (address % PAGE_SIZE !== 0 || oldLength < 0 || newLength <= 0 || pageAlign(newLength) > TASK_SIZE) return false;
  if ((flags & ELSEWHERE) === 0) return true;
  if (to % PAGE_SIZE !== 0 || to > TASK_SIZE - pageAlign(newLength)) return false;
  if ((flags & MREMAP_MAYMOVE) === 0) return false;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && pageAlign(oldLength) !== pageAlign(newLength)) return false;
  return address + pageAlign(oldLength) <= to || to + pageAlign(newLength) <= address;
}

function remapLocked(
  k: Kernel,
  mm: Ptr,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress: number,
): number {
  const { m } = k;
  const elsewhere = (flags & ELSEWHERE) !== 0;
  // It may split what is there, and what it is taken from.
  if (elsewhere && m.load(mm + MM.mapCount) + 2 >= MAX_MAP_COUNT - 3) return -ENOMEM;
  const vma = findVma(k, mm, address);
  if (vma === NULL || vmaStart(m, vma) > address) return -EFAULT;
  if ((flags & MREMAP_FIXED) !== 0 && oldLength === newLength) {
    return moveAll(k, mm, address, oldLength, flags, newAddress);
  }
  if (!elsewhere && oldLength >= newLength) return shrink(k, mm, address, oldLength, newLength);
  const wrong = checkVma(m, vma, address, oldLength, newLength, flags);
  if (wrong < 0) return wrong;
  if (oldLength > newLength) {
    const shrunk = shrink(k, mm, address, oldLength, newLength);
    return shrunk < 0 ? shrunk : move(k, mm, address, newLength, newLength, flags, newAddress);
  }
  if (!elsewhere && growInPlace(k, mm, vma, address + oldLength, newLength - oldLength)) return address;
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  return move(k, mm, address, oldLength, newLength, flags, newAddress);
}

/** What a VMA must be to be moved or to grow (check_prep_vma). @returns 0, -EINVAL or -EFAULT */
function checkVma(m: Memory, vma: Ptr, address: number, oldLength: number, newLength: number, flags: number): number {
  const vmFlags = m.load(vma + VMA.vmFlags);
  const rigid = (vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0;
  if (oldLength === 0 && (vmFlags & VM_MAYSHARE) === 0) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && rigid) return -EINVAL;
  // Only what is kept must be one VMA; a tail that goes may be anything.
  if (Math.min(oldLength, newLength) > vmaEnd(m, vma) - address) return -EFAULT;
  return newLength > oldLength && rigid ? -EFAULT : 0;
}

/** Unmaps what is too much at the end. @returns the address, or what munmap answers */
function shrink(k: Kernel, mm: Ptr, address: number, oldLength: number, newLength: number): number {
  if (oldLength === newLength) return address;
  const result = munmapLocked(k, mm, address + newLength, oldLength - newLength);
  return result < 0 ? result : address;
}

/** Extends a VMA whose end the old range reaches, if there is room behind it. */
function growInPlace(k: Kernel, mm: Ptr, vma: Ptr, end: number, more: number): boolean {
  const { m } = k;
  if (vmaEnd(m, vma) !== end || end + more > TASK_SIZE || !reserveOperation(k)) return false;
  const next = findVma(k, mm, end);
  if (next !== NULL && vmaStart(m, next) < end + more) return false;
  const spec = specOf(m, vma, end);
  const tally = new Tally();
  const touches = next !== NULL && vmaStart(m, next) === end + more;
  tallyPages(tally, spec.flags, spec.flags2, more / PAGE_SIZE);
  if (touches && canMerge(k, next, spec)) vmaAbsorb(k, mm, vma, vmaStart(m, vma), vmaEnd(m, next), [next]);
  else vmaAbsorb(k, mm, vma, vmaStart(m, vma), end + more, []);
  tallyApply(k, mm, tally);
  return true;
}

/** Moves all that is mapped in a range, which may be several VMAs with gaps between them (remap_move). */
function moveAll(k: Kernel, mm: Ptr, address: number, length: number, flags: number, newAddress: number): number {
  const { m } = k;
  const end = address + length;
  for (let at = address; at < end;) {
    const vma = findVma(k, mm, at);
    if (vma === NULL || vmaStart(m, vma) >= end) break;
    const start = Math.max(at, vmaStart(m, vma));
    const size = Math.min(end, vmaEnd(m, vma)) - start;
    const wrong = checkVma(m, vma, start, size, size, flags);
    if (wrong < 0) return wrong;
    const moved = move(k, mm, start, size, size, flags, newAddress + start - address);
    if (moved < 0) return moved;
    at = start + size;
  }
  return newAddress;
}

/**
 * Moves a part of one VMA to another place, where `newLength` bytes are mapped (mremap_to, move_vma).
 * @param length bytes that are moved; 0: none, there is a further mapping of the same memory afterwards
 */
function move(
  k: Kernel,
  mm: Ptr,
  address: number,
  length: number,
  newLength: number,
  flags: number,
  newAddress: number,
): number {
  const { m } = k;
  if (!reserveOperation(k)) return -ENOMEM;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  if (fixed) {
    const cleared = munmapLocked(k, mm, newAddress, newLength);
    if (cleared < 0) return cleared;
  }
  const source = findVma(k, mm, address);
  const hint = (flags & ELSEWHERE) !== 0 ? newAddress : 0;
  const kind = fixed ? MAP_FIXED : MAP_PRIVATE;
  const target = chooseAddress(k, mm, hint, newLength, kind, m.load(source + VMA.vmFile));
  if (target < 0) return target;
  if (m.load(mm + MM.mapCount) >= MAX_MAP_COUNT - 3) return -ENOMEM;
  const stays = (flags & MREMAP_DONTUNMAP) !== 0;
  if (!stays && length > 0) cutOut(k, mm, source, address, address + length);
  const peak = m.load64(mm + MM.hiwaterVm);
  moveTo(k, mm, source, address, length, target, newLength, stays);
  if (!stays) munmapLocked(k, mm, address, length);
  // For a moment both places count. That is no peak.
  m.store64(mm + MM.hiwaterVm, Math.max(peak, m.load64(mm + MM.totalVm)));
  return target;
}

/** Maps at `target` what `source` maps at `address`, and moves the pages of `length` bytes (copy_vma_and_data). */
function moveTo(
  k: Kernel,
  mm: Ptr,
  source: Ptr,
  address: number,
  length: number,
  target: number,
  newLength: number,
  stays: boolean,
): void {
  const { m } = k;
  const spec = specOf(m, source, address);
  spec.start = target;
  // Anonymous memory that was never faulted in forgets where it came from, and merges more easily.
  if (spec.file === NULL && spec.anonVma === 0) spec.pgoff = target;
  const tally = new Tally();
  vmaStartWrite(k, mm, source);
  const place = vmaPlace(k, mm, target, target + newLength, spec, tally);
  if (m.load(place + VMA.anonVma) === 0) m.store(place + VMA.anonVma, spec.anonVma);
  // Such memory may also have become one with its own copy.
  const vma = findVma(k, mm, address);
  moveResident(m, vma, place, length / PAGE_SIZE, vmaPages(m, vma));
  if (stays) leaveBehind(m, vma, vma !== place && length === vmaEnd(m, vma) - vmaStart(m, vma), tally);
  tallyApply(k, mm, tally);
}

/**
 * What MREMAP_DONTUNMAP leaves is no longer locked, not even what was not moved (dontunmap_complete).
 * @param whole true if all of it was moved: it is as if it had never been faulted in
 */
function leaveBehind(m: Memory, vma: Ptr, whole: boolean, tally: Tally): void {
  const flags = m.load(vma + VMA.vmFlags);
  if ((flags & VM_LOCKED) !== 0) tally.locked -= vmaPages(m, vma);
  m.store(vma + VMA.vmFlags, flags & ~(VM_LOCKED | VM_LOCKONFAULT));
  if (whole) m.store(vma + VMA.anonVma, 0);
}

/** Makes a VMA cover just [start, end). @pre the number of VMAs allows for two more */
function cutOut(k: Kernel, mm: Ptr, vma: Ptr, start: number, end: number): void {
  if (vmaStart(k.m, vma) < start) vmaSplit(k, mm, vma, start, true);
  if (vmaEnd(k.m, vma) > end) vmaSplit(k, mm, vma, end, false);
}

/**
 * Moves the end of the heap (brk). As in the kernel a request that can't be met changes nothing.
 * @param address the new end; below the start of the heap: only asks
 * @returns the end of the heap afterwards, or what the wait for mmap_lock answers
 */
export function brk(k: Kernel, mm: Ptr, address: number): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  try {
    const old = mmBrk(k.m, mm);
    if (address < k.m.load64(mm + MM.startBrk) || !moveBrk(k, mm, old, address)) return old;
    mmSetBrk(k.m, mm, address);
    return address;
  } finally {
    mmapWriteUnlock(k, mm);
  }
}

function moveBrk(k: Kernel, mm: Ptr, old: number, address: number): boolean {
  const from = pageAlign(old);
  const to = pageAlign(address);
  if (from === to) return true;
  if (to < from) return shrinkBrk(k, mm, from, to);
  if (to > TASK_SIZE || k.m.load(mm + MM.mapCount) > MAX_MAP_COUNT || !reserveOperation(k)) return false;
  const next = findVma(k, mm, from);
  if (next !== NULL && to + PAGE_SIZE > guardedStart(k, next)) return false;
  const spec = new VmaSpec();
  spec.start = from;
  spec.pgoff = from;
  spec.flags = VM_READ | VM_WRITE | VM_MAYALL | VM_ACCOUNT;
  const tally = new Tally();
  vmaPlace(k, mm, from, to, spec, tally);
  tallyApply(k, mm, tally);
  return true;
}

/** Gives back the heap from `to` on, if there is any of it: nothing is mapped there if the process has unmapped it. */
function shrinkBrk(k: Kernel, mm: Ptr, from: number, to: number): boolean {
  const vma = findVma(k, mm, to);
  return vma !== NULL && vmaStart(k.m, vma) < from && munmapLocked(k, mm, to, from - to) === 0;
}

/**
 * Grows a stack down to `address` (expand_stack).
 * @param limit RLIMIT_STACK in bytes
 * @returns 0; -EFAULT if no stack is above, -EPERM below what can be mapped, -ENOMEM beyond the limit or too near to what
 *   lies below, or what the wait for mmap_lock answers
 */
export function expandStack(k: Kernel, mm: Ptr, address: number, limit = DEFAULT_STACK_LIMIT): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  try {
    return expandDownwards(k, mm, Math.floor(address / PAGE_SIZE) * PAGE_SIZE, limit);
  } finally {
    mmapWriteUnlock(k, mm);
  }
}

function expandDownwards(k: Kernel, mm: Ptr, address: number, limit: number): number {
  const { m } = k;
  const vma = findVma(k, mm, address);
  if (vma === NULL) return -EFAULT;
  const start = vmaStart(m, vma);
  if (start <= address) return 0;
  const flags = m.load(vma + VMA.vmFlags);
  if ((flags & VM_GROWSDOWN) === 0) return -EFAULT;
  if (address < MMAP_MIN_ADDR) return -EPERM;
  if (needsGap(k.m, vmaBelow(k, mm, vma, address - STACK_GUARD_GAP))) return -ENOMEM;
  if (vmaEnd(m, vma) - address > limit || !reserveOperation(k)) return -ENOMEM;
  const tally = new Tally();
  tallyPages(tally, flags, m.load(vma + VMA.vmFlags2), (start - address) / PAGE_SIZE);
  vmaAbsorb(k, mm, vma, address, vmaEnd(m, vma), []);
  tallyApply(k, mm, tally);
  return 0;
}

/** The next VMA below another, if it reaches beyond `floor`; else NULL. */
function vmaBelow(k: Kernel, mm: Ptr, vma: Ptr, floor: number): Ptr {
  let below = NULL;
  for (let at = findVma(k, mm, Math.max(0, floor)); at !== vma; at = findVma(k, mm, vmaEnd(k.m, at))) below = at;
  return below;
}

/** Mappings without any access, and other stacks, may be nearer to a growing stack. */
function needsGap(m: Memory, below: Ptr): boolean {
  const flags = below === NULL ? VM_GROWSDOWN : m.load(below + VMA.vmFlags);
  return (flags & VM_GROWSDOWN) === 0 && (flags & VM_ACCESS_FLAGS) !== 0;
}
