/**
 * Runs the threads of a subject over its arena, one access to a shared word at a time, in an order that a strategy decides.
 *
 * A thread is a generator. It runs until its next step: an access to a word that threads contend for (shared-words.ts).
 * The strategy is then asked who makes the next step. As long as that is the same thread, it never stops: the access is
 * done and its result returned. Else the thread yields, and the machine makes the step of another one.
 *
 * What a thread does is written down (behaviour.ts), and its code runs only when it is given answers that it has never been
 * given before: then it begins anew, is given all its answers again, and goes on by itself for the rest of the execution.
 *
 * Sleeping: a wait ends by a notification, or by running out of time where the scenario allows that: so often in each
 * thread, at any moment. A nap ends as soon as a write changes the word: what the thread does next, it does whenever the
 * strategy likes, so nothing is lost by not sleeping longer, and no thread ever keeps another one from its next step. That
 * is what the search for traces (dpor.ts) builds upon.
 */
import type { Ptr } from "../../sync/atomics.ts";
import { Behaviour, ENDED, ROOT, UNKNOWN } from "./behaviour.ts";
import { Checkpoint } from "./checkpoint.ts";
import { copyOf } from "./copy.ts";
import { HappensBefore, Ordered } from "./happens-before.ts";
import { Journal } from "./journal.ts";
import { Marks } from "./marks.ts";
import { Objects } from "./objects.ts";
import type { OpId } from "./operation.ts";
import { Effect, LOG_TIMEOUT, MAX_THREADS, OP_NAMES, Op } from "./operation.ts";
import type { FailureKind } from "./report.ts";
import { resultOf, runtime } from "./runtime.ts";
import { SharedWords, WordFlag } from "./shared-words.ts";
import { Steps } from "./steps.ts";
import { Stopped } from "./stopped.ts";
import type { Fiber, Subject } from "./subject.ts";

/** Decides who makes the next step. */
export interface Strategy {
  /** Steps that are the same as in the execution before, unless something depends on chance. */
  readonly prefix: number;
  /** @returns one of `machine.enabled`, or -1 to give the execution up */
  choose(machine: Machine): number;
  /** Step `i` has been made. */
  stepped(machine: Machine, i: number): void;
}

/** Looks on, for replays. */
export interface Observer {
  /** The thread has reached an access that it will make in some later step. */
  reached(thread: number): void;
  /** Step `i` has been made. */
  stepped(i: number): void;
  /** A sleeper goes on. */
  woken(thread: number, at: Ptr, site: number): void;
  /** A plain access, at once. */
  plain(thread: number, site: number, at: Ptr, write: boolean): void;
}

/** How an execution ended. */
export type Outcome =
  /** All threads have ended, and the verdict is good. */
  | "ended"
  /** The strategy gave up. */
  | "blocked"
  | "failed"
  /** Steps were not what they should have been: a word is shared that was not known to be. */
  | "grown";

export interface MachineFailure {
  readonly kind: FailureKind;
  readonly message: string;
}

export interface MachineOptions {
  /** Steps after which an execution is a livelock. */
  readonly stepLimit: number;
  /** Accesses of each thread's that are known, at which they are forgotten; 2 ** 20 unless given, which is 32 megabytes. */
  readonly knownLimit?: number;
}

const READY = 0;
const SLEEPING = 1;
const NAPPING = 2;
const DONE = 3;

/** See MachineOptions. */
const KNOWN_LIMIT = 2 ** 20;

/** No thread runs: setup or verdict. */
const NOBODY = -1;
/** Before the first execution. */
const NO_STRATEGY: Strategy = { prefix: 0, choose: () => NOBODY, stepped: () => undefined };

