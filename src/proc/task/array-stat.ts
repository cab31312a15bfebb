/** /proc/<pid>/{stat,statm}: what do_task_stat and proc_pid_statm read (fs/proc/array.c). */
import {
  PF_KTHREAD,
  PTRACE_MODE_READ_FSCREDS,
  SIGCHLD,
  SIGNAL_GROUP_EXIT,
  SIGNAL_STOP_STOPPED,
  TASK_RUNNING,
} from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, RLIM_INFINITY, SIGHAND, SIGNAL, TASK, TTY, USER_HZ } from "../../kernel/layout.ts";
import { rlimit } from "../../kernel/limits.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { taskStartTime } from "../../kernel/task-time.ts";
import { firstThread, isLeader, nextThread, taskName } from "../../kernel/task.ts";
import type { MmStat } from "../../mm/stat.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { LockClass } from "../../sync/lockdep.ts";
import { readSeqbegin, readSeqlockExcl, readSeqretry, readSequnlockExcl } from "../../sync/seqlock.ts";
import { NSEC_PER_SEC } from "../../time/clock.ts";
import { formatStat, formatStatm } from "./array-format.ts";
import { taskMmStat } from "./array-mm.ts";
import { stateIndex, stateLetter, taskPriority } from "./array-state.ts";
import type { Context } from "../row.ts";
import type { StatSnapshot, StatmSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

const RLIMIT_RSS = 5;
const NSEC_PER_TICK = NSEC_PER_SEC / USER_HZ;
/** stat shows signal sets without the top bit of their first word. */
const SIGNAL_BITS = 0x7fffffff;

/** Shows /proc/<pid>/stat; `c.whole` tells the group's sums from one thread's. */
export function showStat(c: Context, out: Text): number {
  gatherStat(c, c.scratch.stat);
  formatStat(c.scratch.stat, out);
  return 0;
}

/** Shows /proc/<pid>/statm: zeros for a task without an address space. */
export function showStatm(c: Context, out: Text): number {
  const mm = taskMmStat(c.k, c.task, c.scratch.mm);
  fillStatm(c.scratch.mm, mm !== 0, c.k, mm, c.scratch.statm);
  formatStatm(c.scratch.statm, out);
  return 0;
}

function fillStatm(v: MmStat, hasMm: boolean, k: Kernel, mm: Ptr, out: StatmSnapshot): void {
  out.size = hasMm ? v.totalVm : 0;
  out.resident = hasMm ? v.rssAnon + v.rssFile + v.rssShmem : 0;
  out.shared = hasMm ? v.rssFile + v.rssShmem : 0;
  out.text = hasMm ? textPages(k, mm) : 0;
  out.data = hasMm ? v.dataVm + v.stackVm : 0;
}

/** Pages of the program's own code, whole pages at both ends. */
function textPages(k: Kernel, mm: Ptr): number {
  const start = Math.floor(k.m.load64(mm + MM.startCode) / PAGE_SIZE);
  return Math.ceil(k.m.load64(mm + MM.endCode) / PAGE_SIZE) - start;
}

/** Fills every field of `out`, hiding what a reader may not see who fails PTRACE_MODE_READ. @pre RCU */
function gatherStat(c: Context, out: StatSnapshot): void {
  const { k, task } = c;
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const state = m.load(task + TASK.state);
  const permitted = ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, c.subject);
  out.pid = m.load(task + TASK.pid);
  out.comm.length = taskName(k, task, out.comm.bytes);
  out.state = stateLetter(stateIndex(state));
  out.flags = m.loadU32(task + TASK.flags);
  gatherMemory(k, task, permitted, c.scratch.mm, out);
  gatherSignal(k, task, signal, out);
  gatherTimes(k, task, signal, c.whole, out);
  gatherScheduling(k, task, out);
  const alone = !c.whole || out.numThreads < 2;
  out.wchan = permitted && alone && state !== TASK_RUNNING ? 1 : 0;
  out.exitCode = permitted ? exitCode(k, task, signal, c.whole) : 0;
  out.exitSignal = exitSignal(k, task, out.ppid);
  out.startTime = Math.floor(taskStartTime(k, task) / NSEC_PER_TICK);
  out.kstkEsp = 0;
  out.kstkEip = 0;
  out.delayacctBlkioTicks = 0;
  out.guestTime = 0;
  out.cguestTime = 0;
}

function gatherMemory(k: Kernel, task: Ptr, permitted: boolean, v: MmStat, out: StatSnapshot): void {
  const { m } = k;
  const mm = taskMmStat(k, task, v);
  const visible = mm !== 0 && permitted;
  const hidden = mm !== 0 ? 1 : 0;
  out.vsize = mm === 0 ? 0 : v.totalVm * PAGE_SIZE;
  out.rss = mm === 0 ? 0 : v.rssAnon + v.rssFile + v.rssShmem;
  out.startCode = visible ? m.load64(mm + MM.startCode) : hidden;
  out.endCode = visible ? m.load64(mm + MM.endCode) : hidden;
  out.startStack = visible ? m.load64(mm + MM.startStack) : 0;
  out.startData = visible ? m.load64(mm + MM.startData) : 0;
  out.endData = visible ? m.load64(mm + MM.endData) : 0;
  out.startBrk = visible ? m.load64(mm + MM.startBrk) : 0;
  out.argStart = visible ? m.load64(mm + MM.argStart) : 0;
  out.argEnd = visible ? m.load64(mm + MM.argEnd) : 0;
  out.envStart = visible ? m.load64(mm + MM.envStart) : 0;
  out.envEnd = visible ? m.load64(mm + MM.envEnd) : 0;
}

