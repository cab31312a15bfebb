/** mmap(2) and munmap(2), with the kernel's checks, address choice, splitting and merging (mm/mmap.c, mm/vma.c). */
import { EEXIST, EINVAL, ENOMEM, EOVERFLOW } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, PATH, VMA } from "../kernel/layout.ts";
import { nextInode, pathNew, pathPut } from "../kernel/path.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { WAIT_OK } from "../sync/thread.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  MAX_MAP_COUNT,
  MMAP_MIN_ADDR,
  PMD_SIZE,
  PROT_WRITE,
  STACK_GUARD_GAP,
  TASK_SIZE,
  VM2_SHMEM,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYALL,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_SHARED,
  VM_WRITE,
} from "./flags.ts";
import { mmapWriteLockKillable, mmapWriteUnlock } from "./lock.ts";
import { populate } from "./resident.ts";
import { clearRange, freeGathered, gatherRange, reserveOperation, vmaPlace } from "./vma-edit.ts";
import { findGapTopDown, findVma } from "./vma-tree.ts";
import { Tally, VmaSpec, tallyApply, vmaEnd, vmaStart } from "./vma.ts";

/** Device of shared anonymous memory: the kernel's own tmpfs mount, 00:01. */
const SHMEM_MINOR = 1;

/** Rounds up to whole pages. */
export function pageAlign(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/**
 * Maps memory (do_mmap).
 * @param address a hint, or with MAP_FIXED the place; 0: the kernel chooses
 * @param length bytes
 * @param prot PROT_*
 * @param flags MAP_*; without a file MAP_ANONYMOUS is implied
 * @param file a PATH (a reference is taken), or NULL. A shared mapping that isn't writable counts as one of a file that
 *   was opened for reading only
 * @param offset bytes
 * @returns the address; -EINVAL, -ENOMEM, -EEXIST, -EOVERFLOW, or what the wait for mmap_lock answers
 */
export function mmap(
  k: Kernel,
  mm: Ptr,
  address: number,
  length: number,
  prot: number,
  flags: number,
  file: Ptr,
  offset: number,
): number {
  if (offset % PAGE_SIZE !== 0 || length <= 0) return -EINVAL;
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  let mapped: number;
  try {
    mapped = mmapLocked(k, mm, address, pageAlign(length), prot, flags, file, offset);
  } finally {
    mmapWriteUnlock(k, mm);
  }
  if (mapped >= 0 && (flags & (MAP_POPULATE | MAP_LOCKED)) !== 0) populate(k, mm, mapped, pageAlign(length));
  return mapped;
}

function mmapLocked(
  k: Kernel,
  mm: Ptr,
  address: number,
  length: number,
  prot: number,
  flags: number,
  file: Ptr,
  offset: number,
): number {
  if (length > TASK_SIZE || !reserveOperation(k)) return -ENOMEM;
  if (offset + length > Number.MAX_SAFE_INTEGER) return -EOVERFLOW;
  if (k.m.load(mm + MM.mapCount) > MAX_MAP_COUNT) return -ENOMEM;
  const start = chooseAddress(k, mm, address, length, flags, file);
  if (start < 0) return start;
  if (!isKnownKind(flags, file)) return -EINVAL;
  return mapRegion(k, mm, start, length, mmapFlags(prot, flags, file), file, offset);
}

/** Only private anonymous memory may grow down, and only files have extensions to be validated. */
function isKnownKind(flags: number, file: Ptr): boolean {
  const type = flags & MAP_TYPE;
  if (type === MAP_PRIVATE) return file === NULL || (flags & MAP_GROWSDOWN) === 0;
  return (flags & MAP_GROWSDOWN) === 0 && (type === MAP_SHARED || (type === MAP_SHARED_VALIDATE && file !== NULL));
}

function mapRegion(
  k: Kernel,
  mm: Ptr,
  start: number,
  length: number,
  flags: number,
  file: Ptr,
  offset: number,
): number {
  const spec = new VmaSpec();
  const anonymous = file === NULL;
  const shared = anonymous && (flags & VM_SHARED) !== 0;
  const gathered: Ptr[] = [];
  const cut = gatherRange(k, mm, start, start + length, gathered);
  if (cut < 0) return cut;
  spec.start = start;
  spec.flags = flags;
  spec.file = shared ? sharedAnonymous(k, length) : file;
  spec.flags2 = spec.file !== NULL && k.m.load(spec.file + PATH.shmem) !== 0 ? VM2_SHMEM : 0;
  if (!anonymous) spec.pgoff = offset;
  else spec.pgoff = shared ? 0 : start;
  const tally = new Tally();
  vmaPlace(k, mm, start, start + length, spec, tally);
  freeGathered(k, mm, gathered, tally);
  tallyApply(k, mm, tally);
  if (shared) pathPut(k, spec.file);
  return start;
}

/** The file behind a shared anonymous mapping; each has its own. */
function sharedAnonymous(k: Kernel, length: number): Ptr {
  return pathNew(k, {
    name: "/dev/zero",
    devMajor: 0,
    devMinor: SHMEM_MINOR,
    ino: nextInode(k),
    mode: 0o100777,
    size: length,
    deleted: true,
    shmem: true,
  });
}

function mmapFlags(prot: number, flags: number, file: Ptr): number {
  let vm = (prot & VM_ACCESS_FLAGS) | VM_MAYALL;
  if ((flags & MAP_GROWSDOWN) !== 0) vm |= VM_GROWSDOWN;
  if ((flags & MAP_LOCKED) !== 0) vm |= VM_LOCKED;
  if ((flags & MAP_NORESERVE) !== 0) vm |= VM_NORESERVE;
  if ((flags & MAP_TYPE) === MAP_PRIVATE) {
    return (vm & (VM_WRITE | VM_NORESERVE)) === VM_WRITE ? vm | VM_ACCOUNT : vm;
  }
  vm |= VM_SHARED | VM_MAYSHARE;
  return file !== NULL && (prot & PROT_WRITE) === 0 ? vm & ~(VM_MAYWRITE | VM_SHARED) : vm;
}

/** Where a mapping goes (__get_unmapped_area). @pre mmap_lock for write; @returns the address, -EINVAL, -ENOMEM or -EEXIST */
export function chooseAddress(k: Kernel, mm: Ptr, address: number, length: number, flags: number, file: Ptr): number {
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0) {
    if (address > TASK_SIZE - length) return -ENOMEM;
    if (address % PAGE_SIZE !== 0) return -EINVAL;
    if ((flags & MAP_FIXED_NOREPLACE) !== 0 && !isFree(k, mm, address, length)) return -EEXIST;
    return address;
  }
  const hint = hintOf(address);
  if (hint !== 0 && hint <= TASK_SIZE - length && isFreeWithGuard(k, mm, hint, length)) return hint;
  const anonymous = file === NULL || (flags & MAP_ANONYMOUS) !== 0;
  const huge = anonymous && hint === 0 && (flags & MAP_TYPE) === MAP_PRIVATE && length % PMD_SIZE === 0;
  return getUnmappedArea(k, mm, length, huge);
}

