/** Every behaviour does what it says: one process, some simulated seconds, and a look at what has changed. */
import { describe, expect, test } from "vitest";
import { cpuTimes, dumpableOf, openLimit, readIo, timersOf, uidOf, vmaCount, vmSize } from "./look.ts";
import { CRED, HOST, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { openFdCount, nextFd } from "../../src/kernel/files.ts";
import { EXIT_ZOMBIE, TASK_STOPPED, TASK_UNINTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { heldExecs } from "../../src/kernel/exec-hold.ts";
import { allVmas } from "../../src/mm/mm.ts";
import { allPids, childrenOf, commOf, oneProcess, taskOf, tidsOf } from "./world.ts";
import type { World } from "./world.ts";

function only(w: World): number {
  return w.pids("p")[0]!;
}

/** How often a condition held at the end of a tick. */
function ticksWith(w: World, count: number, holds: () => boolean): number {
  let held = 0;
  for (let i = 0; i < count; i++) {
    w.ticks(1);
    if (holds()) held++;
  }
  return held;
}

describe("behaviours", () => {
  test("cpu: a share of the time, in the given mix, and in state R just as often", () => {
    const w = oneProcess("{ cpu: { share: 30%, user: 75% } }");
    const pid = only(w);
    const before = cpuTimes(w, pid);
    const switches = w.k.m.load(taskOf(w, pid) + TASK.nvcsw);
    const running = ticksWith(w, 2000, () => w.k.m.load(taskOf(w, pid) + TASK.state) === 0);
    const after = cpuTimes(w, pid);
    const user = (after.user - before.user) / 20e9;
    const system = (after.system - before.system) / 20e9;
    expect(user + system).toBeGreaterThan(0.25);
    expect(user + system).toBeLessThan(0.35);
    expect(user / (user + system)).toBeCloseTo(0.75, 1);
    expect(running / 2000).toBeGreaterThan(0.2);
    expect(running / 2000).toBeLessThan(0.45);
    expect(w.k.m.load(taskOf(w, pid) + TASK.nvcsw)).toBeGreaterThan(switches + 200);
  });

  test("cpu: more than one CPU takes several threads, and no machine does more than it can", () => {
    const two = oneProcess("{ cpu: 150% }", "threads: 4");
    const start = cpuTimes(two, only(two));
    two.seconds(10);
    const end = cpuTimes(two, only(two));
    expect((end.user + end.system - start.user - start.system) / 10e9).toBeCloseTo(1.5, 0);
    const greedy = oneProcess("{ cpu: 800% }", "threads: 9");
    const from = cpuTimes(greedy, only(greedy));
    greedy.seconds(10);
    const to = cpuTimes(greedy, only(greedy));
    const used = (to.user + to.system - from.user - from.system) / 10e9;
    expect(used).toBeLessThanOrEqual(2.01);
    expect(used).toBeGreaterThan(1.8);
    expect(greedy.k.m.load(HOST.nrRunning)).toBeGreaterThan(4);
    expect(greedy.k.m.load(HOST.loadAverage)).toBeGreaterThan(2048 / 4);
  });

  test("io: calls and bytes at the rate, cached reads without a disk", () => {
    const w = oneProcess("{ io: { rate: 250/s, read: 1000..3000, write: 500, cached: 80% } }");
    const before = readIo(w, only(w));
    w.seconds(20);
    const io = readIo(w, only(w));
    expect(io.syscr - before.syscr).toBeGreaterThan(4800);
    expect(io.syscr - before.syscr).toBeLessThan(5200);
    expect((io.rchar - before.rchar) / (io.syscr - before.syscr)).toBeGreaterThan(1900);
    expect((io.rchar - before.rchar) / (io.syscr - before.syscr)).toBeLessThan(2100);
    expect(io.wchar - before.wchar).toBe(500 * (io.syscw - before.syscw));
    const pagesPerRead = (io.readBytes - before.readBytes) / 4096 / (io.syscr - before.syscr);
    expect(pagesPerRead).toBeGreaterThan(0.15);
    expect(pagesPerRead).toBeLessThan(0.25);
    expect(io.writeBytes % 4096).toBe(0);
  });

  test("mmap: keeps so many regions, and the resident size follows", () => {
    const w = oneProcess("{ mmap: { rate: 100/s, size: 64K, keep: 5, touched: 50% } }");
    const before = vmSize(w, only(w));
    w.seconds(10);
    const after = vmSize(w, only(w));
    expect(after.pages - before.pages).toBe(5 * 16);
    expect(after.resident - before.resident).toBe(5 * 8);
  });

  test("split: VMAs come in pairs for each split that stays", () => {
    const w = oneProcess("{ split: { rate: 200/s, keep: 6 } }");
    const before = vmaCount(w, only(w));
    w.seconds(10);
    const counts = new Set<number>();
    ticksWith(w, 50, () => counts.add(vmaCount(w, only(w)) - before) !== undefined);
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(12);
    expect(Math.max(...counts)).toBeLessThanOrEqual(13);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(10);
  });

  test("mremap: one region, now larger, now smaller", () => {
    const w = oneProcess("{ mremap: { rate: 50/s, size: 4K..1M } }");
    const before = vmSize(w, only(w)).pages;
    const sizes = new Set<number>();
    ticksWith(w, 300, () => sizes.add(vmSize(w, only(w)).pages - before) !== undefined);
    expect(sizes.size).toBeGreaterThan(50);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256);
  });

  test("brk: the heap grows to its bound, and starts again", () => {
    const w = oneProcess("{ brk: { rate: 50/s, size: 64K, max: 1M } }");
    const before = vmSize(w, only(w)).pages;
    const sizes: number[] = [];
    ticksWith(w, 500, () => sizes.push(vmSize(w, only(w)).pages - before) > 0);
    expect(Math.max(...sizes)).toBe(256);
    expect(sizes.slice(100)).toContain(16);
  });

  test("timer: keeps so many, newest first", () => {
    const w = oneProcess("{ timer: { rate: 100/s, keep: 7, signal: 34, clock: realtime } }");
    w.seconds(5);
    const timers = timersOf(w, only(w));
    expect(timers).toHaveLength(7);
    expect(timers[0]!.id).toBeGreaterThan(400);
    expect(timers.map(({ id }) => id)).toEqual([...timers.map(({ id }) => id)].sort((a, b) => b - a));
    expect(timers.every(({ signo, clock }) => signo === 34 && clock === 0)).toBe(true);
  });

  test("clone: threads with names come and go", () => {
    const w = oneProcess('{ clone: { rate: 50/s, lifetime: 200ms, max: 30, name: "t-{n}" } }');
    w.seconds(2);
    const counts: number[] = [];
    const names = new Set<string>();
    ticksWith(w, 500, () => {
      const tids = tidsOf(w, only(w));
      for (const tid of tids.slice(1)) names.add(commOf(w, tid));
      return counts.push(tids.length) > 0;
    });
    const mean = counts.reduce((a, b) => a + b) / counts.length;
    expect(mean).toBeGreaterThan(8);
    expect(mean).toBeLessThan(14);
    expect(names.size).toBeGreaterThan(150);
    expect([...names].every((name) => /^t-\d+$/.test(name))).toBe(true);
  });

  test("clone: never more than its bound", () => {
    const w = oneProcess("{ clone: { rate: 200/s, lifetime: 1s, max: 6 } }");
    expect(ticksWith(w, 300, () => tidsOf(w, only(w)).length > 7)).toBe(0);
    expect(tidsOf(w, only(w)).length).toBe(7);
  });

  test("exec: another program in place, the threads of its own program come back", () => {
    const w = oneProcess(
      '{ exec: { rate: 20/s, programs: { "/usr/bin/p": 1, "/usr/bin/q --round {n}": 1 } } }',
      "threads: 3",
    );
    const comms = new Set<string>();
    const threads = { p: new Set<number>(), q: new Set<number>() };
    ticksWith(w, 500, () => {
      const comm = commOf(w, only(w)) as "p" | "q";
      comms.add(comm);
      threads[comm].add(tidsOf(w, only(w)).length);
      return true;
    });
    expect([...comms].sort()).toEqual(["p", "q"]);
    expect([...threads.p]).toEqual([3]);
    expect([...threads.q]).toEqual([1]);
  });

  test("exec: from a thread that isn't the leader, the process keeps its pid", () => {
    const w = oneProcess("{ exec: { rate: 20/s, from_thread: 100% } }", "threads: 4");
    const pid = only(w);
    w.seconds(5);
    expect(tidsOf(w, pid)[0]).toBe(pid);
    expect(tidsOf(w, pid)).toHaveLength(4);
    expect(w.k.m.load(taskOf(w, pid) + TASK.pid)).toBe(pid);
  });

  test("exec: gains privileges and loses them again", () => {
    const w = oneProcess("{ exec: { rate: 20/s, setuid: 100% } }", "user: nobody");
    const uids: number[] = [];
    ticksWith(w, 300, () => uids.push(uidOf(w, only(w)).euid) > 0);
    expect(new Set(uids)).toEqual(new Set([0, 65534]));
    expect(uids.filter((uid) => uid === 0).length / uids.length).toBeCloseTo(0.5, 0);
    expect(uidOf(w, only(w)).uid).toBe(65534);
  });

  test("exec: a slow one holds the exec lock as long as it says, and nothing else waits", () => {
    const w = oneProcess("{ exec: { rate: 1/s, duration: 400ms, jitter: 0 } , io: 50/s }");
    const task = (): number => taskOf(w, only(w));
    const held = ticksWith(
      w,
      1000,
      () => w.k.m.load(w.k.m.load(task() + TASK.signal) + SIGNAL.execUpdateSeq) % 2 !== 0,
    );
    expect(held / 1000).toBeGreaterThan(0.35);
    expect(held / 1000).toBeLessThan(0.45);
  });

  test("exec: some fail before they begin, and nothing has happened", () => {
    const always = oneProcess("{ exec: { rate: 20/s, programs: /usr/bin/q, fail_before: 100% } }", "threads: 3");
    const tids = tidsOf(always, only(always));
    always.seconds(3);
    expect([commOf(always, only(always)), tidsOf(always, only(always))]).toEqual(["p", tids]);
    const half = oneProcess("{ exec: { rate: 20/s, programs: /usr/bin/q, fail_before: 50% } }", "threads: 3");
    half.seconds(3);
    expect(commOf(half, only(half))).toBe("q");
  });

  test.each([
    ["at once", "0"],
    ["held, in the end", "30ms"],
  ])("exec: some fail halfway, %s: the process is killed and started again", (_, duration) => {
    const w = oneProcess(
      `{ exec: { rate: 2/s, setuid: 100%, fail_halfway: 100%, duration: ${duration} } }`,
      "user: nobody",
    );
    const pids = new Set<number>();
    const held = ticksWith(w, 1000, () => {
      for (const pid of allPids(w)) {
        const task = taskOf(w, pid);
        if (commOf(w, pid) !== "p") continue;
        pids.add(pid);
        expect(w.k.m.load(w.k.m.load(task + TASK.cred) + CRED.euid)).toBe(65534);
      }
      return heldExecs(w.k) > 0;
    });
    expect(pids.size).toBeGreaterThan(8);
    expect(held > 0).toBe(duration !== "0");
  });

  test("exec: some images are not dumpable", () => {
    const w = oneProcess("{ exec: { rate: 20/s, non_dumpable: 50% } }");
    const seen = new Set<number>();
    ticksWith(w, 300, () => seen.add(dumpableOf(w, only(w))) !== undefined);
    expect([...seen].sort()).toEqual([0, 1]);
  });

  test("fork: the exec of a child takes its time, or fails before or halfway", () => {
    const rates = (manner: string): string =>
      `{ fork: { rate: 40/s, lifetime: 400ms, zombie: 200ms, exec: /usr/bin/q, ${manner} } }`;
    const slow = oneProcess(rates("exec_duration: 100ms..200ms"));
    expect(ticksWith(slow, 300, () => heldExecs(slow.k) > 2)).toBeGreaterThan(200);
    const comms = childrenOf(slow, only(slow)).map((pid) => commOf(slow, pid));
    expect(new Set(comms)).toEqual(new Set(["p", "q"]));
    const codes = (manner: string): Set<number> => {
      const w = oneProcess(rates(manner));
      const seen = new Set<number>();
      ticksWith(w, 300, () => {
        for (const pid of childrenOf(w, only(w))) {
          const task = taskOf(w, pid);
          if ((w.k.m.load(task + TASK.state) & EXIT_ZOMBIE) !== 0) seen.add(w.k.m.load(task + TASK.exitCode));
        }
        return true;
      });
      return seen;
    };
    expect(codes("exec_fail_before: 100%")).toEqual(new Set([126 << 8]));
    expect(codes("exec_fail_halfway: 100%")).toEqual(new Set([11]));
    expect(codes("exec_fail_halfway: 100%, exec_duration: 20ms")).toEqual(new Set([11]));
    expect(codes("exec_fail_halfway: 40%, exec_fail_before: 30%")).toEqual(new Set([0, 11, 126 << 8]));
  });

  test("setuid: in turn through the list", () => {
    const w = oneProcess("{ setuid: { rate: 20/s, uids: [root, nobody, daemon] } }");
    const seen = new Set<number>();
    ticksWith(w, 100, () => seen.add(uidOf(w, only(w)).euid) !== undefined);
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 65534]);
  });

  test("rename: in turn through the names, with the count filled in", () => {
    const w = oneProcess('{ rename: { rate: 50/s, names: ["odd) (name", "n{n}"] } }');
    const seen = new Set<string>();
    ticksWith(w, 200, () => seen.add(commOf(w, only(w))) !== undefined);
    expect(seen).toContain("odd) (name");
    expect([...seen].filter((name) => /^n\d+$/.test(name)).length).toBeGreaterThan(20);
  });

  test.each(["file", "socket", "pipe", "eventfd"])("open: keeps so many (%s)", (what) => {
    const w = oneProcess(`{ open: { rate: 100/s, what: ${what}, keep: 8 } }`);
    const before = openFdCount(w.k, taskOf(w, only(w)));
    w.seconds(5);
    const each = what === "pipe" ? 2 : 1;
    expect(openFdCount(w.k, taskOf(w, only(w)))).toBe(before + 8 * each);
    expect(nextFd(w.k, taskOf(w, only(w)), 100)).toBe(-1);
  });

  test("block: in state D for about that long", () => {
    const w = oneProcess("{ block: { rate: 5/s, duration: 60ms } }");
    const blocked = ticksWith(w, 1000, () => w.k.m.load(taskOf(w, only(w)) + TASK.state) === TASK_UNINTERRUPTIBLE);
    expect(blocked / 1000).toBeGreaterThan(0.2);
    expect(blocked / 1000).toBeLessThan(0.4);
    expect(w.k.m.load(HOST.nrUninterruptible)).toBeGreaterThanOrEqual(0);
  });

  test("stop: stopped and continued, and still meanwhile", () => {
    const w = oneProcess("{ stop: { rate: 1/s, duration: 500ms, jitter: 0 }, io: 100/s }");
    let calls = -1;
    let moved = 0;
    const stopped = ticksWith(w, 2000, () => {
      const now = w.k.m.load(taskOf(w, only(w)) + TASK.state) === TASK_STOPPED;
      const { syscr } = readIo(w, only(w));
      if (now && calls >= 0 && syscr !== calls) moved++;
      calls = now ? syscr : -1;
      return now;
    });
    expect(stopped / 2000).toBeGreaterThan(0.45);
    expect(stopped / 2000).toBeLessThan(0.55);
    expect(moved).toBe(0);
  });

  test("tsync: every thread is bound by it, with the same new credentials", () => {
    const w = oneProcess("{ tsync: 5/s }", "threads: 3");
    w.seconds(2);
    const creds = new Set<number>();
    for (const tid of tidsOf(w, only(w))) {
      expect(w.k.m.load(taskOf(w, tid) + TASK.noNewPrivs)).toBe(1);
      creds.add(w.k.m.load(taskOf(w, tid) + TASK.cred));
    }
    expect(creds.size).toBe(1);
  });

  test("tsync: a slow one holds the exec lock as long as it says", () => {
    const w = oneProcess("{ tsync: { rate: 1/s, duration: 400ms, jitter: 0 }, io: 50/s }", "threads: 3");
    const held = ticksWith(
      w,
      1000,
      () => w.k.m.load(w.k.m.load(taskOf(w, only(w)) + TASK.signal) + SIGNAL.execUpdateSeq) % 2 !== 0,
    );
    expect(held / 1000).toBeGreaterThan(0.35);
    expect(held / 1000).toBeLessThan(0.45);
  });

  test("mmap: a VMA that one process gives back is the next one's", () => {
    const w = oneProcess("{ mmap: { rate: 50/s, size: 64K, keep: 2 } }", "count: 4");
    const owners = new Map<number, number>();
    let handed = 0;
    ticksWith(w, 200, () => {
      for (const pid of w.pids("p")) {
        const mm = w.k.m.load(taskOf(w, pid) + TASK.mm);
        for (const vma of allVmas(w.k, mm)) {
          if ((owners.get(vma) ?? mm) !== mm) handed++;
          owners.set(vma, mm);
        }
      }
      return true;
    });
    expect(handed).toBeGreaterThan(20);
  });

  test("dumpable and limit: to and fro", () => {
    const w = oneProcess("{ dumpable: 10/s, limit: 10/s }");
    const dumpable = new Set<number>();
    const limits = new Set<number>();
    ticksWith(w, 200, () => {
      dumpable.add(dumpableOf(w, only(w)));
      return limits.add(openLimit(w, only(w))) !== undefined;
    });
    expect([...dumpable].sort()).toEqual([0, 1]);
    expect(Math.max(...limits)).toBe(2 * [...limits].filter((one) => one > 1024).sort((a, b) => a - b)[0]!);
  });

  test("per: group shares a rate out among the members", () => {
    const w = oneProcess("{ io: { rate: 40/s, per: group, read: 10, write: 0 } }", "count: 8");
    const calls = (): number => w.pids("p").reduce((sum, pid) => sum + readIo(w, pid).syscr, 0);
    const before = calls();
    w.seconds(20);
    expect((calls() - before) / 20).toBeGreaterThan(36);
    expect((calls() - before) / 20).toBeLessThan(44);
  });
});
