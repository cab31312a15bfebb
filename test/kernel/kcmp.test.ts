/** kcmp, pidfd_getfd and get_robust_list beside execs: both forms, what they leave behind, and their order. */
import { describe, expect, test } from "vitest";
import { eventCount, Event } from "../../src/kernel/counters.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { EBADF, EFAULT, EINTR, EINVAL, ENOENT, EPERM, ESRCH } from "../../src/kernel/errno.ts";
import { execBegin, execFinish, execTask } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { dupFd, fdLookup, fileNew, filePut, installFdAt } from "../../src/kernel/files.ts";
import { PF_EXITING } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FILE, FileKind, HOST, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { RWSEM_WORDS } from "../../src/sync/rwsem.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { joinKernel, subject, testKernel } from "../support/kernel.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";
import { inThreads } from "../support/threads.ts";
import type { CallJob, CallResult } from "./kcmp-threads.ts";
import { PATHS, USER } from "./kcmp-threads.ts";

const ROOT = subject(0);
const TYPES = Object.values(KcmpType).filter((type) => type !== KcmpType.FILE && type !== KcmpType.EPOLL_TFD);

function pidOf(k: Kernel, task: number): number {
  return k.m.load(task + TASK.pid);
}

function setForm(k: Kernel, locked: boolean): void {
  for (const path of PATHS) k.m.store(HOST.pathMode + path, locked ? 1 : 0);
}

/** A pipe under descriptor `fd`. @returns the file */
function openPipe(k: Kernel, task: number, fd: number): number {
  const file = fileNew(k, { kind: FileKind.pipe, flags: 0 });
  expect(installFdAt(k, k.m.load(task + TASK.files), fd, file)).toBe(fd);
  return file;
}

/** The words of a lock that nobody holds or waits for are 0, but for its generation. */
function expectLockFree(k: Kernel, task: number): void {
  const lock = k.m.load(task + TASK.signal) + SIGNAL.execUpdateLock;
  for (let i = 0; i < RWSEM_WORDS; i++) if (i !== 2) expect(k.m.load(lock + i)).toBe(0);
}

