/**
 * Faults on purpose: what a reader of /proc has to reckon with, more often than chance would have it. One injector for
 * each thread that serves requests; the rates hold for the whole machine.
 */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { EACCES, EINTR } from "../../kernel/errno.ts";
import { holdExec } from "../../kernel/exec-hold.ts";
import type { ExecInFlight } from "../../kernel/exec.ts";
import { execBegin, execFinish } from "../../kernel/exec.ts";
import { exitGroup, reap } from "../../kernel/exit.ts";
import { PF_KTHREAD, SIGKILL, SIGNAL_UNKILLABLE } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { MM, SIGNAL, TASK } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import { Random } from "../../kernel/random.ts";
import { isZombie } from "../../kernel/task.ts";
import type { FaultHooks } from "../../proc/fs/faults.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { Fault, Faults, Scenario } from "../scenario-types.ts";
import { draw } from "./chance.ts";
import { Gate } from "./gate.ts";
import { noteMemberEnded } from "./members.ts";

const STREAM = 0x6661756c;
const NS_PER_MS = 1e6;
/** What a fault executes: a program that every simulation has. */
const OTHER_PROGRAM = "/usr/bin/sleep";

type FaultName = Exclude<keyof Faults, "slowExecMs" | "hidepid" | "slowExec" | "pidReuse">;

/** True if a scenario asks for any fault that readers meet. */
export function hasFaults(scenario: Scenario): boolean {
  const { faults } = scenario;
  const list = [
    faults.exitBeforeOpen,
    faults.exitBeforeRead,
    faults.exitDuringRead,
    faults.execDuringRead,
    faults.shortRead,
    faults.eintr,
    faults.eacces,
  ];
  return list.some(({ chance, maxPerSecond }) => chance > 0 && maxPerSecond > 0);
}

export class FaultInjector implements FaultHooks {
  private readonly k: Kernel;
  private readonly scenario: Scenario;
  private readonly random: Random;
  private readonly gates: Record<FaultName, Gate>;

  /**
   * @param thread index of the serving thread among `threads`: each has its share of the rates, and its own chances
   */
  constructor(k: Kernel, scenario: Scenario, seed: number, thread: number, threads: number) {
    this.k = k;
    this.scenario = scenario;
    this.random = new Random(seed, STREAM + thread * 16);
    const { faults } = scenario;
    const gate = (fault: Fault, index: number): Gate =>
      new Gate(
        { chance: fault.chance, maxPerSecond: fault.maxPerSecond / threads },
        seed,
        STREAM + thread * 16 + 1 + index,
      );
    this.gates = {
      exitBeforeOpen: gate(faults.exitBeforeOpen, 0),
      exitBeforeRead: gate(faults.exitBeforeRead, 1),
      exitDuringRead: gate(faults.exitDuringRead, 2),
      execDuringRead: gate(faults.execDuringRead, 3),
      shortRead: gate(faults.shortRead, 4),
      eintr: gate(faults.eintr, 5),
      eacces: gate(faults.eacces, 6),
    };
  }

  beforeOpen(tgid: number): number {
    if (this.happens("eacces")) return -EACCES;
    if (this.happens("eintr")) return -EINTR;
    if (this.happens("exitBeforeOpen")) this.kill(tgid);
    return 0;
  }

  beforeRead(tgid: number, first: boolean, length: number): number {
    if (this.happens("eintr")) return -EINTR;
    if (this.happens(first ? "exitBeforeRead" : "exitDuringRead")) this.kill(tgid);
    else if (!first && this.happens("execDuringRead")) this.execute(tgid);
    if (length < 2 || !this.happens("shortRead")) return length;
    return 1 + this.random.below(length - 1);
  }

  private happens(name: FaultName): boolean {
    const gate = this.gates[name];
    return gate.enabled() && gate.opens(bootTimeNs(this.k));
  }

  /** The process ends and is reaped, and starts again later, elsewhere. */
  private kill(tgid: number): void {
    const { k } = this;
    const task = this.act(tgid);
    if (task === 0) return;
    const ordinal = k.m.load(task + TASK.behaviour) - 1;
    const owner = k.m.load(task + TASK.owner);
    exitGroup(k, task, SIGKILL);
    actEnd(k, task);
    const leader = findTask(k, tgid);
    if (leader !== 0 && isZombie(k, leader)) reap(k, leader);
    noteMemberEnded(k, ordinal, owner, tgid);
  }

  /** The process executes another program, slowly. */
  private execute(tgid: number): void {
    const { k } = this;
    const program = k.config.programs.find(({ path }) => path === OTHER_PROGRAM);
    const task = program === undefined ? 0 : this.act(tgid);
    if (task === 0 || program === undefined) return;
    const argv = new TextEncoder().encode(`${OTHER_PROGRAM}\0infinity\0`);
    let exec: ExecInFlight;
    try {
      exec = execBegin(k, task, { program, argv, envp: new Uint8Array(0), random: new Random(this.random.u32()) });
    } catch (error) {
      actEnd(k, task);
      if (error instanceof ArenaFullError) return;
      throw error;
    }
    const duration = draw(this.random, this.scenario.faults.slowExecMs) * NS_PER_MS;
    if (this.gates.execDuringRead.enabled() && holdExec(k, exec, bootTimeNs(k) + duration)) return;
    execFinish(k, exec);
    actEnd(k, task);
  }

  /**
   * Acts as a process that may be ended or changed: not init, nor a kernel thread, nor one that somebody else acts as.
   * Serving threads don't sleep, so this gives up rather than wait.
   */
  private act(tgid: number): Ptr {
    const { k } = this;
    const task = actBegin(k, tgid);
    if (task < 0) return 0;
    const { m } = k;
    const protectedTask =
      (m.load(task + TASK.flags) & PF_KTHREAD) !== 0 ||
      (m.load(m.load(task + TASK.signal) + SIGNAL.flags) & SIGNAL_UNKILLABLE) !== 0 ||
      m.load(task + TASK.mm) === 0 ||
      m.load(m.load(task + TASK.mm) + MM.mmUsers) === 0;
    if (!protectedTask) return task;
    actEnd(k, task);
    return 0;
  }
}
