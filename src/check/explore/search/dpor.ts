/**
 * One execution for each trace (happens-before.ts), without a bound: dynamic partial-order reduction with source sets and
 * sleep sets (Abdulla, Aronis, Jonsson, Sagonas: Optimal Dynamic Partial Order Reduction, POPL 2014, algorithm 1).
 *
 * Whenever a step races with an earlier one, some thread that could begin the reversed order has to be tried where the
 * earlier step was made. A thread sleeps while all that it could begin has been explored already; it wakes up when
 * something happens that its next step depends on.
 *
 * The algorithm wants that no thread ever keeps another one from its next step. There is one exception: a notification
 * takes from a sleeper the possibility of running out of time. That possibility races with the notification, so it is tried
 * where the notification was made.
 */
import type { Machine } from "../machine/machine.ts";
import { Effect, MAX_THREADS } from "../machine/operation.ts";
import type { Search } from "./search.ts";
import { lowest } from "./search.ts";
import type { Steps } from "../machine/steps.ts";

export class Dpor implements Search {
  prefix = 0;
  private readonly threads: number;
  /** By step: who makes it, who has to be tried, who has been, who need not be, who could. */
  private readonly thread: Uint8Array;
  private readonly backtrack: Uint8Array;
  private readonly done: Uint8Array;
  private readonly sleep: Uint8Array;
  private readonly enabled: Uint8Array;
  /** By step and thread that was tried there or sleeps: what its step accesses, and how. */
  private readonly slot: Int32Array;
  private readonly effect: Uint8Array;
  private length = 0;
  /** For each thread, its first step in the sequence that is looked at. */
  private readonly first = new Int32Array(MAX_THREADS);

  constructor(capacity: number, threads: number) {
    this.threads = threads;
    this.thread = new Uint8Array(capacity);
    this.backtrack = new Uint8Array(capacity);
    this.done = new Uint8Array(capacity);
    this.sleep = new Uint8Array(capacity);
    this.enabled = new Uint8Array(capacity);
    this.slot = new Int32Array(capacity * MAX_THREADS);
    this.effect = new Uint8Array(capacity * MAX_THREADS);
  }

  choose(machine: Machine): number {
    const i = machine.steps.count;
    if (i < this.length) return this.thread[i];
    const { enabled, ready } = machine.threads;
    const sleep = i === 0 ? 0 : this.inheritSleep(i, machine.steps);
    const free = enabled & ~sleep;
    if (free === 0) return -1;
    const thread = this.prefer(i, free, ready & free);
    this.thread[i] = thread;
    this.backtrack[i] = 1 << thread;
    this.done[i] = 0;
    this.sleep[i] = sleep;
    this.enabled[i] = enabled;
    this.length = i + 1;
    return thread;
  }

  stepped(machine: Machine, i: number): void {
    const { steps, order, threads } = machine;
    const own = i * MAX_THREADS + this.thread[i];
    this.slot[own] = steps.slot[i];
    this.effect[own] = steps.onWord[i] | (steps.onQueue[i] << 2);
    this.backtrack[i] |= threads.spared;
    if (i < this.prefix) return;
    for (let r = 0; r < order.raceCount; r++) this.reverse(steps, order.races[r], i);
  }

  advance(machine: Machine): boolean {
    for (let i = machine.steps.count - 1; i >= 0; i--) {
      this.done[i] |= 1 << this.thread[i];
      const left = this.backtrack[i] & ~this.done[i] & ~this.sleep[i];
      if (left === 0) continue;
      this.thread[i] = lowest(left);
      this.length = i + 1;
      this.prefix = i;
      return true;
    }
    return false;
  }

  fraction(): number {
    let fraction = 0;
    let share = 1;
    for (let i = 0; i < this.length; i++) {
      const tried = bits(this.done[i]);
      const known = Math.max(tried + 1, bits(this.backtrack[i] & ~this.sleep[i]));
      share /= known;
      fraction += share * tried;
    }
    return fraction;
  }

  /** Who goes on when nothing else matters: the thread of the last step, so that few threads have to be resumed. */
  private prefer(i: number, free: number, ready: number): number {
    const last = i === 0 ? 0 : this.thread[i - 1];
    if (((ready >>> last) & 1) !== 0) return last;
    return lowest(ready !== 0 ? ready : free);
  }

  /** Threads that still sleep after step `i - 1`: what they would do doesn't depend on it. */
  private inheritSleep(i: number, steps: Steps): number {
    const before = (this.sleep[i - 1] | this.done[i - 1]) & ~(1 << this.thread[i - 1]);
    let sleep = 0;
    for (let left = before; left !== 0; left &= left - 1) {
      const thread = lowest(left);
      const from = (i - 1) * MAX_THREADS + thread;
      if (this.slot[from] === steps.slot[i - 1] && dependent(this.effect[from], steps, i - 1)) continue;
      sleep |= 1 << thread;
      this.slot[from + MAX_THREADS] = this.slot[from];
      this.effect[from + MAX_THREADS] = this.effect[from];
    }
    return sleep;
  }

  /** Step `i` races with the earlier step `j`: the other order has to be explored. */
  private reverse(steps: Steps, j: number, i: number): void {
    const initials = this.initials(steps, j, i) & this.enabled[j];
    if (((this.backtrack[j] | this.sleep[j]) & initials) !== 0) return;
    const thread = steps.thread[i];
    this.backtrack[j] |= ((initials >>> thread) & 1) !== 0 ? 1 << thread : initials & -initials;
  }

  /**
   * Threads that can begin the steps after `j` that don't come after it, followed by step `i`: those whose first step among
   * them comes after no other one of them.
   */
  private initials(steps: Steps, j: number, i: number): number {
    const { first } = this;
    const racing = steps.thread[j];
    const index = steps.index[j];
    let seen = 0;
    let initials = 0;
    for (let k = j + 1; k <= i; k++) {
      if (k < i && steps.clock[k * MAX_THREADS + racing] >= index) continue;
      const thread = steps.thread[k];
      if (((seen >>> thread) & 1) !== 0) continue;
      if (!this.followsAny(steps, k, seen)) initials |= 1 << thread;
      seen |= 1 << thread;
      first[thread] = steps.index[k];
    }
    return initials;
  }

  /** True if step `k` comes after the first step of any of the threads. */
  private followsAny(steps: Steps, k: number, threads: number): boolean {
    for (let thread = 0; thread < this.threads; thread++) {
      if (((threads >>> thread) & 1) === 0) continue;
      if (steps.clock[k * MAX_THREADS + thread] >= this.first[thread]) return true;
    }
    return false;
  }
}

/** True if a step with this effect depends on step `i`, which accesses the same word. */
function dependent(effect: number, steps: Steps, i: number): boolean {
  return conflict(effect & 3, steps.onWord[i]) || conflict(effect >>> 2, steps.onQueue[i]);
}

function conflict(a: number, b: number): boolean {
  return a !== Effect.none && b !== Effect.none && (a === Effect.write || b === Effect.write);
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
