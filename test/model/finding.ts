/** Where a deliberate mistake of test/stress must be found by the explorer. */
import type { Extent } from "../../src/check/scenario.ts";

export interface Finding {
  /** Name of a row of test/stress/breaks.ts, which says in which form of the paths the mistake shows. */
  readonly name: string;
  readonly scenario: string;
  /** The scenario's own unless given. */
  readonly extent?: Extent;
}