/** A hint below what can be mapped means the lowest address that can (round_hint_to_min); 0: none. */
function hintOf(address: number): number {
  const hint = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  return hint === 0 ? 0 : Math.max(hint, MMAP_MIN_ADDR);
}

function isFree(k: Kernel, mm: Ptr, start: number, length: number): boolean {
  const vma = findVma(k, mm, start);
  return vma === NULL || vmaStart(k.m, vma) >= start + length;
}

function isFreeWithGuard(k: Kernel, mm: Ptr, start: number, length: number): boolean {
  const vma = findVma(k, mm, start);
  return vma === NULL || guardedStart(k, vma) >= start + length;
}

/** Where the free space below a VMA ends: a stack keeps a gap below itself (vm_start_gap). @pre mmap_lock */
export function guardedStart(k: Kernel, vma: Ptr): number {
  const start = vmaStart(k.m, vma);
  return (k.m.load(vma + VMA.vmFlags) & VM_GROWSDOWN) !== 0 ? Math.max(0, start - STACK_GUARD_GAP) : start;
}

/**
 * The highest free range below mmap_base; if there is none, anywhere (arch_get_unmapped_area_topdown).
 * @param huge align the range to huge pages if possible
 * @returns its address, or -ENOMEM
 * @pre mmap_lock for write
 */
function getUnmappedArea(k: Kernel, mm: Ptr, length: number, huge: boolean): number {
  if (huge) {
    const end = gapEnd(k, mm, length + PMD_SIZE);
    // The padded range starts below; its top is used, moved down to a multiple.
    if (end >= 0) return Math.floor((end - length) / PMD_SIZE) * PMD_SIZE;
  }
  const end = gapEnd(k, mm, length);
  return end < 0 ? -ENOMEM : end - length;
}

function gapEnd(k: Kernel, mm: Ptr, length: number): number {
  const base = k.m.load64(mm + MM.mmapBase);
  const below = gapEndBelow(k, mm, base === 0 ? TASK_SIZE : base, length);
  return below >= 0 || base === 0 ? below : gapEndBelow(k, mm, TASK_SIZE, length);
}

function gapEndBelow(k: Kernel, mm: Ptr, high: number, length: number): number {
  let limit = high;
  for (;;) {
    const end = findGapTopDown(k, mm, MMAP_MIN_ADDR, limit, length);
    if (end < 0) return -1;
    const above = findVma(k, mm, end);
    if (above === NULL || guardedStart(k, above) >= end) return end;
    limit = guardedStart(k, above);
  }
}

/**
 * Unmaps memory (do_munmap).
 * @param address bytes, a multiple of the page size
 * @returns 0; -EINVAL, -ENOMEM (splitting would make too many), or what the wait for mmap_lock answers
 */
export function munmap(k: Kernel, mm: Ptr, address: number, length: number): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  try {
    return munmapLocked(k, mm, address, length);
  } finally {
    mmapWriteUnlock(k, mm);
  }
}

/** As {@link munmap}. @pre mmap_lock for write */
export function munmapLocked(k: Kernel, mm: Ptr, address: number, length: number): number {
  if (address % PAGE_SIZE !== 0 || address > TASK_SIZE || length > TASK_SIZE - address) return -EINVAL;
  const end = address + pageAlign(length);
  if (end <= address) return -EINVAL;
  if (!reserveOperation(k)) return -ENOMEM;
  const gathered: Ptr[] = [];
  const cut = gatherRange(k, mm, address, end, gathered);
  if (cut < 0 || gathered.length === 0) return cut;
  const first = vmaStart(k.m, gathered[0] as Ptr);
  const last = vmaEnd(k.m, gathered[gathered.length - 1] as Ptr);
  const tally = new Tally();
  clearRange(k, mm, first, last);
  freeGathered(k, mm, gathered, tally);
  tallyApply(k, mm, tally);
  return 0;
}
