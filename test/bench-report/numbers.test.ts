/** Numbers as they are written, and the scales that they are drawn on. */
import { describe, expect, test } from "vitest";
import { logBins, logScale, tickValue } from "../../mount/bench/report/charts/scales.ts";
import * as format from "../../mount/bench/report/format.ts";
import type { Bucket } from "../../mount/bench/result.ts";
import { Random } from "../../src/kernel/random.ts";

test.each([
  [null, "–"],
  [0, "0 ns"],
  [0.25, "0.250 ns"],
  [7, "7.00 ns"],
  [999.4, "999 ns"],
  [999.6, "1.00 µs"],
  [12_345, "12.3 µs"],
  [999_500, "1.00 ms"],
  [1e9, "1.00 s"],
  [1.234e15, "1,230 ks"],
])("time: %d ns is %s", (ns, text) => {
  expect(format.time(ns)).toBe(text);
});

test.each([
  [null, "–"],
  [0, "0"],
  [0.5, "0.500"],
  [12, "12.0"],
  [999.7, "1.00 k"],
  [1_234_567, "1.23 M"],
  [5e12, "5,000 G"],
])("rate: %d is %s", (value, text) => {
  expect(format.rate(value)).toBe(text);
});

test.each([
  [null, "–"],
  [0, "0.00"],
  [0.00001, "0.0000"],
  [0.00763, "0.0076"],
  [0.0199, "0.020"],
  [0.0999, "0.10"],
  [1.005, "1.00"],
  [9.996, "10.0"],
  [123.4, "123"],
  [999.6, "1.00k"],
  [54_321, "54.3k"],
])("factor: %d is %s", (value, text) => {
  expect(format.factor(value)).toBe(text);
});

test("two ends share a unit if they have the same", () => {
  expect(format.range(1_200, 1_900, format.time)).toBe("1.20–1.90 µs");
  expect(format.range(900, 1_900, format.time)).toBe("900 ns–1.90 µs");
  expect(format.range(12, 34, format.rate)).toBe("12.0–34.0");
  expect(format.range(null, 34, format.rate)).toBe("");
});

test("a date is cut to its minute, and what is none stays", () => {
  expect(format.date("2026-11-20T23:35:10.120Z")).toBe("2026-11-20 23:35 UTC");
  expect(format.date("yesterday")).toBe("yesterday");
});

describe("a logarithmic scale", () => {
  const random = new Random(7, 0);
  const ranges = Array.from({ length: 200 }, () => {
    const low = 10 ** (random.below(12_000) / 1000 - 3);
    return [low, low * 10 ** (random.below(8_000) / 1000)] as const;
  });

  test.each([2, 3, 6, 9])("has at most %d ticks, each within it, and holds both ends", (most) => {
    for (const [low, high] of ranges) {
      const { min, max, ticks } = logScale(low, high, most);
      expect(min).toBeLessThanOrEqual(Math.log10(low));
      expect(max).toBeGreaterThanOrEqual(Math.log10(high));
      expect(ticks.length).toBeLessThanOrEqual(most);
      expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
      expect(ticks.every((tick) => tick >= min && tick <= max)).toBe(true);
    }
  });

  test("has at least two ticks where there is room for six", () => {
    for (const [low, high] of ranges.filter(([from, to]) => to / from > 1.5)) {
      expect(logScale(low, high, 6).ticks.length, `${low} to ${high}`).toBeGreaterThanOrEqual(2);
    }
  });

  test("has round values at its ticks", () => {
    expect(logScale(0.8, 1.25, 6).ticks.map(tickValue)).toEqual([0.8, 0.9, 1, 1.2]);
    expect(logScale(1_000, 1e6, 6).ticks.map(tickValue)).toEqual([1e3, 1e4, 1e5, 1e6]);
  });
});

describe("bins of equal width on a logarithmic axis", () => {
  const buckets: Bucket[] = [
    { fromNs: 0, toNs: 1, count: 2 },
    { fromNs: 100, toNs: 200, count: 10 },
    { fromNs: 200, toNs: 1_000, count: 30 },
    { fromNs: 90_000, toNs: 1_000_000, count: 1 },
  ];

  test("hold every operation once", () => {
    for (const count of [1, 7, 80]) {
      const bins = logBins(buckets, 2, 5, count);
      expect(bins.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
      expect(bins.every(({ share }) => share >= 0)).toBe(true);
    }
  });

  test("spread a wide bucket evenly, and put what lies outside into the last ones", () => {
    const [low, high] = logBins([{ fromNs: 10, toNs: 1_000, count: 4 }], 1, 3, 2);
    expect([low!.share, high!.share]).toEqual([expect.closeTo(0.5, 12), expect.closeTo(0.5, 12)]);
    const outside = logBins([{ fromNs: 1e9, toNs: 1e10, count: 1 }], 1, 3, 2);
    expect(outside.map(({ share }) => share)).toEqual([0, 1]);
  });

  test("of nothing are empty", () => {
    expect(logBins([], 1, 3, 4).every(({ share }) => share === 0)).toBe(true);
  });
});
