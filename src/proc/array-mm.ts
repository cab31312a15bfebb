/** The address space behind stat, statm and status: numbers of one moment of one image. */
import { PF_KTHREAD } from "../kernel/flags.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, TASK } from "../kernel/layout.ts";
import { mmapLockSpeculateRetry, mmapLockSpeculateTryBegin, mmapReadLockKillable, mmapReadUnlock } from "../mm/lock.ts";
import type { Ptr } from "../sync/atomics.ts";
import type { MmNumbers } from "./snapshots.ts";

/** Times that a reader speculates before it takes mmap_lock. */
const TRIES = 8;
/** Pages of page tables that every process has, and pages that one table of the lowest level maps. */
const UPPER_TABLES = 7;
const PAGES_PER_TABLE = 512;
const TABLE_BYTES = 4096;

/**
 * Reads a task's address space in the manner of get_task_mm, without the reference: the numbers count only if the mm
 * still had users after they were read, since it is torn down only after that.
 * @returns the mm, or NULL if the task has none (kernel threads, zombies)
 * @pre RCU
 */
export function taskMmNumbers(k: Kernel, task: Ptr, out: MmNumbers): Ptr {
  const { m } = k;
  if ((m.load(task + TASK.flags) & PF_KTHREAD) !== 0) return 0;
  for (;;) {
    const mm = m.load(task + TASK.mm);
    if (mm === 0) return 0;
    readStill(k, mm, out);
    if (m.load(mm + MM.mmUsers) !== 0) return mm;
    // Its last user left: exec has brought a new mm, or exit is on its way.
    if (m.load(task + TASK.mm) === mm) return 0;
  }
}

/** Between two writers; if they come too fast, without one, or, where the thread must not sleep, whatever is there. */
function readStill(k: Kernel, mm: Ptr, out: MmNumbers): void {
  for (let i = 0; i < TRIES; i++) {
    const sequence = mmapLockSpeculateTryBegin(k, mm);
    readNumbers(k, mm, out);
    if (sequence >= 0 && !mmapLockSpeculateRetry(k, mm, sequence)) return;
  }
  const locked = k.t.maySleep && mmapReadLockKillable(k, mm) === 0;
  readNumbers(k, mm, out);
  if (locked) mmapReadUnlock(k, mm);
}

function readNumbers(k: Kernel, mm: Ptr, out: MmNumbers): void {
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
  out.hiwaterRss = m.load(mm + MM.hiwaterRss);
  out.hiwaterVm = m.load64(mm + MM.hiwaterVm);
  const resident = out.rssAnon + out.rssFile + out.rssShmem + out.swapEnts;
  const tables = UPPER_TABLES + Math.ceil(resident / PAGES_PER_TABLE);
  out.pgtablesBytes = m.load(mm + MM.pgtablesBytes) || tables * TABLE_BYTES;
}
