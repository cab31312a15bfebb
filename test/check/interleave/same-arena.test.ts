/** Transformed code that is never delayed does what the shipped code does: the arenas are equal, byte for byte. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadedProgram } from "../../../src/check/interleave/load.ts";
import { loadProgram } from "../../../src/check/interleave/load.ts";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import { allEntries, MODEL_FILE } from "../../../src/check/interleave/entries.ts";
import { attachThread, judge, makeModel, runThread } from "../../../src/check/model.ts";
import type { Form, Results, Scenario } from "../../../src/check/scenario.ts";
import { formsOf } from "../../../src/check/scenario.ts";
import { WaitsForOthers, finish, installSolo } from "./solo.ts";

const root = join(import.meta.dirname, "../../..");
const entries = allEntries(root).filter((file) => file.endsWith(".scenario.ts"));
const plain = await Promise.all(entries.map((file): Promise<object> => import(join(root, file))));
const scenarios = plain.flatMap((module) => Object.values(module) as Scenario[]);
let dir: string;
let program: LoadedProgram;
const waiting: string[] = [];

beforeAll(async () => {
  installSolo();
  dir = new ProgramBuilder(root).build({ entries: [MODEL_FILE, ...entries] });
  program = await loadProgram(dir);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What a run of one thread after the other leaves behind. */
interface Left {
  readonly buffer: SharedArrayBuffer;
  readonly results: Results;
  readonly verdict: string | null;
}

function runPlain(spec: Scenario, form: Form): Left {
  const { k, plan } = makeModel(spec, form);
  const results: Results = {};
  for (const name of Object.keys(spec.threads)) {
    const handle = attachThread(k.m.buffer);
    handle.m.spins = 0;
    results[name] = runThread(spec, name, handle, plan);
  }
  return { buffer: k.m.buffer, results, verdict: judge(spec, k, plan, results, form) };
}

/** As {@link runPlain}; null if a thread waits for one that comes after it. */
function runTransformed(name: string, form: Form): Left | null {
  const { model } = program;
  const spec = program.scenarios.find((other) => other.name === name) as Scenario;
  const { k, plan } = finish(model.makeModel(spec, form));
  const results: Results = {};
  for (const thread of Object.keys(spec.threads)) {
    const handle = finish(model.attachThread(k.m.buffer));
    handle.m.spins = 0;
    try {
      results[thread] = finish(model.runThread(spec, thread, handle, plan));
    } catch (error) {
      if (error instanceof WaitsForOthers) return null;
      throw error;
    }
  }
  return { buffer: k.m.buffer, results, verdict: finish(model.judge(spec, k, plan, results, form)) };
}

describe("one thread after the other", () => {
  const cases = scenarios
    .filter(({ quick }) => quick === true)
    .flatMap((spec) => formsOf(spec).map((form) => ({ name: spec.name, form, spec })));
  test.each(cases)("$name, $form", ({ name, form, spec }) => {
    const actual = runTransformed(name, form);
    if (actual === null) {
      waiting.push(name);
      return;
    }
    const expected = runPlain(spec, form);
    expect(actual.results).toEqual(expected.results);
    expect(actual.verdict).toBe(expected.verdict);
    expect(Buffer.compare(Buffer.from(actual.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  test("few threads wait for one that comes after them", () => {
    expect(waiting.length, waiting.join(", ")).toBeLessThan(0.1 * cases.length);
  });

  test("the program has the scenarios of all files", () => {
    expect(program.scenarios.map(({ name }) => name)).toEqual(scenarios.map(({ name }) => name).sort());
    expect(program.scenarios.length).toBeGreaterThan(0);
  });
});
