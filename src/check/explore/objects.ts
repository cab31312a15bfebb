/**
 * What has become of each object of the allocator's, in the manner of KASAN: finds accesses to freed memory, and to memory
 * that may have been freed since a grace period could be over.
 *
 * An access to an object that was freed, or one that nothing orders with its being freed, is a use after free, except in
 * type-stable caches. So is an access by a thread to a retired object when the thread has been quiescent since: a quiescent
 * state comes too late for the access if nothing puts it before the retirement. Both are found whether the access or the
 * freeing happens to come first.
 */
import type { Ptr } from "../../sync/atomics.ts";
import { ObjectState } from "../../sync/atomics.ts";
import type { HappensBefore } from "./happens-before.ts";
import { MAX_THREADS } from "./operation.ts";
import type { SharedWords } from "./shared-words.ts";
import { WordFlag } from "./shared-words.ts";
import type { ObjectKinds } from "./subject.ts";

/** A quiescent state that goes on: the thread is offline. */
const OFFLINE = 0x7fffffff;
/** Who freed an object before the first execution. */
const NOBODY = 255;

/** An object of a cache that is not type-stable. */
export interface TrackedObject {
  readonly start: Ptr;
  readonly cache: number;
}

export class Objects {
  private readonly words: SharedWords;
  private readonly order: HappensBefore;
  private readonly kinds: ObjectKinds;
  private readonly threads: number;
  /** Objects by number; numbers by word. */
  private readonly objects: TrackedObject[] = [{ start: 0, cache: 0 }];
  private readonly numberOf: Int32Array;
  private readonly numbers = new Map<string, number>();
  /** State of each object before the first execution, and at hand; the latter holds if the stamp is the execution's. */
  private readonly initial: number[] = [ObjectState.allocated];
  private readonly states: number[] = [0];
  private readonly stamps: number[] = [0];
  private readonly freedBy: number[] = [0];
  private readonly freedAt: number[] = [0];
  /** By object and thread: last access, the quiescent state before it, and what a retirement comes after. */
  private accessed: Int32Array = new Int32Array(64 * MAX_THREADS);
  private quiescentThen: Int32Array = new Int32Array(64 * MAX_THREADS);
  private retiredAfter: Int32Array = new Int32Array(64 * MAX_THREADS);
  /** By thread: its last quiescent state. */
  private readonly quiescent = new Int32Array(MAX_THREADS);
  private execution = 0;

  constructor(size: number, threads: number, kinds: ObjectKinds, words: SharedWords, order: HappensBefore) {
    this.numberOf = new Int32Array(size);
    this.threads = threads;
    this.kinds = kinds;
    this.words = words;
    this.order = order;
  }

  /** A new execution begins. */
  begin(): void {
    this.execution++;
    this.quiescent.fill(0);
  }

  /** The object that a word belongs to, as far as notes have told. */
  find(at: Ptr): TrackedObject | undefined {
    const number = this.numberOf[at];
    return number === 0 ? undefined : this.objects[number];
  }

  /** All objects that notes have told of. */
  all(): readonly TrackedObject[] {
    return this.objects.slice(1);
  }

  /** A note that was made before the first execution. */
  noteInitial(at: Ptr, cache: number, state: number): void {
    const number = this.numberFor(at, cache);
    this.initial[number] = state;
    if (state !== ObjectState.allocated) this.watch(number);
  }

  /** A thread's note. @returns what is wrong, or null */
  note(thread: number, at: Ptr, cache: number, state: number): string | null {
    const number = this.numberFor(at, cache);
    if (this.kinds.typeStable(cache)) return null;
    this.refresh(number);
    this.states[number] = state;
    if (state === ObjectState.allocated) return null;
    this.watch(number);
    return state === ObjectState.freed ? this.free(thread, number) : this.retire(thread, number);
  }

