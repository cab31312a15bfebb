/**
 * What comes before what, whatever the interleaving: the steps of one thread are in order, and so are any two that depend on
 * each other. Two executions with the same order of dependent steps are the same trace (Mazurkiewicz).
 *
 * Steps depend on each other if both access the same word and one writes it, or both the queue of a word's sleepers and one
 * changes that. A failed compareExchange reads. A wait reads the word and changes the queue, even if it doesn't sleep: a
 * write by a third thread decides that, which must not make two steps independent that would depend on each other without
 * it (the search for traces would miss some). A notification changes the queue if it wakes somebody and reads it otherwise.
 * What wakes a thread comes before all that the thread does afterwards.
 *
 * Kept as vector clocks. A thread's own clock counts its steps, and its quiescent states (objects.ts) between them; what it
 * does between two steps bears the number of the next one, its epoch.
 */
import { Journal, enlarged } from "./journal.ts";
import { Effect, MAX_THREADS } from "./operation.ts";
import type { Steps } from "./steps.ts";

/** Numbers before the rows: the clocks (for each thread, every thread's as far as it comes before), and the trace. */
const HASH_LOW_AT = MAX_THREADS * MAX_THREADS;
const HASH_HIGH_AT = HASH_LOW_AT + 1;
const HEAD = 128;

/** A slot's row. Steps are noted by their number + 1, accesses by their thread's epoch; 0: none. */
const STRIDE = 128;
const LAST_WRITE = 1;
const LAST_QUEUE_WRITE = 2;
/** For each thread: its last read since the last write. */
const READS = 8;
const QUEUE_READS = 16;
/** For each thread: epochs of its last accesses. */
const ATOMIC_WRITES = 24;
const ATOMIC_READS = 32;
const PLAIN_WRITES = 40;
const PLAIN_READS = 48;
/** From an epoch to the site of the access. */
const SITE = 64;

/** How an access compares with those of other threads before it. */
export const Ordered = {
  yes: 0,
  /** It races with one, both of them atomic. */
  atomicRace: 1,
  /** It races with one, at least one of them plain. */
  plainRace: 2,
} as const;
export type OrderedId = (typeof Ordered)[keyof typeof Ordered];

const HASH_LOW = 0x9e3779b1;
const HASH_HIGH = 0x85ebca77;
const TWO_21 = 2 ** 21;

export class HappensBefore {
  /** Steps that the last step depends on with nothing between: it could as well have come before them. */
  readonly races = new Int32Array(4 * MAX_THREADS);
  raceCount = 0;
  /** The thread and the site of the other access of the race found last. */
  otherThread = 0;
  otherSite = 0;

  private readonly threads: number;
  private readonly steps: Steps;
  private state: Int32Array = new Int32Array(HEAD + 256 * STRIDE);
  /** What executions have done to `state`. */
  readonly journal = new Journal(this.state);

  constructor(threads: number, steps: Steps) {
    this.threads = threads;
    this.steps = steps;
  }

  /** A thread's clock, as far as another thread's past reaches. */
  clock(thread: number, other: number): number {
    return this.state[thread * MAX_THREADS + other];
  }

  /** A thread's epoch: the number of its next step. */
  epoch(thread: number): number {
    return this.state[thread * MAX_THREADS + thread] + 1;
  }

  /** True if what `other` did in an epoch of its own comes before what `thread` does now. */
  knows(thread: number, other: number, epoch: number): boolean {
    return this.state[thread * MAX_THREADS + other] >= epoch;
  }

  /** A point of a thread that is not a step; @returns its number. */
  tick(thread: number): number {
    const own = thread * MAX_THREADS + thread;
    this.set(own, this.state[own] + 1);
    return this.state[own];
  }

  /** What `woken` does from now on comes after what `waker` has done. */
  wake(waker: number, woken: number): void {
    this.join(woken * MAX_THREADS, this.state, waker * MAX_THREADS);
  }

