/** What a thread uses: CPU time, faults, switches (account_user_time and its siblings, kernel/sched/cputime.c). */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { readSeqbegin, readSeqretry, writeSeqlock, writeSequnlock } from "../sync/seqlock.ts";
import { accountCpu, CpuState } from "./cpu-time.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, SIGNAL, TASK } from "./layout.ts";

/** Interrupts of the timer a second while a CPU is busy (CONFIG_HZ). */
const HZ = 250;
const NS_PER_TIMER_TICK = 1e9 / HZ;

/** What a stretch of running costs a thread. Times in nanoseconds. */
export interface TimeUse {
  readonly cpu: number;
  readonly userNs: number;
  readonly systemNs: number;
  readonly minorFaults: number;
}

/**
 * Adds to a thread's times and to those of its CPU. The sums of a group belong to one moment: all of it happens under
 * stats_lock, which the kernel, whose counters can't tear, needs for dead threads only.
 */
export function accountTask(k: Kernel, task: Ptr, use: TimeUse): void {
  const { m } = k;
  const statsLock = m.load(task + TASK.signal) + SIGNAL.statsLock;
  writeSeqlock(k.t, statsLock, LockClass.stats);
  if (use.userNs > 0) m.add64(task + TASK.utime, use.userNs);
  if (use.systemNs > 0) m.add64(task + TASK.stime, use.systemNs);
  if (use.minorFaults > 0) m.add(task + TASK.minFlt, use.minorFaults);
  writeSequnlock(k.t, statsLock, LockClass.stats);
  const user = m.load(task + TASK.nice) > 0 ? CpuState.nice : CpuState.user;
  if (use.userNs > 0) accountCpu(k, use.cpu, user, use.userNs);
  if (use.systemNs > 0) accountCpu(k, use.cpu, CpuState.system, use.systemNs);
  m.addShared64(HOST.interrupts, 1 + Math.floor((use.userNs + use.systemNs) / NS_PER_TIMER_TICK));
}

/** A thread gets a CPU after having waited for it in the run queue (sched_info_arrive). */
export function accountArrival(k: Kernel, task: Ptr, cpu: number, waitedNs: number): void {
  const { m } = k;
  const statsLock = m.load(task + TASK.signal) + SIGNAL.statsLock;
  m.store(task + TASK.cpu, cpu);
  writeSeqlock(k.t, statsLock, LockClass.stats);
  if (waitedNs > 0) m.add64(task + TASK.runDelay, waitedNs);
  m.add(task + TASK.pcount, 1);
  writeSequnlock(k.t, statsLock, LockClass.stats);
  m.addShared64(HOST.contextSwitches, 1);
}

/** When a task started, in nanoseconds of boot time. It changes when another thread than the leader execs. @pre RCU */
export function taskStartTime(k: Kernel, task: Ptr): number {
  const { m } = k;
  const statsLock = m.load(task + TASK.signal) + SIGNAL.statsLock;
  for (;;) {
    const sequence = readSeqbegin(m, statsLock);
    const start = m.load64(task + TASK.startTime);
    if (!readSeqretry(m, statsLock, sequence)) return start;
  }
}

/** A thread leaves its CPU: by itself, or because another one's turn has come. */
export function accountSwitch(k: Kernel, task: Ptr, preempted: boolean): void {
  k.m.add(task + (preempted ? TASK.nivcsw : TASK.nvcsw), 1);
  k.m.addShared64(HOST.contextSwitches, 1);
}
