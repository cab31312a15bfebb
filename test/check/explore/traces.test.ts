import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/check/explore/search/prng.ts";
import type { HandMade, Part, ThreadBody } from "./fibers.ts";
import type { Accesses } from "./fibers.ts";
import { ALL, FULL, tracesOf } from "./fibers.ts";

/** Programs of each family. */
const PROGRAMS = 120;
/** Interleavings of the largest program that is still explored fully. */
const LARGEST = 3000;

const FIRST_WORD = 64;
const FLAG = 32;

type Step = (m: Accesses) => Part<unknown>;
type Family = (random: Prng) => HandMade;

function word(random: Prng, words: number): number {
  return FIRST_WORD + random.below(words);
}

/** Loads, stores and read-modify-writes of a few words; what is stored depends on what was loaded. */
function accessOf(random: Prng, words: number): Step {
  const at = word(random, words);
  const value = random.below(3);
  const kind = random.below(6);
  return function* (m) {
    switch (kind) {
      case 0:
      case 1:
        return yield* m.load(at);
      case 2:
        return yield* m.store(at, value);
      case 3:
        return yield* m.add(at, value);
      case 4:
        return yield* m.cas(at, value, value + 1);
      default:
        return yield* m.exchange(at, value);
    }
  };
}

/** Only if a word has some value, a few more accesses. */
function branchOf(random: Prng, words: number): Step {
  const at = word(random, words);
  const value = random.below(2);
  const inner = [accessOf(random, words), accessOf(random, words)];
  return function* (m) {
    if ((yield* m.load(at)) === value) for (const step of inner) yield* step(m);
  };
}

/** Sleeps until somebody says that a word has changed, whoever that is. */
function sleepOf(random: Prng, words: number): Step {
  const at = word(random, words);
  const value = random.below(2);
  return function* (m) {
    return yield* m.wait(at, value);
  };
}

function notifyOf(random: Prng, words: number): Step {
  const at = word(random, words);
  const count = 1 + random.below(2);
  return function* (m) {
    return yield* m.notify(at, count);
  };
}

/** Naps until a word changes. */
function napOf(random: Prng, words: number): Step {
  const at = word(random, words);
  const value = random.below(2);
  return function* (m) {
    yield* m.nap(at, value);
  };
}

function programOf(random: Prng, kinds: readonly ((random: Prng, words: number) => Step)[], timeouts = 0): HandMade {
  const words = 1 + random.below(3);
  const threads: Record<string, ThreadBody> = {};
  const count = 2 + random.below(3);
  for (let t = 0; t < count; t++) {
    const steps = Array.from({ length: 1 + random.below(count === 2 ? 4 : 3) }, () =>
      (kinds[random.below(kinds.length)] as (typeof kinds)[number])(random, words),
    );
    threads[`t${t}`] = function* (m) {
      for (const step of steps) yield* step(m);
    };
  }
  return { threads, timeouts, mayHang: true };
}

/** Threads take a lock by swapping, sleep while it is held, and wake one another. */
function lockProgram(random: Prng): HandMade {
  const threads: Record<string, ThreadBody> = {};
  const count = 2 + random.below(2);
  for (let t = 0; t < count; t++) {
    const inside = [accessOf(random, 2), accessOf(random, 2)].slice(random.below(2));
    const naps = random.below(2) === 0;
    threads[`t${t}`] = function* (m) {
      while ((yield* m.exchange(FLAG, 2)) !== 0) {
        if (naps) yield* m.nap(FLAG, 2);
        else yield* m.wait(FLAG, 2);
      }
      for (const step of inside) yield* step(m);
      if ((yield* m.exchange(FLAG, 0)) === 2) yield* m.notify(FLAG, 1);
    };
  }
  return { threads, mayHang: true };
}

const FAMILIES: Readonly<Record<string, Family>> = {
  "loads, stores, swaps": (random) => programOf(random, [accessOf]),
  "what is done depends on what was seen": (random) => programOf(random, [accessOf, branchOf]),
  "sleeps and notifications": (random) => programOf(random, [accessOf, sleepOf, notifyOf, notifyOf]),
  naps: (random) => programOf(random, [accessOf, accessOf, napOf, branchOf]),
  "sleeps, naps, branches": (random) => programOf(random, [accessOf, sleepOf, notifyOf, napOf, branchOf]),
  "sleeps that run out of time": (random) => programOf(random, [accessOf, sleepOf, sleepOf, notifyOf], 1),
  "locks with sleepers": lockProgram,
};

describe("the reduced search and the full one see the same traces", () => {
  for (const [name, family] of Object.entries(FAMILIES)) {
    it(name, () => {
      let compared = 0;
      let traces = 0;
      for (let seed = 1; seed <= PROGRAMS; seed++) {
        const program = family(new Prng(seed));
        const full = tracesOf(program, FULL, { maxExecutions: LARGEST });
        if (full === null) continue;
        const reduced = tracesOf(program, ALL, {});
        expect([...(reduced?.traces ?? [])].sort(), `seed ${seed}`).toEqual([...full.traces].sort());
        // Sleep sets: no trace is explored twice.
        expect(reduced?.executions, `seed ${seed}`).toBe(full.traces.size);
        compared++;
        traces += full.traces.size;
      }
      expect(compared).toBeGreaterThan(PROGRAMS * 0.4);
      expect(traces).toBeGreaterThan(compared * 2);
    });
  }
});
