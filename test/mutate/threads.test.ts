/** Four mutators and two readers over one arena, all of `churn` at once, every assertion on. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { cacheName } from "../../src/kernel/caches.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { exitAll, liveObjects } from "../../src/mutate/build/teardown.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import { mutatorOperations, stopMutators } from "../../src/mutate/run/pace.ts";
import { tickCount } from "../../src/time/clock.ts";
import { buildKernel, shipped } from "../build/kernel.ts";
import { testKernel } from "../support/kernel.ts";
import { inThreads } from "../support/threads.ts";
import type { MutatorJob, MutatorResult } from "./mutator-threads.ts";

const MUTATORS = 4;
const READERS = 2;
const SECONDS = 6;

describe("mutator threads", () => {
  test("run beside readers without a failed assertion, and leave nothing behind", { timeout: 180_000 }, async () => {
    const { k, scenario, built } = buildKernel(shipped("churn"), 11);
    publishMembers(k, built);
    k.idle();
    const common = { buffer: k.m.buffer, config: k.config, scenario, built, count: MUTATORS };
    const jobs: MutatorJob[] = [];
    for (let index = 0; index < MUTATORS; index++) jobs.push({ ...common, role: "mutator", index });
    for (let index = 0; index < READERS; index++) jobs.push({ ...common, role: "reader", index });
    const running = inThreads<MutatorJob, MutatorResult>(
      new URL("./mutator-threads.ts", import.meta.url).href,
      "run",
      jobs,
    );
    // The clock starts when the first mutator is there.
    while (tickCount(k) === 0) await sleep(50);
    await sleep(SECONDS * 1000);
    stopMutators(k);
    const results = await running;
    const operations = mutatorOperations(k);
    for (const { done, violations } of results) {
      expect(violations).toEqual([]);
      expect(done).toBeGreaterThan(10);
    }
    const [io, timers, vmas] = (["io", "timers", "vmas"] as const).map((name) =>
      results.reduce((sum, result) => sum + result[name], 0),
    );
    console.log(`${operations} operations; readers: ${io} io, ${timers} timers, ${vmas} VMAs`);
    expect(operations).toBeGreaterThan(1000);
    for (let index = 0; index < MUTATORS; index++) {
      expect(k.m.load(HOST.mutatorOperations + index)).toBeGreaterThan(100);
    }
    k.busy();
    exitAll(k);
    expect(k.m.load(HOST.nrProcesses)).toBe(0);
    expect(leaks(k)).toEqual([]);
  });
});

/** Objects that are alive beyond those of a kernel without any process, PATHs of the configuration aside. */
function leaks(k: Parameters<typeof liveObjects>[0]): [string, number][] {
  const atBoot = liveObjects(testKernel({ files: [], programs: [] }));
  return liveObjects(k)
    .map((count, cache): [string, number] => [cacheName(cache), count - (atBoot[cache] ?? 0)])
    .filter(([name, count]) => count !== 0 && name !== "path" && !name.startsWith("bytes-"));
}
