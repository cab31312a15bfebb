/** Runs the real program in a child process. */
import { fileURLToPath } from "node:url";
import type { Outcome } from "../support/programs.ts";
import { ended } from "../support/programs.ts";

export const PROGRAM = fileURLToPath(new URL("../../bin/synthproc", import.meta.url));

/** @param input becomes standard input. */
export function synthproc(args: readonly string[], input = ""): Promise<Outcome> {
  return ended(PROGRAM, args, { input });
}
