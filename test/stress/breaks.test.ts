/**
 * Each deliberate mistake of breaks.ts is reported by the oracle that must notice it; the delays that make races likelier
 * are no mistakes, all those of a world together. Two runs go on at a time.
 */
import { describe, expect, test } from "vitest";
import type { Break } from "./breaks.ts";
import { BREAKS } from "./breaks.ts";
import type { Edit } from "./harness.ts";
import { bundle, runStress } from "./harness.ts";
import type { StressJob, StressResult } from "./world.ts";
import { WORLDS } from "./worlds.ts";

/** What the oracle has to find a mistake; most take a tenth of a second. */
const SEARCH_MS = 60_000;
const CONTROL_MS = 4000;
/** Tests wait for their turn. */
const TIMEOUT_MS = 1_000_000;
const AT_ONCE = 2;

/** Lets so many tests run at once. */
class Turns {
  private free = AT_ONCE;
  private readonly waiting: (() => void)[] = [];

  async take<T>(body: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}

const turns = new Turns();

function runWith(edits: readonly Edit[], job: StressJob): Promise<StressResult> {
  return turns.take(async () => {
    const program = await bundle(edits);
    try {
      return await runStress(program, job);
    } finally {
      program.remove();
    }
  });
}

/** The delays of all mistakes in a world, each once. */
function delaysOf(world: string): Edit[] {
  const delays = new Map<string, Edit>();
  for (const entry of BREAKS) {
    if (entry.world !== world) continue;
    for (const edit of entry.delay ?? []) delays.set(JSON.stringify(edit), edit);
  }
  return [...delays.values()];
}

const USUAL = { form: "lockfree", milliseconds: SEARCH_MS, seed: 1, lockdep: true, stopAtFirst: true } as const;

function jobOf(entry: Break): StressJob {
  const { world, form = USUAL.form, milliseconds = SEARCH_MS, fails, withoutLockdep, withoutInterrupts } = entry;
  const lockdep = withoutLockdep !== true;
  const interrupts = withoutInterrupts !== true;
  return { ...USUAL, world, form, milliseconds, lockdep, interrupts, stuckAfter: fails === undefined ? 20_000 : 5000 };
}

describe.concurrent("each mistake is reported", () => {
  test.each(BREAKS)(
    "$name",
    async (entry) => {
      const { delay = [], edits, says = /./, fails } = entry;
      const result = await runWith([...delay, ...edits], jobOf(entry));
      if (fails === undefined) expect(result.violations.join("\n"), result.failures.join("\n")).toMatch(says);
      else expect(result.failures.join("\n"), result.violations.join("\n")).toMatch(fails);
    },
    TIMEOUT_MS,
  );

  test.each(Object.keys(WORLDS).filter((world) => delaysOf(world).length > 0))(
    "%s: delays alone are no mistakes",
    async (world) => {
      const forms = ["lockfree", "locked"] as const;
      for (const form of forms) {
        const job = { ...USUAL, world, form, milliseconds: CONTROL_MS / forms.length, stuckAfter: 20_000 };
        const { violations, failures, reads } = await runWith(delaysOf(world), job);
        expect([...violations, ...failures]).toEqual([]);
        expect(reads).toBeGreaterThan(0);
      }
    },
    TIMEOUT_MS,
  );
});

test("a text that isn't there, or is there twice, is an error", async () => {
  const edit = (find: string): Edit => ({ file: "src/kernel/exec-update.ts", find, replace: "" });
  await expect(bundle([edit("there is no such text")])).rejects.toThrow("0 times");
  await expect(bundle([edit("import ")])).rejects.toThrow(/\d+ times/);
});
