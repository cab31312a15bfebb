/**
 * Runs the threads of a subject over its arena, one access to a shared word at a time, in an order that a strategy decides.
 *
 * A thread is a generator. It runs until its next step: an access to a word that threads contend for (shared-words.ts).
 * The strategy is then asked who makes the next step. As long as that is the same thread, it never stops: the access is
 * done and its result returned. Else the thread yields, and the machine makes the step of another one.
 */
import type { Ptr } from "../../../sync/atomics.ts";
import { Arena } from "./arena.ts";
import { Code } from "./code.ts";
import { Diagnosis } from "./diagnosis.ts";
import { HappensBefore } from "./happens-before.ts";
import { Interpreter } from "./interpreter.ts";
import { Marks } from "./marks.ts";
import { Objects } from "./objects.ts";
import type { OpId } from "./operation.ts";
import { LOG_TIMEOUT, MAX_THREADS, Op } from "./operation.ts";
import { runtime } from "./runtime.ts";
import { Sanitizer } from "./sanitizer.ts";
import type { Strategy } from "../search/search.ts";
import { SharedWords, WordFlag } from "./shared-words.ts";
import { Steps } from "./steps.ts";
import { Stopped } from "./stopped.ts";
import type { Subject } from "../subject.ts";
import { UnfitError } from "../subject.ts";
import { Threads } from "./threads.ts";

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

export interface MachineOptions {
  /** Steps after which an execution is a livelock. */
  readonly stepLimit: number;
  /** Accesses of each thread's that are known, at which they are forgotten; 2 ** 20 unless given, which is 32 megabytes. */
  readonly knownLimit?: number;
}

/** See MachineOptions. */
const KNOWN_LIMIT = 2 ** 20;

/** No thread runs: setup or verdict. */
const NOBODY = -1;
const VERDICT = "the verdict";
/** Before the first execution. */
const NO_STRATEGY: Strategy = { prefix: 0, choose: () => NOBODY, stepped: () => undefined };

export class Machine {
  readonly subject: Subject;
  readonly steps: Steps;
  readonly words: SharedWords;
  readonly order: HappensBefore;
  readonly threads: Threads;
  readonly diagnosis: Diagnosis;
  /** Stop as soon as a word turns out to be shared. */
  stopAtGrowth = true;
  /** Every access is a step. */
  everyAccess = false;
  /** If there is one: threads are added in the order of their accesses; see LOG_TIMEOUT. */
  log: number[] | null = null;
  observer: Observer | null = null;

  private readonly arena: Arena;
  private readonly code: Code;
  private readonly sanitizer: Sanitizer;
  private readonly interpreter: Interpreter;
  private readonly marks: Marks;
  private readonly stepLimit: number;
  private strategy = NO_STRATEGY;
  private current = NOBODY;
  private next = NOBODY;
  /** Threads are brought to their next step, not beyond it. */
  private collecting = false;

  /** @pre the subject has just been set up; its accesses go to this machine from now on, until there is another one */
  constructor(subject: Subject, { stepLimit, knownLimit = KNOWN_LIMIT }: MachineOptions) {
    const { length } = subject.threads;
    if (length === 0 || length > MAX_THREADS)
      throw new UnfitError(`${length} threads: 1 to ${MAX_THREADS} there may be`);
    const size = subject.memory.size();
    this.subject = subject;
    this.stepLimit = stepLimit;
    this.arena = new Arena(subject.memory);
    this.steps = new Steps(stepLimit);
    this.words = new SharedWords(size);
    this.threads = new Threads(length, subject.timeouts);
    this.order = new HappensBefore(length, this.steps);
    const objects = new Objects(size, length, subject.objects, this.words, this.order);
    const notes = runtime.connect(this, this.arena, this.words.flags);
    for (let i = 0; i < notes.length; i += 3) objects.noteInitial(notes[i], notes[i + 1], notes[i + 2]);
    this.diagnosis = new Diagnosis(subject, objects);
    this.sanitizer = new Sanitizer(subject, this.words, this.order, objects, this.diagnosis);
    this.interpreter = new Interpreter(this.arena, this.words, this.threads, this.steps, this.order);
    this.code = new Code(subject, this.diagnosis, knownLimit);
    const journals = [this.arena, this.threads, this.order, objects].map(({ journal }) => journal);
    this.marks = new Marks(stepLimit, journals, this.code.behaviours);
  }

