/** /proc/synthproc/stats counts every path in both of its forms, and says what it counts. */
import { beforeAll, describe, expect, test } from "vitest";
import { parseStats, structureStats } from "../../mount/cli/stats.ts";
import { Event, EVENT_LABELS, PATH_EVENTS, countEvent, countWait } from "../../src/kernel/counters.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { Path, PATH_NAMES } from "../../src/kernel/knobs.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { Role, roleWord } from "../../src/kernel/thread-role.ts";
import { simulate } from "../support/simulation.ts";
import type { TestSimulation } from "../support/simulation.ts";

/** A file that is served by each path, and the events of its lock-free and its locked form. */
const SECTIONS: Record<string, readonly [file: string, lockfree: string, locked: string]> = {
  io: ["io", "speculated", "fell_back"],
  stack: ["stack", "speculated", "fell_back"],
  syscall: ["syscall", "speculated", "fell_back"],
  personality: ["personality", "speculated", "fell_back"],
  mm_access: ["environ", "speculated", "fell_back"],
  maps: ["maps", "speculated", "fell_back"],
  smaps: ["smaps", "speculated", "fell_back"],
  smaps_rollup: ["smaps_rollup", "speculated", "fell_back"],
  numa_maps: ["numa_maps", "speculated", "fell_back"],
  timers: ["timers", "speculated", "fell_back"],
  revalidate: ["comm", "rcu_walk", "ref_walk"],
};

let simulation: TestSimulation;

beforeAll(() => {
  simulation = simulate("webserver", 7);
});

function stats(): Record<string, number> {
  return parseStats(simulation.client.cat("synthproc/stats")) as Record<string, number>;
}

/** How much each event of a path is counted while its file is read in one form. */
function countsOf(path: string, form: string): Record<string, number> {
  const [file] = SECTIONS[path]!;
  simulation.client.echo(`${form}\n`, `sys/synthproc/${path}`);
  const before = stats();
  for (let i = 0; i < 10; i++) simulation.client.cat(`1/${file}`);
  const after = stats();
  simulation.client.echo("lockfree\n", `sys/synthproc/${path}`);
  const grown = EVENT_LABELS.map((event) => [
    event,
    (after[`${path}.${event}`] ?? 0) - (before[`${path}.${event}`] ?? 0),
  ]);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0)) as Record<string, number>;
}

test("every path that a file is read by is tried here", () => {
  const calls = ["kcmp", "pidfd_getfd", "get_robust_list"];
  expect([...Object.keys(SECTIONS), ...calls]).toEqual(PATH_NAMES);
});

describe.each(Object.keys(SECTIONS))("%s", (path) => {
  const [, lockfree, locked] = SECTIONS[path]!;

  test("lock-free: speculations are counted, and no lock", () => {
    const counts = countsOf(path, "lockfree");
    expect(counts[lockfree]).toBeGreaterThanOrEqual(10);
    expect(counts[locked]).toBeUndefined();
  });

  test("locked: reads that take the lock are counted, and no speculation", () => {
    const counts = countsOf(path, "locked");
    expect(counts[locked]).toBeGreaterThanOrEqual(10);
    expect(counts[lockfree]).toBeUndefined();
  });
});

/** The events that were counted for a path while a directory's entries were looked up, in one form. */
function countedByList(directory: string, form: string): string[] {
  simulation.client.echo(`${form}\n`, "sys/synthproc/revalidate");
  const before = stats();
  for (const name of simulation.client.ls(directory)) simulation.client.readlink(`${directory}/${name}`);
  const after = stats();
  simulation.client.echo("lockfree\n", "sys/synthproc/revalidate");
  const grown = Object.keys(after).filter((name) => (after[name] ?? 0) > (before[name] ?? 0));
  return grown.flatMap((name) => /^revalidate\.(\w+)$/.exec(name)?.[1] ?? []).sort();
}

test("names in map_files count both the walk and the look-up of the mapping, as the legend says", () => {
  expect(countedByList("1/map_files", "lockfree")).toEqual(["rcu_walk", "speculated"]);
  expect(countedByList("1/map_files", "locked")).toEqual(["fell_back", "ref_walk"]);
  expect(countedByList("1/fd", "lockfree")).toEqual(["rcu_walk"]);
  expect(simulation.client.cat("synthproc/stats")).toMatch(/^# revalidate\.<\.\.\.>: .*map_files/m);
});

test("no path counts what it can't have", () => {
  const { paths } = structureStats(stats());
  for (const [path, numbers] of Object.entries(paths)) {
    const possible = PATH_EVENTS[PATH_NAMES.indexOf(path)]!.map((event) => EVENT_LABELS[event]);
    expect([...possible, "waited_ns", "longest_wait_ns"]).toEqual(expect.arrayContaining(Object.keys(numbers)));
  }
});

test("the legend says what each event is, and is no part of the numbers", () => {
  const text = simulation.client.cat("synthproc/stats");
  for (const name of [...EVENT_LABELS, "waited_ns", "longest_wait_ns"]) expect(text).toContain(`# <path>.${name}: `);
  const threads = Object.keys(stats()).flatMap((name) => /^([a-z]+)\d*\.\w+\.\w+$/.exec(name)?.[1] ?? []);
  for (const thread of threads) expect(text).toMatch(new RegExp(`^# <thread> ${thread}(<n>)?: `, "m"));
  expect(Object.keys(parseStats(text)).filter((name) => !/^[a-z][\w.-]*$/i.test(name))).toEqual([]);
  expect(text.split("\n").filter((line) => !/^(#.*|\S+ \d+|)$/.test(line))).toEqual([]);
});

test("each thread has lines of its own, which add up to those of the path", () => {
  const { k } = simulation;
  countWait(k, Path.io, 3_000_000_000);
  const other = Kernel.attach(k.m.buffer, k.config, { role: roleWord(Role.worker, 12) });
  countEvent(other, Path.io, Event.waited);
  countWait(other, Path.io, 5_000_000_000);
  const now = stats();
  expect(now["worker12.io.waited"]).toBe(1);
  expect(now["worker12.io.waited_ns"]).toBe(5_000_000_000);
  expect(now["io.longest_wait_ns"]).toBe(5_000_000_000);
  const { paths, threads } = structureStats(now);
  const sums: Record<string, Record<string, number>> = {};
  for (const byPath of Object.values(threads)) {
    for (const [path, numbers] of Object.entries(byPath)) {
      const sum = (sums[path] ??= {});
      for (const [name, value] of Object.entries(numbers)) {
        const so = sum[name] ?? 0;
        sum[name] = name === "longest_wait_ns" ? Math.max(so, Number(value)) : so + Number(value);
      }
    }
  }
  expect(sums).toEqual(paths);
  expect(Object.keys(sums).length).toBeGreaterThan(5);

  other.detach();
  const after = stats();
  expect(Object.keys(after).filter((name) => name.startsWith("worker12"))).toEqual([]);
  expect(after["ended.io.waited_ns"]).toBe(5_000_000_000);
  expect(structureStats(after).paths).toEqual(paths);
});

test("requests that wait now are shown while they do", () => {
  expect(stats()["waiting"]).toBeUndefined();
  simulation.k.m.add(HOST.parkWord + 1, 3);
  expect(stats()["waiting"]).toBe(3);
  simulation.k.m.add(HOST.parkWord + 1, -3);
});
