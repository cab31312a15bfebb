/** The end of tasks: what is left of them, who inherits it, and that all else is given back. */
import { ECHILD } from "../../../kernel/errno.ts";
import { exitGroup, exitThread, reap, reapIfInits } from "../../../kernel/exit.ts";
import {
  CLONE_IO,
  CLONE_PTHREAD,
  EXIT_ZOMBIE,
  PF_EXITING,
  SIGCHLD,
  SIGNAL_GROUP_EXIT,
  TASK_UNINTERRUPTIBLE,
} from "../../../kernel/flags.ts";
import { setDumpable } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, SIGHAND, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import { isZombie, setTaskState } from "../../../kernel/task.ts";
import { Wait } from "../../../kernel/wait-kinds.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { SEQLOCK_WORDS } from "../../../sync/seqlock.ts";
import { timerCreate } from "../../../time/posix-timers.ts";
import { scenario } from "../../scenario.ts";
import type { Facts } from "./machine-kit.ts";
import { firstDifference, inventory, judgeInventory, markWords, newToken, pick, wordsOf } from "./machine-kit.ts";
import { endAndReap, reapZombie, start, taskOfPid } from "./pid-kit.ts";

const [PROCESS, FIRST, SECOND] = [40, 41, 42];
/** As wait(2) has them: exit(5), exit(7). */
const [FIVE, SEVEN] = [5 << 8, 7 << 8];

/** What tasks add to their group when they are released, and a group to its parent when it is reaped. */
const SUMMED = ["utime", "stime", "minFlt", "majFlt"] as const;
const FOLDED = [...SUMMED, "ioac"];

function signalOf(k: Kernel, pid: number): Ptr {
  return k.m.load(taskOfPid(k, pid) + TASK.signal);
}

/** Numbers that are marked are small: they add up word by word. */
function sum(...all: readonly Facts[]): Facts {
  const total: Record<string, number> = {};
  for (const [name, value] of all.flatMap((facts) => Object.entries(facts))) total[name] = (total[name] ?? 0) + value;
  return total;
}

/** A group's words, but for its lock, whose count only goes on. */
function groupWords(k: Kernel, signal: Ptr): Facts {
  const { statsLock: _first, ...words } = wordsOf(k, signal, SIGNAL);
  for (let i = 1; i < SEQLOCK_WORDS; i++) delete (words as Record<string, number>)[`statsLock+${i}`];
  return words;
}

/** A process with two threads, a timer, and an I/O context; all of them have used something. */
function busyProcess(k: Kernel): { leader: Ptr; threads: Ptr[]; signal: Ptr } {
  start(k, 1, 0, { pid: PROCESS });
  const leader = taskOfPid(k, PROCESS);
  const signal = signalOf(k, PROCESS);
  k.m.store(leader + TASK.ioContext, newToken(k));
  for (const pid of [FIRST, SECOND]) start(k, PROCESS, CLONE_PTHREAD | CLONE_IO, { pid });
  const threads = [taskOfPid(k, FIRST), taskOfPid(k, SECOND)];
  for (const task of [leader, ...threads]) markWords(k, task, TASK, FOLDED);
  markWords(k, signal, SIGNAL, [...FOLDED, "cutime", "cstime", "cminFlt", "cmajFlt"]);
  timerCreate(k, leader, { clock: 1, signo: 14, value: 0, notify: 0, notifyPid: PROCESS });
  setTaskState(k, leader, TASK_UNINTERRUPTIBLE, Wait.disk);
  return { leader, threads, signal };
}

/** One thread ends, and the others go on. */
function endThread(k: Kernel, thread: Ptr, signal: Ptr): string | null {
  const { m } = k;
  const before = groupWords(k, signal);
  const left = m.load(thread + TASK.threadNext);
  exitThread(k, thread, FIVE);
  if (m.load(thread + TASK.exitCode) !== FIVE) return `the thread has exit code ${m.load(thread + TASK.exitCode)}`;
  if (findTask(k, FIRST) !== 0) return "the thread is still there";
  return firstDifference("the group without a thread", groupWords(k, signal), {
    ...before,
    ...sum(pick(before, FOLDED), pick(wordsOf(k, thread, TASK), FOLDED)),
    ...{ live: 2, nrThreads: 2, sigcnt: 2, threadLast: left },
  });
}