function gatherSignal(k: Kernel, task: Ptr, signal: Ptr, out: StatSnapshot): void {
  const { m } = k;
  const sighand = m.load(task + TASK.sighand);
  const parent = m.load(signal + SIGNAL.parent);
  const tty = m.load(signal + SIGNAL.tty);
  const terminal = HOST.ttys + (tty - 1) * TTY.words;
  // Without a sighand the task has been reaped: lock_task_sighand fails.
  out.ppid = sighand === 0 || parent === 0 ? 0 : m.load(parent + SIGNAL.tgid);
  out.pgrp = sighand === 0 ? -1 : m.load(signal + SIGNAL.pgrp);
  out.session = sighand === 0 ? -1 : m.load(signal + SIGNAL.session);
  out.ttyNr = sighand === 0 || tty === 0 ? 0 : m.load(terminal + TTY.nr);
  out.tpgid = sighand === 0 || tty === 0 ? -1 : m.load(terminal + TTY.foreground);
  out.numThreads = sighand === 0 ? 0 : m.load(signal + SIGNAL.nrThreads);
  out.rsslim = sighand === 0 ? RLIM_INFINITY : rlimit(k, signal, RLIMIT_RSS, false);
  out.pending = m.load(task + TASK.pending) & SIGNAL_BITS;
  out.blocked = m.load(task + TASK.blocked) & SIGNAL_BITS;
  out.ignored = sighand === 0 ? 0 : m.load(sighand + SIGHAND.ignored) & SIGNAL_BITS;
  out.caught = sighand === 0 ? 0 : m.load(sighand + SIGHAND.caught) & SIGNAL_BITS;
}

/** Times and faults of one moment, under stats_lock: of the thread, or of the group with its dead threads. */
function gatherTimes(k: Kernel, task: Ptr, signal: Ptr, whole: boolean, out: StatSnapshot): void {
  const { m } = k;
  const statsLock = signal + SIGNAL.statsLock;
  const sequence = readSeqbegin(m, statsLock);
  sumTimes(k, task, signal, whole, out);
  if (readSeqretry(m, statsLock, sequence)) {
    // A second time with the lock: a large group would never be summed up between two changes.
    readSeqlockExcl(k.t, statsLock, LockClass.stats);
    sumTimes(k, task, signal, whole, out);
    readSequnlockExcl(k.t, statsLock, LockClass.stats);
  }
  out.utime = Math.floor(out.utime / NSEC_PER_TICK);
  out.stime = Math.floor(out.stime / NSEC_PER_TICK);
  out.cutime = Math.floor(out.cutime / NSEC_PER_TICK);
  out.cstime = Math.floor(out.cstime / NSEC_PER_TICK);
}

function sumTimes(k: Kernel, task: Ptr, signal: Ptr, whole: boolean, out: StatSnapshot): void {
  const { m } = k;
  out.cminFlt = m.loadU32(signal + SIGNAL.cminFlt);
  out.cmajFlt = m.loadU32(signal + SIGNAL.cmajFlt);
  out.cutime = m.load64(signal + SIGNAL.cutime);
  out.cstime = m.load64(signal + SIGNAL.cstime);
  out.utime = whole ? m.load64(signal + SIGNAL.utime) : 0;
  out.stime = whole ? m.load64(signal + SIGNAL.stime) : 0;
  out.minFlt = whole ? m.loadU32(signal + SIGNAL.minFlt) : 0;
  out.majFlt = whole ? m.loadU32(signal + SIGNAL.majFlt) : 0;
  if (!whole) addTimes(k, task, out);
  else for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) addTimes(k, t, out);
}

function addTimes(k: Kernel, task: Ptr, out: StatSnapshot): void {
  const { m } = k;
  out.utime += m.load64(task + TASK.utime);
  out.stime += m.load64(task + TASK.stime);
  out.minFlt += m.loadU32(task + TASK.minFlt);
  out.majFlt += m.loadU32(task + TASK.majFlt);
}

function gatherScheduling(k: Kernel, task: Ptr, out: StatSnapshot): void {
  const { m } = k;
  out.policy = m.load(task + TASK.policy);
  out.rtPriority = m.load(task + TASK.rtPriority);
  out.nice = m.load(task + TASK.nice);
  out.priority = taskPriority(out.policy, out.rtPriority, out.nice);
  out.processor = m.load(task + TASK.cpu);
}

function exitCode(k: Kernel, task: Ptr, signal: Ptr, whole: boolean): number {
  const group = (k.m.load(signal + SIGNAL.flags) & (SIGNAL_GROUP_EXIT | SIGNAL_STOP_STOPPED)) !== 0;
  return whole && group ? k.m.load(signal + SIGNAL.groupExitCode) : k.m.load(task + TASK.exitCode);
}

/** Leaders send SIGCHLD, other threads nothing (-1); kthreadd's parent, the idle task, takes no signals (0). */
function exitSignal(k: Kernel, task: Ptr, ppid: number): number {
  if (!isLeader(k, task)) return -1;
  return ppid === 0 && (k.m.load(task + TASK.flags) & PF_KTHREAD) !== 0 ? 0 : SIGCHLD;
}
