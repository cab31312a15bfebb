/** `synthproc check`, the program: what it explores, what it says, which status it ends with. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Replay } from "../../src/check/explore/report.ts";
import type { ScenarioDescription } from "../../mount/check/report/describe.ts";
import type { CheckResult } from "../../mount/check/result.ts";
import type { SavedSchedule } from "../../mount/check/saved.ts";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { Programs } from "../model/program.ts";
import type { TestProgram } from "../model/program.ts";
import { before, replaced } from "../stress/edits.ts";
import type { Outcome } from "../support/programs.ts";
import { ended } from "../support/programs.ts";
import { PROGRAM } from "./helpers.ts";

const TIMEOUT_MS = 60_000;
const SEQLOCK = "seqlock/whole-read";
/** A reader that believes whatever it has read. */
const NO_RETRY = replaced("src/sync/seqlock.ts", "return seqcountRetry(m, lock, snapshot);", "return snapshot < 0;");

/** A setup that doesn't work. */
const THROWS = before(
  "src/check/scenarios/sync/spinlock.scenario.ts",
  "return { lock: words(k, SPINLOCK_WORDS)",
  'throw new Error("no lock today"); ',
);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A schedule that is kept, of a scenario with one form. */
const LOCKREF = `${ROOT}fixtures/schedules/lockref-put-while-locked.json`;

const scratch = mkdtempSync(join(tmpdir(), "synthproc-check-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Marks in the text are no latin1. */
async function check(...args: string[]): Promise<Outcome> {
  const outcome = await ended(process.execPath, [PROGRAM, "check", ...args], { timeout: TIMEOUT_MS });
  return { ...outcome, stdout: Buffer.from(outcome.stdout, "latin1").toString("utf8") };
}

describe("the shipped program", () => {
  test("--list has a line for each scenario", async () => {
    const { status, stdout, stderr } = await check("--list", "seqlock");
    expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^${SEQLOCK} +lockfree +all +a reader that needs no retry`, "m"));
    for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^seqlock\//);
  });

  test("--list --json is a description of each", async () => {
    const { status, stdout } = await check("--list", "--json", "io/counting", SEQLOCK);
    expect(status).toBe(EXIT.ok);
    const listed = JSON.parse(stdout) as ScenarioDescription[];
    expect(listed.map(({ scenario, forms }) => [scenario, forms.map(({ form }) => form)])).toEqual([
      ["io/counting", ["lockfree", "locked"]],
      [SEQLOCK, ["lockfree"]],
    ]);
    expect(listed[1]).toMatchObject({ quick: true, forms: [{ extent: { kind: "all" } }] });
  });

  test("a scenario that holds", async () => {
    const { status, stdout, stderr } = await check(SEQLOCK);
    expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^${SEQLOCK} +lockfree +all +\\d+ +\\d+ +\\d+ +holds +[\\d.]+ s$`, "m"));
    expect(stdout).toMatch(/^1 holds; \d+ executions in /m);
  });

  test("--json is one document, and a second run does the same", async () => {
    const counts = async (): Promise<number[]> => {
      const { status, stdout } = await check(SEQLOCK, "--json", "--jobs", "1");
      expect(status).toBe(EXIT.ok);
      const { outcomes } = JSON.parse(stdout) as CheckResult;
      expect(outcomes).toMatchObject([{ scenario: SEQLOCK, form: "lockfree", verdict: "holds", replay: null }]);
      const { executions, traces, blocked, steps } = outcomes[0]!.report!;
      expect(executions).toBeGreaterThanOrEqual(traces);
      return [executions, traces, blocked, steps];
    };
    expect(await counts()).toEqual(await counts());
  });

  test("other bounds: few preemptions, a sample", async () => {
    const bounded = await check(SEQLOCK, "--bound", "1");
    expect(bounded.stdout).toMatch(/ 1 preemption +\d+ .* holds /);
    const all = await check(SEQLOCK, "--bound", "all");
    expect(all.stdout).toMatch(/ all +\d+ .* holds /);
    const sampled = await check(SEQLOCK, "--sample", "50", "--seed", "3");
    expect(sampled.stdout).toMatch(/ 50 runs, depth 3 +50 .* nothing found /);
    expect(sampled.stdout).toMatch(/^1 nothing found; /m);
    expect([bounded.status, all.status, sampled.status]).toEqual([EXIT.ok, EXIT.ok, EXIT.ok]);
  });

  test("a limit leaves it unfinished", async () => {
    const few = await check(SEQLOCK, "--max-executions", "2");
    expect(few.stdout).toMatch(/ not finished: executions /);
    const short = await check(SEQLOCK, "--sample", "1000000000", "--time-limit", "0.2");
    expect(short.stdout).toMatch(/ not finished: time /);
    expect([few.status, short.status]).toEqual([EXIT.unfinished, EXIT.unfinished]);
  });

  test(
    "without a terminal, what takes long says now and then how far it is",
    async () => {
      const { stderr } = await check("seqlock", "--sample", "1000000000", "--time-limit", "2.1", "--jobs", "1");
      expect(stderr).toMatch(/^(check: \d+% \(seqlock\/.* \(lockfree\)\)\n)+$/);
    },
    TIMEOUT_MS,
  );

  const WRONG: [args: string[], sentence: RegExp][] = [
    [["seqlok/whole-read"], /there is no scenario "seqlok\/whole-read"; did you mean seqlock\/whole-read/],
    [["seqlock", "--form", "locked"], /nothing that begins with seqlock has the form locked/],
    [["seqlock", "io", "--replay", "x"], /--replay needs the full name of one scenario/],
    [[SEQLOCK, "--replay", "no such thing"], /the schedule/],
    [["io/counting", "--replay", "a1"], /io\/counting has two forms: add --form lockfree or --form locked/],
    [["seqlock", "--replay", "a1"], /"seqlock" is no scenario, but the beginning of \d names; one is needed in full/],
    [["io/exec", "--replay", LOCKREF], /lockref-put.*\.json is of lockref\/steady-count \(lockfree\), not of io\/exec/],
    [["--replay", `${ROOT}package.json`], /package\.json holds no schedule: it needs "scenario", "form"/],
    [[""], /the name of a scenario is empty/],
    [["--program", "/nope"], /\/nope: there is no transformed program/],
  ];

  test.each(WRONG)("%j is wrong usage", async (args, sentence) => {
    const { status, stdout, stderr } = await check(...args);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^synthproc: [^\n]*\n$/);
    expect({ status, stdout }).toEqual({ status: EXIT.usage, stdout: "" });
  });
});

