/**
 * What kcmp may answer.
 *
 * A comparison that succeeds compares what both tasks had at one moment, at which the caller might look at both: equal
 * exactly if it was one object, and otherwise in an order that never changes. A refusal needs a moment at which one of the
 * two was closed to the caller; "no such task" one at which one of them was not there. So nothing is a mixture of the
 * resources of one image with those of another, and nobody compares what an old image's credentials let him see with what
 * a new one has.
 *
 * A state is access (see access.ts), whether the task exists, then the address of each object that can be compared, or
 * {@link UNKNOWN}. Addresses are compared, never followed.
 */
import type { State } from "../history.ts";
import { atOneMoment } from "../history.ts";
import type { Who } from "./access.ts";
import { describeStates, mayLook } from "./access.ts";

/** Words of a state: access, existence, then {@link FIRST_OBJECT} + what is compared. */
const EXISTS = 1;
export const FIRST_OBJECT = 2;

/** The object may be this or that one at the moment: the answer can't be judged by it. */
export const UNKNOWN = -1;

/** The largest answer. */
const GREATER = 2;
const ESRCH = 3;
const EPERM = 1;
const EBADF = 9;

export interface Comparison {
  readonly who: Who;
  /** Number of the object among the states' objects. */
  readonly object: number;
  /** True if it is an open file: without one there is -EBADF, while two tasks without another object are equal. */
  readonly isFile: boolean;
  /** 0 equal, 1 less, 2 greater; or a negative errno. */
  readonly result: number;
}

/**
 * Judges a comparison of two different tasks.
 * @param first possible states of the first task, and `second` of the second
 * @param order what is known of the order of objects; learns from this answer
 * @returns what is wrong, or null
 */
export function judgeKcmp(
  read: Comparison,
  first: readonly State[],
  second: readonly State[],
  order: KnownOrder,
): string | null {
  const pairs = pairsOf(first, second);
  const fitting = pairs.filter((pair) => fits(read, pair));
  if (fitting.length === 0) return describe(read, first, second);
  // Only what has one explanation teaches the order.
  const [pair] = fitting;
  if (read.result <= 0 || fitting.length > 1 || pair === undefined) return null;
  return learn(read, pair, order);
}

type Pair = readonly [State, State];

function pairsOf(first: readonly State[], second: readonly State[]): Pair[] {
  return first.flatMap((one) => second.filter((other) => atOneMoment([one, other])).map((other): Pair => [one, other]));
}

function fits({ who, object, isFile, result }: Comparison, [first, second]: Pair): boolean {
  const exist = first.words[EXISTS] !== 0 && second.words[EXISTS] !== 0;
  if (result === -ESRCH) return !exist;
  // A task that is gone can still be looked at by who has found it before.
  const allowed = mayLook(who, first.words[0] as number) && mayLook(who, second.words[0] as number);
  if (result === -EPERM) return !allowed;
  if (!allowed || result > GREATER) return false;
  const [one, other] = objectsOf(object, [first, second]);
  const lacking = isFile && (one === 0 || other === 0);
  if (lacking || result < 0) return lacking && result === -EBADF;
  if (one === UNKNOWN || other === UNKNOWN) return true;
  return (one === other) === (result === 0);
}

function objectsOf(object: number, [first, second]: Pair): [number, number] {
  return [first.words[FIRST_OBJECT + object] as number, second.words[FIRST_OBJECT + object] as number];
}

function learn({ object, result }: Comparison, pair: Pair, order: KnownOrder): string | null {
  const [one, other] = objectsOf(object, pair);
  if (one === UNKNOWN || other === UNKNOWN) return null;
  return result === 1 ? order.learn(object, one, other) : order.learn(object, other, one);
}

function describe({ who, object, result }: Comparison, first: readonly State[], second: readonly State[]): string {
  return `kcmp: ${who} got ${result} for object ${object}, possible: ${describeStates(first)} with ${describeStates(second)}`;
}

/** The order of objects as far as answers have shown it: it must be one, antisymmetric and transitive. */
export class KnownOrder {
  /** For each kind of object, what is known to be above each. */
  private readonly kinds = new Map<number, Map<number, Set<number>>>();

  /** Learns that `low` is less than `high`. @returns what contradicts it, or null */
  learn(object: number, low: number, high: number): string | null {
    const above = this.kinds.get(object) ?? new Map<number, Set<number>>();
    this.kinds.set(object, above);
    if (above.get(low)?.has(high) === true) return null;
    const between = this.leads(above, high, low);
    if (between !== null) return `kcmp: object ${object}: ${low} is less than ${high}, but ${high} than ${between}`;
    above.set(low, (above.get(low) ?? new Set()).add(high));
    return null;
  }

  /** How what is known leads from one object up to another, by one object between them at most; or null. */
  private leads(above: ReadonlyMap<number, ReadonlySet<number>>, from: number, to: number): string | null {
    const next = above.get(from);
    if (next === undefined) return null;
    if (next.has(to)) return `${to}`;
    for (const object of next) if (above.get(object)?.has(to) === true) return `${object}, and that than ${to}`;
    return null;
  }
}
