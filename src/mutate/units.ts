/**
 * Quantities as people write them in scenarios and on the command line.
 *
 * Every function takes a number (in the base unit) or text, and throws {@link UnitError} with one sentence that names
 * what was written and what is expected. Base units: milliseconds, bytes, events a second, fractions.
 */
import type { Spread } from "./scenario-types.ts";

export class UnitError extends Error {
  override readonly name = "UnitError";
}

const MILLISECONDS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  min: 60e3,
  h: 3600e3,
  d: 86400e3,
  w: 604800e3,
};

const POWERS = "KMGTP";

/** More events a second than one process can do; a rate beyond it is a slip of the pen. */
const MAX_RATE = 1_000_000;
/** A thousand years. */
const MAX_DURATION_MS = 3.2e13;

const NUMBER = "\\d+(?:\\.\\d+)?";
const DURATION_PART = new RegExp(`(${NUMBER})\\s*([a-zµ]+)\\s*`, "gy");

function bad(value: unknown, expected: string): UnitError {
  return new UnitError(`${JSON.stringify(value)} is not ${expected}`);
}

/** Milliseconds from `30s`, `200ms`, `1h30m`; a bare number means seconds. */
export function parseDuration(value: number | string): number {
  const expected = 'a duration (like "30s", "200ms" or "1h30m")';
  const result = typeof value === "number" ? value * 1e3 : durationText(value.trim());
  if (!(result >= 0 && result <= MAX_DURATION_MS)) {
    throw bad(value, expected);
  }
  return result;
}

function durationText(text: string): number {
  if (new RegExp(`^${NUMBER}$`).test(text)) {
    return Number(text) * 1e3;
  }
  let total = 0;
  DURATION_PART.lastIndex = 0;
  let end = 0;
  for (let part = DURATION_PART.exec(text); part !== null; part = DURATION_PART.exec(text)) {
    total += Number(part[1]) * (MILLISECONDS[part[2]!] ?? NaN);
    end = DURATION_PART.lastIndex;
  }
  return end === text.length && end > 0 ? total : NaN;
}

/** Whole bytes from `8G`, `64 KiB`, `512`; all suffixes are powers of 1024, as in the kernel's kB. */
export function parseSize(value: number | string): number {
  const result = typeof value === "number" ? value : sizeText(value.trim());
  if (!(result >= 0 && result <= Number.MAX_SAFE_INTEGER)) {
    throw bad(value, 'a size (like "8G", "64 KiB" or 4096)');
  }
  return Math.round(result);
}

function sizeText(text: string): number {
  const match = new RegExp(`^(${NUMBER})\\s*(?:([${POWERS}])(?:i?B)?|B)?$`, "i").exec(text);
  if (match === null) {
    return NaN;
  }
  const power = match[2] === undefined ? 0 : POWERS.indexOf(match[2].toUpperCase()) + 1;
  return Number(match[1]) * 1024 ** power;
}

/** Events a second from `50/s`, `3/min`, `1/10s`; a bare number means events a second. */
export function parseRate(value: number | string): number {
  const result = typeof value === "number" ? value : rateText(value.trim());
  if (!(result >= 0)) {
    throw bad(value, 'a rate (like "50/s", "3/min" or 2)');
  }
  if (result > MAX_RATE) {
    throw new UnitError(`${JSON.stringify(value)} is an impossible rate (more than ${MAX_RATE} events a second)`);
  }
  return result;
}

function rateText(text: string): number {
  const match = new RegExp(`^(${NUMBER})(?:\\s*/\\s*(${NUMBER})?\\s*([a-zµ]+))?$`).exec(text);
  if (match === null) {
    return NaN;
  }
  if (match[3] === undefined) {
    return Number(match[1]);
  }
  const period = Number(match[2] ?? 1) * (MILLISECONDS[match[3]] ?? NaN);
  return (Number(match[1]) * 1e3) / period;
}

/** A fraction from `30%` or 0.3; `most` bounds it (1 unless something may use several CPUs). */
export function parseFraction(value: number | string, most = 1): number {
  const match = typeof value === "string" ? new RegExp(`^(${NUMBER})\\s*(%?)$`).exec(value.trim()) : null;
  const result = typeof value === "number" ? value : match ? Number(match[1]) / (match[2] ? 100 : 1) : NaN;
  if (!(result >= 0 && result <= most)) {
    throw bad(value, `a share between 0% and ${most * 100}%`);
  }
  return result;
}

/**
 * A range of quantities: `200ms`, `200ms±50%`, `200ms±20ms` (`+-` does as well), `64K..16M`.
 *
 * @param parse the parser of the quantity.
 */
export function parseSpread(value: number | string, parse: (value: number | string) => number): Spread {
  if (typeof value === "number") {
    const fixed = parse(value);
    return { min: fixed, max: fixed };
  }
  const range = value.split("..");
  if (range.length === 2) {
    const spread = { min: parse(range[0]!), max: parse(range[1]!) };
    if (spread.min > spread.max) {
      throw new UnitError(`${JSON.stringify(value)} is a range that ends before it begins`);
    }
    return spread;
  }
  const { base, by } = splitDeviation(value);
  const mean = parse(base);
  const deviation = by === undefined ? 0 : by.endsWith("%") ? mean * parseFraction(by) : parse(by);
  if (deviation > mean) {
    throw new UnitError(`${JSON.stringify(value)} is a range that begins below zero`);
  }
  return { min: mean - deviation, max: mean + deviation };
}

/** Splits `50/s±20%` at its sign. */
export function splitDeviation(text: string): { base: string; by: string | undefined } {
  const parts = text.split(/±|\+-|\+\/-/);
  if (parts.length > 2) {
    throw bad(text, "a quantity with one deviation");
  }
  return { base: parts[0]!.trim(), by: parts[1]?.trim() };
}
