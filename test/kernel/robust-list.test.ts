/** Lists of robust futexes lie in their process's own memory, each thread's somewhere else, as it lives on. */
import { describe, expect, test } from "vitest";
import { getRobustList, RobustList } from "../../src/kernel/robust-list.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { isKernelThread, isZombie } from "../../src/kernel/task.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { subject } from "../support/kernel.ts";
import type { TestSimulation } from "../support/simulation.ts";
import { simulate } from "../support/simulation.ts";

interface Range {
  start: number;
  end: number;
}

function writableMemory(simulation: TestSimulation, pid: string): Range[] {
  const found: Range[] = [];
  for (const match of simulation.client.cat(`${pid}/maps`).matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw-p /gm)) {
    found.push({ start: parseInt(match[1]!, 16), end: parseInt(match[2]!, 16) });
  }
  return found;
}

function names(simulation: TestSimulation, directory: string): string[] {
  const listed = simulation.client.opendir(directory).list();
  return listed.map(({ name }) => name).filter((name) => /^\d+$/.test(name));
}

function isBusy({ k }: TestSimulation, pid: string): boolean {
  return getRobustList(k, Number(pid), subject(0), new RobustList()) === WAIT_WOULD_BLOCK;
}

/** Checks every thread there is. @returns how many threads beside leaders have a list at the top of a stack */
function check(simulation: TestSimulation): number {
  const { k } = simulation;
  let threads = 0;
  for (const pid of names(simulation, "")) {
    // In an exec: its maps, and its list, would have to wait.
    if (isBusy(simulation, pid)) continue;
    const memory = writableMemory(simulation, pid);
    const seen = new Set<number>();
    for (const tid of names(simulation, `${pid}/task`)) {
      const list = new RobustList();
      expect(getRobustList(k, Number(tid), subject(0), list)).toBe(0);
      const task = findTask(k, Number(tid));
      if (isKernelThread(k, task) || isZombie(k, task)) expect(list.head).toBe(0);
      if (list.head === 0) continue;
      const home = memory.find(({ start, end }) => list.head >= start && list.head + list.length <= end);
      expect([pid, tid, list.head.toString(16), home !== undefined]).toEqual([pid, tid, expect.any(String), true]);
      expect(seen.has(list.head)).toBe(false);
      seen.add(list.head);
      if (pid !== tid && list.head === (home as Range).end - 0x660) threads++;
    }
  }
  return threads;
}

describe.each(["webserver", "database", "churn"])("%s", (name) => {
  test("at the start, and after a while", () => {
    const simulation = simulate(name, 7);
    check(simulation);
    simulation.run(200);
    check(simulation);
  });
});

test("threads have stacks, which their lists lie in", () => {
  const simulation = simulate("database", 3);
  let threads = 0;
  for (const pid of names(simulation, "")) threads += names(simulation, `${pid}/task`).length - 1;
  expect(threads).toBeGreaterThan(100);
  expect(check(simulation)).toBe(threads);
});
