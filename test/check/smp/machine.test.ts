import { describe, expect, test } from "vitest";
import { VirtualMachine } from "../../../src/check/smp/machine.ts";
import { PRICES } from "../../../src/check/smp/prices.ts";
import type { Prices } from "../../../src/check/smp/prices.ts";
import { Memory } from "../../../src/sync/atomics.ts";

const WORDS = 1 << 16;
const LINE = 16;
const SITE = 0;
const { hit, rmw, near, far, hold, sleep, wake, latency, socket } = PRICES;

function newMachine(cpus: number, prices: Partial<Prices> = {}): { $: VirtualMachine; m: Memory } {
  const $ = new VirtualMachine();
  $.reset(cpus, WORDS, { ...PRICES, ...prices });
  return { $, m: Memory.reserve(WORDS * 4) };
}

/** A thread of transformed code, as it would be. */
type Thread<T = void> = Generator<undefined, T, number | boolean>;

const untilQuiet = (): boolean => false;

describe("one CPU", () => {
  test("pays for each access, and never stops", () => {
    const { $, m } = newMachine(1);
    const at = 4 * LINE;
    const thread = (function* (): Thread<unknown> {
      void ($.add(SITE, m, at, 5) ?? (yield));
      for (let i = 0; i < 10; i++) void ($.load(SITE, m, at) ?? (yield));
      void ($.store(SITE, m, at + 1, 7) ?? (yield));
      $.plainZero(SITE, m, at + LINE, 2 * LINE);
      return $.load(SITE, m, at) ?? (yield);
    })();
    expect($.alone(thread)).toBe(5);
    expect($.now()).toBe(near + rmw + 10 * hit + hit + 2 * (near + hit) + hit);
    expect($.counts).toMatchObject({ steps: 0, transfers: 0, failedSwaps: 0, sleeps: 0 });
  });

  test("pays for work that an access stands for", () => {
    const { $, m } = newMachine(1);
    $.reset(1, WORDS, PRICES, Float64Array.of(0, 300));
    const thread = (function* (): Thread {
      void ($.load(0, m, LINE) ?? (yield));
      void ($.load(1, m, LINE) ?? (yield));
    })();
    $.alone(thread);
    expect($.now()).toBe(near + hit + 300 + hit);
  });

  test("that waits for others is a mistake where there are none", () => {
    const { $, m } = newMachine(1);
    const thread = (function* (): Thread {
      void ($.wait(SITE, m, LINE, 0, 1000) ?? (yield));
    })();
    expect(() => $.alone(thread)).toThrow("waits for others");
  });
});

/** Adds to a word again and again, with work after each, and notes when it has. */
function* adder($: VirtualMachine, m: Memory, at: number, times: number, work: number, log: number[]): Thread {
  for (let i = 0; i < times; i++) {
    void ($.add(SITE, m, at, 1) ?? (yield));
    log.push($.now());
    $.work(work);
    yield;
  }
}

/** Lets CPUs add, each to the word that it is given. @returns when each addition was done, by CPU */
function addAll(cpus: number, times: number, work: number, wordOf: (cpu: number) => number, prices = {}): number[][] {
  const { $, m } = newMachine(cpus, prices);
  const logs = Array.from({ length: cpus }, (): number[] => []);
  for (let cpu = 0; cpu < cpus; cpu++) $.start(cpu, adder($, m, wordOf(cpu), times, work, logs[cpu] as number[]));
  $.run(untilQuiet);
  const words = new Set(logs.map((_, cpu) => wordOf(cpu)));
  expect([...words].reduce((sum, word) => sum + m.load(word), 0)).toBe(cpus * times);
  return logs;
}

