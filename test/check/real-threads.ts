/** Runs scenarios on real threads, in a child process: see real-threads-main.ts. */
import { fileURLToPath } from "node:url";
import type { Edit } from "../stress/harness.ts";
import { bundle } from "../stress/harness.ts";
import { ended } from "../support/programs.ts";
import type { RealRun, RealVerdict } from "./real-threads-main.ts";
import { scenarioFiles } from "./scenario-files.ts";

const ENTRY = fileURLToPath(new URL("./real-threads-main.ts", import.meta.url));

/** Milliseconds without progress after which threads count as stuck, on a busy machine too. */
const PATIENCE_MS = 10_000;
/** Milliseconds that all may take on a busy machine: so many, and so many for each round of all scenarios. */
const START_MS = 60_000;
const ROUND_MS = 2000;

/**
 * Runs scenarios to their end.
 * @param run all files, and patience for a busy machine, unless given
 * @param edits deliberate mistakes
 */
export async function runOnRealThreads(
  run: Pick<RealRun, "names" | "rounds" | "seed"> & Partial<RealRun>,
  edits: readonly Edit[] = [],
): Promise<RealVerdict[]> {
  const program = await bundle(edits, ENTRY);
  try {
    const job: RealRun = { files: scenarioFiles(), patience: PATIENCE_MS, ...run };
    const args = ["--enable-source-maps", program.path, JSON.stringify(job)];
    const { status, signal, stdout, stderr } = await ended(process.execPath, args, {
      timeout: START_MS + ROUND_MS * run.rounds,
    });
    if (status !== 0) throw new Error(`the run ended with ${status ?? signal}: ${stderr.trim()}`);
    return JSON.parse(stdout) as RealVerdict[];
  } finally {
    program.remove();
  }
}
