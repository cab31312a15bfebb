/** Each deliberate mistake is found by the explorer, in the scenario that its row names. */
import { describe, expect, test } from "vitest";
import { exploreJob, loadProgram, scenarioOf } from "../../../mount/check/explorer.ts";
import type { Outcome } from "../../../mount/check/result.ts";
import { extentOf } from "../../../src/check/scenario.ts";
import { FINDINGS, MISTAKES, breakOf } from "../breaks.ts";
import type { Finding } from "../finding.ts";
import { LIMITS } from "../jobs.ts";
import { Programs } from "../program.ts";

const TIMEOUT_MS = 600_000;

const programs = new Programs();

test("every mistake has a scenario", () => {
  expect(FINDINGS.map(({ name }) => name).sort()).toEqual(MISTAKES.map(({ name }) => name).sort());
});

describe("each mistake is found", () => {
  test.each(FINDINGS)(
    "$name",
    async (finding) => {
      const { report, form } = await exploreBroken(finding);
      const { failure } = report!;
      expect(failure, `${finding.scenario} (${form}) holds`).not.toBeNull();
      const { execution, kind, message } = failure!;
      process.stdout.write(
        `${finding.name}: ${finding.scenario} (${form}), execution ${execution}: ${kind}: ${message}\n`,
      );
    },
    TIMEOUT_MS,
  );
});

async function exploreBroken(finding: Finding): Promise<Outcome> {
  const { edits, form: shows } = breakOf(finding);
  const { dir, remove } = programs.build(edits);
  try {
    const program = await loadProgram(dir);
    const spec = scenarioOf(program, finding.scenario);
    const { form = shows === "locked" ? "locked" : "lockfree" } = finding;
    const { extent = extentOf(spec, form) } = finding;
    return exploreJob(program, { scenario: spec.name, about: spec.about, form, extent }, LIMITS, () => true);
  } finally {
    remove();
  }
}
