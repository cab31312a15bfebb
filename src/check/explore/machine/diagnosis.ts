/** What is wrong with an execution, in words. */
import type { Ptr } from "../../../sync/atomics.ts";
import type { Behaviour } from "./behaviour.ts";
import type { HappensBefore } from "./happens-before.ts";
import type { Objects } from "./objects.ts";
import { OP_NAMES } from "./operation.ts";
import type { Failure, FailureKind } from "../report.ts";
import { originOf } from "../stack.ts";
import type { Steps } from "./steps.ts";
import type { Subject } from "../subject.ts";
import type { Threads } from "./threads.ts";

export type MachineFailure = Pick<Failure, "kind" | "message">;

export class Diagnosis {
  /** What was found first. */
  failure: MachineFailure | null = null;
  private readonly subject: Subject;
  private readonly objects: Objects;

  constructor(subject: Subject, objects: Objects) {
    this.subject = subject;
    this.objects = objects;
  }

  /** A word as people know it. */
  nameWord(at: Ptr): string {
    return this.subject.nameWord(at, this.objects.find(at));
  }

  /** Nobody can make a step, and somebody has not ended. */
  deadlock(threads: Threads, behaviours: readonly Behaviour[]): void {
    this.fail("deadlock", `nobody is left to wake them: ${this.describeAll(threads, behaviours)}`);
  }

  livelock(steps: number, threads: Threads, behaviours: readonly Behaviour[]): void {
    this.fail("livelock", `${steps} steps, and still no end: ${this.describeAll(threads, behaviours)}`);
  }

  nullPointer(thread: number, site: number, at: Ptr): void {
    this.fail("null pointer", `nothing is at ${at}: ${this.place(thread, site)}`);
  }

  /** A word of an object must not be accessed. */
  badAccess(wrong: string, thread: number, site: number, at: Ptr): void {
    this.fail("use after free", `${wrong}: ${this.nameWord(at)}, ${this.place(thread, site)}`);
  }

  /** An object must not be retired, or freed. */
  badFree(wrong: string, thread: number, site: number): void {
    this.fail("use after free", `${wrong}: ${this.place(thread, site)}`);
  }

  /** An access races with the one that was found last. */
  dataRace({ otherThread, otherSite }: HappensBefore, thread: number, site: number, at: Ptr): void {
    const other = this.place(otherThread, otherSite);
    this.fail(
      "data race",
      `nothing orders two accesses to ${this.nameWord(at)}: ${other}, and ${this.place(thread, site)}`,
    );
  }

  /** Code threw. */
  thrown(error: unknown, who: string): void {
    if (!(error instanceof Error)) return this.fail("error", `${who}: ${String(error)}`);
    const locking = (error as { code?: unknown }).code === "ESYNTH_LOCKDEP";
    const text = locking ? error.message : `${error.name}: ${error.message}`;
    const origin = originOf(error);
    const place = origin === undefined ? "" : `, at ${origin.file}:${origin.line}`;
    this.fail(locking ? "locking" : "error", `${who}: ${text}${place}`);
  }

  oracle(wrong: string): void {
    this.fail("oracle", wrong);
  }

  otherVerdict(): void {
    this.fail("nondeterminism", "the verdict on the same results was another one");
  }

  /** @param who the thread, or the verdict */
  otherAccess(who: string, op: number, site: number, at: Ptr): void {
    const what = `${OP_NAMES[op] ?? "a plain access"} of ${this.nameWord(at)}`;
    this.fail(
      "nondeterminism",
      `${who} was given the same answers, and does something else: ${what}, ${this.placeOf(site)}`,
    );
  }

  otherEnd(thread: number): void {
    this.fail("nondeterminism", `${this.nameOf(thread)} was given the same answers, and ends otherwise`);
  }

  /** The access that a thread makes now is not the step of the same number before. */
  otherStep(steps: Steps, i: number, thread: number, op: number, site: number, at: Ptr): void {
    const before = `${OP_NAMES[steps.op[i]]} of ${this.nameWord(steps.at[i])}, ${this.place(thread, steps.site[i])}`;
    const now = `${OP_NAMES[op]} of ${this.nameWord(at)}, ${this.place(thread, site)}`;
    this.fail("nondeterminism", `step ${i + 1} of the same schedule was ${before}, and is ${now}`);
  }

  noStep(i: number, thread: number): void {
    this.fail("nondeterminism", `${this.nameOf(thread)} made step ${i + 1} before, and now cannot`);
  }

  private fail(kind: FailureKind, message: string): void {
    this.failure ??= { kind, message };
  }

  /** What those who have not ended are about to do. */
  private describeAll(threads: Threads, behaviours: readonly Behaviour[]): string {
    const parts: string[] = [];
    for (const [t, { site, at }] of behaviours.entries()) {
      if (threads.hasEnded(t)) continue;
      const doing = threads.isReady(t) ? "is at" : threads.isNapping(t) ? "naps on" : "sleeps on";
      parts.push(`${this.nameOf(t)} ${doing} ${this.nameWord(at)} (${this.place(t, site)})`);
    }
    return parts.join("; ");
  }

  private nameOf(thread: number): string {
    return this.subject.threads[thread].name;
  }

  private place(thread: number, site: number): string {
    return `${this.nameOf(thread)} at ${this.placeOf(site)}`;
  }

  private placeOf(site: number): string {
    const where = this.subject.sites[site];
    return where === undefined || where === null ? `site ${site}` : `${where.file}:${where.line}`;
  }
}
