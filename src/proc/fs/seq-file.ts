/**
 * Reads of files made of records, with the kernel's rules (fs/seq_file.c: seq_read_iter, traverse). What they come to:
 *
 * - A fill of the buffer ends with the last record that leaves a byte of it free; a buffer that can't hold one record
 *   doubles. One read returns at most one fill (after what an earlier read left over), so reads end at a record's end
 *   unless the reader's own buffer was smaller.
 * - Reading goes on at the iterator's position, not at a byte offset: records that come and go in between do no harm.
 *   A read at an offset other than where the last one ended goes through the file from its start.
 * - An error shows only if there is nothing else to return.
 *
 * The state lies in the OPEN_FILE, and text left over in the byte heap, so that any thread may serve the next read. It
 * is written at the end alone: a read that would have to wait leaves it as it was.
 */
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { BYTES_MAX, bytesCopy, bytesPut } from "../../shm/bytes.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { LockClass } from "../../sync/lockdep.ts";
import { mutexLockKillable, mutexUnlock } from "../../sync/mutex.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import { Text } from "../text.ts";
import { WOULD_WAIT } from "../vfs.ts";

/** Bytes of a new buffer. */
const SEQ_BUFFER_SIZE = 4096;

/** Serves reads; one per thread, reused. Its fields hold the state of the open file while one read is under way. */
export class SeqReader {
  private readonly text = new Text();
  private readonly cursor: SeqCursor = { index: 0, entry: NULL };
  private readPos = 0;
  private from = 0;
  private count = 0;
  private size = 0;
  /** Where the unread bytes are: BYTES, or NULL for `text`. */
  private buffer: Ptr = NULL;
  /** The OPEN_FILE's own buffer at the start of the read. */
  private oldBuffer: Ptr = NULL;

  /** Reads from `offset` on; `c.file` is the open file. @returns bytes, a negated errno, or WOULD_WAIT */
  read(c: Context, ops: SeqOperations, offset: number, dest: Uint8Array): number {
    const { t } = c.k;
    const locked = mutexLockKillable(t, c.file + OPEN_FILE.lock, LockClass.openFile);
    if (locked !== 0) return locked;
    try {
      this.load(c);
      const result = this.readLocked(c, ops, offset, dest);
      if (result !== WOULD_WAIT) this.save(c);
      return result;
    } finally {
      mutexUnlock(t, c.file + OPEN_FILE.lock, LockClass.openFile);
    }
  }

  private readLocked(c: Context, ops: SeqOperations, offset: number, dest: Uint8Array): number {
    if (offset === 0) this.rewind();
    if (offset !== this.readPos) {
      const error = this.traverse(c, ops, offset);
      if (error !== 0) return error === WOULD_WAIT ? error : this.restart(error);
      this.readPos = offset;
    }
    let copied = this.count === 0 ? 0 : this.copy(c, dest, 0);
    // The kernel prepares a further record even if nothing more is wanted; nobody can tell.
    if (this.count === 0 && (copied === 0 || copied < dest.length)) {
      const result = this.fill(c, ops, dest.length - copied);
      if (result === WOULD_WAIT || (result < 0 && copied === 0)) return result;
      if (result > 0) copied += this.copy(c, dest, copied);
    }
    this.readPos += copied;
    return copied;
  }

  /** Formats at least one record, and more while the reader wants more. @returns 1, 0 at the end, or an error */
  private fill(c: Context, ops: SeqOperations, wanted: number): number {
    this.empty();
    try {
      const result = this.fillStarted(c, ops, wanted);
      this.count = this.text.length;
      return result;
    } finally {
      // A formatter that fails must not leave locks behind.
      ops.stop(c, this.cursor);
    }
  }

  private fillStarted(c: Context, ops: SeqOperations, wanted: number): number {
    let result = ops.start(c, this.cursor);
    while (result > 0) {
      result = ops.show(c, this.cursor, this.text);
      if (result < 0) break;
      if (result > 0) this.text.clear();
      if (this.text.length > 0) break;
      result = ops.next(c, this.cursor);
    }
    if (result < 0 || this.text.length === 0) {
      this.text.clear();
      return result;
    }
    while (this.text.length >= this.size) this.size *= 2;
    this.addMore(c, ops, wanted);
    return 1;
  }

