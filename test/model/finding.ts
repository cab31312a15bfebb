/** Where a deliberate mistake must be found by the explorer. */
import type { Extent, Form } from "../../src/check/scenario.ts";

export interface Finding {
  /** Name of a row of test/stress/breaks.ts, or of one that stands beside the findings. */
  readonly name: string;
  readonly scenario: string;
  /** The one in which the mistake shows in test/stress unless given. */
  readonly form?: Form;
  /** The scenario's own unless given. */
  readonly extent?: Extent;
}