  /** Puts step `i` behind those that it depends on, and finds its races. */
  step(i: number): void {
    const { steps, threads } = this;
    const thread = steps.thread[i];
    const row = this.row(steps.slot[i]);
    this.raceCount = 0;
    const onWord = steps.onWord[i];
    if (onWord !== Effect.none) this.gather(i, thread, row + LAST_WRITE, row + READS, onWord);
    const onQueue = steps.onQueue[i];
    if (onQueue !== Effect.none) this.gather(i, thread, row + LAST_QUEUE_WRITE, row + QUEUE_READS, onQueue);
    const own = thread * MAX_THREADS;
    if (this.raceCount !== 0) this.orderRaces(own);
    steps.index[i] = this.tick(thread);
    let hash = Math.imul(thread + 1, HASH_HIGH) ^ steps.op[i];
    const to = i * MAX_THREADS;
    const { state } = this;
    for (let t = 0; t < threads; t++) {
      const at = state[own + t];
      steps.clock[to + t] = at;
      hash = Math.imul(hash ^ at, HASH_LOW);
      hash ^= hash >>> 15;
    }
    this.set(HASH_LOW_AT, state[HASH_LOW_AT] + Math.imul(hash, HASH_LOW));
    this.set(HASH_HIGH_AT, state[HASH_HIGH_AT] + (Math.imul(hash ^ (hash >>> 13), HASH_HIGH) ^ (hash >>> 16)));
  }

  /** A number below 2^53 that two executions share if they are the same trace, and hardly any others do. */
  trace(): number {
    return (this.state[HASH_HIGH_AT] >>> 0) * TWO_21 + (this.state[HASH_LOW_AT] >>> 11);
  }

  /**
   * Notes an access by `thread` to a tracked word, and compares it with those of others before it.
   * @param epoch the thread's epoch; the step's number if the access is one
   */
  access(slot: number, thread: number, epoch: number, site: number, write: boolean, plain: boolean): OrderedId {
    const row = this.row(slot);
    const found = this.compare(row, thread, write, plain);
    const kind = plain ? (write ? PLAIN_WRITES : PLAIN_READS) : write ? ATOMIC_WRITES : ATOMIC_READS;
    this.set(row + kind + thread, epoch);
    this.set(row + kind + thread + SITE, site);
    return found;
  }

  private compare(row: number, thread: number, write: boolean, plain: boolean): OrderedId {
    if (this.unordered(row + PLAIN_WRITES, thread)) return Ordered.plainRace;
    if (write && this.unordered(row + PLAIN_READS, thread)) return Ordered.plainRace;
    const race = plain ? Ordered.plainRace : Ordered.atomicRace;
    if (this.unordered(row + ATOMIC_WRITES, thread)) return race;
    if (write && this.unordered(row + ATOMIC_READS, thread)) return race;
    return Ordered.yes;
  }

  private unordered(from: number, thread: number): boolean {
    const { state } = this;
    for (let other = 0; other < this.threads; other++) {
      if (other === thread || state[from + other] <= state[thread * MAX_THREADS + other]) continue;
      this.otherThread = other;
      this.otherSite = state[from + other + SITE];
      return true;
    }
    return false;
  }

  /** Collects earlier steps of others that a step on the same word depends on, and notes the step. */
  private gather(i: number, thread: number, lastWrite: number, reads: number, effect: number): void {
    const { state } = this;
    const write = state[lastWrite] - 1;
    if (write >= 0 && this.steps.thread[write] !== thread) this.races[this.raceCount++] = write;
    if (effect === Effect.read) {
      this.set(reads + thread, i + 1);
      return;
    }
    for (let other = 0; other < this.threads; other++) {
      const read = state[reads + other] - 1;
      if (other !== thread && read > write) this.races[this.raceCount++] = read;
    }
    this.set(lastWrite, i + 1);
  }

  /** Keeps those of `races` that no other step lies between, the latest first, and joins their clocks. */
  private orderRaces(own: number): void {
    const { races, steps } = this;
    this.sortRaces();
    let kept = 0;
    for (let r = 0; r < this.raceCount; r++) {
      const earlier = races[r];
      if (this.state[own + steps.thread[earlier]] >= steps.index[earlier]) continue;
      races[kept++] = earlier;
      this.join(own, steps.clock, earlier * MAX_THREADS);
    }
    this.raceCount = kept;
  }

  private sortRaces(): void {
    const { races } = this;
    for (let i = 1; i < this.raceCount; i++) {
      const race = races[i];
      let j = i;
      for (; j > 0 && races[j - 1] < race; j--) races[j] = races[j - 1];
      races[j] = race;
    }
  }

  private join(to: number, other: Int32Array, from: number): void {
    const { state } = this;
    for (let t = 0; t < this.threads; t++) if (other[from + t] > state[to + t]) this.set(to + t, other[from + t]);
  }

  private set(at: number, value: number): void {
    this.journal.note(at);
    this.state[at] = value;
  }

  /** Where a slot's row begins. */
  private row(slot: number): number {
    const row = HEAD + slot * STRIDE;
    if (row >= this.state.length) {
      this.state = enlarged(this.state, row + STRIDE);
      this.journal.move(this.state);
    }
    return row;
  }
}
