/**
 * Files that are written to and then say something: what was said, and reading it through the same open file.
 *
 * A shell that writes and then reads on does so where its write has left the file's position; a program may as well use
 * pread(2) from 0. (In selinuxfs a write doesn't move the position, so that both are one. FUSE has no such files.)
 */
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { bytesCopy, bytesLength, bytesPut, latin1Bytes } from "../../shm/bytes.ts";
import { NULL } from "../../sync/atomics.ts";
import type { Context } from "../row.ts";

/** How a command or call went. */
export interface Answer {
  /** 0, a positive errno, or WOULD_WAIT: nothing has been done, the request will come again. */
  readonly errno: number;
  /** What can be read back: the result, or the reason for the errno; latin1, without a newline at the end. */
  readonly text: string;
}

/** How the answer has been read so far. */
const UNREAD = 0;
/** From where the write ended. */
const STREAM = 1;
/** From 0, by offset. */
const POSITIONED = 2;

/** Keeps what a write at `offset` of so many bytes was answered, in place of an older answer. */
export function keepAnswer(c: Context, { errno, text }: Answer, offset: number, length: number): void {
  const { m, slab } = c.k;
  const bytes = c.k.bytes(latin1Bytes(text === "" ? "" : `${text}\n`));
  // Only a write that succeeds moves the position.
  m.store64(c.file + OPEN_FILE.readPos, errno === 0 ? offset + length : offset);
  m.store(c.file + OPEN_FILE.readMode, UNREAD);
  m.store(c.file + OPEN_FILE.preadNext, 0);
  bytesPut(m, slab, m.exchange(c.file + OPEN_FILE.data, bytes));
}

/** True if there is something to read. */
export function hasAnswer(c: Context): boolean {
  return c.k.m.load(c.file + OPEN_FILE.data) !== NULL;
}

/** Fills `dest` with what the answer has at `offset`; returns the number of bytes. */
export function readAnswer(c: Context, offset: number, dest: Uint8Array): number {
  const { m } = c.k;
  const data = m.load(c.file + OPEN_FILE.data);
  const positioned = isPositioned(c, offset);
  const from = positioned ? offset : offset - m.load64(c.file + OPEN_FILE.readPos);
  const count = Math.max(0, Math.min(dest.length, bytesLength(m, data) - from));
  if (count === 0) return 0;
  noteRead(c, positioned, offset + count);
  bytesCopy(m, data, from, dest, 0, count);
  return count;
}

/** Remembers how the answer was read first, and where a read by offset has stopped. */
function noteRead(c: Context, positioned: boolean, next: number): void {
  const { m } = c.k;
  if (!positioned) m.store(c.file + OPEN_FILE.readMode, STREAM);
  else m.compareExchange(c.file + OPEN_FILE.readMode, UNREAD, POSITIONED);
  if (positioned) m.store(c.file + OPEN_FILE.preadNext, next);
}

/**
 * True if an offset counts from the beginning of the answer: it lies before the end of the write, or goes on where such a
 * read has stopped. Behind the write it depends on how the answer was read first.
 */
function isPositioned(c: Context, offset: number): boolean {
  const { m } = c.k;
  const written = m.load64(c.file + OPEN_FILE.readPos);
  if (offset < written || offset === m.loadU32(c.file + OPEN_FILE.preadNext)) return true;
  return m.load(c.file + OPEN_FILE.readMode) === POSITIONED;
}

/** Frees the answer with its open file. */
export function dropAnswer(c: Context): void {
  bytesPut(c.k.m, c.k.slab, c.k.m.load(c.file + OPEN_FILE.data));
}

/** The text written, without a newline at its end; null if it has a NUL byte, or a newline elsewhere and `lines` is false. */
export function writtenText(data: Uint8Array, lines: boolean): string | null {
  const end = data.length > 0 && data[data.length - 1] === 10 ? data.length - 1 : data.length;
  let text = "";
  for (let i = 0; i < end; i++) {
    const byte = data[i] as number;
    if (byte === 0 || (byte === 10 && !lines)) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}
