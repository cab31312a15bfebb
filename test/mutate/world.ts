/** A scenario given as text, built, with one mutator that the test moves tick by tick. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import { SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { findTask, nextTgid } from "../../src/kernel/pid.ts";
import { nextThread, taskComm } from "../../src/kernel/task.ts";
import type { Built } from "../../src/mutate/built.ts";
import type { Scenario } from "../../src/mutate/scenario.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import type { Ptr } from "../../src/sync/atomics.ts";
import { buildKernel } from "../build/kernel.ts";

export interface World {
  readonly k: Kernel;
  readonly scenario: Scenario;
  readonly built: Built;
  readonly mutator: Mutator;
  /** Lets simulated seconds pass. The calling thread is RCU online before and after. */
  seconds(count: number): void;
  ticks(count: number): void;
  /** Pids of the group's members, as they were built. */
  pids(group: string): number[];
}

/** Builds `processes:` of a scenario (and whatever else follows in the text), with all assertions on. */
export function world(yaml: string, seed = 7): World {
  const { k, scenario, built } = buildKernel(parseScenario(yaml, "test.yaml"), seed);
  publishMembers(k, built);
  const mutator = new Mutator(k, scenario, built, { index: 0, count: 1, seed });
  const ticks = (count: number): void => {
    k.idle();
    for (let i = 0; i < count; i++) mutator.tick(scenario.tickMs * 1e6);
    k.busy();
  };
  return {
    k,
    scenario,
    built,
    mutator,
    ticks,
    seconds: (count) => ticks(Math.round((count * 1000) / scenario.tickMs)),
    pids: (name) => scenario.groups.filter((one) => one.name === name).flatMap((one) => [...built.pids[one.index]!]),
  };
}

/** One process `p` with these rates, below init. */
export function oneProcess(rates: string, more = ""): World {
  return world(`host: { cpus: 2, memory: 4G, kernel_threads: false }
processes:
  - { name: p, command: /usr/bin/p, memory: 4M, rates: ${rates}${more === "" ? "" : `, ${more}`} }
`);
}

/** The task of a pid. @throws if there is none */
export function taskOf({ k }: World, pid: number): Ptr {
  const task = findTask(k, pid);
  if (task === 0) throw new Error(`no task ${pid}`);
  return task;
}

export function commOf(w: World, pid: number): string {
  const bytes = new Uint8Array(16);
  const length = taskComm(w.k, taskOf(w, pid), bytes);
  return new TextDecoder("latin1").decode(bytes.subarray(0, length));
}

/** Pids of all processes, in order. */
export function allPids({ k }: World): number[] {
  const pids: number[] = [];
  for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) pids.push(pid);
  return pids;
}

/** Pids of a process's children, oldest first. */
export function childrenOf(w: World, pid: number): number[] {
  const { k } = w;
  const pids: number[] = [];
  let child = k.m.load(k.m.load(taskOf(w, pid) + TASK.signal) + SIGNAL.childFirst);
  for (; child !== 0; child = k.m.load(child + SIGNAL.siblingNext)) pids.push(k.m.load(child + SIGNAL.tgid));
  return pids;
}

export function parentOf(w: World, pid: number): number {
  const { m } = w.k;
  return m.load(m.load(m.load(taskOf(w, pid) + TASK.signal) + SIGNAL.parent) + SIGNAL.tgid);
}

export function tidsOf(w: World, pid: number): number[] {
  const { k } = w;
  const tids: number[] = [];
  let thread = k.m.load(k.m.load(taskOf(w, pid) + TASK.signal) + SIGNAL.threadFirst);
  for (; thread !== 0; thread = nextThread(k, thread)) tids.push(k.m.load(thread + TASK.pid));
  return tids;
}
