/** Results made of a few numbers, for what a real run of this machine doesn't show. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type {
  BenchResult,
  Bucket,
  Comparison,
  Form,
  FormResult,
  Latency,
  Ratio,
  Storm,
  StormForm,
  Summary,
  Where,
  WriterAlone,
  WriterResult,
} from "../../mount/bench/result.ts";

export const NO_SUMMARY: Summary = { count: 0, min: null, q1: null, median: null, q3: null, max: null };
export const NO_RATIO: Ratio = { value: null, low: null, high: null, confidence: 0.95 };
export const NO_WRITER: WriterResult = {
  all: null,
  median: NO_SUMMARY,
  mean: NO_SUMMARY,
  p99: NO_SUMMARY,
  max: NO_SUMMARY,
  histogram: [],
};

export const NO_WRITER_ALONE: WriterAlone = { ...NO_WRITER, writesPerSecond: NO_SUMMARY };

/** Five rounds around a value, `spread` wide (0.1: from 5 % below to 5 % above). */
export function around(value: number, spread: number): Summary {
  const at = (part: number) => value * (1 + spread * part);
  return { count: 5, min: at(-0.5), q1: at(-0.25), median: value, q3: at(0.25), max: at(0.5) };
}

export function ratio(value: number, spread: number): Ratio {
  return { value, low: value * (1 - spread), high: value * (1 + spread), confidence: 0.95 };
}

function latency(medianNs: number, count: number): Latency {
  return { count, minNs: medianNs * 0.4, meanNs: medianNs * 1.2, medianNs, p99Ns: medianNs * 4, maxNs: medianNs * 90 };
}

/** A bell on a logarithmic axis, eight buckets an octave. */
function bell(medianNs: number, count: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (let step = -12; step <= 30; step++) {
    const [fromNs, toNs] = [medianNs * 2 ** (step / 8), medianNs * 2 ** ((step + 1) / 8)];
    const share = Math.exp(-((step / (step < 0 ? 4 : 9)) ** 2)) / 12;
    buckets.push({ fromNs: Math.floor(fromNs), toNs: Math.floor(toNs), count: Math.floor(share * count) });
  }
  return buckets.filter((bucket) => bucket.count > 0 && bucket.toNs > bucket.fromNs);
}

export function writer(medianNs: number, spread: number, count = 20_000): WriterResult {
  return {
    all: latency(medianNs, count),
    median: around(medianNs, spread),
    mean: around(medianNs * 1.2, spread),
    p99: around(medianNs * 4, spread),
    max: around(medianNs * 80, spread),
    histogram: bell(medianNs, count),
  };
}

function form(reads: number, medianNs: number, spread: number, events: Record<string, number>): FormResult {
  const readsPerSecond = around(reads, spread);
  const values = [readsPerSecond.min, readsPerSecond.q1, reads, readsPerSecond.q3, readsPerSecond.max] as number[];
  const rounds = values.map((perSecond, order) => ({
    order,
    seconds: 0.5,
    reads: perSecond / 2,
    readsPerSecond: perSecond,
    readErrors: 0,
    writer: latency(medianNs, 4_000),
    writesPerSecond: 8_000,
  }));
  return { rounds, readsPerSecond, writer: writer(medianNs, spread), events };
}

export interface Shape {
  name: string;
  where: Where;
  operation: string;
  /** Reads a second and median latency of the writer, in ns. */
  lockfree: [number, number];
  locked: [number, number];
  /** Width of the spread over the rounds. */
  spread: number;
}