export class Machine {
  readonly subject: Subject;
  readonly steps: Steps;
  readonly words: SharedWords;
  readonly order: HappensBefore;
  readonly objects: Objects;
  /** Threads that can make a step, a bit each. */
  enabled = 0;
  /** Those of them that need no sleep to run out of time. */
  ready = 0;
  /** Threads woken by the last step that could have run out of time before. */
  spared = 0;
  failure: MachineFailure | null = null;
  /** Stop as soon as a word turns out to be shared. */
  stopAtGrowth = true;
  /** Every access is a step. */
  everyAccess = false;
  /** If there is one: threads are added in the order of their accesses; see LOG_TIMEOUT. */
  log: number[] | null = null;
  observer: Observer | null = null;
  readonly results: unknown[] = [];

  private readonly arena: Int32Array;
  private readonly journal: Journal;
  /** Objects that all may see, and those of each thread. */
  private readonly checkpoint: Checkpoint;
  private readonly checkpoints: Checkpoint[];
  private readonly threads: number;
  private readonly stepLimit: number;
  private readonly knownLimit: number;
  /** Of each thread, its code if that runs by itself. */
  private readonly fibers: (Fiber | null)[] = [];
  private readonly behaviours: Behaviour[] = [];
  private readonly verdict = new Behaviour();
  /** All code runs, whether it's known what it does or not. */
  private checking = false;
  /** Code has run, and may have changed objects; whose threads' it was, a bit each. */
  private touched = false;
  private touchedBy = 0;
  private readonly marks: Marks;
  private readonly state = new Uint8Array(MAX_THREADS);
  private readonly op = new Uint8Array(MAX_THREADS);
  private readonly site = new Int32Array(MAX_THREADS);
  private readonly at = new Int32Array(MAX_THREADS);
  private readonly a = new Int32Array(MAX_THREADS);
  private readonly b = new Int32Array(MAX_THREADS);
  /** When each sleeper went to sleep: they are woken in this order. */
  private readonly asleepSince = new Int32Array(MAX_THREADS);
  private readonly timeoutsLeft = new Int32Array(MAX_THREADS);
  private readonly rcuWord = new Int32Array(MAX_THREADS);
  private strategy = NO_STRATEGY;
  private current = NOBODY;
  private next = NOBODY;
  private napping = 0;
  /** Threads are brought to their next step, not beyond it. */
  private collecting = false;
  /** Threads that the last step has woken, in order. */
  private readonly woken: number[] = [];

  /** @pre the subject has just been set up; its accesses go to this machine from now on, until there is another one */
  constructor(subject: Subject, options: MachineOptions) {
    const { memory, threads } = subject;
    if (threads.length > MAX_THREADS) throw new Error(`${threads.length} threads; at most ${MAX_THREADS}`);
    this.subject = subject;
    this.threads = threads.length;
    this.stepLimit = options.stepLimit;
    this.knownLimit = options.knownLimit ?? KNOWN_LIMIT;
    this.arena = new Int32Array(memory.buffer);
    this.journal = new Journal(this.arena);
    this.steps = new Steps(options.stepLimit);
    this.words = new SharedWords(memory.size());
    this.order = new HappensBefore(this.threads, this.steps);
    this.objects = new Objects(memory.size(), this.threads, subject.objects, this.words, this.order);
    const notes = runtime.connect(this, memory, this.words.flags, this.journal);
    for (let i = 0; i < notes.length; i += 3) this.objects.noteInitial(notes[i], notes[i + 1], notes[i + 2]);
    for (let t = 0; t < this.threads; t++) {
      this.rcuWord[t] = threads[t].rcuWord;
      if (threads[t].rcuWord !== 0) this.words.flags[threads[t].rcuWord] |= WordFlag.quiescent;
    }
    // The first look at such a word is a close one; there is no second.
    this.words.flags.fill(WordFlag.object, 0, subject.nowhere);
    this.marks = new Marks(options.stepLimit);
    const seen = new Set<object>();
    this.checkpoint = new Checkpoint(subject.roots, seen);
    this.checkpoints = threads.map(({ root }) => new Checkpoint([root], seen));
    for (let t = 0; t < this.threads; t++) this.behaviours.push(new Behaviour());
  }