  /** One execution, from the beginning. The threads' code runs, and has to do what it did before. */
  run(strategy: Strategy): Outcome {
    this.code.checking = true;
    return this.runAll(strategy);
  }

  /**
   * One execution, from the first step that is not as in the one before. Code runs only where it's not known what it does.
   * @pre the execution before didn't fail; words are shared and tracked as they were then, or the strategy has no prefix
   */
  runFrom(strategy: Strategy): Outcome {
    this.code.checking = false;
    if (this.code.forgets() || strategy.prefix === 0) return this.runAll(strategy);
    this.strategy = strategy;
    this.marks.rewind(strategy.prefix);
    this.begin(strategy.prefix);
    return this.goOn();
  }

  private runAll(strategy: Strategy): Outcome {
    this.strategy = strategy;
    this.reset();
    this.collecting = true;
    for (let t = 0; t < this.subject.threads.length && this.diagnosis.failure === null; t++) this.resume(t, undefined);
    this.collecting = false;
    return this.goOn();
  }

  /** Makes arena and objects what they were before the first execution. */
  reset(): void {
    this.marks.reset();
    this.begin(0);
  }

  /** Step `i` is the next one. */
  private begin(i: number): void {
    this.code.stop();
    this.threads.woken.length = 0;
    this.steps.count = i;
    this.diagnosis.failure = null;
  }

  private goOn(): Outcome {
    let thread = this.choose();
    while (thread >= 0) thread = this.advance(thread);
    return this.finish();
  }

  /** A step of a thread, and all that it does until its next one. @returns the thread of the next step, or -1 */
  private advance(thread: number): number {
    const { op, site, at, a, b } = this.code.behaviours[thread];
    const answer = this.perform(thread, this.threads.isAsleep(thread) ? Op.timeout : (op as OpId), site, at, a, b);
    if (this.diagnosis.failure !== null) return -1;
    this.wakeUp();
    if (!this.threads.isReady(thread)) return this.choose();
    this.next = NOBODY;
    this.resume(thread, answer);
    if (this.diagnosis.failure !== null) return -1;
    return this.threads.isReady(thread) ? this.next : this.choose();
  }

  /** Those whom the last step has woken run to their next step. */
  private wakeUp(): void {
    const { woken } = this.threads;
    if (woken.length === 0) return;
    this.collecting = true;
    for (const thread of woken) {
      const { op, at, site } = this.code.behaviours[thread];
      this.observer?.woken(thread, at, site);
      if (this.diagnosis.failure === null) this.resume(thread, op === Op.wait ? 1 : 0);
    }
    woken.length = 0;
    this.collecting = false;
  }

  /** A thread goes on until it has to yield. @param answer to the access that it has made; undefined at its beginning */
  private resume(thread: number, answer: number | undefined): void {
    this.current = thread;
    try {
      if (this.code.resume(thread, answer, this.everyAccess || this.log !== null)) this.threads.end(thread);
    } catch (error) {
      this.diagnosis.thrown(error, this.subject.threads[thread].name);
    }
    this.current = NOBODY;
  }

  private choose(): number {
    const { diagnosis, threads, steps, words } = this;
    if (diagnosis.failure !== null || threads.enabled === 0 || (words.grown && this.stopAtGrowth)) return -1;
    const i = steps.count;
    if (i >= this.stepLimit) {
      diagnosis.livelock(this.stepLimit, threads, this.code.behaviours);
      return -1;
    }
    this.marks.mark(i);
    const thread = this.strategy.choose(this);
    if (thread < 0 || (threads.enabled & (1 << thread)) !== 0) return thread;
    diagnosis.noStep(i, thread);
    return NOBODY;
  }

  private finish(): Outcome {
    if (this.words.grown && this.stopAtGrowth) return "grown";
    if (this.diagnosis.failure === null) this.judge();
    if (this.diagnosis.failure !== null) return "failed";
    return this.threads.enabled === 0 ? "ended" : "blocked";
  }

