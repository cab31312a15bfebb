/**
 * The locks of an address space: mmap_lock with its sequence count, and the lock of each VMA (mm/mmap_lock.c,
 * include/linux/mmap_lock.h, with "fs/proc/task_mmu: read proc/pid/maps under per-vma lock", v6 7/8, July 2025).
 *
 * A VMA's reference count is its lock. 0: detached, nobody can lock it. 1: attached. Each reader adds 1. A writer who
 * waits for the readers adds VMA_LOCK_OFFSET, which keeps further readers out. Once they have gone, the writer marks the
 * VMA by copying mm_lock_seq into it: it counts as write-locked for as long as both are equal, that is until
 * mmap_lock is released.
 */
import { Event, countEvent } from "../kernel/counters.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { PathId } from "../kernel/knobs.ts";
import { downReadCounted, waitGoesOn } from "../kernel/lock-wait.ts";
import { MM, VMA } from "../kernel/layout.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { rcuReadLock, rcuReadUnlock } from "../sync/rcu.ts";
import { downReadKillable, downWrite, downWriteKillable, rwsemIsContended, upRead, upWrite } from "../sync/rwsem.ts";
import { seqcountRetry, seqcountTryBegin, writeSeqcountBegin, writeSeqcountEnd } from "../sync/seqcount.ts";
import { WAIT_OK } from "../sync/thread.ts";
import { sleepOn } from "../sync/waitqueue.ts";
import type { VmaIter } from "./vma-tree.ts";
import { vmaIterInit, vmaNext } from "./vma-tree.ts";

/** What a waiting writer adds to vm_refcnt. */
const VMA_LOCK_OFFSET = 0x40000000;
const VMA_REF_LIMIT = VMA_LOCK_OFFSET - 1;

/** vmaStartRead: write-locked or reused; take the slow path. */
export const VMA_BUSY = 0;
/** vmaStartRead: detached; look again (-EAGAIN). */
export const VMA_DETACHED = -1;

const ALL = 0x7fffffff;

/** Takes mmap_lock for write; the sequence count is odd until the unlock. */
export function mmapWriteLock(k: Kernel, mm: Ptr): void {
  downWrite(k.t, mm + MM.mmapLock, LockClass.mmap);
  writeSeqcountBegin(k.m, mm + MM.mmLockSeq);
}

/** As {@link mmapWriteLock}. @returns WAIT_OK, or WAIT_EINTR or WAIT_WOULD_BLOCK with nothing held */
export function mmapWriteLockKillable(k: Kernel, mm: Ptr): number {
  const result = downWriteKillable(k.t, mm + MM.mmapLock, LockClass.mmap);
  if (result === WAIT_OK) writeSeqcountBegin(k.m, mm + MM.mmLockSeq);
  return result;
}

/** Releases mmap_lock; this also releases every VMA that was write-locked under it (vma_end_write_all). */
export function mmapWriteUnlock(k: Kernel, mm: Ptr): void {
  writeSeqcountEnd(k.m, mm + MM.mmLockSeq);
  upWrite(k.t, mm + MM.mmapLock, LockClass.mmap);
}

/** @returns WAIT_OK, or WAIT_EINTR or WAIT_WOULD_BLOCK with nothing held */
export function mmapReadLockKillable(k: Kernel, mm: Ptr): number {
  return downReadKillable(k.t, mm + MM.mmapLock, LockClass.mmap);
}

/** As {@link mmapReadLockKillable}, and counts and times a wait for `path`. */
export function mmapReadLockCounted(k: Kernel, mm: Ptr, path: PathId): number {
  return downReadCounted(k, path, mm + MM.mmapLock, LockClass.mmap);
}

/** True while somebody sleeps for mmap_lock (mmap_lock_is_contended). */
export function mmapIsContended(k: Kernel, mm: Ptr): boolean {
  return rwsemIsContended(k.t, mm + MM.mmapLock);
}

export function mmapReadUnlock(k: Kernel, mm: Ptr): void {
  upRead(k.t, mm + MM.mmapLock, LockClass.mmap);
}

/** @returns a snapshot for {@link mmapLockSpeculateRetry}, or -1 while a writer holds mmap_lock */
export function mmapLockSpeculateTryBegin(k: Kernel, mm: Ptr): number {
  return seqcountTryBegin(k.m, mm + MM.mmLockSeq);
}

