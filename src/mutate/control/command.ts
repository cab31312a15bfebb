/** What a control command is, and what commands have in common. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import {
  EACCES,
  EAGAIN,
  EBADF,
  ECHILD,
  EEXIST,
  EFAULT,
  EINTR,
  EINVAL,
  EMFILE,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ENOSPC,
  EOVERFLOW,
  EPERM,
  ESRCH,
} from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { WAIT_WOULD_BLOCK } from "../../sync/thread.ts";
import type { World } from "./world.ts";
import type { OptionNames, Words } from "./words.ts";

/** One row of the table of commands; the help is made of it. */
export interface Command {
  readonly name: string;
  /** What follows the name. */
  readonly usage: string;
  readonly doc: string;
  readonly options?: OptionNames;
  /**
   * Takes its words, all of them, and then acts.
   * @throws UsageError before anything has happened
   */
  readonly run: (k: Kernel, words: Words, world: World) => ControlResult;
}

export const DONE: ControlResult = { errno: 0, text: "" };

const REASONS: Readonly<Record<number, string>> = {
  [EPERM]: "not permitted",
  [ENOENT]: "no such file",
  [ESRCH]: "no such process, or it is dead",
  [EINTR]: "interrupted",
  [ENOEXEC]: "that is no program",
  [EBADF]: "no such descriptor",
  [ECHILD]: "not a zombie without other threads",
  [EAGAIN]: "too many processes, or the process is about to exit",
  [ENOMEM]: "no room in the address space, or too many mappings, or nothing mapped there",
  [EACCES]: "the file doesn't allow that",
  [EFAULT]: "nothing is mapped there",
  [EEXIST]: "that is taken",
  [EINVAL]: "invalid value",
  [EMFILE]: "too many open files",
  [ENOSPC]: "no more files can be added",
  [EOVERFLOW]: "beyond the end of what a file can hold",
};

/** The result of an operation that gives `value`: a negative errno fails, anything else succeeds with `text`. */
export function outcome(value: number, text = ""): ControlResult {
  if (value >= 0) return { errno: 0, text };
  if (value === WAIT_WOULD_BLOCK) return { errno: WAIT_WOULD_BLOCK, text: "" };
  return { errno: -value, text: REASONS[-value] ?? `error ${-value}` };
}

/** As {@link outcome}, with the number itself as text. */
export function numbered(value: number): ControlResult {
  return outcome(value, String(value));
}

/** As {@link outcome}, with an address as text. */
export function addressed(value: number): ControlResult {
  return outcome(value, value < 0 ? "" : value.toString(16));
}

/** Does something as a process or thread, taking turns with whoever else acts as it. */
export function actAs(k: Kernel, pid: number, act: (task: Ptr) => ControlResult): ControlResult {
  const task = actBegin(k, pid);
  if (task < 0) return outcome(task);
  try {
    return act(task);
  } finally {
    actEnd(k, task);
  }
}

/** As {@link actAs}, for two processes at once; they are taken in the order of their ids, lest two callers meet. */
export function actAsBoth(
  k: Kernel,
  pid: number,
  other: number,
  act: (task: Ptr, otherTask: Ptr) => ControlResult,
): ControlResult {
  const [task, otherTask] = [findTask(k, pid), findTask(k, other)];
  if (task === 0 || otherTask === 0) return outcome(-ESRCH);
  const [tgid, otherTgid] = [k.m.load(task + TASK.tgid), k.m.load(otherTask + TASK.tgid)];
  if (tgid === otherTgid) return { errno: EINVAL, text: "both are the same process" };
  if (tgid < otherTgid) return actAs(k, pid, (one) => actAs(k, other, (two) => act(one, two)));
  return actAs(k, other, (two) => actAs(k, pid, (one) => act(one, two)));
}

/** As {@link actAs}, for what needs an address space: kernel threads have none (EINVAL). */
export function actOnMemory(k: Kernel, pid: number, act: (mm: Ptr, task: Ptr) => ControlResult): ControlResult {
  return actAs(k, pid, (task) => {
    const mm = k.m.load(task + TASK.mm);
    return mm === 0 ? { errno: EINVAL, text: "it has no address space" } : act(mm, task);
  });
}
