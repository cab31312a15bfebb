/** Processes that end while others look at them, reap them, or end as well. */
import { ECHILD } from "../../../kernel/errno.ts";
import { drainReaped, waitReaped } from "../../../kernel/exit-events.ts";
import { exitGroup, exitThread, reap, reapIfInits } from "../../../kernel/exit.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { SIGNAL, TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { readSeqbegin, readSeqretry } from "../../../sync/seqlock.ts";
import { scenario } from "../../scenario.ts";
import type { SeenStat } from "../proc/lookup-requests.ts";
import { Requests } from "../proc/lookup-requests.ts";
import { inventory, judgeInventory } from "./machine-kit.ts";
import { endAndReap, reapZombie, start, taskOfPid } from "./pid-kit.ts";

const [GRANDPARENT, PARENT, CHILD, THREAD] = [40, 41, 42, 43];

/** As long as nothing happens; nobody waits for it to run out. */
const FOR_EVER = 1e9;

function signalOf(k: Kernel, pid: number): Ptr {
  return k.m.load(taskOfPid(k, pid) + TASK.signal);
}

/** Init waits for a process that has ended, as soon as it is its own. */
function endForInit(k: Kernel, pid: number): void {
  exitGroup(k, taskOfPid(k, pid), 0);
  reapIfInits(k, pid);
}

export const news = scenario({
  name: "exit/news",
  about: "who is told that a thread is gone, and then its process, doesn't find them by their pids any more",
  quick: true,
  together: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: CHILD });
    start(k, CHILD, CLONE_PTHREAD, { pid: THREAD });
    return before;
  },
  threads: {
    told: (k): string => {
      const said: string[] = [];
      while (said.length < 2) {
        const news: [number, number][] = [];
        drainReaped(k, (tgid, pid) => news.push([tgid, pid]), 2);
        for (const [tgid, pid] of news) said.push(`${tgid} ${pid} ${findTask(k, pid) === 0 ? "gone" : "there"}`);
        k.idle();
        if (said.length < 2) waitReaped(k, FOR_EVER);
        k.busy();
      }
      return said.join(", ");
    },
    writer: (k): void => {
      exitThread(k, taskOfPid(k, THREAD), 0);
      endAndReap(k, CHILD);
    },
  },
  check: (k, before, { told }) =>
    told === `${CHILD} ${THREAD} gone, ${CHILD} ${CHILD} gone`
      ? judgeInventory(k, before)
      : `the reader was told ${told}`,
});

export const reapers = scenario({
  name: "exit/reapers",
  about: "two reap one zombie at once: one of them does, its times count once",
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: CHILD });
    const task = taskOfPid(k, CHILD);
    k.m.store64(task + TASK.utime, 7);
    exitGroup(k, task, 0);
    return { before, task };
  },
  threads: {
    first: (k, { task }): number => reap(k, task),
    second: (k, { task }): number => reap(k, task),
  },
  check: (k, { before }, { first, second }) => {
    if (first + second !== -ECHILD || first * second !== 0) return `they answered ${first} and ${second}`;
    const time = k.m.load64(signalOf(k, 1) + SIGNAL.cutime);
    return time === 7 ? judgeInventory(k, before) : `init's children have run for ${time} ns`;
  },
});

/** Init, a process, and its child. */
function makeTwo(k: Kernel): readonly number[] {
  const before = inventory(k);
  start(k, 1, 0, { pid: PARENT });
  start(k, PARENT, 0, { pid: CHILD });
  return before;
}

export const family = scenario({
  name: "exit/family",
  about: "a process and its child end at once, and init waits for both: the child is reaped, whoever was first",
  // All interleavings are millions: ends of processes have some twenty words in common.
  extent: { kind: "bounded", preemptions: 2 },
  setup: makeTwo,
  threads: {
    parent: (k): void => endForInit(k, PARENT),
    child: (k): void => endForInit(k, CHILD),
  },
  check: (k, before) => judgeInventory(k, before),
});

