/**
 * How far a writer has come: what readers need to know in order to be judged by what may have been while they looked.
 *
 * A writer's states are numbered from 0, the one that setup has made. Before it acts, a writer says which state will be the
 * last that may show from now on; when it has acted, that no earlier one can.
 */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";

/** Words that one writer's progress takes, zero at first. */
export const PROGRESS_WORDS = 2;

const OLDEST = 0;
const NEWEST = 1;

/** States that may have been during something, both included. */
export interface Span {
  readonly oldest: number;
  readonly newest: number;
}

/** From now on all states up to this one may show. */
export function mayReach(k: Kernel, progress: Ptr, state: number): void {
  k.m.store(progress + NEWEST, state);
}

/** From now on no state before this one can show. */
export function hasReached(k: Kernel, progress: Ptr, state: number): void {
  k.m.store(progress + OLDEST, state);
}

/** The oldest state that may still show: to be asked before one looks. */
export function oldestState(k: Kernel, progress: Ptr): number {
  return k.m.load(progress + OLDEST);
}

/** The newest state that may show already: to be asked after one has looked. */
export function newestState(k: Kernel, progress: Ptr): number {
  return k.m.load(progress + NEWEST);
}

/** Those of a writer's states that may have been. */
export function statesOf<S>(states: readonly S[], { oldest, newest }: Span): S[] {
  return states.slice(oldest, newest + 1);
}
