/** Operations of process life, identity and signals. */
import { EEXIST, ESRCH } from "../../kernel/errno.ts";
import { exitGroup, exitThread, reap } from "../../kernel/exit.ts";
import { CLONE_PTHREAD, CLONE_VFORK, CLONE_VM, TASK_UNINTERRUPTIBLE } from "../../kernel/flags.ts";
import { copyProcess } from "../../kernel/fork.ts";
import { setDumpable, setuid } from "../../kernel/identity.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { RLIMIT_NOFILE, rlimit, setRlimit } from "../../kernel/limits.ts";
import { findTask, findTaskOf, pidGeneration } from "../../kernel/pid.ts";
import { continueGroup, sendSignal, setWaiting, stopGroup } from "../../kernel/signals.ts";
import { isLeader, setTaskComm } from "../../kernel/task.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { timerCreate, timerDelete, timerSettime } from "../../time/posix-timers.ts";
import type { Operation, Who } from "./operations.ts";

type ProcessKind =
  | "fork"
  | "clone"
  | "endThread"
  | "exit"
  | "timerCreate"
  | "timerDelete"
  | "setuid"
  | "rename"
  | "stop"
  | "continue"
  | "dumpable"
  | "limit"
  | "signal";
type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

export function applyProcess(k: Kernel, task: Ptr, operation: Of<ProcessKind>): number {
  switch (operation.kind) {
    case "fork":
      return fork(k, task, operation);
    case "clone":
      return clone(k, task, operation);
    case "endThread":
      // A leader that ends before its threads stays as a zombie: not what is meant here.
      if (isLeader(k, task)) return -ESRCH;
      exitThread(k, task, 0);
      return 0;
    case "exit":
      exitGroup(k, task, operation.code);
      return 0;
    case "timerCreate":
      return createTimer(k, task, operation);
    case "timerDelete":
      return timerDelete(k, task, operation.id);
    case "setuid":
      setuid(k, task, operation.uid);
      return 0;
    case "rename":
      setTaskComm(k, task, latin1Bytes(operation.name));
      return 0;
    case "stop":
      stopGroup(k, task);
      return 0;
    case "continue":
      continueGroup(k, task);
      return 0;
    case "dumpable":
      return setDumpable(k, task, operation.value);
    case "limit":
      return changeLimit(k, task, operation.lower);
    case "signal":
      return sendSignal(k, task, operation.signal);
  }
}

function fork(k: Kernel, task: Ptr, operation: Of<"fork">): number {
  const flags = operation.vfork ? CLONE_VM | CLONE_VFORK : 0;
  const options = { startTime: operation.startNs, owner: operation.owner, behaviour: 0 };
  let pid = copyProcess(k, task, flags, operation.pid === 0 ? options : { ...options, pid: operation.pid });
  if (pid === -EEXIST) pid = copyProcess(k, task, flags, options);
  if (pid > 0 && operation.vfork) setWaiting(k, task, TASK_UNINTERRUPTIBLE, Wait.wait4);
  return pid;
}

function clone(k: Kernel, task: Ptr, { name, startNs }: Of<"clone">): number {
  const tid = copyProcess(k, task, CLONE_PTHREAD, { startTime: startNs });
  if (tid > 0 && name !== "") setTaskComm(k, findTask(k, tid), latin1Bytes(name));
  return tid;
}

function createTimer(k: Kernel, task: Ptr, timer: Of<"timerCreate">): number {
  const { signal: signo, notify, target: notifyPid, clock, value, intervalNs } = timer;
  const id = timerCreate(k, task, { signo, notify, notifyPid, clock, value });
  if (id >= 0) timerSettime(k, task, id, intervalNs, intervalNs);
  return id;
}

/** The soft limit of open files, down to half of the hard one or up to it. */
function changeLimit(k: Kernel, task: Ptr, lower: boolean): number {
  const signal = k.m.load(task + TASK.signal);
  const hard = rlimit(k, signal, RLIMIT_NOFILE, true);
  return setRlimit(k, signal, RLIMIT_NOFILE, lower ? Math.floor(hard / 2) : hard, hard);
}

/**
 * Reaps a process that has ended.
 * @returns 0; -ESRCH if it is gone already; -ECHILD if it is no zombie, or has threads left
 * @pre RCU online, no lock held
 */
export function applyReap(k: Kernel, who: Who): number {
  const leader = findTaskOf(k, who.pid, who.generation);
  return leader === 0 ? -ESRCH : reap(k, leader);
}

/** The generation of a process just started. @pre RCU */
export function generationOf(k: Kernel, pid: number): number {
  return findTask(k, pid) === 0 ? 0 : pidGeneration(k, pid);
}

/** Tids of a process's live threads, the leader's first. @pre RCU */
export function threadIds(k: Kernel, pid: number): number[] {
  const task = findTask(k, pid);
  if (task === 0) return [];
  const tids: number[] = [];
  let thread = k.m.load(k.m.load(task + TASK.signal) + SIGNAL.threadFirst);
  for (; thread !== 0; thread = k.m.load(thread + TASK.threadNext)) tids.push(k.m.load(thread + TASK.pid));
  return tids;
}
