/** What `synthproc bench --virtual-cpus` finds: the document of `--json`. Times are virtual nanoseconds. */
import type { RunResult } from "../../../src/check/smp/simulate.ts";
import type { SweepPoint } from "../../../src/check/smp/prices.ts";
import type { Form, Machine } from "../result.ts";
import type { LocalWork, PsMeasurement } from "./local-work.ts";

export interface VirtualResult {
  tool: "synthproc bench --virtual-cpus";
  version: string;
  seed: number;
  /** ISO 8601. */
  startedAt: string;
  tookSeconds: number;
  /** Where the local work was measured: the results depend on nothing else of it. */
  machine: Machine;
  localWork: LocalWork;
  /** Null if the work of a walk was given, or not needed. */
  ps: PsMeasurement | null;
  /** Parameters of the machine; the first is the middle. */
  sweep: readonly SweepPoint[];
  workloads: VirtualWorkload[];
}

export interface VirtualWorkload {
  name: string;
  /** What is read and written, in words. */
  reads: string;
  writes: string | null;
  scales: VirtualScale[];
}

/** So many CPUs. */
export interface VirtualScale {
  cpus: number;
  /** In the order of the sweep. */
  points: Record<Form, RunResult>[];
}

/** A figure in the middle of the sweep, and between which ends it lies over all of it; null where it can't be told. */
export interface Band {
  middle: number | null;
  low: number | null;
  high: number | null;
}

/** The band of a figure. Points for which it can't be told leave its ends unknown, too. */
export function bandOf({ points }: VirtualScale, figure: (forms: Record<Form, RunResult>) => number | null): Band {
  const values = points.map(figure);
  const middle = values[0] ?? null;
  if (values.some((value) => value === null)) return { middle, low: null, high: null };
  const known = values as number[];
  return { middle, low: Math.min(...known), high: Math.max(...known) };
}

/** Lockfree / locked of a figure. */
export function ratioOf(figure: (run: RunResult) => number | null): (forms: Record<Form, RunResult>) => number | null {
  return ({ lockfree, locked }) => {
    const [above, below] = [figure(lockfree), figure(locked)];
    return above === null || below === null || below === 0 ? null : above / below;
  };
}

export const FIGURES = {
  reads: (run: RunResult) => run.readsPerSecond,
  read: (run: RunResult) => run.read?.mean ?? null,
  write: (run: RunResult) => run.write?.mean ?? null,
} as const;
