/** Names in process directories that stand for numbers. Names hold one byte a character. */
import { PID_MAX_LIMIT } from "../../kernel/layout.ts";

const ZERO = 48;
/** Digits of the longest number that a name can stand for: inode numbers. */
const MOST_DIGITS = 10;

/**
 * The number that a name spells, or -1 (name_to_int): decimal digits alone, no sign, no blank, no leading zero.
 */
export function nameToInt(name: string, from = 0, to = name.length): number {
  const digits = to - from;
  if (digits < 1 || digits > MOST_DIGITS) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = name.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return digits > 1 && name.charCodeAt(from) === ZERO ? -1 : value;
}

/** The pid that a name spells, or -1. */
export function nameToPid(name: string): number {
  const first = name.charCodeAt(0) - ZERO;
  if (!(first >= 1 && first <= 9)) return -1;
  const value = nameToInt(name);
  return value < PID_MAX_LIMIT ? value : -1;
}
