import { describe, expect, it } from "vitest";
import type { HandMade, ThreadBody } from "./fibers.ts";
import { ALL, FULL, exploreHandMade } from "./fibers.ts";

const SHARED = 100;

function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}

/** In how many orders threads with so many steps each can run. */
function multinomial(steps: readonly number[]): number {
  const total = steps.reduce((sum, n) => sum + n, 0);
  return steps.reduce((product, n) => product / factorial(n), factorial(total));
}

function threads(count: number, body: (i: number) => ThreadBody): HandMade["threads"] {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, body(i)]));
}

/** Each thread adds to one word, so many times. */
function adders(steps: readonly number[]): HandMade {
  return {
    threads: threads(
      steps.length,
      (i) =>
        function* (m) {
          for (let n = 0; n < steps[i]; n++) yield* m.add(SHARED, 1);
        },
    ),
    judge: (_results, memory) => {
      const sum = steps.reduce((a, b) => a + b, 0);
      return memory.load(SHARED) === sum ? null : `${memory.load(SHARED)}`;
    },
  };
}

describe("hand-counted interleavings", () => {
  for (const steps of [
    [1, 1],
    [2, 2],
    [3, 2],
    [1, 1, 1],
    [2, 2, 2],
    [1, 2, 3],
    [1, 1, 1, 1],
    [4, 4],
  ]) {
    it(`threads of ${steps.join(", ")} steps on one word`, () => {
      const expected = multinomial(steps);
      const full = exploreHandMade(adders(steps), FULL);
      expect(full).toMatchObject({
        executions: expected,
        traces: expected,
        complete: true,
        failure: null,
        sharedWords: 1,
      });
      expect(exploreHandMade(adders(steps), ALL)).toMatchObject({
        executions: expected,
        traces: expected,
        blocked: 0,
        complete: true,
        failure: null,
      });
    });
  }

  it("threads on words of their own make no step", () => {
    const program: HandMade = {
      threads: threads(
        3,
        (i) =>
          function* (m) {
            for (let n = 0; n < 5; n++) yield* m.add(SHARED + i, 1);
          },
      ),
    };
    expect(exploreHandMade(program, FULL)).toMatchObject({ executions: 1, traces: 1, steps: 0, sharedWords: 0 });
  });

  it("readers of one word and a writer: where the write falls in each", () => {
    const program = (readers: number): HandMade => ({
      threads: {
        ...threads(
          readers,
          () =>
            function* (m) {
              return yield* m.load(SHARED);
            },
        ),
        writer: function* (m) {
          yield* m.store(SHARED, 1);
        },
      },
    });
    for (const readers of [1, 2, 3, 4]) {
      expect(exploreHandMade(program(readers), ALL)).toMatchObject({ executions: 2 ** readers, traces: 2 ** readers });
      expect(exploreHandMade(program(readers), FULL)).toMatchObject({
        executions: factorial(readers + 1),
        traces: 2 ** readers,
      });
    }
  });

  it("pairs of threads that have nothing to do with each other multiply", () => {
    const pair = (at: number): ThreadBody =>
      function* (m) {
        yield* m.add(at, 1);
        yield* m.add(at, 1);
      };
    const program: HandMade = {
      threads: { a: pair(SHARED), b: pair(SHARED), c: pair(SHARED + 1), d: pair(SHARED + 1) },
    };
    const traces = multinomial([2, 2]) ** 2;
    expect(exploreHandMade(program, ALL)).toMatchObject({ executions: traces, traces });
    expect(exploreHandMade(program, FULL)).toMatchObject({ executions: multinomial([2, 2, 2, 2]), traces });
  });

  it("a failed compareExchange only reads", () => {
    const program: HandMade = {
      threads: threads(
        2,
        () =>
          function* (m) {
            return yield* m.cas(SHARED, 5, 6);
          },
      ),
    };
    // Nobody writes: not even shared.
    expect(exploreHandMade(program, FULL)).toMatchObject({ sharedWords: 0, executions: 1 });
  });

  it("preemptions, by hand: two threads of n steps", () => {
    // With no preemption the two run one after the other. Each schedule is a word of a's and b's; changes of thread but
    // the first at which the thread that is left has not ended are preemptions.
    const count = (n: number, bound: number): number => {
      const words = (a: number, b: number, last: string, used: number): number => {
        if (a === 0 && b === 0) return used <= bound ? 1 : 0;
        let sum = 0;
        if (a > 0) sum += words(a - 1, b, "a", used + (last === "b" && b > 0 ? 1 : 0));
        if (b > 0) sum += words(a, b - 1, "b", used + (last === "a" && a > 0 ? 1 : 0));
        return sum;
      };
      return words(n, n, "", 0);
    };
    expect([count(3, 0), count(3, 1), count(3, 2)]).toEqual([2, 6, 14]);
    for (const n of [1, 2, 3, 4]) {
      for (const preemptions of [0, 1, 2, 3]) {
        const findings = exploreHandMade(adders([n, n]), { kind: "bounded", preemptions });
        expect(findings).toMatchObject({ executions: count(n, preemptions), complete: true });
      }
    }
  });
});
