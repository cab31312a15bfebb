/** A scenario file, imported with `?interleave`, is a program for the explorer. */
import { expect, test } from "vitest";
import { explore } from "../../../src/check/explore/explore.ts";
import { program } from "../../../src/check/scenarios/sync/seqlock.scenario.ts?interleave";

test("the scenarios of the file, and nothing else, are there to be explored", () => {
  expect(program.scenarios.map(({ name }) => name.split("/")[0])).toContain("seqlock");
  expect(new Set(program.scenarios.map(({ name }) => name.split("/")[0])).size).toBe(1);
  for (const spec of program.scenarios) {
    const report = explore(program, spec, "lockfree");
    expect(report).toMatchObject({ complete: true, failure: null });
    expect(report.executions).toBeGreaterThan(1);
  }
});
