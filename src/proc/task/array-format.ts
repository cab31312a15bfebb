/** Pure formatters of stat, statm and schedstat. */
import { RLIM_INFINITY } from "../../kernel/layout.ts";
import type { Comm, SchedSnapshot, StatSnapshot, StatmSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

const BLANK = 32;
const NEWLINE = 10;
const BACKSLASH = 92;
/** RLIM_INFINITY as an unsigned 64-bit number. */
const ULONG_MAX = "18446744073709551615";

/** Appends a task's name as it is (proc_task_name without escape). */
export function commRaw(out: Text, comm: Comm): void {
  for (let i = 0; i < comm.length; i++) out.byte(comm.bytes[i] as number);
}

/** Appends a task's name with newlines and backslashes escaped, as status shows it. */
export function commEscaped(out: Text, comm: Comm): void {
  for (let i = 0; i < comm.length; i++) {
    const byte = comm.bytes[i] as number;
    if (byte === NEWLINE) out.str("\\n");
    else if (byte === BACKSLASH) out.str("\\\\");
    else out.byte(byte);
  }
}

function field(out: Text, value: number): void {
  out.byte(BLANK).dec(value);
}

/** /proc/<pid>/stat. */
export function formatStat(s: StatSnapshot, out: Text): void {
  out.dec(s.pid).str(" (");
  commRaw(out, s.comm);
  out.str(") ").byte(s.state);
  statIdentity(s, out);
  statTimes(s, out);
  statMemory(s, out);
  statSignals(s, out);
  statTail(s, out);
  out.byte(NEWLINE);
}

function statIdentity(s: StatSnapshot, out: Text): void {
  field(out, s.ppid);
  field(out, s.pgrp);
  field(out, s.session);
  field(out, s.ttyNr);
  field(out, s.tpgid);
  field(out, s.flags);
  field(out, s.minFlt);
  field(out, s.cminFlt);
  field(out, s.majFlt);
  field(out, s.cmajFlt);
}

function statTimes(s: StatSnapshot, out: Text): void {
  field(out, s.utime);
  field(out, s.stime);
  field(out, s.cutime);
  field(out, s.cstime);
  field(out, s.priority);
  field(out, s.nice);
  field(out, s.numThreads);
  out.str(" 0");
  field(out, s.startTime);
}

function statMemory(s: StatSnapshot, out: Text): void {
  field(out, s.vsize);
  field(out, s.rss);
  if (s.rsslim >= RLIM_INFINITY) out.byte(BLANK).str(ULONG_MAX);
  else field(out, s.rsslim);
  field(out, s.startCode);
  field(out, s.endCode);
  field(out, s.startStack);
  field(out, s.kstkEsp);
  field(out, s.kstkEip);
}

function statSignals(s: StatSnapshot, out: Text): void {
  field(out, s.pending);
  field(out, s.blocked);
  field(out, s.ignored);
  field(out, s.caught);
  field(out, s.wchan);
  out.str(" 0 0");
  field(out, s.exitSignal);
  field(out, s.processor);
  field(out, s.rtPriority);
  field(out, s.policy);
}

function statTail(s: StatSnapshot, out: Text): void {
  field(out, s.delayacctBlkioTicks);
  field(out, s.guestTime);
  field(out, s.cguestTime);
  field(out, s.startData);
  field(out, s.endData);
  field(out, s.startBrk);
  field(out, s.argStart);
  field(out, s.argEnd);
  field(out, s.envStart);
  field(out, s.envEnd);
  field(out, s.exitCode);
}

/** /proc/<pid>/statm (proc_pid_statm): size, resident, shared, text, lib (0), data, dirty (0). */
export function formatStatm(s: StatmSnapshot, out: Text): void {
  out.dec(s.size);
  field(out, s.resident);
  field(out, s.shared);
  field(out, s.text);
  out.str(" 0");
  field(out, s.data);
  out.str(" 0\n");
}

/** /proc/<pid>/schedstat (proc_pid_schedstat): nanoseconds on a CPU, nanoseconds waiting, slices. */
export function formatSchedstat(s: SchedSnapshot, out: Text): void {
  out.dec(s.sumExecRuntime);
  field(out, s.runDelay);
  field(out, s.pcount);
  out.byte(NEWLINE);
}
