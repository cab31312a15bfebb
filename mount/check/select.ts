/** Which scenarios are meant by the names of a command line. */
import { extentOf, formsOf } from "../../src/check/scenario.ts";
import type { Extent, Form, Scenario } from "../../src/check/scenario.ts";
import type { Job } from "./result.ts";

/** What a command line says on the choice of scenarios. */
export interface Selection {
  /** Names, or beginnings of names that are none themselves; nothing: all scenarios. */
  readonly names: readonly string[];
  /** Only this form. */
  readonly form?: Form;
  /** Only those that every test run explores. */
  readonly quick?: boolean;
  /** Instead of the scenarios' own. */
  readonly extent?: Extent;
}

/** At most so many names are suggested. */
const SUGGESTIONS = 3;
/** Of the letters, so much may differ in a name that is suggested. */
const SIMILAR = 0.5;

/** A choice that can't be made; its message is one sentence. */
export class SelectionError extends Error {
  override readonly name = "SelectionError";
}

/**
 * The jobs of a selection, in the order of the scenarios' names; each once.
 * @throws SelectionError if a name is empty or fits no scenario, or nothing is left
 */
export function select(scenarios: readonly Scenario[], selection: Selection): Job[] {
  const { names, form, quick = false, extent } = selection;
  const named = names.length === 0 ? scenarios : names.flatMap((name) => meant(name, scenarios));
  const wanted = [...new Set(named)].filter((spec) => !quick || spec.quick === true);
  const jobs = sorted(wanted).flatMap((spec) => jobsOf(spec, form, extent));
  if (jobs.length === 0) throw new SelectionError(nothingLeft(selection));
  return jobs;
}

/** The scenario of that name; or else all whose names begin with it. */
function meant(name: string, scenarios: readonly Scenario[]): Scenario[] {
  // The beginning of every name; but who says it has a variable that isn't set.
  if (name === "") throw new SelectionError("the name of a scenario is empty; without any name all are explored");
  const exact = scenarios.filter((spec) => spec.name === name);
  const found = exact.length > 0 ? exact : scenarios.filter((spec) => spec.name.startsWith(name));
  if (found.length === 0) throw unknown(name, scenarios);
  return found;
}

/** The scenario of that name. @throws SelectionError if there is none */
export function scenarioNamed(name: string, scenarios: readonly Scenario[]): Scenario {
  const found = scenarios.find((spec) => spec.name === name);
  if (found !== undefined) return found;
  const begun = scenarios.filter((spec) => spec.name.startsWith(name)).length;
  if (begun === 0) throw unknown(name, scenarios);
  throw new SelectionError(`"${name}" is no scenario, but the beginning of ${begun} names; one is needed in full`);
}

/** In the order of their names. */
export function sorted(scenarios: readonly Scenario[]): Scenario[] {
  return [...scenarios].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function jobsOf(spec: Scenario, form: Form | undefined, extent: Extent | undefined): Job[] {
  const forms = formsOf(spec).filter((one) => form === undefined || one === form);
  const { name, about } = spec;
  return forms.map((one) => ({ scenario: name, form: one, about, extent: extent ?? extentOf(spec, one) }));
}

function nothingLeft({ names, form, quick }: Selection): string {
  const which = names.length === 0 ? "no scenario" : `nothing that begins with ${names.join(", ")}`;
  const [quickly, formed] = [quick === true ? " is quick" : "", form === undefined ? "" : ` has the form ${form}`];
  return `${which}${quickly}${quickly !== "" && formed !== "" ? " and" : ""}${formed}`;
}

function unknown(name: string, scenarios: readonly Scenario[]): SelectionError {
  const near = nearNames(
    name,
    scenarios.map((spec) => spec.name),
  );
  const hint = near.length === 0 ? "; --list shows them all" : `; did you mean ${near.join(" or ")}?`;
  return new SelectionError(`there is no scenario "${name}"${hint}`);
}

/** Names, or protocols (the part before the slash), that look much the same; the nearest first. */
export function nearNames(name: string, names: readonly string[]): string[] {
  const candidates = new Set([...names, ...names.map((one) => one.split("/")[0]!)]);
  return [...candidates]
    .map((candidate) => ({ candidate, distance: distance(name, candidate) }))
    .filter((one) => one.distance <= SIMILAR * Math.max(name.length, one.candidate.length))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map((one) => one.candidate);
}

/** Letters to insert, delete or replace until one is the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
