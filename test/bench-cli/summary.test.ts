/** The numbers that a benchmark's result is made of. */
import { describe, expect, test } from "vitest";
import { BENCHES, BENCH_NAMES, describeBench } from "../../mount/bench/catalogue.ts";
import { formOrder, stepsOf } from "../../mount/bench/measure.ts";
import { Interrupted, sleep, unlessAborted } from "../../mount/bench/plan.ts";
import {
  BUCKETS,
  bucketOf,
  bucketsOf,
  latencyHistogram,
  latencyOf,
  ratioOf,
  summarise,
  writerResult,
} from "../../mount/bench/summary.ts";
import { PATH_NAMES } from "../../src/kernel/knobs.ts";
import type { WriterRound } from "../../mount/bench/summary.ts";

function roundOf(...latencies: number[]): WriterRound {
  const histogram = latencyHistogram();
  const counts = new Float64Array(BUCKETS);
  for (const ns of latencies) {
    histogram.record(ns);
    counts[bucketOf(ns)]!++;
  }
  return { histogram, counts };
}

test("every path that has two forms is measured, under its own name", () => {
  for (const [path, name] of PATH_NAMES.entries()) {
    expect(BENCHES.filter((bench) => bench.name === name).map((bench) => bench.path)).toEqual([path]);
    expect(describeBench(name).length).toBeGreaterThan(20);
  }
  expect(new Set(BENCH_NAMES).size).toBe(BENCH_NAMES.length);
});

test("forms alternate A B B A", () => {
  const short = formOrder(4).map((form) => (form === "lockfree" ? "A" : "B"));
  expect(short.join("")).toBe("ABBAABBA");
});

test.each([1, 2, 3, 6, 7])("with %i rounds, the writer works alone before every second pair", (rounds) => {
  const alone = formOrder(rounds).filter((_, order) => order % 4 === 0).length;
  expect(stepsOf(rounds)).toBe(2 * rounds + alone);
});

describe("summarise", () => {
  test("gives the five numbers, whatever the order", () => {
    expect(summarise([5, 1, 3, 2, 4])).toEqual({ count: 5, min: 1, q1: 2, median: 3, q3: 4, max: 5 });
  });
  test("of nothing is null", () => {
    expect(summarise([])).toEqual({ count: 0, min: null, q1: null, median: null, q3: null, max: null });
  });
});

describe("ratioOf", () => {
  test("divides medians", () => {
    expect(ratioOf([10, 20], [5, 5], 1)).toEqual({ value: 3, low: null, high: null, confidence: 0.95 });
  });
  test("has an interval that holds the value, and is the same for the same seed", () => {
    const above = [9, 10, 11, 12, 10];
    const below = [5, 5, 4, 6, 5];
    const { value, low, high } = ratioOf(above, below, 7);
    expect(value).toBe(2);
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(2);
    expect(low).toBeGreaterThanOrEqual(9 / 6);
    expect(high).toBeLessThanOrEqual(12 / 4);
    expect(ratioOf(above, below, 7)).toEqual({ value, low, high, confidence: 0.95 });
  });
  test("of equal values is 1 and certain", () => {
    expect(ratioOf([2, 2, 2], [2, 2, 2], 1)).toEqual({ value: 1, low: 1, high: 1, confidence: 0.95 });
  });
  test.each([
    [[], [1]],
    [[1], []],
    [
      [1, 1, 1],
      [0, 0, 0],
    ],
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
  ])("of %j and %j is unknown", (above, below) => {
    expect(ratioOf(above, below, 1)).toEqual({ value: null, low: null, high: null, confidence: 0.95 });
  });
});

describe("latencies", () => {
  test.each([1, 2, 3, 999, 1000, 12_345, 1e6, 123_456_789, 9e10, 1e15])("%d ns belong to one bucket", (ns) => {
    const counts = new Float64Array(BUCKETS);
    counts[bucketOf(ns)]!++;
    const [bucket, ...rest] = bucketsOf(counts);
    expect(rest).toEqual([]);
    expect(bucket!.fromNs).toBeLessThanOrEqual(ns * (1 + 1e-9));
    if (ns < 1e11) expect(bucket!.toNs).toBeGreaterThan(ns * (1 - 1e-9));
  });

  test("of nothing are null", () => {
    expect(latencyOf(latencyHistogram())).toBeNull();
    expect(writerResult([roundOf()]).all).toBeNull();
    expect(writerResult([]).median.count).toBe(0);
  });

  test("of several rounds are put together; rounds without any don't count", () => {
    const { all, median, max, histogram } = writerResult([roundOf(1000, 2000, 3000), roundOf(), roundOf(100)]);
    expect(all).toMatchObject({ count: 4, minNs: 100 });
    expect(median.count).toBe(2);
    expect(max.max).toBeGreaterThanOrEqual(3000);
    expect(histogram.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(4);
    expect(histogram.map((bucket) => bucket.fromNs)).toEqual(histogram.map((b) => b.fromNs).sort((a, b) => a - b));
  });
});

describe("an interruption", () => {
  test("ends a sleep", async () => {
    const abort = new AbortController();
    const slept = sleep(60, abort.signal);
    abort.abort();
    await expect(slept).rejects.toThrow(Interrupted);
    await expect(sleep(60, abort.signal)).rejects.toThrow(Interrupted);
  });

  test("ends a wait for work, whose own failure is then nobody's", async () => {
    const abort = new AbortController();
    let fail = (_: Error): void => undefined;
    const work = new Promise<never>((_resolve, reject) => (fail = reject));
    const wait = unlessAborted(work, abort.signal);
    abort.abort();
    await expect(wait).rejects.toThrow(Interrupted);
    fail(new Error("too late"));
    await expect(unlessAborted(Promise.resolve(3), new AbortController().signal)).resolves.toBe(3);
    await expect(unlessAborted(Promise.reject(new Error("no")), new AbortController().signal)).rejects.toThrow("no");
  });
});
