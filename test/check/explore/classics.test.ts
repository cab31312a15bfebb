/**
 * Mistakes that are known from books, each beside the right form: the wrong one is found by both searches, with as many
 * preemptions as it takes and no fewer, and by a replay; the right one holds. An explorer that knows no shortcut agrees.
 */
import { describe, expect, it } from "vitest";
import type { Findings } from "../../../src/check/explore/exploration.ts";
import type { FailureKind } from "../../../src/check/explore/report.ts";
import type { Extent } from "../../../src/check/scenario.ts";
import { ObjectState } from "../../../src/sync/atomics.ts";
import type { Actor, Program } from "./brute-force.ts";
import { FIRST_OBJECT, bruteForce, handMade } from "./brute-force.ts";
import type { HandMade, Part } from "./fibers.ts";
import { ALL, FULL, exploreHandMade, replayHandMade } from "./fibers.ts";

type Body = (m: Actor, i: number) => Part<unknown>;
type Load = (at: number) => number;

interface Classic {
  /** How the wrong form fails, and how many preemptions that takes. */
  readonly fails: FailureKind;
  readonly preemptions: number;
  readonly words?: Readonly<Record<number, number>>;
  readonly timeouts?: number;
  /** Of one of the two forms. */
  threads(right: boolean): readonly Body[];
  /** True if the end is as it should be. */
  fine?(results: readonly unknown[], load: Load): boolean;
}

/** States of the largest program that is compared with the explorer without shortcuts, and interleavings. */
const STATES = 1500;
const INTERLEAVINGS = 20_000;

const [X, Y, LOCK, COND, SEQ, COUNT] = [1, 2, 3, 4, 5, 6];
const [FLAGS, CHOOSING, NEXT] = [8, 10, 16];

function* acquire(m: Actor, lock = LOCK): Part<void> {
  while ((yield* m.exchange(lock, 2)) !== 0) yield* m.wait(lock, 2);
}

function* release(m: Actor, lock = LOCK): Part<void> {
  if ((yield* m.exchange(lock, 0)) === 2) yield* m.notify(lock, 1);
}

/** Adds in two steps, which somebody has to protect. */
function* raise(m: Actor, at = COUNT): Part<void> {
  yield* m.store(at, (yield* m.load(at)) + 1);
}

const both = (body: Body): Body[] => [body, body];

