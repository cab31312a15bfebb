/**
 * The path walk into a process directory (fs/proc/base.c: pid_revalidate; "proc: Allow pid_revalidate() during LOOKUP_RCU", v6,
 * October 2021).
 *
 * As patched, the walk stays in RCU mode: the task is found by its pid under RCU, and no memory that others share is
 * written. Before, revalidation answered -ECHILD in RCU mode, so that every walk took a reference on the dentry of /proc
 * (a lockref, one word for all walkers of the machine) and on the task, and started over.
 */
import { Event, countEvent } from "../../kernel/counters.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Path, pathIsLocked } from "../../kernel/knobs.ts";
import { HOST } from "../../kernel/layout.ts";
import { findTask, findTaskMatching } from "../../kernel/pid.ts";
import { getTask, putTask } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { lockrefGetNotDead, lockrefPut } from "../../sync/lockref.ts";
import { rcuReadLock, rcuReadUnlock } from "../../sync/rcu.ts";

/** Accepts whichever process has the pid now. */
export const ANY_GENERATION = 0;

/**
 * The task that a walk to `tid` arrives at, or NULL if the pid is free, or has been given out again since the node was
 * made. The pointer is good until the thread sleeps or becomes quiescent.
 * @param mask which bits of the generation must match; ANY_GENERATION for none
 */
export function walkToTask(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  if (pathIsLocked(k, Path.revalidate)) return refWalk(k, tid, generation, mask);
  return rcuWalk(k, tid, generation, mask);
}

/** The task of an open file, without a walk (get_proc_task). */
export function taskOf(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  rcuReadLock(k.t);
  const task = pidTask(k, tid, generation, mask);
  rcuReadUnlock(k.t);
  return task;
}

/** pid_revalidate with LOOKUP_RCU. */
function rcuWalk(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  countEvent(k, Path.revalidate, Event.rcuWalk);
  return taskOf(k, tid, generation, mask);
}

/** pid_revalidate after unlazy_child: lockref_get_not_dead on /proc, get_task_struct, and both dropped again. */
function refWalk(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  countEvent(k, Path.revalidate, Event.refWalk);
  if (!lockrefGetNotDead(k.t, HOST.rootDentry)) return NULL;
  rcuReadLock(k.t);
  let task = pidTask(k, tid, generation, mask);
  if (task !== NULL && !getTask(k, task)) task = NULL;
  rcuReadUnlock(k.t);
  if (task !== NULL) putTask(k, task);
  lockrefPut(k.t, HOST.rootDentry);
  return task;
}

function pidTask(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  return mask === ANY_GENERATION ? findTask(k, tid) : findTaskMatching(k, tid, generation, mask);
}
