/** The reads that exec_update_lock guarded, as the owner of a process makes them. Each holds nothing when it is over. */
import { EACCES, EBADF, EPERM, ESRCH } from "../../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../../kernel/flags.ts";
import { TraceSnapshot, readStack } from "../../../kernel/guarded.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { mmAccess } from "../../../kernel/mm-access.ts";
import { findTask } from "../../../kernel/pid.ts";
import { pidfdGetfd } from "../../../kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../../kernel/robust-list.ts";
import { mmput } from "../../../mm/mm.ts";
import { OWNER, caller } from "./exec-images.ts";

/** A read of a process. @returns 0 or what it answered; -ESRCH if there is no such process */
export type Read = (k: Kernel, pid: number) => number;

/** A descriptor that no process has. */
const NONE = 3;

export const stackOf: Read = (k, pid) => {
  const task = findTask(k, pid);
  return task === 0 ? -ESRCH : readStack(k, task, caller(OWNER), new TraceSnapshot());
};

export const mmOf: Read = (k, pid) => {
  const task = findTask(k, pid);
  const mm = task === 0 ? -ESRCH : mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, caller(OWNER));
  if (mm <= 0) return mm;
  mmput(k, mm);
  return 0;
};

export const fileOf: Read = (k, pid) => pidfdGetfd(k, pid, NONE, 0, caller(OWNER));

export const listOf: Read = (k, pid) => getRobustList(k, pid, caller(OWNER), new RobustList());

/** What each answers about a process that lives and may be looked into, and about one that may not. */
export const STACK_ANSWERS = [0, -EPERM] as const;
export const MM_ANSWERS = [0, -EACCES] as const;
export const FILE_ANSWERS = [-EBADF, -EPERM] as const;
export const LIST_ANSWERS = [0, -EPERM] as const;
