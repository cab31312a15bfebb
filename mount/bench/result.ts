/**
 * What `synthproc bench` finds: the document of `--json`, from which the reports are made. Plain data, no NaN and no
 * Infinity: what could not be measured is null. Times are in nanoseconds, rates per second.
 */

/** The two forms of a path: the patched one, and the one before the patch. */
export const FORMS = ["lockfree", "locked"] as const;
export type Form = (typeof FORMS)[number];

export type Where = "in-process" | "mount";

export interface BenchResult {
  tool: "synthproc bench";
  version: string;
  seed: number;
  /** ISO 8601. */
  startedAt: string;
  /** Seconds that the whole took. */
  tookSeconds: number;
  machine: Machine;
  options: BenchOptions;
  comparisons: Comparison[];
  /** `ps -fe` in parallel; one entry per number of instances. */
  storms: Storm[];
  /** What was asked for and not measured, each with one sentence that says why. */
  skipped: Skipped[];
}

export interface Machine {
  cpus: number;
  cpuModel: string;
  kernel: string;
  architecture: string;
  node: string;
  memoryBytes: number;
  /** Load averages of 1, 5 and 15 minutes. */
  loadBefore: [number, number, number];
  loadAfter: [number, number, number];
}

export interface BenchOptions {
  names: string[];
  where: "in-process" | "mount" | "both";
  /** Each form is measured so many times. */
  rounds: number;
  /** Length of one measurement of one form. */
  secondsPerRound: number;
  readers: number;
  /** Numbers of parallel `ps -fe`. */
  ps: number[];
}

export interface Skipped {
  name: string;
  where: Where;
  why: string;
}

export interface Comparison {
  /** A path of /proc/sys/synthproc, or "maps-remap" or "smaps_rollup-remap". */
  name: string;
  where: Where;
  /** Threads (in-process) or client processes (mount) that read without pause. */
  readers: number;
  writers: number;
  /** What readers read and what the writer does: one sentence without a full stop at its end. */
  what: string;
  /** What one recorded operation of the writer is, such as "exec". */
  writerOperation: string;
  /** Whatever a reader of the numbers should know about how this one was measured; sentences. */
  notes: string[];
  forms: Record<Form, FormResult>;
  /** The same writer with no reader; the form makes no difference to it. */
  writerAlone: WriterAlone;
  /** Patched divided by previous, each. */
  ratio: { readsPerSecond: Ratio; writerMedian: Ratio; writerMean: Ratio; writerP99: Ratio };
  /** The figure that the patch's author published for the same shape, if there is one. */
  published: Published | null;
}

export interface FormResult {
  /** In the order in which they were measured. */
  rounds: RoundSample[];
  /** Over the rounds. */
  readsPerSecond: Summary;
  writer: WriterResult;
  /** Counters of the path over all rounds of this form (speculated, retried, fell_back, ...). */
  events: Record<string, number>;
}

export interface RoundSample {
  /** Place in the run, from 0: forms alternate A B B A. */
  order: number;
  seconds: number;
  reads: number;
  readsPerSecond: number;
  /** Reads that ended with an error a race explains, such as a process that is gone. They count as reads. */
  readErrors: number;
  /** Null: the writer finished no operation in this round. */
  writer: Latency | null;
  writesPerSecond: number;
}

/** Latencies of one operation, all of them recorded. */
export interface Latency {
  count: number;
  minNs: number;
  meanNs: number;
  medianNs: number;
  p99Ns: number;
  maxNs: number;
}

export interface WriterResult {
  /** Over every operation of all rounds; null if there was none. */
  all: Latency | null;
  /** Over the rounds that have operations. */
  median: Summary;
  mean: Summary;
  p99: Summary;
  max: Summary;
  /** Ascending, without empty buckets; an operation belongs to a bucket if fromNs <= latency < toNs. */
  histogram: Bucket[];
}

/** A writer that nobody reads beside. */
export interface WriterAlone extends WriterResult {
  /** Its operations, over the rounds. */
  writesPerSecond: Summary;
}

export interface Bucket {
  fromNs: number;
  toNs: number;
  count: number;
}

/** Spread of a value over the rounds; all null if count is 0. */
export interface Summary {
  count: number;
  min: number | null;
  q1: number | null;
  median: number | null;
  q3: number | null;
  max: number | null;
}

/** Patched divided by previous, of the medians over the rounds. */
export interface Ratio {
  /** Null if one side is missing or zero. */
  value: number | null;
  /** Bootstrap interval of `confidence`; null with fewer than three rounds a form. */
  low: number | null;
  high: number | null;
  confidence: number;
}

export interface Published {
  source: string;
  /** What the figure is of, such as "mean of mmap and munmap, median over runs". */
  metric: string;
  lockfreeNs: number;
  lockedNs: number;
  /** lockfree / locked. */
  ratio: number;
  /** Our figure of the same metric, lockfree / locked; equals one of `Comparison.ratio`. */
  ours: Ratio;
}

export interface Storm {
  /** Instances of `ps -fe` at a time. */
  parallel: number;
  forms: Record<Form, StormForm>;
  /** Patched divided by previous. */
  ratio: { runsPerSecond: Ratio };
}

export interface StormForm {
  rounds: StormSample[];
  runsPerSecond: Summary;
  /** Share of all CPUs' time spent in the system, 0 to 100. */
  systemPercent: Summary;
  events: Record<string, number>;
}

export interface StormSample {
  order: number;
  seconds: number;
  /** Runs of ps that ended in this round. */
  runs: number;
  runsPerSecond: number;
  systemPercent: number;
  userPercent: number;
}
