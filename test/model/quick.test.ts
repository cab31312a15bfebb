/** The scenarios that every test run explores: each holds, and a second exploration does the same as the first. */
import { afterAll, describe, expect, test } from "vitest";
import { Explorers } from "../../mount/check/explorers.ts";
import { LIMITS, countsOf, expectHolds, figures, jobsOf } from "./jobs.ts";
import { Programs } from "./program.ts";

/** Tests wait for their turn. */
const TIMEOUT_MS = 150_000;
/** What took longer isn't explored again. */
const AGAIN_MS = 1000;
const THREADS = 2;

const program = new Programs().build();
const explorers = new Explorers(program.dir, THREADS);
const jobs = await jobsOf(program.dir, true);

afterAll(async () => {
  await explorers.close();
  program.remove();
});

test("there are some", () => expect(jobs.length).toBeGreaterThan(0));

describe.concurrent("quick scenarios", () => {
  test.each(jobs)(
    "%s",
    async (name, job) => {
      const outcome = await explorers.explore(job, LIMITS);
      process.stdout.write(`${name}: ${figures(outcome)}\n`);
      expectHolds(outcome);
      if (outcome.report!.milliseconds > AGAIN_MS) return;
      expect(countsOf(await explorers.explore(job, LIMITS))).toEqual(countsOf(outcome));
    },
    TIMEOUT_MS,
  );
});
