/**
 * Getting at a task's address space, with or without an access check (get_task_mm, mm_access: kernel/fork.c; 3/8 of the
 * series in exec-update.ts).
 */
import type { Ptr } from "../sync/atomics.ts";
import { mmgetNotZero, mmput } from "../mm/mm.ts";
import { EACCES, ESRCH } from "./errno.ts";
import { execUpdateReadBegin, execUpdateReadDone, execUpdateReadNeedsRetry, isExecUpdateError } from "./exec-update.ts";
import type { Kernel } from "./kernel.ts";
import { Path } from "./knobs.ts";
import { TASK } from "./layout.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import type { Subject } from "./subject.ts";
import { pinTask, unpinTask } from "./task.ts";

/** A task's mm with a user more, or NULL if it has none (any more). @pre RCU */
export function getTaskMm(k: Kernel, task: Ptr): Ptr {
  for (;;) {
    const mm = k.m.load(task + TASK.mm);
    // A task lets go of its mm before it puts it: who comes too late for one finds another one there, or none (the kernel
    // holds task_lock over both steps).
    if (mm === 0 || mmgetNotZero(k, mm)) return mm;
  }
}

/**
 * A task's mm with a user more, if the caller may access the task: the check and the mm belong to one image.
 * @param mode PTRACE_MODE_*
 * @returns the mm; or -ESRCH (there is none), -EACCES, -EINTR, would-block
 * @pre RCU online, no section open
 */
export function mmAccess(k: Kernel, task: Ptr, mode: number, subject: Subject): number {
  if (!pinTask(k, task)) return -ESRCH;
  const result = guardedMm(k, task, mode, subject);
  unpinTask(k, task);
  return result;
}

function guardedMm(k: Kernel, task: Ptr, mode: number, subject: Subject): number {
  const signal = k.m.load(task + TASK.signal);
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, Path.mm_access, signal, lock);
    if (isExecUpdateError(token)) return token;
    const mm = getTaskMm(k, task);
    const allowed = mm !== 0 && ptraceMayAccess(k, task, mode, subject);
    if (execUpdateReadNeedsRetry(k, Path.mm_access, signal, token)) {
      if (mm !== 0) mmput(k, mm);
      continue;
    }
    execUpdateReadDone(k, signal, token);
    if (mm === 0) return -ESRCH;
    if (allowed) return mm;
    mmput(k, mm);
    return -EACCES;
  }
}