export function comparison({ name, where, operation, lockfree, locked, spread }: Shape): Comparison {
  return {
    name,
    where,
    readers: 2,
    writers: 1,
    what: `2 readers read ${name} without pause while one writer does ${operation}`,
    writerOperation: operation,
    notes: [],
    forms: {
      lockfree: form(...lockfree, spread, { speculated: 1_234_567, retried: 89, fell_back: 0 }),
      locked: form(...locked, spread, { speculated: 0, retried: 0, fell_back: 1_034_567 }),
    },
    writerAlone: {
      ...writer(Math.min(lockfree[1], locked[1]) * 0.8, spread),
      writesPerSecond: around(9_870, spread),
    },
    ratio: {
      readsPerSecond: ratio(lockfree[0] / locked[0], spread),
      writerMedian: ratio(lockfree[1] / locked[1], spread),
      writerMean: ratio(lockfree[1] / locked[1], spread),
      writerP99: ratio(lockfree[1] / locked[1], spread),
    },
    published: null,
  };
}

export function storm(parallel: number, lockfree: number, locked: number, spread: number): Storm {
  const one = (value: number, system: number): StormForm => ({
    rounds: [
      { order: 0, seconds: 1, runs: value, runsPerSecond: value, systemPercent: system, userPercent: 100 - system },
    ],
    runsPerSecond: around(value, spread),
    systemPercent: around(system, 0.02),
    events: {},
  });
  return {
    parallel,
    forms: { lockfree: one(lockfree, 60), locked: one(locked, 70) },
    ratio: { runsPerSecond: ratio(lockfree / locked, spread) },
  };
}

/** A small result with everything in it. */
export function sample(): BenchResult {
  const remap = comparison({
    name: "maps-remap",
    where: "mount",
    operation: "mmap",
    lockfree: [3_100, 9_900],
    locked: [2_900, 13_200],
    spread: 0.04,
  });
  return {
    tool: "synthproc bench",
    version: "0.1.0",
    seed: 7,
    startedAt: "2026-11-20T23:35:10.120Z",
    tookSeconds: 42.3,
    machine: {
      cpus: 2,
      cpuModel: "Intel(R) Xeon(R) Processor",
      kernel: "6.18.5",
      architecture: "x86_64",
      node: "v20.20.2",
      memoryBytes: 8_322_129_920,
      loadBefore: [0.33, 0.82, 1.82],
      loadAfter: [3.1, 1.5, 1.9],
    },
    options: {
      names: ["io", "maps", "maps-remap", "ps"],
      where: "both",
      rounds: 5,
      secondsPerRound: 0.5,
      readers: 2,
      ps: [1, 8, 64],
    },
    comparisons: [
      comparison({
        name: "io",
        where: "in-process",
        operation: "exec",
        lockfree: [1_230_000, 12_300],
        locked: [820_000, 15_900],
        spread: 0.06,
      }),
      comparison({
        name: "maps",
        where: "in-process",
        operation: "split or merge",
        lockfree: [91_000, 2_100],
        locked: [99_500, 5_400],
        spread: 0.05,
      }),
      comparison({
        name: "io",
        where: "mount",
        operation: "exec",
        lockfree: [16_100, 12_800],
        locked: [15_900, 13_000],
        spread: 0.2,
      }),
      {
        ...remap,
        notes: ["The scanners run at nice 19."],
        published: {
          source: "[PATCH v6 7/8] fs/proc/task_mmu, July 2025",
          metric: "mean of mmap and munmap",
          lockfreeNs: 10_000,
          lockedNs: 13_000,
          ratio: 10 / 13,
          ours: remap.ratio.writerMean,
        },
      },
    ],
    storms: [storm(1, 12, 11.8, 0.2), storm(8, 20.4, 17.2, 0.05), storm(64, 19.8, 15.5, 0.05)],
    skipped: [{ name: "maps", where: "mount", why: "the compiler cc is missing." }],
  };
}

/** Another value for both forms. */
export function withForms(of: Comparison, change: (form: FormResult, which: Form) => FormResult): Comparison {
  const { lockfree, locked } = of.forms;
  return { ...of, forms: { lockfree: change(lockfree, "lockfree"), locked: change(locked, "locked") } };
}

/** A short run of the command, on a busy machine with two CPUs. */
export function recorded(): BenchResult {
  const path = fileURLToPath(new URL("../../fixtures/bench/short.json", import.meta.url));
  return JSON.parse(readFileSync(path, "utf8")) as BenchResult;
}
