/** Tasks: references, threads of a group, names, states. */
import { bytesCopy, bytesLength, bytesPut } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { refcountDecAndTest, refcountIncNotZero } from "../sync/refcount.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { putCred } from "./cred.ts";
import { EXIT_ZOMBIE, PF_KTHREAD, TASK_NOLOAD, TASK_RUNNING, TASK_UNINTERRUPTIBLE } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, NSPROXY, SIGNAL, TASK } from "./layout.ts";
import { rlimitsPut } from "./limits.ts";

/** Longest comm with its NUL (TASK_COMM_LEN). */
export const TASK_COMM_LEN = 16;
/** Longest name of a kernel thread with its NUL, as /proc shows it. */
const KTHREAD_NAME_LEN = 64;

/** Takes a reference, for those who sleep; false if the task is gone already. @pre RCU */
export function getTask(k: Kernel, task: Ptr): boolean {
  return refcountIncNotZero(k.m, task + TASK.usage);
}

/**
 * Drops a reference (put_task_struct); the last one frees the task, and its share of the signal_struct. What a reader who
 * slept may still look at goes with it, not before: credentials, namespaces, limits.
 */
export function putTask(k: Kernel, task: Ptr): void {
  const { m } = k;
  if (!refcountDecAndTest(m, task + TASK.usage)) return;
  bytesPut(m, k.slab, m.load(task + TASK.fullName));
  putCred(k, m.load(task + TASK.cred));
  const nsproxy = m.load(task + TASK.nsproxy);
  if (refcountDecAndTest(m, nsproxy + NSPROXY.count)) k.slab.freeRcu(nsproxy);
  const signal = m.load(task + TASK.signal);
  k.slab.freeRcu(task);
  if (!refcountDecAndTest(m, signal + SIGNAL.sigcnt)) return;
  rlimitsPut(k, m.load(signal + SIGNAL.rlimits));
  k.slab.freeRcu(signal);
}

/**
 * Keeps a task for a read that may sleep. Who never sleeps needs no reference: what RCU found stays until the request is
 * over. To be undone by {@link unpinTask}.
 * @returns false if the task is gone already
 * @pre RCU
 */
export function pinTask(k: Kernel, task: Ptr): boolean {
  return !k.t.maySleep || getTask(k, task);
}

export function unpinTask(k: Kernel, task: Ptr): void {
  if (k.t.maySleep) putTask(k, task);
}

/** tasklist_lock for write: parents, children, threads and the pid table change only under it. */
export function lockTasklist(k: Kernel): void {
  spinLock(k.t, HOST.tasklistLock, LockClass.tasklist);
}

export function unlockTasklist(k: Kernel): void {
  spinUnlock(k.t, HOST.tasklistLock, LockClass.tasklist);
}

/** True for the thread whose pid is the process id. */
export function isLeader(k: Kernel, task: Ptr): boolean {
  return k.m.load(task + TASK.pid) === k.m.load(task + TASK.tgid);
}

/** The first thread of a task's group, in order of creation. @pre RCU */
export function firstThread(k: Kernel, task: Ptr): Ptr {
  return k.m.load(k.m.load(task + TASK.signal) + SIGNAL.threadFirst);
}

/** The thread after this one, or NULL; a thread that was removed meanwhile still leads on. @pre RCU */
export function nextThread(k: Kernel, task: Ptr): Ptr {
  return k.m.load(task + TASK.threadNext);
}

/** Threads of a task's group, a dead leader included (get_nr_threads). */
export function threadCount(k: Kernel, task: Ptr): number {
  return k.m.load(k.m.load(task + TASK.signal) + SIGNAL.nrThreads);
}

/** True for kernel threads. */
export function isKernelThread(k: Kernel, task: Ptr): boolean {
  return (k.m.load(task + TASK.flags) & PF_KTHREAD) !== 0;
}

/** True once the task is dead and waits to be reaped. */
export function isZombie(k: Kernel, task: Ptr): boolean {
  return (k.m.load(task + TASK.state) & EXIT_ZOMBIE) !== 0;
}

/** Appends a thread to its group. @pre tasklist lock held */
export function linkThread(k: Kernel, signal: Ptr, task: Ptr): void {
  const { m } = k;
  const last = m.load(signal + SIGNAL.threadLast);
  m.store(task + TASK.threadPrev, last);
  m.store(task + TASK.threadNext, 0);
  m.store(signal + SIGNAL.threadLast, task);
  m.store(last === 0 ? signal + SIGNAL.threadFirst : last + TASK.threadNext, task);
  m.add(signal + SIGNAL.nrThreads, 1);
}

