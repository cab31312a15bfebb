/** A thread other than the leader execs: it takes over pid and start time, and its own tid goes. */
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import { isZombie } from "../../../kernel/task.ts";
import { taskStartTime } from "../../../kernel/task-time.ts";
import { walkToTask } from "../../../proc/fs/revalidate.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { countIs, execsAreOver, makeOwned, makeThread, prepareExec, takeOver } from "./exec-images.ts";
import type { HeirPlan } from "../proc/revalidate-lives.ts";
import { ALL, HEIR_GENERATION, PID, TID, execHeir, heirLife, judgeReferences } from "../proc/revalidate-lives.ts";

const PATHS = [Path.revalidate];

/** When the leader and the thread that execs started: nanoseconds that differ in both halves of 64 bits. */
const [LEADERS, THREADS] = [2 ** 32 + 5, 3 * 2 ** 32 + 7];

export const startTime = scenario({
  name: "exec/start-time",
  about: "a thread takes over its leader's start time: a reader finds the one or the other, whole",
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const thread = makeThread(k, owned);
    k.m.store64(owned.task + TASK.startTime, LEADERS);
    k.m.store64(thread + TASK.startTime, THREADS);
    const [files, sighand] = [k.m.load(thread + TASK.files), k.m.load(thread + TASK.sighand)];
    return { owned, thread, files, sighand, exec: prepareExec(k, thread) };
  },
  threads: {
    reader: (k, { thread }): number => taskStartTime(k, thread),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { owned, thread, files, sighand }, { reader }) => {
    if (reader !== LEADERS && reader !== THREADS) return `the reader found that it started at ${reader}`;
    const now = taskStartTime(k, thread);
    if (now !== LEADERS) return `it has started at ${now}`;
    // Who shared them is dead: no copy is needed.
    if (k.m.load(thread + TASK.files) !== files) return "it has a copy of its own table of descriptors";
    if (k.m.load(thread + TASK.sighand) !== sighand) return "it has a copy of its own handlers";
    return execsAreOver(k, owned, 1) ?? countIs(k, "the old leader", owned.task + TASK.usage, 0);
  },
});

/** A thread of the process, dead for long, had the tid before the one that execs. */
const DEAD_GENERATION = HEIR_GENERATION - 1;

function isThere(k: Kernel, generation: number): boolean {
  return walkToTask(k, TID, generation, ALL) !== NULL;
}

export const deadThread = scenario({
  name: "exec/reused-tid",
  about: "a thread that execs had the tid of a dead one, whose directory, still open, never leads anywhere",
  paths: PATHS,
  quick: true,
  setup: (k) => heirLife(k),
  threads: {
    walker: (k): boolean => isThere(k, DEAD_GENERATION),
    exec: (k, plan: HeirPlan): void => execHeir(k, plan),
  },
  check: (k, { heir }, { walker }) =>
    walker ? "the directory of the dead thread led to another" : judgeReferences(k, heir, true),
});

/** What is found under the tid. */
interface FoundThread {
  readonly task: Ptr;
  readonly dead: boolean;
  readonly pid: number;
}

/** @returns null if the thread is gone */
function findThread(k: Kernel): FoundThread | null {
  const task = walkToTask(k, TID, HEIR_GENERATION, ALL);
  return task === NULL ? null : { task, dead: isZombie(k, task), pid: k.m.load(task + TASK.pid) };
}

export const tidGoes = scenario({
  name: "exec/tid-goes",
  about: "the tid of a thread that execs is the old leader's for a moment, then gone: it never comes back",
  paths: PATHS,
  quick: true,
  setup: (k) => heirLife(k),
  threads: {
    walker: (k): (FoundThread | null)[] => [findThread(k), findThread(k)],
    exec: (k, plan: HeirPlan): void => execHeir(k, plan),
  },
  check: (k, { heir }, { walker: [first, second] }) => {
    if (first === null && second !== null) return "a thread was gone, and came back";
    // The old leader gets the tid before it is found there.
    for (const found of [first, second]) {
      if (found?.dead === true && found.pid !== TID) return `the dead leader was found as ${TID}, and is ${found.pid}`;
    }
    if (findTask(k, TID) !== NULL || findTask(k, PID) !== heir) return "the pids lead elsewhere at the end";
    return judgeReferences(k, heir, true);
  },
});
