/** Thread bodies of cross-file.test.ts: mutators that run while another thread reads. */
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import type { Built } from "../../src/mutate/built.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadScenario } from "../../mount/scenario-files.ts";
import { NOW } from "../support/simulation.ts";

export interface MutateJob {
  buffer: SharedArrayBuffer;
  scenario: string;
  seed: number;
  built: Built;
  place: { index: number; count: number; seed: number };
  milliseconds: number;
}

/** Ticks as fast as it can. @returns the ticks done */
export function mutate(job: MutateJob): number {
  const { scenario } = loadScenario(job.scenario);
  const k = Kernel.attach(job.buffer, kernelConfig(scenario, { seed: job.seed, now: NOW }), { debug: true });
  const mutator = new Mutator(k, scenario, job.built, job.place);
  const end = performance.now() + job.milliseconds;
  let ticks = 0;
  for (; performance.now() < end; ticks++) mutator.tick(scenario.tickMs * 1e6);
  mutator.end();
  return ticks;
}
