/**
 * A million reads, by users other than root, of files of processes that turn set-user-ID root by exec and back without
 * pause: only results that the credentials of the moment allow. All of them with STRESS_SECONDS at 10 or more, as in
 * continuous integration; otherwise as many as there is time for.
 */
import { expect, test } from "vitest";
import { bundle, runStress } from "./harness.ts";

const ALL = Number(process.env["STRESS_SECONDS"] ?? 5) >= 10;
const READS = 1_000_000;
/** Some of what is begun is interrupted. */
const BEGUN = 1.1 * READS;
/** The million takes a minute on two idle cores. */
const LIMIT_MS = ALL ? 400_000 : 10_000;

test(
  `io, maps, environ, timers, stack, syscall, personality: ${ALL ? READS : "some"} reads`,
  async () => {
    const program = await bundle();
    const result = await runStress(program, {
      world: "files",
      form: "lockfree",
      milliseconds: LIMIT_MS,
      reads: BEGUN,
      seed: 7,
      lockdep: false,
      stopAtFirst: false,
      stuckAfter: 30_000,
    });
    program.remove();
    const answers = Object.entries(result.outcomes).filter(([name]) => / (allowed|denied)$/.test(name));
    const judged = answers.reduce((sum, [, count]) => sum + count, -result.unchecked);
    console.log(`${judged} reads against ${result.writes} changes: ${JSON.stringify(result.outcomes)}`);
    expect(result.failures).toEqual([]);
    expect(result.violations).toEqual([]);
    expect(result.violated).toBe(0);
    expect(judged).toBeGreaterThanOrEqual(ALL ? READS : 1000);
  },
  LIMIT_MS + 120_000,
);
