import { describe, expect, it } from "vitest";
import { Exploration } from "../../../src/check/explore/exploration.ts";
import { ObjectState } from "../../../src/sync/atomics.ts";
import type { Extent } from "../../../src/check/scenario.ts";
import type { Accesses, HandMade, Part } from "./fibers.ts";
import { ALL, FULL, exploreHandMade, replayHandMade, subjectOf } from "./fibers.ts";

const X = 100;
const Y = 101;
const LOCK = 102;
const FLAG = 103;
const OBJECT = 200;
const RCU_A = 300;
const RCU_B = 301;

const SAMPLED: Extent = { kind: "sampled", runs: 500, depth: 3 };
const STRATEGIES: readonly Extent[] = [ALL, FULL, { kind: "bounded", preemptions: 2 }, SAMPLED];

/** Every strategy finds the failure, and its schedule shows it again, twice the same. */
function expectFailure(program: HandMade, kind: string, message: RegExp): void {
  for (const extent of STRATEGIES) {
    const { failure, complete } = exploreHandMade(program, extent);
    expect(failure, extent.kind).toMatchObject({ kind, message: expect.stringMatching(message) as string });
    expect(complete).toBe(false);
    const schedule = failure?.schedule as string;
    const again = replayHandMade(program, schedule);
    expect(again.failure).toMatchObject({ kind, schedule });
    // Whether an access or the freeing comes first is nobody's affair where nothing orders them.
    if (kind !== "use after free" && kind !== "data race") expect(again.failure?.message).toBe(failure?.message);
    expect(replayHandMade(program, schedule)).toEqual(again);
  }
}

function expectGood(program: HandMade): void {
  for (const extent of STRATEGIES) {
    expect(exploreHandMade(program, extent), extent.kind).toMatchObject({ failure: null, complete: true });
  }
}

function* lock(m: Accesses, at: number): Part<void> {
  while ((yield* m.exchange(at, 2)) !== 0) yield* m.wait(at, 2);
}

function* unlock(m: Accesses, at: number): Part<void> {
  if ((yield* m.exchange(at, 0)) === 2) yield* m.notify(at, 1);
}

describe("memory is sequentially consistent", () => {
  const storeBuffering: HandMade = {
    threads: {
      a: function* (m) {
        yield* m.store(X, 1);
        return yield* m.load(Y);
      },
      b: function* (m) {
        yield* m.store(Y, 1);
        return yield* m.load(X);
      },
    },
  };

  it("store buffering: never (0, 0), and each other outcome", () => {
    for (const extent of STRATEGIES) {
      const outcomes = new Set<string>();
      const program = {
        ...storeBuffering,
        judge: (results: readonly unknown[]) => (outcomes.add(results.join()), null),
      };
      expect(exploreHandMade(program, extent).failure).toBeNull();
      expect([...outcomes].sort()).toEqual(["0,1", "1,0", "1,1"]);
    }
  });

  it("message passing, and readers who see two writes in one order", () => {
    const outcomes = new Set<string>();
    const reader = function* (m: Accesses): Part<string> {
      return `${yield* m.load(X)}${yield* m.load(Y)}`;
    };
    const other = function* (m: Accesses): Part<string> {
      return `${yield* m.load(Y)}${yield* m.load(X)}`;
    };
    const writer = (at: number) =>
      function* (m: Accesses): Part<void> {
        yield* m.store(at, 1);
      };
    const program: HandMade = {
      threads: { writeX: writer(X), writeY: writer(Y), reader, other },
      judge: (results) => (outcomes.add(`${results[2]} ${results[3]}`), null),
    };
    expect(exploreHandMade(program, ALL)).toMatchObject({ failure: null, complete: true });
    expect(outcomes.has("10 10")).toBe(false);
    expect(outcomes.size).toBe(15);
  });
});