  /** One execution, from the beginning. The threads' code runs, and has to do what it did before. */
  run(strategy: Strategy): Outcome {
    this.checking = true;
    this.reset();
    for (let t = 0; t < this.threads; t++) this.fibers[t] = this.begin(t);
    return this.runAll(strategy);
  }

  /**
   * One execution, from the first step that is not as in the one before. Code runs only where it's not known what it does.
   * @pre the execution before didn't fail; words are shared and tracked as they were then, or the strategy has no prefix
   */
  runFrom(strategy: Strategy): Outcome {
    this.checking = false;
    if (this.verdict.size > this.knownLimit) this.verdict.clear();
    if (this.forgets() || strategy.prefix === 0) {
      this.reset();
      return this.runAll(strategy);
    }
    this.strategy = strategy;
    this.rewind(strategy.prefix);
    return this.goOn();
  }

  /** Forgets what threads do if that is too much. @returns true if it has, and nobody knows where the threads were */
  private forgets(): boolean {
    let full = false;
    for (const { size } of this.behaviours) full ||= size > this.knownLimit;
    if (full) for (const behaviour of this.behaviours) behaviour.clear();
    return full;
  }

  private runAll(strategy: Strategy): Outcome {
    this.strategy = strategy;
    this.collecting = true;
    for (let t = 0; t < this.threads && this.failure === null; t++) this.resume(t, 0);
    this.collecting = false;
    return this.goOn();
  }

  /** Makes arena and objects what they were before the first execution. */
  reset(): void {
    this.journal.undo(0);
    this.order.journal.undo(0);
    this.objects.journal.undo(0);
    if (this.touched) this.restore();
    this.steps.count = 0;
    this.failure = null;
    this.enabled = this.ready = (1 << this.threads) - 1;
    this.napping = 0;
    this.woken.length = 0;
    for (let t = 0; t < this.threads; t++) {
      this.state[t] = READY;
      this.timeoutsLeft[t] = this.subject.timeouts;
      this.results[t] = undefined;
      this.behaviours[t].node = ROOT;
      this.fibers[t] = null;
    }
  }

  /** Makes objects what they were before the first execution. */
  private restore(): void {
    this.checkpoint.restore();
    for (let t = 0; t < this.threads; t++) if (((this.touchedBy >>> t) & 1) !== 0) this.checkpoints[t].restore();
    this.touched = false;
    this.touchedBy = 0;
  }

  /** Makes everything what it was before step `i` of the execution before. */
  private rewind(i: number): void {
    const { marks } = this;
    this.journal.undo(marks.arena[i]);
    this.order.journal.undo(marks.order[i]);
    this.objects.journal.undo(marks.objects[i]);
    if (this.touched) this.restore();
    this.steps.count = i;
    this.failure = null;
    this.enabled = marks.enabled[i];
    this.ready = marks.ready[i];
    this.napping = marks.napping[i];
    this.woken.length = 0;
    for (let t = 0; t < this.threads; t++) {
      const at = i * MAX_THREADS + t;
      this.timeoutsLeft[t] = marks.timeouts[at];
      this.asleepSince[t] = marks.asleepSince[at];
      this.state[t] = marks.state[at];
      this.fibers[t] = null;
      this.return(t, marks.node[at]);
    }
  }

  /** A thread is where it was. */
  private return(thread: number, node: number): void {
    const behaviour = this.behaviours[thread];
    behaviour.node = node;
    // Whoever has ended left its result.
    if (this.state[thread] === DONE) return;
    this.reach(thread, behaviour.op as OpId, behaviour.site, behaviour.at, behaviour.a, behaviour.b);
  }

  /** A thread's code, before its first line. */
  private begin(thread: number): Fiber {
    this.touched = true;
    this.touchedBy |= 1 << thread;
    return this.subject.threads[thread].start();
  }

  private goOn(): Outcome {
    let thread = this.choose();
    while (thread >= 0) thread = this.advance(thread);
    return this.finish();
  }

