/** fork, clone, exec, exit and reaping: what the process table looks like after each. */
import { beforeEach, describe, expect, test } from "vitest";
import { ECHILD, EINVAL } from "../../src/kernel/errno.ts";
import { execBegin, execFinish, execTask } from "../../src/kernel/exec.ts";
import { exitGroup, exitThread, reap } from "../../src/kernel/exit.ts";
import { fileNew, fdLookup, installFd, nextFd } from "../../src/kernel/files.ts";
import {
  CLONE_FILES,
  CLONE_THREAD,
  CLONE_VM,
  PF_FORKNOEXEC,
  SUID_DUMP_DISABLE,
  SUID_DUMP_USER,
} from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { accountIo } from "../../src/kernel/io-accounting.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { CRED, FILES, HOST, IO, MM, SIGHAND, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { findTask, nextTgid } from "../../src/kernel/pid.ts";
import { firstThread, isZombie, nextThread, taskComm, threadCount } from "../../src/kernel/task.ts";
import { Cache, cacheName } from "../../src/kernel/caches.ts";
import { MAX_CACHES } from "../../src/shm/slab.ts";
import { timerCreate } from "../../src/time/posix-timers.ts";
import { testKernel } from "../support/kernel.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";

let k: Kernel;
let init: number;

beforeEach(() => {
  k = testKernel();
  init = startInit(k);
});

function comm(task: number): string {
  const out = new Uint8Array(16);
  return Buffer.from(out.subarray(0, taskComm(k, task, out))).toString("latin1");
}

function threads(task: number): number[] {
  const out: number[] = [];
  for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) out.push(k.m.load(t + TASK.pid));
  return out;
}

function children(task: number): number[] {
  const out: number[] = [];
  const signal = k.m.load(task + TASK.signal);
  for (let c = k.m.load(signal + SIGNAL.childFirst); c !== 0; c = k.m.load(c + SIGNAL.siblingNext)) {
    out.push(k.m.load(c + SIGNAL.tgid));
  }
  return out;
}

function parent(task: number): number {
  return k.m.load(k.m.load(k.m.load(task + TASK.signal) + SIGNAL.parent) + SIGNAL.tgid);
}

function pid(task: number): number {
  return k.m.load(task + TASK.pid);
}

function liveByCache(): Record<string, number> {
  const out: Record<string, number> = {};
  for (let cache = 0; cache < MAX_CACHES; cache++)
    if (k.slab.live(cache) !== 0) out[cacheName(cache)] = k.slab.live(cache);
  return out;
}

/** Lets every grace period pass. */
function settle(): void {
  while (k.slab.reclaiming()) {
    k.quiescent();
    k.slab.reclaim();
  }
}

describe("fork", () => {
  test("copies, and hangs the child under its parent", () => {
    const a = fork(k, init);
    const b = fork(k, a);
    expect(children(init)).toEqual([pid(a)]);
    expect(children(a)).toEqual([pid(b)]);
    expect(parent(b)).toBe(pid(a));
    expect(comm(b)).toBe("prog");
    expect(k.m.load(a + TASK.mm)).not.toBe(k.m.load(init + TASK.mm));
    expect(k.m.load(b + TASK.flags) & PF_FORKNOEXEC).toBe(PF_FORKNOEXEC);
    expect(k.m.load(HOST.nrProcesses)).toBe(3);
  });

  test("contradictory flags are EINVAL", () => {
    expect(copyProcess(k, init, CLONE_THREAD)).toBe(-EINVAL);
    expect(copyProcess(k, init, CLONE_THREAD | CLONE_VM)).toBe(-EINVAL);
  });

  test("open files are shared by reference, the table only with CLONE_FILES", () => {
    const fd = installFd(k, k.m.load(init + TASK.files), fileNew(k, { kind: 3, flags: 0 }));
    const own = fork(k, init);
    const shared = findTask(k, copyProcess(k, init, CLONE_FILES));
    expect(fdLookup(k, own, fd)).toBe(fdLookup(k, init, fd));
    installFd(k, k.m.load(init + TASK.files), fileNew(k, { kind: 3, flags: 0 }));
    expect(nextFd(k, own, fd + 1)).toBe(-1);
    expect(nextFd(k, shared, fd + 1)).toBe(fd + 1);
  });
});

