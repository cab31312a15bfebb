/** exec step by step: what has changed after each half, in the kernel's order. */
import { beforeEach, describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import { EACCES, ENOEXEC } from "../../src/kernel/errno.ts";
import { execBegin, execFinish, execRefused, execTask } from "../../src/kernel/exec.ts";
import { exitGroup } from "../../src/kernel/exit.ts";
import { fdLookup, fileNew, installFd } from "../../src/kernel/files.ts";
import { CLONE_FILES, CLONE_SIGHAND, CLONE_VM, SUID_DUMP_DISABLE, SUID_DUMP_USER } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { bootKernel } from "../../src/kernel/boot.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { ArenaFullError } from "../../src/shm/slab.ts";
import type { Program } from "../../src/kernel/config.ts";
import { CRED, FILES, MM, SIGHAND, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { isZombie, taskComm } from "../../src/kernel/task.ts";
import { setNoNewPrivs, tsync, tsyncBegin, tsyncFinish } from "../../src/kernel/tsync.ts";
import { rwsemIsLocked } from "../../src/sync/rwsem.ts";
import { timerCreate, timersStart } from "../../src/time/posix-timers.ts";
import { TEST_CONFIG, testKernel } from "../support/kernel.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";

let k: Kernel;
let init: number;
let task: number;

beforeEach(() => {
  k = testKernel();
  init = startInit(k);
  task = fork(k, init);
  setIdentity(k, task, 1000, 1000, []);
  k.m.store(mm() + MM.dumpable, SUID_DUMP_USER);
});

const at = (field: number): number => k.m.load(task + field);
const mm = (): number => at(TASK.mm);
const signal = (): number => at(TASK.signal);
const dumpable = (): number => k.m.load(mm() + MM.dumpable);
const euid = (): number => k.m.load(at(TASK.cred) + CRED.euid);

/** Whether the sequence is odd, and which locks are held. */
function writing(): { odd: boolean; update: boolean; guard: boolean } {
  return {
    odd: (k.m.load(signal() + SIGNAL.execUpdateSeq) & 1) !== 0,
    update: rwsemIsLocked(k.t, signal() + SIGNAL.execUpdateLock),
    guard: rwsemIsLocked(k.t, signal() + SIGNAL.credGuardMutex),
  };
}

const NOTHING = { odd: false, update: false, guard: false };

function comm(): string {
  const out = new Uint8Array(16);
  return Buffer.from(out.subarray(0, taskComm(k, task, out))).toString("latin1");
}

/** A process that shares files, and (CLONE_VM has to come with that) handlers and memory with `task`. */
function relative(): number {
  return findTask(k, copyProcess(k, task, CLONE_VM | CLONE_FILES | CLONE_SIGHAND));
}

describe("the first half", () => {
  test("new memory, own files, no other threads; handlers, timers, name and credentials are still the old ones", () => {
    const sharer = relative();
    const thread = cloneThread(k, task);
    const tid = k.m.load(thread + TASK.pid);
    const fd = installFd(k, at(TASK.files), fileNew(k, { kind: 3, flags: 0o2000000 }), 0, true);
    timerCreate(k, task, { clock: 1, signo: 14, value: 0, notify: 0, notifyPid: 1 });
    k.m.store64(task + TASK.robustList, 0x1000);
    const [oldMm, oldFiles, oldSighand, oldCred] = [mm(), at(TASK.files), at(TASK.sighand), at(TASK.cred)];
    const exec = execBegin(k, task, { ...execSpec(k, 1), comm: new TextEncoder().encode("later") });
    expect(writing()).toEqual({ odd: true, update: true, guard: true });
    expect(mm()).not.toBe(oldMm);
    expect(k.m.load(oldMm + MM.mmUsers)).toBe(1);
    expect(at(TASK.files)).not.toBe(oldFiles);
    expect(k.m.load(oldFiles + FILES.count)).toBe(1);
    expect(findTask(k, tid)).toBe(0);
    expect(k.m.load64(task + TASK.robustList)).toBe(0);
    expect([at(TASK.sighand), at(TASK.cred)]).toEqual([oldSighand, oldCred]);
    expect(timersStart(k, task, 0)).not.toBe(0);
    expect(fdLookup(k, task, fd)).not.toBe(0);
    expect(comm()).toBe("prog");

    expect(execFinish(k, exec)).toBe(true);
    expect(writing()).toEqual(NOTHING);
    expect(at(TASK.sighand)).not.toBe(oldSighand);
    expect(k.m.load(oldSighand + SIGHAND.count)).toBe(1);
    expect(timersStart(k, task, 0)).toBe(0);
    expect(fdLookup(k, task, fd)).toBe(0);
    expect(fdLookup(k, sharer, fd)).not.toBe(0);
    expect(comm()).toBe("later");
    expect(euid()).toBe(0);
  });

  test("the old memory is put at once: nobody keeps it while the exec is held", () => {
    const old = mm();
    expect(k.m.load(old + MM.mmUsers)).toBe(1);
    const exec = execBegin(k, task, execSpec(k));
    expect([k.m.load(old + MM.mmUsers), k.m.load(old + MM.mapCount)]).toEqual([0, 0]);
    execFinish(k, exec);
  });
});

describe("dumpability", () => {
  test.each([
    ["undumpable", SUID_DUMP_DISABLE],
    ["dumpable", SUID_DUMP_USER],
  ])("the new memory is %s as the old one was, until the second half", (_, value) => {
    k.m.store(mm() + MM.dumpable, value);
    const exec = execBegin(k, task, execSpec(k));
    expect(dumpable()).toBe(value);
    execFinish(k, exec);
    expect(dumpable()).toBe(SUID_DUMP_USER);
  });

  test("is decided by the old ids, then taken away by the new ones", () => {
    execTask(k, task, execSpec(k, 1));
    expect([euid(), dumpable()]).toEqual([0, SUID_DUMP_DISABLE]);
    // Privileged by an exec before, it stays so: effective and real user differ.
    execTask(k, task, execSpec(k));
    expect([euid(), dumpable()]).toEqual([0, SUID_DUMP_DISABLE]);
    setIdentity(k, task, 1000, 1000, []);
    execTask(k, task, execSpec(k));
    expect([euid(), dumpable()]).toEqual([1000, SUID_DUMP_USER]);
  });

  test("a file that may not be read makes it undumpable", () => {
    execTask(k, task, { ...execSpec(k), nonDumpable: true });
    expect(dumpable()).toBe(SUID_DUMP_DISABLE);
  });

  test("the filter of core dumps goes on", () => {
    k.m.store(mm() + MM.flags, 0x7f0);
    execTask(k, task, execSpec(k));
    expect(k.m.load(mm() + MM.flags)).toBe(0x7f0);
  });
});

describe("failures", () => {
  test("before the point of no return", () => {
    const { program } = execSpec(k);
    const image = k.config.files[0]!;
    const refused = (change: Partial<typeof image>): number => {
      const changed: Program = { ...program, image: { ...image, ...change } };
      return execRefused(k, task, changed);
    };
    expect(refused({})).toBe(0);
    expect(refused({ mode: 0o100644 })).toBe(-EACCES);
    expect(refused({ mode: 0o100744 })).toBe(-EACCES);
    expect(refused({ mode: 0o040755 })).toBe(-EACCES);
    expect(refused({ segments: [] })).toBe(-ENOEXEC);
    setIdentity(k, task, 0, 0, []);
    expect(refused({ mode: 0o100744 })).toBe(0);
    expect(refused({ mode: 0o100644 })).toBe(-EACCES);
  });

  test("halfway: all but the credentials is new, the locks are free, and it is dead", () => {
    const exec = execBegin(k, task, { ...execSpec(k, 1), failsHalfway: true });
    const creds = k.slab.live(Cache.cred);
    expect(execFinish(k, exec)).toBe(false);
    expect(writing()).toEqual(NOTHING);
    expect(isZombie(k, task)).toBe(true);
    expect(at(TASK.exitCode)).toBe(11);
    expect([comm(), euid()]).toEqual(["setuid-prog", 1000]);
    expect(mm()).toBe(0);
    while (k.slab.reclaiming()) {
      k.quiescent();
      k.slab.reclaim();
    }
    expect(k.slab.live(Cache.cred)).toBe(creds - 1);
    k.t.lockdep.assertIdle();
  });
});

describe("without memory for the second half", () => {
  beforeEach(() => {
    k = Kernel.create(46 * 2 ** 20, TEST_CONFIG, { debug: true });
    k.busy();
    bootKernel(k);
    init = startInit(k);
    task = fork(k, init);
  });

  /** Leaves no room for a further object. */
  function exhaust(cache: number): void {
    while (copyProcess(k, init, 0) > 0);
    while (k.slab.reserve(cache, 1)) k.slab.alloc(cache);
  }

  test("exec: handlers that are shared can't be unshared, so it fails halfway", () => {
    relative();
    const [sighand, cred] = [at(TASK.sighand), at(TASK.cred)];
    const exec = execBegin(k, task, execSpec(k));
    exhaust(Cache.sighand);
    expect(k.m.load(sighand + SIGHAND.count)).toBe(2);
    expect(execFinish(k, exec)).toBe(false);
    expect(writing()).toEqual(NOTHING);
    expect([isZombie(k, task), at(TASK.exitCode), at(TASK.cred)]).toEqual([true, 11, cred]);
    k.t.lockdep.assertIdle();
  });

  test("TSYNC: no thread is bound, rather than some", () => {
    const threads = [task, cloneThread(k, task), cloneThread(k, task)];
    setIdentity(k, threads[2] as number, 1001, 1001, []);
    const creds = (): number[] => threads.map((thread) => k.m.load(thread + TASK.cred));
    const before = creds();
    const flight = tsyncBegin(k, task);
    exhaust(Cache.cred);
    expect(tsyncFinish(k, flight)).toBe(false);
    expect(writing()).toEqual(NOTHING);
    expect(creds()).toEqual(before);
    expect(() => tsyncBegin(k, threads[1] as number)).toThrow(ArenaFullError);
    expect(writing()).toEqual(NOTHING);
    k.t.lockdep.assertIdle();
  });
});

describe("TSYNC", () => {
  test("one new set of credentials for the threads that shared one; others keep their own ids", () => {
    const [shared, apart] = [cloneThread(k, task), cloneThread(k, task)];
    setIdentity(k, apart, 1001, 1001, []);
    k.m.store(mm() + MM.dumpable, SUID_DUMP_USER);
    const cred = (thread: number): number => k.m.load(thread + TASK.cred);
    const before = [task, shared, apart].map(cred);
    setNoNewPrivs(k, task);
    const flight = tsyncBegin(k, task);
    expect(writing()).toEqual({ odd: true, update: true, guard: false });
    expect([task, shared, apart].map(cred)).toEqual(before);
    expect(tsyncFinish(k, flight)).toBe(true);
    expect(writing()).toEqual(NOTHING);
    expect(cred(shared)).toBe(cred(task));
    expect(before).not.toContain(cred(task));
    expect(before).not.toContain(cred(apart));
    expect([task, shared, apart].map((thread) => k.m.load(cred(thread) + CRED.uid))).toEqual([1000, 1000, 1001]);
    expect([task, shared, apart].map((thread) => k.m.load(thread + TASK.noNewPrivs))).toEqual([1, 1, 1]);
    expect(dumpable()).toBe(SUID_DUMP_USER);
  });

  test("no_new_privs comes from the caller alone, and no exec gives privileges then", () => {
    const thread = cloneThread(k, task);
    tsync(k, task);
    expect([task, thread].map((one) => k.m.load(one + TASK.noNewPrivs))).toEqual([0, 0]);
    setNoNewPrivs(k, thread);
    tsync(k, thread);
    expect([task, thread].map((one) => k.m.load(one + TASK.noNewPrivs))).toEqual([1, 1]);
    execTask(k, task, execSpec(k, 1));
    expect([euid(), dumpable()]).toEqual([1000, SUID_DUMP_USER]);
  });

  test("leaks nothing", () => {
    const settled = (): number => {
      while (k.slab.reclaiming()) {
        k.quiescent();
        k.slab.reclaim();
      }
      return k.slab.live(Cache.cred);
    };
    cloneThread(k, task);
    const before = settled();
    for (let i = 0; i < 10; i++) tsync(k, task);
    expect(settled()).toBe(before);
    exitGroup(k, task, 0);
  });
});
