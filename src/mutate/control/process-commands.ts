/** Commands of process life: fork, clone, exec, exit, signals, reaping. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { EAGAIN, EINVAL, ESRCH } from "../../kernel/errno.ts";
import type { ExecSpec } from "../../kernel/exec.ts";
import { execRefused, execTask } from "../../kernel/exec.ts";
import { exitGroup, exitThread, reap, reapIfInits } from "../../kernel/exit.ts";
import { CLONE_PTHREAD, CLONE_VFORK, CLONE_VM, SIGCONT, SIGSTOP, TASK_INTERRUPTIBLE } from "../../kernel/flags.ts";
import { copyProcess } from "../../kernel/fork.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import { sendSignal } from "../../kernel/signals.ts";
import { isKernelThread, setTaskComm, setTaskState } from "../../kernel/task.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Command } from "./command.ts";
import { DONE, actAs, numbered, outcome } from "./command.ts";
import { exec, execSpec } from "./exec-commands.ts";
import type { Words } from "./words.ts";
import { UsageError } from "./words.ts";
import type { World } from "./world.ts";

const LARGEST_PID = 4_194_303;

export const PROCESS_COMMANDS: readonly Command[] = [
  {
    name: "fork",
    usage: "PID [--pid N] [--exec FILE [ARG...]]",
    doc: "a child of PID, which may execute FILE; prints its pid",
    options: { pid: true, exec: true },
    run: (k, words, world) => fork(k, words, world, 0),
  },
  {
    name: "vfork",
    usage: "PID [--pid N] [--exec FILE [ARG...]]",
    doc: "as fork, but the child shares the address space until it executes",
    options: { pid: true, exec: true },
    run: (k, words, world) => fork(k, words, world, CLONE_VM | CLONE_VFORK),
  },
  {
    name: "clone",
    usage: "PID [--name NAME] [--tid N]",
    doc: "a thread of PID; prints its tid",
    options: { name: true, tid: true },
    run: clone,
  },
  {
    name: "exec",
    usage:
      "PID FILE [ARG...] [--hold TIME] [--fail before|halfway] [--setuid UID] [--non-dumpable] [--comm NAME] [--env WORDS]",
    doc:
      "PID (or a thread of it) executes FILE; with --hold it takes that long, of simulated time, and keeps the exec locks; " +
      "--fail before: nothing happens (ENOEXEC), halfway: it is killed when all but its credentials is new; " +
      "--env 'A=1 B=2' replaces the environment",
    options: { hold: true, fail: true, setuid: true, "non-dumpable": false, comm: true, env: true },
    run: exec,
  },
  { name: "exit", usage: "PID [STATUS]", doc: "PID ends (exit_group)", run: exit },
  {
    name: "exit-thread",
    usage: "TID [STATUS]",
    doc: "one thread ends; a leader stays as a zombie while others live",
    run: endThread,
  },
  { name: "kill", usage: "PID SIGNAL", doc: "sends a signal, by number or name", run: kill },
  { name: "stop", usage: "PID", doc: "as kill PID STOP", run: (k, words) => signal(k, onlyPid(words), SIGSTOP) },
  { name: "cont", usage: "PID", doc: "as kill PID CONT", run: (k, words) => signal(k, onlyPid(words), SIGCONT) },
  { name: "reap", usage: "PID", doc: "PID, a zombie, is waited for by its parent", run: reapCommand },
];

function onlyPid(words: Words): number {
  const pid = words.pid();
  words.end();
  return pid;
}

function fork(k: Kernel, words: Words, world: World, flags: number): ControlResult {
  const pid = words.pid();
  const wanted = words.optionInteger("pid", 1, LARGEST_PID);
  const file = words.option("exec");
  const args = words.rest();
  if (file === undefined && args.length > 0) throw new UsageError(`"${args[0] as string}" is one word too many`);
  const spec = file === undefined ? null : execSpec(k, world, file, args, {});
  if (typeof spec === "number") return outcome(spec);
  const child = forkAs(k, pid, flags, wanted, spec);
  if (child < 0 || spec === null) return numbered(child);
  return execChild(k, child, spec);
}

/** @returns the child's pid, or a negative errno */
function forkAs(k: Kernel, pid: number, flags: number, wanted: number | undefined, spec: ExecSpec | null): number {
  const task = actBegin(k, pid);
  if (task < 0) return task;
  const kernelThread = isKernelThread(k, task);
  const refused = spec === null ? 0 : kernelThread ? -EINVAL : execRefused(k, task, spec.program);
  if (refused < 0) {
    actEnd(k, task);
    return refused;
  }
  const child = copyProcess(k, task, flags, { ...(wanted === undefined ? {} : { pid: wanted }), kernelThread });
  if (child > 0) settle(k, findTask(k, child), k.m.load(task + TASK.waitKind));
  actEnd(k, task);
  return child;
}

/** A task that nobody lets run sleeps. */
function settle(k: Kernel, task: Ptr, waitKind: number): void {
  setTaskState(k, task, TASK_INTERRUPTIBLE, waitKind === Wait.running ? Wait.poll : waitKind);
}

function execChild(k: Kernel, child: number, spec: ExecSpec): ControlResult {
  const task = actBegin(k, child);
  if (task < 0) return { errno: EAGAIN, text: `${child} was forked, but something happened to it before its exec` };
  try {
    execTask(k, task, spec);
  } finally {
    actEnd(k, task);
  }
  return numbered(child);
}

function clone(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const tid = words.optionInteger("tid", 1, LARGEST_PID);
  const name = words.option("name");
  words.end();
  return actAs(k, pid, (task) => {
    const thread = copyProcess(k, task, CLONE_PTHREAD, tid === undefined ? {} : { pid: tid });
    if (thread < 0) return outcome(thread);
    const made = findTask(k, thread);
    if (name !== undefined) setTaskComm(k, made, latin1Bytes(name));
    settle(k, made, Wait.futex);
    return numbered(thread);
  });
}

function exit(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const status = words.more() ? words.integer("STATUS", 0, 255) : 0;
  words.end();
  const result = actAs(k, pid, (task) => {
    exitGroup(k, task, status << 8);
    return DONE;
  });
  if (result.errno === 0) reapIfInits(k, pid);
  return result;
}

function endThread(k: Kernel, words: Words): ControlResult {
  const tid = words.pid("TID");
  const status = words.more() ? words.integer("STATUS", 0, 255) : 0;
  words.end();
  const result = actAs(k, tid, (task) => {
    exitThread(k, task, status << 8);
    return DONE;
  });
  if (result.errno === 0) reapIfInits(k, tid);
  return result;
}

function kill(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const signo = words.signal();
  words.end();
  return signal(k, pid, signo);
}

function signal(k: Kernel, pid: number, signo: number): ControlResult {
  const result = actAs(k, pid, (task) => outcome(sendSignal(k, task, signo)));
  if (result.errno === 0) reapIfInits(k, pid);
  return result;
}

function reapCommand(k: Kernel, words: Words): ControlResult {
  const pid = onlyPid(words);
  const task = findTask(k, pid);
  return task === 0 ? outcome(-ESRCH) : outcome(reap(k, task));
}