describe("threads", () => {
  test("are listed in order of creation, and vanish when they end", () => {
    const a = fork(k, init);
    const t1 = cloneThread(k, a);
    const t2 = cloneThread(k, a);
    expect(threads(a)).toEqual([pid(a), pid(t1), pid(t2)]);
    expect(threadCount(k, a)).toBe(3);
    const gone = pid(t1);
    exitThread(k, t1, 0);
    expect(threads(a)).toEqual([pid(a), pid(t2)]);
    expect(findTask(k, gone)).toBe(0);
  });

  test("a dead leader stays as a zombie until its threads are gone", () => {
    const a = fork(k, init);
    const t1 = cloneThread(k, a);
    exitThread(k, a, 0);
    expect(isZombie(k, a)).toBe(true);
    expect(reap(k, a)).toBe(-ECHILD);
    expect(threads(a)).toEqual([pid(a), pid(t1)]);
    exitThread(k, t1, 0);
    expect(threads(a)).toEqual([pid(a)]);
    expect(reap(k, a)).toBe(0);
  });

  test("what a dead thread did counts for its group", () => {
    const a = fork(k, init);
    const t1 = cloneThread(k, a);
    accountIo(k, t1, { rchar: 2 ** 33, wchar: 5, syscr: 1, syscw: 1, readBytes: 4096, writeBytes: 0 });
    k.m.store64(t1 + TASK.utime, 7_000_000);
    exitThread(k, t1, 0);
    const signal = k.m.load(a + TASK.signal);
    expect(k.m.load64(signal + SIGNAL.ioac + IO.rchar)).toBe(2 ** 33);
    expect(k.m.load64(signal + SIGNAL.utime)).toBe(7_000_000);
  });
});

describe("exit", () => {
  test("leaves a zombie; reaping frees the pid and adds the times to the parent", () => {
    const a = fork(k, init);
    const child = pid(a);
    k.m.store64(a + TASK.stime, 3_000_000);
    exitGroup(k, a, 7 << 8);
    expect(k.m.load(a + TASK.exitCode)).toBe(7 << 8);
    expect([k.m.load(a + TASK.mm), k.m.load(a + TASK.files), k.m.load(a + TASK.fs)]).toEqual([0, 0, 0]);
    expect(nextTgid(k, child)).toBe(child);
    expect(reap(k, a)).toBe(0);
    expect(findTask(k, child)).toBe(0);
    expect(nextTgid(k, child)).toBe(-1);
    expect(k.m.load64(k.m.load(init + TASK.signal) + SIGNAL.cstime)).toBe(3_000_000);
  });

  test("a parent that ignores SIGCHLD has no zombies", () => {
    const a = fork(k, init);
    k.m.or(k.m.load(a + TASK.sighand) + SIGHAND.ignored, 1 << 16);
    const b = fork(k, a);
    const child = pid(b);
    exitGroup(k, b, 0);
    expect(findTask(k, child)).toBe(0);
  });

  test("orphans go to the nearest subreaper, else to init; init reaps the dead ones at once", () => {
    const service = fork(k, init);
    k.m.store(k.m.load(service + TASK.signal) + SIGNAL.isChildSubreaper, 1);
    const middle = fork(k, service);
    const orphan = fork(k, middle);
    exitGroup(k, middle, 0);
    expect(parent(orphan)).toBe(pid(service));
    const deadOrphan = fork(k, service);
    const deadPid = pid(deadOrphan);
    exitGroup(k, deadOrphan, 0);
    exitGroup(k, service, 0);
    expect(parent(orphan)).toBe(1);
    expect(findTask(k, deadPid)).toBe(0);
  });
});