  /** Adds records to the one in the buffer until it is full, or holds what is wanted. */
  private addMore(c: Context, ops: SeqOperations, wanted: number): void {
    const { text } = this;
    for (;;) {
      const end = text.length;
      const result = ops.next(c, this.cursor);
      if (result <= 0 || end >= wanted) return;
      const shown = ops.show(c, this.cursor, text);
      if (shown > 0) {
        text.length = end;
      } else if (shown < 0 || text.length >= this.size) {
        text.length = end;
        return;
      }
    }
  }

  /** Goes from the start of the file to byte `offset`. @returns 0, or an error */
  private traverse(c: Context, ops: SeqOperations, offset: number): number {
    this.rewind();
    this.empty();
    if (offset === 0) return 0;
    try {
      return this.traverseStarted(c, ops, offset);
    } finally {
      ops.stop(c, this.cursor);
    }
  }

  private traverseStarted(c: Context, ops: SeqOperations, offset: number): number {
    let before = 0;
    let result = ops.start(c, this.cursor);
    while (result > 0) {
      result = ops.show(c, this.cursor, this.text);
      if (result < 0) return result;
      if (result > 0) this.text.clear();
      while (this.text.length >= this.size) this.size *= 2;
      result = ops.next(c, this.cursor);
      const length = this.text.length;
      if (before + length > offset) {
        this.from = offset - before;
        this.count = length - this.from;
        return 0;
      }
      before += length;
      this.text.clear();
      if (before === offset) return 0;
    }
    return result;
  }

  /** Hands out unread bytes; @returns how many. */
  private copy(c: Context, dest: Uint8Array, at: number): number {
    const length = Math.min(this.count, dest.length - at);
    if (this.buffer !== NULL) bytesCopy(c.k.m, this.buffer, this.from, dest, at, length);
    else dest.set(this.text.bytes.subarray(this.from, this.from + length), at);
    this.from += length;
    this.count -= length;
    return length;
  }

  private rewind(): void {
    this.cursor.index = 0;
    this.from = 0;
    this.count = 0;
  }

  private empty(): void {
    this.buffer = NULL;
    this.from = 0;
    this.count = 0;
    this.text.clear();
  }

  /** After an error on the way to an offset the file is as if newly opened. */
  private restart(error: number): number {
    this.rewind();
    this.readPos = 0;
    return error;
  }

  private load(c: Context): void {
    const { m } = c.k;
    this.cursor.index = m.load64(c.file + OPEN_FILE.index);
    this.cursor.entry = NULL;
    this.readPos = m.load64(c.file + OPEN_FILE.readPos);
    this.from = m.load(c.file + OPEN_FILE.from);
    this.count = m.load(c.file + OPEN_FILE.count);
    this.size = m.load(c.file + OPEN_FILE.bufferSize) || SEQ_BUFFER_SIZE;
    this.oldBuffer = m.load(c.file + OPEN_FILE.buffer);
    this.buffer = this.oldBuffer;
  }

  private save(c: Context): void {
    const { m } = c.k;
    if (this.count > 0 && this.buffer === NULL) this.keepRest(c);
    else if (this.count === 0) this.buffer = NULL;
    m.store64(c.file + OPEN_FILE.index, this.cursor.index);
    m.store64(c.file + OPEN_FILE.readPos, this.readPos);
    m.store(c.file + OPEN_FILE.from, this.from);
    m.store(c.file + OPEN_FILE.count, this.count);
    if (this.size !== SEQ_BUFFER_SIZE) m.store(c.file + OPEN_FILE.bufferSize, this.size);
    if (this.buffer === this.oldBuffer) return;
    m.store(c.file + OPEN_FILE.buffer, this.buffer);
    bytesPut(m, c.k.slab, this.oldBuffer);
  }

  /** Puts what is left of `text` into the byte heap; what has no room there is formatted again at the next read. */
  private keepRest(c: Context): void {
    this.buffer = this.count > BYTES_MAX ? NULL : heapBytes(c, this.text.bytes, this.from, this.count);
    if (this.buffer === NULL) this.restart(0);
    else this.from = 0;
  }
}

function heapBytes(c: Context, bytes: Uint8Array, from: number, count: number): Ptr {
  try {
    return c.k.bytes(bytes.subarray(from, from + count));
  } catch (error) {
    if (error instanceof ArenaFullError) return NULL;
    throw error;
  }
}

/** Frees what reads have left in an open file. */
export function seqRelease(c: Context): void {
  bytesPut(c.k.m, c.k.slab, c.k.m.load(c.file + OPEN_FILE.buffer));
}
