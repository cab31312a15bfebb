/** Every scenario in every form holds, within its own extent. */
import { afterAll, describe, test } from "vitest";
import { Explorers } from "../../../mount/check/explorers.ts";
import { LIMITS, expectHolds, figures, jobsOf } from "../jobs.ts";
import { Programs } from "../program.ts";

/** Tests wait for their turn. */
const TIMEOUT_MS = 7_200_000;
const THREADS = 2;

const program = new Programs().build();
const explorers = new Explorers(program.dir, THREADS);
const jobs = await jobsOf(program.dir, false);

afterAll(async () => {
  await explorers.close();
  program.remove();
});

describe.concurrent("scenarios", () => {
  test.each(jobs)(
    "%s",
    async (name, job) => {
      const outcome = await explorers.explore(job, LIMITS);
      process.stdout.write(`${name}: ${figures(outcome)}\n`);
      expectHolds(outcome);
    },
    TIMEOUT_MS,
  );
});
