/**
 * What writers did, and when: the memory of an oracle.
 *
 * Something that changes (a process's image, one timer, an address space) has a *track*: a sequence of states, each a few
 * 32-bit words that the oracle gives a meaning. All tracks of a history share one logical clock. A writer takes a tick
 * before a change and one after it; a reader looks at the clock before and after its read:
 *
 *     const begun = history.begin();            // tick; the old state may go from now on
 *     history.publish(track, begun, words);     // the state that the change makes, before anybody can see it
 *     …the change…
 *     history.end(track);                       // tick; the old state is gone
 *
 *     const from = history.now();
 *     …the read…
 *     const states = history.possible(track, from, history.now());
 *
 * A read may see a state if its change began before the read ended, and the next change had not ended before the read
 * began. A state whose words are known only in the middle of the change is published there: whoever sees it earlier has
 * seen what must not be seen. One track has one writer at a time (a lock, or an owner, sees to it); different tracks need
 * no order. The first state of a track is published before readers start. States that a change goes through on its way are
 * published without an end of their own: all that came before is gone when the change has ended.
 *
 * Two forms: {@link ArrayHistory} for everything in one thread, {@link SharedHistory} for real threads.
 */
import type { Ptr } from "../sync/atomics.ts";
import { Memory } from "../sync/atomics.ts";

/** A state of a track, and the ticks between which it can have been seen. */
export interface State {
  /** Number of the state on its track, from 0. */
  readonly index: number;
  /** Tick at which the change that made it began: nobody saw it before. */
  readonly from: number;
  /** Tick at which the next change had ended: nobody sees it after. Infinity while there is no such tick. */
  readonly until: number;
  readonly words: readonly number[];
}

export interface History {
  /** The clock: a reader's time. */
  now(): number;
  /** Starts a change. @returns its tick, for {@link History.publish} */
  begin(): number;
  /** Says what a change makes. */
  publish(track: number, begun: number, words: readonly number[]): void;
  /** Ends the change that was published last. */
  end(track: number): void;
  /** The words of the state that was published last, for the track's writer. */
  newest(track: number): readonly number[];
  /**
   * States that a read from tick `from` to tick `to` may have seen, oldest first.
   * @returns null if the history doesn't go back that far: the read can't be judged, and is to be counted as such
   */
  possible(track: number, from: number, to: number): State[] | null;
}

/**
 * True if the states, of different tracks, can have been in effect at one moment of a read: what several tracks make
 * together belongs to one moment only then.
 */
export function atOneMoment(states: readonly State[]): boolean {
  let from = 0;
  let until = Infinity;
  for (const state of states) {
    from = Math.max(from, state.from);
    until = Math.min(until, state.until);
  }
  return from < until;
}

interface Entry {
  readonly begun: number;
  ended: number;
  readonly words: readonly number[];
}

/** A history of one thread: the explorer runs readers, writers and oracle in one. It forgets nothing. */
export class ArrayHistory implements History {
  private clock = 0;
  private readonly tracks: Entry[][] = [];

  now(): number {
    return this.clock;
  }

  begin(): number {
    return ++this.clock;
  }

  publish(track: number, begun: number, words: readonly number[]): void {
    while (this.tracks.length <= track) this.tracks.push([]);
    this.entries(track).push({ begun, ended: 0, words: [...words] });
  }

  end(track: number): void {
    this.last(track).ended = ++this.clock;
  }

  newest(track: number): readonly number[] {
    return this.last(track).words;
  }

  possible(track: number, from: number, to: number): State[] {
    const entries = this.entries(track);
    const found: State[] = [];
    let until = Infinity;
    for (let index = entries.length - 1; index >= 0; index--) {
      const { begun, ended, words } = entries[index] as Entry;
      if (begun <= to) found.push({ index, from: begun, until, words });
      if (ended !== 0 && ended <= from) break;
      if (ended !== 0) until = ended;
    }
    return found.reverse();
  }

  private entries(track: number): Entry[] {
    const entries = this.tracks[track];
    if (entries === undefined) throw new Error(`track ${track} has no state`);
    return entries;
  }

