/** kcmp, pidfd_getfd and get_robust_list answer what the real kernel answers, for processes that were made alike. */
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup } from "../../src/kernel/exit.ts";
import { fileNew, filePut, dupFd, installFdAt } from "../../src/kernel/files.ts";
import { CLONE_FILES, CLONE_FS, CLONE_IO, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_VM } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setDumpable, setIdentity } from "../../src/kernel/identity.ts";
import type { EpollSlot } from "../../src/kernel/kcmp.ts";
import { kcmp } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FILE, FileKind, HOST, TASK } from "../../src/kernel/layout.ts";
import { configPath, pathGet } from "../../src/kernel/path.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import { subject, testKernel } from "../support/kernel.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";
import { ended } from "../support/programs.ts";

const SCRIPT = fileURLToPath(new URL("real-calls.py", import.meta.url));
const NOBODY = 65534;
const MISSING = 3_999_999;

type KcmpQuestion = [a: string, b: string, type: number, idx1: number, idx2: number | number[]];
type GetfdQuestion = [name: string, fd: number, flags: number];

interface Plan {
  kcmp: KcmpQuestion[];
  getfd: GetfdQuestion[];
  robust: string[];
}

interface Answers {
  kcmp: number[];
  getfd: (number | [link: string, pos: string, flags: string])[];
  robust: (number | [head: number, length: number])[];
}

interface Reply {
  refused: boolean;
  kernelThreads: boolean;
  root: Answers;
  nobody: Answers | null;
}

const FAMILY = ["A", "T", "F", "N", "Z", "ZN", "VM", "FS", "FILES", "SIGHAND", "SYSVSEM", "IO"];
const KERNEL_THREADS = ["K1", "K2"];
const FILE_TYPE = 0;
const EPOLL_TFD = 7;

/** Every type for every two of `names`, each way round. */
function everyPair(names: readonly string[]): KcmpQuestion[] {
  const found: KcmpQuestion[] = [];
  for (const a of names) {
    for (const b of names) {
      for (const type of [0, 1, 2, 3, 4, 5, 6, 8, -1]) found.push([a, b, type, 10, 11]);
    }
  }
  return found;
}

const DESCRIPTORS: KcmpQuestion[] = [
  ["A", "A", FILE_TYPE, 10, 10],
  ["A", "A", FILE_TYPE, 10, 12],
  ["A", "F", FILE_TYPE, 14, 16],
  ["A", "F", FILE_TYPE, 14, 15],
  ["A", "A", FILE_TYPE, 10, 99],
  ["A", "A", FILE_TYPE, 99, 10],
  ["A", "A", FILE_TYPE, -1, 10],
  ["A", "A", FILE_TYPE, 2 ** 32 + 10, 11],
  ["A", "A", EPOLL_TFD, 14, [13, 14, 0]],
  ["A", "F", EPOLL_TFD, 16, [13, 14, 0]],
  ["F", "A", EPOLL_TFD, 15, [13, 14, 0]],
  ["A", "A", EPOLL_TFD, 14, [13, 15, 0]],
  ["A", "A", EPOLL_TFD, 14, [13, 14, 1]],
  ["A", "A", EPOLL_TFD, 14, [10, 14, 0]],
  ["A", "A", EPOLL_TFD, 14, [99, 14, 0]],
  ["A", "A", EPOLL_TFD, 99, [10, 14, 0]],
  ["A", "A", EPOLL_TFD, 14, 0],
  ["A", "Z", EPOLL_TFD, 14, [13, 14, 0]],
  ["missing", "A", 1, 0, 0],
  ["A", "missing", 99, 0, 0],
];

const ROOT_PLAN: Plan = {
  kcmp: [...everyPair([...FAMILY, ...KERNEL_THREADS]), ...DESCRIPTORS],
  getfd: [
    ["A", 10, 0],
    ["A", 12, 0],
    ["A", 14, 0],
    ["A", 15, 0],
    ["A", 13, 0],
    ["A", 99, 0],
    ["A", -1, 0],
    ["T", 11, 0],
    ["F", 16, 0],
    ["Z", 10, 0],
    ["K1", 0, 0],
    ["missing", 0, 0],
    ["A", 10, 1],
  ],
  robust: [...FAMILY, ...KERNEL_THREADS, "missing"],
};

const NOBODY_FAMILY = ["A", "T", "F", "N", "Z", "ZN", "R"];

const NOBODY_PLAN: Plan = {
  kcmp: [...everyPair(NOBODY_FAMILY), ["R", "missing", 1, 0, 0]],
  getfd: NOBODY_FAMILY.map((name): GetfdQuestion => [name, 10, 0]),
  robust: NOBODY_FAMILY,
};

