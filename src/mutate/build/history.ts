/** What processes did before the simulation starts: when they began, and what they have used since. */
import { accountCpu, CpuState } from "../../kernel/cpu-time.ts";
import type { IoDelta } from "../../kernel/io-accounting.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, USER_HZ } from "../../kernel/layout.ts";
import type { Random } from "../../kernel/random.ts";
import type { CpuBehaviour, Group, IoBehaviour, Scenario, Spread } from "../scenario-types.ts";
import { processCounts } from "./census.ts";

const NS_PER_MS = 1e6;
const NS_PER_SEC = 1e9;
/** Services start between these two moments after boot. */
const FIRST_SERVICE_NS = 1.8 * NS_PER_SEC;
const LAST_SERVICE_NS = 9 * NS_PER_SEC;
/** Somebody logged in at most that long ago. */
const LONGEST_LOGIN_NS = 5 * 3600 * NS_PER_SEC;
/** CPUs are never busy for longer than this fraction of the time since boot. */
const MOST_BUSY = 0.95;
/** Time that processes used which are gone by now, relative to that of the present ones. */
const GONE = 0.12;
const READ_AT_START = 48 * 1024;

/** CPU time in nanoseconds. */
export interface CpuHistory {
  user: number;
  system: number;
}

/**
 * When a process started, in nanoseconds after boot: never before its parent, never after now.
 * @param member index of the process in its group
 */
export function startTime(
  scenario: Scenario,
  group: Group,
  member: number,
  parentStart: number,
  random: Random,
): number {
  const now = scenario.host.uptimeMs * NS_PER_MS;
  const wanted =
    group.startMs !== null ? group.startMs * NS_PER_MS : usualStart(scenario, group, now, parentStart, random);
  return Math.min(now, Math.max(parentStart, Math.floor(wanted + member * 0.2 * NS_PER_MS)));
}

function usualStart(scenario: Scenario, group: Group, now: number, parentStart: number, random: Random): number {
  const parent = group.parent < 0 ? null : (scenario.groups[group.parent] as Group);
  const atTerminal = group.tty !== null && (parent === null || parent.tty === null);
  if (atTerminal && group.tty?.name.startsWith("pts/") === true) {
    return now - Math.min(now / 2, LONGEST_LOGIN_NS * (0.1 + 0.9 * random.unit()));
  }
  if (parent === null || parent.pid === 1) {
    const position = group.index / Math.max(1, scenario.groups.length);
    const last = Math.min(LAST_SERVICE_NS, now / 2);
    return Math.min(FIRST_SERVICE_NS, last / 2) + position * last;
  }
  return parentStart + (0.002 + 0.05 * random.unit()) * NS_PER_SEC;
}

/** By how much CPU shares must shrink so that all processes together fit on the CPUs. */
export function cpuScale(scenario: Scenario): number {
  const counts = processCounts(scenario);
  let shares = 0;
  for (const group of scenario.groups) shares += shareOf(group) * (counts[group.index] as number);
  return Math.min(1, (scenario.host.cpus * MOST_BUSY) / (shares * (1 + GONE) || 1));
}

function shareOf(group: Group): number {
  return cpuBehaviour(group)?.share ?? 0;
}

function cpuBehaviour(group: Group): CpuBehaviour | undefined {
  return group.behaviours.find((one) => one.kind === "cpu");
}

/** CPU time of a process of this age: as its behaviour says, or a little. */
export function cpuHistory(group: Group, ageNs: number, scale: number, random: Random): CpuHistory {
  const { user, system } = group.cpuTimeMs;
  if (user > 0 || system > 0) return { user: Math.floor(user * NS_PER_MS), system: Math.floor(system * NS_PER_MS) };
  const behaviour = cpuBehaviour(group);
  const total = behaviour === undefined ? idleTime(group, ageNs, random) : behaviour.share * scale * ageNs;
  const share = group.kernel ? 0 : (behaviour?.user ?? 0.6);
  return { user: Math.floor(total * share), system: Math.floor(total * (1 - share)) };
}