  private last(track: number): Entry {
    return this.entries(track).at(-1) as Entry;
  }
}

/** How large a shared history is. */
export interface HistoryShape {
  readonly tracks: number;
  /** Words of each state. */
  readonly words: number;
  /** States that each track remembers. */
  readonly depth: number;
}

/** Words of a cache line. */
const LINE = 16;
const CLOCK: Ptr = LINE;
const FIRST_TRACK: Ptr = 2 * LINE;

/** Words of an entry before the state's own. */
const BEGUN = 0;
const ENDED = 1;
const STATE = 2;

/**
 * A history of real threads, in shared memory of its own. Each track is a ring: how many states were published, then the
 * last `depth` of them. Who writes an entry again hides the one that stood there before; a reader that needed it finds so.
 */
export class SharedHistory implements History {
  private readonly m: Memory;
  private readonly shape: HistoryShape;
  private readonly entryWords: number;
  private readonly trackWords: number;

  constructor(buffer: SharedArrayBuffer, shape: HistoryShape) {
    this.m = new Memory(buffer);
    this.shape = shape;
    this.entryWords = STATE + shape.words;
    this.trackWords = LINE + shape.depth * this.entryWords;
  }

  /** Memory for a history, to be given to each thread's own SharedHistory. */
  static reserve(shape: HistoryShape): SharedArrayBuffer {
    const words = FIRST_TRACK + shape.tracks * (LINE + shape.depth * (STATE + shape.words));
    return Memory.reserve(4 * words).buffer;
  }

  now(): number {
    return this.m.loadU32(CLOCK);
  }

  begin(): number {
    return this.tick();
  }

  publish(track: number, begun: number, words: readonly number[]): void {
    if (words.length !== this.shape.words)
      throw new Error(`a state has ${this.shape.words} words, not ${words.length}`);
    const { m } = this;
    const at = this.trackAt(track);
    const index = m.loadU32(at);
    const entry = this.entryAt(track, index);
    m.store(entry + BEGUN, begun);
    m.store(entry + ENDED, 0);
    for (let i = 0; i < words.length; i++) m.store(entry + STATE + i, words[i] as number);
    m.store(at, index + 1);
  }

  end(track: number): void {
    this.m.store(this.entryAt(track, this.published(track) - 1) + ENDED, this.tick());
  }

  newest(track: number): readonly number[] {
    return this.wordsOf(this.entryAt(track, this.published(track) - 1));
  }

  possible(track: number, from: number, to: number): State[] | null {
    const found: State[] = [];
    const count = this.published(track);
    let until = Infinity;
    let index = count - 1;
    for (; index >= 0 && index > count - this.shape.depth; index--) {
      const entry = this.entryAt(track, index);
      const begun = this.m.loadU32(entry + BEGUN);
      const ended = this.m.loadU32(entry + ENDED);
      if (begun <= to) found.push({ index, from: begun, until, words: this.wordsOf(entry) });
      if (index === 0 || (ended !== 0 && ended <= from)) {
        return this.isOverwritten(track, index) ? null : found.reverse();
      }
      if (ended !== 0) until = ended;
    }
    return null;
  }

  /** True if the entry of a state has been written again, or is being written, since. */
  private isOverwritten(track: number, index: number): boolean {
    return index + this.shape.depth <= this.published(track);
  }

  private tick(): number {
    const tick = (this.m.add(CLOCK, 1) >>> 0) + 1;
    if (tick > 0xfffffff0) throw new Error("the clock of the history has run out");
    return tick;
  }

  private published(track: number): number {
    return this.m.loadU32(this.trackAt(track));
  }

  private wordsOf(entry: Ptr): number[] {
    const words: number[] = [];
    for (let i = 0; i < this.shape.words; i++) words.push(this.m.load(entry + STATE + i));
    return words;
  }

  private trackAt(track: number): Ptr {
    return FIRST_TRACK + track * this.trackWords;
  }

  private entryAt(track: number, index: number): Ptr {
    return this.trackAt(track) + LINE + (index % this.shape.depth) * this.entryWords;
  }
}