  /** Notes where everything is before the next step, for {@link Machine.rewind}. */
  private mark(i: number): void {
    const { marks } = this;
    marks.arena[i] = this.journal.length;
    marks.order[i] = this.order.journal.length;
    marks.objects[i] = this.objects.journal.length;
    marks.enabled[i] = this.enabled;
    marks.ready[i] = this.ready;
    marks.napping[i] = this.napping;
    for (let t = 0; t < this.threads; t++) {
      const at = i * MAX_THREADS + t;
      marks.node[at] = this.behaviours[t].node;
      marks.timeouts[at] = this.timeoutsLeft[t];
      marks.asleepSince[at] = this.asleepSince[t];
      marks.state[at] = this.state[t];
    }
  }

  /** A step of a thread, and all that it does until its next one. @returns the thread of the next step, or -1 */
  private advance(thread: number): number {
    const value = this.perform(thread);
    if (this.failure !== null) return -1;
    this.wakeUp();
    if (this.state[thread] !== READY) return this.choose();
    this.behaviours[thread].answer(value);
    this.next = NOBODY;
    this.resume(thread, value);
    return this.hasEnded(thread) ? this.choose() : this.next;
  }

  /** Those whom the last step has woken run to their next step. */
  private wakeUp(): void {
    if (this.woken.length === 0) return;
    this.collecting = true;
    for (const thread of this.woken) {
      const value = this.op[thread] === Op.wait ? 1 : 0;
      this.behaviours[thread].answer(value);
      this.observer?.woken(thread, this.at[thread], this.site[thread]);
      if (this.failure === null) this.resume(thread, value);
    }
    this.woken.length = 0;
    this.collecting = false;
  }

  /** A thread goes on until it has to yield. @param value the answer to its access, if it has made one */
  private resume(thread: number, value: number): void {
    this.current = thread;
    runtime.enter(thread, this.behaviours[thread], this.everyAccess || this.log !== null);
    try {
      const fiber = this.fibers[thread];
      if (fiber === null) this.walk(thread);
      else this.runCode(thread, fiber, value);
    } catch (error) {
      if (this.failure === null) this.failure = classify(error, this.subject.threads[thread].name);
    }
    this.current = NOBODY;
  }

  /** A thread does what is known of it, then its code takes over. */
  private walk(thread: number): void {
    const behaviour = this.behaviours[thread];
    runtime.walk();
    if (behaviour.op === ENDED) this.end(thread, behaviour.result);
    if (behaviour.op !== UNKNOWN) return;
    const fiber = this.begin(thread);
    this.fibers[thread] = fiber;
    runtime.repeat(ROOT);
    this.runCode(thread, fiber, 0);
  }

  private runCode(thread: number, fiber: Fiber, value: number): void {
    const next = fiber.next(resultOf(this.op[thread], value) as number | boolean);
    if (!next.done || this.failure !== null) return;
    if (this.behaviours[thread].end(next.value)) this.end(thread, next.value);
    else this.failEnd(thread);
  }

  private end(thread: number, result: unknown): void {
    this.state[thread] = DONE;
    this.results[thread] = result;
    this.ready &= ~(1 << thread);
    this.enabled &= ~(1 << thread);
  }

  private hasEnded(thread: number): boolean {
    return this.state[thread] === DONE;
  }

  private choose(): number {
    if (this.failure !== null || this.enabled === 0 || (this.words.grown && this.stopAtGrowth)) return -1;
    if (this.steps.count >= this.stepLimit) {
      this.fail("livelock", `${this.stepLimit} steps, and still no end: ${this.describeAll()}`);
      return -1;
    }
    this.mark(this.steps.count);
    const thread = this.strategy.choose(this);
    if (thread < 0 || (this.enabled & (1 << thread)) !== 0) return thread;
    this.fail(
      "nondeterminism",
      `${this.subject.threads[thread].name} made step ${this.steps.count + 1} before, and now cannot`,
    );
    return NOBODY;
  }

