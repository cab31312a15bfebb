/** Pure formatters of io, limits, timers, stack, syscall, personality, loginuid and their like (fs/proc/base.c). */
import type { IoSnapshot } from "../../kernel/io-accounting.ts";
import { RLIM_INFINITY } from "../../kernel/layout.ts";
import type { TimerSnapshot } from "../../time/posix-timers.ts";
import { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID } from "../../time/posix-timers.ts";
import type { LimitsSnapshot, RegistersSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

/** /proc/<pid>/io (do_io_accounting). */
export function formatIo(s: IoSnapshot, out: Text): void {
  out.str("rchar: ").dec(s.rchar);
  out.str("\nwchar: ").dec(s.wchar);
  out.str("\nsyscr: ").dec(s.syscr);
  out.str("\nsyscw: ").dec(s.syscw);
  out.str("\nread_bytes: ").dec(s.readBytes);
  out.str("\nwrite_bytes: ").dec(s.writeBytes);
  out.str("\ncancelled_write_bytes: ").dec(s.cancelledWriteBytes).byte(10);
}

const LIMITS_HEAD = "Limit                     Soft Limit           Hard Limit           Units     \n";

/** Names and units by RLIMIT_* (lnames). */
const LIMIT_NAMES = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
] as const;

/** /proc/<pid>/limits (proc_pid_limits). */
export function formatLimits(s: LimitsSnapshot, out: Text): void {
  out.str(LIMITS_HEAD);
  for (let i = 0; i < LIMIT_NAMES.length; i++) {
    const [name, unit] = LIMIT_NAMES[i] as (typeof LIMIT_NAMES)[number];
    const start = out.length;
    out.str(name).padTo(start, 26);
    limit(out, s.soft[i] as number);
    out.padTo(start, 47);
    limit(out, s.hard[i] as number);
    out.padTo(start, 68);
    if (unit !== "") out.str(unit).padTo(start, 78);
    out.byte(10);
  }
}

function limit(out: Text, value: number): void {
  if (value >= RLIM_INFINITY) out.str("unlimited");
  else out.dec(value);
}

/** One entry of /proc/<pid>/timers (show_timer). */
export function formatTimer(s: TimerSnapshot, out: Text): void {
  out.str("ID: ").dec(s.id);
  out.str("\nsignal: ").dec(s.signo).byte(47).hex64(s.valueLow, s.valueHigh);
  out.str("\nnotify: ").str(notifyName(s.notify));
  out.str((s.notify & SIGEV_THREAD_ID) === 0 ? "/pid." : "/tid.").dec(s.pid);
  out.str("\nClockID: ").dec(s.clock).byte(10);
}

function notifyName(notify: number): string {
  const kind = notify & ~SIGEV_THREAD_ID;
  if (kind === SIGEV_SIGNAL) return "signal";
  return kind === SIGEV_NONE ? "none" : "thread";
}

/** /proc/<pid>/stack (proc_pid_stack): symbols with offsets, innermost first. */
export function formatStack(symbols: readonly string[], out: Text): void {
  for (let i = 0; i < symbols.length; i++)
    out
      .str("[<0>] ")
      .str(symbols[i] as string)
      .byte(10);
}

/** /proc/<pid>/syscall (proc_pid_syscall). */
export function formatSyscall(s: RegistersSnapshot, out: Text): void {
  if (s.running) {
    out.str("running\n");
    return;
  }
  out.dec(s.syscall);
  if (s.syscall >= 0) for (let i = 0; i < s.args.length; i++) out.str(" 0x").hex(s.args[i] as number);
  out.str(" 0x").hex(s.sp).str(" 0x").hex(s.pc).byte(10);
}

/** /proc/<pid>/personality (proc_pid_personality). */
export function formatPersonality(personality: number, out: Text): void {
  out.hex(personality >>> 0, 8).byte(10);
}

/** /proc/<pid>/coredump_filter (proc_coredump_filter_read). */
export function formatCoredumpFilter(filter: number, out: Text): void {
  out.hex(filter, 8).byte(10);
}

/** One line of uid_map, gid_map or projid_map (uid_m_show). */
export function formatIdMap(first: number, lower: number, count: number, out: Text): void {
  out.dec(first, 10).byte(32).dec(lower, 10).byte(32).dec(count, 10).byte(10);
}

/** One line of timens_offsets (show_offset): seconds and nanoseconds. */
export function formatTimensOffset(clock: string, seconds: number, nanoseconds: number, out: Text): void {
  const start = out.length;
  out.str(clock).padTo(start, 10).byte(32).dec(seconds, 10).byte(32).dec(nanoseconds, 9).byte(10);
}

/** /proc/<pid>/autogroup (proc_sched_autogroup_show_task). */
export function formatAutogroup(id: number, nice: number, out: Text): void {
  out.str("/autogroup-").dec(id).str(" nice ").dec(nice).byte(10);
}
