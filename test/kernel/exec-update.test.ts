/**
 * Every user of exec_update_seq beside an exec, one step after the other: a pass that an exec spoilt is dropped and made
 * again once, under the lock, and shows the new image; while an exec is inside, nobody speculates. Two handles in one
 * thread: the caller's credentials take so long to be had that the other one's exec comes and goes meanwhile.
 */
import { describe, expect, test } from "vitest";
import type { EventId } from "../../src/kernel/counters.ts";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { EACCES, EPERM } from "../../src/kernel/errno.ts";
import type { ExecInFlight } from "../../src/kernel/exec.ts";
import { execBegin, execFinish, execTask } from "../../src/kernel/exec.ts";
import { closeFd, fileNew, filePut, installFdAt } from "../../src/kernel/files.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { TraceSnapshot, readPersonality, readStack, readSyscall } from "../../src/kernel/guarded.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { IoSnapshot, accountIo, doIoAccounting } from "../../src/kernel/io-accounting.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { LOCKED, Path } from "../../src/kernel/knobs.ts";
import { FILE, FileKind, HOST, MM, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { mmAccess } from "../../src/kernel/mm-access.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { mmput } from "../../src/mm/mm.ts";
import { exitAll, liveObjects } from "../../src/mutate/build/teardown.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { joinKernel, subject, testKernel } from "../support/kernel.ts";
import { execSpec, fork, startInit } from "../support/processes.ts";

const OWNER = 1000;
const FD = 5;
const ORDINARY = 0;
const SETUID_ROOT = 1;

/** Two processes of the owner, one of which execs, and the handles of who execs and who reads. */
interface World {
  readonly k: Kernel;
  readonly reader: Kernel;
  readonly task: number;
  readonly other: number;
}

/** A path: reads by the caller's rights; shows a number that follows from the image, or a negative error. */
interface User {
  readonly name: string;
  readonly path: PathId;
  readonly refusal: number;
  read(w: World, who: Subject): number;
}

type TraceRead = (k: Kernel, task: number, subject: Subject, out: TraceSnapshot) => number;

function traceUser(name: string, path: PathId, read: TraceRead): User {
  const out = new TraceSnapshot();
  const shown = (w: World, who: Subject): number => {
    const error = read(w.reader, w.task, who, out);
    // All three show the same snapshot: a new image has both.
    return error !== 0 ? error : out.mmapBase + out.personality;
  };
  return { name, path, refusal: -EPERM, read: shown };
}

function ioUser(name: string, whole: boolean): User {
  const out = new IoSnapshot();
  const read = ({ reader, task }: World, who: Subject): number => {
    const error = doIoAccounting(reader, task, whole, who, out);
    return error !== 0 ? error : out.rchar;
  };
  return { name, path: Path.io, refusal: -EACCES, read };
}

function readMm({ reader, task }: World, who: Subject): number {
  const mm = mmAccess(reader, task, PTRACE_MODE_READ_FSCREDS, who);
  if (mm < 0) return mm;
  const base = reader.m.load64(mm + MM.mmapBase);
  mmput(reader, mm);
  return base;
}

function readFile({ reader, task }: World, who: Subject): number {
  const file = pidfdGetfd(reader, pidOf(reader, task), FD, 0, who);
  if (file < 0) return file;
  const inode = reader.m.load64(file + FILE.ino);
  filePut(reader, file);
  return inode;
}

function readRobustList({ reader, task }: World, who: Subject): number {
  const out = new RobustList();
  const error = getRobustList(reader, pidOf(reader, task), who, out);
  return error !== 0 ? error : out.head;
}

/** The two processes have the same file until one execs. */
function compare(reader: Kernel, task1: number, task2: number, who: Subject): number {
  return kcmp(reader, pidOf(reader, task1), pidOf(reader, task2), KcmpType.FILE, FD, FD, who);
}

const USERS: readonly User[] = [
  ioUser("io of the group", true),
  ioUser("io of one thread", false),
  traceUser("stack", Path.stack, readStack),
  traceUser("syscall", Path.syscall, readSyscall),
  traceUser("personality", Path.personality, readPersonality),
  { name: "mm_access", path: Path.mm_access, refusal: -EACCES, read: readMm },
  { name: "pidfd_getfd", path: Path.pidfd_getfd, refusal: -EPERM, read: readFile },
  { name: "get_robust_list", path: Path.get_robust_list, refusal: -EPERM, read: readRobustList },
  {
    ...{ name: "kcmp, the first task execs", path: Path.kcmp, refusal: -EPERM },
    read: ({ reader, task, other }, who) => compare(reader, task, other, who),
  },
  {
    ...{ name: "kcmp, the second task execs", path: Path.kcmp, refusal: -EPERM },
    read: ({ reader, task, other }, who) => compare(reader, other, task, who),
  },
];

function pidOf(k: Kernel, task: number): number {
  return k.m.load(task + TASK.pid);
}

function makeWorld(): World {
  const k = testKernel();
  const task = fork(k, startInit(k));
  setIdentity(k, task, OWNER, OWNER, []);
  execTask(k, task, execSpec(k, ORDINARY, 1));
  openFile(k, task, 1);
  const other = fork(k, task);
  return { k, reader: joinKernel(k.m.buffer), task, other };
}

function openFile(k: Kernel, task: number, ino: number): void {
  const files = k.m.load(task + TASK.files);
  closeFd(k, files, FD);
  expect(installFdAt(k, files, FD, fileNew(k, { kind: FileKind.pipe, flags: 0, ino }))).toBe(FD);
}

/** An exec up to where the new image shows, all but its credentials. */
function beginExec({ k, task }: World, program: number): ExecInFlight {
  const exec = execBegin(k, task, execSpec(k, program, 77));
  k.m.store(task + TASK.personality, 77);
  openFile(k, task, 77);
  accountIo(k, task, { rchar: 77, wchar: 0, syscr: 0, syscw: 0, readBytes: 0, writeBytes: 0 });
  return exec;
}

/** The owner; `atCheck` is called when an access check asks who it is: with the number of the question, from 0. */
function asked(atCheck: (question: number) => void): Subject {
  const owner = subject(OWNER);
  let questions = 0;
  return {
    ...owner,
    get uid() {
      atCheck(questions++);
      return owner.uid;
    },
  };
}

/** True while somebody holds the exec_update_lock of the process for read: its first word counts them. */
function readLocked({ k, task }: World): boolean {
  return k.m.load(k.m.load(task + TASK.signal) + SIGNAL.execUpdateLock) > 0;
}

function counts({ k }: World, path: PathId): Record<string, number> {
  const of = (event: EventId): number => eventCount(k, path, event);
  return { speculated: of(Event.speculated), retried: of(Event.retried), fellBack: of(Event.fellBack) };
}

/** Objects that are left when all processes have ended, and all grace periods are over. */
function leftOver({ k, reader }: World): number[] {
  exitAll(k);
  for (const handle of [k, reader]) handle.slab.flush();
  while (k.slab.reclaiming() || reader.slab.reclaiming()) {
    for (const handle of [k, reader]) {
      handle.quiescent();
      handle.slab.reclaim();
    }
  }
  return liveObjects(k);
}

/** The same after an exec that nobody has watched. */
function leftUnwatched(program: number): number[] {
  const w = makeWorld();
  execFinish(w.k, beginExec(w, program));
  return leftOver(w);
}

/** Neither held locks nor references are left. */
function expectNothingLeft(w: World): void {
  w.reader.t.lockdep.assertIdle();
  expect(readLocked(w)).toBe(false);
  for (const task of [w.task, w.other]) {
    expect(w.k.m.load(task + TASK.usage)).toBe(1);
    expect(w.k.m.load(w.k.m.load(task + TASK.mm) + MM.mmUsers)).toBe(1);
  }
}

/** Reads as the owner. @returns whether the lock was held when the caller was first asked who it is, and at last */
function lockWhile(w: World, read: User["read"]): [boolean | undefined, boolean | undefined] {
  const held: boolean[] = [];
  const who = asked(() => held.push(readLocked(w)));
  expect(read(w, who)).toBeGreaterThanOrEqual(0);
  return [held[0], held.at(-1)];
}

describe.each(USERS)("$name", ({ path, refusal, read }) => {
  test("undisturbed: one speculation, and no lock", () => {
    const w = makeWorld();
    expect(lockWhile(w, read)).toEqual([false, false]);
    expect(counts(w, path)).toEqual({ speculated: 1, retried: 0, fellBack: 0 });
    expectNothingLeft(w);
  });

  test.each([
    ["an exec", ORDINARY],
    ["a set-user-ID exec", SETUID_ROOT],
  ])("%s spoils a pass: made again once, under the lock, of the new image", (_name, program) => {
    const w = makeWorld();
    const before = read(w, subject(OWNER));
    const held: boolean[] = [];
    const who = asked((question) => {
      held.push(readLocked(w));
      if (question === 0) execFinish(w.k, beginExec(w, program));
    });
    const old = counts(w, path);
    const shown = read(w, who);
    const now = counts(w, path);
    const made = Object.keys(now).map((event) => (now[event] as number) - (old[event] as number));
    expect(made).toEqual([1, 1, 1]);
    expect([held[0], held.at(-1)]).toEqual([false, true]);
    if (program === SETUID_ROOT) expect(shown).toBe(refusal);
    else {
      expect(shown).not.toBe(before);
      expect(shown).toBe(read(w, subject(0)));
    }
    expectNothingLeft(w);
    expect(leftOver(w)).toEqual(leftUnwatched(program));
  });

  test("while an exec is inside nobody speculates; who must not wait is told so, and counted once", () => {
    const w = makeWorld();
    w.reader.t.maySleep = false;
    const exec = beginExec(w, ORDINARY);
    for (let tries = 0; tries < 3; tries++) {
      expect(read(w, subject(OWNER))).toBe(WAIT_WOULD_BLOCK);
      w.reader.t.lockdep.assertIdle();
    }
    execFinish(w.k, exec);
    expect(read(w, subject(OWNER))).toBeGreaterThanOrEqual(0);
    expect(counts(w, path)).toEqual({ speculated: 0, retried: 0, fellBack: 1 });
    expectNothingLeft(w);
  });

  test("the previous form: the lock, at once", () => {
    const w = makeWorld();
    w.k.m.store(HOST.pathMode + path, LOCKED);
    expect(lockWhile(w, read)).toEqual([true, true]);
    expect(counts(w, path)).toEqual({ speculated: 0, retried: 0, fellBack: 1 });
    expectNothingLeft(w);
  });
});