/** The others end all at once. */
function endGroup(k: Kernel, leader: Ptr, thread: Ptr, signal: Ptr): string | null {
  const { m } = k;
  const [before, group] = [wordsOf(k, leader, TASK), groupWords(k, signal)];
  exitGroup(k, thread, SEVEN);
  if (m.load(thread + TASK.exitCode) !== SEVEN) return `the thread has exit code ${m.load(thread + TASK.exitCode)}`;
  if (findTask(k, SECOND) !== 0) return "the thread is still there";
  return (
    firstDifference("the zombie", wordsOf(k, leader, TASK), {
      ...before,
      ...{ state: EXIT_ZOMBIE, flags: (before["flags"] ?? 0) | PF_EXITING, exitCode: SEVEN, waitKind: Wait.exited },
      ...{ mm: 0, files: 0, fs: 0, ioContext: 0, sysvsemUndo: 0, robustList: 0, "robustList+1": 0 },
      ...{ userDumpable: 1, threadNext: 0 },
    }) ??
    firstDifference("its group", groupWords(k, signal), {
      ...group,
      ...sum(pick(group, FOLDED), pick(wordsOf(k, thread, TASK), FOLDED)),
      ...{ live: 0, nrThreads: 1, sigcnt: 1, threadLast: leader, posixTimers: 0 },
      ...{ flags: SIGNAL_GROUP_EXIT, groupExitCode: SEVEN },
    })
  );
}

/** What a group's times and faults are to its parent: its children's. */
function asChildren(own: Facts, group: Facts): Facts {
  const total: Record<string, number> = {};
  const named = [
    ...SUMMED.map((name) => [name, `c${name}`]),
    ...["utime+1", "stime+1"].map((name) => [name, `c${name}`]),
  ];
  for (const [name = "", children = ""] of named) {
    total[children] = (own[name] ?? 0) + (group[name] ?? 0) + (group[children] ?? 0);
  }
  return total;
}

/** The names in the sums of children: "cminFlt" is of "minFlt". */
const CHILDREN = ["cutime", "cstime", "cminFlt", "cmajFlt"];

/** The parent is told, once. */
function reapProcess(k: Kernel, leader: Ptr, signal: Ptr): string | null {
  const init = signalOf(k, 1);
  const before = groupWords(k, init);
  const times = asChildren(wordsOf(k, leader, TASK), groupWords(k, signal));
  const answers = [reap(k, leader), reap(k, leader)];
  if (answers.join(" ") !== `0 ${-ECHILD}`) return `reaping answered ${answers.join(" ")}`;
  if (findTask(k, PROCESS) !== 0 || k.m.load(leader + TASK.sighand) !== 0) return "it is still there";
  return firstDifference("the parent", groupWords(k, init), {
    ...before,
    ...sum(pick(before, CHILDREN), times),
    ...{ childFirst: 0, childLast: 0 },
  });
}

export const process = scenario({
  name: "exit/process",
  about: "a thread ends, then its process, which is reaped: what each step leaves, and that all is given back",
  quick: true,
  setup: inventory,
  threads: {
    parent: (k): string | null => {
      const { leader, threads, signal } = busyProcess(k);
      const [first, second] = threads as [Ptr, Ptr];
      if (reap(k, leader) !== -ECHILD) return "a living process has been reaped";
      return endThread(k, first, signal) ?? endGroup(k, leader, second, signal) ?? reapProcess(k, leader, signal);
    },
  },
  check: (k, before, { parent }) => parent ?? judgeInventory(k, before),
});

