/** Process ids: the table, the list of processes, and acting as one. */
import { actBegin, actEnd } from "../../../kernel/actor.ts";
import { Cache } from "../../../kernel/caches.ts";
import { EEXIST, EINTR, ESRCH } from "../../../kernel/errno.ts";
import { execTask } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { allocPid, findTask, freePid, nextTgid, pidGeneration } from "../../../kernel/pid.ts";
import { firstThread, lockTasklist, nextThread, unlockTasklist } from "../../../kernel/task.ts";
import { rwsemIsLocked } from "../../../sync/rwsem.ts";
import { ORDINARY, programSpec, words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { endAndReap, reapZombie, start, taskOfPid } from "./pid-kit.ts";

/** In one word of the list of processes; one of another word below the same summary; one far away. */
const [FIRST, SECOND, NEAR, FAR] = [40, 41, 70, 5000];

/** Pids of all processes, as a listing of /proc goes through them. */
function list(k: Kernel): number[] {
  const pids: number[] = [];
  for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) pids.push(pid);
  return pids;
}

function judgeList(pids: readonly number[], always: readonly number[], perhaps: readonly number[]): string | null {
  const missed = always.filter((pid) => !pids.includes(pid));
  const wrong = pids.filter((pid, i) => pid <= (pids[i - 1] ?? 0) || ![...always, ...perhaps].includes(pid));
  return missed.length + wrong.length === 0 ? null : `the processes were listed as ${pids.join(" ")}`;
}

/** Nothing is left behind in the counts. */
function judgeCounts(k: Kernel, processes: readonly number[], threads: number): string | null {
  const listed = list(k);
  if (listed.join(" ") !== processes.join(" ")) return `processes ${listed.join(" ")} are there at the end`;
  const { m } = k;
  const [counted, tasks] = [m.load(HOST.nrProcesses), m.load(HOST.nrThreads)];
  if (counted !== processes.length || tasks !== threads) return `${counted} processes and ${tasks} tasks are counted`;
  const free = m.load(HOST.tasklistLock) === 0 && m.load(HOST.pidLock) === 0;
  return free ? null : "tasklist or pids are still locked";
}

export const listing = scenario({
  name: "pid/list",
  about: "a listing misses no process that lives all along, while others beside it end and start",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    start(k, 1, 0, { pid: FAR });
    return null;
  },
  threads: {
    lister: (k): number[] => list(k),
    writer: (k): void => {
      endAndReap(k, FIRST);
      start(k, 1, 0, { pid: NEAR });
    },
  },
  check: (k, _plan, { lister }) => judgeList(lister, [1, FAR], [FIRST, NEAR]) ?? judgeCounts(k, [1, NEAR, FAR], 3),
});

export const twoForks = scenario({
  name: "pid/two-forks",
  about: "two processes fork at once: the children have pids of their own, and all are listed",
  // All interleavings are millions: the two have some twenty words in common.
  extent: { kind: "bounded", preemptions: 3 },
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    start(k, 1, 0, { pid: SECOND });
    return null;
  },
  threads: {
    first: (k): number => start(k, FIRST, 0, {}),
    second: (k): number => start(k, SECOND, 0, {}),
  },
  check: (k, _plan, { first, second }) => {
    for (const [pid, parent] of [
      [first, FIRST],
      [second, SECOND],
    ] as const) {
      const signal = k.m.load(taskOfPid(k, pid) + TASK.signal);
      const parentSignal = k.m.load(taskOfPid(k, parent) + TASK.signal);
      if (k.m.load(signal + SIGNAL.parent) !== parentSignal) return `process ${pid} has another parent`;
      if (k.m.load(parentSignal + SIGNAL.childFirst) !== signal) return `process ${pid} is no child of ${parent}`;
    }
    return judgeCounts(
      k,
      [1, FIRST, SECOND, first, second].sort((a, b) => a - b),
      5,
    );
  },
});

export const reuse = scenario({
  name: "pid/reuse",
  about: "one wants a pid that another is about to free: it gets the pid of a reaped process, or none",
  setup: (k) => ({ pid: start(k, 1, 0, { pid: FIRST }), parent: start(k, 1, 0, { pid: SECOND }) }),
  threads: {
    forker: (k, { pid, parent }): number => copyProcess(k, taskOfPid(k, parent), 0, { pid }),
    reaper: (k, { pid }): void => endAndReap(k, pid),
  },
  check: (k, { pid }, { forker }) => {
    if (forker !== pid && forker !== -EEXIST) return `the fork answered ${forker}`;
    const started = forker === pid;
    if (pidGeneration(k, pid) !== (started ? 2 : 1)) return `pid ${pid} is in its use ${pidGeneration(k, pid)}`;
    return judgeCounts(k, started ? [1, FIRST, SECOND] : [1, SECOND], started ? 3 : 2);
  },
});

