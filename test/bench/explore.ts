/**
 * Executions that the explorer makes in a second of its process's CPU time, of scenarios whose threads do much or little, on
 * warm code. What an exploration needs to get under way (building the simulated machine, learning which words are shared)
 * does not count.
 */
import { join } from "node:path";
import { explore } from "../../src/check/explore/explore.ts";
import type { LoadedProgram } from "../../src/check/interleave/load.ts";
import { loadProgram } from "../../src/check/interleave/load.ts";
import type { Scenario } from "../../src/check/scenario.ts";
import { quantile } from "./programs.ts";

export interface ExploreSpeed {
  scenario: string;
  /** Executions of a round, given up ones included, and accesses that one of them has scheduled, on average. */
  executions: number;
  steps: number;
  /** Executions per second of CPU time: median over the rounds, lowest and highest. */
  perSecond: number;
  spread: [number, number];
}

const PROGRAM = join(import.meta.dirname, "../../dist/check");
const SCENARIOS = ["io/exec-setuid", "io/counting", "io/two-readers", "rwsem/writers"];
/** Of a round, at least: as many explorations as that takes, each of no more. */
const EXECUTIONS = 50_000;
const WARM_UP_ROUNDS = 3;

/** @pre dist/check has been built from these sources */
export async function exploreSpeed(rounds: number): Promise<ExploreSpeed[]> {
  const program = await loadProgram(PROGRAM);
  return SCENARIOS.map((name) => {
    for (let i = 0; i < WARM_UP_ROUNDS; i++) measure(program, name);
    const measured = Array.from({ length: rounds }, () => measure(program, name));
    const speeds = measured.map(({ executions, seconds }) => executions / seconds);
    const [{ executions, steps }] = measured;
    return {
      scenario: name,
      executions,
      steps: steps / executions,
      perSecond: Math.round(quantile(speeds, 0.5)),
      spread: [Math.min(...speeds), Math.max(...speeds)],
    };
  });
}

interface Round {
  executions: number;
  steps: number;
  seconds: number;
}

function measure(program: LoadedProgram, name: string): Round {
  const round = { executions: 0, steps: 0, seconds: 0 };
  while (round.executions < EXECUTIONS) {
    const { executions, steps, seconds } = measureOne(program, name);
    round.executions += executions;
    round.steps += steps;
    round.seconds += seconds;
  }
  return round;
}

function measureOne(program: LoadedProgram, name: string): Round {
  const spec = program.scenarios.find((scenario) => scenario.name === name) as Scenario;
  let began = 0;
  const report = explore(program, spec, "lockfree", {
    maxExecutions: EXECUTIONS,
    onPass: () => void (began = cpuSeconds()),
  });
  const seconds = cpuSeconds() - began;
  if (report.failure !== null) throw new Error(`${name}: ${report.failure.message}`);
  return { executions: report.executions + report.blocked, steps: report.steps, seconds };
}

/** Of all threads of this process, those of the garbage collector and the compiler too. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
