/** Loads transformed programs, where there may be neither sources nor a compiler. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Site } from "../explore/report.ts";
import type { Form, Results, Scenario, ScenarioSpec } from "../scenario.ts";

/** What a transformed function yields to whoever drives it: nothing; the access is the backend's to know. */
export type Steps<T> = Generator<undefined, T, number | boolean>;

/** The functions of model.ts, as generators. */
export interface Model {
  makeModel(spec: Scenario, form: Form): Steps<{ k: Kernel; plan: unknown }>;
  attachThread(buffer: SharedArrayBuffer): Steps<Kernel>;
  runThread(spec: Scenario, name: string, k: Kernel, plan: unknown): Steps<unknown>;
  judge(spec: Scenario, k: Kernel, plan: unknown, results: Results, form: Form): Steps<string | null>;
}

/** A transformed program. Its objects are of classes of its own. */
export interface LoadedProgram {
  /** By name. Their functions are generators: only the program's model calls them. */
  readonly scenarios: readonly Scenario[];
  readonly model: Model;
  /** The accesses, by the number that the backend is given; some numbers have none. */
  readonly sites: readonly (Site | null)[];
  /** What the entry points export, by path from the root of the tree. */
  readonly modules: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** What the file beside a tree says. */
export interface ProgramFile {
  /** Paths of scripts from the root of the tree. */
  readonly entries: readonly string[];
  readonly sites: readonly (Site | null)[];
}

export const PROGRAM_FILE = "program.json";
const MODEL_SCRIPT = "src/check/model.js";

/**
 * Loads a tree that build.ts has written. The backend has to stand in place: the code takes it from
 * `globalThis[Symbol.for("synthproc.interleave")]` when it's loaded.
 */
export async function loadProgram(dir: string): Promise<LoadedProgram> {
  const { entries, sites } = JSON.parse(readFileSync(join(dir, PROGRAM_FILE), "utf8")) as ProgramFile;
  const modules = new Map<string, Readonly<Record<string, unknown>>>();
  for (const entry of entries) {
    modules.set(entry, (await import(pathToFileURL(join(dir, entry)).href)) as Record<string, unknown>);
  }
  const scenarios = [...modules.values()].flatMap((module) => Object.values(module).filter(isScenario));
  const model = modules.get(MODEL_SCRIPT) as unknown as Model;
  return { scenarios: scenarios.sort((a, b) => (a.name < b.name ? -1 : 1)), model, sites, modules };
}

function isScenario(value: unknown): value is Scenario {
  const spec = value as Partial<ScenarioSpec<unknown, Results>> | null;
  return (
    typeof value === "object" && spec !== null && typeof spec.name === "string" && typeof spec.threads === "object"
  );
}
