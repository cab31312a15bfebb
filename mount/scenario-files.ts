/** Finds scenarios: the shipped ones by name, all others by path. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseScenario } from "../src/mutate/scenario.ts";
import type { Scenario } from "../src/mutate/scenario.ts";
import { ScenarioError } from "../src/mutate/scenario-error.ts";
import { errorText } from "./errors.ts";

/** Lies beside the sources in a checkout and beside dist/ in an installed package. */
const SHIPPED = fileURLToPath(new URL("../fixtures/scenarios/", import.meta.url));

export interface LoadedScenario {
  scenario: Scenario;
  /** As it was read. */
  text: string;
  /** Path of the file. */
  file: string;
}

/** Names of the shipped scenarios. */
export function shippedScenarios(): string[] {
  const files = readdirSync(SHIPPED).filter((name) => name.endsWith(".yaml"));
  return files.map((name) => basename(name, ".yaml")).sort();
}

/**
 * Reads a scenario. A name without a slash or an ending is a shipped one; `-` is standard input.
 *
 * @throws ScenarioError if it is not found, cannot be read or is wrong.
 */
export function loadScenario(nameOrFile: string): LoadedScenario {
  const file = resolveScenario(nameOrFile);
  const text = readText(nameOrFile === "-" ? 0 : file, file);
  return { scenario: parseScenario(text, file), text, file };
}

function resolveScenario(nameOrFile: string): string {
  if (nameOrFile === "-") {
    return "(standard input)";
  }
  if (/[/.]/.test(nameOrFile) || isFile(nameOrFile)) {
    return nameOrFile;
  }
  const known = shippedScenarios();
  if (!known.includes(nameOrFile)) {
    const reason = `no such scenario; shipped are ${known.join(", ")}, and a path names any other file`;
    throw new ScenarioError("ESCENARIO_REFERENCE", nameOrFile, 0, 0, reason);
  }
  return `${SHIPPED}${nameOrFile}.yaml`;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function readText(source: string | number, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(source);
  } catch (error) {
    throw new ScenarioError("ESCENARIO_REFERENCE", file, 0, 0, `the scenario cannot be read: ${errorText(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The decoder's message says nothing but that; the sentence below does.
    throw new ScenarioError("ESCENARIO_SYNTAX", file, 0, 0, "the scenario is not UTF-8 text");
  }
}
