/** /proc/stat, /proc/uptime, /proc/loadavg: what all CPUs and tasks add up to (fs/proc/{stat,uptime,loadavg}.c). */
import { CpuState, readCpuTime } from "../../kernel/cpu-time.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { CPU_STATES, HOST, USER_HZ } from "../../kernel/layout.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { readCounter64 } from "./counter.ts";
import { gatherIrqs, gatherSoftirqs } from "./irq.ts";
import type { IrqLine } from "./irq.ts";

/** What /proc/stat prints. Times are in clock ticks. */
export interface SystemStat {
  /** One line of CPU_STATES numbers per CPU; the sum comes from them. */
  readonly cpus: readonly (readonly number[])[];
  /** All columns added up over the CPUs. */
  readonly all: readonly number[];
  readonly interrupts: number;
  /** Per interrupt number, over all CPUs. */
  readonly irqs: readonly number[];
  readonly contextSwitches: number;
  /** Seconds since the epoch. */
  readonly bootTime: number;
  readonly forks: number;
  readonly running: number;
  readonly blocked: number;
  readonly softirqs: number;
  /** Per kind, over all CPUs. */
  readonly softirqKinds: readonly number[];
}

/** Clock ticks since boot. */
export function elapsedTicks(k: Kernel): number {
  return Math.floor(bootTimeNs(k) / (1e9 / USER_HZ));
}

/** Ticks of every CPU and state. */
function gatherCpuTimes(k: Kernel): number[][] {
  const elapsed = elapsedTicks(k);
  const cpus: number[][] = [];
  for (let cpu = 0; cpu < k.config.cpus; cpu++) {
    const line: number[] = [];
    readCpuTime(k, cpu, elapsed, line);
    cpus.push(line);
  }
  return cpus;
}

function addUp(cpus: readonly (readonly number[])[]): number[] {
  const all = new Array<number>(CPU_STATES).fill(0);
  for (const line of cpus) for (let state = 0; state < CPU_STATES; state++) all[state]! += line[state]!;
  return all;
}

/** Runnable tasks; whoever reads is one, too. */
function nrRunning(k: Kernel): number {
  return Math.max(1, k.m.load(HOST.nrRunning));
}

/** @param lines the machine's interrupt sources */
export function gatherStat(k: Kernel, lines: readonly IrqLine[]): SystemStat {
  const cpus = gatherCpuTimes(k);
  const irqs = gatherIrqs(k, lines);
  const softirqs = gatherSoftirqs(k);
  return {
    cpus,
    all: addUp(cpus),
    interrupts: irqs.total,
    irqs: irqs.byNumber,
    contextSwitches: readCounter64(k, HOST.contextSwitches),
    bootTime: k.m.load64(HOST.realtimeAtBoot),
    forks: readCounter64(k, HOST.totalForks),
    running: nrRunning(k),
    blocked: Math.max(0, k.m.load(HOST.nrUninterruptible)),
    softirqs: softirqs.total,
    softirqKinds: softirqs.byKind,
  };
}

function cpuLine(name: string, ticks: readonly number[], out: Text): void {
  out.str(name);
  for (const value of ticks) out.byte(32).dec(value);
  out.byte(10);
}

function numbers(name: string, total: number, values: readonly number[], out: Text): void {
  out.str(name).byte(32).dec(total);
  for (const value of values) out.byte(32).dec(value);
  out.byte(10);
}

export function formatStat(s: SystemStat, out: Text): void {
  cpuLine("cpu ", s.all, out);
  for (let cpu = 0; cpu < s.cpus.length; cpu++) cpuLine(`cpu${cpu}`, s.cpus[cpu]!, out);
  numbers("intr", s.interrupts, s.irqs, out);
  out.str("ctxt ").dec(s.contextSwitches).str("\nbtime ").dec(s.bootTime);
  out.str("\nprocesses ").dec(s.forks).str("\nprocs_running ").dec(s.running);
  out.str("\nprocs_blocked ").dec(s.blocked).byte(10);
  numbers("softirq", s.softirqs, s.softirqKinds, out);
}

function centiseconds(value: number, out: Text): Text {
  return out
    .dec(Math.floor(value / 100))
    .byte(46)
    .dec(value % 100, 2, 48);
}

/** @param up @param idle centiseconds */
export function formatUptime(up: number, idle: number, out: Text): void {
  centiseconds(up, out).byte(32);
  centiseconds(idle, out).byte(10);
}

/** Idle time is the sum of the idle columns of /proc/stat. */
export function showUptime(c: Context, out: Text): void {
  const cpus = gatherCpuTimes(c.k);
  let idle = 0;
  for (const line of cpus) idle += line[CpuState.idle]!;
  formatUptime(elapsedTicks(c.k), idle, out);
}

export interface LoadAverage {
  /** Three averages with 11 bits of fraction. */
  readonly averages: readonly number[];
  readonly running: number;
  readonly threads: number;
  readonly lastPid: number;
}

const LOAD_FRACTION = 2048;
/** Half of a hundredth: the averages are rounded (get_avenrun's offset). */
const LOAD_ROUNDING = 10;

export function formatLoadavg(load: LoadAverage, out: Text): void {
  for (const average of load.averages) {
    const rounded = average + LOAD_ROUNDING;
    out.dec(Math.floor(rounded / LOAD_FRACTION)).byte(46);
    out.dec(Math.floor(((rounded % LOAD_FRACTION) * 100) / LOAD_FRACTION), 2, 48).byte(32);
  }
  out.dec(load.running).byte(47).dec(load.threads).byte(32).dec(load.lastPid).byte(10);
}

function gatherLoadavg(k: Kernel): LoadAverage {
  const averages: number[] = [];
  for (let i = 0; i < 3; i++) averages.push(k.m.loadU32(HOST.loadAverage + i));
  const threads = k.m.load(HOST.nrThreads);
  return { averages, running: nrRunning(k), threads, lastPid: k.m.load(HOST.lastPid) };
}

export function showLoadavg(c: Context, out: Text): void {
  formatLoadavg(gatherLoadavg(c.k), out);
}
