/** News of reaped tasks, held execs, and faults on purpose. */
import { describe, expect, test } from "vitest";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { EACCES, EINTR } from "../../src/kernel/errno.ts";
import { drainReaped, noteReaped } from "../../src/kernel/exit-events.ts";
import { finishHeldExecs, heldExecs, holdExec } from "../../src/kernel/exec-hold.ts";
import { execBegin, execFinish } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { HELD_EXECS, REAPED_ENTRIES, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Random } from "../../src/kernel/random.ts";
import { FaultInjector, hasFaults } from "../../src/mutate/run/faults.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { bootTimeNs } from "../../src/time/clock.ts";
import { testKernel } from "../support/kernel.ts";
import { readIo } from "./look.ts";
import { allPids, commOf, oneProcess, taskOf, tidsOf, world } from "./world.ts";
import type { World } from "./world.ts";

const HOST_LINE = "host: { cpus: 4, memory: 4G, kernel_threads: false }";

describe("news of reaped tasks", () => {
  test("come out in order, each once", () => {
    const k = testKernel();
    const seen: number[] = [];
    const drain = (most: number): number => drainReaped(k, (tgid, pid) => seen.push(tgid, pid), most);
    expect(drain(10)).toBe(0);
    for (let pid = 1; pid <= 5; pid++) noteReaped(k, pid, pid + 100);
    expect(drain(3)).toBe(3);
    expect(drain(10)).toBe(2);
    expect(seen).toEqual([1, 101, 2, 102, 3, 103, 4, 104, 5, 105]);
  });

  test("the ring goes round, and says so when something was lost", () => {
    const k = testKernel();
    let sum = 0;
    const drain = (): number => drainReaped(k, (_, pid) => (sum += pid), Infinity);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < REAPED_ENTRIES - 7; i++) noteReaped(k, 1, 1);
      expect(drain()).toBe(REAPED_ENTRIES - 7);
    }
    expect(sum).toBe(5 * (REAPED_ENTRIES - 7));
    for (let i = 0; i < REAPED_ENTRIES + 3; i++) noteReaped(k, 1, 1);
    expect(drain()).toBe(-1 - REAPED_ENTRIES);
    expect(drain()).toBe(0);
    noteReaped(k, 9, 9);
    expect(drain()).toBe(1);
  });

  test("tell of processes and of threads", () => {
    const w = oneProcess("{ io: 1/s }", "threads: 3");
    const pid = w.pids("p")[0]!;
    const tids = tidsOf(w, pid);
    const task = actBegin(w.k, pid);
    exitGroup(w.k, task, 0);
    actEnd(w.k, task);
    reap(w.k, findTask(w.k, pid));
    const seen: [number, number][] = [];
    drainReaped(w.k, (tgid, one) => seen.push([tgid, one]), Infinity);
    expect(seen).toEqual([...tids.slice(1), pid].map((tid) => [pid, tid]));
  });
});

describe("held execs", () => {
  function begin(w: World, pid: number, until: number): boolean {
    const { k } = w;
    const task = actBegin(k, pid);
    const program = k.config.programs.find(({ path }) => path === "/usr/bin/passwd")!;
    const text = new TextEncoder().encode("/usr/bin/passwd\0");
    const exec = execBegin(k, task, { program, argv: text, envp: new Uint8Array(0), random: new Random(1) });
    return holdExec(k, exec, until);
  }

  test("wait for their moment, with the locks held; the next tick finishes them", () => {
    const w = oneProcess("{ io: { rate: 100/s, read: 1, write: 1 } }", "user: nobody");
    const { k } = w;
    const pid = w.pids("p")[0]!;
    const signal = k.m.load(taskOf(w, pid) + TASK.signal);
    expect(begin(w, pid, bootTimeNs(k) + 1e9)).toBe(true);
    // This thread holds nothing any more.
    k.t.lockdep.assertIdle();
    expect(heldExecs(k)).toBe(1);
    const before = readIo(w, pid).syscr;
    w.seconds(0.9);
    expect(commOf(w, pid)).toBe("p");
    expect(k.m.load(signal + SIGNAL.execUpdateSeq) % 2).not.toBe(0);
    k.t.maySleep = false;
    expect(actBegin(k, pid)).toBe(WAIT_WOULD_BLOCK);
    k.t.maySleep = true;
    expect(readIo(w, pid).syscr).toBe(before);
    w.seconds(0.2);
    expect(commOf(w, pid)).toBe("passwd");
    expect(k.m.load(signal + SIGNAL.execUpdateSeq) % 2).toBe(0);
    expect(heldExecs(k)).toBe(0);
    w.seconds(1);
    expect(readIo(w, pid).syscr).toBeGreaterThan(before + 50);
  });

  test("are bounded: the caller finishes what can't be held", () => {
    const w = oneProcess("{ io: 1/h }", `count: ${HELD_EXECS + 1}`);
    const { k } = w;
    const pids = w.pids("p");
    for (const pid of pids.slice(0, HELD_EXECS)) expect(begin(w, pid, 2 ** 52)).toBe(true);
    const task = actBegin(k, pids[HELD_EXECS]!);
    const program = k.config.programs[0]!;
    const exec = execBegin(k, task, {
      program,
      argv: new Uint8Array(0),
      envp: new Uint8Array(0),
      random: new Random(1),
    });
    expect(holdExec(k, exec, 1)).toBe(false);
    execFinish(k, exec);
    actEnd(k, task);
    expect(finishHeldExecs(k, 1e15)).toBe(0);
    expect(finishHeldExecs(k, Infinity)).toBe(HELD_EXECS);
  });
});

