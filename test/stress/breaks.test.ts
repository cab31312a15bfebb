/** Each deliberate mistake of breaks.ts is reported by the oracle that must notice it, and its delay alone is none. */
import { expect, test } from "vitest";
import type { Break } from "./breaks.ts";
import { BREAKS } from "./breaks.ts";
import type { Edit } from "./harness.ts";
import { bundle, runStress } from "./harness.ts";
import type { StressResult } from "./world.ts";

/** What the oracle has to find a mistake; most take a tenth of a second. */
const SEARCH_MS = 30_000;
const CONTROL_MS = 2000;
const TIMEOUT_MS = SEARCH_MS + 60_000;

async function runWith(edits: readonly Edit[], entry: Break, milliseconds: number): Promise<StressResult> {
  const program = await bundle(edits);
  const { world, form = "lockfree", withoutLockdep } = entry;
  const lockdep = withoutLockdep !== true;
  const job = { world, form, milliseconds, seed: 1, lockdep, stopAtFirst: true, stuckAfter: 5000 };
  try {
    return await runStress(program, job);
  } finally {
    program.remove();
  }
}

test.each(BREAKS)(
  "$name",
  async (entry) => {
    const { delay = [], edits, milliseconds = SEARCH_MS, says = /./, fails } = entry;
    const result = await runWith([...delay, ...edits], entry, milliseconds);
    if (fails === undefined) expect(result.violations.join("\n")).toMatch(says);
    else expect(result.failures.join("\n")).toMatch(fails);
  },
  TIMEOUT_MS,
);

test.each(BREAKS.filter(({ delay }) => delay !== undefined))(
  "$name: not so with its delay alone",
  async (entry) => {
    const { violations, failures } = await runWith(entry.delay ?? [], entry, CONTROL_MS);
    expect([...violations, ...failures]).toEqual([]);
  },
  TIMEOUT_MS,
);

test("a text that isn't there, or is there twice, is an error", async () => {
  const edit = (find: string): Edit => ({ file: "src/kernel/exec-update.ts", find, replace: "" });
  await expect(bundle([edit("there is no such text")])).rejects.toThrow("0 times");
  await expect(bundle([edit("import ")])).rejects.toThrow(/\d+ times/);
});