  private finish(): Outcome {
    if (this.failure === null && this.words.grown && this.stopAtGrowth) return "grown";
    if (this.failure === null) this.judge();
    if (this.failure !== null) return this.words.grown && this.stopAtGrowth ? "grown" : "failed";
    return this.enabled === 0 ? "ended" : "blocked";
  }

  private judge(): void {
    if (this.enabled !== 0) return;
    for (let t = 0; t < this.threads; t++) {
      if (this.state[t] === DONE) continue;
      if (this.subject.mayHang) return;
      this.fail("deadlock", `nobody is left to wake them: ${this.describeAll()}`);
      return;
    }
    try {
      const wrong = this.giveVerdict();
      if (wrong !== null) this.fail("oracle", wrong);
    } catch (error) {
      if (this.failure === null) this.failure = classify(error, "the verdict");
    }
  }

  /** @returns what is wrong, or null */
  private giveVerdict(): string | null {
    const { verdict } = this;
    verdict.node = ROOT;
    for (const behaviour of this.behaviours) verdict.tell(behaviour.resultNumber);
    const from = verdict.node;
    runtime.leave(verdict);
    if (!this.checking) runtime.walk();
    if (this.checking || verdict.op === UNKNOWN) {
      runtime.repeat(from);
      this.touched = true;
      const wrong = this.subject.judge(this.results.map(copyOf));
      if (!verdict.end(wrong)) this.fail("nondeterminism", "the verdict on the same results was another one");
    }
    return verdict.result as string | null;
  }

  /** See runtime.ts. */
  access(op: OpId, site: number, at: Ptr, a: number, b: number): number | undefined {
    const thread = this.current;
    if (thread === NOBODY) return this.alone(op, at, a, b);
    if (this.failure !== null) return undefined;
    if (runtime.budget <= 0) this.words.share(at);
    this.observer?.reached(thread);
    if (this.everyAccess) {
      this.words.use(at, thread, this.writes(op, at, a), false);
    } else if ((this.words.flags[at] & WordFlag.shared) === 0) {
      const local = this.isLocal(op, site, at, a, thread);
      if (local || this.failure !== null) this.log?.push(thread);
      if (local) return this.atOnce(op, at, a, b, thread);
      if (this.failure !== null) return undefined;
    }
    this.reach(thread, op, site, at, a, b);
    if (this.collecting) return undefined;
    this.next = this.choose();
    if (this.next !== thread || op > Op.compareExchange || this.napping !== 0) return undefined;
    const value = this.perform(thread);
    if (this.failure === null) return value;
    this.next = NOBODY;
    return undefined;
  }

  /** A thread is about to make a step. */
  private reach(thread: number, op: OpId, site: number, at: Ptr, a: number, b: number): void {
    this.op[thread] = op;
    this.site[thread] = site;
    this.at[thread] = at;
    this.a[thread] = a;
    this.b[thread] = b;
  }

  /** See runtime.ts. */
  plain(site: number, at: Ptr, write: boolean): void {
    const thread = this.current;
    if (thread === NOBODY) return;
    const { words, order } = this;
    words.use(at, thread, write, true);
    const flags = words.flags[at];
    this.observer?.plain(thread, site, at, write);
    if ((flags & (WordFlag.tracked | WordFlag.shared)) !== 0) {
      const ordered = order.access(words.slot(at), thread, order.epoch(thread), site, write, true);
      if (ordered !== Ordered.yes) this.failRace(thread, site, at);
    }
    if ((flags & WordFlag.object) !== 0) this.checkObject(thread, site, at);
    if (this.failure !== null) throw new Stopped();
  }

  /** See runtime.ts. */
  note(site: number, at: Ptr, cache: number, state: number): void {
    const thread = this.current;
    if (thread === NOBODY) return;
    const wrong = this.objects.note(thread, at, cache, state);
    if (wrong === null) return;
    this.fail("use after free", `${wrong}: ${this.place(thread, site)}`);
    throw new Stopped();
  }

