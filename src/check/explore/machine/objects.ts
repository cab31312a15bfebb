/**
 * What has become of each object of the allocator's, in the manner of KASAN: finds accesses to freed memory, and to memory
 * that may have been freed since a grace period could be over.
 *
 * An access to an object that was freed, or one that nothing orders with its being freed, is a use after free, except in
 * type-stable caches. So is an access by a thread to a retired object when the thread has been quiescent since: a quiescent
 * state comes too late for the access if nothing puts it before the retirement. Both are found whether the access or the
 * freeing happens to come first.
 */
import type { Ptr } from "../../../sync/atomics.ts";
import { ObjectState } from "../../../sync/atomics.ts";
import type { HappensBefore } from "./happens-before.ts";
import { Journal, enlarged } from "./journal.ts";
import type { SharedWords } from "./shared-words.ts";
import { WordFlag } from "./shared-words.ts";
import type { NamedObject, ObjectKinds } from "../subject.ts";

/** A quiescent state that goes on: the thread is offline. */
const OFFLINE = 0x7fffffff;

/** An object's row; number 0 is no object, its row holds each thread's last quiescent state instead. */
const STRIDE = 32;
/** 0: allocated, as long as nothing else is known. */
const STATE = 0;
/** The thread that freed it + 1, and when. */
const FREED_BY = 1;
const FREED_AT = 2;
/** For each thread: its last access, its quiescent state before that, and its clock that a retirement comes after. */
const ACCESSED = 8;
const QUIESCENT_THEN = 16;
const RETIRED_AFTER = 24;

export class Objects {
  private readonly words: SharedWords;
  private readonly order: HappensBefore;
  private readonly kinds: ObjectKinds;
  private readonly threads: number;
  /** Objects by number, numbers by word, and by address and cache. */
  private readonly objects: NamedObject[] = [{ start: 0, cache: 0 }];
  private readonly numberOf: Int32Array;
  private readonly numbers = new Map<string, number>();
  private rows: Int32Array = new Int32Array(64 * STRIDE);
  /** What executions have done to `rows`. */
  readonly journal = new Journal(this.rows);

  constructor(size: number, threads: number, kinds: ObjectKinds, words: SharedWords, order: HappensBefore) {
    this.numberOf = new Int32Array(size);
    this.threads = threads;
    this.kinds = kinds;
    this.words = words;
    this.order = order;
  }

  /** The object that a word belongs to, as far as notes have told. */
  find(at: Ptr): NamedObject | undefined {
    const number = this.numberOf[at];
    return number === 0 ? undefined : this.objects[number];
  }

  /** A note that was made before the first execution. */
  noteInitial(at: Ptr, cache: number, state: number): void {
    const number = this.numberFor(at, cache);
    this.rows[number * STRIDE + STATE] = state;
    if (state !== ObjectState.allocated) this.watch(number);
  }

  /** A thread's note. @returns what is wrong, or null */
  note(thread: number, at: Ptr, cache: number, state: number): string | null {
    const number = this.numberFor(at, cache);
    if (this.kinds.typeStable(cache)) return null;
    this.set(number * STRIDE + STATE, state);
    if (state === ObjectState.allocated) return null;
    this.watch(number);
    return state === ObjectState.freed ? this.free(thread, number) : this.retire(thread, number);
  }

  /** A thread is quiescent. @param offline it stays so until the next time */
  rest(thread: number, offline: boolean): void {
    const at = this.order.tick(thread);
    this.set(thread, offline ? OFFLINE : at);
  }

  /** A thread accesses a word of an object. @returns what is wrong, or null */
  access(thread: number, at: Ptr): string | null {
    const number = this.numberOf[at];
    const row = number * STRIDE;
    const quiescent = this.rows[thread];
    this.set(row + ACCESSED + thread, this.order.epoch(thread));
    this.set(row + QUIESCENT_THEN + thread, quiescent);
    const state = this.rows[row + STATE];
    if (state === ObjectState.freed) return `${this.describe(number)} has been freed`;
    const freedBy = this.rows[row + FREED_BY] - 1;
    if (freedBy >= 0 && freedBy !== thread && !this.order.knows(thread, freedBy, this.rows[row + FREED_AT])) {
      return `${this.describe(number)} is freed by another thread meanwhile`;
    }
    if (state === ObjectState.retired && quiescent > this.rows[row + RETIRED_AFTER + thread]) {
      return `${this.describe(number)} is retired, and this thread has been quiescent since`;
    }
    return null;
  }

  private free(thread: number, number: number): string | null {
    const row = number * STRIDE;
    this.set(row + FREED_BY, thread + 1);
    this.set(row + FREED_AT, this.order.epoch(thread));
    for (let other = 0; other < this.threads; other++) {
      if (other !== thread && !this.order.knows(thread, other, this.rows[row + ACCESSED + other])) {
        return `${this.describe(number)} is freed while another thread looks at it`;
      }
    }
    return null;
  }

  private retire(thread: number, number: number): string | null {
    const row = number * STRIDE;
    let wrong: string | null = null;
    for (let other = 0; other < this.threads; other++) {
      this.set(row + RETIRED_AFTER + other, this.order.clock(thread, other));
      if (other === thread || this.order.knows(thread, other, this.rows[row + ACCESSED + other])) continue;
      if (this.order.knows(thread, other, this.rows[row + QUIESCENT_THEN + other])) continue;
      wrong = `${this.describe(number)} is retired while another thread looks at it that has been quiescent before`;
    }
    return wrong;
  }

  private describe(number: number): string {
    const { start, cache } = this.objects[number];
    return `${this.kinds.name(cache)} at ${start}`;
  }

  private set(at: number, value: number): void {
    this.journal.note(at);
    this.rows[at] = value;
  }

  /** The number of an object, whose words bear it from now on. */
  private numberFor(at: Ptr, cache: number): number {
    const known = this.numberOf[at];
    if (known !== 0 && this.objects[known].start === at && this.objects[known].cache === cache) return known;
    const key = `${at} ${cache}`;
    const number = this.numbers.get(key) ?? this.add(at, cache);
    this.numbers.set(key, number);
    this.numberOf.fill(number, at, at + this.kinds.words(cache));
    return number;
  }

  private add(start: Ptr, cache: number): number {
    const number = this.objects.push({ start, cache }) - 1;
    if ((number + 1) * STRIDE > this.rows.length) {
      this.rows = enlarged(this.rows, 0);
      this.journal.move(this.rows);
    }
    return number;
  }

  /** Accesses to the object are looked at from now on. */
  private watch(number: number): void {
    const { start, cache } = this.objects[number];
    if (this.kinds.typeStable(cache)) return;
    const { flags } = this.words;
    const first = start + this.kinds.headerWords;
    const end = start + this.kinds.words(cache);
    if (first >= end || (flags[first] & flags[end - 1] & WordFlag.object) !== 0) return;
    for (let at = first; at < end; at++) flags[at] |= WordFlag.object;
    this.words.moreTracked = true;
  }
}
