/** What a built table holds is what its scenario says. */
import { describe, expect, test } from "vitest";
import { openFdCount } from "../../src/kernel/files.ts";
import { CRED, HOST, MM, PAGE_SIZE, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { rlimit } from "../../src/kernel/limits.ts";
import { findTask, nextTgid } from "../../src/kernel/pid.ts";
import { firstThread, nextThread, taskComm } from "../../src/kernel/task.ts";
import { bootKernel } from "../../src/kernel/boot.ts";
import { Kernel as KernelClass } from "../../src/kernel/kernel.ts";
import { processCounts, threadsOf } from "../../src/mutate/build/census.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { exitAll, liveObjects } from "../../src/mutate/build/teardown.ts";
import { timersStart } from "../../src/time/posix-timers.ts";
import { bytesText } from "../../src/shm/bytes.ts";
import { buildKernel, buildText, shipped } from "./kernel.ts";

const SHIPPED = ["idle", "webserver", "build", "database", "churn"];

function commOf(k: Kernel, task: number): string {
  const out = new Uint8Array(16);
  return Buffer.from(out.subarray(0, taskComm(k, task, out))).toString("latin1");
}

function parentOf(k: Kernel, task: number): number {
  return k.m.load(k.m.load(k.m.load(task + TASK.signal) + SIGNAL.parent) + SIGNAL.tgid);
}

function threads(k: Kernel, task: number): number[] {
  const found: number[] = [];
  for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) found.push(t);
  return found;
}

describe.each(SHIPPED)("%s", (name) => {
  const { k, scenario, built } = buildKernel(shipped(name));

  test("has every process and thread, under the right parent", () => {
    const counts = processCounts(scenario);
    for (const group of scenario.groups) {
      const pids = built.pids[group.index]!;
      expect(pids.length).toBe(counts[group.index]);
      for (let i = 0; i < pids.length; i++) {
        const task = findTask(k, pids[i]!);
        const above = group.parent < 0 ? 0 : built.pids[group.parent]![Math.floor(i / group.count)];
        expect(parentOf(k, task)).toBe(above);
        expect(threads(k, task)).toHaveLength(threadsOf(group));
        expect(k.m.load(task + TASK.behaviour)).toBe(group.index);
      }
    }
    expect(k.m.load(HOST.nrProcesses)).toBe(counts.reduce((sum, count) => sum + count, 0));
  });

  test("gives processes their identity, descriptors, timers and limits", () => {
    for (const group of scenario.groups) {
      for (const pid of built.pids[group.index]!) {
        const task = findTask(k, pid);
        const cred = k.m.load(task + TASK.cred);
        expect(k.m.loadU32(cred + CRED.uid)).toBe(group.uids[0]);
        expect(k.m.loadU32(cred + CRED.egid)).toBe(group.gids[1]);
        expect(openFdCount(k, task)).toBe(group.fds.reduce((sum, fd) => sum + fd.count, 0));
        const timers = group.timers.reduce((sum, timer) => sum + timer.count, 0);
        expect(timersStart(k, task, Math.max(0, timers - 1)) !== 0).toBe(timers > 0);
        expect(timersStart(k, task, timers)).toBe(0);
        expect(rlimit(k, k.m.load(task + TASK.signal), 7, false)).toBe(group.limits.nofile.soft);
      }
    }
  });

  test("brings address spaces to their sizes", () => {
    for (const group of scenario.groups) {
      for (const pid of built.pids[group.index]!) {
        const mm = k.m.load(findTask(k, pid) + TASK.mm);
        expect(mm !== 0).toBe(!group.kernel);
        if (mm === 0) continue;
        const { m } = k;
        const rss = m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem);
        expect(rss, `resident pages of ${group.name}`).toBe(Math.floor(group.memory.rss / PAGE_SIZE));
        expect(m.load(mm + MM.rssShmem)).toBe(Math.floor(group.memory.shmem / PAGE_SIZE));
        expect(m.load(mm + MM.mapCount)).toBeGreaterThanOrEqual(group.memory.vmas);
      }
    }
  });

  test("starts nobody before its parent, or in the future", () => {
    const now = k.m.load64(HOST.bootTime);
    for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) {
      const task = findTask(k, pid);
      const parent = findTask(k, parentOf(k, task));
      const began = k.m.load64(task + TASK.startTime);
      expect(began).toBeLessThanOrEqual(now);
      if (parent !== 0) expect(began).toBeGreaterThanOrEqual(k.m.load64(parent + TASK.startTime));
      expect(k.m.load64(task + TASK.utime) + k.m.load64(task + TASK.stime)).toBeLessThanOrEqual(
        (now - began + 1e9) * k.config.cpus,
      );
    }
  });

  test("leaves nothing behind when all processes have ended", () => {
    const empty = KernelClass.create(2 ** 28, kernelConfig(scenario, { seed: 7, now: 0 }), { debug: true });
    empty.busy();
    bootKernel(empty);
    const processes = k.m.load(HOST.nrProcesses);
    expect(exitAll(k)).toBe(processes);
    expect(liveObjects(k)).toEqual(liveObjects(empty));
    expect(k.m.load(HOST.nrThreads)).toBe(0);
    expect(k.m.load(HOST.nrRunning)).toBe(0);
    expect(k.m.load(HOST.anonPages)).toBe(0);
    expect(nextTgid(k, 1)).toBe(-1);
  });
});

