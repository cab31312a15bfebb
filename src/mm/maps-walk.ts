/**
 * The iteration behind maps, smaps, numa_maps, smaps_rollup and map_files (m_start, m_next, m_stop: fs/proc/task_mmu.c), in
 * both forms: under per-VMA locks, and with mmap_lock held for read all along, as before that patch.
 *
 * maps is inside one RCU section from start to stop. The others walk the page tables of each VMA, which may sleep: for that
 * time the section is left, and the VMA's lock alone keeps the VMA as it is. The tree's nodes may be gone afterwards, so
 * that the next lookup starts at the root.
 *
 * Positions are the kernel's: the *end* of the VMA that was reported last, so that the position moves on even if that VMA
 * has grown since. A read that found a record but had no room for it starts again at the position before; that is why
 * both are kept.
 */
import { Event } from "../kernel/counters.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { PathId } from "../kernel/knobs.ts";
import { Path, pathIsLocked } from "../kernel/knobs.ts";
import { countOnWayToLock } from "../kernel/lock-wait.ts";
import { HOST } from "../kernel/layout.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { rcuQuiescent, rcuReadLock, rcuReadUnlock } from "../sync/rcu.ts";
import { WAIT_OK } from "../sync/thread.ts";
import { lockNextVma, mmapIsContended, mmapReadLockCounted, mmapReadUnlock, vmaEndRead } from "./lock.ts";
import { mmgetNotZero, mmput } from "./mm.ts";
import { VmaIter, vmaIterInit, vmaNext } from "./vma-tree.ts";
import { VmaSnapshot, readGate, readVma } from "./vma-snapshot.ts";

/** Position of the gate area (-2 in the kernel), and after the last record (-1). */
export const MAPS_GATE = Number.MAX_SAFE_INTEGER - 1;
export const MAPS_END = Number.MAX_SAFE_INTEGER;

/** One walk at a time; one object per thread, reused. */
export class MapsWalk {
  /** The record found by start or next; valid until the next call. Page counts are for those paths that show them. */
  readonly vma = new VmaSnapshot();
  /** Where the walk is, and where it was before the last record: keep both between reads. */
  position = 0;
  lastPosition = 0;
  private mm: Ptr = NULL;
  private path: PathId = 0;
  private readonly iter = new VmaIter();
  private mmapLocked = false;
  private lockedVma: Ptr = NULL;

  /**
   * Pins the mm and finds the record at a position (m_start). Call {@link stop} in any case.
   * @param mm NULL or an mm without users: the walk is at its end
   * @param path which of the files it is for: its knob selects the form, its counters count
   * @param position 0 at first, both of them, then `position` and `lastPosition` as they were at the last stop
   * @returns 1 if there is a record, 0 at the end; WAIT_EINTR or WAIT_WOULD_BLOCK, with the position as it was
   * @pre RCU online, no section open
   */
  start(k: Kernel, mm: Ptr, path: PathId, position: number, lastPosition: number): number {
    this.mm = NULL;
    this.path = path;
    this.position = position;
    this.lastPosition = lastPosition;
    if (position === MAPS_END || mm === NULL || !mmgetNotZero(k, mm)) return 0;
    const locked = this.lockRange(k, mm);
    if (locked !== WAIT_OK) {
      mmput(k, mm);
      return locked;
    }
    this.mm = mm;
    if (position === MAPS_GATE) return this.gate();
    this.position = lastPosition;
    vmaIterInit(this.iter, this.position);
    return this.proceed(k);
  }

  /** Goes on to the next record (m_next); same results as {@link start}. */
  next(k: Kernel): number {
    if (this.position !== MAPS_GATE) return this.proceed(k);
    this.position = MAPS_END;
    return 0;
  }

  /**
   * Lets a writer go first who waits for mmap_lock, if that is held: gives the lock back, takes it again, and goes on behind
   * the record found last (mmap_lock_is_contended in show_smaps_rollup). That record may have grown or gone meanwhile. Only
   * for threads that may sleep: a request that is parked starts from the beginning, and might never come to the end.
   * @returns 0; or WAIT_EINTR, with mmap_lock not held: only {@link stop} may follow
   */
  giveWay(k: Kernel): number {
    const { mm } = this;
    if (!this.mmapLocked || !k.t.maySleep || !mmapIsContended(k, mm)) return WAIT_OK;
    mmapReadUnlock(k, mm);
    this.mmapLocked = false;
    const locked = mmapReadLockCounted(k, mm, this.path);
    if (locked !== WAIT_OK) rcuReadLock(k.t);
    else this.mmapLocked = true;
    vmaIterInit(this.iter, this.position);
    return locked;
  }

  /** Unlocks what start and next have locked, and unpins the mm (m_stop, unlock_vma_range). */
  stop(k: Kernel): void {
    const { mm } = this;
    if (mm === NULL) return;
    this.mm = NULL;
    if (this.mmapLocked) {
      mmapReadUnlock(k, mm);
    } else {
      this.unlockVma(k);
      rcuReadUnlock(k.t);
    }
    mmput(k, mm);
  }

  /** Finds and locks the next VMA that ends above `address`. */
  private lockNext(k: Kernel, address: number): number {
    return lockNextVma(k, this.mm, this.iter, address, this.path);
  }

  /** lock_vma_range. */
  private lockRange(k: Kernel, mm: Ptr): number {
    this.mmapLocked = pathIsLocked(k, this.path);
    this.lockedVma = NULL;
    if (!this.mmapLocked) {
      rcuReadLock(k.t);
      return WAIT_OK;
    }
    countOnWayToLock(k, this.path, Event.fellBack);
    return mmapReadLockCounted(k, mm, this.path);
  }

  /** proc_get_vma. */
  private proceed(k: Kernel): number {
    // Set first: if the lookup fails, a new start must not go back behind the record before it.
    this.lastPosition = this.position;
    const vma = this.nextVma(k);
    if (vma < 0) return vma;
    if (vma === NULL) return this.gate();
    if (walksPages(this.path)) this.walkPages(k, vma);
    else readVma(k, this.mm, vma, this.vma, false);
    this.position = this.vma.end;
    return 1;
  }

  /** smap_gather_stats and show_numa_map: outside of RCU. */
  private walkPages(k: Kernel, vma: Ptr): void {
    if (!this.mmapLocked) rcuReadUnlock(k.t);
    condResched(k);
    readVma(k, this.mm, vma, this.vma, true);
    if (this.mmapLocked) return;
    rcuReadLock(k.t);
    vmaIterInit(this.iter, this.vma.end);
  }

  /** get_next_vma. */
  private nextVma(k: Kernel): number {
    if (this.mmapLocked) return vmaNext(k, this.mm, this.iter);
    this.unlockVma(k);
    const vma = this.lockNext(k, this.position);
    if (vma > 0) this.lockedVma = vma;
    return vma;
  }

  private gate(): number {
    this.position = MAPS_GATE;
    readGate(this.vma);
    return 1;
  }

  private unlockVma(k: Kernel): void {
    if (this.lockedVma === NULL) return;
    vmaEndRead(k, this.lockedVma);
    this.lockedVma = NULL;
  }
}

/** The paths that show pages. */
function walksPages(path: PathId): boolean {
  return path === Path.smaps || path === Path.smaps_rollup || path === Path.numa_maps;
}

/** A point of a long walk at which others may run, and grace periods end (cond_resched). */
function condResched(k: Kernel): void {
  // A thread that serves requests keeps what it has found by not becoming quiescent before the request ends.
  if (k.t.maySleep) rcuQuiescent(k.t, HOST.rcu);
  else k.t.lockdep.mightSleep();
}
