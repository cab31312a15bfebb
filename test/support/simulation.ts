/** A scenario in one thread: table, mutator and file system, without a mount. */
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { hostView } from "../../src/mutate/build/host.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import type { Built } from "../../src/mutate/built.ts";
import type { Scenario } from "../../src/mutate/scenario.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { loadScenario } from "../../mount/scenario-files.ts";
import { TEST_FACTS, TEST_SYNTHPROC } from "../proc/file-system.ts";
import { VfsClient } from "../proc/vfs-client.ts";

const ARENA = 2 * 2 ** 30;
/** Wall time at which tests take place: 2023-11-14. */
export const NOW = 1_700_000_000;

export interface TestSimulation {
  /** The reader's handle. */
  readonly k: Kernel;
  readonly scenario: Scenario;
  readonly built: Built;
  readonly mutator: Mutator;
  readonly client: VfsClient;
  /** Lets so many ticks of the scenario pass. */
  run(ticks: number): void;
}

/** Builds a shipped scenario, with lock checks on. The thread is online between two calls of `run`. */
export function simulate(name: string, seed: number): TestSimulation {
  const { scenario } = loadScenario(name);
  const config = kernelConfig(scenario, { seed, now: NOW });
  const k = Kernel.create(ARENA, config, { debug: true });
  const built = buildScenario(k, scenario);
  publishMembers(k, built);
  const mutator = new Mutator(k, scenario, built, { index: 0, count: 1, seed });
  const host = hostView(scenario, config, { realProc: "/proc", netOf: "1", mountsOf: "1" });
  // A handle of its own: nobody finishes a slow exec while this thread waits for it, so it must not wait.
  const reader = Kernel.attach(k.m.buffer, config, { debug: true });
  reader.t.maySleep = false;
  const fs = new ProcFs({ kernel: reader, host, facts: TEST_FACTS, tables: tablesOf(host), synthproc: TEST_SYNTHPROC });
  reader.busy();
  const run = (ticks: number): void => {
    reader.idle();
    for (let i = 0; i < ticks; i++) mutator.tick(scenario.tickMs * 1e6);
    reader.busy();
  };
  return { k: reader, scenario, built, mutator, client: new VfsClient(fs, { uid: 0, gid: 0, pid: 0 }), run };
}