/** True if the address space may have changed since the snapshot. */
export function mmapLockSpeculateRetry(k: Kernel, mm: Ptr, snapshot: number): boolean {
  return seqcountRetry(k.m, mm + MM.mmLockSeq, snapshot);
}

/** True if the VMA has been write-locked since mmap_lock was taken. @pre mmap_lock for write */
function vmaIsWriteLocked(k: Kernel, mm: Ptr, vma: Ptr): boolean {
  return k.m.load(vma + VMA.vmLockSeq) === k.m.load(mm + MM.mmLockSeq);
}

/** Write-locks a VMA until mmap_lock is released; waits for its readers. @pre mmap_lock for write */
export function vmaStartWrite(k: Kernel, mm: Ptr, vma: Ptr): void {
  if (vmaIsWriteLocked(k, mm, vma)) return;
  const entered = enterLocked(k, vma, VMA_LOCK_OFFSET + 1);
  k.m.store(vma + VMA.vmLockSeq, k.m.load(mm + MM.mmLockSeq));
  if (entered) k.m.add(vma + VMA.vmRefcnt, -VMA_LOCK_OFFSET);
}

/**
 * Keeps new readers out and waits until the count is `target` (__vma_enter_locked).
 * @returns false if the VMA is detached, and nobody holds it any more
 * @pre mmap_lock for write
 */
function enterLocked(k: Kernel, vma: Ptr, target: number): boolean {
  const { m } = k;
  const word = vma + VMA.vmRefcnt;
  let seen = m.load(word);
  for (;;) {
    if (seen === 0) return false;
    const found = m.compareExchange(word, seen, seen + VMA_LOCK_OFFSET);
    if (found === seen) break;
    seen = found;
  }
  for (let i = 0; ; i++) {
    seen = m.load(word);
    if (seen === target) return true;
    if (i >= m.spins) sleepOn(k.t, word, seen);
  }
}

/** Readers can lock the VMA from now on. @pre mmap_lock for write, or nobody else can see the VMA; it is detached */
export function vmaMarkAttached(k: Kernel, vma: Ptr): void {
  k.m.store(vma + VMA.vmRefcnt, 1);
}

/** Nobody can lock the VMA from now on; waits for those who are just finding out. @pre write-locked, attached */
export function vmaMarkDetached(k: Kernel, vma: Ptr): void {
  if (k.m.add(vma + VMA.vmRefcnt, -1) === 1) return;
  if (enterLocked(k, vma, VMA_LOCK_OFFSET)) k.m.add(vma + VMA.vmRefcnt, -VMA_LOCK_OFFSET);
}

/**
 * Tries to lock a VMA for read that was found in the tree of `mm` under RCU. It may since have been changed, or freed,
 * or even reused; after success it can't.
 * @returns the VMA, VMA_BUSY or VMA_DETACHED
 */
export function vmaStartRead(k: Kernel, mm: Ptr, vma: Ptr): number {
  const { m } = k;
  if (m.load(vma + VMA.vmLockSeq) === m.load(mm + MM.mmLockSeq)) return VMA_BUSY;
  const refused = takeReadReference(k, vma);
  if (refused !== WAIT_OK) return refused === VMA_DETACHED ? VMA_DETACHED : VMA_BUSY;
  k.t.lockdep.acquire(LockClass.vma);
  const reused = m.load(vma + VMA.vmMm) !== mm;
  // A writer may have come between the first look at the sequence and the reference. The VMA is locked by it only if
  // it is so now: the reference keeps later ones waiting.
  if (!reused && m.load(vma + VMA.vmLockSeq) !== m.load(mm + MM.mmLockSeq)) return vma;
  vmaEndRead(k, vma);
  return VMA_BUSY;
}

/** @returns WAIT_OK, VMA_DETACHED, or 1 if a writer keeps readers out */
function takeReadReference(k: Kernel, vma: Ptr): number {
  const { m } = k;
  let seen = m.load(vma + VMA.vmRefcnt);
  for (;;) {
    if (seen === 0) return VMA_DETACHED;
    if (seen >= VMA_REF_LIMIT) return 1;
    const found = m.compareExchange(vma + VMA.vmRefcnt, seen, seen + 1);
    if (found === seen) return WAIT_OK;
    seen = found;
  }
}

