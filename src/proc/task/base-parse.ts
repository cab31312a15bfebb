/** Numbers that are written to /proc files (kstrtoint and friends with base 0, after strstrip). */
import { EINVAL, ERANGE } from "../../kernel/errno.ts";

/** Longest number that is looked at (PROC_NUMBUF less its NUL); the rest of the data is ignored. */
const NUMBER_MAX = 12;

/** A parsed integer, or why there is none. */
export class Parsed {
  value = 0;
  /** 0, -EINVAL or -ERANGE. */
  error = 0;
}

function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** Value of a digit in bases up to 16, or 99. */
function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : 99;
}

/**
 * Parses an integer between `min` and `max`: decimal, 0x hexadecimal or 0 octal, with a sign if `min` is negative, blanks
 * around it.
 */
export function parseInteger(data: Uint8Array, min: number, max: number, out: Parsed, longest = NUMBER_MAX): void {
  out.value = 0;
  out.error = -EINVAL;
  let at = 0;
  let end = Math.min(data.length, longest);
  const nul = data.subarray(0, end).indexOf(0);
  if (nul >= 0) end = nul;
  while (at < end && isBlank(data[at] as number)) at++;
  while (end > at && isBlank(data[end - 1] as number)) end--;
  const sign = at < end ? (data[at] as number) : 0;
  const negative = sign === 45 && min < 0;
  if (negative || sign === 43) at++;
  const base = baseOf(data, at, end);
  if (base === 16) at += 2;
  if (at === end) return;
  let value = 0;
  for (; at < end; at++) {
    const digit = digitOf(data[at] as number);
    if (digit >= base) return;
    value = value * base + digit;
  }
  out.value = negative ? -value : value;
  out.error = out.value < min || out.value > max ? -ERANGE : 0;
}

function baseOf(data: Uint8Array, at: number, end: number): number {
  if (data[at] !== 48 || at + 1 >= end) return 10;
  const hexadecimal = ((data[at + 1] as number) | 32) === 120 && at + 2 < end && digitOf(data[at + 2] as number) < 16;
  return hexadecimal ? 16 : 8;
}
