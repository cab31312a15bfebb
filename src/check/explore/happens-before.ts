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
import { Effect, MAX_THREADS } from "./operation.ts";
import type { Steps } from "./steps.ts";

/** A slot's row. Steps are noted by their number + 1, accesses by their thread's epoch; 0: none in this execution. */
const STRIDE = 64;
const STAMP = 0;
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
  /** For each thread, every thread's clock as far as it comes before. */
  readonly clock = new Int32Array(MAX_THREADS * MAX_THREADS);
  /** Steps that the last step depends on with nothing between: it could as well have come before them. */
  readonly races = new Int32Array(4 * MAX_THREADS);
  raceCount = 0;
  /** The thread and the site of the other access of the race found last. */
  otherThread = 0;
  otherSite = 0;

  private readonly threads: number;
  private readonly steps: Steps;
  private rows: Int32Array = new Int32Array(256 * STRIDE);
  /** Sites of the accesses whose epochs are in the same place of `rows`. */
  private sites: Int32Array = new Int32Array(256 * STRIDE);
  private execution = 0;
  private hashLow = 0;
  private hashHigh = 0;

  constructor(threads: number, steps: Steps) {
    this.threads = threads;
    this.steps = steps;
  }

  /** A new execution begins. */
  begin(): void {
    this.clock.fill(0);
    this.execution++;
    this.hashLow = 0;
    this.hashHigh = 0;
  }

  /** A thread's epoch: the number of its next step. */
  epoch(thread: number): number {
    return this.clock[thread * MAX_THREADS + thread] + 1;
  }

  /** True if what `other` did in an epoch of its own comes before what `thread` does now. */
  knows(thread: number, other: number, epoch: number): boolean {
    return this.clock[thread * MAX_THREADS + other] >= epoch;
  }

  /** A point of a thread that is not a step; @returns its number. */
  tick(thread: number): number {
    return ++this.clock[thread * MAX_THREADS + thread];
  }

  /** What `woken` does from now on comes after what `waker` has done. */
  wake(waker: number, woken: number): void {
    this.join(woken * MAX_THREADS, this.clock, waker * MAX_THREADS);
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
    const index = ++this.clock[own + thread];
    steps.index[i] = index;
    let hash = Math.imul(thread + 1, HASH_HIGH) ^ steps.op[i];
    const to = i * MAX_THREADS;
    for (let t = 0; t < threads; t++) {
      const at = this.clock[own + t];
      steps.clock[to + t] = at;
      hash = Math.imul(hash ^ at, HASH_LOW);
      hash ^= hash >>> 15;
    }
    this.hashLow = (this.hashLow + Math.imul(hash, HASH_LOW)) | 0;
    this.hashHigh = (this.hashHigh + (Math.imul(hash ^ (hash >>> 13), HASH_HIGH) ^ (hash >>> 16))) | 0;
  }

  /** A number below 2^53 that two executions share if they are the same trace, and hardly any others do. */
  trace(): number {
    return (this.hashHigh >>> 0) * TWO_21 + (this.hashLow >>> 11);
  }

  /**
   * Notes an access by `thread` to a tracked word, and compares it with those of others before it.
   * @param epoch the thread's epoch; the step's number if the access is one
   */
  access(slot: number, thread: number, epoch: number, site: number, write: boolean, plain: boolean): OrderedId {
    const row = this.row(slot);
    const found = this.compare(row, thread, write, plain);
    const kind = plain ? (write ? PLAIN_WRITES : PLAIN_READS) : write ? ATOMIC_WRITES : ATOMIC_READS;
    this.rows[row + kind + thread] = epoch;
    this.sites[row + kind + thread] = site;
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
    for (let other = 0; other < this.threads; other++) {
      if (other === thread || this.rows[from + other] <= this.clock[thread * MAX_THREADS + other]) continue;
      this.otherThread = other;
      this.otherSite = this.sites[from + other];
      return true;
    }
    return false;
  }

  /** Collects earlier steps of others that a step on the same word depends on, and notes the step. */
  private gather(i: number, thread: number, lastWrite: number, reads: number, effect: number): void {
    const { rows } = this;
    const write = rows[lastWrite] - 1;
    if (write >= 0 && this.steps.thread[write] !== thread) this.races[this.raceCount++] = write;
    if (effect === Effect.read) {
      rows[reads + thread] = i + 1;
      return;
    }
    for (let other = 0; other < this.threads; other++) {
      const read = rows[reads + other] - 1;
      if (other !== thread && read > write) this.races[this.raceCount++] = read;
    }
    rows[lastWrite] = i + 1;
  }

  /** Keeps those of `races` that no other step lies between, the latest first, and joins their clocks. */
  private orderRaces(own: number): void {
    const { races, steps } = this;
    this.sortRaces();
    let kept = 0;
    for (let r = 0; r < this.raceCount; r++) {
      const earlier = races[r];
      if (this.clock[own + steps.thread[earlier]] >= steps.index[earlier]) continue;
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
    const { clock } = this;
    for (let t = 0; t < this.threads; t++) if (other[from + t] > clock[to + t]) clock[to + t] = other[from + t];
  }

  /** Where a slot's row begins; empty if it was not touched in this execution. */
  private row(slot: number): number {
    const row = slot * STRIDE;
    if (row >= this.rows.length) this.grow(row);
    if (this.rows[row + STAMP] !== this.execution) {
      this.rows.fill(0, row, row + STRIDE);
      this.rows[row + STAMP] = this.execution;
    }
    return row;
  }

  private grow(row: number): void {
    this.rows = enlarged(this.rows, row + STRIDE);
    this.sites = enlarged(this.sites, row + STRIDE);
  }
}

function enlarged(array: Int32Array, least: number): Int32Array {
  const larger = new Int32Array(Math.max(least, array.length * 2));
  larger.set(array);
  return larger;
}
