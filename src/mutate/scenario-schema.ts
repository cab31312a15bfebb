/** Checks the shape of a scenario against its published JSON schema. */
import { Ajv } from "ajv";
import type { ErrorObject } from "ajv";
import schema from "./scenario.schema.json" with { type: "json" };
import type { ScenarioError } from "./scenario-error.ts";
import type { Path, ScenarioSource } from "./scenario-source.ts";

/**
 * Compiled at every start, for a handful of values: what makes compiling quick counts, not what makes checking quick. A
 * test validates the schema itself. Union types are how it says "short form or details"; strict mode takes them for
 * mistakes.
 */
const validate = new Ajv({
  strict: false,
  verbose: true,
  code: { optimize: false },
  inlineRefs: false,
  validateSchema: false,
}).compile(schema);

/** @throws ScenarioError for the first violation. */
export function checkShape(value: unknown, source: ScenarioSource): void {
  if (!validate(value)) {
    throw toScenarioError(validate.errors![0]!, source);
  }
}

function toScenarioError(error: ErrorObject, source: ScenarioSource): ScenarioError {
  const path = pointerToPath(error.instancePath);
  const what = path.length === 0 ? "the scenario" : `"${path.at(-1)}"`;
  switch (error.keyword) {
    case "additionalProperties":
      return unknownKeyError(String(error.params["additionalProperty"]), error, source);
    case "required": {
      // Who misspells a key lacks it too; the misspelt one is what to look at.
      const stranger = unknownKey(error);
      if (stranger !== undefined) return unknownKeyError(stranger, error, source);
      return source.error("ESCENARIO_MISSING_KEY", path, `${subject(path)} lacks "${error.params["missingProperty"]}"`);
    }
    case "enum":
      return source.error("ESCENARIO_VALUE", path, `${what} must be one of ${listOf(error.params["allowedValues"])}`);
    case "type":
      return source.error("ESCENARIO_VALUE", path, `${subject(path)} must be ${typesOf(error.params["type"])}`);
    case "pattern":
      return source.error("ESCENARIO_VALUE", path, `${what} is malformed: ${describe(error)}`);
    default:
      return source.error("ESCENARIO_VALUE", path, `${what} ${error.message}`);
  }
}

function knownKeys(error: ErrorObject): string[] {
  return Object.keys((error.parentSchema?.["properties"] ?? {}) as object);
}

/** The first key of the map in question that its schema doesn't know, if it minds any. */
function unknownKey(error: ErrorObject): string | undefined {
  if (error.parentSchema?.["additionalProperties"] !== false) return undefined;
  const known = knownKeys(error);
  return Object.keys(error.data as object).find((key) => !known.includes(key));
}

function unknownKeyError(key: string, error: ErrorObject, source: ScenarioSource): ScenarioError {
  const reason = `unknown key "${key}"${suggestion(key, knownKeys(error))}`;
  return source.error("ESCENARIO_UNKNOWN_KEY", [...pointerToPath(error.instancePath), key], reason, true);
}

function pointerToPath(pointer: string): Path {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function subject(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) {
    return "the scenario";
  }
  return /^\d+$/.test(String(last)) ? `entry ${Number(last) + 1} of "${path.at(-2)}"` : `"${last}"`;
}

function describe(error: ErrorObject): string {
  const text = error.parentSchema?.["description"] as string | undefined;
  return text === undefined ? `it must match ${error.params["pattern"]}` : text.replace(/\.$/, "");
}

function listOf(values: unknown): string {
  return (values as unknown[]).map((value) => JSON.stringify(value)).join(", ");
}

function typesOf(types: unknown): string {
  const names: Record<string, string> = { array: "a list", object: "a map", string: "text", number: "a number" };
  const all = (Array.isArray(types) ? types : [types]) as string[];
  return all.map((type) => names[type] ?? (type === "integer" ? "an integer" : `a ${type}`)).join(" or ");
}

/** ` (did you mean "…"?)` for a key that is at most two slips away. */
function suggestion(key: string, known: readonly string[]): string {
  let best = "";
  let least = 3;
  for (const candidate of known) {
    const distance = slips(key.toLowerCase().replaceAll("-", "_"), candidate);
    if (distance < least && distance < candidate.length) {
      best = candidate;
      least = distance;
    }
  }
  return best === "" ? "" : ` (did you mean "${best}"?)`;
}

/** Levenshtein distance. */
function slips(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
