import { describe, expect, test } from "vitest";
import { EventQueue } from "../../src/mutate/run/events.ts";
import type { Timed } from "../../src/mutate/run/events.ts";
import { Gate } from "../../src/mutate/run/gate.ts";
import { Cpus } from "../../src/mutate/run/cpus.ts";
import { nextLoad } from "../../src/mutate/run/load-average.ts";
import { Random } from "../../src/kernel/random.ts";
import { derivedStream, drawWeighted, interval } from "../../src/mutate/run/chance.ts";

interface Named extends Timed {
  name: number;
}

describe("event queue", () => {
  test("gives events back in order of time, then of arrival, as sorting does", () => {
    const random = new Random(3);
    const queue = new EventQueue<Named>();
    const all: Named[] = [];
    const out: number[] = [];
    let now = 0;
    for (let i = 0; i < 5000; i++) {
      const event = { at: now + random.below(50), order: 0, name: i };
      queue.push(event);
      all.push(event);
      if (random.below(3) > 0) continue;
      now += random.below(4);
      for (let due = queue.due(now); due !== null; due = queue.due(now)) out.push(due.name);
    }
    for (let due = queue.due(Infinity); due !== null; due = queue.due(Infinity)) out.push(due.name);
    const sorted = [...all].sort((a, b) => a.at - b.at || a.name - b.name).map(({ name }) => name);
    expect(out).toEqual(sorted);
  });

  test("keeps what is not due", () => {
    const queue = new EventQueue<Named>();
    queue.push({ at: 10, order: 0, name: 1 });
    expect(queue.due(9)).toBeNull();
    expect(queue.next()).toBe(10);
    expect(queue.due(10)?.name).toBe(1);
    expect(queue.next()).toBe(Infinity);
  });
});

describe("CPUs", () => {
  test("one burst after the other on each CPU: never more work than time", () => {
    const cpus = new Cpus(2, 0, 1);
    const bursts = Array.from({ length: 10 }, () => cpus.book(1000, 100));
    for (const cpu of [0, 1]) {
      const own = bursts.filter((burst) => burst.cpu === cpu);
      expect(own).toHaveLength(5);
      own.forEach((burst, i) => expect([burst.start, burst.end]).toEqual([1000 + 100 * i, 1100 + 100 * i]));
    }
    expect(cpus.book(5000, 100)).toMatchObject({ start: 5000, idle: 3500 });
  });

  test("mutators share out the CPUs, or parts of one", () => {
    const owned = [0, 1, 2].map((index) => new Set([1, 2, 3, 4].map(() => new Cpus(4, index, 3).book(0, 10).cpu)));
    expect(owned.map((set) => [...set][0])).toEqual([0, 1, 2]);
    expect(new Cpus(2, 3, 4).book(0, 100)).toEqual({ cpu: 1, start: 0, end: 200, idle: 0 });
  });

  test("small charges are dropped rather than booked without end", () => {
    const cpus = new Cpus(1, 0, 1);
    let counted = 0;
    for (let i = 0; i < 1000; i++) if (cpus.charge(0, 1e6) >= 0) counted++;
    expect(counted).toBeGreaterThan(190);
    expect(counted).toBeLessThan(210);
  });
});

describe("chance", () => {
  test("weights", () => {
    const random = new Random(1);
    const counts = [0, 0, 0];
    const items = [1, 2, 7].map((weight, i) => ({ weight, i }));
    for (let i = 0; i < 10_000; i++) counts[drawWeighted(random, items)!.i]!++;
    expect(counts[0]! / 1000).toBeCloseTo(1, 0);
    expect(counts[1]! / 2000).toBeCloseTo(1, 0);
    expect(counts[2]! / 7000).toBeCloseTo(1, 0);
    expect(drawWeighted(random, [])).toBeUndefined();
  });

  test("intervals have the mean of the rate and the spread of the jitter", () => {
    const random = new Random(1);
    const drawn = Array.from({ length: 5000 }, () => interval(random, 10, 0.5));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(50e6);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(150e6);
    expect(drawn.reduce((a, b) => a + b) / drawn.length / 100e6).toBeCloseTo(1, 1);
    expect(interval(random, 10, 0)).toBe(100e6);
  });

  test("derived streams differ from each other and repeat with their origin", () => {
    const draws = (seed: number): number[] => {
      const origin = new Random(seed);
      return [derivedStream(origin).u32(), derivedStream(origin).u32(), origin.u32()];
    };
    expect(draws(5)).toEqual(draws(5));
    expect(new Set([...draws(5), ...draws(6)]).size).toBe(6);
  });

  test("gates: chance on each occasion, and a bound on the rate", () => {
    const count = (chance: number, maxPerSecond: number): number => {
      const gate = new Gate({ chance, maxPerSecond }, 1, 1);
      let open = 0;
      // A hundred seconds, a hundred occasions a second.
      for (let i = 0; i < 10_000; i++) if (gate.opens(i * 10e6)) open++;
      return open;
    };
    expect(count(0, Infinity)).toBe(0);
    expect(count(1, Infinity)).toBe(10_000);
    expect(count(1, 2)).toBe(200);
    expect(count(0.1, Infinity)).toBeGreaterThan(900);
    expect(count(0.1, Infinity)).toBeLessThan(1100);
  });
});

describe("load average", () => {
  test("rises towards the number of active tasks, and falls back to 0", () => {
    let load = 0;
    for (let i = 0; i < 12; i++) load = nextLoad(load, 1884, 4);
    // After one minute, 1 - 1/e of the way.
    expect(load / 2048 / 4).toBeCloseTo(1 - 1 / Math.E, 2);
    for (let i = 0; i < 600; i++) load = nextLoad(load, 1884, 4);
    expect(load).toBe(4 * 2048);
    for (let i = 0; i < 600; i++) load = nextLoad(load, 1884, 0);
    expect(load).toBe(0);
  });
});
