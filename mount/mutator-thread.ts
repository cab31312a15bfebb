/**
 * Entry of a thread that changes the table. It attaches to the arena and ticks until the simulation is told to stop;
 * its event loop doesn't turn meanwhile, so it can post messages but gets none.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { KernelConfig } from "../src/kernel/config.ts";
import { Kernel } from "../src/kernel/kernel.ts";
import { Role, roleWord } from "../src/kernel/thread-role.ts";
import type { Built } from "../src/mutate/built.ts";
import { Mutator } from "../src/mutate/run/mutator.ts";
import { runClock, runFollower } from "../src/mutate/run/pace.ts";
import type { MutatorPlace } from "../src/mutate/run/scene.ts";
import type { Scenario } from "../src/mutate/scenario-types.ts";
import { monotonicNs } from "./clock.ts";

/** What a mutator thread is started with. */
export interface MutatorThreadData {
  arena: SharedArrayBuffer;
  config: KernelConfig;
  scenario: Scenario;
  built: Built;
  place: MutatorPlace;
  /** False: ticks follow each other without a pause. */
  realtime: boolean;
  /** Ends after so many ticks; Infinity: when it is told to. */
  ticks: number;
  /** Check lock order as locks are taken. */
  lockdep: boolean;
}

/** What it tells the thread that started it. */
export type MutatorMessage = { kind: "ready" } | { kind: "end"; ticks: number };

function post(message: MutatorMessage): void {
  parentPort?.postMessage(message);
}

function run(data: MutatorThreadData): number {
  const role = roleWord(Role.mutator, data.place.index);
  const kernel = Kernel.attach(data.arena, data.config, { debug: data.lockdep, now: monotonicNs, role });
  const mutator = new Mutator(kernel, data.scenario, data.built, data.place);
  post({ kind: "ready" });
  const { realtime, ticks } = data;
  const clock = (): number => performance.now();
  const tickNs = data.scenario.tickMs * 1e6;
  try {
    const done =
      data.place.index === 0
        ? runClock(kernel, mutator, { clock, tickNs, realtime, ticks })
        : runFollower(kernel, mutator, { ticks });
    mutator.end();
    kernel.detach();
    return done;
  } catch (error) {
    // What it left half done stays so, but the others' memory must not wait for this thread.
    kernel.abandon();
    throw error;
  }
}

post({ kind: "end", ticks: run(workerData as MutatorThreadData) });
