/**
 * What transformed code calls in place of the methods of Memory: `$.load(site, m, at)` for `m.load(at)`, and so on. The
 * explorer and the virtual CPUs each have a backend of their own; transformed modules find it where they are loaded.
 */
import type { Memory, Ptr } from "../../sync/atomics.ts";

/** Accesses to a word that another thread's may come between, as numbers. */
export const WordOp = {
  load: 0,
  loadU32: 1,
  store: 2,
  add: 3,
  or: 4,
  and: 5,
  exchange: 6,
  compareExchange: 7,
  wait: 8,
  nap: 9,
  notify: 10,
} as const;

export type WordOpId = (typeof WordOp)[keyof typeof WordOp];

/** What an access gives; undefined if the thread has to yield first. */
export type Result = number | boolean | undefined;

/** The accesses to words, each told by its number. */
export abstract class WordAccesses {
  load(site: number, m: Memory, at: Ptr): Result {
    return this.access(WordOp.load, site, m, at, 0, 0);
  }

  loadU32(site: number, m: Memory, at: Ptr): Result {
    return this.access(WordOp.loadU32, site, m, at, 0, 0);
  }

  store(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.access(WordOp.store, site, m, at, value, 0);
  }

  add(site: number, m: Memory, at: Ptr, delta: number): Result {
    return this.access(WordOp.add, site, m, at, delta, 0);
  }

  or(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.access(WordOp.or, site, m, at, bits, 0);
  }

  and(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.access(WordOp.and, site, m, at, bits, 0);
  }

  exchange(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.access(WordOp.exchange, site, m, at, value, 0);
  }

  compareExchange(site: number, m: Memory, at: Ptr, expected: number, desired: number): Result {
    return this.access(WordOp.compareExchange, site, m, at, expected, desired);
  }

  wait(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.access(WordOp.wait, site, m, at, expected, timeoutMs);
  }

  nap(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.access(WordOp.nap, site, m, at, expected, timeoutMs);
  }

  notify(site: number, m: Memory, at: Ptr, count: number): Result {
    return this.access(WordOp.notify, site, m, at, count, 0);
  }

  /**
   * An access.
   * @param site its number in the program
   * @param first its operands behind the place, 0 for those that it doesn't have
   */
  protected abstract access(op: WordOpId, site: number, m: Memory, at: Ptr, first: number, second: number): Result;
}

/**
 * Makes an access to a word as Memory does, and gives what code gets.
 * @throws RangeError for accesses that sleep or wake: what these mean is the backend's affair
 */
export function perform(op: WordOpId, m: Memory, at: Ptr, a: number, b: number): number {
  switch (op) {
    case WordOp.load:
      return m.load(at);
    case WordOp.loadU32:
      return m.loadU32(at);
    case WordOp.store:
      m.store(at, a);
      return 0;
    case WordOp.add:
      return m.add(at, a);
    case WordOp.or:
      return m.or(at, a);
    case WordOp.and:
      return m.and(at, a);
    case WordOp.exchange:
      return m.exchange(at, a);
    case WordOp.compareExchange:
      return m.compareExchange(at, a, b);
    default:
      throw new RangeError(`no access to a word alone: ${op}`);
  }
}

const KEY = "synthproc.interleave";

/** What finds the backend, in a transformed module. */
export const FIND_BACKEND = `globalThis[Symbol.for("${KEY}")]`;

/** Transformed modules that are loaded from now on call this one. */
export function installBackend(backend: object): void {
  Reflect.set(globalThis, Symbol.for(KEY), backend);
}
