/** What is known of threads takes the place of their code, and nobody can tell. */
import { describe, expect, it } from "vitest";
import { Behaviour, ENDED, ROOT, UNKNOWN } from "../../../src/check/explore/machine/behaviour.ts";
import { Op } from "../../../src/check/explore/machine/operation.ts";
import { runtime } from "../../../src/check/explore/machine/runtime.ts";
import type { Accesses, HandMade, Part } from "./fibers.ts";
import { ALL, FULL, exploreHandMade } from "./fibers.ts";

const LOCK = 100;
const NEXT = 101;
const TEXT = 200;
const SUM = 300;
const BYTES = 400;

describe("what a thread does", () => {
  it("is known for the answers that it was given", () => {
    const behaviour = new Behaviour();
    expect(behaviour.op).toBe(UNKNOWN);
    expect(behaviour.make(Op.add, 3, 7, -1, 0)).toBe(true);
    behaviour.answer(5);
    expect(behaviour.op).toBe(UNKNOWN);
    expect(behaviour.end("five")).toBe(true);
    behaviour.node = ROOT;
    expect([behaviour.op, behaviour.site, behaviour.at, behaviour.a, behaviour.b]).toEqual([Op.add, 3, 7, -1, 0]);
    behaviour.answer(-6);
    expect(behaviour.op).toBe(UNKNOWN);
    behaviour.node = ROOT;
    behaviour.answer(5);
    expect(behaviour.op).toBe(ENDED);
    expect(behaviour.result).toBe("five");
    expect(behaviour.path(ROOT)).toEqual([5]);
  });

  it("must be the same each time", () => {
    const behaviour = new Behaviour();
    behaviour.make(Op.store, 3, 7, 1, 0);
    for (const [op, site, at, a] of [
      [Op.load, 3, 7, 1],
      [Op.store, 4, 7, 1],
      [Op.store, 3, 8, 1],
      [Op.store, 3, 7, 2],
    ]) {
      expect(behaviour.make(op, site, at, a, 0)).toBe(false);
    }
    expect(behaviour.end(undefined)).toBe(false);
    expect(behaviour.make(Op.store, 3, 7, 1, 0)).toBe(true);
    behaviour.answer(0);
    behaviour.end({ list: [1, new Map([["a", NaN]])] });
    expect(behaviour.end({ list: [1, new Map([["a", NaN]])] })).toBe(true);
    expect(behaviour.end({ list: [1, new Map([["a", -0]])] })).toBe(false);
    expect(behaviour.make(Op.load, 3, 7, 0, 0)).toBe(false);
  });

  it("is forgotten when it's asked for, but equal results keep their number", () => {
    const behaviour = new Behaviour();
    behaviour.end([1]);
    const number = behaviour.resultNumber;
    expect(behaviour.size).toBe(1);
    behaviour.clear();
    expect(behaviour.op).toBe(UNKNOWN);
    behaviour.make(Op.load, 0, 0, 0, 0);
    for (let i = 0; i < 1000; i++) {
      behaviour.node = ROOT;
      behaviour.answer(i);
    }
    expect(behaviour.size).toBe(1001);
    behaviour.end([1]);
    expect(behaviour.resultNumber).toBe(number);
    expect(behaviour.path(ROOT)).toEqual([999]);
  });
});

/** Each thread writes its letter behind those that are there already, in every manner that there is. */
function* write(m: Accesses, letter: number): Part<string> {
  const { memory } = m;
  while ((yield* m.exchange(LOCK, 2)) !== 0) yield* m.wait(LOCK, 2);
  const length = yield* m.add(NEXT, 1);
  runtime.copyIn(20, memory, TEXT, length, Uint8Array.of(letter));
  const text = runtime.latin1(21, memory, TEXT, 0, length + 1);
  const copy = new Uint8Array(8);
  runtime.copyOut(22, memory, TEXT, 0, copy, 2, length + 1);
  if (length === 2) runtime.plainZero(23, memory, SUM, 2);
  else runtime.plainStore64(24, memory, SUM, 2 ** 33 + length);
  runtime.plainStore(25, memory, BYTES + length, runtime.byteAt(26, memory, TEXT, length));
  if ((yield* m.exchange(LOCK, 0)) === 2) yield* m.notify(LOCK, 1);
  return `${text} ${copy.join("")}`;
}

describe("explorations", () => {
  const letters = [65, 66, 67];
  let starts = 0;
  const outcomes = new Set<string>();
  const writers: HandMade = {
    threads: Object.fromEntries(letters.map((letter) => [`t${letter}`, (m) => (starts++, write(m, letter))])),
    judge: (results, memory) => {
      const order = [0, 1, 2].map((i) => memory.load(BYTES + i));
      outcomes.add(order.join());
      if (memory.load(TEXT) !== order[0] + order[1] * 256 + order[2] * 65536) return "the arena has another text";
      if (memory.load(SUM) !== 0 || memory.load(SUM + 1) !== 0) return "who came last has not zeroed";
      for (const [i, letter] of letters.entries()) {
        const seen = order.slice(0, order.indexOf(letter) + 1);
        const expected = `${String.fromCharCode(...seen)} 00${[...seen, 0, 0, 0, 0, 0].slice(0, 6).join("")}`;
        if (results[i] !== expected) return `${String(results[i])}, not ${expected}`;
      }
      return null;
    },
  };

  it("plain accesses are made again", () => {
    for (const extent of [ALL, FULL]) {
      outcomes.clear();
      starts = 0;
      const found = exploreHandMade(writers, extent);
      expect(found).toMatchObject({ failure: null, complete: true });
      expect(outcomes.size).toBe(6);
      expect(found.executions).toBeGreaterThan(20);
    }
    starts = 0;
    const { executions } = exploreHandMade(writers, FULL);
    expect(executions).toBeGreaterThan(10_000);
    expect(starts).toBeLessThan(executions / 10);
  });

  it("are the same when what is known is forgotten all the time", () => {
    const same = (limit: number): unknown => ({
      ...exploreHandMade(writers, ALL, { knownLimit: limit }),
      milliseconds: 0,
    });
    expect(same(1)).toEqual(same(2 ** 20));
    expect(same(50)).toEqual(same(2 ** 20));
  });

  it("results and verdicts that depend on chance are reported", () => {
    let calls = 0;
    const body = function* (m: Accesses): Part<number> {
      yield* m.add(NEXT, 1);
      return 1;
    };
    const chance: HandMade = {
      threads: {
        a: body,
        b: function* (m) {
          yield* m.add(NEXT, 1);
          return calls++;
        },
      },
    };
    expect(exploreHandMade(chance).failure).toMatchObject({
      kind: "nondeterminism",
      message: expect.stringMatching(/^b was given the same answers/) as string,
    });
    const verdict = (judge: HandMade["judge"]): unknown =>
      exploreHandMade({ threads: { a: body, b: body, c: body }, judge }, FULL).failure;
    expect(verdict((_results, memory) => (memory.load(NEXT + (++calls % 4)), null))).toMatchObject({
      kind: "nondeterminism",
      message: expect.stringMatching(/^the verdict was given the same answers/) as string,
    });
    calls = 0;
    expect(verdict(() => (++calls === 4 ? "the fourth" : null))).toMatchObject({
      kind: "nondeterminism",
      message: "the verdict on the same results was another one",
    });
  });
});
