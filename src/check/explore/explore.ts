/**
 * Explores the interleavings of a scenario, or runs a given one again: machine/ runs threads and looks for what is wrong,
 * search/ decides who goes on, exploration.ts runs one execution after another. The program has to be loaded after this
 * module, which puts the backend in its place (machine/runtime.ts).
 */
import type { LoadedProgram } from "../interleave/load.ts";
import type { Extent, Form, Scenario } from "../scenario.ts";
import { extentOf } from "../scenario.ts";
import { Exploration, STEP_LIMIT } from "./exploration.ts";
import type { ExploreOptions } from "./exploration.ts";
import type { Replay, Report } from "./report.ts";
import { replaySubject } from "./replay.ts";
import { scenarioSubject } from "./scenario-subject.ts";

export type { ExploreOptions } from "./exploration.ts";
export { ScheduleError } from "./schedule.ts";

/**
 * Explores a scenario.
 * @throws whatever its setup throws
 */
export function explore(
  program: LoadedProgram,
  spec: Scenario,
  form: Form,
  options: ExploreOptions & { readonly extent?: Extent } = {},
): Report {
  const extent = options.extent ?? extentOf(spec, form);
  const subject = scenarioSubject(program, spec, form);
  return { scenario: spec.name, form, ...new Exploration(subject, extent, options).run() };
}

/**
 * Runs one schedule of a scenario.
 * @throws ScheduleError if it can't be read, or the scenario can't follow it
 */
export function replay(program: LoadedProgram, spec: Scenario, form: Form, schedule: string): Replay {
  return replaySubject(scenarioSubject(program, spec, form), schedule, STEP_LIMIT);
}
