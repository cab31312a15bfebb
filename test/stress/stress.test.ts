/**
 * Every world in every form on real threads: no violation, nothing left, and each kind of outcome was met.
 *
 * The worlds of one form run at the same time. STRESS_SECONDS says for how long (5 unless given); with paths that are
 * switched while they are used it is 10 at most.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "./harness.ts";
import { LONGER, bundle, runStress } from "./harness.ts";
import type { Form, StressResult } from "./world.ts";
import { WORLDS } from "./worlds.ts";

const SECONDS = Number(process.env["STRESS_SECONDS"] ?? 5);
const SWITCHING_SECONDS = Math.min(SECONDS, 10);
const MARGIN_MS = 120_000;
const FORMS: readonly Form[] = ["lockfree", "locked", "switching"];

function run(program: Program, world: string, form: Form): Promise<StressResult> {
  const milliseconds = 1000 * (form === "switching" ? SWITCHING_SECONDS : SECONDS);
  const seed = 1 + FORMS.indexOf(form);
  return runStress(program, { world, form, milliseconds, seed, lockdep: true, stopAtFirst: false, stuckAfter: 30_000 });
}

describe.each(FORMS)("%s", (form) => {
  let program: Program;
  const results = new Map<string, StressResult>();

  beforeAll(
    async () => {
      program = await bundle();
      const runs = Object.keys(WORLDS).map(async (world) => results.set(world, await run(program, world, form)));
      await Promise.all(runs);
    },
    LONGER * 1000 * SECONDS + MARGIN_MS,
  );

  afterAll(() => program.remove());

  test.each(Object.entries(WORLDS))("%s", (name, world) => {
    const result = results.get(name) as StressResult;
    console.log(`${name}, ${form}: ${JSON.stringify(result)}`);
    expect(result.failures).toEqual([]);
    expect(result.violations).toEqual([]);
    expect(result.violated).toBe(0);
    expect(result.writes).toBeGreaterThan(0);
    expect(result.unchecked).toBeLessThan(result.reads / 10);
    const met: Record<string, number> = { ...result.outcomes, ...result.counters };
    for (const name of world.expected(form)) expect(met[name] ?? 0, name).toBeGreaterThan(0);
    if (form === "locked") expect(Object.keys(result.counters).join(" ")).not.toContain("speculated");
  });
});
