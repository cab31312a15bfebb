/**
 * The small files that exec_update_lock guarded: stack, syscall, personality (lock_trace, fs/proc/base.c; 7/8 of the
 * series in exec-update.ts). Each takes its snapshot between two looks at the sequence count, and is emitted only if both
 * agree.
 */
import type { Ptr } from "../sync/atomics.ts";
import { EPERM, ESRCH } from "./errno.ts";
import { execUpdateReadBegin, execUpdateReadDone, execUpdateReadNeedsRetry, isExecUpdateError } from "./exec-update.ts";
import { PTRACE_MODE_ATTACH_FSCREDS, TASK_RUNNING } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import type { PathId } from "./knobs.ts";
import { Path } from "./knobs.ts";
import { MM, TASK } from "./layout.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import type { Subject } from "./subject.ts";
import { pinTask, unpinTask } from "./task.ts";

/** What the guarded files show of a task, at one moment of its image. */
export class TraceSnapshot {
  /** Wait kind (see wait-kinds.ts), from which stack and system call follow. */
  waitKind = 0;
  /** True while on a CPU: syscall says "running". */
  running = false;
  personality = 0;
  pid = 0;
  /** Addresses that the registers of a sleeping task are derived from; 0 without an address space. */
  startStack = 0;
  mmapBase = 0;
  hasMm = false;
}

/** Reads for /proc/<pid>/stack. @returns 0, -EPERM, -ESRCH, -EINTR, or would-block @pre RCU online, no section open */
export function readStack(k: Kernel, task: Ptr, subject: Subject, out: TraceSnapshot): number {
  return readTrace(k, Path.stack, task, subject, out);
}

/** Reads for /proc/<pid>/syscall. @returns 0, -EPERM, -ESRCH, -EINTR, or would-block @pre RCU online, no section open */
export function readSyscall(k: Kernel, task: Ptr, subject: Subject, out: TraceSnapshot): number {
  return readTrace(k, Path.syscall, task, subject, out);
}

/** Reads for /proc/<pid>/personality. @returns 0, -EPERM, -ESRCH, -EINTR, or would-block @pre RCU online, no section open */
export function readPersonality(k: Kernel, task: Ptr, subject: Subject, out: TraceSnapshot): number {
  return readTrace(k, Path.personality, task, subject, out);
}

function readTrace(k: Kernel, path: PathId, task: Ptr, subject: Subject, out: TraceSnapshot): number {
  if (!pinTask(k, task)) return -ESRCH;
  const result = guardedTrace(k, path, task, subject, out);
  unpinTask(k, task);
  return result;
}

function guardedTrace(k: Kernel, path: PathId, task: Ptr, subject: Subject, out: TraceSnapshot): number {
  const signal = k.m.load(task + TASK.signal);
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, path, signal, lock);
    if (isExecUpdateError(token)) return token;
    const allowed = ptraceMayAccess(k, task, PTRACE_MODE_ATTACH_FSCREDS, subject);
    if (allowed) sampleTrace(k, task, out);
    if (execUpdateReadNeedsRetry(k, path, signal, token)) continue;
    execUpdateReadDone(k, signal, token);
    return allowed ? 0 : -EPERM;
  }
}

/** @pre RCU */
function sampleTrace(k: Kernel, task: Ptr, out: TraceSnapshot): void {
  const { m } = k;
  out.waitKind = m.load(task + TASK.waitKind);
  out.running = m.load(task + TASK.state) === TASK_RUNNING;
  out.personality = m.loadU32(task + TASK.personality);
  out.pid = m.load(task + TASK.pid);
  const mm = m.load(task + TASK.mm);
  out.hasMm = mm !== 0;
  out.startStack = mm === 0 ? 0 : m.load64(mm + MM.startStack);
  out.mmapBase = mm === 0 ? 0 : m.load64(mm + MM.mmapBase);
}
