/**
 * Acting as a process.
 *
 * In the kernel a thread is the only one to run its own system calls. Here a mutator, a control command or a library
 * user may want to act as the same process at once; they take turns by the process's actor lock. Each operation looks
 * the process up again, since it may have ended while the caller waited.
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downWriteKillable, upWrite } from "../sync/rwsem.ts";
import { ESRCH } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { SIGNAL, TASK } from "./layout.ts";
import { findTask } from "./pid.ts";
import { getTask, isZombie, putTask } from "./task.ts";

/**
 * Starts to act as a thread; or, if that led its process and another thread took its place by exec meanwhile, as that.
 * @returns the task with a reference, to be given to {@link actEnd}; or -ESRCH (none, or dead), -EINTR, would-block
 * @pre RCU online, no section open
 */
export function actBegin(k: Kernel, pid: number): number {
  for (let task = findTask(k, pid); task !== 0; task = findTask(k, pid)) {
    if (!getTask(k, task)) continue;
    const signal = k.m.load(task + TASK.signal);
    const error = downWriteKillable(k.t, signal + SIGNAL.actor, LockClass.actor, true);
    const now = error === 0 ? findTask(k, pid) : task;
    if (error === 0 && now === task && !isZombie(k, task)) return task;
    const replaced = now !== task && now !== 0 && k.m.load(now + TASK.signal) === signal;
    if (error === 0) upWrite(k.t, signal + SIGNAL.actor, LockClass.actor);
    putTask(k, task);
    if (error !== 0) return error;
    if (!replaced) return -ESRCH;
  }
  return -ESRCH;
}

/** Stops acting as a thread. */
export function actEnd(k: Kernel, task: Ptr): void {
  upWrite(k.t, k.m.load(task + TASK.signal) + SIGNAL.actor, LockClass.actor);
  putTask(k, task);
}
