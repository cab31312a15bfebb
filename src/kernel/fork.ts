/**
 * New tasks: fork, vfork and clone are one operation with flags, as in the kernel (copy_process, kernel/fork.c).
 *
 * A task is complete before it is published under its pid.
 */
import { dupMm, mmget, reserveMm } from "../mm/mm.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { refcountInc } from "../sync/refcount.ts";
import { rwsemInitHeld } from "../sync/rwsem.ts";
import { bootTimeNs } from "../time/clock.ts";
import { Cache } from "./caches.ts";
import { getCred } from "./cred.ts";
import { EAGAIN, EINVAL, ENOMEM } from "./errno.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_IO,
  CLONE_PARENT,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
  PF_EXITING,
  PF_FORKNOEXEC,
  PF_KTHREAD,
  PF_SUPERPRIV,
  TASK_RUNNING,
} from "./flags.ts";
import { dupFiles, reserveDupFiles } from "./files.ts";
import { dupFs } from "./fs-struct.ts";
import type { Kernel } from "./kernel.ts";
import { FILES, FS, HOST, MM, NSPROXY, SIGHAND, SIGNAL, TASK, TOKEN } from "./layout.ts";
import { rlimitsGet } from "./limits.ts";
import { allocPid, hashPid } from "./pid.ts";
import { cloneRobustList } from "./robust-list.ts";
import { linkChild, linkThread, lockTasklist, unlockTasklist } from "./task.ts";
import { Wait } from "./wait-kinds.ts";

/** What a new task is told beyond its clone flags. */
export interface CloneOptions {
  /** The pid it shall have; the next free one if absent. */
  readonly pid?: number;
  /** A kernel thread: no address space. */
  readonly kernelThread?: boolean;
  /** Nanoseconds of boot time at which it counts as started; now if absent. */
  readonly startTime?: number;
  /** Which mutator owns it, and that mutator's state for it; as its parent if absent. */
  readonly owner?: number;
  readonly behaviour?: number;
  /** The caller acts as the new process from its first moment on, and ends that with actEnd. Not for threads. */
  readonly acting?: boolean;
}

/**
 * Makes a task from another (copy_process and wake_up_new_task). The new task is in state R.
 * @param flags CLONE_*
 * @returns its pid; -EINVAL for contradictory flags, -ENOMEM if the arena is full, -EAGAIN if there is no pid or too many
 *   threads, or what the pid allocator says of a wanted pid
 * @pre the caller acts as the parent (see actor.ts), or the parent is the idle task
 */
export function copyProcess(k: Kernel, parent: Ptr, flags: number, options: CloneOptions = {}): number {
  if (!flagsAreSane(flags)) return -EINVAL;
  if ((k.m.load(parent + TASK.flags) & PF_EXITING) !== 0) return -EAGAIN;
  if (k.m.load(HOST.nrThreads) >= k.m.load(HOST.threadsMax)) return -EAGAIN;
  if (!reserveAll(k, parent, flags, options.kernelThread === true)) return -ENOMEM;
  const pid = allocPid(k, options.pid ?? 0);
  if (pid < 0) return pid;
  const task = newTask(k, parent, pid, options);
  copyCredAndNamespaces(k, parent, task);
  copyResources(k, parent, task, flags, options.kernelThread === true);
  if (options.acting === true && (flags & CLONE_THREAD) === 0) actAs(k, task);
  publish(k, parent, task, flags);
  return pid;
}

/** Memory for all that will be copied: what comes after could not be undone in the middle. */
function reserveAll(k: Kernel, parent: Ptr, flags: number, kernelThread: boolean): boolean {
  const { m, slab } = k;
  if (!slab.reserve(Cache.task, 1)) return false;
  if ((flags & CLONE_THREAD) === 0 && !slab.reserve(Cache.signal, 1)) return false;
  if ((flags & CLONE_SIGHAND) === 0 && !slab.reserve(Cache.sighand, 1)) return false;
  if ((flags & CLONE_FS) === 0 && !slab.reserve(Cache.fs, 1)) return false;
  if ((flags & CLONE_SYSVSEM) !== 0 && !slab.reserve(Cache.token, 1)) return false;
  if ((flags & CLONE_FILES) === 0 && !reserveDupFiles(k, m.load(parent + TASK.files))) return false;
  const mm = m.load(parent + TASK.mm);
  return kernelThread || mm === 0 || (flags & CLONE_VM) !== 0 || reserveMm(k, m.load(mm + MM.mapCount));
}

