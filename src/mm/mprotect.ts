/** mprotect(2), prctl(PR_SET_VMA_ANON_NAME) and mlock(2): attributes of a range (mm/mprotect.c, mm/madvise.c, mm/mlock.c). */
import { EACCES, EBADF, EINVAL, ENOMEM } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { PAGE_SIZE, VMA } from "../kernel/layout.ts";
import { bytesPut } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { WAIT_OK } from "../sync/thread.ts";
import {
  ANON_NAME_MAX,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM2_SHMEM,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NORESERVE,
  VM_SHARED,
  VM_SPECIAL,
  VM_WRITE,
} from "./flags.ts";
import { mmapWriteLockKillable, mmapWriteUnlock } from "./lock.ts";
import { pageAlign } from "./mmap.ts";
import { populate, populateVma } from "./resident.ts";
import type { VmaChange } from "./vma-edit.ts";
import { vmaModify } from "./vma-edit.ts";
import { findVma } from "./vma-tree.ts";
import { Tally, sameName, tallyApply, vmaEnd, vmaStart } from "./vma.ts";

/** What is asked for a range. */
type Request =
  | { readonly kind: "protect"; readonly prot: number }
  | { readonly kind: "rename"; readonly name: Ptr }
  | { readonly kind: "lock"; readonly on: boolean };

/**
 * Changes all VMAs of a range, one after another.
 * @param skipHoles go on after a hole and answer -ENOMEM at the end (madvise, prctl); else stop there (mprotect)
 */
function changeRange(k: Kernel, mm: Ptr, start: number, end: number, skipHoles: boolean, request: Request): number {
  const tally = new Tally();
  let at = start;
  let result = 0;
  while (at < end) {
    const vma = findVma(k, mm, at);
    if (vma === NULL || vmaStart(k.m, vma) > at) {
      result = -ENOMEM;
      if (!skipHoles || vma === NULL) break;
      at = vmaStart(k.m, vma);
      continue;
    }
    const to = Math.min(end, vmaEnd(k.m, vma));
    const wanted = wish(k, vma, request);
    const changed = typeof wanted === "number" ? wanted : applyChange(k, mm, vma, at, to, wanted, tally);
    if (changed < 0) {
      result = changed;
      break;
    }
    at = to;
  }
  tallyApply(k, mm, tally);
  return result;
}

function applyChange(
  k: Kernel,
  mm: Ptr,
  vma: Ptr,
  start: number,
  end: number,
  change: VmaChange,
  tally: Tally,
): number {
  const same =
    k.m.load(vma + VMA.vmFlags) === change.flags && sameName(k.m, k.m.load(vma + VMA.anonName), change.anonName);
  if (same) return 0;
  const old = k.m.load(vma + VMA.vmFlags);
  const changed = vmaModify(k, mm, vma, start, end, change, tally);
  // Locked private memory that becomes writable is copied at once, so that no later access faults.
  const copies = (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (change.flags & VM_WRITE) !== 0;
  if (copies && changed > 0) populateVma(k, mm, changed, start, end);
  return changed;
}

/** The attributes that a VMA shall get, or a negated errno. */
function wish(k: Kernel, vma: Ptr, request: Request): VmaChange | number {
  if (request.kind === "protect") return protect(k, vma, request.prot);
  return request.kind === "rename" ? rename(k, vma, request.name) : lockInMemory(k, vma, request.on);
}

function changeLocked(k: Kernel, mm: Ptr, start: number, end: number, skipHoles: boolean, request: Request): number {
  const result = mmapWriteLockKillable(k, mm);
  if (result !== WAIT_OK) return result;
  try {
    return changeRange(k, mm, start, end, skipHoles, request);
  } finally {
    mmapWriteUnlock(k, mm);
  }
}

/**
 * Changes the protection of a range (do_mprotect_pkey). What was changed before an error stays changed.
 * @param prot PROT_*
 * @returns 0; -EINVAL, -ENOMEM (not mapped, or too many VMAs), -EACCES, or what the wait for mmap_lock answers
 */
export function mprotect(k: Kernel, mm: Ptr, address: number, length: number, prot: number): number {
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  if (length === 0) return 0;
  const end = address + pageAlign(length);
  if (end <= address) return -ENOMEM;
  if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) !== 0) return -EINVAL;
  return changeLocked(k, mm, address, end, false, { kind: "protect", prot });
}

