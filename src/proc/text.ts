/**
 * A growing byte buffer that formatters write into: the text side of seq_file. One per thread, reused.
 *
 * Strings are latin1: one byte a character. Numbers are formatted without making strings.
 */
const INT_MAX = 0x7fffffff;

/** Decimal digits of a non-negative integer below 10^17. */
function decimalDigits(value: number): number {
  if (value > INT_MAX) return 8 + smallDigits(Math.floor(value / 1e8));
  return smallDigits(value | 0);
}

function smallDigits(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10000) return 4;
  let digits = 5;
  for (let bound = 100000; value >= bound && digits < 10; bound *= 10) digits++;
  return digits;
}

/** Writes six digits that end before `at`; @returns where they start. */
function sixDigits(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  for (let i = 0; i < 6; i++) {
    const high = (rest / 10) | 0;
    bytes[--to] = 48 + (rest - high * 10);
    rest = high;
  }
  return to;
}

/** Hexadecimal digits of a 32-bit number. */
function hexDigits(value: number): number {
  return value === 0 ? 1 : 8 - (Math.clz32(value) >>> 2);
}

function hexDigit(value: number): number {
  return value < 10 ? 48 + value : 87 + value;
}

export class Text {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 8192) {
    this.bytes = new Uint8Array(capacity);
  }

  clear(): void {
    this.length = 0;
  }

  /** Appends latin1 text. */
  str(text: string): this {
    const n = text.length;
    this.room(n);
    const out = this.bytes;
    let at = this.length;
    for (let i = 0; i < n; i++) out[at++] = text.charCodeAt(i);
    this.length = at;
    return this;
  }

  /** Appends one byte. */
  byte(value: number): this {
    this.room(1);
    this.bytes[this.length++] = value;
    return this;
  }

  /** Appends bytes as they are. */
  raw(source: Uint8Array, from = 0, to = source.length): this {
    this.room(to - from);
    const whole = from === 0 && to === source.length;
    this.bytes.set(whole ? source : source.subarray(from, to), this.length);
    this.length += to - from;
    return this;
  }

  /** Appends an integer in decimal (exact up to 2^53), padded on the left to `width`. */
  dec(value: number, width = 0, pad = 32): this {
    this.room(24 + width);
    const bytes = this.bytes;
    let rest = value < 0 ? -value : value;
    const length = decimalDigits(rest) + (value < 0 ? 1 : 0);
    let start = this.length;
    for (let i = length; i < width; i++) bytes[start++] = pad;
    let at = start + length;
    this.length = at;
    while (rest > INT_MAX) {
      const high = Math.floor(rest / 1e6);
      at = sixDigits(bytes, at, (rest - high * 1e6) | 0);
      rest = high;
    }
    let small = rest | 0;
    while (small >= 10) {
      const high = (small / 10) | 0;
      bytes[--at] = 48 + (small - high * 10);
      small = high;
    }
    at--;
    bytes[at] = 48 + small;
    if (value < 0) bytes[at - 1] = 45;
    return this;
  }

  /** Appends an integer in lower-case hexadecimal (exact up to 2^53), padded with zeros to `width`. */
  hex(value: number, width = 0): this {
    this.room(16 + width);
    const high = Math.floor(value / 4294967296);
    const low = value >>> 0;
    const digits = high === 0 ? hexDigits(low) : 8 + hexDigits(high);
    for (let i = digits; i < width; i++) this.bytes[this.length++] = 48;
    for (let i = digits - 1; i >= 8; i--) this.bytes[this.length++] = hexDigit((high >>> (4 * (i - 8))) & 15);
    for (let i = Math.min(digits, 8) - 1; i >= 0; i--) this.bytes[this.length++] = hexDigit((low >>> (4 * i)) & 15);
    return this;
  }

  /** Appends an integer in octal, padded with zeros to `width`. */
  oct(value: number, width = 0): this {
    return this.str(value.toString(8).padStart(width, "0"));
  }

  /** Appends 64 bits, given as two unsigned halves, as 16 hexadecimal digits. */
  hex64(low: number, high: number): this {
    return this.hex(high >>> 0, 8).hex(low >>> 0, 8);
  }

  /** Appends blanks until `column` bytes after `start`. */
  padTo(start: number, column: number): this {
    while (this.length - start < column) this.byte(32);
    return this;
  }

  /** What has been written, as latin1; for tests and error texts. */
  toString(): string {
    let text = "";
    for (let i = 0; i < this.length; i++) text += String.fromCharCode(this.bytes[i] as number);
    return text;
  }

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
