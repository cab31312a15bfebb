/** What a capture knows of a process beyond what a scenario can say: put into the model as it was. */
import { reserveFds } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { IO, MM, SIGHAND, SIGNAL, TASK, USER_HZ } from "../../kernel/layout.ts";
import {
  TASK_IDLE,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_STOPPED,
  TASK_TRACED,
  TASK_UNINTERRUPTIBLE,
} from "../../kernel/flags.ts";
import {
  firstThread,
  isKernelThread,
  nextThread,
  setKernelThreadName,
  setTaskComm,
  setTaskState,
} from "../../kernel/task.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Exact, ExactThread, StateLetter } from "../scenario-types.ts";

const NS_PER_TICK = 1e9 / USER_HZ;

const STATES: Record<StateLetter, number> = {
  R: TASK_RUNNING,
  S: TASK_INTERRUPTIBLE,
  D: TASK_UNINTERRUPTIBLE,
  T: TASK_STOPPED,
  t: TASK_TRACED,
  I: TASK_IDLE,
  // A leader that is dead while others live becomes one when everything else is in place.
  Z: TASK_INTERRUPTIBLE,
};

/** Counters of io in the order of the file, and where they are kept. */
const IO_FIELDS: readonly (readonly [string, number])[] = [
  ["rchar", IO.rchar],
  ["wchar", IO.wchar],
  ["syscr", IO.syscr],
  ["syscw", IO.syscw],
  ["read_bytes", IO.readBytes],
  ["write_bytes", IO.writeBytes],
  ["cancelled_write_bytes", IO.cancelledWriteBytes],
];

/** Puts in what belongs to the whole process, and to its main thread. @pre its other threads have been started */
export function applyExact(k: Kernel, task: Ptr, exact: Exact): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const sighand = m.load(task + TASK.sighand);
  applyExactThread(k, task, mainThread(exact));
  storeMask(k, sighand + SIGHAND.ignored, exact.status["SigIgn"]);
  storeMask(k, sighand + SIGHAND.caught, exact.status["SigCgt"]);
  storeMask(k, signal + SIGNAL.sharedPending, exact.status["ShdPnd"]);
  m.store64(signal + SIGNAL.cutime, ticks(exact.stat["cutime"]));
  m.store64(signal + SIGNAL.cstime, ticks(exact.stat["cstime"]));
  m.store(signal + SIGNAL.cminFlt, word(exact.stat["cminflt"]));
  m.store(signal + SIGNAL.cmajFlt, word(exact.stat["cmajflt"]));
  m.store(signal + SIGNAL.groupExitCode, word(exact.stat["exit_code"]));
  applySession(k, signal, exact);
  applyRemainder(k, task, signal, exact);
  applyTimerSlack(k, task, exact);
  const fdSize = Number(exact.status["FDSize"] ?? 0);
  if (fdSize > 0 && m.load(task + TASK.files) !== 0) reserveFds(k, m.load(task + TASK.files), fdSize);
}

/** The kernel rounds the times of a process and of its only thread apart from each other; those of the process count. */
function mainThread({ threads, stat }: Exact): ExactThread {
  const main = threads[0] as ExactThread;
  if (threads.length > 1) return main;
  return { ...main, stat: { ...main.stat, utime: stat["utime"] ?? 0, stime: stat["stime"] ?? 0 } };
}

function applyTimerSlack(k: Kernel, task: Ptr, { files }: Exact): void {
  const slack = files["timerslack_ns"];
  if (slack !== undefined) k.m.store64(task + TASK.timerSlack, Number(slack));
}

function applySession(k: Kernel, signal: Ptr, exact: Exact): void {
  const autogroup = /^\/autogroup-(\d+) nice (-?\d+)/.exec(exact.files["autogroup"] ?? "");
  k.m.store(signal + SIGNAL.autogroup, autogroup === null ? 0 : Number(autogroup[1]));
  k.m.store(signal + SIGNAL.autogroupNice, autogroup === null ? 0 : Number(autogroup[2]));
}

/** What threads that are gone left behind: the sums of the process less those of the threads that are there. */
function applyRemainder(k: Kernel, task: Ptr, signal: Ptr, exact: Exact): void {
  const { m } = k;
  applyTime(k, task, TASK.utime, signal + SIGNAL.utime, exact.stat["utime"] ?? 0);
  applyTime(k, task, TASK.stime, signal + SIGNAL.stime, exact.stat["stime"] ?? 0);
  m.store(signal + SIGNAL.minFlt, less(exact.stat["minflt"] ?? 0, sum(k, task, TASK.minFlt)));
  m.store(signal + SIGNAL.majFlt, less(exact.stat["majflt"] ?? 0, sum(k, task, TASK.majFlt)));
  for (const [name, at] of IO_FIELDS) {
    m.store64(signal + SIGNAL.ioac + at, less(exact.io?.[name] ?? 0, sum64(k, task, TASK.ioac + at)));
  }
}

/** Makes the sum over all threads show as so many ticks: more of it in the past, or less of it in the main thread. */
function applyTime(k: Kernel, task: Ptr, field: number, past: Ptr, wanted: number): void {
  const { m } = k;
  const present = sum64(k, task, field);
  const excess = Math.max(0, present - (wanted + 1) * NS_PER_TICK + 1);
  m.store64(past, less(wanted * NS_PER_TICK, present));
  m.store64(task + field, less(m.load64(task + field), excess));
}

