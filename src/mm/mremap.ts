/** mremap(2), brk(2) and the growth of stacks (mm/mremap.c, mm/mmap.c, mm/vma.c). */
import { EFAULT, EINVAL, ENOMEM } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../kernel/layout.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { WAIT_OK } from "../sync/thread.ts";
import {
  MAX_MAP_COUNT,
  MMAP_MIN_ADDR,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  STACK_GUARD_GAP,
  TASK_SIZE,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYALL,
  VM_PFNMAP,
  VM_READ,
  VM_SPECIAL,
  VM_WRITE,
} from "./flags.ts";
import { mmapWriteLockKillable, mmapWriteUnlock, vmaStartWrite } from "./lock.ts";
import { mmBrk, mmSetBrk } from "./mm.ts";
import { getUnmappedArea, guardedStart, munmapLocked, pageAlign } from "./mmap.ts";
import { populate } from "./resident.ts";
import { reserveOperation, vmaAbsorb, vmaEndingAt, vmaPlace, vmaSplit } from "./vma-edit.ts";
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

/**
 * Resizes or moves a mapping (do_mremap).
 * @param flags MREMAP_*
 * @param newAddress with MREMAP_FIXED: where to
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
  let moved: number;
  let locked: boolean;
  try {
    moved = remapLocked(k, mm, address, pageAlign(oldLength), pageAlign(newLength), flags, newAddress);
    locked = moved >= 0 && (k.m.load(findVma(k, mm, moved) + VMA.vmFlags) & VM_LOCKED) !== 0;
  } finally {
    mmapWriteUnlock(k, mm);
  }
  if (locked) populate(k, mm, moved, pageAlign(newLength));
  return moved;
}

function isSaneRemap(address: number, oldLength: number, newLength: number, flags: number, to: number): boolean {
  if ((flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP)) !== 0) return false;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0 && (flags & MREMAP_MAYMOVE) === 0) return false;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && pageAlign(oldLength) !== pageAlign(newLength)) return false;
  if (address % PAGE_SIZE !== 0 || newLength <= 0 || oldLength < 0) return false;
  if ((flags & MREMAP_FIXED) === 0) return true;
  if (to % PAGE_SIZE !== 0 || pageAlign(newLength) > TASK_SIZE || to > TASK_SIZE - pageAlign(newLength)) return false;
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
  const vma = findVma(k, mm, address);
  if (vma === NULL || vmaStart(m, vma) > address) return -EFAULT;
  if ((flags & MREMAP_FIXED) !== 0 && oldLength === newLength) {
    return moveAll(k, mm, address, oldLength, flags, newAddress);
  }
  if ((flags & MREMAP_FIXED) !== 0 && oldLength > newLength) {
    // Only what is kept must be one VMA; the tail may be anything.
    if (newLength > vmaEnd(m, vma) - address) return -EFAULT;
    const cut = munmapLocked(k, mm, address + newLength, oldLength - newLength);
    return cut < 0 ? cut : move(k, mm, address, newLength, newLength, newLength, flags, newAddress);
  }
  // A length of 0 asks for a second mapping of shared memory.
  const vmFlags = m.load(vma + VMA.vmFlags);
  const elsewhere = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
  if (oldLength === 0) return -EINVAL;
  if (!elsewhere && oldLength >= newLength) return shrinkInPlace(k, mm, address, oldLength, newLength);
  if (oldLength > vmaEnd(m, vma) - address) return -EFAULT;
  if (newLength > oldLength && (vmFlags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return -EFAULT;
  if (!elsewhere && growInPlace(k, mm, vma, address + oldLength, newLength - oldLength)) return address;
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  if (m.load(mm + MM.mapCount) >= MAX_MAP_COUNT - 3) return -ENOMEM;
  return move(k, mm, address, oldLength, oldLength, newLength, flags, newAddress);
}

function shrinkInPlace(k: Kernel, mm: Ptr, address: number, oldLength: number, newLength: number): number {
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
    if (m.load(mm + MM.mapCount) >= MAX_MAP_COUNT - 3) return -ENOMEM;
    const moved = move(k, mm, start, size, size, size, flags, newAddress + start - address);
    if (moved < 0) return moved;
    at = start + size;
  }
  return newAddress;
}

/** Moves `kept` bytes of a VMA to another place, where `newLength` bytes are mapped (move_vma). */
function move(
  k: Kernel,
  mm: Ptr,
  address: number,
  kept: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress: number,
): number {
  const { m } = k;
  if (!reserveOperation(k)) return -ENOMEM;
  const target = (flags & MREMAP_FIXED) !== 0 ? newAddress : getUnmappedArea(k, mm, newLength);
  if (target < 0) return target;
  if ((flags & MREMAP_FIXED) !== 0) {
    const cleared = munmapLocked(k, mm, target, newLength);
    if (cleared < 0) return cleared;
  }
  const vma = cutOut(k, mm, findVma(k, mm, address), address, address + kept);
  if (vma < 0) return vma;
  const spec = specOf(m, vma, address);
  spec.start = target;
  // Anonymous memory that was never faulted in forgets where it came from, and merges more easily.
  if (spec.file === NULL && spec.anonVma === 0) spec.pgoff = target;
  const tally = new Tally();
  const place = vmaPlace(k, mm, target, target + newLength, spec, tally);
  vmaStartWrite(k, mm, place);
  vmaStartWrite(k, mm, vma);
  if (m.load(place + VMA.anonVma) === 0) m.store(place + VMA.anonVma, spec.anonVma);
  // A mapping that was never faulted in may have merged with its own copy right below.
  if (place !== vma) moveResident(m, vma, place, kept / PAGE_SIZE, vmaPages(m, vma));
  tallyApply(k, mm, tally);
  if ((flags & MREMAP_DONTUNMAP) === 0) munmapLocked(k, mm, address, oldLength);
  return target;
}

