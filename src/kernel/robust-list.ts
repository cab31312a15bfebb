/**
 * The list of robust futexes: where each thread's list begins (get_robust_list(2), kernel/futex/syscalls.c, with the series
 * in exec-update.ts), and what a C library tells the kernel of it.
 *
 * An address is set before a task is published, or while its exec holds exec_update_lock for write: a reader that has
 * validated its section has not seen half of it. It is cleared at any time, low half first, and has no low half that is 0.
 */
import { VM_ACCESS_FLAGS, VM_GROWSDOWN, VM_SHARED, VM_WRITE } from "../mm/flags.ts";
import { VmaIter, findVma, vmaIterInit, vmaNext } from "../mm/vma-tree.ts";
import type { Ptr } from "../sync/atomics.ts";
import { EPERM, ESRCH } from "./errno.ts";
import { execUpdateReadBegin, execUpdateReadDone, execUpdateReadNeedsRetry, isExecUpdateError } from "./exec-update.ts";
import { CLONE_THREAD, PTRACE_MODE_READ_REALCREDS } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { Path } from "./knobs.ts";
import { MM, PAGE_SIZE, TASK, VMA } from "./layout.ts";
import { findTask } from "./pid.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import type { Subject } from "./subject.ts";
import { firstThread, nextThread, pinTask, unpinTask } from "./task.ts";

/** Bytes of a list's head (struct robust_list_head): the only length there is. */
const ROBUST_LIST_HEAD_BYTES = 24;

const TWO_32 = 4294967296;

/** What get_robust_list answers. */
export class RobustList {
  /** Address of the head in the task's memory, 0 if it has none. */
  head = 0;
  /** Bytes. */
  length = ROBUST_LIST_HEAD_BYTES;
}

/**
 * Where a task's list of robust futexes begins.
 * @param pid a process or thread; 0 is the caller itself, who is none of the simulation
 * @returns 0, -ESRCH, -EPERM, -EINTR, or would-block; `out` is valid only after 0
 * @pre RCU online, no section open
 */
export function getRobustList(k: Kernel, pid: number, subject: Subject, out: RobustList): number {
  const task = findTask(k, pid);
  if (task === 0 || !pinTask(k, task)) return -ESRCH;
  const result = guardedRobustList(k, task, subject, out);
  unpinTask(k, task);
  return result;
}

function guardedRobustList(k: Kernel, task: Ptr, subject: Subject, out: RobustList): number {
  const signal = k.m.load(task + TASK.signal);
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, Path.get_robust_list, signal, lock);
    if (isExecUpdateError(token)) return token;
    const allowed = ptraceMayAccess(k, task, PTRACE_MODE_READ_REALCREDS, subject);
    if (allowed) out.head = robustListOf(k, task);
    if (execUpdateReadNeedsRetry(k, Path.get_robust_list, signal, token)) continue;
    execUpdateReadDone(k, signal, token);
    return allowed ? 0 : -EPERM;
  }
}

/** The address of the head, or 0: the half that is cleared first is looked at last. */
function robustListOf(k: Kernel, task: Ptr): number {
  const high = k.m.loadU32(task + TASK.robustList + 1);
  const low = k.m.loadU32(task + TASK.robustList);
  return low === 0 ? 0 : high * TWO_32 + low;
}

/** A thread's stack is at least this large, and lies on a page that nobody may touch. */
const THREAD_STACK_BYTES = 1024 * 1024;
/** How far below its end a C library puts a thread's head (struct pthread, at the top of the stack). */
const BELOW_STACK_TOP = 0x660;
/** Where it is in the page of the main thread's. */
const IN_MAIN_BLOCK = 0xa20;
/** Pages of [vvar], [vvar_vclock] below [vdso], below which the dynamic linker puts the main thread's block. */
const SPECIAL_PAGES_BELOW_VDSO = 6;
/** Threads without a stack of their own (nobody has mapped one): as many places in the main thread's stack. */
const PLACES = 1024;
const PLACE_BYTES = 64;

/** The C library of a new image registers its list at its start. @pre the task is in exec, or not published */
export function setRobustList(k: Kernel, task: Ptr): void {
  const mm = k.m.load(task + TASK.mm);
  k.m.store64(task + TASK.robustList, mm === 0 ? 0 : mainHead(k, mm));
}

