/** /proc/<pid>/{schedstat,sched,autogroup,timerslack_ns}: scheduling of one thread. */
import { EINVAL, EPERM } from "../../kernel/errno.ts";
import { TASK_RUNNING } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { findTask, nextTgid } from "../../kernel/pid.ts";
import { CAP_SYS_NICE } from "../../kernel/subject.ts";
import { taskStartTime } from "../../kernel/task-time.ts";
import { taskName } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { readSeqbegin, readSeqretry } from "../../sync/seqlock.ts";
import { bootTimeNs } from "../../time/clock.ts";
import { formatSchedstat } from "./array-format.ts";
import { taskPriority } from "./array-state.ts";
import { formatAutogroup } from "./base-format.ts";
import { parseInteger } from "./base-parse.ts";
import { formatSched } from "./base-sched-format.ts";
import type { Context } from "../row.ts";
import type { SchedSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

/** Load weights by nice value, from -20 on (sched_prio_to_weight); each step is about a quarter more or less. */
const WEIGHTS = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991,
  1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
] as const;
const WEIGHT_IDLEPRIO = 3;
const NICE_0_WEIGHT = 1024;
const SCHED_NORMAL = 0;
const SCHED_BATCH = 3;
const SCHED_IDLE = 5;
/** p->prio of the first normal priority level less task_prio of it. */
const MAX_RT_PRIO = 100;
const BASE_SLICE_NS = 700_000;
const CLOCK_READ_NS = 34;
const DEFAULT_TIMER_SLACK = 50_000;
const MIN_NICE = -20;
const MAX_NICE = 19;

/** Shows /proc/<pid>/schedstat: of this thread, also below /proc/<pid> (proc_pid_schedstat). */
export function showSchedstat(c: Context, out: Text): number {
  const s = c.scratch.sched;
  gatherRuntime(c.k, c.task, s);
  formatSchedstat(s, out);
  return 0;
}

/** Shows /proc/<pid>/sched. */
export function showSched(c: Context, out: Text): number {
  gatherSched(c, c.scratch.sched);
  formatSched(c.scratch.sched, out);
  return 0;
}

/** Writing to /proc/<pid>/sched resets schedstats, which this kernel doesn't collect: anything is accepted. */
export function writeSched(_c: Context, _offset: number, data: Uint8Array): number {
  return data.length;
}

function gatherRuntime(k: Kernel, task: Ptr, s: SchedSnapshot): void {
  const { m } = k;
  const statsLock = m.load(task + TASK.signal) + SIGNAL.statsLock;
  for (;;) {
    const sequence = readSeqbegin(m, statsLock);
    s.sumExecRuntime = m.load64(task + TASK.utime) + m.load64(task + TASK.stime);
    s.runDelay = m.load64(task + TASK.runDelay);
    s.pcount = m.loadU32(task + TASK.pcount);
    if (!readSeqretry(m, statsLock, sequence)) return;
  }
}

function gatherSched(c: Context, s: SchedSnapshot): void {
  const { k, task } = c;
  const { m } = k;
  gatherRuntime(k, task, s);
  s.comm.length = taskName(k, task, s.comm.bytes);
  s.pid = m.load(task + TASK.pid);
  s.threads = m.load(m.load(task + TASK.signal) + SIGNAL.nrThreads);
  s.voluntary = m.loadU32(task + TASK.nvcsw);
  s.nonvoluntary = m.loadU32(task + TASK.nivcsw);
  s.migrations = 0;
  s.policy = m.load(task + TASK.policy);
  const nice = m.load(task + TASK.nice);
  s.prio = MAX_RT_PRIO + taskPriority(s.policy, m.load(task + TASK.rtPriority), nice);
  s.fair = s.policy === SCHED_NORMAL || s.policy === SCHED_BATCH || s.policy === SCHED_IDLE;
  const weight = s.policy === SCHED_IDLE ? WEIGHT_IDLEPRIO : (WEIGHTS[nice - MIN_NICE] ?? NICE_0_WEIGHT);
  s.loadWeight = weight * 1024;
  s.vruntime = Math.floor((s.sumExecRuntime * NICE_0_WEIGHT) / weight);
  const running = m.load(task + TASK.state) === TASK_RUNNING;
  s.runningShare = running ? 1 : 0;
  const now = bootTimeNs(k);
  // When a sleeping task ran last isn't kept: it is taken to have used its time since its start.
  s.execStart = running ? now : Math.min(now, taskStartTime(k, task) + s.sumExecRuntime + s.runDelay);
  s.lastUpdate = Math.floor(s.execStart / 1024) * 1024;
  s.slice = BASE_SLICE_NS * (1 + Math.floor(Math.log2(Math.min(k.config.cpus, 8))));
  s.clockDelta = CLOCK_READ_NS;
  s.hasMm = m.load(task + TASK.mm) !== 0;
}

/** Shows /proc/<pid>/autogroup: nothing for tasks that are in none, such as kernel threads. */
export function showAutogroup(c: Context, out: Text): number {
  const signal = c.k.m.load(c.task + TASK.signal);
  const id = c.k.m.load(signal + SIGNAL.autogroup);
  if (id !== 0) formatAutogroup(id, c.k.m.load(signal + SIGNAL.autogroupNice), out);
  return 0;
}

/** Sets the nice value of a task's autogroup (proc_sched_autogroup_set_nice): of all processes of the session. */
export function writeAutogroup(c: Context, _offset: number, data: Uint8Array): number {
  const { k } = c;
  const { parsed } = c.scratch;
  parseInteger(data, -0x80000000, 0x7fffffff, parsed);
  if (parsed.error !== 0) return parsed.error;
  if (parsed.value < MIN_NICE || parsed.value > MAX_NICE) return -EINVAL;
  if (parsed.value < 0 && !c.subject.capable(CAP_SYS_NICE)) return -EPERM;
  const id = k.m.load(k.m.load(c.task + TASK.signal) + SIGNAL.autogroup);
  if (id === 0) return data.length;
  for (let tgid = nextTgid(k, 1); tgid > 0; tgid = nextTgid(k, tgid + 1)) {
    const task = findTask(k, tgid);
    const signal = task === 0 ? 0 : k.m.load(task + TASK.signal);
    if (signal !== 0 && k.m.load(signal + SIGNAL.autogroup) === id) {
      k.m.store(signal + SIGNAL.autogroupNice, parsed.value);
    }
  }
  return data.length;
}

/** Shows /proc/<pid>/timerslack_ns: CAP_SYS_NICE only, since the caller is never the process itself. */
export function showTimerslack(c: Context, out: Text): number {
  if (!c.subject.capable(CAP_SYS_NICE)) return -EPERM;
  out.dec(c.k.m.load64(c.task + TASK.timerSlack)).byte(10);
  return 0;
}

/** Sets the timer slack; 0 is the default again (timerslack_ns_write). */
export function writeTimerslack(c: Context, _offset: number, data: Uint8Array): number {
  const { parsed } = c.scratch;
  parseInteger(data, 0, Number.MAX_SAFE_INTEGER, parsed, 20);
  if (parsed.error !== 0) return parsed.error;
  if (!c.subject.capable(CAP_SYS_NICE)) return -EPERM;
  c.k.m.store64(c.task + TASK.timerSlack, parsed.value === 0 ? DEFAULT_TIMER_SLACK : parsed.value);
  return data.length;
}