const CLASSICS: Readonly<Record<string, Classic>> = {
  "Peterson: whose turn it is, is said before one wants it": {
    fails: "oracle",
    preemptions: 1,
    threads: (right) =>
      both(function* (m, i) {
        if (right) yield* m.store(FLAGS + i, 1);
        yield* m.store(X, 1 - i);
        if (!right) yield* m.store(FLAGS + i, 1);
        return (yield* m.load(FLAGS + 1 - i)) === 0 || (yield* m.load(X)) === i;
      }),
    fine: ([a, b]) => a !== true || b !== true,
  },
  "bakery: nobody says that he is choosing": {
    fails: "oracle",
    preemptions: 2,
    threads: (right) =>
      both(function* (m, i) {
        if (right) yield* m.store(CHOOSING + i, 1);
        const mine = (yield* m.load(FLAGS + 1 - i)) + 1;
        yield* m.store(FLAGS + i, mine);
        if (right) yield* m.store(CHOOSING + i, 0);
        if (right) yield* m.nap(CHOOSING + 1 - i, 1);
        for (;;) {
          const other = yield* m.load(FLAGS + 1 - i);
          if (other === 0 || other > mine || (other === mine && i === 0)) break;
          yield* m.nap(FLAGS + 1 - i, other);
        }
        yield* raise(m);
        yield* m.store(FLAGS + i, 0);
      }),
    fine: (_, load) => load(COUNT) === 2,
  },
  "stack: the top is the same again, and what is below it is not": {
    fails: "oracle",
    preemptions: 1,
    // The top has a count in its higher bits, in the right form.
    words: { [X]: 1, [NEXT + 1]: 2, [NEXT + 2]: 3 },
    threads: (right) => {
      const step = right ? 16 : 0;
      function* pop(m: Actor): Part<number> {
        for (;;) {
          const top = yield* m.load(X);
          if ((top & 15) === 0) return 0;
          const below = yield* m.load(NEXT + (top & 15));
          if ((yield* m.cas(X, top, (top & ~15) + step + below)) === top) return top & 15;
        }
      }
      function* push(m: Actor, node: number): Part<void> {
        for (;;) {
          const top = yield* m.load(X);
          yield* m.store(NEXT + node, top & 15);
          if ((yield* m.cas(X, top, (top & ~15) + step + node)) === top) return;
        }
      }
      return [
        pop,
        function* (m): Part<number> {
          const first = yield* pop(m);
          const second = yield* pop(m);
          yield* push(m, first);
          return second;
        },
      ];
    },
    fine: ([a, second], load) => {
      for (let at = load(X) & 15; at !== 0; at = load(NEXT + at)) if (at === a || at === second) return false;
      return true;
    },
  },
  "queue: the tail is moved on by who has not looked at it again": {
    fails: "oracle",
    preemptions: 1,
    words: { [Y]: 1 },
    threads: (right) => {
      /** @returns true if the tail was not behind */
      function* help(m: Actor, tail: number): Part<boolean> {
        const next = yield* m.load(NEXT + tail);
        if (next === 0) return true;
        if (right) yield* m.cas(Y, tail, next);
        else yield* m.store(Y, next);
        return false;
      }
      const enqueue = (node: number): Body =>
        function* (m) {
          for (;;) {
            const tail = yield* m.load(Y);
            if (!(yield* help(m, tail)) || (yield* m.cas(NEXT + tail, 0, node)) !== 0) continue;
            return yield* m.cas(Y, tail, node);
          }
        };
      return [
        enqueue(2),
        enqueue(3),
        function* (m) {
          yield* help(m, yield* m.load(Y));
        },
      ];
    },
    fine: (_, load) => load(NEXT + load(Y)) === 0,
  },
  "hazard pointer: nobody looks again": {
    fails: "use after free",
    preemptions: 1,
    words: { [X]: FIRST_OBJECT },
    threads: (right) => [
      function* (m) {
        const found = yield* m.load(X);
        yield* m.store(Y, found);
        if (found !== 0 && (!right || (yield* m.load(X)) === found)) yield* m.load(found + 3);
        yield* m.store(Y, 0);
      },
      function* (m) {
        const old = yield* m.exchange(X, 0);
        yield* m.nap(Y, old);
        yield* m.note(old, ObjectState.freed);
      },
    ],
  },
  "barrier: it is used again before all have left it": {
    fails: "deadlock",
    preemptions: 0,
    threads: (right) =>
      both(function* (m) {
        for (let round = 0; round < 2; round++) {
          const seen = yield* m.load(SEQ);
          if ((yield* m.add(X, 1)) === 1) {
            yield* m.store(X, 0);
            yield* m.add(SEQ, 1);
          } else if (right) yield* m.nap(SEQ, seen);
          else for (let n = yield* m.load(X); n !== 0; n = yield* m.load(X)) yield* m.nap(X, n);
        }
      }),
  },
  "one word to sleep on for two conditions, and one is woken": {
    fails: "deadlock",
    preemptions: 1,
    threads: (right) => [
      ...[2, 1].map(
        (wanted) =>
          function* (m: Actor): Part<void> {
            for (;;) {
              const seen = yield* m.load(COND);
              if ((yield* m.load(X)) >= wanted) return;
              yield* m.wait(COND, seen);
            }
          },
      ),
      function* (m) {
        for (const value of [1, 2]) {
          yield* m.store(X, value);
          yield* m.add(COND, 1);
          yield* m.notify(COND, right ? 9 : 1);
        }
      },
    ],
  },
  "who is woken and killed keeps the wake-up": {
    fails: "deadlock",
    preemptions: 0,
    words: { [LOCK]: 2 },
    threads: (right) => [
      function* (m) {
        while ((yield* m.exchange(LOCK, 2)) !== 0) {
          yield* m.wait(LOCK, 2);
          if ((yield* m.load(X)) === 0) continue;
          if (right) yield* m.notify(LOCK, 1);
          return;
        }
        yield* release(m);
      },
      function* (m) {
        yield* acquire(m);
        yield* release(m);
      },
      function* (m) {
        yield* m.store(X, 1);
        yield* release(m);
      },
    ],
  },
  "a sleep that ran out of time is taken for a wake-up": {
    fails: "oracle",
    preemptions: 0,
    timeouts: 1,
    threads: (right) => [
      function* (m) {
        const woken = yield* m.wait(X, 0);
        return woken || !right ? yield* m.load(Y) : 7;
      },
      function* (m) {
        yield* m.store(Y, 7);
        yield* m.store(X, 1);
        yield* m.notify(X, 1);
        return 7;
      },
    ],
    fine: (results) => results.every((result) => result === 7),
  },
  "it takes three": {
    fails: "oracle",
    preemptions: 1,
    threads: (right) => [
      function* (m) {
        yield* m.store(X, 1);
        yield* m.store(X, 0);
      },
      function* (m) {
        if ((yield* m.load(X)) === 1) yield* m.store(Y, 1);
      },
      function* (m) {
        return right || (yield* m.load(Y)) === 0 || (yield* m.load(X)) === 0;
      },
    ],
    fine: ([, , c]) => c === true,
  },
  "it takes four preemptions": {
    fails: "oracle",
    preemptions: 4,
    threads: (right) =>
      both(function* (m) {
        const seen: number[] = [];
        for (let i = 0; i < 3; i++) seen.push(yield* m.add(X, 1));
        return right ? "" : seen.join();
      }),
    fine: (results) => !results.includes("0,2,4"),
  },
};