describe.each([false, true])("locked: %s", (locked) => {
  test("errors, in the order of the kernel", () => {
    const k = testKernel();
    setForm(k, locked);
    const a = pidOf(k, startInit(k));
    const none = 3_999_999;
    const user = subject(USER);
    openPipe(k, findTask(k, a), 5);
    const call = (pid1: number, pid2: number, type: number, i = 0, j = 0, who: Subject = ROOT): number =>
      kcmp(k, pid1, pid2, type, i, j, who);
    expect(call(none, a, 99, 0, 0, user)).toBe(-ESRCH);
    expect(call(a, none, 0)).toBe(-ESRCH);
    expect(call(0, a, KcmpType.VM)).toBe(-ESRCH);
    expect(call(-1, a, KcmpType.VM)).toBe(-ESRCH);
    expect(call(2 ** 31, a, KcmpType.VM)).toBe(-ESRCH);
    expect(call(a, a, 99, 0, 0, user)).toBe(-EPERM);
    expect(call(a, a, 8)).toBe(-EINVAL);
    expect(call(a, a, -1)).toBe(-EINVAL);
    expect(call(a, a, KcmpType.FILE, 5, 99)).toBe(-EBADF);
    expect(call(a, a, KcmpType.FILE, 5, 2 ** 32 + 5)).toBe(0);
    expect(call(a, a, KcmpType.EPOLL_TFD, 5, 0)).toBe(-EFAULT);
    const epoll = (i: number, efd: number, tfd: number, toff = 0): number =>
      kcmp(k, a, a, KcmpType.EPOLL_TFD, i, { efd, tfd, toff }, ROOT);
    expect(epoll(99, 98, 0)).toBe(-EBADF);
    expect(epoll(5, 98, 0)).toBe(-EBADF);
    expect(epoll(5, 5, 0)).toBe(-EINVAL);
    const files = k.m.load(findTask(k, a) + TASK.files);
    installFdAt(k, files, 6, fileNew(k, { kind: FileKind.eventpoll, flags: 2, data: 5 + 1 }));
    expect(epoll(5, 6, 4)).toBe(-ENOENT);
    expect(epoll(5, 6, 5, 1)).toBe(-ENOENT);
    expect(epoll(5, 6, 5)).toBe(0);
    const captured = "tfd:        5 events: 19\ntfd:        6 events: 19\ntfd:        5 events: 1\n";
    const extra = k.bytes(new TextEncoder().encode(captured));
    installFdAt(k, files, 7, fileNew(k, { kind: FileKind.eventpoll, flags: 2, extra }));
    expect([epoll(5, 7, 5), epoll(5, 7, 5, 1), epoll(6, 7, 6)]).toEqual([0, 0, 0]);
    expect([epoll(5, 7, 5, 2), epoll(5, 7, 4), epoll(5, 7, 6, 1)]).toEqual([-ENOENT, -ENOENT, -ENOENT]);
    k.t.lockdep.assertIdle();
    expectLockFree(k, findTask(k, a));
  });

  test("the dead: nothing left to compare, and gone once reaped", () => {
    const k = testKernel();
    setForm(k, locked);
    const init = startInit(k);
    const [first, second] = [fork(k, init), fork(k, init)];
    const pids = [pidOf(k, first), pidOf(k, second)] as const;
    for (const task of [first, second]) exitGroup(k, task, 0);
    for (const type of [KcmpType.VM, KcmpType.FILES, KcmpType.FS, KcmpType.IO, KcmpType.SYSVSEM]) {
      expect(kcmp(k, ...pids, type, 0, 0, ROOT)).toBe(0);
      expect(kcmp(k, 1, pids[0], type, 0, 0, ROOT) > 0).toBe(type < KcmpType.SIGHAND);
    }
    expect(kcmp(k, ...pids, KcmpType.SIGHAND, 0, 0, ROOT)).toBeGreaterThan(0);
    expect(kcmp(k, ...pids, KcmpType.FILE, 0, 0, ROOT)).toBe(-EBADF);
    expect(pidfdGetfd(k, pids[0], 0, 0, ROOT)).toBe(-ESRCH);
    const list = new RobustList();
    expect([getRobustList(k, pids[0], ROOT, list), list.head, list.length]).toEqual([0, 0, 24]);
    reap(k, first);
    expect(kcmp(k, ...pids, KcmpType.VM, 0, 0, ROOT)).toBe(-ESRCH);
    expect(getRobustList(k, pids[0], ROOT, list)).toBe(-ESRCH);
    expect(pidfdGetfd(k, pids[0], 0, 0, ROOT)).toBe(-ESRCH);
  });

  test("pidfd_getfd: who is exiting has files until they are gone", () => {
    const k = testKernel();
    setForm(k, locked);
    const task = fork(k, startInit(k));
    const file = openPipe(k, task, 5);
    k.m.or(task + TASK.flags, PF_EXITING);
    expect(pidfdGetfd(k, pidOf(k, task), 5, 0, ROOT)).toBe(file);
    filePut(k, file);
    expect(pidfdGetfd(k, pidOf(k, task), 99, 0, ROOT)).toBe(-ESRCH);
    k.m.and(task + TASK.flags, ~PF_EXITING);
    expect(pidfdGetfd(k, pidOf(k, task), 99, 0, ROOT)).toBe(-EBADF);
    exitGroup(k, task, 0);
    expect(pidfdGetfd(k, pidOf(k, task), 5, 0, ROOT)).toBe(-ESRCH);
  });

  test("comparison is an order: antisymmetric and transitive over many processes", () => {
    const k = testKernel();
    setForm(k, locked);
    const init = startInit(k);
    const pids: number[] = [];
    for (let i = 0; i < 40; i++) pids.push(pidOf(k, fork(k, init)));
    for (const pid of pids.slice(0, 10)) pids.push(pidOf(k, cloneThread(k, findTask(k, pid))));
    const compare = (type: number) => (a: number, b: number) => [0, -1, 1][kcmp(k, a, b, type, 0, 0, ROOT)] as number;
    for (const type of TYPES) {
      const sorted = [...pids].sort(compare(type));
      for (let i = 0; i < sorted.length; i++) {
        for (let j = i; j < sorted.length; j++) {
          const [low, high] = [sorted[i] as number, sorted[j] as number];
          const answer = kcmp(k, low, high, type, 0, 0, ROOT);
          expect([0, 1]).toContain(answer);
          expect(kcmp(k, high, low, type, 0, 0, ROOT)).toBe(answer === 0 ? 0 : 2);
        }
      }
    }
  });
});

test("the order is another with another seed, and the same with the same", () => {
  const orderOf = (seed: number): string => {
    const k = testKernel({ seed });
    const init = startInit(k);
    const pids: number[] = [];
    for (let i = 0; i < 12; i++) pids.push(pidOf(k, fork(k, init)));
    return [...pids]
      .sort((a, b) => [0, -1, 1][kcmp(k, a, b, KcmpType.VM, 0, 0, ROOT)] as number)
      .map((pid) => pids.indexOf(pid))
      .join();
  };
  expect(orderOf(1)).toBe(orderOf(1));
  expect(new Set([orderOf(1), orderOf(2), orderOf(3)]).size).toBe(3);
});

