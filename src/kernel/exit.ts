/**
 * The end of tasks: exit, exit_group, release and reaping (kernel/exit.c). Exit codes are as wait(2) has them:
 * status << 8, or the signal's number.
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { refcountDecAndTest } from "../sync/refcount.ts";
import { writeSeqlock, writeSequnlock } from "../sync/seqlock.ts";
import { mmput } from "../mm/mm.ts";
import { exitTimers } from "../time/posix-timers.ts";
import { ECHILD } from "./errno.ts";
import { noteReaped } from "./exit-events.ts";
import { putFiles } from "./files.ts";
import { EXIT_ZOMBIE, PF_EXITING, SIGCHLD, SIGNAL_GROUP_EXIT, SUID_DUMP_USER } from "./flags.ts";
import { putFs } from "./fs-struct.ts";
import { foldIo } from "./io-accounting.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, MM, SIGHAND, SIGNAL, TASK, TOKEN } from "./layout.ts";
import { findTask, freePid } from "./pid.ts";
import {
  firstThread,
  isZombie,
  linkChild,
  lockTasklist,
  nextThread,
  putTask,
  setTaskState,
  unlinkChild,
  unlinkThread,
  unlockTasklist,
} from "./task.ts";
import { Wait } from "./wait-kinds.ts";

/**
 * Ends one thread (do_exit). A thread other than the leader is released at once; a leader stays as a zombie until its
 * parent reaps it, and until its other threads are gone.
 * @param code exit code in wait(2) form
 * @pre the caller acts as the process
 */
export function exitThread(k: Kernel, task: Ptr, code: number): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  m.or(task + TASK.flags, PF_EXITING);
  m.store(task + TASK.exitCode, code);
  dropResources(k, task);
  const groupDead = m.add(signal + SIGNAL.live, -1) === 1;
  if (groupDead) exitTimers(k, signal, m.load(task + TASK.sighand));
  notifyExit(k, task, signal, groupDead);
}

/** Ends all threads (do_group_exit); the process is a zombie then, unless its parent ignores SIGCHLD. */
export function exitGroup(k: Kernel, task: Ptr, code: number): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  // In the kernel siglock is held for both; here who sees the flag finds the code.
  m.store(signal + SIGNAL.groupExitCode, code);
  m.or(signal + SIGNAL.flags, SIGNAL_GROUP_EXIT);
  const leader = m.load(signal + SIGNAL.leader);
  killOtherThreads(k, leader, code);
  if (!isZombie(k, leader)) exitThread(k, leader, code);
}

/** Ends every thread of the group but this one (zap_other_threads), except a leader that is dead already. */
export function killOtherThreads(k: Kernel, task: Ptr, code: number): void {
  let thread = firstThread(k, task);
  while (thread !== 0) {
    const next = nextThread(k, thread);
    if (thread !== task && !isZombie(k, thread)) exitThread(k, thread, code);
    thread = next;
  }
}

/**
 * Reaps a zombie process (wait_task_zombie): its times count as its parent's children's, and its pid becomes free.
 * @returns 0, or -ECHILD if it is no zombie, or has threads left
 */
export function reap(k: Kernel, leader: Ptr): number {
  const { m } = k;
  const signal = m.load(leader + TASK.signal);
  lockTasklist(k);
  const ready = isReapable(k, leader, signal);
  if (ready) {
    addChildTimes(k, m.load(signal + SIGNAL.parent), leader, signal);
    releaseTask(k, leader);
  }
  unlockTasklist(k);
  return ready ? 0 : -ECHILD;
}

/**
 * Init waits for its children at once: reaps a process that has just ended, if it is one of them. Other parents do so when
 * they are told to.
 * @param pid of the process, or of a thread that has ended
 */
export function reapIfInits(k: Kernel, pid: number): void {
  const task = findTask(k, pid);
  if (task === 0 || !isZombie(k, task)) return;
  const parent = k.m.load(k.m.load(task + TASK.signal) + SIGNAL.parent);
  if (parent === k.m.load(HOST.initSignal)) reap(k, task);
}

/** A dead leader without other threads, and not released yet. @pre tasklist lock held */
function isReapable(k: Kernel, leader: Ptr, signal: Ptr): boolean {
  return (
    isZombie(k, leader) && k.m.load(signal + SIGNAL.leader) === leader && k.m.load(signal + SIGNAL.nrThreads) === 1
  );
}

function dropResources(k: Kernel, task: Ptr): void {
  const { m } = k;
  // exit_mm_release
  m.store64(task + TASK.robustList, 0);
  noteDumpable(k, task);
  const mm = m.exchange(task + TASK.mm, 0);
  if (mm !== 0) mmput(k, mm);
  const files = m.exchange(task + TASK.files, 0);
  if (files !== 0) putFiles(k, files);
  const fs = m.exchange(task + TASK.fs, 0);
  if (fs !== 0) putFs(k, fs);
  putToken(k, m.exchange(task + TASK.ioContext, 0));
  putToken(k, m.exchange(task + TASK.sysvsemUndo, 0));
}

/** Who may look into the task afterwards is decided by what its memory was (exit_mm). */
function noteDumpable(k: Kernel, task: Ptr): void {
  const { m } = k;
  const mm = m.load(task + TASK.mm);
  if (mm !== 0) m.store(task + TASK.userDumpable, m.load(mm + MM.dumpable) === SUID_DUMP_USER ? 1 : 0);
}

function putToken(k: Kernel, token: Ptr): void {
  if (token !== 0 && refcountDecAndTest(k.m, token + TOKEN.count)) k.slab.freeRcu(token);
}

