/**
 * The code of threads and verdict. What a thread does is written down (behaviour.ts), and its code runs only when it is given
 * answers that it has never been given before: then it begins anew, is given all its answers again, and goes on by itself
 * for the rest of the execution.
 */
import { Behaviour, ENDED, ROOT, UNKNOWN } from "./behaviour.ts";
import { Checkpoint } from "./checkpoint.ts";
import { copyOf } from "./copy.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { resultOf, runtime } from "./runtime.ts";
import type { Fiber, Subject } from "../subject.ts";

export class Code {
  /** Of the threads. */
  readonly behaviours: readonly Behaviour[];
  /** All code runs, whether it's known what it does or not, and has to do what it did before. */
  checking = false;
  private readonly subject: Subject;
  private readonly diagnosis: Diagnosis;
  private readonly knownLimit: number;
  private readonly verdict = new Behaviour();
  /** What threads have returned. */
  private readonly results: unknown[] = [];
  /** Of each thread, its code if that runs by itself. */
  private readonly fibers: (Fiber | null)[];
  /** Objects that all may see, and those of each thread. */
  private readonly checkpoint: Checkpoint;
  private readonly checkpoints: readonly Checkpoint[];
  /** Code has run, and may have changed objects; whose threads' it was, a bit each. */
  private touched = false;
  private touchedBy = 0;

  /** @param knownLimit accesses of each thread's that are known, at which they are forgotten */
  constructor(subject: Subject, diagnosis: Diagnosis, knownLimit: number) {
    const { roots, threads } = subject;
    this.subject = subject;
    this.diagnosis = diagnosis;
    this.knownLimit = knownLimit;
    this.behaviours = threads.map(() => new Behaviour());
    this.fibers = threads.map(() => null);
    const seen = new Set<object>();
    this.checkpoint = new Checkpoint(roots, seen);
    this.checkpoints = threads.map(({ root }) => new Checkpoint([root], seen));
  }

  /** Forgets what is known if that is too much. @returns true if nobody knows any more where the threads were */
  forgets(): boolean {
    if (this.verdict.size > this.knownLimit) this.verdict.clear();
    let full = false;
    for (const { size } of this.behaviours) full ||= size > this.knownLimit;
    if (full) for (const behaviour of this.behaviours) behaviour.clear();
    return full;
  }

  /** Stops all code, and makes objects what they were before the first execution. */
  stop(): void {
    if (!this.touched) return;
    this.checkpoint.restore();
    for (let t = 0; t < this.checkpoints.length; t++) {
      if (((this.touchedBy >>> t) & 1) !== 0) this.checkpoints[t].restore();
    }
    this.fibers.fill(null);
    this.touched = false;
    this.touchedBy = 0;
  }

  /**
   * A thread goes on until it has to yield, or ends.
   * @param answer to the access that it has made; undefined at its beginning
   * @param watched true if the machine wants to know of each access
   * @returns true if it has ended
   */
  resume(thread: number, answer: number | undefined, watched: boolean): boolean {
    const behaviour = this.behaviours[thread];
    const { op } = behaviour;
    if (answer !== undefined) behaviour.answer(answer);
    runtime.enter(thread, behaviour, watched);
    const fiber = this.fibers[thread];
    if (fiber !== null) return this.run(thread, fiber, resultOf(op, answer));
    return this.checking ? this.run(thread, this.begin(thread), undefined) : this.walk(thread, behaviour);
  }

  /** A thread does what is known of it, then its code takes over. */
  private walk(thread: number, behaviour: Behaviour): boolean {
    runtime.walk();
    if (behaviour.op === ENDED) {
      this.results[thread] = behaviour.result;
      return true;
    }
    if (behaviour.op !== UNKNOWN) return false;
    const fiber = this.begin(thread);
    runtime.repeat(ROOT);
    return this.run(thread, fiber, undefined);
  }

  /** A thread's code, before its first line. */
  private begin(thread: number): Fiber {
    this.touched = true;
    this.touchedBy |= 1 << thread;
    const fiber = this.subject.threads[thread].start();
    this.fibers[thread] = fiber;
    return fiber;
  }

  private run(thread: number, fiber: Fiber, result: number | boolean | undefined): boolean {
    const next = fiber.next(result as number | boolean);
    if (!next.done || this.diagnosis.failure !== null) return false;
    this.results[thread] = next.value;
    if (this.behaviours[thread].end(next.value)) return true;
    this.diagnosis.otherEnd(thread);
    return false;
  }

  /** What the verdict says is wrong, or null. @pre all threads have ended */
  judge(): string | null {
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
      if (!verdict.end(wrong)) this.diagnosis.otherVerdict();
    }
    return verdict.result as string | null;
  }
}