/** The same family in the simulation. @returns pids by name */
function makeFamily(k: Kernel, init: number, uid: number): Map<string, number> {
  const pids = new Map<string, number>();
  const name = (text: string, task: number): number => {
    pids.set(text, k.m.load(task + TASK.pid));
    return task;
  };
  const a = name("A", fork(k, init));
  execTask(k, a, execSpec(k, 0, uid + 1));
  openDescriptors(k, k.m.load(a + TASK.files));
  if (uid !== 0) setIdentity(k, a, uid, uid, []);
  setDumpable(k, a, 1);
  name("T", cloneThread(k, a));
  name("F", fork(k, a));
  setDumpable(k, name("N", fork(k, a)), 0);
  exitGroup(k, name("Z", fork(k, a)), 0);
  const last = name("ZN", fork(k, a));
  setDumpable(k, last, 0);
  exitGroup(k, last, 0);
  const one = (text: string, flags: number): number => name(text, findTask(k, copyProcess(k, a, flags)));
  one("VM", CLONE_VM);
  one("FS", CLONE_FS);
  one("FILES", CLONE_FILES);
  one("SIGHAND", CLONE_VM | CLONE_SIGHAND);
  one("SYSVSEM", CLONE_SYSVSEM);
  one("IO", CLONE_IO);
  return pids;
}

function openDescriptors(k: Kernel, files: number): void {
  const path = configPath(k, 0);
  const open = (fd: number, kind: (typeof FileKind)[keyof typeof FileKind], flags: number, data = 0): void => {
    const own = kind === FileKind.regular ? { path: pathGet(k, path) } : {};
    expect(installFdAt(k, files, fd, fileNew(k, { kind, flags, data, ...own }))).toBe(fd);
  };
  const O_LARGEFILE = 0o100000;
  open(10, FileKind.regular, O_LARGEFILE | 2);
  expect(dupFd(k, files, 10, 11)).toBe(11);
  open(12, FileKind.regular, O_LARGEFILE | 2);
  open(14, FileKind.pipe, 0);
  open(15, FileKind.pipe, 1);
  expect(dupFd(k, files, 14, 16)).toBe(16);
  open(13, FileKind.eventpoll, 2, 14 + 1);
}

function makeKernelThreads(k: Kernel): Map<string, number> {
  const kthreadd = findTask(k, copyProcess(k, k.m.load(HOST.idleTask), 0, { pid: 2, kernelThread: true }));
  const start = (): number => copyProcess(k, kthreadd, CLONE_FS | CLONE_FILES, { kernelThread: true });
  return new Map(KERNEL_THREADS.map((name) => [name, start()]));
}

const LINKS: Readonly<Record<number, string>> = {
  [FileKind.regular]: "/dev/null",
  [FileKind.pipe]: "pipe",
  [FileKind.eventpoll]: "anon_inode",
};

/** What the simulation says to a plan. */
function ask(k: Kernel, plan: Plan, pids: ReadonlyMap<string, number>, uid: number): Answers {
  const who = subject(uid);
  const pid = (name: string): number => pids.get(name) ?? MISSING;
  return {
    kcmp: plan.kcmp.map(([a, b, type, idx1, idx2]) => kcmp(k, pid(a), pid(b), type, idx1, slotOf(idx2), who)),
    getfd: plan.getfd.map(([name, fd, flags]) => {
      const file = pidfdGetfd(k, pid(name), fd, flags, who);
      if (file < 0) return file;
      const shown = describeFile(k, file);
      filePut(k, file);
      return shown;
    }),
    robust: plan.robust.map((name) => {
      const out = new RobustList();
      const error = getRobustList(k, pid(name), who, out);
      return error === 0 ? [out.head, out.length] : error;
    }),
  };
}

function slotOf(idx2: number | number[]): number | EpollSlot {
  if (typeof idx2 === "number") return idx2;
  const [efd, tfd, toff] = idx2 as [number, number, number];
  return { efd, tfd, toff };
}

/** The descriptor that the caller would have is closed by exec. */
function describeFile(k: Kernel, file: number): [string, string, string] {
  const flags = (k.m.load(file + FILE.flags) | 0o2000000).toString(8);
  return [LINKS[k.m.load(file + FILE.kind)] as string, `pos:\t${k.m.load64(file + FILE.pos)}`, `flags:\t0${flags}`];
}