test("a name for two scenarios is an error, and names both files", async () => {
  const dir = join(scratch, "twice");
  const entries = ["src/check/scenarios/a.scenario.js", "src/check/scenarios/b.scenario.js"];
  mkdirSync(join(dir, "src/check/scenarios"), { recursive: true });
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
  writeFileSync(join(dir, "program.json"), JSON.stringify({ entries, sites: [] }));
  const text = 'export const one = { name: "a/b", about: "", setup() {}, threads: {}, check() {} };\n';
  for (const entry of entries) writeFileSync(join(dir, entry), text);
  expect(await check("--program", dir, "--list")).toMatchObject({
    status: EXIT.failed,
    stdout: "",
    stderr:
      "synthproc: two scenarios are called a/b, in src/check/scenarios/a.scenario.ts and in src/check/scenarios/b.scenario.ts\n",
  });
});

describe("a program with a mistake", () => {
  let broken: TestProgram;
  let outcome: Outcome;
  const page = join(scratch, "page.html");
  const kept = join(scratch, "schedules");

  beforeAll(async () => {
    broken = new Programs().build([NO_RETRY, THROWS]);
    outcome = await check(SEQLOCK, "--program", broken.dir, "--html", page, "--save", kept);
  }, TIMEOUT_MS);
  afterAll(() => broken.remove());

  function replayArgument(): string {
    return /--replay '?([^'\n]*)'?$/m.exec(outcome.stdout)![1]!;
  }

  test("fails, with an interleaving of both threads", () => {
    expect(outcome.status).toBe(EXIT.violated);
    expect(outcome.stdout).toMatch(/^oracle in execution \d+: a reader got \d and \d$/m);
    expect(outcome.stdout).toMatch(
      /^ *\d+ {2}[→ ] reader +src\/check\/scenarios\/sync\/seqlock\.scenario\.ts:\d+ +look +.* is \d$/m,
    );
    expect(outcome.stdout).toMatch(/^ *\d+ {2}→ writer /m);
    expect(outcome.stdout).toMatch(new RegExp(`^${SEQLOCK} .* fails: oracle `, "m"));
  });

  test("the replay shows the same again", async () => {
    const args = [SEQLOCK, "--form", "lockfree", "--replay", replayArgument(), "--program", broken.dir];
    const again = await check(...args);
    expect(again.status).toBe(EXIT.violated);
    const accesses = (text: string): string[] => text.split("\n").filter((line) => /^ *\d+ {2}[→ ] /.test(line));
    expect(accesses(again.stdout).length).toBeGreaterThan(3);
    expect(accesses(again.stdout)).toEqual(accesses(outcome.stdout));
    const json = JSON.parse((await check(...args, "--json")).stdout) as Replay;
    expect(json.failure).toMatchObject({ kind: "oracle" });
    expect(json.steps).toHaveLength(accesses(again.stdout).length);
    const stacked = await check(...args, "--stacks");
    expect(stacked.stdout.split("\n").length).toBeGreaterThan(again.stdout.split("\n").length);
  });

  test("the replay is drawn too, and takes the kept file", async () => {
    const drawn = join(scratch, "replay.html");
    const saved = join(kept, "seqlock-whole-read-lockfree.json");
    const { status, stdout } = await check("--replay", saved, "--program", broken.dir, "--html", drawn);
    expect(status).toBe(EXIT.violated);
    expect(stdout).toContain(`--replay ${replayArgument()}\n`);
    expect(readFileSync(drawn, "utf8")).toContain(`<title>synthproc check: ${SEQLOCK} (lockfree)</title>`);
  });

  test("a folder where nothing can be kept is told at once, or changes nothing of what is found", async () => {
    const early = await check(SEQLOCK, "--program", broken.dir, "--save", page);
    expect(early).toMatchObject({
      status: EXIT.failed,
      stdout: "",
      stderr: `synthproc: ${page}: not a directory (ENOTDIR)\n`,
    });
    const { status, stderr } = await check(SEQLOCK, "--program", broken.dir, "--save", "/proc/none/here");
    expect(status).toBe(EXIT.violated);
    expect(stderr).toMatch(/^not saved: \/proc\/none: /);
  });

  test("what is kept already isn't saved again", async () => {
    const { stderr } = await check(SEQLOCK, "--program", broken.dir, "--save", kept);
    expect(stderr).toBe(`known already: ${join(kept, "seqlock-whole-read-lockfree.json")}\n`);
  });

  test("a setup that throws is named by its line in the sources", async () => {
    const { status, stdout } = await check("spinlock", "--program", broken.dir);
    expect(status).toBe(EXIT.internal);
    expect(stdout).toMatch(
      /^It could not be explored: Error: no lock today\n {2}in \w+, src\/check\/scenarios\/sync\/spinlock\.scenario\.ts:\d+\n/m,
    );
    expect(stdout).not.toMatch(/dist\/|node:/);
  });

  test("is drawn on a page, and kept as a file", () => {
    expect(readFileSync(page, "utf8")).toContain(`<h2 id="seqlock-whole-read-lockfree">`);
    expect(readdirSync(kept)).toEqual(["seqlock-whole-read-lockfree.json"]);
    const saved = JSON.parse(readFileSync(join(kept, "seqlock-whole-read-lockfree.json"), "utf8")) as SavedSchedule;
    expect(saved).toMatchObject({ scenario: SEQLOCK, form: "lockfree", break: null, expect: { kind: "oracle" } });
    expect(saved.schedule).toBe(replayArgument());
    expect(outcome.stderr).toBe(`saved: ${join(kept, "seqlock-whole-read-lockfree.json")}\n`);
  });

  test("a page that can't be written is known before anything is explored", async () => {
    const { status, stderr } = await check(SEQLOCK, "--html", "/nope/page.html");
    expect(stderr).toMatch(/^synthproc: \/nope\/page\.html: no such file or directory \(ENOENT\)\n$/);
    expect(status).toBe(EXIT.failed);
  });
});

test(
  "SIGINT ends it with what is known",
  async () => {
    // In the foreground it signals the program once, not the program and then its whole group.
    const args = [
      "--foreground",
      "--signal=INT",
      "8",
      process.execPath,
      PROGRAM,
      "check",
      "io",
      "--sample",
      "1000000000",
    ];
    const { stdout, stderr } = await ended("timeout", args, { timeout: TIMEOUT_MS });
    expect(stderr).not.toMatch(/[5-9]\d%/);
    expect(stdout).toMatch(/Ended by SIGINT/);
    expect(stdout).toMatch(/ not finished: stopped /);
    expect(stdout).toMatch(/^\d+ not run$/m);
  },
  TIMEOUT_MS,
);
