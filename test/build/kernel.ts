/** Kernels for tests: a scenario, built. */
import { readFileSync } from "node:fs";
import { Kernel } from "../../src/kernel/kernel.ts";
import type { Built } from "../../src/mutate/built.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import type { Scenario } from "../../src/mutate/scenario.ts";

const GIB = 2 ** 30;
const NOW = 1_800_000_000;

export interface BuiltKernel {
  k: Kernel;
  scenario: Scenario;
  built: Built;
}

/** A shipped scenario. */
export function shipped(name: string): Scenario {
  const file = new URL(`../../fixtures/scenarios/${name}.yaml`, import.meta.url);
  return parseScenario(readFileSync(file, "utf8"), `${name}.yaml`);
}

/** Builds a scenario with all assertions on. The thread is RCU online afterwards. */
export function buildKernel(scenario: Scenario, seed = 7): BuiltKernel {
  const k = Kernel.create(2 * GIB, kernelConfig(scenario, { seed, now: NOW }), { debug: true });
  const built = buildScenario(k, scenario);
  k.busy();
  return { k, scenario, built };
}

/** Builds a scenario that is given as text. */
export function buildText(yaml: string): BuiltKernel {
  return buildKernel(parseScenario(yaml, "test.yaml"));
}
