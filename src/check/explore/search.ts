/** Searches: which executions there are to be, one after another. */
import type { Machine, Strategy } from "./machine.ts";

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