/** The rules of copy_process that these operations can break. */
function flagsAreSane(flags: number): boolean {
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return false;
  return (flags & CLONE_SIGHAND) === 0 || (flags & CLONE_VM) !== 0;
}

/** Fields of a task that are copied from its parent as they are. */
const INHERITED = [
  TASK.comm,
  TASK.comm + 1,
  TASK.comm + 2,
  TASK.comm + 3,
  TASK.policy,
  TASK.rtPriority,
  TASK.nice,
  TASK.personality,
  TASK.timerSlack,
  TASK.timerSlack + 1,
  TASK.loginuid,
  TASK.sessionid,
  TASK.blocked,
  TASK.blocked + 1,
  TASK.noNewPrivs,
  TASK.seccomp,
  TASK.cpusAllowed,
  TASK.cpusAllowed + 1,
  TASK.cgroup,
  TASK.cpu,
] as const;

/** As actBegin, for a process that nobody else can see yet. */
function actAs(k: Kernel, task: Ptr): void {
  k.m.plainStore(task + TASK.usage, 2);
  rwsemInitHeld(k.t, k.m.load(task + TASK.signal) + SIGNAL.actor, LockClass.actor, true);
}

function newTask(k: Kernel, parent: Ptr, pid: number, options: CloneOptions): Ptr {
  const { m } = k;
  const task = k.slab.alloc(Cache.task);
  for (const field of INHERITED) m.plainStore(task + field, m.load(parent + field));
  const inheritedFlags = m.load(parent + TASK.flags) & ~(PF_SUPERPRIV | PF_KTHREAD);
  m.plainStore(task + TASK.flags, inheritedFlags | PF_FORKNOEXEC | (options.kernelThread === true ? PF_KTHREAD : 0));
  m.plainStore(task + TASK.usage, 1);
  m.plainStore(task + TASK.pid, pid);
  m.plainStore(task + TASK.state, TASK_RUNNING);
  m.plainStore(task + TASK.waitKind, Wait.running);
  m.plainStore64(task + TASK.startTime, options.startTime ?? bootTimeNs(k));
  m.plainStore(task + TASK.owner, options.owner ?? m.load(parent + TASK.owner));
  m.plainStore(task + TASK.behaviour, options.behaviour ?? m.load(parent + TASK.behaviour));
  return task;
}

function copyCredAndNamespaces(k: Kernel, parent: Ptr, task: Ptr): void {
  const { m } = k;
  m.plainStore(task + TASK.cred, getCred(k, m.load(parent + TASK.cred)));
  const nsproxy = m.load(parent + TASK.nsproxy);
  refcountInc(m, nsproxy + NSPROXY.count);
  m.plainStore(task + TASK.nsproxy, nsproxy);
}

function copyResources(k: Kernel, parent: Ptr, task: Ptr, flags: number, kernelThread: boolean): void {
  const { m } = k;
  m.plainStore(
    task + TASK.files,
    shared(k, m.load(parent + TASK.files), FILES.count, flags & CLONE_FILES) ||
      dupFiles(k, m.load(parent + TASK.files)),
  );
  m.plainStore(
    task + TASK.fs,
    shared(k, m.load(parent + TASK.fs), FS.users, flags & CLONE_FS) || dupFs(k, m.load(parent + TASK.fs)),
  );
  m.plainStore(
    task + TASK.sighand,
    shared(k, m.load(parent + TASK.sighand), SIGHAND.count, flags & CLONE_SIGHAND) ||
      dupSighand(k, m.load(parent + TASK.sighand)),
  );
  m.plainStore(task + TASK.ioContext, shared(k, m.load(parent + TASK.ioContext), TOKEN.count, flags & CLONE_IO));
  m.plainStore(task + TASK.sysvsemUndo, (flags & CLONE_SYSVSEM) === 0 ? 0 : shareSemundo(k, parent));
  m.plainStore(task + TASK.mm, kernelThread ? 0 : copyMm(k, m.load(parent + TASK.mm), flags));
  m.plainStore(task + TASK.signal, copySignal(k, parent, task, flags));
  cloneRobustList(k, parent, task, flags);
}