  /** Settles whether an access may be done at once. Sets the failure if it must not be done at all. */
  private isLocal(op: OpId, site: number, at: Ptr, a: number, thread: number): boolean {
    // Who sleeps makes the word shared.
    if (op === Op.notify) return true;
    const { words, order } = this;
    if ((op === Op.wait || op === Op.nap) && this.arena[at] === a) {
      words.share(at);
      return false;
    }
    const write = this.writes(op, at, a);
    words.use(at, thread, write, false);
    const flags = words.flags[at];
    if ((flags & WordFlag.tracked) !== 0) {
      const ordered = order.access(words.slot(at), thread, order.epoch(thread), site, write, false);
      if (ordered === Ordered.plainRace) this.failRace(thread, site, at);
      if (ordered === Ordered.atomicRace) words.share(at);
      if (ordered !== Ordered.yes) return false;
    }
    if ((flags & WordFlag.object) !== 0) this.checkObject(thread, site, at);
    return this.failure === null;
  }

  /** True if an operation would write. */
  private writes(op: OpId, at: Ptr, a: number): boolean {
    return op === Op.compareExchange ? this.arena[at] === a : op >= Op.store && op < Op.compareExchange;
  }

  private atOnce(op: OpId, at: Ptr, a: number, b: number, thread: number): number {
    if ((this.words.flags[at] & WordFlag.quiescent) !== 0) this.rest(op, at, a, thread);
    runtime.budget--;
    if (op === Op.wait) return 1;
    return op === Op.nap || op === Op.notify ? 0 : this.apply(op, at, a, b);
  }

  /** An access of setup or verdict. */
  private alone(op: OpId, at: Ptr, a: number, b: number): number {
    if (op === Op.notify) return 0;
    if (op === Op.wait || op === Op.nap) {
      if (this.arena[at] === a) throw new Error("the verdict of a scenario sleeps");
      return op === Op.wait ? 1 : 0;
    }
    return this.apply(op, at, a, b);
  }

  /** The step of a thread. @returns its result, unless the thread sleeps now */
  private perform(thread: number): number {
    const { steps, order } = this;
    const i = steps.count;
    const at = this.at[thread];
    const site = this.site[thread];
    const asleep = this.state[thread] === SLEEPING;
    const op = (asleep ? Op.timeout : this.op[thread]) as OpId;
    if (i < this.strategy.prefix && (steps.op[i] !== op || steps.at[i] !== at || steps.site[i] !== site)) {
      this.failChance(i, thread, op, at, site);
      return 0;
    }
    this.log?.push(asleep ? thread | LOG_TIMEOUT : thread);
    const flags = this.words.flags[at];
    if ((flags & WordFlag.object) !== 0) {
      this.checkObject(thread, site, at);
      if (this.failure !== null) return 0;
    }
    if ((flags & WordFlag.quiescent) !== 0) this.rest(op, at, this.a[thread], thread);
    steps.thread[i] = thread;
    steps.op[i] = op;
    steps.at[i] = at;
    steps.site[i] = site;
    steps.a[i] = this.a[thread];
    steps.b[i] = this.b[thread];
    steps.slot[i] = this.words.slot(at);
    const value = this.effect(i, op, at, thread);
    steps.count = i + 1;
    order.step(i);
    if ((flags & WordFlag.plain) !== 0) this.checkPlain(i, thread, site, at);
    for (let w = 0; w < this.woken.length; w++) order.wake(thread, this.woken[w]);
    this.strategy.stepped(this, i);
    this.observer?.stepped(i);
    return value;
  }