describe("seeded bugs are found", () => {
  it("a lost count", () => {
    expectFailure(
      {
        threads: Object.fromEntries(
          ["a", "b"].map((name) => [
            name,
            function* (m: Accesses): Part<void> {
              yield* m.store(X, (yield* m.load(X)) + 1);
            },
          ]),
        ),
        judge: (_results, memory) => (memory.load(X) === 2 ? null : `the count is ${memory.load(X)}`),
      },
      "oracle",
      /^the count is 1$/,
    );
  });

  it("a torn read under a sequence count that is not looked at again", () => {
    const program = (again: boolean): HandMade => ({
      threads: {
        reader: function* (m) {
          for (;;) {
            const before = yield* m.load(FLAG);
            if ((before & 1) !== 0) {
              yield* m.nap(FLAG, before);
              continue;
            }
            const pair = [yield* m.load(X), yield* m.load(Y)];
            if (!again || (yield* m.load(FLAG)) === before) return pair;
          }
        },
        writer: function* (m) {
          yield* m.add(FLAG, 1);
          yield* m.store(X, 1);
          yield* m.store(Y, 1);
          yield* m.add(FLAG, 1);
        },
      },
      judge: ([pair]) => {
        const [x, y] = pair as [number, number];
        return x === y ? null : `torn: ${x}, ${y}`;
      },
    });
    expectFailure(program(false), "oracle", /^torn/);
    expectGood(program(true));
  });

  it("a wake-up that comes before the sleep", () => {
    const program = (expected: number): HandMade => ({
      threads: {
        sleeper: function* (m) {
          const seen = yield* m.load(X);
          if (seen === 0) yield* m.wait(FLAG, expected === 0 ? 0 : yield* m.load(FLAG));
        },
        waker: function* (m) {
          yield* m.store(X, 1);
          yield* m.add(FLAG, 1);
          yield* m.notify(FLAG, 1);
        },
      },
    });
    expectGood(program(0));
    expectFailure(program(1), "deadlock", /sleeper sleeps on word 103/);
  });

  it("two locks in opposite orders", () => {
    const taker = (first: number, second: number) =>
      function* (m: Accesses): Part<void> {
        yield* lock(m, first);
        yield* lock(m, second);
        yield* unlock(m, second);
        yield* unlock(m, first);
      };
    expectGood({ threads: { a: taker(X, Y), b: taker(X, Y) } });
    expectFailure(
      { threads: { a: taker(X, Y), b: taker(Y, X) } },
      "deadlock",
      /a sleeps on word 101.*b sleeps on word 100/,
    );
  });

  it("a plain store beside an atomic load; but not one that a lock or a flag orders", () => {
    const publish = (plainly: boolean): HandMade => ({
      threads: {
        writer: function* (m) {
          m.plainStore(X, 7);
          yield* m.store(FLAG, 1);
          if (plainly) m.plainStore(X, 8);
        },
        reader: function* (m) {
          return (yield* m.load(FLAG)) === 1 ? yield* m.load(X) : 7;
        },
      },
      judge: (results) => (results[1] === 7 ? null : `${String(results[1])}`),
    });
    expectFailure(publish(true), "data race", /nothing orders two accesses to word 100/);
    expectGood(publish(false));
    const counter = (locked: boolean) =>
      function* (m: Accesses): Part<void> {
        if (locked) yield* lock(m, LOCK);
        m.plainStore(X, m.plainRead(X) + 1);
        if (locked) yield* unlock(m, LOCK);
      };
    expectFailure({ threads: { a: counter(false), b: counter(false) } }, "data race", /word 100/);
    expectFailure({ threads: { a: counter(false), b: counter(true) } }, "data race", /word 100/);
    const good: HandMade = {
      threads: { a: counter(true), b: counter(true), c: counter(true) },
      judge: (_results, memory) => (memory.load(X) === 3 ? null : `${memory.load(X)}`),
    };
    expectGood(good);
    // What the lock protects is no step.
    expect(exploreHandMade(good, ALL).sharedWords).toBe(1);
  });

  it("an object that is freed while another thread looks at it", () => {
    const program = (counted: boolean): HandMade => ({
      setup: (memory) => {
        memory.store(X, OBJECT);
        memory.store(Y, 1);
      },
      threads: {
        reader: function* (m) {
          if (counted) {
            for (;;) {
              const count = yield* m.load(Y);
              if (count === 0) return 0;
              if ((yield* m.cas(Y, count, count + 1)) === count) break;
            }
          } else if ((yield* m.load(X)) === 0) return 0;
          yield* m.load(OBJECT + 2);
          if (counted && (yield* m.add(Y, -1)) === 1) m.note(OBJECT, 1, ObjectState.freed);
          return 1;
        },
        owner: function* (m) {
          yield* m.store(X, 0);
          if (!counted || (yield* m.add(Y, -1)) === 1) m.note(OBJECT, 1, ObjectState.freed);
        },
      },
    });
    expectFailure(program(false), "use after free", /object at 200/);
    expectGood(program(true));
  });

  it("a field of NULL, plainly or not", () => {
    const program = (plain: boolean, start: number): HandMade => ({
      nowhere: 16,
      threads: {
        reader: function* (m) {
          const at = yield* m.load(X);
          if (plain) m.plainStore(at + 3, 1);
          else yield* m.load(at + 3);
        },
        writer: function* (m) {
          yield* m.store(X, 0);
        },
      },
      setup: (memory) => memory.store(X, start),
    });
    expectFailure(program(false, OBJECT), "null pointer", /nothing is at 3/);
    expectFailure(program(true, OBJECT), "null pointer", /nothing is at 3/);
    expectGood({ ...program(false, OBJECT), nowhere: 0 });
  });

  it("an execution ends with what fails", () => {
    const program: HandMade = {
      nowhere: 16,
      threads: {
        a: function* (m) {
          yield* m.add(X, 1);
          yield* m.add(X, 1);
          m.plainStore(3, 1);
        },
        b: function* (m) {
          yield* m.add(X, 1);
        },
      },
    };
    for (const extent of STRATEGIES) {
      const { schedule } = exploreHandMade(program, extent).failure as { schedule: string };
      const { steps, failure } = replayHandMade(program, schedule);
      expect(failure?.kind).toBe("null pointer");
      expect(
        steps.filter(({ thread, word }) => thread === "a" && word === `word ${X}`),
        extent.kind,
      ).toHaveLength(2);
    }
  });

  it("type-stable memory may be looked at", () => {
    const program: HandMade = {
      threads: {
        reader: function* (m) {
          yield* m.load(OBJECT + 3);
        },
        owner: function* (m) {
          m.note(OBJECT, 1, ObjectState.freed);
          yield* m.store(OBJECT + 3, 1);
        },
      },
    };
    expectFailure(program, "use after free", /freed/);
    expectGood({ ...program, objects: { typeStable: () => true } });
  });

  it("an object that is looked at after a quiescent state; but not before one", () => {
    const program = (rests: "never" | "before" | "between" | "sleeps"): HandMade => ({
      rcuWords: [RCU_A, RCU_B],
      setup: (memory) => {
        memory.store(X, OBJECT);
        memory.store(RCU_A, 1);
        memory.store(RCU_B, 1);
      },
      threads: {
        reader: function* (m) {
          if (rests === "before") yield* m.store(RCU_A, 3);
          const object = yield* m.load(X);
          if (object === 0) return;
          if (rests === "between") yield* m.store(RCU_A, 3);
          if (rests === "sleeps") yield* m.store(RCU_A, 0);
          yield* m.load(object + 4);
        },
        writer: function* (m) {
          yield* m.store(X, 0);
          m.note(OBJECT, 1, ObjectState.retired);
        },
      },
    });
    expectGood(program("never"));
    expectGood(program("before"));
    expectFailure(program("between"), "use after free", /retired/);
    expectFailure(program("sleeps"), "use after free", /retired/);
  });

  it("freed before the grace period is over", () => {
    // The reader tells when it is quiescent; the writer waits for that, or only believes that it does.
    const program = (waits: boolean): HandMade => ({
      rcuWords: [RCU_A, RCU_B],
      setup: (memory) => {
        memory.store(X, OBJECT);
        memory.store(RCU_A, 1);
        memory.store(RCU_B, 1);
      },
      threads: {
        reader: function* (m) {
          const object = yield* m.load(X);
          if (object !== 0) yield* m.load(object + 4);
          yield* m.store(RCU_A, 3);
        },
        writer: function* (m) {
          yield* m.store(X, 0);
          m.note(OBJECT, 1, ObjectState.retired);
          if (waits) yield* m.nap(RCU_A, 1);
          else yield* m.load(RCU_A);
          m.note(OBJECT, 1, ObjectState.freed);
        },
      },
    });
    expectGood(program(true));
    expectFailure(program(false), "use after free", /object at 200/);
  });

  it("spinning for ever, with steps and without", () => {
    const spin: HandMade = {
      threads: {
        a: function* (m) {
          while ((yield* m.load(X)) !== 2) yield* m.add(Y, 1);
        },
        b: function* (m) {
          yield* m.store(X, 1);
          yield* m.add(Y, 1);
        },
      },
    };
    const { failure } = exploreHandMade(spin, ALL, { stepLimit: 200 });
    expect(failure).toMatchObject({ kind: "livelock", message: expect.stringContaining("200 steps") as string });
    const alone: HandMade = {
      threads: {
        a: function* (m) {
          while ((yield* m.load(X)) === 0);
        },
      },
    };
    expect(exploreHandMade(alone, ALL).failure).toMatchObject({ kind: "livelock" });
  });

  it("what a thread throws", () => {
    const throws = (error: Error): HandMade => ({
      threads: {
        a: function* (m) {
          yield* m.store(X, 1);
        },
        b: function* (m) {
          if ((yield* m.load(X)) === 1) throw error;
        },
      },
    });
    expectFailure(throws(new TypeError("no such thing")), "error", /^b: TypeError: no such thing$/);
    expectFailure(throws(Object.assign(new Error("order"), { code: "ESYNTH_LOCKDEP" })), "locking", /^b: order$/);
  });
});

