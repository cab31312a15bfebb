/**
 * CPU time by CPU and state: what /proc/stat shows. Whoever runs tasks says what they used; the rest of the time that
 * has passed is idle, so that the columns always add up to the uptime.
 *
 * A counter is a word of clock ticks and a word of nanoseconds that don't make a tick yet. One atomic access each: a
 * reader never sees a torn value, and a counter never runs backwards.
 */
import type { Ptr } from "../sync/atomics.ts";
import { CPU_STATES, HOST, USER_HZ } from "./layout.ts";
import type { Kernel } from "./kernel.ts";

/** Columns of a cpu line (enum cpu_usage_stat, in the order of the file). */
export const CpuState = {
  user: 0,
  nice: 1,
  system: 2,
  idle: 3,
  iowait: 4,
  irq: 5,
  softirq: 6,
  steal: 7,
  guest: 8,
  guestNice: 9,
} as const;
export type CpuStateId = (typeof CpuState)[keyof typeof CpuState];

const NS_PER_TICK = 1e9 / USER_HZ;

function wordOf(cpu: number, state: number): Ptr {
  return HOST.cpuTime + (cpu * CPU_STATES + state) * 2;
}

/**
 * Adds `ns` nanoseconds to what a CPU spent in a state (account_user_time and its siblings). Any thread may call it.
 * Idle time isn't accounted, it is what is left. Guest time is part of user time: account it to both.
 * @param cpu less than `k.config.cpus`
 */
export function accountCpu(k: Kernel, cpu: number, state: CpuStateId, ns: number): void {
  const at = wordOf(cpu, state);
  const whole = Math.floor(ns / NS_PER_TICK);
  const rest = Math.round(ns - whole * NS_PER_TICK);
  const left = k.m.add(at + 1, rest) + rest;
  const carried = left >= NS_PER_TICK ? Math.floor(left / NS_PER_TICK) : 0;
  if (carried > 0) k.m.add(at + 1, -carried * NS_PER_TICK);
  if (whole + carried > 0) k.m.add(at, whole + carried);
}

/** Ticks of one state on one CPU, as accounted; idle isn't. */
function accounted(k: Kernel, cpu: number, state: number): number {
  return k.m.loadU32(wordOf(cpu, state));
}

/**
 * Reads one CPU's line, in ticks. Idle is the time since boot less everything else, but never less than it was shown
 * before: time is raised by one thread and used up by others, so at the edge of a tick one may be ahead.
 * @param elapsed ticks since boot
 * @param out CPU_STATES numbers, overwritten
 */
export function readCpuTime(k: Kernel, cpu: number, elapsed: number, out: number[]): void {
  let busy = 0;
  for (let state = 0; state < CPU_STATES; state++) {
    const ticks = state === CpuState.idle ? 0 : accounted(k, cpu, state);
    out[state] = ticks;
    // Guest time is contained in user and nice time.
    if (state < CpuState.guest) busy += ticks;
  }
  out[CpuState.idle] = raiseIdle(k, cpu, Math.max(0, elapsed - busy));
}

/** The most idle ticks that have been shown of a CPU, `idle` included. */
function raiseIdle(k: Kernel, cpu: number, idle: number): number {
  const at = wordOf(cpu, CpuState.idle);
  let shown = k.m.loadU32(at);
  while (shown < idle) {
    const found = k.m.compareExchange(at, shown | 0, idle | 0) >>> 0;
    if (found === shown) return idle;
    shown = found;
  }
  return shown;
}

/** Busy ticks of all CPUs together, iowait not included. */
export function busyTicks(k: Kernel): number {
  let sum = 0;
  for (let cpu = 0; cpu < k.config.cpus; cpu++) {
    for (let state = 0; state < CpuState.guest; state++) {
      if (state !== CpuState.idle && state !== CpuState.iowait) sum += accounted(k, cpu, state);
    }
  }
  return sum;
}

/** Ticks of one state over all CPUs; not for idle. */
export function stateTicks(k: Kernel, state: CpuStateId): number {
  let sum = 0;
  for (let cpu = 0; cpu < k.config.cpus; cpu++) sum += accounted(k, cpu, state);
  return sum;
}