/** Addresses are each machine's own: what counts is which threads have one, and which have the same. */
function pattern(plan: Plan, answers: Answers): string[] {
  const first = new Map<number, string>();
  return answers.robust.map((answer, i) => {
    const name = plan.robust[i] as string;
    if (typeof answer === "number") return `${name}: ${answer}`;
    const [head, length] = answer;
    if (head === 0) return `${name}: none, ${length}`;
    if (!first.has(head)) first.set(head, name);
    return `${name}: as ${first.get(head) as string}, ${length}`;
  });
}

/** 1 and 2 depend on where things lie; 0 and the errors don't. */
function same(answers: readonly number[]): number[] {
  return answers.map((answer) => (answer > 0 ? 1 : answer));
}

function labelled(plan: Plan, answers: readonly number[]): string[] {
  return same(answers).map((answer, i) => `${JSON.stringify(plan.kcmp[i])}: ${answer}`);
}

/** Who is less than somebody is greater the other way round. */
function expectAntisymmetric(plan: Plan, answers: readonly number[]): void {
  const found = new Map<string, number>();
  for (const [i, question] of plan.kcmp.entries()) {
    if (question[3] === 10 && question[4] === 11) found.set(question.slice(0, 3).join(), answers[i] as number);
  }
  for (const [question, answer] of found) {
    const [a, b, type] = question.split(",");
    if (answer > 0) expect([question, found.get(`${b},${a},${type}`)]).toEqual([question, 3 - answer]);
  }
}

describe("as on the real kernel", () => {
  let real: Reply;
  let refused = "";

  beforeAll(async () => {
    const input = JSON.stringify({ root: ROOT_PLAN, nobody: NOBODY_PLAN });
    const outcome = await ended("python3", [SCRIPT], { input });
    expect(outcome.stderr).toBe("");
    real = JSON.parse(outcome.stdout) as Reply;
    if (real.refused) refused = "the kernel refuses kcmp here";
    if (refused !== "") console.log(`skipped: ${refused}`);
  });

  test.for(["lockfree", "locked"] as const)("root asks, %s", (form, { skip }) => {
    if (refused !== "") skip(refused);
    const k = testKernel();
    setForms(k, form);
    const init = startInit(k);
    const pids = new Map([...makeKernelThreads(k), ...makeFamily(k, init, 0)]);
    const here = withoutKernelThreads(ROOT_PLAN, ask(k, ROOT_PLAN, pids, 0), real.kernelThreads);
    const there = withoutKernelThreads(ROOT_PLAN, real.root, real.kernelThreads);
    compare(here.plan, here.answers, there.answers);
  });

  test.for(["lockfree", "locked"] as const)("a user without privileges asks, %s", (form, { skip }) => {
    if (refused !== "") skip(refused);
    if (real.nobody === null) skip("this needs root, to become somebody else");
    const k = testKernel();
    setForms(k, form);
    const init = startInit(k);
    const others = makeFamily(k, init, 0);
    const pids = makeFamily(k, init, NOBODY);
    pids.set("R", others.get("A") as number);
    compare(NOBODY_PLAN, ask(k, NOBODY_PLAN, pids, NOBODY), real.nobody as Answers);
  });
});

function setForms(k: Kernel, form: "lockfree" | "locked"): void {
  for (let path = 0; path < 16; path++) k.m.store(HOST.pathMode + path, form === "locked" ? 1 : 0);
}

/** A pid namespace of its own shows none. */
function withoutKernelThreads(plan: Plan, answers: Answers, there: boolean): { plan: Plan; answers: Answers } {
  if (there) return { plan, answers };
  const isOne = (name: string): boolean => KERNEL_THREADS.includes(name);
  const keep = {
    kcmp: plan.kcmp.map(([a, b]) => !isOne(a) && !isOne(b)),
    getfd: plan.getfd.map(([name]) => !isOne(name)),
    robust: plan.robust.map((name) => !isOne(name)),
  };
  const cut = <T extends Plan | Answers>(all: T): T =>
    ({
      kcmp: all.kcmp.filter((_, i) => keep.kcmp[i]),
      getfd: all.getfd.filter((_, i) => keep.getfd[i]),
      robust: all.robust.filter((_, i) => keep.robust[i]),
    }) as T;
  return { plan: cut(plan), answers: cut(answers) };
}

function compare(plan: Plan, here: Answers, there: Answers): void {
  expect(labelled(plan, here.kcmp)).toEqual(labelled(plan, there.kcmp));
  expectAntisymmetric(plan, here.kcmp);
  expectAntisymmetric(plan, there.kcmp);
  expect(here.getfd).toEqual(there.getfd);
  expect(pattern(plan, here)).toEqual(pattern(plan, there));
}