describe("sleeping", () => {
  it("sleeps run out of time only where that is allowed, and so often", () => {
    const program = (timeouts: number): HandMade => ({
      timeouts,
      threads: {
        sleeper: function* (m) {
          let times = 0;
          while ((yield* m.load(X)) === 0) if (!(yield* m.wait(X, 0))) times++;
          return times;
        },
        waker: function* (m) {
          yield* m.store(X, 1);
          yield* m.notify(X, 1);
        },
      },
    });
    for (const timeouts of [0, 1, 2]) {
      const seen = new Set<unknown>();
      const judge = ([times]: readonly unknown[]): null => (seen.add(times), null);
      for (const extent of [ALL, FULL]) {
        expect(exploreHandMade({ ...program(timeouts), judge }, extent)).toMatchObject({
          failure: null,
          complete: true,
        });
      }
      expect([...seen].sort()).toEqual([0, 1, 2].slice(0, timeouts + 1));
    }
  });

  it("a notification wakes as many as it says, first come, first served", () => {
    const program: HandMade = {
      threads: {
        first: function* (m) {
          yield* m.wait(X, 0);
          return yield* m.add(FLAG, 1);
        },
        second: function* (m) {
          yield* m.wait(X, 0);
          return yield* m.add(FLAG, 1);
        },
        waker: function* (m) {
          return yield* m.notify(X, 1);
        },
      },
      mayHang: true,
      judge: () => "one notification of one sleeper woke both",
    };
    expectGood(program);
  });
});