export const adopters = scenario({
  name: "exit/adopters",
  about: "a process ends, and so does the ancestor that would adopt its child: the child is init's in the end",
  extent: { kind: "bounded", preemptions: 2 },
  setup: (k) => {
    start(k, 1, 0, { pid: GRANDPARENT });
    k.m.store(signalOf(k, GRANDPARENT) + SIGNAL.isChildSubreaper, 1);
    start(k, GRANDPARENT, 0, { pid: PARENT });
    start(k, PARENT, 0, { pid: CHILD });
    return null;
  },
  threads: {
    grandparent: (k): void => endForInit(k, GRANDPARENT),
    parent: (k): void => endForInit(k, PARENT),
  },
  check: (k) => {
    const init = signalOf(k, 1);
    const child = signalOf(k, CHILD);
    if (k.m.load(child + SIGNAL.parent) !== init) return "the child isn't init's";
    const only = k.m.load(init + SIGNAL.childFirst) === child && k.m.load(init + SIGNAL.childLast) === child;
    return only ? null : "init has other children, too";
  },
});

/** Times and faults of a process's children, of one moment. */
function childTimes(k: Kernel, signal: Ptr): string {
  const { m } = k;
  for (;;) {
    const sequence = readSeqbegin(m, signal + SIGNAL.statsLock);
    const times = [m.load64(signal + SIGNAL.cutime), m.load64(signal + SIGNAL.cstime)];
    const faults = [m.load(signal + SIGNAL.cminFlt), m.load(signal + SIGNAL.cmajFlt)];
    if (!readSeqretry(m, signal + SIGNAL.statsLock, sequence)) return [...times, ...faults].join(" ");
  }
}

/** What the child has used, none of it twice. */
const [UTIME, STIME, MIN_FLT, MAJ_FLT] = [2 ** 33 + 1, 2 ** 34 + 2, 3, 4];

export const times = scenario({
  name: "exit/child-times",
  about: "the times and faults of a process's children are read while one is reaped: all of its own count, or none",
  quick: true,
  setup: (k) => {
    makeTwo(k);
    const task = taskOfPid(k, CHILD);
    k.m.store64(task + TASK.utime, UTIME);
    k.m.store64(task + TASK.stime, STIME);
    k.m.store(task + TASK.minFlt, MIN_FLT);
    k.m.store(task + TASK.majFlt, MAJ_FLT);
    exitGroup(k, task, 0);
    return { signal: signalOf(k, PARENT) };
  },
  threads: {
    reader: (k, { signal }): string => childTimes(k, signal),
    reaper: (k): void => reapZombie(k, CHILD),
  },
  check: (k, { signal }, { reader }) => {
    const all = [UTIME, STIME, MIN_FLT, MAJ_FLT].join(" ");
    if (reader !== "0 0 0 0" && reader !== all) return `the reader saw ${reader}`;
    const now = childTimes(k, signal);
    return now === all ? null : `its children have used ${now}`;
  },
});

/** As wait(2) has them: exit(5), exit(7). */
const [FIVE, SEVEN] = [5 << 8, 7 << 8];

/** What stat tells of the process, to a thread that never sleeps. */
function statOf(k: Kernel): SeenStat | null {
  k.t.maySleep = false;
  return new Requests(k).stat(PARENT);
}

export const code = scenario({
  name: "exit/code",
  about: "a process ends: who sees in its stat that it has no memory any more, sees its exit code as well",
  setup: (k) => start(k, 1, 0, { pid: PARENT }),
  threads: {
    reader: (k): SeenStat | null => statOf(k),
    writer: (k): void => exitThread(k, taskOfPid(k, PARENT), FIVE),
  },
  check: (_k, _plan, { reader }) => {
    if (reader === null) return "the process is gone";
    const { exitCode, vsize } = reader;
    const right = exitCode === FIVE || (exitCode === 0 && vsize !== 0);
    return right ? null : `the reader saw exit code ${exitCode} with ${vsize} bytes`;
  },
});

export const groupCode = scenario({
  name: "exit/group-code",
  about:
    "a leader has ended with one exit code, its thread ends the process with another one: stat tells one of the two",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PARENT });
    start(k, PARENT, CLONE_PTHREAD, { pid: THREAD });
    exitThread(k, taskOfPid(k, PARENT), FIVE);
    return null;
  },
  threads: {
    reader: (k): SeenStat | null => statOf(k),
    writer: (k): void => exitGroup(k, taskOfPid(k, THREAD), SEVEN),
  },
  check: (k, _plan, { reader }) => {
    const end = statOf(k);
    if (end?.exitCode !== SEVEN) return `in the end the exit code is ${end?.exitCode}`;
    if (reader?.exitCode === FIVE || reader?.exitCode === SEVEN) return null;
    return `the reader saw exit code ${reader?.exitCode}`;
  },
});
