/** What lives how long: what readers may still look at, references from zero, slots of threads, a pid that changes hands. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import { ESRCH } from "../../src/kernel/errno.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { HOST, RLIMITS, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { RLIMIT_NOFILE, rlimit, setRlimit } from "../../src/kernel/limits.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { LOCKED, Path } from "../../src/kernel/knobs.ts";
import { findTask, pidGeneration } from "../../src/kernel/pid.ts";
import { getTask, putTask } from "../../src/kernel/task.ts";
import { carve } from "../../src/shm/slab.ts";
import { RCU_THREADS, rcuPoll, rcuStart } from "../../src/sync/rcu.ts";
import { TimersWalk } from "../../src/time/posix-timers.ts";
import { TEST_CONFIG, testKernel } from "../support/kernel.ts";
import { cloneThread, fork, startInit } from "../support/processes.ts";
import { inThreads } from "../support/threads.ts";
import type { ExecJob, ExecResult, NapJob } from "./lifetimes-threads.ts";

const BODIES = new URL("./lifetimes-threads.ts", import.meta.url).href;

/** Two grace periods: what was retired is free. */
function settle(k: Kernel): void {
  for (let i = 0; i < 4; i++) {
    k.quiescent();
    k.slab.reclaim();
  }
}

describe("a reference to a task", () => {
  test("keeps its credentials and limits, for readers who slept while it was released", () => {
    const k = testKernel();
    const init = startInit(k);
    const task = fork(k, init);
    const signal = k.m.load(task + TASK.signal);
    setIdentity(k, task, 1000, 1000, [1, 2]);
    setRlimit(k, signal, RLIMIT_NOFILE, 77, 78);
    const cred = k.m.load(task + TASK.cred);
    const limits = k.m.load(signal + SIGNAL.rlimits);
    expect(getTask(k, task)).toBe(true);
    exitGroup(k, task, 0);
    expect(reap(k, task)).toBe(0);
    settle(k);
    expect(k.slab.isAlive(cred, Cache.cred)).toBe(true);
    expect(k.slab.isAlive(limits, Cache.rlimits)).toBe(true);
    expect(k.m.load(limits + RLIMITS.usage)).toBe(1);
    expect(rlimit(k, signal, RLIMIT_NOFILE, false)).toBe(77);
    expect(k.m.load(task + TASK.sighand)).toBe(0);
    k.m.store(HOST.pathMode + Path.timers, LOCKED);
    const timers = new TimersWalk();
    expect(timers.start(k, task, 0)).toBe(-ESRCH);
    timers.stop(k);
    k.t.lockdep.assertIdle();
    putTask(k, task);
    settle(k);
    expect(k.slab.isAlive(cred, Cache.cred)).toBe(false);
    expect(k.slab.isAlive(limits, Cache.rlimits)).toBe(false);
    expect(k.slab.isAlive(task, Cache.task)).toBe(false);
    expect(k.slab.isAlive(signal, Cache.signal)).toBe(false);
  });
});

describe("init", () => {
  test("leaves its children to the idle task", () => {
    const k = testKernel();
    const init = startInit(k);
    const child = fork(k, init);
    exitGroup(k, init, 0);
    const idle = k.m.load(k.m.load(HOST.idleTask) + TASK.signal);
    expect(k.m.load(k.m.load(child + TASK.signal) + SIGNAL.parent)).toBe(idle);
    expect(reap(k, init)).toBe(0);
  });
});

describe("a thread of the simulator", () => {
  test("that must not sleep stays online for RCU when it has to: it may hold pointers without references", async () => {
    for (const maySleep of [0, 1]) {
      const k = testKernel();
      const at = carve(k.m, { breakAt: HOST.breakAt, limit: HOST.limit }, 16);
      k.m.store(at + 2, maySleep);
      k.idle();
      const ended = inThreads<NapJob, boolean>(BODIES, "nap", [{ buffer: k.m.buffer, at }]);
      while (k.m.load(at) === 0) await sleep(1);
      const number = rcuStart(k.m, HOST.rcu);
      let passed = false;
      for (let i = 0; i < 50 && !passed; i++) {
        await sleep(1);
        passed = rcuPoll(k.m, HOST.rcu, number);
      }
      expect(passed).toBe(maySleep === 1);
      k.m.store(at + 1, 1);
      await ended;
    }
  });

  test("gives its slot back, with all that it kept", () => {
    const k = testKernel();
    startInit(k);
    const task = findTask(k, 1);
    for (let i = 0; i < 200; i++) {
      const other = Kernel.attach(k.m.buffer, TEST_CONFIG, { debug: true });
      other.busy();
      const child = fork(other, task);
      exitGroup(other, child, 0);
      reap(other, child);
      // Takes what is retired into its hands, but ends before the grace period does.
      other.slab.reclaim();
      other.idle();
      other.detach();
      k.quiescent();
      k.slab.reclaim();
    }
    settle(k);
    expect(k.slab.live(Cache.task)).toBe(2);
    expect(k.slab.live(Cache.mm)).toBe(1);
  });

  test("that dies in the midst of its work holds no grace period back", () => {
    const k = testKernel();
    const other = Kernel.attach(k.m.buffer, TEST_CONFIG, { debug: true });
    other.busy();
    const number = rcuStart(k.m, HOST.rcu);
    k.quiescent();
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(false);
    other.abandon();
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(true);
  });

  test("finds no slot if all are taken", () => {
    const k = testKernel();
    const others: Kernel[] = [];
    while (others.length < RCU_THREADS - 1) others.push(Kernel.attach(k.m.buffer, TEST_CONFIG));
    expect(() => Kernel.attach(k.m.buffer, TEST_CONFIG)).toThrow(`more than ${RCU_THREADS} threads`);
    others[20]?.detach();
    expect(Kernel.attach(k.m.buffer, TEST_CONFIG).t.slot).toBe(21);
  });

  test("in the highest slot of all holds grace periods back, and what it has is counted", () => {
    const k = testKernel();
    let last = k;
    while (last.t.slot < RCU_THREADS - 1) last = Kernel.attach(k.m.buffer, TEST_CONFIG, { debug: true });
    const live = k.slab.live(Cache.token);
    last.busy();
    last.slab.alloc(Cache.token);
    const number = rcuStart(k.m, HOST.rcu);
    k.quiescent();
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(false);
    last.quiescent();
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(true);
    expect(k.slab.live(Cache.token)).toBe(live + 1);
  });
});

test("an exec of another thread never makes the process look gone", async () => {
  const k = testKernel();
  const init = startInit(k);
  const pid = 300;
  // A pid that has been used before, so that its generation differs from that of its threads' pids.
  for (let i = 0; i < 5; i++) {
    const former = findTask(k, copyProcess(k, init, 0, { pid }));
    exitGroup(k, former, 0);
    reap(k, former);
  }
  const victim = findTask(k, copyProcess(k, init, 0, { pid }));
  const generation = pidGeneration(k, pid);
  const tid = k.m.load(cloneThread(k, victim) + TASK.pid);
  expect(generation).not.toBe(pidGeneration(k, tid));
  k.idle();
  const job = { buffer: k.m.buffer, pid, generation, milliseconds: 3000 };
  const [writer, ...readers] = await inThreads<ExecJob, ExecResult>(BODIES, "handOver", [
    { ...job, role: "writer" },
    { ...job, role: "reader" },
    { ...job, role: "reader" },
  ]);
  expect(writer?.rounds).toBeGreaterThan(1000);
  for (const reader of readers) expect(reader.missing).toBe(0);
});
