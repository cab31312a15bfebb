/** All deliberate mistakes, with the scenario in which the explorer must find each. */
import { BREAKS } from "../stress/breaks.ts";
import type { Break } from "../stress/breaks.ts";
import { EXEC_UPDATE_FINDINGS } from "./exec-update-breaks.ts";
import type { Finding } from "./finding.ts";
import { MAPS_FINDINGS, UNSEEN_MAPS_BREAKS, UNSEEN_MAPS_FINDINGS } from "./maps-breaks.ts";
import { REVALIDATE_FINDINGS } from "./revalidate-breaks.ts";
import { TIMERS_FINDINGS } from "./timers-breaks.ts";

export const FINDINGS: readonly Finding[] = [
  ...EXEC_UPDATE_FINDINGS,
  ...MAPS_FINDINGS,
  ...TIMERS_FINDINGS,
  ...REVALIDATE_FINDINGS,
  ...UNSEEN_MAPS_FINDINGS,
];

/** Those of test/stress, and those that no stress test tells. */
export const MISTAKES: readonly Break[] = [...BREAKS, ...UNSEEN_MAPS_BREAKS];

/** The mistake of a row. @throws Error if there is none of that name */
export function breakOf({ name }: Finding): Break {
  const found = MISTAKES.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`there is no mistake "${name}"`);
  return found;
}
