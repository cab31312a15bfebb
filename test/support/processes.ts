/** Small processes for kernel tests. */
import { adoptInit } from "../../src/kernel/boot.ts";
import type { Program } from "../../src/kernel/config.ts";
import type { ExecSpec } from "../../src/kernel/exec.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Random } from "../../src/kernel/random.ts";

const encoder = new TextEncoder();

/** What to execute: program `index` of the configuration, with one argument. */
export function execSpec(k: Kernel, index = 0, seed = 1): ExecSpec {
  const program = k.config.programs[index] as Program;
  return {
    program,
    argv: encoder.encode(`${program.path}\0--flag\0`),
    envp: encoder.encode("HOME=/root\0LANG=C\0"),
    random: new Random(seed),
  };
}

/** Process 1, running program 0. @returns its task */
export function startInit(k: Kernel): number {
  copyProcess(k, k.m.load(HOST.idleTask), 0, { pid: 1 });
  const task = findTask(k, 1);
  adoptInit(k, task);
  execTask(k, task, execSpec(k));
  return task;
}

/** A child of `parent`. @returns its task */
export function fork(k: Kernel, parent: number): number {
  return findTask(k, copyProcess(k, parent, 0));
}

/** A further thread of a task's process. @returns its task */
export function cloneThread(k: Kernel, task: number): number {
  return findTask(k, copyProcess(k, task, CLONE_PTHREAD));
}
