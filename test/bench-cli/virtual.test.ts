/** `synthproc bench --virtual-cpus`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { measurePs, walkNs } from "../../mount/bench/virtual/local-work.ts";
import type { VirtualResult } from "../../mount/bench/virtual/result.ts";
import { bandOf, FIGURES, ratioOf } from "../../mount/bench/virtual/result.ts";
import { cpuCounts, VIRTUAL_NAMES } from "../../mount/bench/virtual/run.ts";
import { BENCH_NAMES } from "../../mount/bench/catalogue.ts";
import { parseLocalWork } from "../../mount/cli/bench-virtual.ts";
import type { RunResult } from "../../src/check/smp/simulate.ts";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { PROGRAM } from "../cli/helpers.ts";
import { removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import { ended } from "../support/programs.ts";
import type { Outcome } from "../support/programs.ts";

const directories: string[] = [];
afterEach(() => {
  for (const dir of directories.splice(0)) removeDirectory(dir);
});

function virtual(...args: string[]): Promise<Outcome> {
  return ended(process.execPath, [PROGRAM, "bench", "--virtual-cpus", ...args], { timeout: 110_000 });
}

const QUICK = ["2", "ps", "--seed", "7", "--local-work", "5000"];

test("the same seed and work give the same document; the page shows what is in it", async () => {
  const dir = temporaryDirectory();
  directories.push(dir);
  const page = join(dir, "page.html");
  const first = await virtual(...QUICK, "--json", "--html", page);
  expect(first).toMatchObject({ status: EXIT.ok, signal: null });
  const result = JSON.parse(first.stdout) as VirtualResult;
  expect(result).toMatchObject({ seed: 7, localWork: { walk: 5000 }, ps: null });
  const [workload] = result.workloads;
  expect(workload?.scales.map(({ cpus }) => cpus)).toEqual([1, 2]);
  for (const scale of workload?.scales ?? []) {
    expect(scale.points).toHaveLength(result.sweep.length);
    const ratio = bandOf(scale, ratioOf(FIGURES.reads));
    expect(ratio.low).toBeGreaterThanOrEqual(0.99);
    expect(ratio.middle).toBeGreaterThanOrEqual(ratio.low as number);
    expect(ratio.high).toBeGreaterThanOrEqual(ratio.middle as number);
  }
  const html = readFileSync(page, "utf8");
  expect(html.match(/<svg /g)).toHaveLength(3);
  expect(html).toContain("--local-work walk=5000");
  const second = JSON.parse((await virtual(...QUICK, "--json")).stdout) as VirtualResult;
  expect(second.workloads).toEqual(result.workloads);
});

test("prints a table of 80 columns, and the command that repeats it", async () => {
  const { status, stdout: bytes } = await virtual(...QUICK);
  expect(status).toBe(EXIT.ok);
  const stdout = Buffer.from(bytes, "latin1").toString();
  expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(stdout).toMatch(/^ {4}2 +\d+ k +\d+ k +1\.\d\d \(1\.\d\d–1\.\d\d\) +0\.\d+ +–$/m);
  expect(stdout).toContain("Again: synthproc bench --virtual-cpus 2 ps --seed 7 --local-work walk=5000");
});

test("what it can't do is wrong usage", async () => {
  expect(await virtual("2", "maps-remap")).toMatchObject({ status: EXIT.usage, stdout: "" });
  expect(await virtual("1025", "ps")).toMatchObject({ status: EXIT.usage, stdout: "" });
  expect(await virtual("2", "ps", "--local-work", "tea=5")).toMatchObject({ status: EXIT.usage, stdout: "" });
});

test("local work is given by name", () => {
  expect(parseLocalWork("9300")).toEqual({ walk: 9300 });
  expect(parseLocalWork("walk=1,maps=300")).toEqual({ walk: 1, maps: 300 });
  expect(() => parseLocalWork("walk=")).toThrow('"walk=" is no NAME=NANOSECONDS');
  expect(() => parseLocalWork("walk=-5")).toThrow("NAME=NANOSECONDS");
});

test("CPUs are powers of two, and the most", () => {
  expect(cpuCounts(1)).toEqual([1]);
  expect(cpuCounts(8)).toEqual([1, 2, 4, 8]);
  expect(cpuCounts(100)).toEqual([1, 2, 4, 8, 16, 32, 64, 100]);
});

test("there is every comparison but the published shapes of maps", () => {
  expect(VIRTUAL_NAMES).toEqual(BENCH_NAMES.filter((name) => !name.endsWith("-remap")));
});

test("the real ps makes walks, and more of them than its start", () => {
  const ps = measurePs();
  expect(ps.walks).toBeGreaterThan(ps.startWalks + 3);
  expect(walkNs(ps)).toBeGreaterThan(100);
  expect(walkNs(ps)).toBeLessThan(1e6);
});

describe("a band", () => {
  const run = (readsPerSecond: number): RunResult => ({
    readsPerSecond,
    read: null,
    write: null,
    writesPerSecond: 0,
    nanoseconds: 1,
    transfersPerRead: 0,
    failedSwapsPerRead: 0,
  });
  const scale = { cpus: 4, points: [2, 5, 1].map((rate) => ({ lockfree: run(10 * rate), locked: run(10) })) };

  test("has the first point in its middle, and all within", () => {
    expect(bandOf(scale, ratioOf(FIGURES.reads))).toEqual({ middle: 2, low: 1, high: 5 });
  });

  test("has no ends where a point can't be told", () => {
    expect(bandOf(scale, ratioOf(FIGURES.read))).toEqual({ middle: null, low: null, high: null });
  });
});
