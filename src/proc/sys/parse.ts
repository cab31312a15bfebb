/** Reading what is written to a sysctl, as the kernel does (kernel/sysctl.c): numbers in C notation, blanks between. */

/** Longest number that is looked at, in characters (TMPBUFLEN less one). */
const LONGEST = 21;
const MAX_U64 = 18446744073709551615n;

/** A number as it stands in the text. */
export interface NumberAt {
  /** Without its sign. */
  readonly magnitude: bigint;
  readonly negative: boolean;
  /** Where the text goes on. */
  readonly end: number;
}

/** True for the characters that isspace(3) knows. */
function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 32 || (code >= 9 && code <= 13);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text, at)) at++;
  return at;
}

/** The number at `from`, which a blank or the end must follow; null if there is none. */
function numberAt(text: string, from: number): NumberAt | null {
  const negative = text[from] === "-";
  const digits = /(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/y;
  digits.lastIndex = negative ? from + 1 : from;
  const found = digits.exec(text)?.[0];
  if (found === undefined) return null;
  const end = digits.lastIndex;
  if (end - from >= LONGEST || (end < text.length && !" \t\n".includes(text[end]!))) return null;
  const magnitude = BigInt(/^0[0-7]/.test(found) ? `0o${found.slice(1)}` : found);
  return magnitude > MAX_U64 ? null : { magnitude, negative, end };
}

/** What became of a write. */
export interface VectorResult {
  /** The values, with those replaced that were read before the text or the error ended it. */
  readonly values: string[];
  /** Characters taken. */
  readonly taken: number;
  readonly failed: boolean;
}

/** Turns the number into its text, or null if it is not allowed. */
export type Convert = (number: NumberAt) => string | null;

/** Replaces as many of `values` as the text has numbers; one at least, else it has failed. */
export function parseVector(text: string, values: readonly string[], convert: Convert): VectorResult {
  const result = [...values];
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    at = skipBlanks(text, at);
    if (at >= text.length) return { values: result, taken: at, failed: i === 0 };
    const number = numberAt(text, at);
    const converted = number === null ? null : convert(number);
    if (number === null || converted === null) return { values: result, taken: at, failed: true };
    result[i] = converted;
    at = number.end;
  }
  return { values: result, taken: skipBlanks(text, at), failed: false };
}

function within(value: bigint, min: number, max: number): boolean {
  return value >= BigInt(min) && (max === Number.POSITIVE_INFINITY || value <= BigInt(max));
}

/** Signed 32 bits. */
export function toInt(min: number, max: number): Convert {
  return (number) => {
    const value = number.negative ? -number.magnitude : number.magnitude;
    return within(value, Math.max(min, -2147483648), Math.min(max, 2147483647)) ? String(value) : null;
  };
}

/** Unsigned, up to 32 or 64 bits as `max` says. */
export function toUnsigned(min: number, max: number): Convert {
  return (number) => (!number.negative && within(number.magnitude, min, max) ? String(number.magnitude) : null);
}

/**
 * Text written at `offset` (proc_dostring with kernel.sysctl_writes_strict = 1): it goes on from what is there already,
 * up to a newline or NUL, and is cut at the end of the buffer; a write past the end is taken and ignored.
 */
export function parseString(text: string, offset: number, current: string, size: number): string {
  if (offset > current.length) return current;
  const line = /^[^\n\0]*/.exec(text)![0];
  return (current.slice(0, offset) + line).slice(0, size - 1);
}
