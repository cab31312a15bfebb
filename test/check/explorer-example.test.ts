/** The scenario that docs/explorer.md shows is whole: it holds, and it fails without its lock. */
import { readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { exploreJob, loadProgram } from "../../mount/check/explorer.ts";
import type { Outcome } from "../../mount/check/result.ts";
import { select } from "../../mount/check/select.ts";
import { ProgramBuilder } from "../../src/check/interleave/build.ts";
import { MODEL_FILE } from "../../src/check/interleave/entries.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILE = "src/check/scenarios/counter.scenario.ts";
const TIMEOUT_MS = 60_000;

const EXAMPLE = /```ts\n(import [^]*?)```/.exec(readFileSync(`${ROOT}docs/explorer.md`, "utf8"))![1]!;
const builder = new ProgramBuilder(ROOT);

async function explored(text: string): Promise<Outcome> {
  const dir = builder.build({ entries: [MODEL_FILE, FILE], edits: new Map([[FILE, text]]) });
  try {
    const program = await loadProgram(dir);
    const [job, ...others] = select(program.scenarios, { names: [] });
    expect(others).toEqual([]);
    return exploreJob(program, job!, { seed: 1 }, () => true);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("the same stands at the head of scenario.ts", () => {
  const head = readFileSync(`${ROOT}src/check/scenario.ts`, "utf8").split(" */")[0]!;
  const lines = head.split("\n").map((line) => line.replace(/^ \* {0,5}/, ""));
  expect(lines.join("\n")).toContain(EXAMPLE);
});

test(
  "it holds",
  async () => {
    expect(await explored(EXAMPLE)).toMatchObject({ verdict: "holds", error: null });
  },
  TIMEOUT_MS,
);

test(
  "it fails without its lock",
  async () => {
    const unlocked = EXAMPLE.replace(/^ {2}spin\w+\(.*\n/gm, "");
    const { verdict, report } = await explored(unlocked);
    expect(verdict).toBe("fails");
    expect(report!.failure).toMatchObject({ kind: "oracle", message: "they found 0 and 0" });
  },
  TIMEOUT_MS,
);