/** Takes a thread off its group; its own link stays for readers. @pre tasklist lock held */
export function unlinkThread(k: Kernel, signal: Ptr, task: Ptr): void {
  const { m } = k;
  const next = m.load(task + TASK.threadNext);
  const prev = m.load(task + TASK.threadPrev);
  m.store(prev === 0 ? signal + SIGNAL.threadFirst : prev + TASK.threadNext, next);
  m.store(next === 0 ? signal + SIGNAL.threadLast : next + TASK.threadPrev, prev);
  m.add(signal + SIGNAL.nrThreads, -1);
}

/** Appends a process to its parent's children. @pre tasklist lock held */
export function linkChild(k: Kernel, parent: Ptr, child: Ptr): void {
  const { m } = k;
  const last = m.load(parent + SIGNAL.childLast);
  m.store(child + SIGNAL.parent, parent);
  m.store(child + SIGNAL.siblingPrev, last);
  m.store(child + SIGNAL.siblingNext, 0);
  m.store(parent + SIGNAL.childLast, child);
  m.store(last === 0 ? parent + SIGNAL.childFirst : last + SIGNAL.siblingNext, child);
}

/** Takes a process off its parent's children. @pre tasklist lock held */
export function unlinkChild(k: Kernel, child: Ptr): void {
  const { m } = k;
  const parent = m.load(child + SIGNAL.parent);
  const next = m.load(child + SIGNAL.siblingNext);
  const prev = m.load(child + SIGNAL.siblingPrev);
  m.store(prev === 0 ? parent + SIGNAL.childFirst : prev + SIGNAL.siblingNext, next);
  m.store(next === 0 ? parent + SIGNAL.childLast : next + SIGNAL.siblingPrev, prev);
}

/** Copies a task's comm to the start of `out` (at least 16 bytes); returns its length. */
export function taskComm(k: Kernel, task: Ptr, out: Uint8Array): number {
  const { m } = k;
  let length = 0;
  for (let word = 0; word < TASK_COMM_LEN / 4; word++) {
    const value = m.load(task + TASK.comm + word);
    for (let byte = 0; byte < 4; byte++) {
      const char = (value >>> (8 * byte)) & 0xff;
      if (char === 0 || length === TASK_COMM_LEN - 1) return length;
      out[length++] = char;
    }
  }
  return length;
}

/**
 * As {@link taskComm}, but kernel threads show their whole name (proc_task_name). @pre RCU
 * @param out at least 64 bytes
 */
export function taskName(k: Kernel, task: Ptr, out: Uint8Array): number {
  const name = k.m.load(task + TASK.fullName);
  if (name === 0 || !isKernelThread(k, task)) return taskComm(k, task, out);
  const length = Math.min(bytesLength(k.m, name), KTHREAD_NAME_LEN - 1);
  bytesCopy(k.m, name, 0, out, 0, length);
  return length;
}

/** Names a kernel thread, up to the first NUL; what comm can't hold is kept beside it. */
export function setKernelThreadName(k: Kernel, task: Ptr, name: Uint8Array): void {
  setTaskComm(k, task, name);
  const length = nameLength(name);
  const full = length < TASK_COMM_LEN ? 0 : k.bytes(name.subarray(0, length));
  bytesPut(k.m, k.slab, k.m.exchange(task + TASK.fullName, full));
}

/** Sets a task's comm (__set_task_comm): at most 15 bytes, up to the first NUL. */
export function setTaskComm(k: Kernel, task: Ptr, name: Uint8Array): void {
  spinLock(k.t, task + TASK.allocLock, LockClass.taskAlloc);
  const length = Math.min(nameLength(name), TASK_COMM_LEN - 1);
  for (let word = 0; word < TASK_COMM_LEN / 4; word++) {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      const at = word * 4 + byte;
      if (at < length) value |= (name[at] as number) << (8 * byte);
    }
    k.m.store(task + TASK.comm + word, value);
  }
  spinUnlock(k.t, task + TASK.allocLock, LockClass.taskAlloc);
}

/** Bytes up to the first NUL, as of a string of C. */
function nameLength(name: Uint8Array): number {
  const end = name.indexOf(0);
  return end < 0 ? name.length : end;
}

/** Changes a task's state, and the host's counts of running and blocked tasks with it. */
export function setTaskState(k: Kernel, task: Ptr, state: number, waitKind: number): void {
  const { m } = k;
  m.store(task + TASK.waitKind, waitKind);
  const before = m.exchange(task + TASK.state, state);
  if (before === state) return;
  if (before === TASK_RUNNING) m.add(HOST.nrRunning, -1);
  if (state === TASK_RUNNING) m.add(HOST.nrRunning, 1);
  if (countsAsLoad(before)) m.add(HOST.nrUninterruptible, -1);
  if (countsAsLoad(state)) m.add(HOST.nrUninterruptible, 1);
}

function countsAsLoad(state: number): boolean {
  return (state & TASK_UNINTERRUPTIBLE) !== 0 && (state & TASK_NOLOAD) === 0;
}