/** Only as far as the explorer can tell: plain accesses don't occur, so that `fine` and failures are all there is. */
function check(program: Program, { fine }: Classic): HandMade {
  return {
    ...handMade(program, () => undefined),
    judge: (results, memory) => (fine?.(results, (at) => memory.load(at)) === false ? "not fine" : null),
  };
}

function explored(made: HandMade, extent: Extent): Findings {
  return exploreHandMade(made, extent, { maxExecutions: INTERLEAVINGS });
}

/** What some interleaving does wrong, by brute force; null if there are too many states. */
function wrongs(program: Program, { fine }: Classic): Set<string> | null {
  const possible = bruteForce(program, STATES);
  if (possible === null) return null;
  const found = new Set(possible.failures);
  for (const outcome of possible.outcomes) {
    const [results, words] = JSON.parse(outcome) as [unknown[], number[]];
    if (fine?.(results, (at) => words[at] as number) === false) found.add("oracle");
  }
  return found;
}

describe.each(Object.entries(CLASSICS))("%s", (_, classic) => {
  const form = (right: boolean): Program => ({
    threads: classic.threads(right).map((body, i) => (m) => body(m, i)),
    words: classic.words ?? {},
    rcuWords: [],
    timeouts: classic.timeouts ?? 0,
  });

  it("is found", () => {
    const program = form(false);
    const made = check(program, classic);
    const bounded = (preemptions: number): Findings => explored(made, { kind: "bounded", preemptions });
    const { fails, preemptions } = classic;
    for (const { failure } of [explored(made, ALL), bounded(preemptions)]) {
      expect(failure?.kind).toBe(fails);
      expect(replayHandMade(made, failure?.schedule ?? "").failure).toMatchObject({ kind: fails });
    }
    if (preemptions > 0) expect(bounded(preemptions - 1)).toMatchObject({ failure: null, complete: true });
    expect(wrongs(program, classic) ?? new Set([fails])).toContain(fails);
  });

  it("is no more, once it is right", () => {
    const program = form(true);
    const made = check(program, classic);
    const reduced = explored(made, ALL);
    expect(reduced).toMatchObject({ failure: null, complete: true, executions: reduced.traces });
    const full = explored(made, FULL);
    expect(full.failure).toBeNull();
    if (full.complete) expect(full.traces).toBe(reduced.traces);
    expect([...(wrongs(program, classic) ?? [])]).toEqual([]);
  });
});
