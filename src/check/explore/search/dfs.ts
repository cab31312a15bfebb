/** Every interleaving, depth first; or every one with at most so many preemptions. */
import type { Machine } from "../machine/machine.ts";
import type { Search } from "./search.ts";
import { lowest } from "./search.ts";

/** No thread had to be interrupted. */
const NOBODY = 255;

/**
 * A step is a preemption if the thread of the step before it could have gone on, other than by a sleep that runs out of
 * time.
 */
export class Dfs implements Search {
  prefix = 0;
  private readonly bound: number;
  /** By step: who makes it, who else has to, who could have gone on, and preemptions before it. */
  private readonly thread: Uint8Array;
  private readonly others: Uint8Array;
  private readonly staying: Uint8Array;
  private readonly choices: Uint8Array;
  private readonly preemptions: Int32Array;
  private length = 0;

  /** @param bound preemptions; Infinity for all interleavings */
  constructor(capacity: number, bound: number) {
    this.bound = bound;
    this.thread = new Uint8Array(capacity);
    this.others = new Uint8Array(capacity);
    this.staying = new Uint8Array(capacity);
    this.choices = new Uint8Array(capacity);
    this.preemptions = new Int32Array(capacity);
  }

  choose(machine: Machine): number {
    const i = machine.steps.count;
    if (i < this.length) return this.thread[i];
    const { enabled, ready } = machine.threads;
    const last = i === 0 ? NOBODY : this.thread[i - 1];
    const stays = i > 0 && ((ready >>> last) & 1) !== 0;
    const before = i === 0 ? 0 : this.preemptions[i - 1] + (this.isPreempted(i - 1) ? 1 : 0);
    const thread = stays ? last : lowest(ready !== 0 ? ready : enabled);
    const others = stays && before >= this.bound ? 0 : enabled & ~(1 << thread);
    this.thread[i] = thread;
    this.others[i] = others;
    this.staying[i] = stays ? last : NOBODY;
    this.preemptions[i] = before;
    this.choices[i] = 1 + bits(others);
    this.length = i + 1;
    return thread;
  }

  stepped(): void {
    // What a step does changes nothing here.
  }

  advance(machine: Machine): boolean {
    for (let i = machine.steps.count - 1; i >= 0; i--) {
      const others = this.others[i];
      if (others === 0) continue;
      this.thread[i] = lowest(others);
      this.others[i] = others & (others - 1);
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
      share /= this.choices[i];
      fraction += share * (this.choices[i] - 1 - bits(this.others[i]));
    }
    return fraction;
  }

  /** True if step `i` interrupts a thread. */
  private isPreempted(i: number): boolean {
    return this.staying[i] !== NOBODY && this.staying[i] !== this.thread[i];
  }
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