/** A process whose leader ends before its thread, and what becomes of a child of it. */
function leaderFirst(k: Kernel, endLast: (thread: Ptr) => void): string | null {
  const { m } = k;
  start(k, 1, 0, { pid: PROCESS });
  start(k, PROCESS, CLONE_PTHREAD, { pid: FIRST });
  start(k, PROCESS, 0, { pid: SECOND });
  const [leader, thread, signal] = [taskOfPid(k, PROCESS), taskOfPid(k, FIRST), signalOf(k, PROCESS)];
  setDumpable(k, leader, 0);
  exitThread(k, leader, FIVE);
  if (!isZombie(k, leader) || reap(k, leader) !== -ECHILD) return "a leader without its threads is no zombie yet";
  if (m.load(leader + TASK.userDumpable) !== 0) return "a dead leader can be dumped";
  if (m.load(signalOf(k, SECOND) + SIGNAL.parent) !== signal) return "a living process has lost its child";
  endLast(thread);
  if (m.load(signalOf(k, SECOND) + SIGNAL.parent) !== signalOf(k, 1)) return "the orphan isn't init's";
  if (m.load(leader + TASK.exitCode) !== FIVE) return `its exit code is ${m.load(leader + TASK.exitCode)}`;
  if (m.load(signal + SIGNAL.live) !== 0) return `${m.load(signal + SIGNAL.live)} threads live`;
  reapZombie(k, PROCESS);
  endAndReap(k, SECOND);
  return null;
}

export const deadLeader = scenario({
  name: "exit/leader-first",
  about: "a leader ends before its thread: its process is a zombie, and its child an orphan, when both have ended",
  quick: true,
  setup: inventory,
  threads: {
    parent: (k): string | null =>
      leaderFirst(k, (thread) => {
        exitThread(k, thread, SEVEN);
      }) ??
      leaderFirst(k, (thread) => {
        exitGroup(k, thread, SEVEN);
      }),
  },
  check: (k, before, { parent }) => parent ?? judgeInventory(k, before),
});

/** A service, a shell of it, and what the shell has started. */
const [SERVICE, SHELL, JOB, LIVING, DEAD, HEADLESS, HEADLESS_THREAD] = [50, 51, 52, 53, 54, 55, 56];

/** Pids of a process's children, oldest first. */
function childrenOf(k: Kernel, signal: Ptr): string {
  const pids: number[] = [];
  for (let child = k.m.load(signal + SIGNAL.childFirst); child !== 0; child = k.m.load(child + SIGNAL.siblingNext)) {
    if (k.m.load(child + SIGNAL.parent) !== signal) return "of another parent";
    pids.push(k.m.load(child + SIGNAL.tgid));
  }
  return pids.join(" ");
}

/** A service that adopts orphans, its shell, and a job of it with children: one lives, one is dead, of one the leader. */
function makeFamily(k: Kernel): void {
  start(k, 1, 0, { pid: SERVICE });
  k.m.store(signalOf(k, SERVICE) + SIGNAL.isChildSubreaper, 1);
  start(k, SERVICE, 0, { pid: SHELL });
  start(k, SHELL, 0, { pid: JOB });
  for (const pid of [LIVING, DEAD, HEADLESS]) start(k, JOB, 0, { pid });
  start(k, HEADLESS, CLONE_PTHREAD, { pid: HEADLESS_THREAD });
  markWords(k, taskOfPid(k, DEAD), TASK, FOLDED);
  exitGroup(k, taskOfPid(k, DEAD), FIVE);
  exitThread(k, taskOfPid(k, HEADLESS), FIVE);
}

function expectChildren(k: Kernel, what: string, pid: number, expected: string): string | null {
  const children = childrenOf(k, signalOf(k, pid));
  return children === expected ? null : `${what}, process ${pid} has children ${children}`;
}

/** The job, then the service end; init waits for what it is told of. */
function endFamily(k: Kernel): string | null {
  const dead = [wordsOf(k, taskOfPid(k, DEAD), TASK), groupWords(k, signalOf(k, DEAD))] as const;
  exitGroup(k, taskOfPid(k, JOB), FIVE);
  reapIfInits(k, JOB);
  const adopted =
    expectChildren(k, "after the job", SERVICE, `${SHELL} ${LIVING} ${DEAD} ${HEADLESS}`) ??
    expectChildren(k, "after the job", SHELL, `${JOB}`) ??
    expectChildren(k, "after the job", JOB, "");
  if (adopted !== null) return adopted;
  const init = signalOf(k, 1);
  const before = groupWords(k, init);
  exitGroup(k, taskOfPid(k, SERVICE), FIVE);
  const inherited = expectChildren(k, "after the service", 1, `${SERVICE} ${SHELL} ${LIVING} ${HEADLESS}`);
  if (inherited !== null || findTask(k, DEAD) !== 0) return inherited ?? "init doesn't wait for a dead orphan";
  return firstDifference("init's children's times", pick(groupWords(k, init), CHILDREN), {
    ...sum(pick(before, CHILDREN), asChildren(...dead)),
  });
}

