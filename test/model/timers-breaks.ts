/** Which scenario finds each deliberate mistake of test/stress/timers-breaks.ts. */
import type { Finding } from "./finding.ts";

export const TIMERS_FINDINGS: readonly Finding[] = [
  { name: "timers: freed without a grace period", scenario: "timers/delete" },
  { name: "timers: exec and exit free them without a grace period", scenario: "timers/exit" },
  { name: "timers: deleted ones are shown", scenario: "timers/delete" },
  { name: "timers: one is in the list before the others follow it", scenario: "timers/create" },
  { name: "timers: one is valid before it is complete", scenario: "timers/create" },
  { name: "timers: a deleted one leads nowhere", scenario: "timers/delete" },
  { name: "timers: ids are given out before siglock is taken", scenario: "timers/two-creators" },
  { name: "timers: the locked form doesn't take siglock", scenario: "timers/delete" },
  { name: "timers: the locked form doesn't look whether the handlers are still the task's", scenario: "timers/exec" },
];
