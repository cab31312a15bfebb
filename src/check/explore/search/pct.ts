/**
 * Interleavings by chance, in a way that finds what takes few unlucky moments (Burckhardt, Kothari, Musuvathi,
 * Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, ASPLOS 2010): each thread has a random
 * priority, the highest goes on, and at a few random steps the one that is at it falls below all others. With n threads,
 * runs of k steps, and a bug of depth d, one run finds it with a probability of at least 1 / (n * k ** (d - 1)).
 */
import type { Machine } from "../machine/machine.ts";
import { MAX_THREADS } from "../machine/operation.ts";
import { Prng } from "./prng.ts";
import type { Search } from "./search.ts";

export class Pct implements Search {
  readonly prefix = 0;
  private readonly seed: number;
  private readonly runs: number;
  private readonly depth: number;
  private run = 0;
  /** Steps of the longest run so far. */
  private longest = 1;
  /** Of each thread, then of each thread's sleeps, which run out of time as if somebody else decided it. */
  private readonly priorities = new Int32Array(2 * MAX_THREADS);
  /** Steps before which the highest priority falls, each to its own place below all others: the first one falls deepest. */
  private readonly changes: Int32Array;

  /** @param depth 1 and more: one more than the points of change */
  constructor(seed: number, runs: number, depth: number) {
    this.seed = seed;
    this.runs = runs;
    this.depth = depth;
    this.changes = new Int32Array(depth - 1);
  }

  choose(machine: Machine): number {
    const { steps, threads } = machine;
    const { enabled, ready } = threads;
    if (steps.count === 0) this.begin();
    const { changes, priorities } = this;
    for (let i = 0; i < changes.length; i++) {
      if (changes[i] === steps.count) priorities[this.highest(enabled, ready)] = i;
    }
    return this.highest(enabled, ready) % MAX_THREADS;
  }

  stepped(): void {
    // What a step does changes nothing here.
  }

  advance(machine: Machine): boolean {
    this.longest = Math.max(this.longest, machine.steps.count);
    return ++this.run < this.runs;
  }

  fraction(): number {
    return this.run / this.runs;
  }

  /** Priorities and points of change of the run, the same each time that it is made. */
  private begin(): void {
    const random = new Prng(this.seed, this.run);
    const { priorities, changes } = this;
    for (let i = 0; i < priorities.length; i++) priorities[i] = this.depth + i;
    for (let i = priorities.length - 1; i > 0; i--) {
      const other = random.below(i + 1);
      const held = priorities[i];
      priorities[i] = priorities[other];
      priorities[other] = held;
    }
    for (let i = 0; i < changes.length; i++) changes[i] = random.below(this.longest);
  }

  /** Who has the highest priority: a thread, or MAX_THREADS more if its sleep has to run out of time first. */
  private highest(enabled: number, ready: number): number {
    let highest = -1;
    for (let thread = 0; thread < MAX_THREADS; thread++) {
      if (((enabled >>> thread) & 1) === 0) continue;
      const candidate = ((ready >>> thread) & 1) !== 0 ? thread : MAX_THREADS + thread;
      if (highest < 0 || this.priorities[candidate] > this.priorities[highest]) highest = candidate;
    }
    return highest;
  }
}