/** Splits a VMA so that one of its own covers [start, end). @returns it, or -ENOMEM */
function cutOut(k: Kernel, mm: Ptr, vma: Ptr, start: number, end: number): number {
  if (vmaStart(k.m, vma) < start) {
    const below = vmaSplit(k, mm, vma, start, true);
    if (below < 0) return below;
  }
  if (vmaEnd(k.m, vma) > end) {
    const above = vmaSplit(k, mm, vma, end, false);
    if (above < 0) return above;
  }
  return vma;
}

/**
 * Moves the end of the heap (brk). As in the kernel a request that can't be met changes nothing.
 * @param address the new end; below the start of the heap: only asks
 * @returns the end of the heap afterwards, or what the wait for mmap_lock answers
 */
export function brk(k: Kernel, mm: Ptr, address: number): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  let locked = false;
  const old = mmBrk(k.m, mm);
  let end = old;
  try {
    if (address >= k.m.load64(mm + MM.startBrk) && moveBrk(k, mm, old, address)) {
      end = address;
      mmSetBrk(k.m, mm, end);
      const vma = address > old ? vmaEndingAt(k, mm, pageAlign(address)) : NULL;
      locked = vma !== NULL && (k.m.load(vma + VMA.vmFlags) & VM_LOCKED) !== 0;
    }
  } finally {
    mmapWriteUnlock(k, mm);
  }
  if (locked) populate(k, mm, pageAlign(old), pageAlign(address) - pageAlign(old));
  return end;
}

function moveBrk(k: Kernel, mm: Ptr, old: number, address: number): boolean {
  const from = pageAlign(old);
  const to = pageAlign(address);
  if (from === to) return true;
  if (to < from) return munmapLocked(k, mm, to, from - to) === 0;
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

/**
 * Grows a stack down to `address` (expand_stack).
 * @param limit RLIMIT_STACK in bytes
 * @returns 0; -EFAULT if no stack is above, -ENOMEM beyond the limit or too near to what lies below, or what the wait for
 *   mmap_lock answers
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
  if ((flags & VM_GROWSDOWN) === 0 || (flags & VM_SPECIAL) !== 0) return -EFAULT;
  if (address < MMAP_MIN_ADDR + STACK_GUARD_GAP) return -ENOMEM;
  const below = findVma(k, mm, address - STACK_GUARD_GAP);
  if (below !== vma && isAccessible(k, below)) return -ENOMEM;
  if (vmaEnd(m, vma) - address > limit || !reserveOperation(k)) return -ENOMEM;
  const tally = new Tally();
  tallyPages(tally, flags, m.load(vma + VMA.vmFlags2), (start - address) / PAGE_SIZE);
  vmaAbsorb(k, mm, vma, address, vmaEnd(m, vma), []);
  tallyApply(k, mm, tally);
  return 0;
}

/** Mappings without any access don't count as a neighbour of a growing stack. */
function isAccessible(k: Kernel, vma: Ptr): boolean {
  return (k.m.load(vma + VMA.vmFlags) & (VM_READ | VM_WRITE)) !== 0;
}
