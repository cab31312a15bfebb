/** /proc/pressure/*: how long tasks waited for the CPU, for I/O, for memory (kernel/sched/psi.c), estimated. */
import { busyTicks, CpuState, stateTicks } from "../../kernel/cpu-time.ts";
import { EINVAL } from "../../kernel/errno.ts";
import { HOST, USER_HZ } from "../../kernel/layout.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { elapsedTicks } from "./stat.ts";
import type { Leaf } from "./tree.ts";
import { one } from "./tree.ts";

/** One line: percentages over 10, 60 and 300 seconds, and microseconds since boot. */
export interface Pressure {
  readonly averages: readonly number[];
  readonly total: number;
}

const US_PER_TICK = 1e6 / USER_HZ;
const LOAD_FRACTION = 2048;
/** Share of the busy time for which something else waited for the CPU. */
const CPU_STALL = 0.04;

/** @param name `some` or `full` */
export function formatPressure(name: string, p: Pressure, out: Text): void {
  const windows = [10, 60, 300];
  out.str(name);
  for (let i = 0; i < windows.length; i++) {
    const hundredths = Math.min(9999, Math.floor(p.averages[i]! * 100));
    out
      .str(" avg")
      .dec(windows[i]!)
      .byte(61)
      .dec(Math.floor(hundredths / 100))
      .byte(46);
    out.dec(hundredths % 100, 2, 48);
  }
  out.str(" total=").dec(p.total).byte(10);
}

const NONE: Pressure = { averages: [0, 0, 0], total: 0 };

/** Tasks beyond the number of CPUs wait: the load averages say how many there were. */
function cpuPressure(c: Context): Pressure {
  const { m, config } = c.k;
  const averages: number[] = [];
  for (let i = 0; i < 3; i++) {
    const load = m.loadU32(HOST.loadAverage + i) / LOAD_FRACTION;
    averages.push(load > config.cpus ? 100 * (1 - config.cpus / load) : (load / config.cpus) * 100 * CPU_STALL);
  }
  return { averages, total: Math.floor(busyTicks(c.k) * US_PER_TICK * CPU_STALL) };
}

/** Time that CPUs spent waiting for I/O, since boot and on the average. */
function ioPressure(c: Context, share: number): Pressure {
  const ticks = stateTicks(c.k, CpuState.iowait);
  const elapsed = Math.max(1, elapsedTicks(c.k));
  const average = Math.min(99, (ticks / elapsed) * 100 * share);
  return { averages: [average, average, average], total: Math.floor(ticks * US_PER_TICK * share) };
}

/** Triggers need a real scheduler: as with junk, none is taken. */
const refuse = { write: (): number => -EINVAL };

export const PRESSURE_LEAVES: readonly Leaf[] = [
  one(
    "pressure/cpu",
    0o666,
    "Time for which tasks waited for a CPU (psi_show).",
    pair(cpuPressure, () => NONE),
    refuse,
  ),
  one("pressure/io", 0o666, "Time for which tasks waited for I/O (psi_show).", pair(someIo, fullIo), refuse),
  one(
    "pressure/memory",
    0o666,
    "Time lost to reclaim (psi_show).",
    pair(
      () => NONE,
      () => NONE,
    ),
    refuse,
  ),
];

function someIo(c: Context): Pressure {
  return ioPressure(c, 1);
}

function fullIo(c: Context): Pressure {
  return ioPressure(c, 0.9);
}

function pair(some: (c: Context) => Pressure, full: (c: Context) => Pressure): (c: Context, out: Text) => void {
  return (c, out) => {
    formatPressure("some", some(c), out);
    formatPressure("full", full(c), out);
  };
}