/** One acts as a process, if it can. */
function act(k: Kernel, pid: number): { task: number; pid: number } {
  const task = actBegin(k, pid);
  if (task < 0) return { task, pid: 0 };
  const acting = k.m.load(task + TASK.pid);
  actEnd(k, task);
  return { task, pid: acting };
}

export const actor = scenario({
  name: "pid/actor",
  about: "a thread execs and takes its leader's place; who wants to act as the leader acts as the one or the other",
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    start(k, FIRST, CLONE_PTHREAD, { pid: SECOND });
    const leader = taskOfPid(k, FIRST);
    return { leader, heir: taskOfPid(k, SECOND), signal: k.m.load(leader + TASK.signal) };
  },
  threads: {
    exec: (k): void => {
      const task = actBegin(k, SECOND);
      if (task < 0) throw new Error(`nobody else acts as the thread for good: ${task}`);
      execTask(k, task, programSpec(ORDINARY));
      actEnd(k, task);
    },
    other: (k): { task: number; pid: number } => act(k, FIRST),
  },
  check: (k, { leader, heir, signal }, { other: { task, pid } }) => {
    if ((task !== leader && task !== heir) || pid !== FIRST) return `the other acted as task ${task}, pid ${pid}`;
    const { m } = k;
    if (findTask(k, FIRST) !== heir || findTask(k, SECOND) !== 0) return "the heir doesn't lead";
    if (firstThread(k, heir) !== heir || nextThread(k, heir) !== 0) return "the heir isn't alone";
    if (m.load(heir + TASK.usage) !== 1) return `the heir has ${m.load(heir + TASK.usage)} references`;
    if (k.slab.isAlive(leader, Cache.task)) return "the old leader is kept for ever";
    if (m.load(signal + SIGNAL.actor) !== 0) return "somebody still acts as the process";
    return judgeCounts(k, [1, FIRST], 2);
  },
});

export const lateActor = scenario({
  name: "pid/actor-exit",
  about: "one who waits to act as a process that ends is told that it is gone, or acts before",
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    return { task: taskOfPid(k, FIRST) };
  },
  threads: {
    killer: (k): void => {
      const task = actBegin(k, FIRST);
      if (task < 0) throw new Error(`nobody else ends the process: ${task}`);
      exitGroup(k, task, 0);
      actEnd(k, task);
      reapZombie(k, FIRST);
    },
    other: (k): { task: number; pid: number } => act(k, FIRST),
  },
  check: (k, { task }, { other }) => {
    if (other.task !== -ESRCH && other.task !== task) return `the other acted as task ${other.task}`;
    if (k.slab.isAlive(task, Cache.task)) return "the process is kept for ever";
    return judgeCounts(k, [1], 1);
  },
});

export const interruptedActor = scenario({
  name: "pid/actor-interrupt",
  about: "one who waits to act as a process is interrupted: it acts, or gives up and holds nothing",
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    const task = taskOfPid(k, FIRST);
    return { task, signal: k.m.load(task + TASK.signal), interrupt: words(k, 1) };
  },
  threads: {
    first: (k): { task: number; pid: number } => act(k, FIRST),
    other: (k, { interrupt }): { task: number; pid: number } => {
      k.t.interruptWord = interrupt;
      return act(k, FIRST);
    },
    interrupter: (k, { interrupt }): void => k.m.store(interrupt, 1),
  },
  check: (k, { task, signal }, { first, other }) => {
    if (first.task !== task) return `the first acted as task ${first.task}`;
    if (other.task !== task && other.task !== -EINTR) return `the other acted as task ${other.task}`;
    if (rwsemIsLocked(k.t, signal + SIGNAL.actor)) return "somebody still acts as the process";
    const usage = k.m.load(task + TASK.usage);
    return usage === 1 ? null : `the process has ${usage} references`;
  },
});

/** A word of the bitmap of pids in use: all of its pids are taken but the last. */
const [WORD_FIRST, WORD_LAST] = [64, 95];
export const fullWord = scenario({
  name: "pid/full-word",
  about: "of 32 pids one is freed while the last one is taken: the free one is found again",
  setup: (k) => {
    for (let pid = WORD_FIRST; pid < WORD_LAST; pid++) allocPid(k, pid);
    return null;
  },
  threads: {
    taker: (k): number => allocPid(k, WORD_LAST),
    freer: (k): void => {
      lockTasklist(k);
      freePid(k, WORD_FIRST);
      unlockTasklist(k);
    },
  },
  check: (k, _plan, { taker }) => {
    if (taker !== WORD_LAST) return `the last pid was answered with ${taker}`;
    k.m.store(HOST.pidCursor, WORD_FIRST);
    const [again, next] = [allocPid(k), allocPid(k)];
    return again === WORD_FIRST && next === WORD_LAST + 1 ? null : `the next pids were ${again} and ${next}`;
  },
});
