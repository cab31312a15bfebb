/** What is explored: a few threads over one arena, and a verdict on what they have done. */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import type { Site } from "./report.ts";

/**
 * A thread that can be stopped at each access to shared memory: it yields where the backend (runtime.ts) answers
 * undefined, and is resumed with the result of the access.
 */
export type Fiber = Generator<unknown, unknown, number | boolean>;

/** What is to be explored can't be: it is not as a scenario has to be. Its message is all there is to say. */
export class UnfitError extends Error {
  readonly code = "ESYNTH_UNFIT";
}

/** An object of the allocator's. */
export interface NamedObject {
  readonly start: Ptr;
  readonly cache: number;
}

export interface SubjectThread {
  readonly name: string;
  /** The word by which it tells that it holds no pointers (rcu.ts), or NULL. */
  readonly rcuWord: Ptr;
  /** What it changes outside of the arena, and nobody else looks at, is reached from this: see checkpoint.ts. */
  readonly root: unknown;
  /** Begins it, at its first line. */
  start(): Fiber;
}

/** What the allocator's notes of objects mean; see Memory.noteObject. */
export interface ObjectKinds {
  /** Words of the allocator's own at the beginning of an object, which it may look at whatever the object's state. */
  readonly headerWords: number;
  /** Words of each object of a cache, header included. */
  words(cache: number): number;
  /** True if readers may look at objects that have been freed (SLAB_TYPESAFE_BY_RCU). */
  typeStable(cache: number): boolean;
  name(cache: number): string;
}

export interface Subject {
  readonly memory: Memory;
  /** At most MAX_THREADS. */
  readonly threads: readonly SubjectThread[];
  /** Everything else outside of the arena that threads or verdict change is reached from these. */
  readonly roots: readonly unknown[];
  /** How often the sleeps of each thread may run out of time. */
  readonly timeouts: number;
  readonly objects: ObjectKinds;
  /** By number; some numbers have none. */
  readonly sites: readonly (Site | null)[];
  /** Words at the beginning of the arena where nothing lies: who accesses one of them has followed a NULL pointer. */
  readonly nowhere: number;
  /** A word as people know it. @param object the allocator's object that it belongs to, if any is known */
  nameWord(at: Ptr, object: NamedObject | undefined): string;
  /** Threads that nobody is left to wake are an end like any other, at which there is no verdict. */
  readonly mayHang: boolean;
  /** The verdict when all threads have ended: what is wrong, or null. Accesses are done at once. The results are its own. */
  judge(results: readonly unknown[]): string | null;
}