describe("details", () => {
  const { k, built } = buildText(`
host: { cpus: 2, uptime: 1h, users: { bob: 1000 } }
processes:
  - name: shell
    exe: /usr/bin/bash
    args: ["-bash"]
    user: bob
    tty: pts/3
    session: true
    children:
      - name: job
        command: /usr/bin/job --number {i} --pid {n}
        count: 3
        group_leader: true
        threads: { "w-{t}": 2 }
        fds: ["tcp 127.0.0.1:80 listen", { kind: signalfd, mask: "8000000000000201" }, "anon [io_uring]"]
        namespaces: { net: inner }
        policy: fifo
        priority: 7
        cpus: [1]
        limits: { nofile: "100:200" }
`);
  const shell = findTask(k, built.pids.at(-2)![0]!);
  const jobs = built.pids.at(-1)!.map((pid) => findTask(k, pid));

  test("sessions, groups and terminals", () => {
    const signal = k.m.load(shell + TASK.signal);
    const sid = k.m.load(shell + TASK.pid);
    expect(k.m.load(signal + SIGNAL.session)).toBe(sid);
    for (const job of jobs) {
      const own = k.m.load(job + TASK.signal);
      expect(k.m.load(own + SIGNAL.session)).toBe(sid);
      expect(k.m.load(own + SIGNAL.pgrp)).toBe(k.m.load(job + TASK.pid));
      expect(k.m.load(own + SIGNAL.tty)).toBe(k.m.load(signal + SIGNAL.tty));
    }
    const terminal = HOST.ttys + (k.m.load(signal + SIGNAL.tty) - 1) * 3;
    expect(k.m.load(terminal)).toBe(136 * 256 + 3);
    expect(k.m.load(terminal + 1)).toBe(k.m.load(jobs[2]! + TASK.pid));
  });

  test("templates, names and scheduling", () => {
    const argv = bytesText(k.m, k.m.load(k.m.load(jobs[1]! + TASK.mm) + MM.argv));
    expect(argv).toBe(`/usr/bin/job\0--number\x001\0--pid\0${k.m.load(jobs[1]! + TASK.pid)}\0`);
    expect(threads(k, jobs[0]!).map((t) => commOf(k, t))).toEqual(["job", "w-0", "w-1"]);
    expect(k.m.load(jobs[0]! + TASK.policy)).toBe(1);
    expect(k.m.load(jobs[0]! + TASK.rtPriority)).toBe(7);
    expect(k.m.load(jobs[0]! + TASK.cpusAllowed)).toBe(2);
    expect(k.m.load(jobs[0]! + TASK.cpu)).toBe(1);
  });

  test("namespaces differ only where they are named", () => {
    const inner = k.m.load(jobs[0]! + TASK.nsproxy);
    expect(inner).toBe(k.m.load(jobs[1]! + TASK.nsproxy));
    expect(inner).not.toBe(k.m.load(shell + TASK.nsproxy));
  });

  test("every address space has a layout of its own", () => {
    const bases = jobs.map((job) => k.m.load64(k.m.load(job + TASK.mm) + MM.startCode));
    expect(new Set(bases).size).toBe(3);
  });

  test("equal seeds give equal tables", () => {
    const once = buildKernel(shipped("webserver"), 3);
    const again = buildKernel(shipped("webserver"), 3);
    const other = buildKernel(shipped("webserver"), 4);
    expect(again.built).toEqual(once.built);
    const bases = ({ k, built }: typeof once): number[] =>
      built.pids
        .flatMap((pids) => [...pids])
        .map((pid) => {
          const mm = k.m.load(findTask(k, pid) + TASK.mm);
          return mm === 0 ? 0 : k.m.load64(mm + MM.mmapBase);
        });
    expect(bases(again)).toEqual(bases(once));
    expect(bases(other)).not.toEqual(bases(once));
  });
});

describe("size", () => {
  /** Bytes of the arena for each of `count` processes with about 20 VMAs. */
  function bytesEach(count: number): number {
    const { k } = buildText(`
host: { memory: 256G, threads_max: 1000000 }
processes: [{ name: app, command: "/usr/local/bin/app --number {i}", count: ${count}, memory: 900K }]
`);
    const before = KernelClass.create(2 ** 28, k.config).slab.usedBytes();
    return (k.slab.usedBytes() - before) / count;
  }

  test("a process takes at most 4 KiB, loaded by itself or copied from another", () => {
    expect(bytesEach(4000)).toBeLessThan(4096);
    expect(bytesEach(24_000)).toBeLessThan(4096);
  });
});
