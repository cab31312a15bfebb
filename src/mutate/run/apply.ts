/** Carrying out operations: each takes the process's actor lock, looks whether it still is the same process, and acts. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import type { KernelConfig, Program } from "../../kernel/config.ts";
import { ENOMEM, ESRCH } from "../../kernel/errno.ts";
import { SIGNAL_STOP_STOPPED } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { findTaskOf } from "../../kernel/pid.ts";
import { isZombie } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import { WAIT_WOULD_BLOCK } from "../../sync/thread.ts";
import { applyFile } from "./apply-files.ts";
import { applyMemory } from "./apply-memory.ts";
import { applyExec, applyTsync } from "./apply-exec.ts";
import { applyProcess } from "./apply-process.ts";
import { applyTime } from "./apply-time.ts";
import type { Operation, OperationKind, Who } from "./operations.ts";

/** Somebody else acts as the process at the moment, or it executes another program: try again later. */
export const BUSY = WAIT_WOULD_BLOCK;
/** The process is stopped: it does nothing now. */
export const STOPPED = -0x20000;

/** What operations need beyond the simulation itself. */
export class World {
  private readonly programs = new Map<string, Program>();

  constructor(config: KernelConfig) {
    for (const program of config.programs) this.programs.set(program.path, program);
  }

  program(path: string): Program | undefined {
    return this.programs.get(path);
  }
}

/** Operations that a stopped process takes part in: they are done to it, or end what it began before. */
const WHILE_STOPPED: ReadonlySet<OperationKind> = new Set(["rest", "continue", "exit", "signal", "wake", "endThread"]);

/**
 * Carries an operation out.
 * @returns what its kind says; or -ESRCH (no such process, or thread, any more), BUSY, STOPPED, or a negated errno
 * @pre RCU online, no lock held
 */
export function apply(k: Kernel, world: World, who: Who, operation: Operation): number {
  const task = tryAct(k, who, "tid" in operation ? operation.tid : who.pid);
  if (task < 0) return task;
  if (isStopped(k, task) && !WHILE_STOPPED.has(operation.kind)) {
    actEnd(k, task);
    return STOPPED;
  }
  if (operation.kind === "exec") return applyExec(k, world, task, operation);
  if (operation.kind === "tsync") return applyTsync(k, task, operation);
  try {
    return perform(k, task, operation);
  } catch (error) {
    if (error instanceof ArenaFullError) return -ENOMEM;
    throw error;
  } finally {
    actEnd(k, task);
  }
}

/** actBegin without waiting: a process that somebody acts as for seconds must not hold up the others. */
function tryAct(k: Kernel, who: Who, tid: number): number {
  const maySleep = k.t.maySleep;
  k.t.maySleep = false;
  const task = actBegin(k, tid);
  k.t.maySleep = maySleep;
  if (task < 0) return task;
  if (k.m.load(task + TASK.tgid) === who.pid && findTaskOf(k, who.pid, who.generation) !== 0) return task;
  actEnd(k, task);
  return -ESRCH;
}

function isStopped(k: Kernel, task: Ptr): boolean {
  return (k.m.load(k.m.load(task + TASK.signal) + SIGNAL.flags) & SIGNAL_STOP_STOPPED) !== 0;
}

function perform(k: Kernel, task: Ptr, operation: Exclude<Operation, { kind: "exec" | "tsync" }>): number {
  switch (operation.kind) {
    case "run":
    case "rest":
    case "io":
    case "block":
    case "wake":
      return applyTime(k, task, operation);
    case "mmap":
    case "munmap":
    case "mprotect":
    case "mremap":
    case "brk":
      return applyMemory(k, task, operation);
    case "open":
    case "close":
    case "reopen":
      return applyFile(k, task, operation);
    default:
      return applyProcess(k, task, operation);
  }
}

/** What became of a process. */
export const Fate = { alive: 0, zombie: 1, gone: 2 } as const;
export type FateId = (typeof Fate)[keyof typeof Fate];

/** Whether a process lives, waits to be reaped, or is gone. @pre RCU */
export function fateOf(k: Kernel, who: Who): FateId {
  const leader = findTaskOf(k, who.pid, who.generation);
  if (leader === 0) return Fate.gone;
  const signal = k.m.load(leader + TASK.signal);
  return isZombie(k, leader) && k.m.load(signal + SIGNAL.live) <= 0 ? Fate.zombie : Fate.alive;
}