function less(whole: number, present: number): number {
  return Math.max(0, whole - present);
}

function sum64(k: Kernel, task: Ptr, field: number): number {
  let total = 0;
  for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) total += k.m.load64(t + field);
  return total;
}

function sum(k: Kernel, task: Ptr, field: number): number {
  let total = 0;
  for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) total += k.m.loadU32(t + field);
  return total;
}

/** Puts in what belongs to one thread; its state, unless it is dead. */
export function applyExactThread(k: Kernel, task: Ptr, thread: ExactThread): void {
  const { m } = k;
  const { stat, status } = thread;
  const name = latin1Bytes(thread.comm);
  if (isKernelThread(k, task)) setKernelThreadName(k, task, name);
  else setTaskComm(k, task, name);
  const wait = thread.state === "R" ? Wait.running : m.load(task + TASK.waitKind);
  setTaskState(k, task, STATES[thread.state], wait);
  if (stat["flags"] !== undefined) m.store(task + TASK.flags, stat["flags"] | 0);
  if (stat["starttime"] !== undefined) m.store64(task + TASK.startTime, ticks(stat["starttime"]));
  m.store(task + TASK.minFlt, word(stat["minflt"]));
  m.store(task + TASK.majFlt, word(stat["majflt"]));
  m.store(task + TASK.exitCode, word(stat["exit_code"]));
  m.store(task + TASK.nvcsw, word(Number(status["voluntary_ctxt_switches"] ?? 0)));
  m.store(task + TASK.nivcsw, word(Number(status["nonvoluntary_ctxt_switches"] ?? 0)));
  storeMask(k, task + TASK.pending, status["SigPnd"]);
  storeMask(k, task + TASK.blocked, status["SigBlk"]);
  applyScheduling(k, task, thread);
  for (const [name, at] of IO_FIELDS) m.store64(task + TASK.ioac + at, thread.io?.[name] ?? 0);
}

function applyScheduling(k: Kernel, task: Ptr, { stat, status, schedstat }: ExactThread): void {
  const { m } = k;
  const [runtime = 0, delay = 0, slices = 0] = schedstat.split(" ").map(Number);
  const [utime, stime] = splitRuntime(runtime, stat["utime"] ?? 0, stat["stime"] ?? 0);
  m.store64(task + TASK.utime, utime);
  m.store64(task + TASK.stime, stime);
  m.store64(task + TASK.runDelay, delay);
  m.store(task + TASK.pcount, word(slices));
  m.store(task + TASK.nice, stat["nice"] ?? 0);
  m.store(task + TASK.policy, stat["policy"] ?? 0);
  m.store(task + TASK.rtPriority, stat["rt_priority"] ?? 0);
  m.store(task + TASK.cpu, stat["processor"] ?? 0);
  if (status["Cpus_allowed"] !== undefined) {
    const groups = status["Cpus_allowed"].split(",").reverse();
    m.store(task + TASK.cpusAllowed, Number.parseInt(groups[0] ?? "0", 16) | 0);
    m.store(task + TASK.cpusAllowed + 1, Number.parseInt(groups[1] ?? "0", 16) | 0);
  }
  m.store(task + TASK.noNewPrivs, Number(status["NoNewPrivs"] ?? 0));
  m.store(task + TASK.seccomp, Number(status["Seccomp"] ?? 0));
}

/**
 * Nanoseconds in user and kernel mode that make up `runtime` and show as these clock ticks; the ticks alone, if the two
 * were not read at the same moment.
 */
function splitRuntime(runtime: number, userTicks: number, systemTicks: number): [number, number] {
  const user = userTicks * NS_PER_TICK;
  const system = systemTicks * NS_PER_TICK;
  const rest = runtime - user - system;
  if (rest < 0 || rest > 2 * (NS_PER_TICK - 1)) return [user, system];
  const more = Math.min(rest, NS_PER_TICK - 1);
  return [user + more, system + rest - more];
}

/** A 64-bit set of status, such as SigIgn. */
function storeMask(k: Kernel, at: Ptr, text: string | undefined): void {
  const digits = (text ?? "").trim().padStart(16, "0");
  k.m.store(at, Number.parseInt(digits.slice(8), 16) | 0);
  k.m.store(at + 1, Number.parseInt(digits.slice(0, 8), 16) | 0);
}

function ticks(value: number | undefined): number {
  return (value ?? 0) * NS_PER_TICK;
}

function word(value: number | undefined): number {
  return (value ?? 0) | 0;
}

/** Addresses of a captured address space by their names in stat. */
export const STAT_ADDRESSES: readonly (readonly [string, number])[] = [
  ["startcode", MM.startCode],
  ["endcode", MM.endCode],
  ["startstack", MM.startStack],
  ["start_data", MM.startData],
  ["end_data", MM.endData],
  ["start_brk", MM.startBrk],
  ["arg_start", MM.argStart],
  ["arg_end", MM.argEnd],
  ["env_start", MM.envStart],
  ["env_end", MM.envEnd],
];
