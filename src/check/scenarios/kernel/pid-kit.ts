/** Processes for scenarios: their birth, and their end down to the last reference. */
import { exitGroup, reap } from "../../../kernel/exit.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import type { CloneOptions } from "../../../kernel/fork.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Ptr } from "../../../sync/atomics.ts";

/** Makes a child of a process, or a thread of it (flags: CLONE_*). @returns its pid */
export function start(k: Kernel, parent: number, flags: number, options: CloneOptions): number {
  const pid = copyProcess(k, findTask(k, parent), flags, options);
  if (pid < 0) throw new Error(`a process could not be started: ${pid}`);
  return pid;
}

/** A task that must be there. */
export function taskOfPid(k: Kernel, pid: number): Ptr {
  const task = findTask(k, pid);
  if (task === 0) throw new Error(`there is no process ${pid}`);
  return task;
}

/** A process ends, and its parent reaps it. */
export function endAndReap(k: Kernel, pid: number): void {
  const task = taskOfPid(k, pid);
  exitGroup(k, task, 0);
  reapZombie(k, pid);
}

export function reapZombie(k: Kernel, pid: number): void {
  const error = reap(k, taskOfPid(k, pid));
  if (error !== 0) throw new Error(`process ${pid} could not be reaped: ${error}`);
}

/**
 * Frees what has been retired before and is no longer looked at; the memory of the objects that were freed last is handed
 * out next. What is still looked at stays, as in any thread that does this between two operations.
 */
export function reclaimNow(k: Kernel): void {
  k.quiescent();
  k.slab.reclaim();
  k.quiescent();
  k.slab.reclaim();
}
