/** Failing schedules that are kept: with their mistakes they fail, and the shipped code is fine. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { FailureKind } from "../../src/check/explore/report.ts";
import { ScheduleError } from "../../src/check/explore/schedule.ts";
import { exploreJob, loadProgram, replayJob, scenarioOf } from "../../mount/check/explorer.ts";
import type { Program } from "../../mount/check/explorer.ts";
import { readSchedules } from "../../mount/check/saved.ts";
import type { SavedEdit, SavedSchedule } from "../../mount/check/saved.ts";
import { extentOf } from "../../src/check/scenario.ts";
import { LIMITS } from "../model/jobs.ts";
import type { TestProgram } from "../model/program.ts";
import { Programs } from "../model/program.ts";

const FOLDER = fileURLToPath(new URL("../../fixtures/schedules", import.meta.url));
/** Explorations where a schedule no longer fits: of what must be found, and of what must be fine. */
const SEARCH_MS = 60_000;
const LOOK_MS = 500;
const TIMEOUT_MS = 120_000;

const schedules = readSchedules(FOLDER);
const programs = new Programs();
const built: TestProgram[] = [];

afterAll(() => {
  for (const program of built) program.remove();
});

function program(edits: readonly SavedEdit[]): Promise<Program> {
  const one = programs.build(edits);
  built.push(one);
  return loadProgram(one.dir);
}

interface Found {
  readonly kind: FailureKind;
  readonly message: string;
}

/** What is wrong with the schedule's run; undefined if the schedule doesn't fit. */
function replayed(of: Program, { scenario, form, schedule }: SavedSchedule): Found | null | undefined {
  try {
    return replayJob(of, scenario, form, schedule).failure;
  } catch (error) {
    if (error instanceof ScheduleError) return undefined;
    throw error;
  }
}

/** What is wrong with the scenario, as far as it is explored. */
function explored(of: Program, { scenario, form }: SavedSchedule, milliseconds: number): Found | null {
  const spec = scenarioOf(of, scenario);
  const job = { scenario, form, about: spec.about, extent: extentOf(spec, form) };
  return exploreJob(of, job, { ...LIMITS, milliseconds }, () => true).report!.failure;
}

const shipped = await program([]);

test("there are some", () => expect(schedules.length).toBeGreaterThan(0));

test("the documented example has the members of a schedule", () => {
  const readme = readFileSync(`${FOLDER}/README.md`, "utf8");
  const example = JSON.parse(/```json\n([^]*?)```/.exec(readme)![1]!) as SavedSchedule;
  for (const [name, saved] of schedules) expect(Object.keys(saved), name).toEqual(Object.keys(example));
});

describe.each(schedules)("%s", (_name, saved) => {
  test.skipIf(saved.break === null)(
    "fails with its mistake",
    async () => {
      const broken = await program(saved.break ?? []);
      const failure = replayed(broken, saved) ?? explored(broken, saved, SEARCH_MS);
      const { kind, message } = saved.expect;
      expect(failure).toMatchObject({ kind, message: expect.stringContaining(message) as string });
    },
    TIMEOUT_MS,
  );

  test(
    "is fine with the shipped code",
    () => {
      const failure = replayed(shipped, saved);
      expect(failure === undefined ? explored(shipped, saved, LOOK_MS) : failure).toBeNull();
    },
    TIMEOUT_MS,
  );
});
