/**
 * Runs worlds (world.ts) in child processes: each run bundles main.ts with what it imports, so that a run can be given a
 * product with deliberate mistakes (breaks.ts) without a switch for them in the product.
 *
 *     const program = await bundle();                         // or bundle(edits): a broken one
 *     const result = await runStress(program, { world: "io", form: "lockfree", milliseconds: 5000, … });
 *     program.remove();
 *
 * A run that hangs (a deadlock) is a failure: main.ts watches the progress of each thread, and the child is
 * killed if even that fails.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Plugin } from "esbuild";
import { ended } from "../support/programs.ts";
import type { StressJob, StressResult } from "./world.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ENTRY = fileURLToPath(new URL("./main.ts", import.meta.url));

/** One change of a source file: `find` must stand there exactly once. */
export interface Edit {
  /** Path from the root of the checkout. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A bundled program for runs. */
export interface Program {
  readonly path: string;
  remove(): void;
}

/**
 * Bundles the threads of the runs, with source files edited.
 * @param entry the program; main.ts unless given
 * @throws Error if a text to be replaced isn't found exactly once
 */
export async function bundle(edits: readonly Edit[] = [], entry = ENTRY): Promise<Program> {
  const edited = applyEdits(edits);
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: "main.mjs",
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [editing(edited)],
  });
  const directory = mkdtempSync(join(tmpdir(), "synthproc-stress-"));
  const path = join(directory, "main.mjs");
  writeFileSync(path, result.outputFiles[0]?.contents ?? "");
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Texts of the edited files, by absolute path. @throws Error if a text to be replaced is not found exactly once */
export function applyEdits(edits: readonly Edit[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const path = join(ROOT, file);
    const parts = (texts.get(path) ?? readFileSync(path, "utf8")).split(find);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`);
    texts.set(path, parts.join(replace));
  }
  return texts;
}

function editing(texts: ReadonlyMap<string, string>): Plugin {
  return {
    name: "edits",
    setup(context) {
      context.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = texts.get(path);
        return contents === undefined ? undefined : { contents, loader: "ts" };
      });
    },
  };
}

/** How much longer than wanted a run may take on a busy machine: to meet all that it must, to start, end and clear up. */
export const LONGER = 7;
const MARGIN_MS = 90_000;

/** Runs a world to its end. */
export async function runStress(program: Program, job: StressJob): Promise<StressResult> {
  const args = ["--enable-source-maps", program.path, JSON.stringify(job)];
  const run = await ended(process.execPath, args, { timeout: LONGER * job.milliseconds + MARGIN_MS });
  if (run.status === 0) return JSON.parse(run.stdout) as StressResult;
  const failure = `the run ended with ${run.status ?? run.signal}: ${run.stderr.trim()}`;
  const nothing = { violated: 0, reads: 0, writes: 0, unchecked: 0, outcomes: {}, counters: {} };
  return { violations: [], failures: [failure], ...nothing };
}
