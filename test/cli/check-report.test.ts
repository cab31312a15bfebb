/** What `synthproc check` says: words, text and page, of a result made by hand; and the choice of scenarios. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { TraceStep } from "../../src/check/explore/report.ts";
import type { Scenario } from "../../src/check/scenario.ts";
import * as words from "../../mount/check/report/describe.ts";
import { renderHtml, renderReplayHtml } from "../../mount/check/report/html.ts";
import { tell } from "../../mount/check/report/story.ts";
import { renderList, renderReplay, renderText } from "../../mount/check/report/text.ts";
import { accessText, valueAfter } from "../../mount/check/report/words.ts";
import type { Outcome } from "../../mount/check/result.ts";
import { readSchedules, saveSchedule } from "../../mount/check/saved.ts";
import type { SavedSchedule } from "../../mount/check/saved.ts";
import { nearNames, select } from "../../mount/check/select.ts";
import { EVIL_WORD, FAILS, FAILURE, HOLDS, REPLAY, SAMPLE, STEPS } from "./check-sample.ts";

const PLAIN = { colour: false, stacks: false };

type Access = Pick<TraceStep, "operation" | "operands" | "result">;

function step({ operation, operands, result }: Access): TraceStep {
  return { thread: "a", stack: [], word: "w", operation, operands, result };
}

describe("an access in words", () => {
  const ROWS: [access: Access, before: number | undefined, text: string, after: number | undefined][] = [
    [{ operation: "load", operands: [], result: 3 }, undefined, "w is 3", 3],
    [{ operation: "loadU32", operands: [], result: 4294967295 }, undefined, "w is 4294967295", 4294967295],
    [{ operation: "store", operands: [4], result: null }, undefined, "w = 4 (store)", 4],
    [{ operation: "store", operands: [4], result: null }, 3, "w: 3 -> 4 (store)", 4],
    [{ operation: "add", operands: [-1], result: 1 }, 7, "w: 1 -> 0 (add -1)", 0],
    [{ operation: "add", operands: [1], result: 2147483647 }, 0, "w: 2147483647 -> -2147483648 (add 1)", -2147483648],
    [{ operation: "or", operands: [6], result: 1 }, 1, "w: 1 -> 7 (or 6)", 7],
    [{ operation: "and", operands: [6], result: 3 }, 3, "w: 3 -> 2 (and 6)", 2],
    [{ operation: "exchange", operands: [9], result: 3 }, 3, "w: 3 -> 9 (exchange)", 9],
    [{ operation: "compareExchange", operands: [0, -1], result: 0 }, 0, "w: 0 -> -1 (compare-exchange)", -1],
    [{ operation: "compareExchange", operands: [0, -1], result: 2 }, 2, "w is 2, not 0", 2],
    [{ operation: "wait", operands: [5], result: "sleeps" }, 5, "sleeps while w is 5", 5],
    [{ operation: "wait", operands: [5], result: "goes on" }, 6, "need not sleep: w is not 5", undefined],
    [{ operation: "wake", operands: [], result: null }, 6, "goes on, woken (w)", undefined],
    [{ operation: "timeout", operands: [], result: null }, 5, "sleeps no longer: its time has run out (w)", undefined],
    [{ operation: "plainRead", operands: [], result: null }, 5, "plain load of w", undefined],
    [{ operation: "plainWrite", operands: [], result: null }, 5, "plain store to w", undefined],
    [{ operation: "nap", operands: [1], result: "sleeps" }, 1, "naps while w is 1", 1],
    [{ operation: "notify", operands: [1], result: 0 }, 1, "wakes nobody, since none sleeps on w", undefined],
    [{ operation: "notify", operands: [9], result: 2 }, 1, "wakes 2 on w", undefined],
  ];

  test.each(ROWS)("%j after %s: %s", (access, before, text, after) => {
    expect(accessText(step(access), before)).toBe(text);
    expect(valueAfter(step(access))).toBe(after);
  });

  test("an operation that nobody knows is an error", () => {
    const unknown = step({ operation: "frob", operands: [], result: null });
    expect(() => accessText(unknown, 0)).toThrow('no words for the operation "frob"');
  });
});

describe("the story of a run", () => {
  const { threads, events } = tell(REPLAY);

  test("has a lane for each thread, and marks where another goes on", () => {
    expect(threads).toEqual(["exec", "reader"]);
    expect(events.map((event) => event.lane)).toEqual([0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
    expect(events.filter((event) => event.switched).map((event) => event.number)).toEqual([2, 5, 8]);
  });

  test("says whose value an access finds, and who woke the thread", () => {
    expect(events.flatMap(({ number, sees }) => (sees === null ? [] : [[number, sees]]))).toEqual([
      [3, 1],
      [8, 6],
      [9, 5],
    ]);
    expect(events.flatMap(({ number, wokenBy }) => (wokenBy === null ? [] : [[number, wokenBy]]))).toEqual([[8, 7]]);
  });

  test("of several sleepers the first is woken first, and one that timed out is none", () => {
    const at = { operands: [0], stack: [] };
    const sleeps = (thread: string): TraceStep => ({ ...at, thread, operation: "wait", word: "w", result: "sleeps" });
    const wakes: TraceStep = { ...at, thread: "d", operation: "notify", word: "w", result: 1 };
    const loads = (thread: string): TraceStep => ({ ...at, thread, operation: "load", word: "v", result: 0 });
    const late: TraceStep = { ...at, thread: "a", operation: "timeout", word: "w", result: null };
    const steps = [sleeps("a"), sleeps("b"), sleeps("c"), late, wakes, loads("c"), loads("b")];
    const woken = tell({ steps, beyond: 0, failure: null }).events.map((event) => event.wokenBy);
    expect(woken).toEqual([null, null, null, null, null, null, 5]);
  });

  test("names the function that loads, not the module that all accesses go through", () => {
    expect(events.at(-1)!.site).toMatchObject({ file: "src/kernel/io-accounting.ts", fn: "doIoAccounting" });
    expect(events.at(-1)!.callers).toEqual([]);
    expect(events[0]!.callers.map((site) => site.fn)).toEqual(["doIoAccounting"]);
  });
});

describe("the text", () => {
  const text = renderText(SAMPLE, PLAIN);
  const lines = text.split("\n");
  const row = (name: string): string => lines.find((line) => line.startsWith(`${name}  `)) ?? "";

  test("has one line for each access: thread, place, function, access", () => {
    expect(lines).toContain(
      " 5  → exec    src/sync/rwsem.ts:139           upWrite           signal 1.execUpdateLock: -1 -> 0 (store)",
    );
    expect(lines).toContain(
      " 8  → reader  src/sync/rwsem.ts:61            downReadKillable  signal 1.execUpdateLock+2 is 1 (woken by 7)",
    );
    expect(lines.filter((line) => /^ ?\d+ {2}[→ ] (exec|reader) /.test(line))).toHaveLength(STEPS.length);
    expect(lines).toContain("oracle in execution 1,234: the owner saw 7 & nothing else");
    expect(lines).toContain("Again: synthproc check io/exec-setuid --form lockfree --replay 'a1.b3 a'");
  });

  test("has a row for each scenario, and totals", () => {
    expect(row("seqlock/whole-read")).toMatch(/lockfree +all +35 +4 +35 +holds +0\.02 s$/);
    expect(row("io/exec-setuid")).toMatch(/1,234 +4 +35 +fails: oracle/);
    expect(row("kcmp/exec-both")).toMatch(/5,000 runs, depth 3 .* nothing found +1 min 23 s$/);
    expect(row("maps/split")).toMatch(/2 preemptions .* not finished: time/);
    expect(row("timers/delete")).toMatch(/ – .* broken +–$/);
    expect(lines.at(-2)).toMatch(
      /^1 holds, 1 nothing found, 1 fails, 1 broken, 1 not finished, 1 not run; 1,355 executions in 2\.50 s /,
    );
    expect(text).not.toContain("\u001b");
    expect(text).not.toMatch(/[ \t]$/m);
  });

  test("with stacks, has the calls below each access", () => {
    const stacked = renderText(SAMPLE, { ...PLAIN, stacks: true });
    expect(stacked.split("\n")).toContain("          in doIoAccounting, src/kernel/io-accounting.ts:88");
  });

  test("on a terminal, threads have colours", () => {
    expect(renderText(SAMPLE, { ...PLAIN, colour: true })).toContain("\u001b[35mreader\u001b[39m");
  });

  test("has one line for all that were not run, and says what ended it", () => {
    expect(row("timers/exit")).toBe("");
    expect(lines).toContain("1 not run");
    expect(text).toContain("The first one that is wrong ended it; with --keep-going ");
    const interrupted = renderText({ ...SAMPLE, interrupted: "SIGINT" }, PLAIN);
    expect(interrupted).toContain("Ended by SIGINT");
    expect(interrupted).not.toContain("--keep-going");
    expect(renderText({ ...SAMPLE, outcomes: [HOLDS] }, PLAIN)).not.toMatch(/--keep-going|not run/);
    const none = renderText({ ...SAMPLE, outcomes: [SAMPLE.outcomes.at(-1)!], interrupted: "SIGINT" }, PLAIN);
    expect(none).toMatch(/^1 not run\n\nEnded by SIGINT/);
  });

  test("says how many hold only up to a bound", () => {
    const bounded = { ...HOLDS, extent: { kind: "bounded", preemptions: 2 } } as const;
    const totals = (...outcomes: Outcome[]): string => words.totals({ ...SAMPLE, outcomes });
    expect(totals(HOLDS, HOLDS)).toBe("2 hold");
    expect(totals(HOLDS, bounded, bounded)).toBe("3 hold (2 of them up to a bound)");
    expect(totals(bounded)).toBe("1 holds up to a bound");
  });

  test("of a replay ends with the verdict", () => {
    expect(renderReplay("name", REPLAY, PLAIN)).toMatch(
      /^name\n 1 {2}[^]*\n\noracle: the owner saw 7 & nothing else\n$/,
    );
    expect(renderReplay("name", { ...REPLAY, failure: null }, PLAIN)).toMatch(
      /\n\nNothing is wrong with this run\.\n$/,
    );
    expect(renderReplay("name", { ...REPLAY, beyond: 3 }, PLAIN)).toMatch(
      /\n\nThe schedule ended before the run, which then made 3 accesses\.\noracle: /,
    );
  });

  test("of a mistake without any shared access says so, on the page as well", () => {
    const replay = { steps: [], beyond: 0, failure: FAILURE };
    expect(renderReplay("name", replay, PLAIN)).toMatch(/^name\nNo access to a word [^]*\noracle: /);
    expect(renderHtml({ ...SAMPLE, outcomes: [{ ...FAILS, replay }] })).toContain("<p>No access to a word");
  });

  test.each(["abc", "a1.b3 a", "it's"])("a shell reads the schedule %s as it is", (schedule) => {
    const command = words.replayCommand(HOLDS, schedule);
    const { stdout } = spawnSync("sh", ["-c", command.replace(/^synthproc.*--replay/, "printf %s")], {
      encoding: "utf8",
    });
    expect(stdout).toBe(schedule);
  });
});

describe("the page", () => {
  const html = renderHtml(SAMPLE);
  const reader = fileURLToPath(new URL("../bench-report/page.py", import.meta.url));
  const { stdout, stderr } = spawnSync("python3", [reader], { input: html, encoding: "utf8", timeout: 30_000 });
  const page = JSON.parse(stdout) as Record<"tags" | "attributes" | "ids" | "links" | "headings", string[]> & {
    rows: string[][];
    text: string;
  };

  test("is well-formed and needs nothing else: no script, no address, no other file", () => {
    expect(stderr).toBe("");
    expect(html).not.toMatch(/https?:|@import|javascript:|url\(/i);
    for (const tag of ["script", "link", "img", "iframe", "object", "image", "use"])
      expect(page.tags).not.toContain(tag);
    expect(page.attributes.filter((name) => name.startsWith("on") || name === "src")).toEqual([]);
  });

  test("has ids that are unique, and only links and labels that lead to one of them", () => {
    expect(new Set(page.ids).size).toBe(page.ids.length);
    for (const link of page.links) expect(page.ids).toContain(link.slice(1));
    for (const [, target] of html.matchAll(/ for="([^"]*)"/g)) expect(page.ids).toContain(target);
  });

  test("has a row for each access, with a radio button, so that keys reach it, and its details", () => {
    const rows = page.rows.filter((row) => /^\d+$/.test(row[1] ?? ""));
    expect(rows.map((row) => row[3])).toEqual(tell(REPLAY).events.map((event) => event.text));
    expect(rows[2]!.at(-1)).toContain("m.compareExchange(sem + COUNT, count, count + 1) in downReadTrylock");
    expect(rows[2]!.at(-1)).toContain("sees what was written by 1");
    expect(rows[6]!.at(-1)).toContain("woke 8");
    expect([...html.matchAll(/<input\s+type="radio"/g)]).toHaveLength(STEPS.length);
    expect(html).not.toContain(EVIL_WORD);
  });

  test("of one run has it and its verdict, whether it fails or not", () => {
    const job = { scenario: "io/exec-setuid", form: "lockfree", about: "what it is about" } as const;
    const fails = renderReplayHtml(job, "a1.b3", REPLAY);
    const fine = renderReplayHtml(job, "a1.b3", { ...REPLAY, failure: null });
    expect(fails).toContain('<p class="wrong">oracle: the owner saw 7 &amp; nothing else</p>');
    expect(fine).toContain('<p class="">Nothing is wrong with this run.</p>');
    for (const page of [fails, fine]) {
      expect([...page.matchAll(/<input\s+type="radio"/g)]).toHaveLength(STEPS.length);
      expect(page).toContain("synthproc check io/exec-setuid --form lockfree --replay a1.b3");
      expect(spawnSync("python3", [reader], { input: page, encoding: "utf8" }).stderr).toBe("");
    }
  });

  test("draws an arrow for each value that another thread finds, and for each waking", () => {
    expect([...html.matchAll(/class="arrow sees"/g)]).toHaveLength(3);
    expect([...html.matchAll(/class="arrow woken"/g)]).toHaveLength(1);
    for (const [, path] of html.matchAll(/ d="([^"]*)"/g)) expect(path).toMatch(/^[MLCZ0-9. -]+$/);
  });

  test("has a row for each scenario and a section for each that fails", () => {
    expect(page.headings).toEqual([
      "synthproc check",
      "Scenarios",
      "io/exec-setuid (lockfree)",
      "timers/delete (lockfree)",
    ]);
    for (const { scenario } of SAMPLE.outcomes) expect(page.rows.map(([name]) => name)).toContain(scenario);
    expect(page.text).toContain("the owner saw 7 & nothing else");
    expect(page.text.replace(/:root \{[^]*?\}/g, "")).not.toMatch(/NaN|Infinity|undefined|\bnull\b|\[object/);
  });
});

describe("the choice of scenarios", () => {
  const spec = (name: string, rest: Partial<Scenario> = {}): Scenario => ({
    name,
    about: `about ${name}`,
    setup: () => null,
    threads: {},
    check: () => null,
    ...rest,
  });
  const all = [spec("io/exec", { paths: [0], quick: true }), spec("seqlock/read"), spec("io/exit", { paths: [0] })];
  const chosen = (...names: string[]): string[] =>
    select(all, { names }).map(({ scenario, form }) => `${scenario} ${form}`);

  test("all of them, each in its forms, by name", () => {
    expect(chosen()).toEqual([
      "io/exec lockfree",
      "io/exec locked",
      "io/exit lockfree",
      "io/exit locked",
      "seqlock/read lockfree",
    ]);
  });

  test("names and beginnings of names, each scenario once", () => {
    expect(chosen("io/exit", "seq")).toEqual(["io/exit lockfree", "io/exit locked", "seqlock/read lockfree"]);
    expect(chosen("io", "io/exec")).toHaveLength(4);
  });

  test("a name alone, though others begin with it", () => {
    const two = [spec("io/exec"), spec("io/exec-setuid")];
    const names = (...wanted: string[]): string[] => select(two, { names: wanted }).map((job) => job.scenario);
    expect(names("io/exec")).toEqual(["io/exec"]);
    expect(names("io/exe")).toEqual(["io/exec", "io/exec-setuid"]);
    expect(names("io/exec", "io/exec-")).toEqual(["io/exec", "io/exec-setuid"]);
  });

  test("an empty name is an error", () => {
    expect(() => chosen("")).toThrow("the name of a scenario is empty");
  });

  test("one form, the quick ones, another extent", () => {
    const jobs = select(all, { names: [], form: "locked", quick: true, extent: { kind: "bounded", preemptions: 1 } });
    expect(jobs).toEqual([
      { scenario: "io/exec", form: "locked", about: "about io/exec", extent: { kind: "bounded", preemptions: 1 } },
    ]);
  });

  test("an unknown name is an error that names what is near", () => {
    expect(() => chosen("io/exce")).toThrow('there is no scenario "io/exce"; did you mean io/exec or io/exit?');
    expect(() => chosen("seqlok")).toThrow("did you mean seqlock or seqlock/read?");
    expect(() => chosen("nothing-like-it")).toThrow("; --list shows them all");
    expect(nearNames("kcpm", ["kcmp/exec", "io/exec"])).toEqual(["kcmp"]);
  });

  test("nothing left is an error that says why", () => {
    expect(() => select(all, { names: ["seqlock"], form: "locked" })).toThrow(
      "nothing that begins with seqlock has the form locked",
    );
    expect(() => select(all, { names: ["seqlock"], quick: true, form: "locked" })).toThrow("is quick and has the form");
  });

  test("is listed a line each", () => {
    expect(renderList(all).split("\n")[0]).toBe("io/exec       lockfree, locked  all  about io/exec");
  });

  test("is listed in lines that fit a terminal", () => {
    const about = "a reader that has to wait for a writer gets what this one has written";
    const wide = renderList([spec("io/exec", { about })], 77).split("\n");
    const column = " ".repeat("io/exec  lockfree  all  ".length);
    expect(wide).toEqual([
      "io/exec  lockfree  all  a reader that has to wait for a writer gets what this",
      `${column}one has written`,
      "",
    ]);
    const narrow = renderList([spec("io/exec", { about })], 50).split("\n");
    expect(narrow).toEqual([
      "io/exec  lockfree  all",
      "    a reader that has to wait for a writer gets",
      "    what this one has written",
      "",
    ]);
  });
});

describe("failing schedules", () => {
  const dir = mkdtempSync(join(tmpdir(), "synthproc-schedules-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  test("are kept once, each in a file of its own", () => {
    const first = saveSchedule(dir, FAILS);
    expect(first).toEqual({ file: join(dir, "io-exec-setuid-lockfree.json"), known: false });
    expect(saveSchedule(dir, FAILS)).toEqual({ ...first, known: true });
    const failure = { ...FAILURE, schedule: "b1" };
    const second = saveSchedule(dir, { ...FAILS, report: { ...FAILS.report!, failure } });
    expect(second.file).toBe(join(dir, "io-exec-setuid-lockfree-2.json"));
    expect(readSchedules(dir).map(([name, { schedule }]) => [name, schedule])).toEqual([
      ["io-exec-setuid-lockfree-2", "b1"],
      ["io-exec-setuid-lockfree", "a1.b3 a"],
    ]);
    expect(JSON.parse(readFileSync(first.file, "utf8"))).toEqual({
      scenario: "io/exec-setuid",
      form: "lockfree",
      break: null,
      schedule: "a1.b3 a",
      expect: { kind: "oracle", message: "the owner saw 7 & nothing else" },
      found: "synthproc check io/exec-setuid --form lockfree, execution 1234",
    });
  });

  test("of a deliberate mistake aren't those of the shipped code", () => {
    const folder = join(dir, "mistakes");
    const first = saveSchedule(folder, FAILS);
    const saved = JSON.parse(readFileSync(first.file, "utf8")) as SavedSchedule;
    writeFileSync(first.file, JSON.stringify({ ...saved, break: [{ file: "src/a.ts", find: "b", replace: "" }] }));
    const second = saveSchedule(folder, FAILS);
    expect(second).toEqual({ file: join(folder, "io-exec-setuid-lockfree-2.json"), known: false });
    expect(saveSchedule(folder, FAILS)).toEqual({ ...second, known: true });
  });

  test("a scenario that holds has none", () => {
    expect(() => saveSchedule(dir, HOLDS)).toThrow("has no failure to save");
  });
});