describe("beside an exec", () => {
  /** Two processes with a pipe each, and a handle that must not sleep. */
  function world(): { k: Kernel; reader: Kernel; a: number; b: number } {
    const k = testKernel();
    const init = startInit(k);
    const [a, b] = [fork(k, init), fork(k, init)];
    for (const task of [a, b]) openPipe(k, task, 5);
    const reader = joinKernel(k.m.buffer);
    reader.t.maySleep = false;
    return { k, reader, a, b };
  }

  test.for([
    [0, 1],
    [1, 0],
    [0, 0],
  ] as const)("who must not wait holds nothing, and wakes nobody: %j", ([first, second]) => {
    const { k, reader, a, b } = world();
    const tasks = [a, b];
    const exec = execBegin(k, a, execSpec(k));
    // Somebody is parked.
    k.m.store(HOST.parkWord + 1, 1);
    const raised = k.m.load(HOST.parkWord);
    const call = (): number =>
      kcmp(reader, pidOf(k, tasks[first] as number), pidOf(k, tasks[second] as number), KcmpType.VM, 0, 0, ROOT);
    for (let i = 0; i < 3; i++) expect(call()).toBe(WAIT_WOULD_BLOCK);
    reader.t.lockdep.assertIdle();
    expect(k.m.load(HOST.parkWord)).toBe(raised);
    expectLockFree(k, b);
    execFinish(k, exec);
    expect(call() > 0).toBe(first !== second);
    reader.t.lockdep.assertIdle();
    for (const task of tasks) expectLockFree(k, task);
    // All tries together are one call, which went for the locks once.
    const counts = [Event.speculated, Event.fellBack].map((event) => eventCount(k, Path.kcmp, event));
    expect(counts).toEqual([0, 1]);
  });

  test("who is killed while it waits gets EINTR, and leaves nothing", () => {
    const { k, reader, a, b } = world();
    reader.t.maySleep = true;
    reader.t.interruptWord = HOST.uuidsMade;
    const exec = execBegin(k, a, execSpec(k));
    k.m.store(reader.t.interruptWord, 1);
    for (const [first, second] of [
      [a, b],
      [b, a],
      [a, a],
    ] as const) {
      expect(kcmp(reader, pidOf(k, first), pidOf(k, second), KcmpType.FILE, 5, 5, ROOT)).toBe(-EINTR);
    }
    expect(pidfdGetfd(reader, pidOf(k, a), 5, 0, ROOT)).toBe(-EINTR);
    expect(getRobustList(reader, pidOf(k, a), ROOT, new RobustList())).toBe(-EINTR);
    reader.t.lockdep.assertIdle();
    execFinish(k, exec);
    for (const task of [a, b]) {
      expectLockFree(k, task);
      expect(k.m.load(task + TASK.usage)).toBe(1);
      expect(k.m.load(fdLookup(k, task, 5) + FILE.count)).toBe(1);
    }
  });

  /** A caller whose access check takes so long that an exec comes and goes meanwhile, once. */
  function interrupted(k: Kernel, task: number): Subject {
    let rest = 1;
    const covers = (): boolean => {
      if (rest-- > 0) execTask(k, task, execSpec(k, 0, 77));
      return true;
    };
    return { ...ROOT, covers };
  }

  test("a comparison that an exec spoilt is made again, and leaks nothing", () => {
    const { k, a, b } = world();
    dupFd(k, k.m.load(b + TASK.files), 5, 6);
    const shown = kcmp(k, pidOf(k, a), pidOf(k, b), KcmpType.FILE, 5, 5, interrupted(k, b));
    expect(shown).toBe(kcmp(k, pidOf(k, a), pidOf(k, b), KcmpType.FILE, 5, 5, ROOT));
    expect(eventCount(k, Path.kcmp, Event.retried)).toBe(1);
    expect(eventCount(k, Path.kcmp, Event.fellBack)).toBe(1);
    expect(k.m.load(fdLookup(k, a, 5) + FILE.count)).toBe(1);
    expect(k.m.load(fdLookup(k, b, 5) + FILE.count)).toBe(2);
    for (const task of [a, b]) expect(k.m.load(task + TASK.usage)).toBe(1);
  });

  test("a file that was found in a spoilt try is given back", () => {
    const { k, a } = world();
    const file = pidfdGetfd(k, pidOf(k, a), 5, 0, interrupted(k, a));
    expect(file).toBe(fdLookup(k, a, 5));
    expect(eventCount(k, Path.pidfd_getfd, Event.retried)).toBe(1);
    expect(k.m.load(file + FILE.count)).toBe(2);
    filePut(k, file);
    expect(k.m.load(file + FILE.count)).toBe(1);
    expect(k.m.load(a + TASK.usage)).toBe(1);
  });

  test("the list of a spoilt try is not shown", () => {
    const { k, a } = world();
    const list = new RobustList();
    expect(getRobustList(k, pidOf(k, a), interrupted(k, a), list)).toBe(0);
    expect(list.head).toBe(k.m.load64(a + TASK.robustList));
    expect(eventCount(k, Path.get_robust_list, Event.retried)).toBe(1);
  });
});