/** A further reference to what the flag shares, or NULL. */
function shared(k: Kernel, object: Ptr, count: number, flag: number): Ptr {
  if (object === 0 || flag === 0) return 0;
  refcountInc(k.m, object + count);
  return object;
}

/** copy_semundo: who shares its undo list gets one, if it has none yet. */
function shareSemundo(k: Kernel, parent: Ptr): Ptr {
  const { m } = k;
  const undo = m.load(parent + TASK.sysvsemUndo) || tokenNew(k);
  refcountInc(m, undo + TOKEN.count);
  m.store(parent + TASK.sysvsemUndo, undo);
  return undo;
}

function tokenNew(k: Kernel): Ptr {
  const token = k.slab.alloc(Cache.token);
  k.m.plainStore(token + TOKEN.count, 1);
  return token;
}

function copyMm(k: Kernel, mm: Ptr, flags: number): Ptr {
  if (mm === 0) return 0;
  if ((flags & CLONE_VM) === 0) return dupMm(k, mm);
  mmget(k, mm);
  return mm;
}

function dupSighand(k: Kernel, old: Ptr): Ptr {
  const { m } = k;
  const sighand = k.slab.alloc(Cache.sighand);
  m.plainStore(sighand + SIGHAND.count, 1);
  for (let i = 0; i < 2; i++) {
    m.plainStore(sighand + SIGHAND.ignored + i, m.load(old + SIGHAND.ignored + i));
    m.plainStore(sighand + SIGHAND.caught + i, m.load(old + SIGHAND.caught + i));
  }
  return sighand;
}

/** Fields of signal_struct that a child process inherits. */
const SIGNAL_INHERITED = [
  SIGNAL.pgrp,
  SIGNAL.session,
  SIGNAL.tty,
  SIGNAL.oomScoreAdj,
  SIGNAL.oomScoreAdjMin,
  SIGNAL.autogroup,
  SIGNAL.autogroupNice,
] as const;

function copySignal(k: Kernel, parent: Ptr, task: Ptr, flags: number): Ptr {
  const { m } = k;
  const old = m.load(parent + TASK.signal);
  if ((flags & CLONE_THREAD) !== 0) {
    refcountInc(m, old + SIGNAL.sigcnt);
    m.add(old + SIGNAL.live, 1);
    m.plainStore(task + TASK.tgid, m.load(old + SIGNAL.tgid));
    return old;
  }
  const pid = m.load(task + TASK.pid);
  const signal = k.slab.alloc(Cache.signal);
  for (const field of SIGNAL_INHERITED) m.plainStore(signal + field, m.load(old + field));
  m.plainStore(signal + SIGNAL.sigcnt, 1);
  m.plainStore(signal + SIGNAL.live, 1);
  m.plainStore(signal + SIGNAL.leader, task);
  m.plainStore(signal + SIGNAL.tgid, pid);
  m.plainStore(signal + SIGNAL.rlimits, rlimitsGet(k, m.load(old + SIGNAL.rlimits)));
  m.plainStore(task + TASK.tgid, pid);
  return signal;
}

function publish(k: Kernel, parent: Ptr, task: Ptr, flags: number): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const leader = (flags & CLONE_THREAD) === 0;
  const pid = m.load(task + TASK.pid);
  lockTasklist(k);
  if (leader) {
    const parentSignal = m.load(parent + TASK.signal);
    linkChild(k, (flags & CLONE_PARENT) !== 0 ? m.load(parentSignal + SIGNAL.parent) : parentSignal, signal);
    m.add(HOST.nrProcesses, 1);
  }
  linkThread(k, signal, task);
  m.add(HOST.nrThreads, 1);
  m.add(HOST.nrRunning, 1);
  hashPid(k, pid, task, leader);
  unlockTasklist(k);
  m.addShared64(HOST.totalForks, 1);
}
