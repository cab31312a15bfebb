/** /proc/<pid>/{io,stack,syscall,personality,wchan}: guarded by exec_update_seq, emitted only after validation. */
import { EACCES } from "../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS, TASK_RUNNING } from "../../kernel/flags.ts";
import type { TraceSnapshot } from "../../kernel/guarded.ts";
import { readPersonality, readStack, readSyscall } from "../../kernel/guarded.ts";
import { doIoAccounting } from "../../kernel/io-accounting.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK } from "../../kernel/layout.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import { Wait, waitKind } from "../../kernel/wait-kinds.ts";
import { formatIo, formatPersonality, formatStack, formatSyscall } from "./base-format.ts";
import type { Context } from "../row.ts";
import type { RegistersSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

/** Shows /proc/<pid>/io, of the group or of one thread. @returns 0, -EACCES, -EINTR, or would-block */
export function showIo(c: Context, out: Text): number {
  const error = doIoAccounting(c.k, c.task, c.whole, c.subject, c.scratch.io);
  if (error === 0) formatIo(c.scratch.io, out);
  return error;
}

/** Shows /proc/<pid>/stack: CAP_SYS_ADMIN only (-EACCES). @returns 0, -EACCES, -EPERM, -EINTR, or would-block */
export function showStack(c: Context, out: Text): number {
  if (!c.subject.capable(CAP_SYS_ADMIN)) return -EACCES;
  const { trace } = c.scratch;
  const error = readStack(c.k, c.task, c.subject, trace);
  if (error === 0 && !trace.running) formatStack(waitKind(c.k.config, trace.waitKind).stack, out);
  return error;
}

/** Shows /proc/<pid>/syscall. @returns 0, -EPERM, -EINTR, or would-block */
export function showSyscall(c: Context, out: Text): number {
  const { trace, registers } = c.scratch;
  const error = readSyscall(c.k, c.task, c.subject, trace);
  if (error !== 0) return error;
  deriveRegisters(c.k, trace, registers);
  formatSyscall(registers, out);
  return 0;
}

/** Shows /proc/<pid>/personality. @returns 0, -EPERM, -EINTR, or would-block */
export function showPersonality(c: Context, out: Text): number {
  const error = readPersonality(c.k, c.task, c.subject, c.scratch.trace);
  if (error === 0) formatPersonality(c.scratch.trace.personality, out);
  return error;
}

/** Shows /proc/<pid>/wchan: the function a task waits in, or 0; no newline (proc_pid_wchan). */
export function showWchan(c: Context, out: Text): number {
  const { m } = c.k;
  const running = m.load(c.task + TASK.state) === TASK_RUNNING;
  const permitted = ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject);
  const symbol = permitted && !running ? waitKind(c.k.config, m.load(c.task + TASK.waitKind)).wchan : "";
  out.str(symbol === "" ? "0" : symbol);
  return 0;
}

/** Timers are shown to those who may look into the task (-EACCES at open). */
export function openTimers(c: Context): number {
  return ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject) ? 0 : -EACCES;
}

/** Bytes that a libc's text lies below the base of mappings, and depths of the stack frames of a system call. */
const LIBC_TEXT = 0x1cd000;
const FRAME = 0x1a8;
const BUFFER = 0x400;

/**
 * Registers of a sleeping task: the simulation has none, so they follow from its address space and pid, and hold still as
 * long as the task waits for the same thing. Kernel threads have zeros; the dead are in no system call.
 */
function deriveRegisters(k: Kernel, s: TraceSnapshot, out: RegistersSnapshot): void {
  const dead = s.waitKind === Wait.exited;
  const kind = waitKind(k.config, s.waitKind);
  out.running = s.running;
  out.syscall = s.hasMm ? kind.syscall : dead ? -1 : 0;
  out.sp = s.hasMm ? s.startStack - FRAME - (s.pid & 0xf) * 16 : 0;
  out.pc = s.hasMm ? s.mmapBase - LIBC_TEXT + kind.syscall * 0x40 + 7 : 0;
  for (let i = 0; i < out.args.length; i++) out.args[i] = 0;
  if (!s.hasMm) return;
  out.args[0] = (s.pid % 13) + 3;
  out.args[1] = out.sp - BUFFER;
  out.args[2] = BUFFER;
  out.args[5] = s.pid & 0xff;
}
