import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installBackend } from "../../../src/check/interleave/backend.ts";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import { loadProgram } from "../../../src/check/interleave/load.ts";
import type { LoadedProgram, Steps } from "../../../src/check/interleave/load.ts";
import type { Scenario } from "../../../src/check/scenario.ts";
import { WORKLOADS } from "../../../src/check/smp/catalogue.ts";
import { VirtualMachine } from "../../../src/check/smp/machine.ts";
import { PRICES, SWEEP } from "../../../src/check/smp/prices.ts";
import type { SweepPoint } from "../../../src/check/smp/prices.ts";
import { Simulator } from "../../../src/check/smp/simulate.ts";
import type { RunResult, RunSpec } from "../../../src/check/smp/simulate.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { applyEdits } from "../../stress/harness.ts";
import type { Edit } from "../../stress/harness.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MIDDLE = SWEEP[0] as SweepPoint;

const builder = new ProgramBuilder(ROOT);
const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

function built(entries?: readonly string[], edits: readonly Edit[] = []): string {
  const texts = [...applyEdits(edits)].map(([path, text]): [string, string] => [path.slice(ROOT.length), text]);
  const dir = builder.build({ ...(entries === undefined ? {} : { entries }), edits: new Map(texts) });
  dirs.push(dir);
  return dir;
}

describe("what CPUs read and write together", () => {
  const PAIRS = "test/check/smp/pairs";
  const SCENARIO = "src/check/scenarios/sync/seqlock.scenario.ts";
  const ENTRIES = ["src/check/model.ts", "src/check/smp/workloads/table.ts", SCENARIO, `${PAIRS}.ts`];
  const TIMES = 20;
  const ARENA_WORDS = 2 ** 24;

  interface Code {
    raisePair(k: Kernel, lock: number): Steps<void>;
    readPair(k: Kernel, lock: number): Steps<[number, number]>;
    joinCpu(buffer: SharedArrayBuffer, debug: boolean): Steps<Kernel>;
  }

  async function loaded(edits: readonly Edit[] = []): Promise<{ machine: VirtualMachine; program: LoadedProgram }> {
    const machine = new VirtualMachine();
    installBackend(machine);
    return { machine, program: await loadProgram(built(ENTRIES, edits)) };
  }

  /** At the end of the arena, which nobody has come to. */
  function lockOf(k: Kernel): number {
    return k.m.size() - 64;
  }

  /** Every CPU raises and reads the pair by turns. @returns the pairs that each of them has read */
  function race(machine: VirtualMachine, program: LoadedProgram, cpus: number): [number, number][][] {
    const code = Object.assign({}, ...program.modules.values()) as Code;
    machine.reset(1, ARENA_WORDS);
    const setup = (k: Kernel): Steps<void> => code.raisePair(k, lockOf(k));
    const scenario = { name: "pairs", about: "", setup: setup as never, threads: {}, check: () => null } as Scenario;
    const { k } = machine.alone(program.model.makeModel(scenario, "lockfree"));
    machine.reset(cpus, k.m.size(), PRICES);
    const lock = lockOf(k);
    const seen = Array.from({ length: cpus }, (): [number, number][] => []);
    const thread = function* (cpu: number): Steps<void> {
      const own = yield* code.joinCpu(k.m.buffer, true);
      for (let i = 0; i < TIMES; i++) {
        yield* code.raisePair(own, lock);
        seen[cpu]?.push(yield* code.readPair(own, lock));
      }
    };
    for (let cpu = 0; cpu < cpus; cpu++) machine.start(cpu, thread(cpu), cpu);
    machine.run(() => false);
    expect(seen.flat()).toHaveLength(cpus * TIMES);
    return seen;
  }

  test("is what the protocol allows, however many they are", async () => {
    const { machine, program } = await loaded();
    for (const cpus of [1, 2, 3, 8, 64, 256]) {
      const seen = race(machine, program, cpus);
      for (const pairs of seen) {
        expect(pairs.filter(([low, high]) => low !== high)).toEqual([]);
        const lows = pairs.map(([low]) => low);
        expect(lows).toEqual(lows.toSorted((a, b) => a - b));
      }
      expect(Math.max(...seen.flat().map(([low]) => low))).toBe(1 + cpus * TIMES);
    }
  });

  test("is not, if readers don't look twice", async () => {
    const file = "src/sync/seqlock.ts";
    const { machine, program } = await loaded([
      { file, find: "return seqcountRetry(m, lock, snapshot);", replace: "return snapshot < 0 && m.load(lock) < 0;" },
    ]);
    expect(
      race(machine, program, 8)
        .flat()
        .some(([low, high]) => low !== high),
    ).toBe(true);
  });
});

describe("workloads", () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await Simulator.load(built());
  });

  function run(name: string, more: Partial<RunSpec> = {}): RunResult {
    const workload = WORKLOADS.find((one) => one.name === name);
    if (workload === undefined) throw new Error(`no workload ${name}`);
    return simulator.run({
      workload,
      form: "lockfree",
      cpus: 8,
      point: MIDDLE,
      workPerRead: 5000,
      workPerRecord: 300,
      seed: 7,
      debug: true,
      ...more,
    });
  }

  test.each(WORKLOADS.map(({ name }) => name))("%s: both forms go on, by the rules of locking", (name) => {
    for (const form of ["lockfree", "locked"] as const) {
      const result = run(name, { form });
      expect(result.read?.count).toBeGreaterThan(100);
      expect(result.read?.mean).toBeLessThan(1e6);
      // None of them can be faster than its local work.
      expect(result.readsPerSecond).toBeLessThan((8 / 5000) * 1e9 * 1.05);
    }
  });

  test("the same seed gives the same, another one something else", () => {
    expect(run("kcmp")).toEqual(run("kcmp"));
    expect(run("kcmp", { seed: 8 })).not.toEqual(run("kcmp"));
  });

  test("without anybody else a read takes what its accesses cost", () => {
    const locked = run("ps", { cpus: 1, form: "locked" });
    const lockfree = run("ps", { cpus: 1 });
    expect(locked.transfersPerRead).toBe(0);
    expect(lockfree.read?.p50).toBeLessThan(locked.read?.p50 as number);
    // One word is one line: get and put of /proc, of the task, and a count, all hits.
    expect((locked.read?.p50 as number) - (lockfree.read?.p50 as number)).toBeGreaterThan(4 * (PRICES.rmw - 1));
  });

  test("walks with references come to what one word gives, walks under RCU go with the CPUs", () => {
    const rate = (form: "lockfree" | "locked", cpus: number): number => run("ps", { form, cpus }).readsPerSecond;
    expect(rate("lockfree", 128) / rate("lockfree", 1)).toBeGreaterThan(115);
    // Two transfers for each walk, at least: one to take the reference, one to drop it.
    const most = 1e9 / (2 * (PRICES.near + PRICES.hold));
    expect(rate("locked", 64)).toBeLessThan(most);
    expect(rate("locked", 128)).toBeLessThan(most);
  });
});
