import { describe, expect, test } from "vitest";
import { parseDuration, parseFraction, parseRate, parseSize, parseSpread, UnitError } from "../../src/mutate/units.ts";

describe("durations", () => {
  test.each([
    ["30s", 30_000],
    ["200ms", 200],
    ["1h30m", 5_400_000],
    ["1h 30 min", 5_400_000],
    ["1.5s", 1500],
    ["250us", 0.25],
    ["2d", 172_800_000],
    ["7", 7000],
    [0.5, 500],
    [0, 0],
  ])("%j is %d ms", (text, expected) => {
    expect(parseDuration(text)).toBeCloseTo(expected, 9);
  });

  test.each(["", "s", "10 parsecs", "1h30", "-3s", "3s!", "1e3s", -1, NaN, Infinity, "99999999w"])(
    "refuses %j",
    (bad) => {
      expect(() => parseDuration(bad)).toThrow(UnitError);
    },
  );
});

describe("sizes", () => {
  test.each([
    ["8G", 8 * 2 ** 30],
    ["64 KiB", 65_536],
    ["132kB", 135_168],
    ["1.5M", 1_572_864],
    ["4096", 4096],
    ["12B", 12],
    ["2T", 2 ** 41],
    [4096, 4096],
  ])("%j is %d bytes", (text, expected) => {
    expect(parseSize(text)).toBe(expected);
  });

  test.each(["", "G", "8X", "-1K", "8 G B", "9000P", -1, NaN])("refuses %j", (bad) => {
    expect(() => parseSize(bad)).toThrow(UnitError);
  });
});

describe("rates", () => {
  test.each([
    ["50/s", 50],
    ["3/min", 0.05],
    ["1/10s", 0.1],
    ["7200 / h", 2],
    ["2", 2],
    [2, 2],
    [0, 0],
  ])("%j is %d a second", (text, expected) => {
    expect(parseRate(text)).toBeCloseTo(expected, 12);
  });

  test.each(["", "50/", "50/parsec", "-1/s", "1/0s", "s", -2, NaN])("refuses %j", (bad) => {
    expect(() => parseRate(bad)).toThrow(UnitError);
  });

  test.each(["2000000/s", "10/us", 1e7])("calls %j impossible", (bad) => {
    expect(() => parseRate(bad)).toThrow(/impossible rate/);
  });
});

describe("fractions", () => {
  test("take percentages and numbers", () => {
    expect(parseFraction("30%")).toBeCloseTo(0.3, 12);
    expect(parseFraction(0.3)).toBe(0.3);
    expect(parseFraction("0.3")).toBe(0.3);
    expect(parseFraction("180%", 16)).toBeCloseTo(1.8, 12);
  });

  test.each(["101%", "1.01", "-1%", "half", "", NaN])("refuse %j", (bad) => {
    expect(() => parseFraction(bad)).toThrow(/share between 0% and 100%/);
  });
});

describe("spreads", () => {
  test.each([
    ["200ms", 200, 200],
    ["200ms±50%", 100, 300],
    ["200ms+-50%", 100, 300],
    ["200ms ± 20ms", 180, 220],
    ["1s..2s", 1000, 2000],
    [3, 3000, 3000],
  ])("%j", (text, min, max) => {
    expect(parseSpread(text, parseDuration)).toEqual({ min, max });
  });

  test.each(["2s..1s", "1s±2s", "1s±101%", "1s±", "±5%", "1s±1s±1s", "1s..", "1s..2s..3s"])("refuses %j", (bad) => {
    expect(() => parseSpread(bad, parseDuration)).toThrow(UnitError);
  });
});
