/** Pid allocation and lookup, against a plain set. */
import { describe, expect, test } from "vitest";
import { EAGAIN, EEXIST, EINVAL } from "../../src/kernel/errno.ts";
import { Random } from "../../src/kernel/random.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { PID_MAX_LIMIT } from "../../src/kernel/layout.ts";
import { allocPid, findTask, freePid, hashPid, nextTgid, pidGeneration } from "../../src/kernel/pid.ts";
import { lockTasklist, unlockTasklist } from "../../src/kernel/task.ts";
import { testKernel } from "../support/kernel.ts";

/** Any non-zero word will do as a task: the table doesn't look into it. */
const SOME_TASK = 4711;

function publish(k: Kernel, pid: number, leader = true): void {
  lockTasklist(k);
  hashPid(k, pid, SOME_TASK, leader);
  unlockTasklist(k);
}

function free(k: Kernel, pid: number): void {
  lockTasklist(k);
  freePid(k, pid);
  unlockTasklist(k);
}

describe("allocation", () => {
  test("is cyclic: a freed pid is not the next one", () => {
    const k = testKernel();
    expect([allocPid(k), allocPid(k), allocPid(k)]).toEqual([1, 2, 3]);
    free(k, 2);
    expect(allocPid(k)).toBe(4);
  });

  test("wraps at pid_max to 300, and says EAGAIN when all are taken", () => {
    const k = testKernel({ pidMax: 400 });
    for (let pid = 1; pid < 400; pid++) expect(allocPid(k)).toBe(pid);
    expect(allocPid(k)).toBe(-EAGAIN);
    free(k, 17);
    expect(allocPid(k)).toBe(-EAGAIN);
    free(k, 333);
    expect(allocPid(k)).toBe(333);
  });

  test("avoids the range it is told to avoid, unless asked for a pid in it", () => {
    const k = testKernel({ pidAvoid: [3, 1000] });
    expect([allocPid(k), allocPid(k), allocPid(k)]).toEqual([1, 2, 1000]);
    expect(allocPid(k, 500)).toBe(500);
    expect(allocPid(k, 500)).toBe(-EEXIST);
    expect(allocPid(k, PID_MAX_LIMIT)).toBe(-EINVAL);
    expect(allocPid(k, -3)).toBe(-EINVAL);
  });

  test("a pid that is used again has another generation", () => {
    const k = testKernel();
    const pid = allocPid(k, 77);
    const generation = pidGeneration(k, pid);
    free(k, pid);
    allocPid(k, 77);
    expect(pidGeneration(k, pid)).not.toBe(generation);
  });
});

describe("lookup", () => {
  test("numbers out of range find nothing", () => {
    const k = testKernel();
    for (const pid of [0, -1, PID_MAX_LIMIT, 2 ** 31]) expect(findTask(k, pid)).toBe(0);
  });

  test("next process from a cursor agrees with a sorted set, whatever is published and freed", () => {
    const k = testKernel();
    const random = new Random(42);
    const there = new Set<number>();
    for (let round = 0; round < 4000; round++) {
      const pid = 1 + random.below(random.below(2) === 0 ? 2000 : PID_MAX_LIMIT - 1);
      if (there.delete(pid)) free(k, pid);
      else if (allocPid(k, pid) === pid) {
        publish(k, pid);
        there.add(pid);
      }
    }
    const sorted = [...there].sort((a, b) => a - b);
    const walked: number[] = [];
    for (let pid = nextTgid(k, 0); pid >= 0; pid = nextTgid(k, pid + 1)) walked.push(pid);
    expect(walked).toEqual(sorted);
    for (let i = 0; i < 500; i++) {
      const from = random.below(PID_MAX_LIMIT);
      expect(nextTgid(k, from)).toBe(sorted.find((pid) => pid >= from) ?? -1);
    }
    expect(nextTgid(k, PID_MAX_LIMIT)).toBe(-1);
  });

  test("threads that lead nothing are found but not listed", () => {
    const k = testKernel();
    publish(k, allocPid(k, 10));
    publish(k, allocPid(k, 11), false);
    expect(findTask(k, 11)).toBe(SOME_TASK);
    expect(nextTgid(k, 11)).toBe(-1);
  });
});
