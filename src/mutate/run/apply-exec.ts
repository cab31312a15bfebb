/** Operations that write under exec_update_lock, and that may be held: they end the right to act as the process themselves. */
import { actEnd } from "../../kernel/actor.ts";
import type { Program } from "../../kernel/config.ts";
import { ENOENT, ENOMEM } from "../../kernel/errno.ts";
import { holdExec, holdTsync } from "../../kernel/exec-hold.ts";
import type { ExecInFlight, ExecSpec } from "../../kernel/exec.ts";
import { execBegin, execFinish, execRefused } from "../../kernel/exec.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK } from "../../kernel/layout.ts";
import { Random } from "../../kernel/random.ts";
import type { TsyncInFlight } from "../../kernel/tsync.ts";
import { setNoNewPrivs, tsyncBegin, tsyncFinish } from "../../kernel/tsync.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { brokenProgram } from "../failing.ts";
import { joinStrings } from "../templates.ts";
import type { World } from "./apply.ts";
import type { Operation } from "./operations.ts";

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

/** What an exec gives that has failed halfway: the process is dead. */
export const KILLED = 1;

/** Executes a program, and stops acting as the process, at once or when a held exec is finished. */
export function applyExec(k: Kernel, world: World, task: Ptr, operation: Of<"exec">): number {
  const exec = beginExec(k, world, task, operation);
  if (typeof exec !== "number" && operation.untilNs > 0 && holdExec(k, exec, operation.untilNs)) return 0;
  const result = typeof exec === "number" ? exec : execFinish(k, exec) ? 0 : KILLED;
  actEnd(k, task);
  return result;
}

/** @returns the exec under way, or a negated errno: nothing has happened */
function beginExec(k: Kernel, world: World, task: Ptr, operation: Of<"exec">): ExecInFlight | number {
  const program = world.program(operation.exe);
  if (program === undefined || k.m.load(task + TASK.mm) === 0) return -ENOENT;
  const spec = execSpec(k, program, operation);
  const refused = execRefused(k, task, spec.program);
  if (refused < 0) return refused;
  try {
    return execBegin(k, task, spec);
  } catch (error) {
    if (error instanceof ArenaFullError) return -ENOMEM;
    throw error;
  }
}

function execSpec(k: Kernel, known: Program, operation: Of<"exec">): ExecSpec {
  const { args, env, seed, setuid: owner, nonDumpable, fail } = operation;
  const program = fail === "before" ? brokenProgram(k.config, known) : known;
  return {
    program: owner < 0 ? program : { ...program, setuid: owner },
    argv: joinStrings(args),
    envp: joinStrings(env),
    nonDumpable,
    failsHalfway: fail === "halfway",
    random: new Random(seed, 0x65786563),
  };
}

/** Binds all threads to one policy, and stops acting as the process, at once or when a held TSYNC is finished. */
export function applyTsync(k: Kernel, task: Ptr, { untilNs }: Of<"tsync">): number {
  let flight: TsyncInFlight;
  try {
    setNoNewPrivs(k, task);
    flight = tsyncBegin(k, task);
  } catch (error) {
    actEnd(k, task);
    if (error instanceof ArenaFullError) return -ENOMEM;
    throw error;
  }
  if (untilNs > 0 && holdTsync(k, flight, untilNs)) return 0;
  const done = tsyncFinish(k, flight);
  actEnd(k, task);
  return done ? 0 : -ENOMEM;
}