describe("lines", () => {
  test("go to and fro between two CPUs", () => {
    expect({ near, hold, rmw }).toEqual({ near: 50, hold: 15, rmw: 6 });
    expect(addAll(2, 3, 20, () => LINE)).toEqual([
      // From memory; from 1, who works until 70 and adds once more before that; after 1, who has it from 191 to 206.
      [56, 76 + 50, 206 + 50],
      // At once; a hit at 70; asked for at 96, when 0 is about to have it, and moving on at 141.
      [50, 70 + 6, 141 + 50],
    ]);
  });

  test("of its own make a CPU as fast as alone, however many there are", () => {
    const logs = addAll(128, 100, 30, (cpu) => (1 + cpu) * LINE);
    for (const log of logs) expect(log).toEqual(log.map((_, i) => near + rmw * (i + 1) + 30 * i));
  });

  test("that all write serve one CPU for each transfer and hold", () => {
    const logs = addAll(16, 200, 20, () => LINE);
    const all = logs.flat().sort((a, b) => a - b);
    const gaps = all
      .slice(100, -100)
      .map((time, i, times) => (i === 0 ? near + hold : time - (times[i - 1] as number)));
    expect(new Set(gaps)).toEqual(new Set([near + hold]));
  });

  test("take longer to another socket", () => {
    const logs = addAll(2, 50, 20, () => LINE, { socket: 1 });
    const all = logs.flat().sort((a, b) => a - b);
    expect((all[90] as number) - (all[80] as number)).toBe(10 * (far + hold));
  });

  test("that two CPUs use for different words are contended, too", () => {
    expect(addAll(2, 100, 20, (cpu) => LINE + cpu)).toEqual(addAll(2, 100, 20, () => LINE));
  });

  test("that everybody only reads cost one transfer each, and no step", () => {
    const { $, m } = newMachine(2 * socket);
    m.store(LINE, 7);
    const times: number[] = [];
    const reader = function* (): Thread {
      for (let i = 0; i < 10; i++) expect($.load(SITE, m, LINE) ?? (yield)).toBe(7);
      times.push($.now());
    };
    for (let cpu = 0; cpu < 2 * socket; cpu++) $.start(cpu, reader());
    $.run(untilQuiet);
    const others = near + 9 * hit;
    expect(times).toEqual(
      times.map((_, cpu) => (cpu === 0 ? near + 10 * hit : cpu === socket ? far + 9 * hit : others)),
    );
    expect($.counts).toMatchObject({ steps: 0, transfers: 2 * socket - 1 });
  });
});

test("a plain write to a line that is on its way to a reader lets nobody wait for ever", () => {
  const { $, m } = newMachine(4);
  const read: number[] = [];
  const writer = function* (): Thread {
    void ($.add(SITE, m, LINE, 1) ?? (yield));
    $.work(90);
    yield;
    $.plainStore(SITE, m, LINE + 1, 7);
  };
  const reader = function* (start: number): Thread {
    $.work(start);
    yield;
    for (let i = 0; i < 3; i++) {
      read.push(Number($.load(SITE, m, LINE) ?? (yield)));
      void ($.add(SITE, m, LINE + 2, 1) ?? (yield));
    }
  };
  $.start(0, writer());
  for (let cpu = 1; cpu < 4; cpu++) $.start(cpu, reader(70 + cpu));
  $.run(untilQuiet);
  expect(read).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(m.load(LINE + 2)).toBe(9);
});

describe("a swap", () => {
  test("fails for all but one of those who have seen the same", () => {
    const { $, m } = newMachine(8);
    const won: number[] = [];
    const swapper = function* (cpu: number): Thread {
      const seen = ($.load(SITE, m, LINE) ?? (yield)) as number;
      $.work(1000);
      yield;
      if (($.compareExchange(SITE, m, LINE, seen, cpu + 1) ?? (yield)) === seen) won.push(cpu);
    };
    for (let cpu = 0; cpu < 8; cpu++) $.start(cpu, swapper(cpu));
    $.run(untilQuiet);
    expect(won).toHaveLength(1);
    expect($.counts.failedSwaps).toBe(7);
    expect(m.load(LINE)).toBe((won[0] as number) + 1);
  });
});

describe("sleepers", () => {
  const sleeper = function* ($: VirtualMachine, m: Memory, ms: number, log: unknown[]): Thread {
    const woken = $.wait(SITE, m, LINE, 0, ms) ?? (yield);
    log.push([woken, $.now()]);
  };

  test("run again some time after they were woken; who wakes them pays for each", () => {
    const { $, m } = newMachine(3);
    const log: unknown[] = [];
    $.start(0, sleeper($, m, 1000, log));
    $.start(1, sleeper($, m, 1000, log));
    const waker = (function* (): Thread {
      $.work(10_000);
      yield;
      void ($.store(SITE, m, LINE, 1) ?? (yield));
      const before = $.now();
      expect($.notify(SITE, m, LINE, 9) ?? (yield)).toBe(2);
      expect($.now()).toBe(before + hit + 2 * wake);
      log.push(before + hit);
    })();
    $.start(2, waker);
    $.run(() => log.length === 3);
    const notified = log[0] as number;
    expect(log.slice(1)).toEqual([
      [true, notified + wake + latency],
      [true, notified + 2 * wake + latency],
    ]);
    expect($.counts.sleeps).toBe(2);
  });

  test("go on by themselves when the time is over", () => {
    const { $, m } = newMachine(1);
    const log: unknown[] = [];
    $.start(0, sleeper($, m, 1, log));
    $.run(untilQuiet);
    expect(log).toEqual([[false, near + hit + 1e6 + latency]]);
    expect(sleep).toBeLessThan(1e6);
  });

  test("don't sleep if the word has changed", () => {
    const { $, m } = newMachine(1);
    m.store(LINE, 3);
    const log: unknown[] = [];
    $.alone(sleeper($, m, 1, log));
    expect(log).toEqual([[true, near + hit]]);
  });
});
