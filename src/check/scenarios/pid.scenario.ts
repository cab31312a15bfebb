/** Process ids: the table, the list of processes, and acting as one. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { EEXIST, ESRCH } from "../../kernel/errno.ts";
import { execTask } from "../../kernel/exec.ts";
import { exitThread } from "../../kernel/exit.ts";
import { CLONE_PTHREAD } from "../../kernel/flags.ts";
import { copyProcess } from "../../kernel/fork.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, SIGNAL, TASK } from "../../kernel/layout.ts";
import { findTask, nextTgid, pidGeneration } from "../../kernel/pid.ts";
import { firstThread, nextThread } from "../../kernel/task.ts";
import { ORDINARY, programSpec } from "../model.ts";
import { scenario } from "../scenario.ts";
import { endAndReap, start, taskOfPid } from "./pid-kit.ts";

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
  if (m.load(HOST.tasklistLock) !== 0 || m.load(HOST.pidLock) !== 0) return "tasklist or pids are still locked";
  return (m.load(HOST.tasklistSeq) & 1) === 0 ? null : "the tasklist's count is odd";
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
    if (started && k.m.load(taskOfPid(k, pid) + TASK.pidGeneration) !== 2)
      return "the new process has an old generation";
    return judgeCounts(k, started ? [1, FIRST, SECOND] : [1, SECOND], started ? 3 : 2);
  },
});

export const actor = scenario({
  name: "pid/actor",
  about: "one acts as a thread that execs, the leader being dead; another who wants to act as the leader gets its heir",
  setup: (k) => {
    start(k, 1, 0, { pid: FIRST });
    start(k, FIRST, CLONE_PTHREAD, { pid: SECOND });
    exitThread(k, taskOfPid(k, FIRST), 0);
    return { heir: taskOfPid(k, SECOND), signal: k.m.load(taskOfPid(k, FIRST) + TASK.signal) };
  },
  threads: {
    exec: (k): void => {
      const task = actBegin(k, SECOND);
      if (task < 0) throw new Error(`nobody else acts as the thread for good: ${task}`);
      execTask(k, task, programSpec(ORDINARY));
      actEnd(k, task);
    },
    other: (k): { task: number; pid: number } => {
      const task = actBegin(k, FIRST);
      if (task < 0) return { task, pid: 0 };
      const pid = k.m.load(task + TASK.pid);
      actEnd(k, task);
      return { task, pid };
    },
  },
  check: (k, { heir, signal }, { other: { task, pid } }) => {
    if (task !== -ESRCH && (task !== heir || pid !== FIRST)) return `the other acted as task ${task}, pid ${pid}`;
    const { m } = k;
    if (findTask(k, FIRST) !== heir || findTask(k, SECOND) !== 0) return "the heir doesn't lead";
    if (firstThread(k, heir) !== heir || nextThread(k, heir) !== 0) return "the heir isn't alone";
    if (m.load(heir + TASK.usage) !== 1) return `the heir has ${m.load(heir + TASK.usage)} references`;
    if (m.load(signal + SIGNAL.actor) !== 0) return "somebody still acts as the process";
    return judgeCounts(k, [1, FIRST], 2);
  },
});
