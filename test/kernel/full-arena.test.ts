/** An arena without room: operations fail whole, with ENOMEM, and work again once something is freed. */
import { beforeEach, describe, expect, test } from "vitest";
import { bootKernel } from "../../src/kernel/boot.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { ENOMEM } from "../../src/kernel/errno.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { HOST, MM, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { ArenaFullError } from "../../src/shm/slab.ts";
import { rwsemIsLocked } from "../../src/sync/rwsem.ts";
import { TEST_CONFIG } from "../support/kernel.ts";
import { execSpec, startInit } from "../support/processes.ts";

/** The fixed tables, and a little. */
const BYTES = 46 * 2 ** 20;

let k: Kernel;
let init: number;

beforeEach(() => {
  k = Kernel.create(BYTES, TEST_CONFIG, { debug: true });
  k.busy();
  bootKernel(k);
  init = startInit(k);
});

/** Forks until there is no room for a fork. @returns the pids */
function fill(): number[] {
  const pids: number[] = [];
  for (;;) {
    const pid = copyProcess(k, init, 0);
    if (pid < 0) {
      expect(pid).toBe(-ENOMEM);
      return pids;
    }
    pids.push(pid);
    expect(pids.length).toBeLessThan(100_000);
  }
}

function end(pid: number): void {
  const task = findTask(k, pid);
  exitGroup(k, task, 0);
  expect(reap(k, task)).toBe(0);
  for (let i = 0; i < 3; i++) {
    k.quiescent();
    k.slab.reclaim();
  }
}

function mapsLines(mm: number): number {
  const walk = new MapsWalk();
  let lines = 0;
  for (let result = walk.start(k, mm, Path.maps, 0, 0); result > 0; result = walk.next(k)) lines++;
  walk.stop(k);
  return lines;
}

describe("fork", () => {
  test("fails with nothing taken, and succeeds again after an exit", () => {
    const pids = fill();
    expect(pids.length).toBeGreaterThan(100);
    const tasks = k.slab.live(Cache.task);
    const lastPid = k.m.load(HOST.lastPid);
    for (let i = 0; i < 100; i++) expect(copyProcess(k, init, 0)).toBe(-ENOMEM);
    expect(k.slab.live(Cache.task)).toBe(tasks);
    expect(k.m.load(HOST.lastPid)).toBe(lastPid);
    k.t.lockdep.assertIdle();
    end(pids[0] as number);
    expect(copyProcess(k, init, 0)).toBeGreaterThan(0);
  });

  test("of a thread fails as well, in the end", () => {
    fill();
    let threads = 0;
    while (copyProcess(k, init, CLONE_PTHREAD) > 0) threads++;
    expect(copyProcess(k, init, CLONE_PTHREAD)).toBe(-ENOMEM);
    expect(k.m.load(k.m.load(init + TASK.signal) + SIGNAL.nrThreads)).toBe(threads + 1);
  });
});

describe("exec", () => {
  test("fails before anything has changed", () => {
    const pids = fill();
    const task = findTask(k, pids[0] as number);
    const signal = k.m.load(task + TASK.signal);
    const mm = k.m.load(task + TASK.mm);
    expect(() => execTask(k, task, execSpec(k))).toThrow(ArenaFullError);
    k.t.lockdep.assertIdle();
    expect(k.m.load(task + TASK.mm)).toBe(mm);
    expect(rwsemIsLocked(k.t, signal + SIGNAL.credGuardMutex)).toBe(false);
    expect(rwsemIsLocked(k.t, signal + SIGNAL.execUpdateLock)).toBe(false);
    end(pids[1] as number);
    end(pids[2] as number);
    execTask(k, task, execSpec(k));
    expect(k.m.load(task + TASK.mm)).not.toBe(mm);
  });
});

describe("the address space", () => {
  test("stays whole when mmap, mprotect and munmap fail", () => {
    const mm = k.m.load(init + TASK.mm);
    const size = 64 * 2 ** 20;
    const at = mmap(k, mm, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0, 0);
    fill();
    // Every other page: each needs two VMAs more.
    let page = 0;
    let result = 0;
    while (result === 0 && page * 8192 < size) result = mprotect(k, mm, at + page++ * 8192, 4096, PROT_READ);
    expect(result).toBe(-ENOMEM);
    const before = k.m.load(mm + MM.mapCount);
    const fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    expect(mmap(k, mm, at + size - 8192, 4096, PROT_READ, fixed, 0, 0)).toBe(-ENOMEM);
    expect(munmap(k, mm, at + size - 8192, 4096)).toBe(-ENOMEM);
    expect(k.m.load(mm + MM.mapCount)).toBe(before);
    expect(rwsemIsLocked(k.t, mm + MM.mmapLock)).toBe(false);
    // The gate area has a line, too.
    expect(mapsLines(mm)).toBe(before + 1);
  });
});