describe("threads that exec and threads that ask", () => {
  const module = new URL("./kcmp-threads.ts", import.meta.url).href;

  interface Outcome {
    k: Kernel;
    written: CallResult[];
    asked: CallResult[];
  }

  /** Two processes of a user, which two threads let exec without pause; two readers ask, each way round. */
  async function contend(locked: boolean, role: "reader" | "careless"): Promise<Outcome> {
    const k = testKernel();
    setForm(k, locked);
    const init = startInit(k);
    const tasks = [fork(k, init), fork(k, init)];
    for (const task of tasks) {
      setIdentity(k, task, USER, USER, []);
      execTask(k, task, execSpec(k, 0, 5 + task));
    }
    const [a, b] = tasks.map((task) => pidOf(k, task)) as [number, number];
    k.slab.flush();
    const before = k.slab.live(Cache.file);
    k.idle();
    const both = (what: CallJob["role"]): CallJob[] => [
      { buffer: k.m.buffer, role: what, a, b },
      { buffer: k.m.buffer, role: what, a: b, b: a },
    ];
    const writers = inThreads<CallJob, CallResult>(module, "run", both("writer"));
    const readers = inThreads<CallJob, CallResult>(module, "run", both(role));
    const asked = await readers.finally(() => k.m.store(HOST.mutatorStop, 1));
    const written = await writers;
    k.busy();
    settle(k);
    for (const pid of [a, b]) {
      const task = findTask(k, pid);
      expect(k.m.load(task + TASK.usage)).toBe(1);
      expectLockFree(k, task);
    }
    if (role === "reader") expect(k.slab.live(Cache.file)).toBe(before);
    return { k, written, asked };
  }

  function settle(k: Kernel): void {
    while (k.slab.reclaiming()) {
      k.slab.reclaim();
      k.quiescent();
    }
  }

  test.each([false, true])("locked %s: nobody learns anything of a privileged image", async (locked) => {
    const { k, written, asked } = await contend(locked, "reader");
    for (const { done } of written) expect(done).toBeGreaterThan(50);
    const secrets = new Set(written.flatMap(({ heads }) => heads));
    for (const { done, violations, heads } of asked) {
      expect(done).toBeGreaterThan(50);
      expect(violations).toBe(0);
      expect(heads.filter((head) => secrets.has(head))).toEqual([]);
    }
    for (const path of PATHS) {
      expect(eventCount(k, path, Event.speculated) > 0).toBe(!locked);
      expect(eventCount(k, path, Event.retried) > 0).toBe(!locked);
      expect(eventCount(k, path, Event.fellBack)).toBeGreaterThan(0);
    }
  });

  test("without the second look at the sequence count it is noticed", async () => {
    const { asked } = await contend(false, "careless");
    for (const { violations, strangers } of asked) {
      expect(violations).toBeGreaterThan(0);
      expect(strangers).toBeGreaterThan(0);
    }
  });
});

describe("robust lists, as a C library registers them", () => {
  const headOf = (k: Kernel, task: number): number => {
    const list = new RobustList();
    expect(getRobustList(k, pidOf(k, task), ROOT, list)).toBe(0);
    return list.head;
  };

  test("an exec brings a new one, fork the same place, vfork none; each thread has its own", () => {
    const k = testKernel();
    const init = startInit(k);
    const first = headOf(k, init);
    expect(first).toBeGreaterThan(2 ** 32);
    const child = fork(k, init);
    expect(headOf(k, child)).toBe(first);
    execTask(k, child, execSpec(k, 0, 9));
    expect(headOf(k, child)).not.toBe(first);
    expect(headOf(k, init)).toBe(first);
    const CLONE_VM_VFORK = 0x4100;
    expect(headOf(k, findTask(k, copyProcess(k, init, CLONE_VM_VFORK)))).toBe(0);
    const threads = [cloneThread(k, child), cloneThread(k, child), cloneThread(k, child)];
    expect(new Set([headOf(k, child), ...threads.map((thread) => headOf(k, thread))]).size).toBe(4);
  });
});