/** Locks a VMA for read under mmap_lock, which keeps writers away. @pre mmap_lock for read */
function vmaStartReadLocked(k: Kernel, vma: Ptr): void {
  k.m.add(vma + VMA.vmRefcnt, 1);
  k.t.lockdep.acquire(LockClass.vma);
}

/** Unlocks a read-locked VMA; the last reader wakes a waiting writer. */
export function vmaEndRead(k: Kernel, vma: Ptr): void {
  k.t.lockdep.release(LockClass.vma);
  const left = k.m.add(vma + VMA.vmRefcnt, -1) - 1;
  if (left === VMA_LOCK_OFFSET || left === VMA_LOCK_OFFSET + 1) k.m.notify(vma + VMA.vmRefcnt, ALL);
}

/**
 * Finds and read-locks the next VMA under mmap_lock, which is held only meanwhile (lock_vma_under_mmap_lock).
 * @returns the VMA, 0 if there is none, WAIT_EINTR or WAIT_WOULD_BLOCK
 * @pre a user of the mm; RCU online, no section open
 */
function lockVmaUnderMmapLock(k: Kernel, mm: Ptr, iter: VmaIter, address: number, path: PathId): number {
  const result = mmapReadLockCounted(k, mm, path);
  if (result !== WAIT_OK) return result;
  countEvent(k, path, Event.mmapLockFallback);
  vmaIterInit(iter, address);
  const vma = vmaNext(k, mm, iter);
  if (vma !== NULL) vmaStartReadLocked(k, vma);
  mmapReadUnlock(k, mm);
  return vma;
}

/**
 * Finds and read-locks the next VMA that ends above `address`, without mmap_lock unless a writer is just at it
 * (lock_next_vma). Leaves the RCU section for the time of a fallback. `iter` may stand anywhere; if it stands at
 * `address`, the lookup costs less.
 * @returns the VMA, 0 if there is none, WAIT_EINTR or WAIT_WOULD_BLOCK with nothing held
 * @pre a user of the mm, an RCU section (one level), no VMA locked
 */
export function lockNextVma(k: Kernel, mm: Ptr, iter: VmaIter, address: number, path: PathId): number {
  // Who has already begun to wait for mmap_lock, and was parked meanwhile, is after the lock.
  if (waitGoesOn(k, path)) return fallBack(k, mm, iter, address, path);
  countEvent(k, path, Event.speculated);
  // The patch goes on where the tree had the last VMA end. If that one was cut short after it was found and before it was
  // locked, this is beyond `address`, and what is mapped in between would be missed.
  if (iter.index !== address) vmaIterInit(iter, address);
  for (;;) {
    const snapshot = mmapLockSpeculateTryBegin(k, mm);
    const found = vmaNext(k, mm, iter);
    if (found === NULL) return NULL;
    const vma = vmaStartRead(k, mm, found);
    if (vma === VMA_DETACHED) {
      // It was taken from under us. Somebody has to do so again each time for this loop to go on.
      countEvent(k, path, Event.retried);
      vmaIterInit(iter, address);
      continue;
    }
    if (vma === VMA_BUSY) break;
    if (isNextVma(k, mm, iter, vma, address, snapshot, path)) return vma;
    vmaEndRead(k, vma);
    break;
  }
  return fallBack(k, mm, iter, address, path);
}

/** The end of {@link lockNextVma} if a writer is at the VMA. */
function fallBack(k: Kernel, mm: Ptr, iter: VmaIter, address: number, path: PathId): number {
  rcuReadUnlock(k.t);
  const vma = lockVmaUnderMmapLock(k, mm, iter, address, path);
  rcuReadLock(k.t);
  return vma;
}

/** Is the VMA that has been locked still the next one after `address`? */
function isNextVma(
  k: Kernel,
  mm: Ptr,
  iter: VmaIter,
  vma: Ptr,
  address: number,
  snapshot: number,
  path: PathId,
): boolean {
  const { m } = k;
  if (m.load(vma + VMA.vmMm) !== mm || address >= m.load64(vma + VMA.vmEnd)) return false;
  if (address >= m.load64(vma + VMA.vmStart)) return true;
  // A gap. If the VMA was shrunk after it was found, and another one mapped where it began, the gap is not real.
  if (snapshot >= 0 && !mmapLockSpeculateRetry(k, mm, snapshot)) return true;
  countEvent(k, path, Event.gapVerified);
  vmaIterInit(iter, address);
  return vmaNext(k, mm, iter) === vma;
}