  private judge(): void {
    const { code, diagnosis, subject, threads } = this;
    if (threads.enabled !== 0) return;
    if (threads.waiting !== 0) {
      if (!subject.mayHang) diagnosis.deadlock(threads, code.behaviours);
      return;
    }
    try {
      const wrong = code.judge();
      if (wrong !== null) diagnosis.oracle(wrong);
    } catch (error) {
      diagnosis.thrown(error, VERDICT);
    }
  }

  /** See runtime.ts. */
  access(op: OpId, site: number, at: Ptr, a: number, b: number): number | undefined {
    const thread = this.current;
    if (thread === NOBODY) return this.alone(op, at, a, b);
    if (this.diagnosis.failure !== null) return undefined;
    if (runtime.budget <= 0) this.words.share(at);
    this.observer?.reached(thread);
    if (this.everyAccess) {
      this.words.use(at, thread, this.arena.writes(op, at, a), false);
    } else if ((this.words.flags[at] & WordFlag.shared) === 0) {
      const local = this.isLocal(thread, op, site, at, a);
      if (local || this.diagnosis.failure !== null) this.log?.push(thread);
      if (local) return this.atOnce(op, at, a, b);
      if (this.diagnosis.failure !== null) return undefined;
    }
    if (this.collecting) return undefined;
    this.next = this.choose();
    if (this.next !== thread || op > Op.compareExchange || this.threads.napping !== 0) return undefined;
    const answer = this.perform(thread, op, site, at, a, b);
    if (this.diagnosis.failure === null) return answer;
    this.next = NOBODY;
    return undefined;
  }

  /** An access of setup or verdict. */
  private alone(op: OpId, at: Ptr, a: number, b: number): number {
    if (this.interpreter.sleeps(op, at, a)) throw new Error("the verdict of a scenario sleeps");
    return this.interpreter.atOnce(op, at, a, b);
  }

  private atOnce(op: OpId, at: Ptr, a: number, b: number): number {
    runtime.budget--;
    return this.interpreter.atOnce(op, at, a, b);
  }

  /** Settles whether an access may be done at once. Sets the failure if it must not be done at all. */
  private isLocal(thread: number, op: OpId, site: number, at: Ptr, a: number): boolean {
    // Who sleeps makes the word shared.
    if (op === Op.notify) return true;
    if (this.interpreter.sleeps(op, at, a)) {
      this.words.share(at);
      return false;
    }
    const { sanitizer } = this;
    return (
      sanitizer.isLocal(thread, site, at, this.arena.writes(op, at, a)) && sanitizer.allows(thread, op, site, at, a)
    );
  }

  /** See runtime.ts. */
  plain(site: number, at: Ptr, write: boolean): void {
    const thread = this.current;
    if (thread === NOBODY) return;
    this.observer?.plain(thread, site, at, write);
    this.sanitizer.plain(thread, site, at, write);
    if (this.diagnosis.failure !== null) throw new Stopped();
  }

  /** See runtime.ts. */
  note(site: number, at: Ptr, cache: number, state: number): void {
    const thread = this.current;
    if (thread === NOBODY) return;
    if (!this.sanitizer.note(thread, site, at, cache, state)) throw new Stopped();
  }

  /** See runtime.ts. */
  strayed(op: number, site: number, at: Ptr): void {
    const who = this.current === NOBODY ? VERDICT : this.subject.threads[this.current].name;
    this.diagnosis.otherAccess(who, op, site, at);
  }

  /** The step of a thread. @returns its answer, unless the thread sleeps now */
  private perform(thread: number, op: OpId, site: number, at: Ptr, a: number, b: number): number {
    const { steps } = this;
    const i = steps.count;
    if (i < this.strategy.prefix && (steps.op[i] !== op || steps.at[i] !== at || steps.site[i] !== site)) {
      this.diagnosis.otherStep(steps, i, thread, op, site, at);
      return 0;
    }
    this.log?.push(op === Op.timeout ? thread | LOG_TIMEOUT : thread);
    if (!this.sanitizer.allows(thread, op, site, at, a)) return 0;
    const answer = this.interpreter.step(thread, op, site, at, a, b);
    if ((this.words.flags[at] & WordFlag.plain) !== 0) this.sanitizer.step(steps, i);
    this.strategy.stepped(this, i);
    this.observer?.stepped(i);
    return answer;
  }
}
