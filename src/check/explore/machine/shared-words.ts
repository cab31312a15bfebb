/**
 * Which words threads contend for. Only accesses to these are steps; all others are done at once.
 *
 * A word is shared if two threads access it, at least one of them to write, and nothing but the word itself orders the two:
 * no chain of steps leads from one access to the other (happens-before.ts). What a lock protects is therefore not shared,
 * but the lock is. An exploration finds out as it goes: each word that turns out to be shared makes it start again. In its
 * last pass, no two accesses to any other word were unordered, so each interleaving of all accesses has the same outcome as
 * one that was explored.
 *
 * The classes of words are kept in one word of flags each, so that one comparison tells whether an access may be done at
 * once: a thread has accessed the word before in the same manner, and nothing is special about it.
 */
import type { Ptr } from "../../../sync/atomics.ts";

/** Flags of a word. In the lowest bits one for each thread that has read it, then for each that has written it. */
export const WordFlag = {
  /** A step. */
  shared: 1 << 16,
  /** Used by several threads, one of which writes: each access is checked for being ordered with the others'. */
  tracked: 1 << 17,
  /** Belongs to an object that is retired or freed in some execution, or was before the first one. */
  object: 1 << 18,
  /** A thread tells by it that it holds no pointers. */
  quiescent: 1 << 19,
  /** Accessed plainly by some thread. */
  plain: 1 << 20,
} as const;

/** Accesses to words with any of these are looked at more closely. */
export const SPECIAL = WordFlag.shared | WordFlag.tracked | WordFlag.object | WordFlag.quiescent;

const ALL_READERS = 0xff;
const ALL_WRITERS = 0xff00;

export function readerFlag(thread: number): number {
  return 1 << thread;
}

export function writerFlag(thread: number): number {
  return 1 << (8 + thread);
}

export class SharedWords {
  /** Flags by word. */
  readonly flags: Uint32Array;
  /** Place of each shared or tracked word in the tables of happens-before.ts; 0 is none's. */
  readonly slotOf: Int32Array;
  /** Words by place. */
  readonly words: Ptr[] = [0];
  /** Number of shared words. */
  shared = 0;
  /** Words have been found to be shared since somebody cleared this: what went before was no exploration. */
  grown = false;
  /** Words are tracked that were not: the execution has to be repeated, and nothing else. */
  moreTracked = false;

  /** @param size words of the arena */
  constructor(size: number) {
    this.flags = new Uint32Array(size);
    this.slotOf = new Int32Array(size);
  }

  /** A thread uses a word in a manner that it hasn't used it in so far. */
  use(at: Ptr, thread: number, write: boolean, plain: boolean): void {
    const before = this.flags[at];
    const mine = write ? writerFlag(thread) : readerFlag(thread);
    let after = before | mine | (plain ? WordFlag.plain : 0);
    if (after === before) return;
    const others = (write ? ALL_READERS | ALL_WRITERS : ALL_WRITERS) & ~(readerFlag(thread) | writerFlag(thread));
    const contended = (before & others) !== 0;
    if (contended && (before & WordFlag.tracked) === 0) {
      after |= WordFlag.tracked;
      this.slot(at);
      this.moreTracked = true;
    } else if (((before ^ after) & WordFlag.plain) !== 0 && (before & WordFlag.shared) !== 0) {
      this.moreTracked = true;
    }
    this.flags[at] = after;
  }

  /** The word is shared from now on. */
  share(at: Ptr): void {
    if ((this.flags[at] & WordFlag.shared) !== 0) return;
    this.flags[at] |= WordFlag.shared | WordFlag.tracked;
    this.slot(at);
    this.shared++;
    this.grown = true;
  }

  /** Place of a word in the tables; made if it has none. */
  slot(at: Ptr): number {
    const known = this.slotOf[at];
    if (known !== 0) return known;
    this.slotOf[at] = this.words.length;
    return this.words.push(at) - 1;
  }
}
