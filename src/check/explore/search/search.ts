/** Who makes each step of an execution, and which executions there are to be. */
import type { Machine } from "../machine/machine.ts";

/** Decides who makes the next step. */
export interface Strategy {
  /** Steps that are the same as in the execution before, unless something depends on chance. */
  readonly prefix: number;
  /** @returns one of `machine.threads.enabled`, or -1 to give the execution up */
  choose(machine: Machine): number;
  /** Step `i` has been made. */
  stepped(machine: Machine, i: number): void;
}

/** One execution after another, until there is none left. */
export interface Search extends Strategy {
  /** The execution at hand is over. @returns false if it was the last one */
  advance(machine: Machine): boolean;
  /** How much of the search is done, from 0 to 1; an estimate. */
  fraction(): number;
}

/** The lowest thread of a set. */
export function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