/** exit_notify: children get a new parent, this process's own parent gets something to reap. */
function notifyExit(k: Kernel, task: Ptr, signal: Ptr, groupDead: boolean): void {
  const { m } = k;
  lockTasklist(k);
  if (groupDead) reparentChildren(k, signal);
  setTaskState(k, task, EXIT_ZOMBIE, Wait.exited);
  if (m.load(signal + SIGNAL.leader) !== task) releaseTask(k, task);
  const leader = m.load(signal + SIGNAL.leader);
  if (isReapable(k, leader, signal) && parentIgnoresChildren(k, signal)) releaseTask(k, leader);
  unlockTasklist(k);
}

/** do_notify_parent: a parent that ignores SIGCHLD never has zombies. @pre tasklist lock held */
function parentIgnoresChildren(k: Kernel, signal: Ptr): boolean {
  const { m } = k;
  const parent = m.load(m.load(signal + SIGNAL.parent) + SIGNAL.leader);
  const sighand = m.load(parent + TASK.sighand);
  return ((m.load(sighand + SIGHAND.ignored) >>> (SIGCHLD - 1)) & 1) !== 0;
}

/** Hands all children to the nearest subreaper, or init (forget_original_parent). @pre tasklist lock held */
function reparentChildren(k: Kernel, signal: Ptr): void {
  const { m } = k;
  const reaper = findReaper(k, signal);
  for (let child = m.load(signal + SIGNAL.childFirst); child !== 0; child = m.load(signal + SIGNAL.childFirst)) {
    unlinkChild(k, child);
    linkChild(k, reaper, child);
    const leader = m.load(child + SIGNAL.leader);
    if (isReapable(k, leader, child)) adoptZombie(k, reaper, leader, child);
  }
}

/**
 * An orphan that is dead already (reparent_leader): who ignores SIGCHLD never has zombies, and init, which does nothing
 * else, waits for it at once. @pre tasklist lock held
 */
function adoptZombie(k: Kernel, reaper: Ptr, leader: Ptr, signal: Ptr): void {
  const ignored = parentIgnoresChildren(k, signal);
  const waits = reaper === k.m.load(HOST.initSignal);
  if (waits && !ignored) addChildTimes(k, reaper, leader, signal);
  if (waits || ignored) releaseTask(k, leader);
}

/** find_new_reaper. What init leaves behind, which no kernel outlives, goes to the idle task. @pre tasklist lock held */
function findReaper(k: Kernel, signal: Ptr): Ptr {
  const { m } = k;
  const init = m.load(HOST.initSignal);
  if (init === signal) return m.load(m.load(HOST.idleTask) + TASK.signal);
  for (let above = m.load(signal + SIGNAL.parent); above !== 0; above = m.load(above + SIGNAL.parent)) {
    if (above === init) break;
    if (m.load(above + SIGNAL.isChildSubreaper) !== 0 && m.load(above + SIGNAL.live) > 0) return above;
  }
  return init;
}

/**
 * Takes a dead task off all lists and frees its pid (release_task). Readers that found it before still may look at it
 * until a grace period is over. @pre tasklist lock held; the task is a zombie
 */
export function releaseTask(k: Kernel, task: Ptr): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const lastOne = m.load(signal + SIGNAL.leader) === task;
  foldIntoGroup(k, signal, task);
  const pid = m.load(task + TASK.pid);
  freePid(k, pid);
  noteReaped(k, m.load(task + TASK.tgid), pid);
  m.add(HOST.nrThreads, -1);
  if (lastOne) {
    unlinkChild(k, signal);
    m.add(HOST.nrProcesses, -1);
  }
  // No sighand: the sign that the task has been released, for who holds a reference (pid_alive).
  putSighand(k, m.exchange(task + TASK.sighand, 0));
  putTask(k, task);
}

/** __exit_signal: a reader that sums the group sees the thread either in the list or in the sum. */
function foldIntoGroup(k: Kernel, signal: Ptr, task: Ptr): void {
  const { m } = k;
  writeSeqlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
  m.add64(signal + SIGNAL.utime, m.load64(task + TASK.utime));
  m.add64(signal + SIGNAL.stime, m.load64(task + TASK.stime));
  m.add(signal + SIGNAL.minFlt, m.load(task + TASK.minFlt));
  m.add(signal + SIGNAL.majFlt, m.load(task + TASK.majFlt));
  foldIo(m, signal, task);
  unlinkThread(k, signal, task);
  writeSequnlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
}

/** Counts a reaped child's times as the parent's children's. @pre tasklist lock held */
function addChildTimes(k: Kernel, parent: Ptr, leader: Ptr, signal: Ptr): void {
  const { m } = k;
  writeSeqlock(k.t, parent + SIGNAL.statsLock, LockClass.stats);
  const sum = (own: number, group: number, children: number): number =>
    m.load64(leader + own) + m.load64(signal + group) + m.load64(signal + children);
  m.add64(parent + SIGNAL.cutime, sum(TASK.utime, SIGNAL.utime, SIGNAL.cutime));
  m.add64(parent + SIGNAL.cstime, sum(TASK.stime, SIGNAL.stime, SIGNAL.cstime));
  const faults = (own: number, group: number, children: number): number =>
    m.load(leader + own) + m.load(signal + group) + m.load(signal + children);
  m.add(parent + SIGNAL.cminFlt, faults(TASK.minFlt, SIGNAL.minFlt, SIGNAL.cminFlt));
  m.add(parent + SIGNAL.cmajFlt, faults(TASK.majFlt, SIGNAL.majFlt, SIGNAL.cmajFlt));
  writeSequnlock(k.t, parent + SIGNAL.statsLock, LockClass.stats);
}

/** Drops a reference to the signal handlers. */
export function putSighand(k: Kernel, sighand: Ptr): void {
  if (refcountDecAndTest(k.m, sighand + SIGHAND.count)) k.slab.freeRcu(sighand);
}