describe("what an execution leaves behind", () => {
  it("the arena is the same byte for byte, and so are objects", () => {
    const state = { list: [1, 2, 3], map: new Map([["a", { n: 1 }]]), set: new Set([1]), bytes: new Uint8Array(4) };
    const before = JSON.stringify([state, [...state.map], [...state.set]]);
    const program: HandMade = {
      roots: [state],
      setup: (memory) => {
        for (let at = 0; at < 400; at++) memory.plainStore(at, at * 31);
      },
      threads: Object.fromEntries(
        [0, 1].map((i) => [
          `t${i}`,
          function* (m: Accesses): Part<void> {
            yield* m.add(X, 1);
            yield* m.store(Y + i, 5);
            yield* m.or(FLAG, 8 << i);
            yield* m.and(FLAG, ~(1 << i));
            yield* m.exchange(LOCK, i);
            yield* m.cas(X, X * 31 + 2, 0);
            m.plainStore(120 + i, 1);
            m.memory.copyIn(0, 0, new Uint8Array(0));
            state.list.push(state.list.length);
            (state.map.get("a") as { n: number }).n++;
            state.map.delete(i === 0 ? "a" : "b");
            state.map.set("a", { n: 9 });
            state.set.add(i + 10);
            state.bytes[i] = 77;
          },
        ]),
      ),
    };
    const subject = subjectOf(program);
    const image = new Int32Array(subject.memory.buffer.slice(0));
    const exploration = new Exploration(subject, FULL);
    expect(exploration.run()).toMatchObject({ failure: null, complete: true });
    exploration.machine.reset();
    expect(new Int32Array(subject.memory.buffer)).toEqual(image);
    expect(JSON.stringify([state, [...state.map], [...state.set]])).toBe(before);
  });

  it("what depends on chance is reported", () => {
    let calls = 0;
    const hidden: HandMade = {
      threads: {
        a: function* (m) {
          yield* m.store(X, 1);
          if (++calls % 3 === 0) yield* m.store(Y, 1);
          yield* m.load(Y);
        },
        b: function* (m) {
          yield* m.store(Y, 1);
          yield* m.load(X);
        },
      },
    };
    for (const extent of STRATEGIES) {
      expect(exploreHandMade(hidden, extent).failure, extent.kind).toMatchObject({ kind: "nondeterminism" });
    }
    const counted = { calls: 0 };
    expectGood({
      roots: [counted],
      threads: {
        ...hidden.threads,
        a: function* (m) {
          yield* m.store(X, 1);
          if (++counted.calls % 3 === 0) yield* m.store(Y, 1);
          yield* m.load(Y);
        },
      },
    });
  });
});
