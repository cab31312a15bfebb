/**
 * I/O accounting: the counters of /proc/<pid>/io, and the lock-free read of them (do_io_accounting, fs/proc/base.c, with
 * "proc: take a lock-free exec_update_seq fast path in do_io_accounting()", 8/8 of the series in exec-update.ts).
 */
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { rcuReadLock, rcuReadUnlock } from "../sync/rcu.ts";
import {
  readSeqbegin,
  readSeqlockExcl,
  readSeqretry,
  readSequnlockExcl,
  writeSeqlock,
  writeSequnlock,
} from "../sync/seqlock.ts";
import { EACCES, ESRCH } from "./errno.ts";
import { execUpdateReadBegin, execUpdateReadDone, execUpdateReadNeedsRetry, isExecUpdateError } from "./exec-update.ts";
import { PTRACE_MODE_READ_FSCREDS } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { Path } from "./knobs.ts";
import { IO, SIGNAL, TASK } from "./layout.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import type { Subject } from "./subject.ts";
import { firstThread, nextThread, pinTask, unpinTask } from "./task.ts";

/** The seven counters of one moment: bytes and calls, exact up to 2^53. */
export class IoSnapshot {
  rchar = 0;
  wchar = 0;
  syscr = 0;
  syscw = 0;
  readBytes = 0;
  writeBytes = 0;
  cancelledWriteBytes = 0;

  clear(): void {
    this.rchar = 0;
    this.wchar = 0;
    this.syscr = 0;
    this.syscw = 0;
    this.readBytes = 0;
    this.writeBytes = 0;
    this.cancelledWriteBytes = 0;
  }
}

/**
 * Reads a task's counters, or the whole group's, if the caller may see them.
 * @param whole true for the group: what dead threads left and every live thread, under stats_lock
 * @returns 0, -EACCES, -ESRCH (released meanwhile), -EINTR, or would-block; `out`
 *   is valid only after 0
 * @pre RCU online, no section open
 */
export function doIoAccounting(k: Kernel, task: Ptr, whole: boolean, subject: Subject, out: IoSnapshot): number {
  const signal = k.m.load(task + TASK.signal);
  if (!pinTask(k, task)) return -ESRCH;
  const result = readGuardedIo(k, task, signal, whole, subject, out);
  unpinTask(k, task);
  return result;
}

function readGuardedIo(k: Kernel, task: Ptr, signal: Ptr, whole: boolean, subject: Subject, out: IoSnapshot): number {
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, Path.io, signal, lock);
    if (isExecUpdateError(token)) return token;
    rcuReadLock(k.t);
    // Not in the patch: a thread that is gone (the leader, if another thread execs) keeps the credentials it had. They
    // must not open a group that has turned privileged since.
    const gone = whole && k.m.load(task + TASK.sighand) === NULL;
    const allowed = !gone && ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject);
    if (allowed) sampleIo(k, task, signal, whole, out);
    rcuReadUnlock(k.t);
    if (execUpdateReadNeedsRetry(k, Path.io, signal, token)) continue;
    execUpdateReadDone(k, signal, token);
    if (gone) return -ESRCH;
    return allowed ? 0 : -EACCES;
  }
}

/** First without stats_lock; a second time with it, if counters changed meanwhile. @pre RCU */
function sampleIo(k: Kernel, task: Ptr, signal: Ptr, whole: boolean, out: IoSnapshot): void {
  const statsLock = signal + SIGNAL.statsLock;
  const sequence = readSeqbegin(k.m, statsLock);
  sumIo(k, task, signal, whole, out);
  if (!readSeqretry(k.m, statsLock, sequence)) return;
  readSeqlockExcl(k.t, statsLock, LockClass.stats);
  sumIo(k, task, signal, whole, out);
  readSequnlockExcl(k.t, statsLock, LockClass.stats);
}

function sumIo(k: Kernel, task: Ptr, signal: Ptr, whole: boolean, out: IoSnapshot): void {
  out.clear();
  if (!whole) {
    addIo(k.m, task + TASK.ioac, out);
    return;
  }
  addIo(k.m, signal + SIGNAL.ioac, out);
  for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
    addIo(k.m, thread + TASK.ioac, out);
  }
}

function addIo(m: Memory, at: Ptr, out: IoSnapshot): void {
  out.rchar += m.load64(at + IO.rchar);
  out.wchar += m.load64(at + IO.wchar);
  out.syscr += m.load64(at + IO.syscr);
  out.syscw += m.load64(at + IO.syscw);
  out.readBytes += m.load64(at + IO.readBytes);
  out.writeBytes += m.load64(at + IO.writeBytes);
  out.cancelledWriteBytes += m.load64(at + IO.cancelledWriteBytes);
}

/** What one burst of I/O adds. */
export interface IoDelta {
  readonly rchar: number;
  readonly wchar: number;
  readonly syscr: number;
  readonly syscw: number;
  readonly readBytes: number;
  readonly writeBytes: number;
}

/**
 * Adds to a thread's counters, under its group's stats_lock. The kernel adds without it, since its 64-bit counters can't
 * tear; here they are two words each, and the lock also makes all seven belong to one moment.
 */
export function accountIo(k: Kernel, task: Ptr, delta: IoDelta): void {
  const statsLock = k.m.load(task + TASK.signal) + SIGNAL.statsLock;
  const at = task + TASK.ioac;
  const { m } = k;
  writeSeqlock(k.t, statsLock, LockClass.stats);
  raise(m, at + IO.rchar, delta.rchar);
  raise(m, at + IO.wchar, delta.wchar);
  raise(m, at + IO.syscr, delta.syscr);
  raise(m, at + IO.syscw, delta.syscw);
  raise(m, at + IO.readBytes, delta.readBytes);
  raise(m, at + IO.writeBytes, delta.writeBytes);
  writeSequnlock(k.t, statsLock, LockClass.stats);
}

/** Moves a dead thread's counters into its group's. @pre stats_lock held for write */
export function foldIo(m: Memory, signal: Ptr, task: Ptr): void {
  for (let at = 0; at < IO.words; at += 2) raise(m, signal + SIGNAL.ioac + at, m.load64(task + TASK.ioac + at));
}

/** Most I/O leaves most counters as they are. @pre stats_lock held for write */
function raise(m: Memory, counter: Ptr, delta: number): void {
  if (delta !== 0) m.add64(counter, delta);
}