function protect(k: Kernel, vma: Ptr, prot: number): VmaChange | number {
  const { m } = k;
  const old = m.load(vma + VMA.vmFlags);
  let flags = (old & ~VM_ACCESS_FLAGS) | prot;
  if ((flags & ~(flags >>> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
  if (flags === old) return { flags, anonName: m.load(vma + VMA.anonName) };
  const anonymous = m.load(vma + VMA.vmFile) === NULL;
  if ((flags & VM_WRITE) !== 0) {
    const settled = VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE;
    if ((old & settled) === 0) flags |= VM_ACCOUNT;
  } else if ((old & VM_ACCOUNT) !== 0 && anonymous && m.load(vma + VMA.anonVma) === 0) {
    // Never written to: what was set aside for it is given back.
    flags &= ~VM_ACCOUNT;
  }
  return { flags, anonName: m.load(vma + VMA.anonName) };
}

/** True if every byte may stand in the name of a mapping: printable, and none of \ ` $ [ ]. */
function isValidName(name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = name[i] as number;
    if (byte <= 0x1f || byte >= 0x7f) return false;
    if (byte === 0x5c || byte === 0x60 || byte === 0x24 || byte === 0x5b || byte === 0x5d) return false;
  }
  return name.length <= ANON_NAME_MAX;
}

/**
 * Names anonymous memory (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)).
 * @param name up to 79 printable bytes; null removes the name
 * @returns 0; -EINVAL, -ENOMEM (parts are not mapped), -EBADF (a file), or what the wait for mmap_lock answers
 */
export function madviseName(k: Kernel, mm: Ptr, address: number, length: number, name: Uint8Array | null): number {
  if (name !== null && !isValidName(name)) return -EINVAL;
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  const end = address + pageAlign(length);
  if (end < address) return -EINVAL;
  if (end === address) return 0;
  const bytes = name === null ? NULL : k.bytes(name);
  const result = changeLocked(k, mm, address, end, true, { kind: "rename", name: bytes });
  bytesPut(k.m, k.slab, bytes);
  return result;
}

function rename(k: Kernel, vma: Ptr, name: Ptr): VmaChange | number {
  const { m } = k;
  const file = m.load(vma + VMA.vmFile);
  if (file !== NULL && (m.load(vma + VMA.vmFlags2) & VM2_SHMEM) === 0) return -EBADF;
  return { flags: m.load(vma + VMA.vmFlags), anonName: name };
}

/**
 * Locks a range into memory, or unlocks it (mlock, munlock). The start is rounded down to a page.
 * @returns 0; -EINVAL, -ENOMEM (parts are not mapped, or too many VMAs), or what the wait for mmap_lock answers
 */
export function mlock(k: Kernel, mm: Ptr, address: number, length: number, on: boolean): number {
  const start = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  const end = start + pageAlign(length + address - start);
  if (end < start) return -EINVAL;
  if (end === start) return 0;
  const result = changeLocked(k, mm, start, end, false, { kind: "lock", on });
  return result === 0 && on ? populate(k, mm, start, end - start) : result;
}

function lockInMemory(k: Kernel, vma: Ptr, on: boolean): VmaChange {
  const old = k.m.load(vma + VMA.vmFlags);
  const anonName = k.m.load(vma + VMA.anonName);
  if ((old & (VM_SPECIAL | VM_HUGETLB)) !== 0) return { flags: old, anonName };
  return { flags: on ? old | VM_LOCKED : old & ~VM_LOCKED, anonName };
}
