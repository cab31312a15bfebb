import { describe, expect, it } from "vitest";
import { LOG_TIMEOUT } from "../../../src/check/explore/machine/operation.ts";
import { Prng } from "../../../src/check/explore/search/prng.ts";
import { ScheduleError, decodeSchedule, encodeSchedule } from "../../../src/check/explore/schedule.ts";
import { callers } from "../../../src/check/explore/stack.ts";
import { UnfitError } from "../../../src/check/explore/subject.ts";
import { TraceSet } from "../../../src/check/explore/search/trace-set.ts";
import type { Extent } from "../../../src/check/scenario.ts";
import type { HandMade, ThreadBody } from "./fibers.ts";
import { ALL, FULL, exploreHandMade, replayHandMade } from "./fibers.ts";

describe("schedules as text", () => {
  it("runs, and sleeps that run out of time", () => {
    const log = [0, 0, 1, 0, 2 | LOG_TIMEOUT, 2, 2];
    expect(encodeSchedule(log)).toBe("a2.b1.a1.C.c2");
    expect(decodeSchedule("a2.b1.a1.C.c2", 3)).toEqual(log);
    expect(decodeSchedule("", 1)).toEqual([]);
  });

  it("what is written can be read", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Prng(seed);
      const log = Array.from(
        { length: random.below(60) },
        () => random.below(8) | (random.below(5) === 0 ? LOG_TIMEOUT : 0),
      );
      expect(decodeSchedule(encodeSchedule(log), 8)).toEqual(log);
    }
  });

  it("mistakes are told", () => {
    for (const [text, message] of [
      ["a1.x2", /^run 2 of the schedule, "x2", is not a letter from a to h and a number$/],
      ["a0", /^run 1/],
      ["a1..b1", /^run 2 of the schedule, ""/],
      ["a1.c1", /^run 2 of the schedule, "c1": the last thread is b$/],
      ["A1", /^run 1/],
    ] as const) {
      expect(() => decodeSchedule(text, 2), text).toThrow(message);
      expect(() => decodeSchedule(text, 2), text).toThrow(ScheduleError);
    }
  });
});

describe("replays", () => {
  const program: HandMade = {
    timeouts: 1,
    threads: {
      sleeper: function* (m) {
        return yield* m.wait(100, 0);
      },
      waker: function* (m) {
        yield* m.store(101, 1);
        yield* m.store(100, 7);
        yield* m.notify(100, 1);
      },
    },
  };

  it("show each access to words that matter, with values", () => {
    const { steps, failure } = replayHandMade(program, "a1.b3");
    expect(failure).toBeNull();
    expect(
      steps.map(({ thread, operation, word, operands, result }) => [thread, operation, word, operands, result]),
    ).toEqual([
      ["sleeper", "wait", "word 100", [0], "sleeps"],
      ["waker", "store", "word 100", [7], null],
      ["waker", "notify", "word 100", [1], 1],
      ["sleeper", "wake", "word 100", [], "goes on"],
    ]);
    expect(replayHandMade(program, "a1.A.b3").steps.map(({ operation, result }) => [operation, result])).toEqual([
      ["wait", "sleeps"],
      ["timeout", "timed out"],
      ["store", null],
      ["notify", 0],
    ]);
  });

  it("a schedule that doesn't fit is an error that says where", () => {
    expect(() => replayHandMade(program, "a1.b9")).toThrow("the schedule does not fit: nobody can make access 5");
    expect(() => replayHandMade(program, "a2")).toThrow("sleeper cannot make access 2");
    expect(() => replayHandMade(program, "A")).toThrow("sleeper cannot make access 1");
  });

  it("a schedule that leaves threads asleep is a deadlock", () => {
    const hang = { ...program, timeouts: 0 };
    expect(replayHandMade({ threads: { sleeper: hang.threads["sleeper"] as never } }, "a1").failure?.kind).toBe(
      "deadlock",
    );
  });

  it("a run goes on where the schedule ends, to its verdict", () => {
    expect(replayHandMade(program, "a1.b1")).toMatchObject({ beyond: 2, failure: null });
    expect(replayHandMade({ ...program, judge: () => "wrong" }, "")).toMatchObject({
      failure: { kind: "oracle", message: "wrong", schedule: "" },
    });
  });
});

describe("call stacks", () => {
  const access = { file: "src/sync/rwsem.ts", line: 50, column: 3, fn: "downReadKillable", text: "t.m.add(sem, 1)" };

  it("name files and lines of the sources", () => {
    const stack = [
      "Error",
      "    at Recorder.reached (file:///x/src/check/explore/replay.ts:60:5)",
      "    at Runtime.add (file:///x/src/check/explore/machine/runtime.ts:100:5)",
      "    at downReadKillable (file:///x/tree/src/sync/rwsem.js:50:12)",
      "    at downReadKillable.next (<anonymous>)",
      "    at SlabAllocator.alloc [as next] (file:///x/tree/src/shm/slab.js:7:1)",
      "    at file:///x/tree/src/kernel/exec.js:9:2",
      "    at node:internal/process:1:1",
    ].join("\n");
    expect(callers(stack, access).map(({ file, line, fn }) => `${file}:${line} ${fn}`)).toEqual([
      "src/shm/slab.ts:7 SlabAllocator.alloc",
      "src/kernel/exec.ts:9 (anonymous)",
    ]);
  });
});

