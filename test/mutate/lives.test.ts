/** Processes that come and go, phases, and what others do to the processes of a mutator. */
import { describe, expect, test } from "vitest";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { exitGroup } from "../../src/kernel/exit.ts";
import { HOST, FILE, PATH, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { TASK_UNINTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { fdLookup, nextFd } from "../../src/kernel/files.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { isZombie } from "../../src/kernel/task.ts";
import { bytesText } from "../../src/shm/bytes.ts";
import { exitAll, liveObjects } from "../../src/mutate/build/teardown.ts";
import { cacheName } from "../../src/kernel/caches.ts";
import { readIo } from "./look.ts";
import { testKernel } from "../support/kernel.ts";
import { allPids, childrenOf, commOf, oneProcess, parentOf, taskOf, world } from "./world.ts";
import type { World } from "./world.ts";

const HOST_LINE = "host: { cpus: 4, memory: 4G, kernel_threads: false }";

function only(w: World): number {
  return w.pids("p")[0]!;
}

function zombies(w: World): number[] {
  return allPids(w).filter((pid) => isZombie(w.k, taskOf(w, pid)));
}

/** Pids whose comm is this. */
function named(w: World, comm: string): number[] {
  return allPids(w).filter((pid) => commOf(w, pid) === comm);
}

describe("fork", () => {
  test("children live for a while, run their program, and are reaped", () => {
    const w = oneProcess("{ fork: { rate: 20/s, lifetime: 300ms, exec: /bin/true } }");
    const forks = w.k.m.load64(HOST.totalForks);
    w.seconds(2);
    const counts: number[] = [];
    for (let i = 0; i < 300; i++) {
      w.ticks(1);
      const children = childrenOf(w, only(w));
      counts.push(children.length);
      for (const pid of children) expect(["p", "true"]).toContain(commOf(w, pid));
    }
    const mean = counts.reduce((a, b) => a + b) / counts.length;
    expect(mean).toBeGreaterThan(4.5);
    expect(mean).toBeLessThan(7.5);
    expect(named(w, "true").length).toBeGreaterThanOrEqual(childrenOf(w, only(w)).length - 1);
    expect(w.k.m.load64(HOST.totalForks) - forks).toBeGreaterThan(85);
    expect(w.k.m.load64(HOST.totalForks) - forks).toBeLessThan(115);
    // Their times count as their parent's children's.
    expect(w.k.m.load64(w.k.m.load(taskOf(w, only(w)) + TASK.signal) + SIGNAL.cutime)).toBeGreaterThan(0);
  });

  test("zombies stay as long as they shall", () => {
    const w = oneProcess("{ fork: { rate: 10/s, lifetime: 10ms, zombie: 400ms } }");
    w.seconds(3);
    const counts: number[] = [];
    for (let i = 0; i < 200; i++) {
      w.ticks(1);
      counts.push(zombies(w).length);
    }
    expect(counts.reduce((a, b) => a + b) / counts.length).toBeGreaterThan(2.8);
    expect(counts.reduce((a, b) => a + b) / counts.length).toBeLessThan(5.2);
  });

  test("orphans go to init and are reaped there", () => {
    const w = oneProcess("{ fork: { rate: 10/s, lifetime: 300ms, orphan: 100% } }");
    w.seconds(3);
    expect(childrenOf(w, only(w)).length).toBeLessThanOrEqual(1);
    expect(childrenOf(w, 1).length).toBeGreaterThan(2);
    expect(childrenOf(w, 1).length).toBeLessThan(10);
    expect(zombies(w)).toEqual([]);
  });

  test("children fork in turn, and end before their parents", () => {
    const w = oneProcess("{ fork: { rate: 10/s, lifetime: 500ms, depth: 3, max: 4 } }");
    let deepest = 0;
    for (let i = 0; i < 500; i++) {
      w.ticks(1);
      for (const pid of childrenOf(w, only(w))) {
        for (const below of childrenOf(w, pid))
          deepest = Math.max(deepest, 2 + Number(childrenOf(w, below).length > 0));
      }
      expect(childrenOf(w, only(w)).length).toBeLessThanOrEqual(4);
      // Nobody is left to init.
      expect(childrenOf(w, 1)).toEqual([only(w)]);
    }
    expect(deepest).toBe(3);
  });

  test("vfork: the parent waits in state D until the child executes", () => {
    const w = oneProcess("{ fork: { rate: 100/s, lifetime: 300ms, vfork: true, exec: /bin/true, max: 200 } }");
    let waiting = 0;
    for (let i = 0; i < 500; i++) {
      w.ticks(1);
      const image = childrenOf(w, only(w)).some((pid) => commOf(w, pid) === "p");
      const blocked = w.k.m.load(taskOf(w, only(w)) + TASK.state) === TASK_UNINTERRUPTIBLE;
      expect(blocked).toBe(image);
      waiting += Number(blocked);
    }
    expect(waiting).toBeGreaterThan(5);
    expect(waiting).toBeLessThan(150);
    expect(childrenOf(w, only(w)).length).toBeGreaterThan(20);
    expect(zombies(w)).toEqual([]);
  });

  test("what a child uses adds to the CPU time of the machine, never more than there is", () => {
    const w = oneProcess("{ fork: { rate: 50/s, lifetime: 500ms, cpu: 100%, max: 40 } }");
    w.seconds(10);
    expect(w.k.m.load(HOST.nrRunning)).toBeGreaterThan(10);
    expect(w.k.m.load(HOST.nrRunning)).toBeLessThanOrEqual(41);
  });

  test("the pid that was freed last can be asked for", () => {
    const rates = "{ fork: { rate: 20/s, lifetime: 20ms } }";
    const highest = (faults: string): number => {
      const w = world(`${HOST_LINE}\nprocesses: [{ name: p, command: /usr/bin/p, rates: ${rates} }]\n${faults}`);
      w.seconds(20);
      return w.k.m.load(HOST.lastPid) - only(w);
    };
    expect(highest("")).toBeGreaterThan(350);
    expect(highest("faults: { pid_reuse: 100% }")).toBeLessThan(120);
  });
});

describe("exit", () => {
  test("a process that ends is reaped and started again by its parent, elsewhere", () => {
    const w = oneProcess("{ exit: { rate: 2/s, respawn: 100ms } , io: 50/s }", "threads: 3, count: 4");
    const pids = new Set<number>();
    let down = 0;
    for (let i = 0; i < 1000; i++) {
      w.ticks(1);
      const now = named(w, "p");
      for (const pid of now) pids.add(pid);
      down += 4 - now.length;
      expect(now.length).toBeLessThanOrEqual(4);
    }
    // 4 processes, 10 s, one life of 0.5 s and 0.1 s in between.
    expect(pids.size).toBeGreaterThan(50);
    expect(pids.size).toBeLessThan(90);
    expect(down / 4000).toBeGreaterThan(0.1);
    expect(down / 4000).toBeLessThan(0.25);
    for (const pid of named(w, "p")) {
      expect(parentOf(w, pid)).toBe(1);
      expect(w.k.m.load(w.k.m.load(taskOf(w, pid) + TASK.signal) + SIGNAL.nrThreads)).toBe(3);
    }
  });
});

describe("what others do", () => {
  function kill(w: World, pid: number): void {
    const task = actBegin(w.k, pid);
    exitGroup(w.k, task, 9);
    actEnd(w.k, task);
  }

  test("a process that somebody kills is noticed and reaped; it stays away unless it is its way to come back", () => {
    const w = oneProcess("{ io: 50/s }");
    const pid = only(w);
    kill(w, pid);
    expect(zombies(w)).toEqual([pid]);
    w.seconds(1);
    expect(findTask(w.k, pid)).toBe(0);
    expect(named(w, "p")).toEqual([]);
    expect(w.mutator.pending()).toBe(1);
  });

  test("it comes back if it has an exit behaviour", () => {
    const w = oneProcess("{ io: 50/s, exit: { rate: 1/h, respawn: 50ms } }");
    kill(w, only(w));
    w.seconds(1);
    expect(named(w, "p")).toHaveLength(1);
    expect(named(w, "p")[0]).not.toBe(only(w));
  });

  test("a process that somebody acts as is left alone meanwhile, and the others go on", () => {
    const w = oneProcess("{ io: { rate: 100/s, read: 1, write: 1 } }", "count: 2");
    const [first, second] = w.pids("p") as [number, number];
    const task = actBegin(w.k, first);
    // The test's thread holds the lock; for the mutator, in the same thread, that is as good as somebody else.
    w.k.t.lockdep.handOff([1]);
    const before = [first, second].map((pid) => readIo(w, pid).syscr);
    w.seconds(2);
    expect(readIo(w, first).syscr).toBe(before[0]);
    expect(readIo(w, second).syscr - before[1]!).toBeGreaterThan(150);
    w.k.t.lockdep.takeOver([1]);
    actEnd(w.k, task);
    w.seconds(1);
    expect(readIo(w, first).syscr - before[0]!).toBeGreaterThan(80);
  });
});

describe("phases", () => {
  const TREE = `${HOST_LINE}
processes:
  - name: master
    command: /usr/bin/master
    children:
      - { name: worker, command: /usr/bin/worker, count: 3, rates: { io: { rate: 10/s, read: 10, write: 10 } } }
  - { name: other, command: /usr/bin/other }
`;

  test("restart: the group and those below it end and come back, children below the new parent", () => {
    const w = world(`${TREE}phases: [{ at: 1s, restart: master, down: 500ms }]`);
    const [master, workers, other] = [w.pids("master"), w.pids("worker"), w.pids("other")];
    w.seconds(1.2);
    expect([...named(w, "master"), ...named(w, "worker")]).toEqual([]);
    expect(named(w, "other")).toEqual(other);
    w.seconds(1);
    const again = named(w, "master");
    expect(again).toHaveLength(1);
    expect(again).not.toEqual(master);
    expect(named(w, "worker")).toHaveLength(3);
    expect(named(w, "worker").some((pid) => workers.includes(pid))).toBe(false);
    expect(childrenOf(w, again[0]!)).toEqual(named(w, "worker"));
    const before = readIo(w, named(w, "worker")[0]!).syscr;
    w.seconds(5);
    expect(readIo(w, named(w, "worker")[0]!).syscr - before).toBeGreaterThan(30);
  });

  test("stop and start", () => {
    const w = world(`${TREE}phases: [{ at: 1s, stop: worker }, { at: 3s, start: worker }]`);
    w.seconds(2.5);
    expect(named(w, "worker")).toEqual([]);
    expect(named(w, "master")).toEqual(w.pids("master"));
    w.seconds(1);
    expect(named(w, "worker")).toHaveLength(3);
  });

  test("set: other rates for a while, again and again", () => {
    const set = "{ worker: { io: { rate: 200/s, read: 10, write: 10 }, cpu: 10% } }";
    const w = world(`${TREE}phases: [{ at: 2s, every: 4s, for: 1s, set: ${set} }]`);
    const perSecond: number[] = [];
    let last = readIo(w, w.pids("worker")[0]!).syscr;
    for (let second = 0; second < 12; second++) {
      w.seconds(1);
      const now = readIo(w, w.pids("worker")[0]!).syscr;
      perSecond.push(now - last);
      last = now;
    }
    for (const [second, calls] of perSecond.entries()) {
      if (second % 4 === 2) expect(calls).toBeGreaterThan(150);
      else expect(calls).toBeLessThan(40);
    }
  });

  test("signal: those that it kills are started again", () => {
    const w = world(`${TREE}phases: [{ at: 1s, signal: { group: other, number: 15 } }]`);
    w.seconds(1.05);
    expect(named(w, "other")).toEqual([]);
    w.seconds(1);
    expect(named(w, "other")).toHaveLength(1);
  });

  test("rotate_log: the descriptors stay, a new inode takes the name", () => {
    const w = world(`${HOST_LINE}
processes:
  - { name: p, command: /usr/bin/p, count: 3, fds: ["/var/log/p.log a", "/var/log/other.log a"] }
phases: [{ every: 2s, rotate_log: p }]
`);
    const logs = (): { fd: number; ino: number }[] =>
      w.pids("p").map((pid) => {
        const task = taskOf(w, pid);
        for (let fd = nextFd(w.k, task, 0); fd >= 0; fd = nextFd(w.k, task, fd + 1)) {
          const path = w.k.m.load(fdLookup(w.k, task, fd) + FILE.path);
          if (path === 0 || bytesText(w.k.m, w.k.m.load(path + PATH.name)) !== "/var/log/p.log") continue;
          return { fd, ino: w.k.m.load64(path + PATH.ino) };
        }
        throw new Error("no log");
      });
    const before = logs();
    w.seconds(3);
    const after = logs();
    expect(after.map(({ fd }) => fd)).toEqual(before.map(({ fd }) => fd));
    expect(new Set(after.map(({ ino }) => ino)).size).toBe(1);
    expect(after[0]!.ino).not.toBe(before[0]!.ino);
    w.seconds(2);
    expect(logs()[0]!.ino).not.toBe(after[0]!.ino);
  });
});

describe("leaks", () => {
  test("after storms of fork, exec, exit and all else, everything that was made is freed", () => {
    const w = world(`${HOST_LINE}
processes:
  - { name: f, command: /usr/bin/f, count: 3, rates: { fork: { rate: 60/s, lifetime: 60ms±90%, depth: 2, orphan: 10%, zombie: 0..30ms, vfork: true, exec: { /bin/true: 1, /bin/sh: 1 } } } }
  - { name: e, command: /usr/bin/e, count: 3, threads: 3, rates: { exec: { rate: 40/s, from_thread: 40%, setuid: 30%, duration: 0..20ms }, timer: 50/s } }
  - { name: c, command: /usr/bin/c, count: 2, rates: { clone: { rate: 100/s, lifetime: 50ms }, mmap: 50/s, split: 50/s, mremap: 20/s, brk: 20/s, tsync: 5/s } }
  - { name: o, command: /usr/bin/o, count: 2, rates: { open: { rate: 50/s, what: pipe }, setuid: 20/s, limit: 10/s, rename: 20/s, stop: { rate: 2/s, duration: 50ms } } }
  - { name: x, command: /usr/bin/x, count: 6, rates: { exit: { rate: 5/s, respawn: 20ms }, cpu: 10%, block: 5/s } }
phases: [{ every: 1s, restart: e, down: 100ms }, { every: 700ms, signal: { group: o, number: 15 } }]
`);
    const atBoot = bootLevel();
    w.seconds(8);
    w.k.idle();
    w.mutator.end();
    w.k.busy();
    exitAll(w.k);
    expect(w.k.m.load(HOST.nrProcesses)).toBe(0);
    const left = liveObjects(w.k).map((count, cache) => [cacheName(cache), count - (atBoot[cache] ?? 0)] as const);
    // Files of the configuration stay: one PATH and its name each.
    const files = w.k.config.files.length;
    const leaks = left.filter(([name, count]) => count !== 0 && name !== "path" && !name.startsWith("bytes-"));
    expect(leaks).toEqual([]);
    expect(left.find(([name]) => name === "path")![1]).toBe(files);
    expect(left.filter(([name]) => name.startsWith("bytes-")).reduce((sum, [, count]) => sum + count, 0)).toBe(files);
    expect(w.k.m.load(HOST.nrRunning)).toBe(0);
    expect(w.k.m.load(HOST.nrUninterruptible)).toBe(0);
    expect(w.k.m.load(HOST.anonPages)).toBe(0);
  });

  /** What the idle task itself is made of: a kernel without files or processes. */
  function bootLevel(): number[] {
    return liveObjects(testKernel({ files: [], programs: [] }));
  }
});