describe("faults", () => {
  const build = (faults: string): { w: World; hooks: FaultInjector } => {
    const w = world(`${HOST_LINE}
processes:
  - { name: p, command: /usr/bin/p, count: 4 }
  - { name: busy, command: /usr/bin/busy, rates: { io: 50/s } }
faults: ${faults}
`);
    return { w, hooks: new FaultInjector(w.k, w.scenario, 7, 0, 1) };
  };

  test("none by default", () => {
    const { w, hooks } = build("{}");
    expect(hasFaults(w.scenario)).toBe(false);
    const pid = w.pids("p")[0]!;
    for (let i = 0; i < 100; i++) {
      expect(hooks.beforeOpen(pid)).toBe(0);
      expect(hooks.beforeRead(pid, i === 0, 4096)).toBe(4096);
    }
    expect(commOf(w, pid)).toBe("p");
  });

  test.each(["p", "busy"])("exit_before_open: %s is gone, and comes back under another pid", (name) => {
    const { w, hooks } = build("{ exit_before_open: 100% }");
    expect(hasFaults(w.scenario)).toBe(true);
    w.ticks(1);
    const pid = w.pids(name)[0]!;
    const count = allPids(w).length;
    expect(hooks.beforeOpen(pid)).toBe(0);
    expect(findTask(w.k, pid)).toBe(0);
    expect(allPids(w)).toHaveLength(count - 1);
    w.seconds(0.5);
    expect(allPids(w)).toHaveLength(count);
    expect(allPids(w)).not.toContain(pid);
    const again = allPids(w).filter((one) => commOf(w, one) === name);
    expect(again).toHaveLength(w.pids(name).length);
  });

  test("exit_before_read and exit_during_read tell the first read from later ones", () => {
    const first = build("{ exit_before_read: 100% }");
    const pid = first.w.pids("p")[0]!;
    first.hooks.beforeRead(pid, false, 10);
    expect(findTask(first.w.k, pid)).not.toBe(0);
    first.hooks.beforeRead(pid, true, 10);
    expect(findTask(first.w.k, pid)).toBe(0);
    const later = build("{ exit_during_read: 100% }");
    later.hooks.beforeRead(pid, true, 10);
    expect(findTask(later.w.k, pid)).not.toBe(0);
    later.hooks.beforeRead(pid, false, 10);
    expect(findTask(later.w.k, pid)).toBe(0);
  });

  test("exec_during_read: another program, after a while", () => {
    const { w, hooks } = build("{ exec_during_read: 100%, slow_exec: { chance: 0, duration: 100ms } }");
    const pid = w.pids("p")[0]!;
    w.ticks(1);
    hooks.beforeRead(pid, false, 10);
    expect(commOf(w, pid)).toBe("p");
    expect(heldExecs(w.k)).toBe(1);
    w.seconds(0.2);
    expect(commOf(w, pid)).toBe("sleep");
  });

  test("short reads, EINTR, EACCES, and a bound on the rate", () => {
    const pid = 300;
    const short = build("{ short_read: 100% }").hooks;
    const lengths = Array.from({ length: 50 }, () => short.beforeRead(pid, true, 100));
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...lengths)).toBeLessThan(100);
    expect(build("{ eintr: 100% }").hooks.beforeRead(pid, true, 100)).toBe(-EINTR);
    expect(build("{ eacces: 100% }").hooks.beforeOpen(pid)).toBe(-EACCES);
    const { w, hooks } = build("{ eacces: 3/s }");
    const count = (): number => Array.from({ length: 20 }, () => hooks.beforeOpen(pid)).filter(Boolean).length;
    expect(count()).toBe(1);
    w.seconds(0.4);
    expect(count()).toBe(1);
  });

  test("init and kernel threads are left alone", () => {
    const w = world("processes: [{ name: p, command: /usr/bin/p }]\nfaults: { exit_before_open: 100% }\n");
    const hooks = new FaultInjector(w.k, w.scenario, 7, 0, 1);
    for (const pid of [1, 2, 3]) {
      hooks.beforeOpen(pid);
      expect(findTask(w.k, pid)).not.toBe(0);
    }
  });

  test("slow_exec holds the execs of a behaviour", () => {
    const w = world(`${HOST_LINE}
processes: [{ name: p, command: /usr/bin/p, rates: { exec: { rate: 1/s, jitter: 0 } } }]
faults: { slow_exec: { chance: 100%, duration: 500ms } }
`);
    let held = 0;
    for (let i = 0; i < 500; i++) {
      w.ticks(1);
      held += heldExecs(w.k);
    }
    expect(held).toBeGreaterThan(150);
    expect(held).toBeLessThan(300);
  });
});
