/** Processes as path walks find them, and what a pid may have been meanwhile. */
import { Cache } from "../../../kernel/caches.ts";
import { Event, eventCount } from "../../../kernel/counters.ts";
import { execTask } from "../../../kernel/exec.ts";
import { exitThread } from "../../../kernel/exit.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { setDumpable, setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path, pathIsLocked } from "../../../kernel/knobs.ts";
import { HOST, TASK } from "../../../kernel/layout.ts";
import { pidGeneration } from "../../../kernel/pid.ts";
import { taskStartTime } from "../../../kernel/task-time.ts";
import { S_IFDIR, S_IFREG, taskDumpOwner } from "../../../proc/fs/permission.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { lockrefCount } from "../../../sync/lockref.ts";
import { ORDINARY, programSpec, words } from "../../model.ts";
import type { Ids, Life, PidState, SeenProcess } from "../../oracles/revalidate.ts";
import { start, taskOfPid } from "../kernel/pid-kit.ts";
import type { Span } from "../sync/progress.ts";
import { PROGRESS_WORDS, hasReached, mayReach, statesOf } from "../sync/progress.ts";

/** The pid that all is about. */
export const PID = 40;
/** A thread of its. */
export const TID = 41;
/** All bits of a generation. */
export const ALL = -1;

const DIRECTORY = S_IFDIR | 0o555;
const FILE = S_IFREG | 0o444;

/** A process, its use of the pid, and how far who changes it has come. */
export interface LifePlan {
  readonly generation: number;
  readonly progress: Ptr;
}

/** What a walk told, or null if it led nowhere; and the states that may have been meanwhile. */
export interface Seen<T> {
  readonly seen: T | null;
  readonly span: Span;
}

/** Identity number 1, 2, …, which is nobody else's. */
export function idsOf(user: number): Ids {
  return { uid: 1000 + user, gid: 2000 + user };
}

/** When the process of a pid's first, second, … use starts, in nanoseconds of boot time. */
export function startOf(generation: number): number {
  return 1000 * generation;
}

/** A child of init in the first use of its pid, which user 1 owns and may dump. */
export function firstLife(k: Kernel): LifePlan {
  start(k, 1, 0, { pid: PID, startTime: startOf(1) });
  become(k, PID, 1);
  setDumpable(k, taskOfPid(k, PID), 1);
  return { generation: pidGeneration(k, PID), progress: words(k, PROGRESS_WORDS) };
}

/** A process whose leader is dead, and whose thread, about to exec, is user 2's. */
export interface HeirPlan extends LifePlan {
  readonly heir: Ptr;
}

/** The thread has its tid in the second use, so that its generation differs from the process's. */
export const HEIR_GENERATION = 2;

export function heirLife(k: Kernel): HeirPlan {
  const plan = firstLife(k);
  start(k, PID, CLONE_PTHREAD, { pid: TID });
  exitThread(k, taskOfPid(k, TID), 0);
  start(k, PID, CLONE_PTHREAD, { pid: TID, startTime: startOf(3) });
  become(k, TID, 2);
  exitThread(k, taskOfPid(k, PID), 0);
  return { ...plan, heir: taskOfPid(k, TID) };
}

/** The thread takes over the process, state by state of {@link HEIR_LIVES}. */
export function execHeir(k: Kernel, { progress, heir }: HeirPlan): void {
  mayReach(k, progress, 2);
  execTask(k, heir, programSpec(ORDINARY));
  hasReached(k, progress, 2);
}

/** Takes on an identity; who does so can no longer be dumped. */
export function become(k: Kernel, pid: number, user: number): void {
  const { uid, gid } = idsOf(user);
  setIdentity(k, taskOfPid(k, pid), uid, gid, []);
}

/** A process of user 1 that can be dumped, but for the changes. */
export function life(changes: Partial<Life> = {}): Life {
  const plain = { dumpable: true, ledBy: null, thread: null, links: new Map() };
  return { generation: 1, start: startOf(1), ...idsOf(1), ...plain, ...changes };
}

const LED: Life = life({ ...idsOf(2), ledBy: HEIR_GENERATION });

/** What a process is whose thread execs: with a dead leader; led by the thread, the dead one having its tid; alone. */
export const HEIR_LIVES: readonly Life[] = [
  life({ dumpable: false, thread: { generation: HEIR_GENERATION, ...idsOf(2) } }),
  { ...LED, thread: { generation: HEIR_GENERATION, ...idsOf(1) } },
  LED,
];

/** The states of a pid that may have been. @param lives in their order; null: the pid is free */
export function statesIn(lives: readonly (Life | null)[], span: Span): PidState[] {
  return statesOf(lives, span).map((one) => ({ from: 0, until: Infinity, life: one }));
}

/** What the directory of a process tells. @pre RCU since the task was found */
export function seeProcess(k: Kernel, task: Ptr, generation: number): SeenProcess {
  return { generation, start: taskStartTime(k, task), ...ownerOfDirectory(k, task) };
}

export function ownerOfDirectory(k: Kernel, task: Ptr): Ids {
  const owner = { uid: 0, gid: 0 };
  taskDumpOwner(k, task, DIRECTORY, owner);
  return owner;
}

export function ownerOfFile(k: Kernel, task: Ptr): Ids {
  const owner = { uid: 0, gid: 0 };
  taskDumpOwner(k, task, FILE, owner);
  return owner;
}

/**
 * When all have ended nobody refers to /proc; nor to the task, which only the table does as long as it lives. All walks had
 * the form that the path has.
 */
export function judgeReferences(k: Kernel, task: Ptr, lives: boolean): string | null {
  const references = lockrefCount(k.t, HOST.rootDentry);
  if (references !== 1) return `${references - 1} references to the dentry of /proc are left`;
  const foreign = pathIsLocked(k, Path.revalidate) ? Event.rcuWalk : Event.refWalk;
  const strays = eventCount(k, Path.revalidate, foreign);
  if (strays !== 0) return `${strays} walks had the other form`;
  if (k.slab.isAlive(task, Cache.task) !== lives)
    return lives ? "the task has been freed" : "the task is kept for ever";
  if (!lives) return null;
  const usage = k.m.load(task + TASK.usage);
  return usage === 1 ? null : `the task has ${usage} references`;
}
