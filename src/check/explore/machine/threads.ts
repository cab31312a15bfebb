/**
 * Which threads can make a step, and what the others wait for.
 *
 * A sleep ends by a notification, or by running out of time where the scenario allows that: so often in each thread, at any
 * moment. A nap ends as soon as a write changes the word: what the thread does next, it does whenever the strategy likes, so
 * nothing is lost by not sleeping longer, and no thread ever keeps another one from its next step. That is what the search
 * for traces (dpor.ts) builds upon.
 */
import type { Ptr } from "../../../sync/atomics.ts";
import { Journal } from "./journal.ts";
import { MAX_THREADS } from "./operation.ts";

/** Sets of threads, a bit each. Who is in none of the last three has ended. */
const ENABLED = 0;
const READY = 1;
const ASLEEP = 2;
const NAPPING = 3;
/** Of each thread: sleeps that may still run out of time, when it fell asleep, its word, and the value that it naps on. */
const TIMEOUTS = 8;
const SINCE = 16;
const WORD = 24;
const VALUE = 32;
const ROWS = VALUE + MAX_THREADS;

export class Threads {
  /** Threads that have been woken, in order, until somebody lets them go on. */
  readonly woken: number[] = [];
  /** Threads woken by the last step that could have run out of time before, a bit each. */
  spared = 0;
  private readonly count: number;
  private readonly rows = new Int32Array(ROWS);
  /** What executions have done to `rows`. */
  readonly journal = new Journal(this.rows);

  /** @param timeouts how often the sleeps of each thread may run out of time */
  constructor(count: number, timeouts: number) {
    this.count = count;
    this.rows[ENABLED] = this.rows[READY] = (1 << count) - 1;
    this.rows.fill(timeouts, TIMEOUTS, TIMEOUTS + count);
  }

  /** Threads that can make a step, a bit each. */
  get enabled(): number {
    return this.rows[ENABLED];
  }

  /** Those of them that need no sleep to run out of time. */
  get ready(): number {
    return this.rows[READY];
  }

  get napping(): number {
    return this.rows[NAPPING];
  }

  /** Threads that have something to wait for. */
  get waiting(): number {
    return this.rows[ASLEEP] | this.rows[NAPPING];
  }

  isReady(thread: number): boolean {
    return ((this.rows[READY] >>> thread) & 1) !== 0;
  }

  isAsleep(thread: number): boolean {
    return ((this.rows[ASLEEP] >>> thread) & 1) !== 0;
  }

  isNapping(thread: number): boolean {
    return ((this.rows[NAPPING] >>> thread) & 1) !== 0;
  }

  hasEnded(thread: number): boolean {
    return (((this.rows[READY] | this.waiting) >>> thread) & 1) === 0;
  }

  /** A thread sleeps on a word. @param since the number of the step: sleepers are woken in this order */
  sleep(thread: number, at: Ptr, since: number): void {
    this.set(SINCE + thread, since);
    this.set(WORD + thread, at);
    this.remove(READY, thread);
    this.add(ASLEEP, thread);
    if (this.rows[TIMEOUTS + thread] === 0) this.remove(ENABLED, thread);
  }

  /** A thread naps as long as a word has this value. */
  nap(thread: number, at: Ptr, value: number): void {
    this.set(WORD + thread, at);
    this.set(VALUE + thread, value);
    this.remove(READY, thread);
    this.add(NAPPING, thread);
    this.remove(ENABLED, thread);
  }

  /** A thread's sleep runs out of time. */
  timeOut(thread: number): void {
    this.set(TIMEOUTS + thread, this.rows[TIMEOUTS + thread] - 1);
    this.remove(ASLEEP, thread);
    this.add(READY, thread);
  }

  /** Wakes sleepers, at most so many. @returns how many */
  notify(at: Ptr, count: number): number {
    const { rows, woken } = this;
    for (let left = count; left > 0; left--) {
      const thread = this.firstSleeper(at);
      if (thread < 0) break;
      if (rows[TIMEOUTS + thread] > 0) this.spared |= 1 << thread;
      this.wake(ASLEEP, thread);
    }
    return woken.length;
  }

  /** A word has been given a value. */
  endNaps(at: Ptr, value: number): void {
    const { rows } = this;
    for (let t = 0; t < this.count; t++) {
      if (this.isNapping(t) && rows[WORD + t] === at && rows[VALUE + t] !== value) this.wake(NAPPING, t);
    }
  }

  end(thread: number): void {
    this.remove(READY, thread);
    this.remove(ENABLED, thread);
  }

  private firstSleeper(at: Ptr): number {
    const { rows } = this;
    let first = -1;
    for (let t = 0; t < this.count; t++) {
      if (!this.isAsleep(t) || rows[WORD + t] !== at) continue;
      if (first < 0 || rows[SINCE + t] < rows[SINCE + first]) first = t;
    }
    return first;
  }

  private wake(from: number, thread: number): void {
    this.remove(from, thread);
    this.add(READY, thread);
    this.add(ENABLED, thread);
    this.woken.push(thread);
  }

  private add(set: number, thread: number): void {
    this.set(set, this.rows[set] | (1 << thread));
  }

  private remove(set: number, thread: number): void {
    this.set(set, this.rows[set] & ~(1 << thread));
  }

  private set(at: number, value: number): void {
    this.journal.note(at);
    this.rows[at] = value;
  }
}
