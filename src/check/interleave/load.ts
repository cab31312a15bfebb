/** Loads transformed programs, where there may be neither sources nor a compiler. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Site } from "../explore/report.ts";
import type { Form, Results, Scenario } from "../scenario.ts";
import { scenariosOf } from "../scenario.ts";

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
  /** Of the texts of all scripts. */
  readonly digest: string;
}

export const PROGRAM_FILE = "program.json";
const MODEL_SCRIPT = "src/check/model.js";

const SCENARIO_SCRIPT = /\.scenario\.js$/;

/** A scenario file that has to be written differently; its message is one sentence. */
export class ScenarioFileError extends Error {
  readonly code = "ESYNTH_SCENARIO_FILE";
}

/** The program that is loaded has been built anew just now. */
export class ProgramChangedError extends Error {
  readonly code = "ESYNTH_PROGRAM_CHANGED";

  constructor(dir: string) {
    super(`${dir} was built anew while it was read: run it again`);
  }
}

/**
 * Loads a tree that build.ts has written. The backend has to be installed (backend.ts): the code takes it
 * when it's loaded.
 *
 * @throws ProgramChangedError if the tree is replaced meanwhile: its modules may be of both
 * @throws ScenarioFileError if a scenario file exports something else, or a name stands for two scenarios
 */
export async function loadProgram(dir: string): Promise<LoadedProgram> {
  const text = readFileSync(join(dir, PROGRAM_FILE), "utf8");
  const { entries, sites } = JSON.parse(text) as ProgramFile;
  const modules = await loadModules(dir, entries).catch((error: unknown) => {
    throw isStill(dir, text) ? error : new ProgramChangedError(dir);
  });
  if (!isStill(dir, text)) throw new ProgramChangedError(dir);
  const model = modules.get(MODEL_SCRIPT) as unknown as Model;
  return { scenarios: scenariosByName(modules), model, sites, modules };
}

async function loadModules(dir: string, entries: readonly string[]): Promise<LoadedProgram["modules"]> {
  const modules = new Map<string, Readonly<Record<string, unknown>>>();
  for (const entry of entries) {
    modules.set(entry, (await import(pathToFileURL(join(dir, entry)).href)) as Record<string, unknown>);
  }
  return modules;
}

/** True if nobody has put another tree in its place. */
function isStill(dir: string, text: string): boolean {
  const file = join(dir, PROGRAM_FILE);
  return existsSync(file) && readFileSync(file, "utf8") === text;
}

/** The scenarios of all scenario files. If a name stood for two of them, it would hide one. */
function scenariosByName(modules: LoadedProgram["modules"]): Scenario[] {
  const found = new Map<string, { spec: Scenario; file: string }>();
  for (const [script, exports] of modules) {
    if (!SCENARIO_SCRIPT.test(script)) continue;
    const file = script.replace(/js$/, "ts");
    for (const spec of scenariosIn(file, exports)) {
      const other = found.get(spec.name);
      if (other !== undefined) throw new ScenarioFileError(twice(spec.name, other.file, file));
      found.set(spec.name, { spec, file });
    }
  }
  const scenarios = [...found.values()].map(({ spec }) => spec);
  return scenarios.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function scenariosIn(file: string, exports: object): Scenario[] {
  try {
    return scenariosOf(exports);
  } catch (error) {
    throw new ScenarioFileError(`${file}: ${(error as Error).message}`);
  }
}

function twice(name: string, first: string, second: string): string {
  const where = first === second ? `both in ${first}` : `in ${first} and in ${second}`;
  return `two scenarios are called ${name}, ${where}`;
}