/**
 * The list of a new task. The kernel gives it none (futex_init_task); the C library registers one at once: a thread's own,
 * and in a forked process the same place as before. Of vfork and other uses of clone it knows nothing.
 * @pre the caller acts as the parent; the new task has its address space and is not published
 */
export function cloneRobustList(k: Kernel, parent: Ptr, task: Ptr, flags: number): void {
  const { m } = k;
  const mm = m.load(task + TASK.mm);
  let head = 0;
  if (mm !== 0 && flags === 0) head = m.load64(parent + TASK.robustList);
  else if (mm !== 0 && (flags & CLONE_THREAD) !== 0) head = threadHead(k, mm, task);
  m.plainStore64(task + TASK.robustList, head);
}

/** Below the special mappings, where the dynamic linker gets its first memory; without one, in the heap. */
function mainHead(k: Kernel, mm: Ptr): number {
  const { m } = k;
  const vdso = m.load64(mm + MM.vdso);
  const block = vdso - (SPECIAL_PAGES_BELOW_VDSO + 1) * PAGE_SIZE + IN_MAIN_BLOCK;
  if (isWritable(k, mm, block)) return block;
  const heap = m.load64(mm + MM.startBrk) + IN_MAIN_BLOCK;
  return isWritable(k, mm, heap) ? heap : inMainStack(k, mm, 0);
}

/** At the top of a stack that had no thread yet; else of one whose thread has ended; else wherever there is a place. */
function threadHead(k: Kernel, mm: Ptr, task: Ptr): number {
  const { m } = k;
  const fresh = stackAbove(k, mm, m.load64(mm + MM.stackCursor), null);
  if (fresh !== 0) {
    m.store64(mm + MM.stackCursor, fresh + BELOW_STACK_TOP);
    return fresh;
  }
  const taken = headsOfThreads(k, task);
  const left = stackAbove(k, mm, 0, taken);
  return left !== 0 ? left : freePlace(k, mm, m.load(task + TASK.pid), taken);
}

/** The heads of all threads that the new one will live with. */
function headsOfThreads(k: Kernel, task: Ptr): Set<number> {
  const heads = new Set<number>();
  for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
    heads.add(robustListOf(k, thread));
  }
  return heads;
}

/** The head in the lowest thread stack from an address on that isn't taken, or 0. */
function stackAbove(k: Kernel, mm: Ptr, address: number, taken: ReadonlySet<number> | null): number {
  const iter = new VmaIter();
  vmaIterInit(iter, address);
  let guardEnd = -1;
  for (let vma = vmaNext(k, mm, iter); vma !== 0; vma = vmaNext(k, mm, iter)) {
    const head = iter.end - BELOW_STACK_TOP;
    const large = iter.end - iter.start >= THREAD_STACK_BYTES;
    if (iter.start === guardEnd && large && isPrivateMemory(k, vma) && taken?.has(head) !== true) return head;
    if ((k.m.load(vma + VMA.vmFlags) & VM_ACCESS_FLAGS) === 0) guardEnd = iter.end;
  }
  return 0;
}

function isPrivateMemory(k: Kernel, vma: Ptr): boolean {
  const flags = k.m.load(vma + VMA.vmFlags);
  return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE && k.m.load(vma + VMA.vmFile) === 0;
}

/** A place in the main thread's stack that no other thread has, if there is one. */
function freePlace(k: Kernel, mm: Ptr, tid: number, taken: ReadonlySet<number>): number {
  for (let i = 0; i < PLACES; i++) {
    const place = inMainStack(k, mm, tid + i);
    if (!taken.has(place)) return place;
  }
  return inMainStack(k, mm, tid);
}

/** A place that may be written to, and stays: the stack is always there. */
function inMainStack(k: Kernel, mm: Ptr, number: number): number {
  const startStack = k.m.load64(mm + MM.startStack);
  return Math.floor(startStack / PLACE_BYTES - 1 - (number % PLACES)) * PLACE_BYTES + PLACE_BYTES / 2;
}

function isWritable(k: Kernel, mm: Ptr, address: number): boolean {
  const vma = findVma(k, mm, address);
  if (vma === 0 || k.m.load64(vma + VMA.vmStart) > address) return false;
  return (k.m.load(vma + VMA.vmFlags) & VM_WRITE) !== 0;
}