  /** Does what the operation of step `i` does, and notes what that affects. */
  private effect(i: number, op: OpId, at: Ptr, thread: number): number {
    const { steps, arena } = this;
    steps.onQueue[i] = Effect.none;
    steps.onWord[i] = Effect.read;
    this.spared = 0;
    if (op === Op.wait || op === Op.nap) return this.sleep(i, op, at, thread);
    if (op === Op.timeout) return this.timeOut(i, thread);
    if (op === Op.notify) return this.notify(i, at, steps.a[i]);
    const before = arena[at];
    const value = this.apply(op, at, steps.a[i], steps.b[i]);
    steps.result[i] = value;
    if (op <= Op.loadU32 || (op === Op.compareExchange && before !== steps.a[i])) return value;
    steps.onWord[i] = Effect.write;
    if (this.napping !== 0) this.endNaps(at);
    return value;
  }

  /** See runtime.ts. */
  apply(op: OpId, at: Ptr, a: number, b: number): number {
    const { arena } = this;
    const before = arena[at];
    if (op <= Op.loadU32) return before;
    if (op === Op.compareExchange && before !== a) return before;
    this.journal.note(at);
    switch (op) {
      case Op.store:
        arena[at] = a;
        return 0;
      case Op.add:
        arena[at] = before + a;
        return before;
      case Op.or:
        arena[at] = before | a;
        return before;
      case Op.and:
        arena[at] = before & a;
        return before;
      case Op.exchange:
        arena[at] = a;
        return before;
      case Op.compareExchange:
        arena[at] = b;
        return before;
      default:
        throw new Error(`${OP_NAMES[op]} is no operation on a word`);
    }
  }

  private sleep(i: number, op: OpId, at: Ptr, thread: number): number {
    const { steps } = this;
    const sleeps = this.arena[at] === steps.a[i];
    steps.result[i] = sleeps ? 1 : 0;
    // Whether it sleeps or not; see happens-before.ts.
    if (op === Op.wait) steps.onQueue[i] = Effect.write;
    if (!sleeps) return op === Op.wait ? 1 : 0;
    this.asleepSince[thread] = i;
    this.ready &= ~(1 << thread);
    if (op === Op.nap) {
      this.state[thread] = NAPPING;
      this.napping |= 1 << thread;
      this.enabled &= ~(1 << thread);
    } else {
      this.state[thread] = SLEEPING;
      if (this.timeoutsLeft[thread] === 0) this.enabled &= ~(1 << thread);
    }
    return 0;
  }

  private timeOut(i: number, thread: number): number {
    this.steps.onWord[i] = Effect.none;
    this.steps.onQueue[i] = Effect.write;
    this.steps.result[i] = 0;
    this.timeoutsLeft[thread]--;
    this.setReady(thread);
    return 0;
  }

  private notify(i: number, at: Ptr, count: number): number {
    const { steps, woken } = this;
    for (let left = count; left > 0; left--) {
      const thread = this.firstSleeper(at);
      if (thread < 0) break;
      if (this.timeoutsLeft[thread] > 0) this.spared |= 1 << thread;
      this.setReady(thread);
      woken.push(thread);
    }
    steps.onWord[i] = Effect.none;
    steps.onQueue[i] = woken.length > 0 ? Effect.write : Effect.read;
    steps.result[i] = woken.length;
    return woken.length;
  }

  private firstSleeper(at: Ptr): number {
    let first = -1;
    for (let t = 0; t < this.threads; t++) {
      if (this.state[t] !== SLEEPING || this.at[t] !== at) continue;
      if (first < 0 || this.asleepSince[t] < this.asleepSince[first]) first = t;
    }
    return first;
  }

  /** A word has been written. */
  private endNaps(at: Ptr): void {
    for (let t = 0; t < this.threads; t++) {
      if (this.state[t] !== NAPPING || this.at[t] !== at || this.arena[at] === this.a[t]) continue;
      this.napping &= ~(1 << t);
      this.setReady(t);
      this.woken.push(t);
    }
  }

  private setReady(thread: number): void {
    this.state[thread] = READY;
    this.ready |= 1 << thread;
    this.enabled |= 1 << thread;
  }

