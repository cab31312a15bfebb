/** `synthproc bench`: what it measures, whether it measures both forms, and what it leaves behind. No test is on speed. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { BENCHES, BENCH_NAMES, PS } from "../../mount/bench/catalogue.ts";
import type { BenchResult, Comparison, Form, FormResult, WriterResult } from "../../mount/bench/result.ts";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { parseMountInfo } from "../../mount/mountinfo.ts";
import { PROGRAM, synthproc } from "../cli/helpers.ts";
import { cannotMount, removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import { ended } from "../support/programs.ts";
import type { Outcome } from "../support/programs.ts";
import { parseResult } from "./schema.ts";

const QUICK = ["--json", "--rounds", "1", "--seconds", "0.05", "--seed", "7"];
const LONG = ["--json", "--rounds", "50", "--seconds", "1", "--ps", "64"];
const TIMEOUT = 110_000;

const directories: string[] = [];
afterEach(() => {
  for (const dir of directories.splice(0)) removeDirectory(dir);
});

/** A folder in which everything temporary is to be found. */
function temporary(): string {
  const dir = temporaryDirectory();
  directories.push(dir);
  return dir;
}

function bench(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = { timeout: TIMEOUT, env: { ...process.env, TMPDIR: temporary(), ...env } };
  return ended(process.execPath, [PROGRAM, "bench", ...args], options);
}

async function result(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<BenchResult> {
  const outcome = await bench([...QUICK, ...args], env);
  expect(outcome).toMatchObject({ status: EXIT.ok, signal: null });
  // On standard error there is progress, and nothing else.
  expect(outcome.stderr.replace(/^bench: \d+% \(.*\)\n/gm, "")).toBe("");
  return parseResult(outcome.stdout);
}

/** The readers of each form went the way that belongs to it. */
function expectForms({ name, forms }: Pick<Comparison, "name" | "forms">): void {
  const patched = (form: Form): number => eventsOf(forms[form], ["speculated", "rcu_walk"]);
  const previous = (form: Form): number => eventsOf(forms[form], ["fell_back", "ref_walk"]);
  expect(patched("lockfree"), `${name}, lockfree`).toBeGreaterThan(0);
  expect(previous("locked"), `${name}, locked`).toBeGreaterThan(0);
  expect(patched("locked"), `${name}, locked`).toBe(0);
}

function eventsOf(form: { events: Record<string, number> }, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (form.events[name] ?? 0), 0);
}

function expectMeasured(form: FormResult): void {
  expect(form.rounds).toHaveLength(1);
  for (const round of form.rounds) {
    expect(round.reads).toBeGreaterThan(0);
    expect(round.readErrors).toBe(0);
    expect(round.readsPerSecond).toBeGreaterThan(0);
  }
  expectWhole(form.writer);
}

/**
 * Every operation is in the histogram, and lies between the extremes. There may be none: on a busy machine a reader who has
 * lost its CPU can keep the writer waiting for all of a round.
 */