  /** A thread is quiescent. @param offline it stays so until the next time */
  rest(thread: number, offline: boolean): void {
    const at = this.order.tick(thread);
    this.quiescent[thread] = offline ? OFFLINE : at;
  }

  /** A thread accesses a word of an object. @returns what is wrong, or null */
  access(thread: number, at: Ptr): string | null {
    const number = this.numberOf[at];
    this.refresh(number);
    const row = number * MAX_THREADS;
    this.accessed[row + thread] = this.order.epoch(thread);
    this.quiescentThen[row + thread] = this.quiescent[thread];
    const state = this.states[number];
    if (state === ObjectState.freed) return `${this.describe(number)} has been freed`;
    if (this.freedBy[number] !== NOBODY && !this.freeIsBefore(thread, number)) {
      return `${this.describe(number)} is freed by another thread meanwhile`;
    }
    if (state === ObjectState.retired && this.quiescent[thread] > this.retiredAfter[row + thread]) {
      return `${this.describe(number)} is retired, and this thread has been quiescent since`;
    }
    return null;
  }

  private freeIsBefore(thread: number, number: number): boolean {
    const by = this.freedBy[number];
    return by === thread || this.order.knows(thread, by, this.freedAt[number]);
  }

  private free(thread: number, number: number): string | null {
    this.freedBy[number] = thread;
    this.freedAt[number] = this.order.epoch(thread);
    const row = number * MAX_THREADS;
    for (let other = 0; other < this.threads; other++) {
      if (other !== thread && !this.order.knows(thread, other, this.accessed[row + other])) {
        return `${this.describe(number)} is freed while another thread looks at it`;
      }
    }
    return null;
  }

  private retire(thread: number, number: number): string | null {
    const row = number * MAX_THREADS;
    let wrong: string | null = null;
    for (let other = 0; other < this.threads; other++) {
      this.retiredAfter[row + other] = this.order.clock[thread * MAX_THREADS + other];
      if (other === thread || this.order.knows(thread, other, this.accessed[row + other])) continue;
      if (this.order.knows(thread, other, this.quiescentThen[row + other])) continue;
      wrong = `${this.describe(number)} is retired while another thread looks at it that has been quiescent before`;
    }
    return wrong;
  }

  private describe(number: number): string {
    const { start, cache } = this.objects[number];
    return `${this.kinds.name(cache)} at ${start}`;
  }

  private refresh(number: number): void {
    if (this.stamps[number] === this.execution) return;
    this.stamps[number] = this.execution;
    this.states[number] = this.initial[number];
    this.freedBy[number] = NOBODY;
    const row = number * MAX_THREADS;
    this.accessed.fill(0, row, row + MAX_THREADS);
    this.quiescentThen.fill(0, row, row + MAX_THREADS);
    this.retiredAfter.fill(0, row, row + MAX_THREADS);
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

  private add(at: Ptr, cache: number): number {
    const number = this.objects.push({ start: at, cache }) - 1;
    this.initial.push(ObjectState.allocated);
    this.states.push(ObjectState.allocated);
    this.stamps.push(0);
    this.freedBy.push(NOBODY);
    this.freedAt.push(0);
    if ((number + 1) * MAX_THREADS > this.accessed.length) this.grow();
    return number;
  }

  private grow(): void {
    this.accessed = doubled(this.accessed);
    this.quiescentThen = doubled(this.quiescentThen);
    this.retiredAfter = doubled(this.retiredAfter);
  }

  /** Accesses to the object are looked at from now on. */
  private watch(number: number): void {
    const { start, cache } = this.objects[number];
    if (this.kinds.typeStable(cache)) return;
    const { flags } = this.words;
    const first = start + this.kinds.headerWords;
    const end = start + this.kinds.words(cache);
    if (first >= end || (flags[first] & WordFlag.object) !== 0) return;
    for (let at = first; at < end; at++) flags[at] |= WordFlag.object;
    this.words.moreTracked = true;
  }
}

function doubled(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
