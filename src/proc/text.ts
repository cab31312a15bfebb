/**
 * A growing byte buffer that formatters write into: the text side of seq_file. One per thread, reused.
 *
 * Strings are latin1: one byte a character. Numbers are formatted without making strings.
 */
const DIGITS = "0123456789abcdef";

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
    this.bytes.set(source.subarray(from, to), this.length);
    this.length += to - from;
    return this;
  }

  /** Appends an integer in decimal (exact up to 2^53), padded on the left to `width`. */
  dec(value: number, width = 0, pad = 32): this {
    const start = this.length;
    this.room(24 + width);
    let rest = value < 0 ? -value : value;
    do {
      const high = Math.floor(rest / 10);
      this.bytes[this.length++] = 48 + (rest - high * 10);
      rest = high;
    } while (rest > 0);
    if (value < 0) this.bytes[this.length++] = 45;
    while (this.length - start < width) this.bytes[this.length++] = pad;
    this.reverse(start);
    return this;
  }

  /** Appends an integer in lower-case hexadecimal (exact up to 2^53), padded with zeros to `width`. */
  hex(value: number, width = 0): this {
    const start = this.length;
    this.room(16 + width);
    let rest = value;
    do {
      const high = Math.floor(rest / 16);
      this.bytes[this.length++] = DIGITS.charCodeAt(rest - high * 16);
      rest = high;
    } while (rest > 0);
    while (this.length - start < width) this.bytes[this.length++] = 48;
    this.reverse(start);
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

  /** A copy of what has been written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** What has been written, as latin1; for tests and error texts. */
  toString(): string {
    return Buffer.from(this.bytes.buffer, 0, this.length).toString("latin1");
  }

  private reverse(start: number): void {
    for (let i = start, j = this.length - 1; i < j; i++, j--) {
      const byte = this.bytes[i] as number;
      this.bytes[i] = this.bytes[j] as number;
      this.bytes[j] = byte;
    }
  }

  private room(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
