/**
 * Another task's open file (__pidfd_fget, kernel/pid.c; with the series in exec-update.ts): the half of pidfd_getfd(2) that
 * looks at the target. What the caller would put into its own table is given back with a reference.
 */
import type { Ptr } from "../sync/atomics.ts";
import { EBADF, EINVAL, EPERM, ESRCH } from "./errno.ts";
import { execUpdateReadBegin, execUpdateReadDone, execUpdateReadNeedsRetry, isExecUpdateError } from "./exec-update.ts";
import { fgetTask, filePut } from "./files.ts";
import { PF_EXITING, PTRACE_MODE_ATTACH_REALCREDS } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { Path } from "./knobs.ts";
import { TASK } from "./layout.ts";
import { findTask } from "./pid.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import type { Subject } from "./subject.ts";
import { pinTask, unpinTask } from "./task.ts";

/**
 * A further reference to a task's open file, if the caller might attach to the task: the check and the file belong to one
 * image.
 * @param pid a process or thread, which stands for the pidfd that the caller would have
 * @param fd 32 bits count
 * @param flags reserved: 0
 * @returns the file, to be given to filePut; or -EINVAL (flags), -ESRCH (no such task, or it is exiting and has let go of
 *   its files), -EPERM, -EBADF (no such descriptor), -EINTR, would-block
 * @pre RCU online, no section open
 */
export function pidfdGetfd(k: Kernel, pid: number, fd: number, flags: number, subject: Subject): number {
  if (flags !== 0) return -EINVAL;
  const task = findTask(k, pid);
  if (task === 0 || !pinTask(k, task)) return -ESRCH;
  const result = pidfdFget(k, task, fd, subject);
  unpinTask(k, task);
  return result;
}

function pidfdFget(k: Kernel, task: Ptr, fd: number, subject: Subject): number {
  const signal = k.m.load(task + TASK.signal);
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, Path.pidfd_getfd, signal, lock);
    if (isExecUpdateError(token)) return token;
    const result = fileIfAllowed(k, task, fd, subject);
    if (execUpdateReadNeedsRetry(k, Path.pidfd_getfd, signal, token)) {
      if (result > 0) filePut(k, result);
      continue;
    }
    execUpdateReadDone(k, signal, token);
    return result;
  }
}

function fileIfAllowed(k: Kernel, task: Ptr, fd: number, subject: Subject): number {
  if (!ptraceMayAccess(k, task, PTRACE_MODE_ATTACH_REALCREDS, subject)) return -EPERM;
  const file = fgetTask(k, task, fd);
  if (file !== 0) return file;
  // An exit says that it has begun before it lets go of the files: who finds none looks afterwards.
  return (k.m.load(task + TASK.flags) & PF_EXITING) !== 0 ? -ESRCH : -EBADF;
}
