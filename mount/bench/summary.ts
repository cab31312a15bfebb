/** Numbers made of numbers: the spread over rounds, ratios with their uncertainty, latencies. */
import { createHistogram } from "node:perf_hooks";
import type { RecordableHistogram } from "node:perf_hooks";
import { max, median, min, quantileSorted } from "simple-statistics";
import { Random } from "../../src/kernel/random.ts";
import type { Bucket, Latency, Ratio, Summary, WriterResult } from "./result.ts";

const RESAMPLES = 2000;
const CONFIDENCE = 0.95;
/** Rounds of each form below which an interval would say nothing. */
const ENOUGH_ROUNDS = 3;
/** Longest latency that is told apart from longer ones: 100 s. */
const LONGEST_NS = 1e11;

/** A histogram of whole nanoseconds with three significant digits. */
export function latencyHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST_NS, figures: 3 });
}

/** Minimum, quartiles and maximum. */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) return { count: 0, min: null, q1: null, median: null, q3: null, max: null };
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    min: min(sorted),
    q1: quantileSorted(sorted, 0.25),
    median: quantileSorted(sorted, 0.5),
    q3: quantileSorted(sorted, 0.75),
    max: max(sorted),
  };
}

/** Median of `above` divided by the median of `below`, with a bootstrap interval over the rounds. */
export function ratioOf(above: readonly number[], below: readonly number[], seed: number): Ratio {
  const none: Ratio = { value: null, low: null, high: null, confidence: CONFIDENCE };
  if (above.length === 0 || below.length === 0) return none;
  const value = finite(median([...above]) / median([...below]));
  if (value === null || Math.min(above.length, below.length) < ENOUGH_ROUNDS) return { ...none, value };
  const random = new Random(seed, above.length);
  const ratios: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    const ratio = finite(median(resample(above, random)) / median(resample(below, random)));
    if (ratio !== null) ratios.push(ratio);
  }
  ratios.sort((a, b) => a - b);
  const tail = (1 - CONFIDENCE) / 2;
  return { ...none, value, low: quantileSorted(ratios, tail), high: quantileSorted(ratios, 1 - tail) };
}

function resample(values: readonly number[], random: Random): number[] {
  return values.map(() => values[random.below(values.length)] as number);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** What a histogram says; null if it is empty. */
export function latencyOf(histogram: RecordableHistogram): Latency | null {
  if (histogram.count === 0) return null;
  return {
    count: histogram.count,
    minNs: histogram.min,
    meanNs: histogram.mean,
    medianNs: histogram.percentile(50),
    p99Ns: histogram.percentile(99),
    maxNs: histogram.max,
  };
}

/** Eight buckets to each doubling. */
const BUCKETS_PER_DOUBLING = 8;
export const BUCKETS = Math.ceil(Math.log2(LONGEST_NS)) * BUCKETS_PER_DOUBLING;

/** The bucket that a latency belongs to. @param ns at least 1 */
export function bucketOf(ns: number): number {
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(ns) * BUCKETS_PER_DOUBLING));
}

function boundOf(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_DOUBLING);
}

/** Counts by bucket, as a report wants them. */
export function bucketsOf(counts: ArrayLike<number>): Bucket[] {
  const buckets: Bucket[] = [];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] as number;
    if (count > 0) buckets.push({ fromNs: boundOf(i), toNs: boundOf(i + 1), count });
  }
  return buckets;
}

/** What a writer did in one round: a histogram, and the same by bucket. */
export interface WriterRound {
  readonly histogram: RecordableHistogram;
  readonly counts: ArrayLike<number>;
}

/** All rounds of a writer together, and the spread between them. */
export function writerResult(rounds: readonly WriterRound[]): WriterResult {
  const whole = latencyHistogram();
  const counts = new Float64Array(BUCKETS);
  const latencies: Latency[] = [];
  for (const round of rounds) {
    const latency = latencyOf(round.histogram);
    if (latency === null) continue;
    latencies.push(latency);
    whole.add(round.histogram);
    for (let i = 0; i < BUCKETS; i++) counts[i] = (counts[i] as number) + (round.counts[i] as number);
  }
  return {
    all: latencyOf(whole),
    median: summarise(latencies.map((latency) => latency.medianNs)),
    mean: summarise(latencies.map((latency) => latency.meanNs)),
    p99: summarise(latencies.map((latency) => latency.p99Ns)),
    max: summarise(latencies.map((latency) => latency.maxNs)),
    histogram: bucketsOf(counts),
  };
}
