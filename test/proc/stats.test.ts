/** /proc/synthproc/stats counts every path in both of its forms, and says what it counts. */
import { beforeAll, describe, expect, test } from "vitest";
import { parseStats } from "../../mount/cli/stats.ts";
import { EVENT_NAMES } from "../../src/kernel/counters.ts";
import { PATH_NAMES } from "../../src/kernel/knobs.ts";
import { simulate } from "../support/simulation.ts";
import type { TestSimulation } from "../support/simulation.ts";

/** A file that is served by each path, and the events of its lock-free and its locked form. */
const SECTIONS: Record<string, readonly [file: string, lockfree: string, locked: string]> = {
  io: ["io", "speculated", "fellBack"],
  stack: ["stack", "speculated", "fellBack"],
  syscall: ["syscall", "speculated", "fellBack"],
  personality: ["personality", "speculated", "fellBack"],
  mm_access: ["environ", "speculated", "fellBack"],
  maps: ["maps", "speculated", "fellBack"],
  smaps: ["smaps", "speculated", "fellBack"],
  smaps_rollup: ["smaps_rollup", "speculated", "fellBack"],
  numa_maps: ["numa_maps", "speculated", "fellBack"],
  timers: ["timers", "speculated", "fellBack"],
  revalidate: ["comm", "rcuWalk", "refWalk"],
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
  const grown = EVENT_NAMES.map((event) => [
    event,
    (after[`${path}.${event}`] ?? 0) - (before[`${path}.${event}`] ?? 0),
  ]);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0)) as Record<string, number>;
}

test("every path that a file is read by is tried here", () => {
  const calls = ["kcmp", "pidfd_getfd", "get_robust_list"];
  expect([...Object.keys(SECTIONS), ...calls].sort()).toEqual([...PATH_NAMES].sort());
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

test("the legend says what each event is, and is no part of the numbers", () => {
  const text = simulation.client.cat("synthproc/stats");
  for (const event of EVENT_NAMES) expect(text).toContain(`# <path>.${event}: `);
  expect(Object.keys(parseStats(text)).filter((name) => !/^[a-z][\w.-]*$/i.test(name))).toEqual([]);
  expect(text.split("\n").filter((line) => !/^(#.*|\S+ \d+|)$/.test(line))).toEqual([]);
});
