/** Where programs begin, and which of their functions are generators whatever they do. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Callable, Key } from "./declarations.ts";
import { keyOf } from "./declarations.ts";
import type { Sources } from "./sources.ts";

/** The machine of scenarios: its functions are called by who drives the threads. */
export const MODEL_FILE = "src/check/model.ts";
const MODEL_FUNCTIONS: ReadonlySet<string> = new Set(["makeModel", "attachThread", "runThread", "judge"]);

const SCENARIO_FILE = "src/check/scenario.ts";
const SCENARIO_TYPE = "ScenarioSpec";

const SCENARIOS = "src/check/scenarios";
const WORKLOADS = "src/check/smp/workloads";

/** All that a checkout has to explore and to measure. Paths from the root. */
export function allEntries(root: string): string[] {
  return [MODEL_FILE, ...filesOf(root, SCENARIOS, ".scenario.ts"), ...filesOf(root, WORKLOADS, ".ts")];
}

function filesOf(root: string, folder: string, ending: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const all = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const names = all.filter((name) => name.endsWith(ending));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** Functions that others than the program itself call, as generators: the model's, a scenario's, those of workloads. */
export function alwaysGenerators(sources: Sources): Key[] {
  const found: Callable[] = [];
  for (const [file, source] of sources.files) {
    if (file === SCENARIO_FILE) found.push(...scenarioMembers(source));
    if (file === MODEL_FILE) found.push(...exportedFunctions(source, (name) => MODEL_FUNCTIONS.has(name)));
    if (file.startsWith(`${WORKLOADS}/`)) found.push(...exportedFunctions(source, () => true));
  }
  return found.map(keyOf);
}

function scenarioMembers(source: ts.SourceFile): Callable[] {
  const found: Callable[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isMethodSignature(node) || ts.isFunctionTypeNode(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === SCENARIO_TYPE) visit(statement);
  }
  return found;
}

function exportedFunctions(source: ts.SourceFile, wanted: (name: string) => boolean): Callable[] {
  return source.statements.filter(ts.isFunctionDeclaration).filter((statement) => {
    const exported = (ts.getCombinedModifierFlags(statement) & ts.ModifierFlags.Export) !== 0;
    return exported && statement.body !== undefined && wanted(statement.name?.text ?? "");
  });
}