describe("exec", () => {
  test("replaces the image, closes what it should, resets handlers and deletes timers", () => {
    const a = fork(k, init);
    const files = k.m.load(a + TASK.files);
    const kept = installFd(k, files, fileNew(k, { kind: 3, flags: 0 }), 0, false);
    const closed = installFd(k, files, fileNew(k, { kind: 3, flags: 0o2000000 }), 0, true);
    k.m.store(k.m.load(a + TASK.sighand) + SIGHAND.caught, -1);
    timerCreate(k, a, { clock: 1, signo: 14, value: 0, notify: 0, notifyPid: pid(a) });
    const before = k.m.load(a + TASK.mm);
    execTask(k, a, { ...execSpec(k), comm: new TextEncoder().encode("a-very-long-name-indeed") });
    expect(k.m.load(a + TASK.mm)).not.toBe(before);
    expect(comm(a)).toBe("a-very-long-nam");
    expect(fdLookup(k, a, kept)).not.toBe(0);
    expect(fdLookup(k, a, closed)).toBe(0);
    expect(k.m.load(files + FILES.openFds)).toBe(1);
    expect(k.m.load(k.m.load(a + TASK.sighand) + SIGHAND.caught)).toBe(0);
    expect(k.m.load(k.m.load(a + TASK.signal) + SIGNAL.posixTimers)).toBe(0);
  });

  test("from another thread: it takes over pid, place and start time of the leader", () => {
    const a = fork(k, init);
    const tgid = pid(a);
    const t1 = cloneThread(k, a);
    const t2 = cloneThread(k, a);
    const gone = [pid(t1), pid(t2)];
    k.m.store64(a + TASK.startTime, 123);
    execTask(k, t1, execSpec(k));
    expect(findTask(k, tgid)).toBe(t1);
    expect(gone.map((tid) => findTask(k, tid))).toEqual([0, 0]);
    expect(threads(t1)).toEqual([tgid]);
    expect(k.m.load64(t1 + TASK.startTime)).toBe(123);
    expect(children(init)).toEqual([tgid]);
    expect(nextTgid(k, tgid)).toBe(tgid);
  });

  test("set-user-ID: undumpable, effective identity of the owner, only after the second half", () => {
    const a = fork(k, init);
    setIdentity(k, a, 1000, 1000, []);
    const exec = execBegin(k, a, execSpec(k, 1));
    expect(k.m.load(k.m.load(a + TASK.cred) + CRED.euid)).toBe(1000);
    execFinish(k, exec);
    const cred = k.m.load(a + TASK.cred);
    expect([k.m.load(cred + CRED.uid), k.m.load(cred + CRED.euid)]).toEqual([1000, 0]);
    expect(k.m.load(k.m.load(a + TASK.mm) + MM.dumpable)).toBe(SUID_DUMP_DISABLE);
    setIdentity(k, a, 1000, 1000, []);
    execTask(k, a, execSpec(k));
    expect(k.m.load(k.m.load(a + TASK.mm) + MM.dumpable)).toBe(SUID_DUMP_USER);
  });
});

test("nothing is leaked when everything has ended", () => {
  settle();
  const before = liveByCache();
  for (let round = 0; round < 20; round++) {
    const a = fork(k, init);
    const t1 = cloneThread(k, a);
    cloneThread(k, a);
    installFd(k, k.m.load(a + TASK.files), fileNew(k, { kind: 4, flags: 2 }));
    timerCreate(k, a, { clock: 1, signo: 14, value: 0, notify: 0, notifyPid: pid(a) });
    setIdentity(k, a, 1000, 1000, [4, 24]);
    const b = fork(k, a);
    execTask(k, t1, execSpec(k, 0, round));
    exitGroup(k, b, 0);
    exitGroup(k, t1, 0);
    reap(k, t1);
  }
  settle();
  expect(liveByCache()).toEqual(before);
  expect(k.slab.live(Cache.task)).toBe(2);
});