function expectWhole(writer: WriterResult): void {
  const { all, histogram } = writer;
  if (all === null) {
    expect(histogram).toEqual([]);
    return;
  }
  expect(histogram.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(all.count);
  expect(all.minNs).toBeLessThanOrEqual(all.medianNs);
  expect(all.medianNs).toBeLessThanOrEqual(all.p99Ns);
  expect(all.p99Ns).toBeLessThanOrEqual(all.maxNs);
  for (let i = 1; i < histogram.length; i++)
    expect(histogram[i]!.fromNs).toBeGreaterThanOrEqual(histogram[i - 1]!.toNs);
}

test(
  "in-process, every path is read in both forms while its writer works",
  async () => {
    const { comparisons, storms, skipped, options } = await result(["--where", "in-process"]);
    expect(comparisons.map((comparison) => comparison.name)).toEqual(BENCHES.map((one) => one.name));
    expect(options.names).toEqual(BENCHES.map((one) => one.name));
    expect(storms).toEqual([]);
    expect(skipped).toEqual([]);
    for (const comparison of comparisons) {
      expect(comparison).toMatchObject({ where: "in-process", readers: 2, writers: 1 });
      for (const form of ["lockfree", "locked"] as const) expectMeasured(comparison.forms[form]);
      expectWhole(comparison.writerAlone);
      expect(comparison.writerAlone.all?.count, comparison.name).toBeGreaterThan(0);
      expect(comparison.writerAlone.writesPerSecond.median, comparison.name).toBeGreaterThan(0);
      expectForms(comparison);
    }
    const remaps = comparisons.filter((comparison) => comparison.name.endsWith("-remap"));
    expect(remaps.map((comparison) => comparison.published?.ours)).toEqual(remaps.map(({ ratio }) => ratio.writerMean));
  },
  TIMEOUT,
);

test("rounds alternate A B B A, and the seed is kept", async () => {
  const { seed, comparisons } = await result(["stack", "--where", "in-process", "--rounds", "3"]);
  expect(seed).toBe(7);
  const { lockfree, locked } = comparisons[0]!.forms;
  expect(lockfree.rounds.map((round) => round.order)).toEqual([0, 3, 4]);
  expect(locked.rounds.map((round) => round.order)).toEqual([1, 2, 5]);
  expect(comparisons[0]!.ratio.readsPerSecond.low).toBeLessThanOrEqual(comparisons[0]!.ratio.readsPerSecond.high!);
});

describe.skipIf(cannotMount("test/bench-cli/bench"))("over the mount", () => {
  test("files, questions and attributes are read by clients in both forms", async () => {
    const names = ["io", "revalidate", "kcmp", "smaps_rollup-remap"];
    const { comparisons, skipped } = await result([...names, "--where", "mount", "--readers", "3"]);
    expect(comparisons.map((comparison) => comparison.name)).toEqual([
      "io",
      "revalidate",
      "kcmp",
      "smaps_rollup-remap",
    ]);
    expect(skipped).toEqual([]);
    for (const comparison of comparisons) {
      expect(comparison).toMatchObject({ where: "mount", readers: 3 });
      for (const form of ["lockfree", "locked"] as const) expectMeasured(comparison.forms[form]);
      expectForms(comparison);
    }
  });

  test("without a C compiler, clients are scripts, and the result says so", async () => {
    const { comparisons } = await result(["io", "kcmp", "--where", "mount"], { PATH: pathWithout(["cc"]) });
    for (const comparison of comparisons) {
      expect(comparison.notes.join(" ")).toMatch(/^Clients are node scripts \(there is no cc\)/);
      for (const form of ["lockfree", "locked"] as const) expectMeasured(comparison.forms[form]);
      expectForms(comparison);
    }
  });

  test("ps runs in parallel with path walks in both forms", async () => {
    const { storms } = await result([PS, "--ps", "1,12"]);
    expect(storms.map((storm) => storm.parallel)).toEqual([1, 12]);
    for (const storm of storms) {
      expectForms({ name: PS, forms: storm.forms as unknown as Comparison["forms"] });
      expect(storm.forms.locked.rounds.map((round) => round.runs)).toEqual([Math.max(8, storm.parallel)]);
    }
  });

  test("without ps, it is skipped, and the result says why", async () => {
    const { storms, skipped } = await result(["stack", PS, "--ps", "2"], { PATH: pathWithout(["ps"]) });
    expect(storms).toEqual([]);
    expect(skipped).toEqual([{ name: PS, where: "mount", why: "ps, seq, sed or xargs is not installed." }]);
  });

  test.each([
    ["SIGINT", "mount", 130, "io"],
    ["SIGINT", "mount", 130, PS],
    ["SIGINT", "in-process", 130, "io"],
    ["SIGTERM", "mount", 143, "io"],
  ] as const)("%s in the middle (%s, %#) leaves nothing behind", async (signal, where, status, name) => {
    const dir = temporary();
    const child = spawn(process.execPath, [PROGRAM, "bench", name, "--where", where, ...LONG], {
      env: { ...process.env, TMPDIR: dir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const end = new Promise((resolve) => child.once("close", (code, by) => resolve({ code, by })));
    await until(() => busy(dir, where), "the benchmark is at work");
    await sleep(300);
    child.kill(signal);
    expect(await end).toEqual({ code: status, by: null });
    expect(output).toBe("");
    expect(traces(dir)).toEqual({ mounts: [], files: [], processes: [] });
  });

  test("SIGKILL leaves no mount and no process", async () => {
    const dir = temporary();
    const child = spawn(process.execPath, [PROGRAM, "bench", "io", "--where", "mount", ...LONG], {
      env: { ...process.env, TMPDIR: dir },
      stdio: "ignore",
    });
    await until(() => busy(dir, "mount"), "the benchmark is at work");
    child.kill("SIGKILL");
    await until(() => traces(dir).mounts.length + traces(dir).processes.length === 0, "all of it is gone");
  });
});

describe.skipIf(cannotMount("test/bench-cli/bench"))("without mount(8)", () => {
  test("the rest is measured, and the result says what was left out", async () => {
    const { comparisons, skipped } = await result(["stack", PS], { PATH: pathWithout(["mount"]) });
    expect(comparisons.map(({ name, where }) => [name, where])).toEqual([["stack", "in-process"]]);
    expect(skipped.map(({ name, where }) => [name, where])).toEqual([
      ["stack", "mount"],
      [PS, "mount"],
    ]);
    for (const { why } of skipped) expect(why).toBe("mount(8) is not installed (package mount).");
  });

  test("asked for nothing else, it fails", async () => {
    const outcome = await bench(["io", "--where", "mount"], { PATH: pathWithout(["mount"]) });
    expect(outcome).toMatchObject({ status: EXIT.noFuse, stdout: "" });
    expect(outcome.stderr).toBe("synthproc: mount(8) is not installed (package mount).\n");
  });
});

test("ps without a mount is left out", async () => {
  const { skipped } = await result([PS, "stack", "--where", "in-process"]);
  expect(skipped).toEqual([{ name: PS, where: "mount", why: "It needs a mount, and --where says in-process." }]);
});

describe("the command line", () => {
  test("--list names everything, a line each", async () => {
    const outcome = await synthproc(["bench", "--list"]);
    expect(outcome.stderr).toBe("");
    const lines = outcome.stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.split(" ")[0])).toEqual([...BENCH_NAMES]);
    for (const line of lines) expect(line).toMatch(/^\S+ {2,}\S.*\S$/);
  });

  test("an unknown name is refused, and the names are listed", async () => {
    const outcome = await synthproc(["bench", "io", "frob"]);
    expect(outcome).toMatchObject({ status: EXIT.usage, stdout: "" });
    expect(outcome.stderr).toBe(`synthproc: there is no benchmark "frob"; there are ${BENCH_NAMES.join(", ")}\n`);
  });

  test.each([
    ["--rounds", "0"],
    ["--seconds", "0"],
    ["--seconds", "x"],
    ["--readers", "33"],
    ["--ps", "1,,2"],
    ["--ps", "0"],
    ["--where", "here"],
    ["--seed", "-1"],
  ])("%s %s is refused", async (option, value) => {
    const outcome = await synthproc(["bench", "stack", `${option}=${value}`]);
    expect(outcome).toMatchObject({ status: EXIT.usage, stdout: "" });
    expect(outcome.stderr).toMatch(/^synthproc: .*; see synthproc bench --help\n$/);
  });

  test("a report that can't be written is found out before anything is measured", async () => {
    const outcome = await synthproc(["bench", "stack", "--html", "/nonexistent/report.html"]);
    expect(outcome).toMatchObject({ status: EXIT.failed, stdout: "" });
    expect(outcome.stderr).toBe("synthproc: /nonexistent/report.html: no such file or directory (ENOENT)\n");
  });

  test("the text names both forms; --html writes a page", async () => {
    const page = join(temporary(), "report.html");
    const args = ["stack", "--where", "in-process", "--rounds", "1", "--seconds", "0.05", "--html", page];
    const outcome = await synthproc(["bench", ...args]);
    expect(outcome.status).toBe(EXIT.ok);
    expect(outcome.stdout).toMatch(/lockfree/);
    expect(outcome.stdout).toMatch(/locked/);
    expect(readFileSync(page, "utf8")).toMatch(/^<!DOCTYPE html>/);
  });
});

/** Names of programs that the benchmark starts. */
const PROGRAMS = ["cc", "mount", "umount", "unshare", "sh", "sleep", "ps", "seq", "sed", "xargs"];

/** A folder with links to those programs, but not all of them. */
function pathWithout(names: readonly string[]): string {
  const bin = join(temporary(), "bin");
  mkdirSync(bin);
  for (const program of PROGRAMS.filter((one) => !names.includes(one))) {
    const folder = (process.env["PATH"] ?? "").split(":").find((one) => isIn(program, one));
    if (folder !== undefined) symlinkSync(join(folder, program), join(bin, program));
  }
  return bin;
}

function isIn(program: string, folder: string): boolean {
  try {
    return readdirSync(folder).includes(program);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Waits until something is true. @throws Error if it is not within 40 seconds: the program may have to be built first */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}

/** True once there is a mount (or, in-process, the folder for one) below the folder. */
function busy(dir: string, where: string): boolean {
  const { mounts, files } = traces(dir);
  return where === "mount" ? mounts.length > 0 : files.length > 0;
}

/** What there is below a folder, and which processes were told of it. */
function traces(dir: string): { mounts: string[]; files: string[]; processes: string[] } {
  const mounts = parseMountInfo(readFileSync("/proc/self/mountinfo", "latin1"));
  return {
    mounts: mounts.map((mount) => mount.mountPoint).filter((path) => path.startsWith(dir)),
    files: readdirSync(dir),
    processes: processesOf(dir),
  };
}

/** Live processes with the folder in their environment. */
function processesOf(dir: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/environ`).includes(dir));
}

/** The text of a file of a process; empty once the process is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return "";
    throw error;
  }
}
