/**
 * Path walks into process directories: is what a name led to still there, and whose is it? (pid_revalidate and
 * map_files_d_revalidate in fs/proc/base.c, tid_fd_revalidate in fs/proc/fd.c; "proc: Allow pid_revalidate() during
 * LOOKUP_RCU", v6, October 2021.)
 *
 * Lock-free, the walk stays in RCU mode: the task is found by its pid under RCU, its descriptor in its table under RCU,
 * and no memory that others share is written. Before the patch, revalidation answered -ECHILD in RCU mode, so that every
 * walk took a reference on the parent's dentry (a lockref; that of /proc is one word for all walkers of the machine),
 * references on the task and on what it looked at, and started over.
 *
 * The patch lets only pid_revalidate stay in RCU mode: tid_fd_revalidate and map_files_d_revalidate still leave it with
 * -ECHILD. Here they go further, by the same rules: what is found under RCU is looked at, and nothing is kept of it; the
 * mapping of a map_files name is found and locked as maps does (see mm/maps-walk.ts) in place of mmap_lock. In their
 * locked form they are what the kernel has. The one dentry that is simulated is that of /proc: it stands for theirs, too.
 *
 * Who made the walk is told the owner anew each time (pid_update_inode, tid_fd_update_inode): see taskDumpOwner.
 */
import { Event } from "../../kernel/counters.ts";
import { fdLookup, fgetTaskLocked, filePut } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Path, pathIsLocked } from "../../kernel/knobs.ts";
import { FILE, HOST } from "../../kernel/layout.ts";
import { countFirstTry } from "../../kernel/lock-wait.ts";
import { findTask, findTaskMatching } from "../../kernel/pid.ts";
import { getTask, putTask } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { LockClass } from "../../sync/lockdep.ts";
import { lockrefGetNotDead, lockrefPut } from "../../sync/lockref.ts";
import { rcuReadLock, rcuReadUnlock } from "../../sync/rcu.ts";

/** Accepts whichever process has the pid now. */
export const ANY_GENERATION = 0;
/** walkToFd: the descriptor is not open. */
export const NOT_OPEN = -1;

/**
 * The task that a walk to `tid` arrives at, or NULL if the pid is free, or has been given out again since the node was
 * made. The pointer is good until the thread sleeps or becomes quiescent.
 * @param mask which bits of the generation must match; ANY_GENERATION for none
 */
export function walkToTask(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  if (pathIsLocked(k, Path.revalidate)) return refWalkToTask(k, tid, generation, mask);
  countFirstTry(k, Path.revalidate, Event.rcuWalk);
  return taskOf(k, tid, generation, mask);
}

/** The task of an open file, without a walk (get_proc_task). */
export function taskOf(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  rcuReadLock(k.t);
  const task = pidTask(k, tid, generation, mask);
  rcuReadUnlock(k.t);
  return task;
}

/** pid_revalidate after unlazy_child: lockref_get_not_dead on /proc, get_task_struct, and both dropped again. */
function refWalkToTask(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  if (!refWalkBegin(k)) return NULL;
  rcuReadLock(k.t);
  let task = pidTask(k, tid, generation, mask);
  // One that has just been released may have left its pid to another, by an exec of another thread.
  while (task !== NULL && !getTask(k, task)) task = pidTask(k, tid, generation, mask);
  rcuReadUnlock(k.t);
  if (task !== NULL) putTask(k, task);
  refWalkEnd(k);
  return task;
}

function pidTask(k: Kernel, tid: number, generation: number, mask: number): Ptr {
  return mask === ANY_GENERATION ? findTask(k, tid) : findTaskMatching(k, tid, generation, mask);
}

/**
 * A walk to a descriptor of a task (tid_fd_revalidate).
 * @returns the flags that the file was opened with (O_*), or NOT_OPEN
 * @pre the task is good, as after {@link walkToTask}
 */
export function walkToFd(k: Kernel, task: Ptr, fd: number): number {
  if (pathIsLocked(k, Path.revalidate)) return refWalkToFd(k, task, fd);
  countFirstTry(k, Path.revalidate, Event.rcuWalk);
  rcuReadLock(k.t);
  const file = fdLookup(k, task, fd);
  const flags = file === NULL ? NOT_OPEN : k.m.load(file + FILE.flags);
  rcuReadUnlock(k.t);
  return flags;
}

/** With references on the directory's dentry, the task and the file, which is found under the task's alloc_lock. */
function refWalkToFd(k: Kernel, task: Ptr, fd: number): number {
  if (!refWalkBegin(k)) return NOT_OPEN;
  let flags = NOT_OPEN;
  if (getTask(k, task)) {
    const file = fgetTaskLocked(k, task, fd);
    if (file !== NULL) {
      flags = k.m.load(file + FILE.flags);
      filePut(k, file);
    }
    putTask(k, task);
  }
  refWalkEnd(k);
  return flags;
}

/**
 * Starts a walk to a name of which the caller finds out itself whether it is still there (map_files).
 * @returns true if the walk is one with references: to be ended by {@link walkEnd} with it
 */
export function walkBegin(k: Kernel): boolean {
  if (pathIsLocked(k, Path.revalidate)) return refWalkBegin(k);
  countFirstTry(k, Path.revalidate, Event.rcuWalk);
  return false;
}

export function walkEnd(k: Kernel, referenced: boolean): void {
  if (referenced) refWalkEnd(k);
}

/** unlazy_child: false if the directory is dead, which /proc never is. */
function refWalkBegin(k: Kernel): boolean {
  countFirstTry(k, Path.revalidate, Event.refWalk);
  return lockrefGetNotDead(k.t, HOST.rootDentry, LockClass.dentry);
}

function refWalkEnd(k: Kernel): void {
  lockrefPut(k.t, HOST.rootDentry);
}