  /** A thread may have told that it holds no pointers. */
  private rest(op: OpId, at: Ptr, value: number, thread: number): void {
    if (op === Op.store && at === this.rcuWord[thread]) this.objects.rest(thread, value === 0);
  }

  private checkObject(thread: number, site: number, at: Ptr): void {
    if (at < this.subject.nowhere) return this.fail("null pointer", `nothing is at ${at}: ${this.place(thread, site)}`);
    const wrong = this.objects.access(thread, at);
    if (wrong !== null) {
      this.fail("use after free", `${wrong}: ${this.nameWord(at)}, ${this.place(thread, site)}`);
    }
  }

  /** Step `i` is compared with plain accesses to its word. */
  private checkPlain(i: number, thread: number, site: number, at: Ptr): void {
    const { steps, order } = this;
    if (steps.onWord[i] === Effect.none) return;
    const write = steps.onWord[i] === Effect.write;
    const ordered = order.access(steps.slot[i], thread, steps.index[i], site, write, false);
    if (ordered === Ordered.plainRace) this.failRace(thread, site, at);
  }

  private failRace(thread: number, site: number, at: Ptr): void {
    const other = this.place(this.order.otherThread, this.order.otherSite);
    this.fail(
      "data race",
      `nothing orders two accesses to ${this.nameWord(at)}: ${other}, and ${this.place(thread, site)}`,
    );
  }

  /** See runtime.ts. */
  strayed(op: number, site: number, at: Ptr): void {
    const who = this.current === NOBODY ? "the verdict" : this.subject.threads[this.current].name;
    const what = `${OP_NAMES[op] ?? "a plain access"} of ${this.nameWord(at)}`;
    this.fail(
      "nondeterminism",
      `${who} was given the same answers, and does something else: ${what}, ${this.placeOf(site)}`,
    );
  }

  private failEnd(thread: number): void {
    const { name } = this.subject.threads[thread];
    this.fail("nondeterminism", `${name} was given the same answers, and ends otherwise`);
  }

  private failChance(i: number, thread: number, op: OpId, at: Ptr, site: number): void {
    const { steps } = this;
    const before = `${OP_NAMES[steps.op[i]]} of ${this.nameWord(steps.at[i])}, ${this.place(thread, steps.site[i])}`;
    const now = `${OP_NAMES[op]} of ${this.nameWord(at)}, ${this.place(thread, site)}`;
    this.fail("nondeterminism", `step ${i + 1} of the same schedule was ${before}, and is ${now}`);
  }

  private fail(kind: FailureKind, message: string): void {
    this.failure ??= { kind, message };
  }

  private describeAll(): string {
    const parts: string[] = [];
    for (let t = 0; t < this.threads; t++) {
      if (this.state[t] === DONE) continue;
      const doing = this.state[t] === READY ? "is at" : this.state[t] === NAPPING ? "naps on" : "sleeps on";
      const place = this.place(t, this.site[t]);
      parts.push(`${this.subject.threads[t].name} ${doing} ${this.nameWord(this.at[t])} (${place})`);
    }
    return parts.join("; ");
  }

  /** A word as people know it. */
  nameWord(at: Ptr): string {
    return this.subject.nameWord(at, this.objects.find(at));
  }

  private place(thread: number, site: number): string {
    return `${this.subject.threads[thread].name} at ${this.placeOf(site)}`;
  }

  private placeOf(site: number): string {
    const where = this.subject.sites[site];
    return where === undefined || where === null ? `site ${site}` : `${where.file}:${where.line}`;
  }
}

/** What an exception of a thread's means. */
function classify(error: unknown, who: string): MachineFailure {
  const locking = error instanceof Error && (error as { code?: unknown }).code === "ESYNTH_LOCKDEP";
  const text = error instanceof Error ? (locking ? error.message : `${error.name}: ${error.message}`) : String(error);
  return { kind: locking ? "locking" : "error", message: `${who}: ${text}` };
}