describe("sampling", () => {
  /** A bug that takes `depth` changes of thread at the right places. */
  function ladder(depth: number): HandMade {
    const climb = (own: number) =>
      function* (m: Parameters<HandMade["threads"][string]>[0]): Generator<unknown, number, number | boolean> {
        let rung = 0;
        for (let i = 0; i < depth; i++) {
          const at = yield* m.load(100);
          if (at === i && i % 2 === own) {
            yield* m.store(100, i + 1);
            rung = i + 1;
          } else yield* m.load(101);
        }
        yield* m.store(101, own);
        return rung;
      };
    return {
      threads: { even: climb(0), odd: climb(1) },
      judge: (_results, memory) => (memory.load(100) === depth ? "the top" : null),
    };
  }

  it("finds a bug of some depth if it is as deep, and the same one each time", () => {
    for (const depth of [1, 2, 3]) {
      const extent = { kind: "sampled", runs: 20_000, depth: depth + 1 } as const;
      const found = exploreHandMade(ladder(depth), extent, { seed: 5 });
      expect(found.failure, `depth ${depth}`).toMatchObject({ kind: "oracle", message: "the top" });
      const again = exploreHandMade(ladder(depth), extent, { seed: 5 });
      expect(again.failure).toEqual(found.failure);
    }
  });

  it("threads that have fallen behind go on in any order", () => {
    const times = (n: number): ThreadBody =>
      function* (m) {
        const places: number[] = [];
        for (let i = 0; i < n; i++) places.push(yield* m.add(100, 1));
        return places.join();
      };
    // Two changes of priority. Who falls behind first goes on last, or before the other one.
    for (const [a, b, c] of [
      ["0,4", "1,3", "2"],
      ["0,3", "1,4", "2"],
    ]) {
      const program: HandMade = {
        threads: { a: times(2), b: times(2), c: times(1) },
        judge: (results) => (results.join(" ") === [a, b, c].join(" ") ? "that one" : null),
      };
      let found = 0;
      for (let seed = 1; seed <= 20; seed++) {
        const { failure } = exploreHandMade(program, { kind: "sampled", runs: 300, depth: 3 }, { seed });
        if (failure !== null) found++;
      }
      // Two priorities have to be right, and two steps of five: one run in 6 * 25, so 300 runs find it six times in seven.
      expect(found, a).toBeGreaterThanOrEqual(12);
    }
  });

  it("other seeds see other interleavings", () => {
    const first = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (seed) => exploreHandMade(ladder(2), { kind: "sampled", runs: 5000, depth: 3 }, { seed }).failure?.execution,
    );
    expect(new Set(first).size).toBeGreaterThan(1);
  });
});

describe("limits", () => {
  const many: HandMade = {
    threads: Object.fromEntries(
      [0, 1, 2].map((i) => [
        `t${i}`,
        function* (m) {
          for (let n = 0; n < 5; n++) yield* m.add(100, 1);
        },
      ]),
    ),
  };

  it("end an exploration unfinished", () => {
    expect(exploreHandMade(many, ALL, { maxExecutions: 10 })).toMatchObject({
      complete: false,
      executions: 10,
      failure: null,
    });
    const limited = exploreHandMade(many, ALL, { timeLimit: 50 });
    expect(limited).toMatchObject({ complete: false, failure: null });
    expect(limited.milliseconds).toBeLessThan(5000);
  });

  it("progress is told, and can end it", () => {
    const told: number[] = [];
    const findings = exploreHandMade(many, FULL, {
      onProgress: ({ executions, fraction }) => {
        expect(executions).toBeGreaterThan(0);
        expect(fraction).toBeGreaterThanOrEqual(0);
        expect(fraction).toBeLessThanOrEqual(1);
        return told.push(fraction) < 3;
      },
    });
    expect(findings.complete).toBe(false);
    expect(told).toHaveLength(3);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });
});

describe("what can't be explored is refused", () => {
  const adds: ThreadBody = (m) => m.add(100, 1);
  const threads = (count: number): HandMade => ({
    threads: Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, adds])),
  });

  it.each([0, 9])("%i threads", (count) => {
    expect(() => exploreHandMade(threads(count))).toThrow(UnfitError);
  });

  it.each([
    { kind: "some" },
    { kind: "bounded" },
    { kind: "bounded", preemptions: -1 },
    { kind: "bounded", preemptions: 1.5 },
    { kind: "sampled", runs: 0, depth: 3 },
    { kind: "sampled", runs: 10, depth: 0 },
  ])("extent %o", (extent) => {
    expect(() => exploreHandMade(threads(2), extent as Extent)).toThrow(UnfitError);
  });

  it("results that can't be cloned", () => {
    const gives: ThreadBody = function* (m) {
      yield* m.add(100, 1);
      return { next: () => 1 };
    };
    expect(exploreHandMade({ threads: { a: adds, b: gives } }).failure).toMatchObject({
      kind: "error",
      message: expect.stringContaining("could not be cloned") as string,
    });
  });

  it("schedules that are longer than any run", () => {
    expect(() => replayHandMade(threads(2), "a999999999")).toThrow(/"a999999999": a schedule has at most 1000000/);
  });
});

describe("the set of traces", () => {
  it("holds each number once", () => {
    const set = new TraceSet();
    const random = new Prng(3);
    const known = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const trace = random.below(5000) * 2 ** 40 + random.below(3);
      known.add(trace);
      set.add(trace);
    }
    expect(set.size).toBe(known.size);
    for (const trace of known) expect(set.has(trace)).toBe(true);
    expect(set.has(1)).toBe(known.has(1));
    set.clear();
    expect([set.size, set.has([...known][0] as number)]).toEqual([0, false]);
  });
});
