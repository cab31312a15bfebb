/** What operations do: to words, to threads that sleep on them, and to what comes before what. */
import type { Ptr } from "../../../sync/atomics.ts";
import type { Arena } from "./arena.ts";
import type { HappensBefore } from "./happens-before.ts";
import type { OpId } from "./operation.ts";
import { Effect, Op } from "./operation.ts";
import type { SharedWords } from "./shared-words.ts";
import type { Steps } from "./steps.ts";
import type { Threads } from "./threads.ts";

export class Interpreter {
  private readonly arena: Arena;
  private readonly words: SharedWords;
  private readonly threads: Threads;
  private readonly steps: Steps;
  private readonly order: HappensBefore;

  constructor(arena: Arena, words: SharedWords, threads: Threads, steps: Steps, order: HappensBefore) {
    this.arena = arena;
    this.words = words;
    this.threads = threads;
    this.steps = steps;
    this.order = order;
  }

  /** True if an operation would put its thread to sleep. */
  sleeps(op: OpId, at: Ptr, a: number): boolean {
    return (op === Op.wait || op === Op.nap) && this.arena.words[at] === a;
  }

  /** An access that is no step. @pre it puts nobody to sleep, and has nobody to wake. @returns its answer */
  atOnce(op: OpId, at: Ptr, a: number, b: number): number {
    if (op === Op.wait) return 1;
    return op === Op.nap || op === Op.notify ? 0 : this.arena.apply(op, at, a, b);
  }

  /** The step of a thread. @returns its answer, unless the thread sleeps now */
  step(thread: number, op: OpId, site: number, at: Ptr, a: number, b: number): number {
    const { steps, order, threads } = this;
    const i = steps.count;
    steps.thread[i] = thread;
    steps.op[i] = op;
    steps.at[i] = at;
    steps.site[i] = site;
    steps.a[i] = a;
    steps.b[i] = b;
    steps.slot[i] = this.words.slot(at);
    threads.spared = 0;
    const answer = this.effect(i, thread, op, at, a, b);
    steps.count = i + 1;
    order.step(i);
    for (let w = 0; w < threads.woken.length; w++) order.wake(thread, threads.woken[w]);
    return answer;
  }

  /** Does what the operation of step `i` does, and notes what that affects. */
  private effect(i: number, thread: number, op: OpId, at: Ptr, a: number, b: number): number {
    const { steps, threads } = this;
    steps.onQueue[i] = Effect.none;
    steps.onWord[i] = Effect.read;
    if (op === Op.wait || op === Op.nap) return this.sleep(i, thread, op, at, a);
    if (op === Op.timeout) return this.timeOut(i, thread);
    if (op === Op.notify) return this.notify(i, at, a);
    const answer = this.arena.apply(op, at, a, b);
    steps.result[i] = answer;
    if (op <= Op.loadU32 || (op === Op.compareExchange && answer !== a)) return answer;
    steps.onWord[i] = Effect.write;
    if (threads.napping !== 0) threads.endNaps(at, this.arena.words[at]);
    return answer;
  }

  private sleep(i: number, thread: number, op: OpId, at: Ptr, expected: number): number {
    const { steps, threads } = this;
    const sleeps = this.sleeps(op, at, expected);
    steps.result[i] = sleeps ? 1 : 0;
    // Whether it sleeps or not; see happens-before.ts.
    if (op === Op.wait) steps.onQueue[i] = Effect.write;
    if (!sleeps) return op === Op.wait ? 1 : 0;
    if (op === Op.wait) threads.sleep(thread, at, i);
    else threads.nap(thread, at, expected);
    return 0;
  }

  private timeOut(i: number, thread: number): number {
    this.steps.onWord[i] = Effect.none;
    this.steps.onQueue[i] = Effect.write;
    this.steps.result[i] = 0;
    this.threads.timeOut(thread);
    return 0;
  }

  private notify(i: number, at: Ptr, count: number): number {
    const { steps } = this;
    const woken = this.threads.notify(at, count);
    steps.onWord[i] = Effect.none;
    steps.onQueue[i] = woken > 0 ? Effect.write : Effect.read;
    steps.result[i] = woken;
    return woken;
  }
}
