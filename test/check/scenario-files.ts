/** The scenarios of src/check/scenarios, as they are. */
import { readdirSync } from "node:fs";
import type { Form, Scenario } from "../../src/check/scenario.ts";
import { formsOf, scenariosOf } from "../../src/check/scenario.ts";

const FOLDER = new URL("../../src/check/scenarios/", import.meta.url);
const ENDING = ".scenario.ts";

/** Paths of the scenario files from their folder, without their ending. */
export function scenarioFiles(): string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length))
    .sort();
}

/** The scenarios of all files. */
export async function loadScenarios(): Promise<Scenario[]> {
  const all: Scenario[] = [];
  for (const name of scenarioFiles())
    all.push(...scenariosOf((await import(`${FOLDER.href}${name}${ENDING}`)) as object));
  return all;
}

/** Each scenario in each of its forms, with a name for the two. */
export function inEachForm(scenarios: readonly Scenario[]): { name: string; spec: Scenario; form: Form }[] {
  return scenarios.flatMap((spec) => formsOf(spec).map((form) => ({ name: `${spec.name} ${form}`, spec, form })));
}
