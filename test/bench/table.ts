/** What a table costs: time and arena of building it, resident set of its server, speed of the mutator, `ps` over it. */
import { fileURLToPath } from "node:url";
import { Kernel } from "../../src/kernel/kernel.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import { loadScenario } from "../../mount/scenario-files.ts";
import { SYNTHPROC, Server, Workshop, quantile, run, scenarioFile } from "./programs.ts";

const ARENA = 8 * 2 ** 30;
const NOW = 1_767_225_600;
const NS_PER_MS = 1e6;

export interface BuildCost {
  processes: number;
  seconds: number;
  /** Bytes of arena per process, fixed tables not counted. */
  bytesPerProcess: number;
}

/** Builds the table of 100,000 processes in this thread. */
export function buildCost(): BuildCost {
  const { scenario } = loadScenario(scenarioFile("100k"));
  const kernel = Kernel.create(ARENA, kernelConfig(scenario, { seed: 1, now: NOW, pidAvoid: [0, 0] }));
  const before = kernel.slab.usedBytes();
  const start = performance.now();
  buildScenario(kernel, scenario);
  const seconds = (performance.now() - start) / 1000;
  const processes = kernel.m.load(HOST.nrProcesses);
  return { processes, seconds, bytesPerProcess: (kernel.slab.usedBytes() - before) / processes };
}

export interface MutatorSpeed {
  scenario: string;
  /** Simulated seconds per second with one mutator going as fast as it can. */
  speed: number;
  forksPerSecond: number;
}

/** Runs a shipped scenario for so many ticks, as fast as it goes. */
export function mutatorSpeed(name: string, ticks: number): MutatorSpeed {
  const { scenario } = loadScenario(name);
  const kernel = Kernel.create(ARENA, kernelConfig(scenario, { seed: 1, now: NOW, pidAvoid: [0, 0] }));
  const built = buildScenario(kernel, scenario);
  publishMembers(kernel, built);
  const mutator = new Mutator(kernel, scenario, built, { index: 0, count: 1, seed: built.seed });
  const forks = kernel.m.load64(HOST.totalForks);
  const start = performance.now();
  for (let tick = 0; tick < ticks; tick++) mutator.tick(scenario.tickMs * NS_PER_MS);
  const seconds = (performance.now() - start) / 1000;
  mutator.end();
  return {
    scenario: name,
    speed: (ticks * scenario.tickMs) / 1000 / seconds,
    forksPerSecond: (kernel.m.load64(HOST.totalForks) - forks) / seconds,
  };
}

export interface WalkCost {
  processes: number;
  /** Seconds of `ps -ef` over the simulation, once it runs; and per process, in microseconds. */
  seconds: number;
  microseconds: number;
  realProcesses: number;
  realMicroseconds: number;
  /** Resident set of the server after it. */
  residentMiB: number;
}

/** Seconds of each of `count` runs of `ps -ef` and its number of lines; within the simulation, or on the real /proc. */
function psTimes(count: number, simulated: boolean): { seconds: number[]; lines: number } {
  const clock = ["sh", fileURLToPath(new URL("ps-times.sh", import.meta.url)), String(count)];
  const output = simulated ? run(SYNTHPROC, "run", "--scenario", "10k", "--", ...clock) : run("env", ...clock);
  const rows = output.trim().split("\n");
  const numbers = rows.map((row) => row.split(" ").map(Number) as [number, number]);
  return {
    seconds: numbers.map((row) => row[0]),
    lines: quantile(
      numbers.map((row) => row[1]),
      0.5,
    ),
  };
}

/** Resident set in MiB of a server whose 10,000 processes have all been looked at. */
async function residentSet(): Promise<number> {
  const shop = new Workshop();
  try {
    const server = await Server.synthproc(shop.mountPoint(), "--scenario", "10k", "--paused");
    try {
      run("sh", "-c", 'cat "$0"/[0-9]*/status > /dev/null', server.dir);
      return server.residentKiB() / 1024;
    } finally {
      await server.stop();
    }
  } finally {
    shop.close();
  }
}

/** `ps -ef` over 10,000 processes that change, against the real /proc. */
export async function walkCost(rounds: number): Promise<WalkCost> {
  const simulated = psTimes(rounds, true);
  const real = psTimes(rounds, false);
  const seconds = quantile(simulated.seconds, 0.5);
  return {
    processes: simulated.lines,
    seconds,
    microseconds: (seconds / simulated.lines) * 1e6,
    realProcesses: real.lines,
    realMicroseconds: (quantile(real.seconds, 0.5) / real.lines) * 1e6,
    residentMiB: await residentSet(),
  };
}

export interface StartCost {
  scenario: string;
  /** Seconds of `synthproc run -- true`: median and fastest. */
  median: number;
  fastest: number;
}

export function startCost(scenario: string, rounds: number): StartCost {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run(SYNTHPROC, "run", "--scenario", scenario, "--", "true");
    times.push((performance.now() - start) / 1000);
  }
  return { scenario, median: quantile(times, 0.5), fastest: Math.min(...times) };
}
