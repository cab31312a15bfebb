/** A small simulated machine with one process of each kind. */
import { exitGroup, exitThread } from "../../src/kernel/exit.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { fileNew, installFd } from "../../src/kernel/files.ts";
import { SUID_DUMP_DISABLE, SUID_DUMP_USER, TASK_INTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FileKind, HOST, MM, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { pathNew } from "../../src/kernel/path.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { setTaskState } from "../../src/kernel/task.ts";
import { Wait } from "../../src/kernel/wait-kinds.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";

export const OWNER = 3001;

export interface World {
  readonly init: number;
  readonly kthread: number;
  readonly ordinary: number;
  readonly threads: readonly number[];
  readonly undumpable: number;
  readonly zombie: number;
  readonly deadleader: number;
}

/** A process of OWNER's that has executed a program. @returns its task */
export function spawn(k: Kernel, parent: number): number {
  const task = fork(k, parent);
  execTask(k, task, execSpec(k));
  setIdentity(k, task, OWNER, OWNER, []);
  k.m.store(k.m.load(task + TASK.mm) + MM.dumpable, SUID_DUMP_USER);
  k.m.store(k.m.load(task + TASK.signal) + SIGNAL.autogroup, 16);
  return task;
}

function openFiles(k: Kernel, task: number): void {
  const files = k.m.load(task + TASK.files);
  const path = pathNew(k, { name: "/srv/data", mode: 0o100644, ino: 77 });
  installFd(k, files, fileNew(k, { kind: FileKind.regular, flags: 0o100000, path }));
  installFd(k, files, fileNew(k, { kind: FileKind.socket, flags: 2, ino: 22810 }));
  installFd(k, files, fileNew(k, { kind: FileKind.pipe, flags: 1, ino: 22816 }));
  installFd(k, files, fileNew(k, { kind: FileKind.eventpoll, flags: 2 }), 9);
}

/** All tasks; results are pointers. */
export function buildWorld(k: Kernel): World {
  const init = startInit(k);
  const kthread = findTask(k, copyProcess(k, k.m.load(HOST.idleTask), 0, { pid: 2, kernelThread: true }));
  const ordinary = spawn(k, init);
  openFiles(k, ordinary);
  const threads = [cloneThread(k, ordinary), cloneThread(k, ordinary), cloneThread(k, ordinary)];
  const undumpable = spawn(k, init);
  k.m.store(k.m.load(undumpable + TASK.mm) + MM.dumpable, SUID_DUMP_DISABLE);
  const zombie = spawn(k, init);
  exitGroup(k, zombie, 0);
  const deadleader = spawn(k, init);
  cloneThread(k, deadleader);
  exitThread(k, deadleader, 0);
  setTaskState(k, kthread, TASK_INTERRUPTIBLE, Wait.kthread);
  for (const task of [init, ordinary, undumpable, ...threads]) setTaskState(k, task, TASK_INTERRUPTIBLE, Wait.pause);
  return { init, kthread, ordinary, threads, undumpable, zombie, deadleader };
}