/** Init is told of each of its children in turn. */
function initWaits(k: Kernel): string | null {
  for (const pid of [SERVICE, LIVING, HEADLESS, DEAD]) reapIfInits(k, pid);
  const first = expectChildren(k, "when init has waited", 1, `${SHELL} ${LIVING} ${HEADLESS}`);
  if (first !== null) return first;
  exitThread(k, taskOfPid(k, HEADLESS_THREAD), FIVE);
  reapIfInits(k, HEADLESS);
  exitGroup(k, taskOfPid(k, SHELL), FIVE);
  reapIfInits(k, SHELL);
  const second = expectChildren(k, "when init has waited again", 1, `${LIVING}`);
  endAndReap(k, LIVING);
  return second;
}

export const orphans = scenario({
  name: "exit/orphans",
  about: "orphans go to the nearest ancestor that adopts them, then to init, which waits for what is dead",
  quick: true,
  setup: inventory,
  threads: {
    family: (k): string | null => {
      makeFamily(k);
      return endFamily(k) ?? initWaits(k);
    },
  },
  check: (k, before, { family }) => family ?? judgeInventory(k, before),
});

function ignoreChildren(k: Kernel, pid: number): void {
  k.m.or(k.m.load(taskOfPid(k, pid) + TASK.sighand) + SIGHAND.ignored, 1 << (SIGCHLD - 1));
}

/** Children of a parent that doesn't care: of its own, with a thread that is last, and adopted ones. */
function endIgnored(k: Kernel): string | null {
  makeFamily(k);
  ignoreChildren(k, SERVICE);
  const before = pick(groupWords(k, signalOf(k, SERVICE)), CHILDREN);
  exitGroup(k, taskOfPid(k, JOB), FIVE);
  reapZombie(k, JOB);
  const adopted = expectChildren(k, "after the job", SERVICE, `${SHELL} ${LIVING} ${HEADLESS}`);
  if (adopted !== null) return adopted;
  exitThread(k, taskOfPid(k, HEADLESS_THREAD), FIVE);
  for (const pid of [LIVING, SHELL]) exitGroup(k, taskOfPid(k, pid), FIVE);
  return (
    expectChildren(k, "when all have ended", SERVICE, "") ??
    firstDifference("the times of children", pick(groupWords(k, signalOf(k, SERVICE)), CHILDREN), before)
  );
}

export const ignored = scenario({
  name: "exit/ignored",
  about: "who ignores SIGCHLD has no zombies, neither born nor adopted ones, and doesn't count their times",
  quick: true,
  setup: inventory,
  threads: {
    family: (k): string | null => {
      const wrong = endIgnored(k);
      if (wrong === null) endAndReap(k, SERVICE);
      return wrong;
    },
  },
  check: (k, before, { family }) => family ?? judgeInventory(k, before),
});

export const initEnds = scenario({
  name: "exit/init",
  about: "init itself ends: its children are the idle task's, dead and living ones",
  quick: true,
  setup: () => null,
  threads: {
    init: (k): string | null => {
      for (const pid of [LIVING, DEAD]) start(k, 1, 0, { pid });
      exitGroup(k, taskOfPid(k, DEAD), FIVE);
      exitGroup(k, taskOfPid(k, 1), FIVE);
      const idle = k.m.load(k.m.load(HOST.idleTask) + TASK.signal);
      const children = childrenOf(k, idle);
      if (children !== `1 ${LIVING} ${DEAD}`) return `the idle task has children ${children}`;
      return isZombie(k, taskOfPid(k, DEAD)) ? null : "somebody has waited for the dead one";
    },
  },
  check: (_k, _plan, { init }) => init,
});