/** A process that waits most of its life: some milliseconds to start, and some a day. */
function idleTime(group: Group, ageNs: number, random: Random): number {
  const start = (group.kernel ? 0.2 : 8) * NS_PER_MS * (0.5 + random.unit());
  return Math.min(ageNs, start + ageNs * 2e-6 * random.unit());
}

/** What a process of this age has read and written. */
export function ioHistory(group: Group, ageNs: number, random: Random): IoDelta {
  if (group.kernel) return { rchar: 0, wchar: 0, syscr: 0, syscw: 0, readBytes: 0, writeBytes: 0 };
  const io = group.behaviours.find((one) => one.kind === "io");
  const events = io === undefined ? 0 : ratePerProcess(io, group) * (ageNs / NS_PER_SEC);
  const read = group.ioBytes.read || Math.floor(events * (io === undefined ? 0 : mean(io.read)));
  const written = group.ioBytes.written || Math.floor(events * (io === undefined ? 0 : mean(io.write)));
  const start = READ_AT_START + random.below(READ_AT_START);
  const calls = Math.floor(events);
  return {
    rchar: read + start,
    wchar: written + random.below(4096),
    syscr: calls + 20 + random.below(60),
    syscw: calls + 1 + random.below(20),
    readBytes: pages(read * (1 - (io?.cached ?? 1)) + start),
    writeBytes: pages(written),
  };
}

function ratePerProcess(io: IoBehaviour, group: Group): number {
  return io.per === "group" ? io.rate / Math.max(1, group.count) : io.rate;
}

function mean({ min, max }: Spread): number {
  return (min + max) / 2;
}

/** Disks move whole pages. */
function pages(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}

/** Sets the clock to the moment at which the simulation starts. */
export function setUptime(k: Kernel, scenario: Scenario): void {
  k.m.store64(HOST.bootTime, Math.floor(scenario.host.uptimeMs * NS_PER_MS));
}

/**
 * Accounts the past to the machine: CPU time of present and gone processes, forks, switches, interrupts, load.
 * @param total CPU time of all present processes together
 */
export function accountPast(k: Kernel, scenario: Scenario, total: CpuHistory, random: Random): void {
  const { m } = k;
  const now = scenario.host.uptimeMs * NS_PER_MS;
  const { cpus } = scenario.host;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const share = (1 + GONE) / cpus;
    accountCpu(k, cpu, CpuState.user, total.user * share);
    accountCpu(k, cpu, CpuState.system, total.system * share);
    accountCpu(k, cpu, CpuState.iowait, now * 0.002 * random.unit());
    accountCpu(k, cpu, CpuState.irq, now * 0.0004 * random.unit());
    accountCpu(k, cpu, CpuState.softirq, now * 0.001 * random.unit());
  }
  const seconds = now / NS_PER_SEC;
  const busy = (total.user + total.system) / NS_PER_SEC;
  m.add64(HOST.contextSwitches, Math.floor(seconds * 180 * cpus + busy * 900));
  m.add64(HOST.interrupts, Math.floor(seconds * (USER_HZ + 60) * cpus + busy * 500));
  m.add64(HOST.softirqs, Math.floor(seconds * 70 * cpus + busy * 300));
  m.add64(HOST.totalForks, Math.floor(seconds / 8 + forksSoFar(scenario, seconds)));
  loadAverages(k, busy / Math.max(1, seconds), random);
}

/** The load averages that so many busy CPUs lead to, with 11 bits of fraction. */
function loadAverages(k: Kernel, load: number, random: Random): void {
  for (let i = 0; i < 3; i++) k.m.store(HOST.loadAverage + i, Math.floor(load * (0.9 + 0.2 * random.unit()) * 2048));
}

/** Forks that the behaviours would have done since boot. */
function forksSoFar(scenario: Scenario, seconds: number): number {
  const counts = processCounts(scenario);
  let sum = 0;
  for (const group of scenario.groups) {
    for (const one of group.behaviours) {
      if (one.kind !== "fork") continue;
      sum += seconds * (one.per === "group" ? one.rate : one.rate * (counts[group.index] as number));
    }
  }
  return sum;
}
