/** All that kcmp can be asked, and what it answers: about processes that stay as they are, and files that are closed. */
import { EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH } from "../../../kernel/errno.ts";
import { closeFd, fdLookup, fileNew, installFdAt } from "../../../kernel/files.ts";
import { CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_VM } from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import type { EpollSlot } from "../../../kernel/kcmp.ts";
import { KcmpType, kcmp } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { FILE, FILES, FileKind, HOST, TASK } from "../../../kernel/layout.ts";
import { BYTES, latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "./exec-images.ts";
import { OWNER, caller, countIs, makeOwned } from "./exec-images.ts";
import { taskOfPid } from "./pid-kit.ts";

/** Two different things: less or greater. */
const UNEQUAL = 99;

interface Question {
  readonly pids: readonly [number, number];
  readonly type: number;
  readonly idx1: number;
  readonly idx2: number | EpollSlot;
  /** 0, {@link UNEQUAL}, or a negative errno. */
  readonly answer: number;
}

function ask(k: Kernel, { pids, type, idx1, idx2 }: Question, uid: number): number {
  return kcmp(k, pids[0], pids[1], type, idx1, idx2, caller(uid));
}

/** Puts a new file under a descriptor. @returns it */
function open(k: Kernel, task: Ptr, fd: number, file: Ptr): Ptr {
  if (installFdAt(k, k.m.load(task + TASK.files), fd, file) !== fd) throw new Error(`${fd} is taken`);
  return file;
}

function socket(k: Kernel): Ptr {
  return fileNew(k, { kind: FileKind.socket, flags: 2 });
}

/** An epoll file that watches one descriptor. */
function epollOf(k: Kernel, fd: number): Ptr {
  return fileNew(k, { kind: FileKind.eventpoll, flags: 2, data: fd + 1 });
}

/** An epoll file with the lines of a captured one. */
function capturedEpoll(k: Kernel, fds: readonly number[]): Ptr {
  const lines = fds.map((fd) => `tfd: ${String(fd).padStart(8)} events:       19 data: 0\n`).join("");
  return fileNew(k, { kind: FileKind.eventpoll, flags: 2, extra: k.bytes(latin1Bytes(lines)) });
}

/** Descriptors: two sockets that a process and its children have, and the epoll files of a child. */
const ZERO = 0;
const ONE = 3;
const OTHER = 4;
const WATCHES_ONE = 5;
const CAPTURED = 6;
const WATCHES_NOTHING = 7;
/** Which nobody has open. */
const CLOSED = 9;
/** A pid that nobody has. */
const NOBODY = 32000;

/** A process with two sockets, its child with epoll files, and one that shares all with it. */
interface Family {
  readonly parent: number;
  readonly child: number;
  readonly twin: number;
}

function makeFamily(k: Kernel): Family {
  const { pid: parent, task } = makeOwned(k);
  for (const fd of [ZERO, ONE, OTHER]) open(k, task, fd, socket(k));
  const child = copyProcess(k, task, 0);
  const childTask = taskOfPid(k, child);
  open(k, childTask, WATCHES_ONE, epollOf(k, ONE));
  open(k, childTask, CAPTURED, capturedEpoll(k, [ONE, OTHER, ONE]));
  open(k, childTask, WATCHES_NOTHING, epollOf(k, CLOSED));
  const all = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_SYSVSEM;
  return { parent, child, twin: copyProcess(k, task, all) };
}

/** Of all that isn't a file. */
function aboutFields({ parent, child, twin }: Family): Question[] {
  const { VM, FILES: TABLE, FS, SIGHAND, SYSVSEM, IO } = KcmpType;
  const about = (other: number, type: number, answer: number): Question => ({
    pids: [parent, other],
    type,
    idx1: 0,
    idx2: 0,
    answer,
  });
  const questions = [VM, TABLE, FS, SIGHAND, SYSVSEM].flatMap((type) => [
    about(parent, type, 0),
    about(twin, type, 0),
    about(child, type, UNEQUAL),
  ]);
  // Nobody has an io_context.
  questions.push(about(child, IO, 0), about(parent, 8, -EINVAL), about(parent, -1, -EINVAL));
  return questions;
}

function aboutFiles({ parent, child }: Family): Question[] {
  const about = (idx1: number, idx2: number | EpollSlot, answer: number): Question => ({
    pids: [parent, child],
    type: KcmpType.FILE,
    idx1,
    idx2,
    answer,
  });
  return [
    about(ONE, ONE, 0),
    about(ONE, OTHER, UNEQUAL),
    about(OTHER, ONE, UNEQUAL),
    about(CLOSED, ONE, -EBADF),
    about(ONE, CLOSED, -EBADF),
    about(ZERO, { efd: ZERO, tfd: ZERO, toff: 0 }, -EBADF),
  ];
}

function aboutTargets({ parent, child }: Family): Question[] {
  const about = (idx1: number, idx2: number | EpollSlot, answer: number): Question => ({
    pids: [parent, child],
    type: KcmpType.EPOLL_TFD,
    idx1,
    idx2,
    answer,
  });
  const slot = (efd: number, tfd: number, toff = 0): EpollSlot => ({ efd, tfd, toff });
  return [
    about(ONE, slot(WATCHES_ONE, ONE), 0),
    about(OTHER, slot(WATCHES_ONE, ONE), UNEQUAL),
    about(ONE, slot(WATCHES_ONE, ONE, 1), -ENOENT),
    about(ONE, slot(WATCHES_ONE, OTHER), -ENOENT),
    about(ONE, slot(CAPTURED, ONE), 0),
    about(ONE, slot(CAPTURED, ONE, 1), 0),
    about(ONE, slot(CAPTURED, ONE, 2), -ENOENT),
    about(OTHER, slot(CAPTURED, OTHER), 0),
    about(OTHER, slot(CAPTURED, OTHER, 1), -ENOENT),
    about(ONE, slot(CAPTURED, ZERO), -ENOENT),
    about(ONE, slot(WATCHES_NOTHING, CLOSED), -ENOENT),
    about(ONE, slot(ONE, ONE), -EINVAL),
    about(ONE, slot(CLOSED, ONE), -EBADF),
    about(CLOSED, slot(WATCHES_ONE, ONE), -EBADF),
    about(ONE, WATCHES_ONE, -EFAULT),
  ];
}

function aboutNobody({ parent }: Family): Question[] {
  const about = (one: number, other: number): Question => ({
    pids: [one, other],
    type: KcmpType.VM,
    idx1: 0,
    idx2: 0,
    answer: -ESRCH,
  });
  return [about(NOBODY, parent), about(parent, NOBODY), about(0, parent), about(parent, -1)];
}

function fits(answer: number, expected: number): boolean {
  return expected === UNEQUAL ? answer === 1 || answer === 2 : answer === expected;
}

/** The numbers that hide addresses differ, and those that are factors are odd, and large. */
function judgeCookies(k: Kernel): string | null {
  const cookies: number[] = [];
  for (let i = 0; i < 16; i++) cookies.push(k.m.loadU32(HOST.kcmpCookies + i));
  const factors = cookies.filter((_cookie, i) => i % 2 === 1);
  const fine = new Set(cookies).size === 16 && factors.every((factor) => factor % 2 === 1 && factor >= 2 ** 31);
  return fine ? null : `the cookies are ${cookies.join(" ")}`;
}

export const answers = scenario({
  name: "kcmp/answers",
  about: "everything is asked by the owner, who is told, and by a stranger, who is told only who is there",
  quick: true,
  setup: (k) => {
    const family = makeFamily(k);
    const fields = aboutFields(family);
    const questions = [...fields, ...aboutFiles(family), ...aboutTargets(family), ...aboutNobody(family)];
    return { questions, parent: taskOfPid(k, family.parent), child: taskOfPid(k, family.child) };
  },
  threads: {
    owner: (k, { questions }): number[] => {
      const told: number[] = [];
      for (const question of questions) told.push(ask(k, question, OWNER));
      return told;
    },
    // Without references to the tasks, so that the two are in nobody's way.
    stranger: (k, { questions }): number[] => {
      const told: number[] = [];
      k.t.maySleep = false;
      for (const question of questions) told.push(ask(k, question, OWNER + 1));
      k.t.maySleep = true;
      return told;
    },
  },
  check: (k, { questions, parent, child }, { owner, stranger }) => {
    for (let i = 0; i < questions.length; i++) {
      const question = questions[i] as Question;
      const { answer } = question;
      const told = [owner[i] as number, stranger[i] as number] as const;
      const refusal = answer === -ESRCH ? -ESRCH : -EPERM;
      if (!fits(told[0], answer) || told[1] !== refusal) {
        return `${JSON.stringify(question)}: the answers are ${told.join(" and ")}`;
      }
      const { pids, type, idx1, idx2 } = question;
      if (answer !== UNEQUAL || typeof idx2 !== "number") continue;
      const back = ask(k, { pids: [pids[1], pids[0]], type, idx1: idx2, idx2: idx1, answer }, OWNER);
      if (told[0] + back !== 3) return `${JSON.stringify(question)}: one way ${told[0]}, the other way ${back}`;
    }
    return (
      countIs(k, "the first task", parent + TASK.usage, 1) ??
      countIs(k, "the second task", child + TASK.usage, 1) ??
      filesAreKept(k, child) ??
      judgeCookies(k)
    );
  },
});

/** No comparison has kept a file of the child. */
function filesAreKept(k: Kernel, child: Ptr): string | null {
  const table = k.m.load(child + TASK.files);
  const owners = [
    [ZERO, 2],
    [ONE, 2],
    [OTHER, 2],
    [WATCHES_ONE, 1],
    [CAPTURED, 1],
    [WATCHES_NOTHING, 1],
  ] as const;
  for (const [fd, count] of owners) {
    const wrong = countIs(k, `file ${fd}`, fdLookup(k, child, fd) + FILE.count, count);
    if (wrong !== null) return wrong;
  }
  return countIs(k, "the table", table + FILES.count, 1);
}

/** A comparison with what an epoll file watches, while that or the epoll file itself is closed for good. */
function whileClosed(what: "target" | "epoll", about: string, closed: number, error: number): Scenario {
  return scenario({
    name: `kcmp/${what}-closed`,
    about,
    paths: [Path.kcmp],
    quick: true,
    setup: (k) => {
      const a = makeOwned(k);
      const own = open(k, a.task, OTHER, socket(k));
      const b: Owned = makeOwned(k);
      const target = open(k, b.task, ONE, socket(k));
      const epoll = open(k, b.task, CAPTURED, capturedEpoll(k, [ONE]));
      return { a, b, own, target, epoll, lines: k.m.load(epoll + FILE.extra) };
    },
    threads: {
      reader: (k, { a, b }): number => {
        const slot = { efd: CAPTURED, tfd: ONE, toff: 0 };
        return kcmp(k, a.pid, b.pid, KcmpType.EPOLL_TFD, OTHER, slot, caller(OWNER));
      },
      closer: (k, { b }): number => closeFd(k, k.m.load(b.task + TASK.files), closed),
    },
    check: (k, { a, b, own, target, epoll, lines }, { reader, closer }) => {
      if (closer !== 0) return `closing answers ${closer}`;
      if (!fits(reader, UNEQUAL) && reader !== error) return `the answer is ${reader}`;
      const [targets, epolls] = what === "target" ? [0, 1] : [1, 0];
      return (
        countIs(k, "the first task", a.task + TASK.usage, 1) ??
        countIs(k, "the second task", b.task + TASK.usage, 1) ??
        countIs(k, "the first file", own + FILE.count, 1) ??
        countIs(k, "the target", target + FILE.count, targets) ??
        countIs(k, "the epoll file", epoll + FILE.count, epolls) ??
        countIs(k, "its lines", lines + BYTES.usage, epolls)
      );
    },
  });
}

export const targetClosed = whileClosed(
  "target",
  "a comparison with what an epoll file watches, which is closed: unequal, or watched no more",
  ONE,
  -ENOENT,
);

export const epollClosed = whileClosed(
  "epoll",
  "a comparison with what an epoll file watches, and that is closed: unequal, or no such descriptor",
  CAPTURED,
  -EBADF,
);
