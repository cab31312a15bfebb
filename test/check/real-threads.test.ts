/**
 * The scenarios on real threads, as they are: what the explorer shows of the transformed code, the machine that it stands
 * for does too. REAL_THREADS_ROUNDS says how many arenas each scenario gets in each form.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { Edit } from "../stress/harness.ts";
import { runOnRealThreads } from "./real-threads.ts";
import type { RealVerdict } from "./real-threads-main.ts";
import { inEachForm, loadScenarios } from "./scenario-files.ts";

const ROUNDS = Number(process.env["REAL_THREADS_ROUNDS"] ?? 15);
/** Milliseconds after which a mistake has led to a standstill, on a busy machine too. */
const PATIENCE_MS = 3000;
const SEED = Number(process.env["REAL_THREADS_SEED"] ?? Date.now() % 2 ** 31);

const scenarios = await loadScenarios();

describe(`${ROUNDS} rounds, seed ${SEED}`, () => {
  let verdicts: readonly RealVerdict[] = [];

  beforeAll(async () => {
    verdicts = await runOnRealThreads({ names: [], rounds: ROUNDS, seed: SEED });
  }, 3_600_000);

  test.each(inEachForm(scenarios))("$name", ({ spec, form }) => {
    expect(verdicts.find((verdict) => verdict.scenario === spec.name && verdict.form === form)).toEqual({
      scenario: spec.name,
      form,
      wrong: null,
    });
  });
});

describe("deliberate mistakes", () => {
  const lockref = "src/sync/lockref.ts";
  const unlock = "t.m.and(ref, COUNT_MASK);";
  const seqcount = "src/sync/seqcount.ts";
  const retry = "if (m.load(seq) !== (snapshot | 0)) return true;";
  /** Where it shows, the mistake, and the verdict. */
  const mistakes: [string, string, Edit, RegExp][] = [
    ["a reader goes on", "io/exec-setuid", { file: seqcount, find: retry, replace: "" }, /^round \d+: io: owner saw/],
    [
      "a lock is kept",
      "lockref/lock",
      { file: lockref, find: unlock, replace: "" },
      /^round 0: stuck in (first|second)/,
    ],
    [
      "a lock's holder forgets it",
      "lockref/lock",
      { file: lockref, find: `${unlock}\n  t.lockdep.release(lockClass);`, replace: unlock },
      /^round 0: (first|second): Error: thread goes idle holding dentry/,
    ],
  ];

  test.each(mistakes)(
    "%s",
    async (_what, name, edit, wrong) => {
      const verdicts = await runOnRealThreads({ names: [name], rounds: 20_000, seed: SEED, patience: PATIENCE_MS }, [
        edit,
      ]);
      expect(verdicts[0]?.wrong).toMatch(wrong);
    },
    300_000,
  );
});
