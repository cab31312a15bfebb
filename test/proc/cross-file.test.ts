/** Cross-file truth: whatever has happened, the files of a process and of the machine tell one story. */
import { describe, expect, test } from "vitest";
import { Random } from "../../src/kernel/random.ts";
import { simulate } from "../support/simulation.ts";
import { ENOENT, ESRCH } from "../../src/kernel/errno.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { MM, TASK } from "../../src/kernel/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { inThreads } from "../support/threads.ts";
import type { MutateJob } from "./cross-file-threads.ts";
import { contradictions, machineContradictions, memoryContradictions, processIds } from "./cross-file.ts";
import type { VfsClient } from "./vfs-client.ts";
import { errnoOf } from "./vfs-client.ts";

const ROUNDS = 40;
const PROCESSES_A_ROUND = 12;

describe.each(["webserver", "churn", "build", "database"])("%s", (name) => {
  test("holds for every process at the start, and between ticks", () => {
    const { client, run } = simulate(name, 11);
    const random = new Random(5);
    for (const pid of processIds(client))
      expect({ pid, found: contradictions(client, pid) }).toEqual({ pid, found: [] });
    expect(machineContradictions(client)).toEqual([]);
    let checked = 0;
    for (let round = 0; round < ROUNDS; round++) {
      run(1 + random.below(50));
      const pids = processIds(client);
      for (let i = 0; i < PROCESSES_A_ROUND; i++) {
        const pid = pids[random.below(pids.length)] as number;
        let found: object[] = [];
        const errno = errnoOf(() => (found = contradictions(client, pid)));
        expect({ round, pid, found }).toEqual({ round, pid, found: [] });
        if (errno === 0) checked++;
        else expect(errno).toBe(-WOULD_WAIT);
      }
      if (round % 10 === 9) expect(machineContradictions(client)).toEqual([]);
    }
    expect(checked).toBeGreaterThan(ROUNDS * PROCESSES_A_ROUND * 0.9);
  });
});

/** What must be the same before and after a read for it to be of one moment: the address space, and its state. */
function memoryState(k: Kernel, client: VfsClient, pid: number): string {
  const task = findTask(k, pid);
  const mm = task === 0 ? 0 : k.m.load(task + TASK.mm);
  if (mm === 0) return "none";
  const numbers = [MM.rssAnon, MM.rssFile, MM.rssShmem, MM.swapEnts, MM.hiwaterRss].map((at) => k.m.load(mm + at));
  return [pid, task, mm, k.m.load64(mm + MM.mmLockSeq), ...numbers, client.cat(`${pid}/statm`)].join(" ");
}

test("holds for reads that nothing disturbed, while two threads change everything", async () => {
  const seed = 23;
  const { k, built, client } = simulate("churn", seed);
  k.idle();
  const job = { buffer: k.m.buffer, scenario: "churn", seed, built, milliseconds: 5000 };
  let running = true;
  const mutators = inThreads<MutateJob, number>(new URL("./cross-file-threads.ts", import.meta.url).href, "mutate", [
    { ...job, place: { index: 0, count: 2, seed } },
    { ...job, place: { index: 1, count: 2, seed } },
  ]).finally(() => (running = false));
  const random = new Random(9);
  let undisturbed = 0;
  const wrong: object[] = [];
  while (running) {
    k.busy();
    const pids = processIds(client);
    const pid = pids[random.below(pids.length)] as number;
    let found: object[] = [];
    let before = "";
    let after = "changed";
    // The process may end at any point, with what a real /proc says then.
    const errno = errnoOf(() => {
      before = memoryState(k, client, pid);
      found = memoryContradictions(client, pid);
      after = memoryState(k, client, pid);
    });
    expect([0, ENOENT, ESRCH, -WOULD_WAIT]).toContain(errno);
    if (errno === 0 && before === after && before !== "none") {
      undisturbed++;
      if (found.length > 0) wrong.push({ pid, found });
    }
    k.idle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ticks = await mutators;
  expect(wrong).toEqual([]);
  expect(undisturbed).toBeGreaterThan(20);
  expect(ticks.every((count) => count > 0)).toBe(true);
});
