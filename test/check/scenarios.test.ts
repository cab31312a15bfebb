/** The scenarios themselves, untransformed, their threads one after another: what holds in all interleavings holds there. */
import { describe, expect, test } from "vitest";
import { attachThread, judge, makeModel, runThread } from "../../src/check/model.ts";
import type { Form, Results, Scenario } from "../../src/check/scenario.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { inEachForm, loadScenarios } from "./scenario-files.ts";

const scenarios = await loadScenarios();

/** Up to so many threads run in each order, more of them only forwards and backwards. */
const PERMUTED = 3;

class WaitsForever extends Error {}

describe("the list", () => {
  test("has scenarios, of unique names", () => {
    const names = scenarios.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(scenarios.map((spec) => [spec.name, spec] as const))("%s is well described", (_name, spec) => {
    expect(spec.name).toMatch(/^[a-z0-9_]+(-[a-z0-9]+)*\/[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(spec.about).toMatch(/^\S.*[^.\s]$/);
    expect(spec.about.length).toBeLessThanOrEqual(120);
    const threads = Object.keys(spec.threads).length;
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(threads).toBeLessThanOrEqual(8);
  });
});

describe("one thread after another", () => {
  test.each(inEachForm(scenarios))("$name", ({ spec, form }) => {
    const orders = ordersOf(Object.keys(spec.threads));
    const verdicts = orders.map((order) => `${order.join(", ")}: ${runInOrder(spec, form, order)}`);
    const fine = orders.map((order) => `${order.join(", ")}: holds`);
    if (spec.together !== true) return expect(verdicts).toEqual(fine);
    const waiting = verdicts.filter((verdict) => verdict.endsWith(WAITS));
    expect(verdicts.filter((verdict) => !waiting.includes(verdict) && !fine.includes(verdict))).toEqual([]);
    expect(waiting).not.toEqual([]);
  });
});

const WAITS = "waits for ever";

/** @returns the verdict, in words */
function runInOrder(spec: Scenario, form: Form, order: readonly string[]): string {
  const { k, plan } = makeModel(spec, form);
  const threads = order.map((name) => ({ name, k: attachThread(k.m.buffer) }));
  const results: Results = {};
  for (const thread of threads) {
    limitWaits(thread.k, spec.timeouts ?? 0);
    try {
      results[thread.name] = runThread(spec, thread.name, thread.k, structuredClone(plan));
    } catch (error) {
      if (error instanceof WaitsForever) return `${thread.name} ${WAITS}`;
      throw error;
    }
  }
  return judge(spec, k, plan, structuredClone(results), form) ?? "holds";
}

/** While a thread runs alone, nobody wakes it: a wait may run out of time as often as the scenario says, or never ends. */
function limitWaits(k: Kernel, timeouts: number): void {
  const { m } = k;
  let left = timeouts;
  m.wait = (at, expected): boolean => {
    if (m.load(at) !== expected) return true;
    if (left-- > 0) return false;
    throw new WaitsForever();
  };
  m.nap = (at, expected): void => {
    if (m.load(at) === expected) throw new WaitsForever();
  };
}

function ordersOf(names: readonly string[]): string[][] {
  return names.length > PERMUTED ? [[...names], [...names].reverse()] : permutations(names);
}

function permutations(names: readonly string[]): string[][] {
  if (names.length === 0) return [[]];
  return names.flatMap((first) => permutations(names.filter((name) => name !== first)).map((rest) => [first, ...rest]));
}
