/**
 * Looks at accesses before they are done, in the manner of KASAN and KCSAN: for data races (happens-before.ts), memory that
 * must not be used any more (objects.ts), and NULL.
 */
import type { Ptr } from "../../../sync/atomics.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { HappensBefore } from "./happens-before.ts";
import { Ordered } from "./happens-before.ts";
import type { Objects } from "./objects.ts";
import type { OpId } from "./operation.ts";
import { Effect, Op } from "./operation.ts";
import type { SharedWords } from "./shared-words.ts";
import { WordFlag } from "./shared-words.ts";
import type { Steps } from "./steps.ts";
import type { Subject } from "../subject.ts";

export class Sanitizer {
  private readonly words: SharedWords;
  private readonly order: HappensBefore;
  private readonly objects: Objects;
  private readonly diagnosis: Diagnosis;
  private readonly nowhere: Ptr;
  private readonly rcuWords: readonly Ptr[];

  constructor(subject: Subject, words: SharedWords, order: HappensBefore, objects: Objects, diagnosis: Diagnosis) {
    this.words = words;
    this.order = order;
    this.objects = objects;
    this.diagnosis = diagnosis;
    this.nowhere = subject.nowhere;
    this.rcuWords = subject.threads.map(({ rcuWord }) => rcuWord);
    for (const at of this.rcuWords) if (at !== 0) words.flags[at] |= WordFlag.quiescent;
    // The first look at such a word is a close one; there is no second.
    words.flags.fill(WordFlag.object, 0, this.nowhere);
  }

  /** A plain access. */
  plain(thread: number, site: number, at: Ptr, write: boolean): void {
    const { words, order } = this;
    words.use(at, thread, write, true);
    const flags = words.flags[at];
    if ((flags & (WordFlag.tracked | WordFlag.shared)) !== 0) {
      const ordered = order.access(words.slot(at), thread, order.epoch(thread), site, write, true);
      if (ordered !== Ordered.yes) this.diagnosis.dataRace(order, thread, site, at);
    }
    if ((flags & WordFlag.object) !== 0) this.checkObject(thread, site, at);
  }

  /** A note of an object. @returns false if what it says must not be */
  note(thread: number, site: number, at: Ptr, cache: number, state: number): boolean {
    const wrong = this.objects.note(thread, at, cache, state);
    if (wrong !== null) this.diagnosis.badFree(wrong, thread, site);
    return wrong === null;
  }

  /**
   * An atomic access to a word that is not known to be shared. It is, if nothing orders the access with another thread's.
   * @returns true if it is not, so that the access may be done at once
   */
  isLocal(thread: number, site: number, at: Ptr, write: boolean): boolean {
    const { words, order } = this;
    words.use(at, thread, write, false);
    if ((words.flags[at] & WordFlag.tracked) === 0) return true;
    const ordered = order.access(words.slot(at), thread, order.epoch(thread), site, write, false);
    if (ordered === Ordered.plainRace) this.diagnosis.dataRace(order, thread, site, at);
    if (ordered === Ordered.atomicRace) words.share(at);
    return ordered === Ordered.yes;
  }

  /** @returns false if an access must not be done */
  allows(thread: number, op: OpId, site: number, at: Ptr, a: number): boolean {
    const flags = this.words.flags[at];
    if ((flags & WordFlag.object) !== 0 && !this.checkObject(thread, site, at)) return false;
    if ((flags & WordFlag.quiescent) !== 0) this.rest(thread, op, at, a);
    return true;
  }

  /** Compares step `i` with the plain accesses to its word. */
  step(steps: Steps, i: number): void {
    if (steps.onWord[i] === Effect.none) return;
    const thread = steps.thread[i];
    const site = steps.site[i];
    const at = steps.at[i];
    const write = steps.onWord[i] === Effect.write;
    const ordered = this.order.access(steps.slot[i], thread, steps.index[i], site, write, false);
    if (ordered === Ordered.plainRace) this.diagnosis.dataRace(this.order, thread, site, at);
  }

  private checkObject(thread: number, site: number, at: Ptr): boolean {
    if (at < this.nowhere) {
      this.diagnosis.nullPointer(thread, site, at);
      return false;
    }
    const wrong = this.objects.access(thread, at);
    if (wrong !== null) this.diagnosis.badAccess(wrong, thread, site, at);
    return wrong === null;
  }

  /** A thread may have told that it holds no pointers. */
  private rest(thread: number, op: OpId, at: Ptr, value: number): void {
    if (op === Op.store && at === this.rcuWords[thread]) this.objects.rest(thread, value === 0);
  }
}
