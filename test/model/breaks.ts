/** All deliberate mistakes of test/stress, with the scenario in which the explorer must find each. */
import { BREAKS } from "../stress/breaks.ts";
import type { Break } from "../stress/breaks.ts";
import { EXEC_UPDATE_FINDINGS } from "./exec-update-breaks.ts";
import type { Finding } from "./finding.ts";

export const FINDINGS: readonly Finding[] = [...EXEC_UPDATE_FINDINGS];

/** The mistake of a row. @throws Error if there is none of that name */
export function breakOf({ name }: Finding): Break {
  const found = BREAKS.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`there is no mistake "${name}" in test/stress`);
  return found;
}
