/** The explorer against one that knows no shortcut (brute-force.ts), over random programs, many of them wrong. */
import { describe, expect, it } from "vitest";
import { Exploration } from "../../../src/check/explore/exploration.ts";
import { Follow, scheduleOf } from "../../../src/check/explore/search/follow.ts";
import { Prng } from "../../../src/check/explore/search/prng.ts";
import type { Extent } from "../../../src/check/scenario.ts";
import { ObjectState } from "../../../src/sync/atomics.ts";
import type { Actor, Possible, Program } from "./brute-force.ts";
import { FIRST_OBJECT, bruteForce, handMade } from "./brute-force.ts";
import type { Part } from "./fibers.ts";
import { ALL, FULL, subjectOf } from "./fibers.ts";

/** Programs of each family: PROGRAMS=400 compares more. */
const PROGRAMS = Number(process.env.PROGRAMS ?? 25);
/** States of the largest program that is still compared. */
const STATES = 6000;
/** Executions of a search that knows no traces. */
const EXECUTIONS = 1500;

const LOCKS = [2, 3];
const FLAGS = [4, 5];
const DATA = [6, 7];
const POINTER = 8;
const SEQUENCE = 9;
const RCU = 16;
const ONLINE = 1;

/** What a thread remembers. */
interface Local {
  value: number;
  readonly thread: number;
}
type Step = (m: Actor, local: Local) => Part<void>;
type Maker = (random: Prng) => Step;

function one<T>(random: Prng, things: readonly T[]): T {
  return things[random.below(things.length)] as T;
}

function several(random: Prng, makers: readonly Maker[], most: number): Step {
  const steps = Array.from({ length: 1 + random.below(most) }, () => one(random, makers)(random));
  return function* (m, local) {
    for (const step of steps) yield* step(m, local);
  };
}

/** What is stored depends on what was loaded. */
const atomic: Maker = (random) => {
  const at = one(random, [...DATA, ...FLAGS]);
  const kind = random.below(5);
  const value = random.below(2);
  return function* (m, local) {
    if (kind === 0) local.value += yield* m.load(at);
    if (kind === 1) yield* m.store(at, (local.value + value) & 1);
    if (kind === 2) local.value += yield* m.add(at, 1);
    if (kind === 3 && at < DATA[0]!) local.value += yield* m.cas(at, value, 1 - value);
    if (kind === 4) local.value += yield* m.exchange(at, value);
  };
};

const plain: Maker = (random) => {
  const at = one(random, DATA);
  const writes = random.below(2) === 0;
  return function* (m, local) {
    if (writes) yield* m.plainStore(at, (local.value & 3) + 1);
    else local.value += yield* m.plainRead(at);
  };
};

/** Some take the lock of what they touch, some another one, some only try. */
const locked: Maker = (random) => {
  const lock = one(random, [...LOCKS, LOCKS[0] as number]);
  const way = random.below(4);
  const inside = several(random, [plain, plain, atomic], 2);
  return function* (m, local) {
    if (way === 0) {
      if ((yield* m.cas(lock, 0, 1)) !== 0) return;
    } else {
      while ((yield* m.exchange(lock, 2)) !== 0) {
        if (way === 1) yield* m.nap(lock, 2);
        else yield* m.wait(lock, 2);
      }
    }
    yield* inside(m, local);
    if ((yield* m.exchange(lock, 0)) === 2) yield* m.notify(lock, 1);
  };
};

const flagged: Maker = (random) => {
  const at = one(random, FLAGS);
  const value = random.below(2);
  const inside = several(random, [plain, plain, atomic], 2);
  return function* (m, local) {
    if ((yield* m.load(at)) === value) yield* inside(m, local);
  };
};

const raise: Maker = (random) => {
  const at = one(random, FLAGS);
  const wakes = random.below(3) !== 0;
  return function* (m) {
    yield* m.store(at, 1);
    if (wakes) yield* m.notify(at, 1);
  };
};

const await_: Maker = (random) => {
  const at = one(random, FLAGS);
  const naps = random.below(2) === 0;
  const again = random.below(3) !== 0;
  return function* (m, local) {
    for (;;) {
      if (naps) yield* m.nap(at, 0);
      else if (!(yield* m.wait(at, 0))) local.value += 4;
      if (!again || (yield* m.load(at)) !== 0) return;
    }
  };
};

const publish: Maker = (random) => {
  const object = FIRST_OBJECT + 8 * random.below(2);
  const first = random.below(4) !== 0;
  return function* (m) {
    yield* m.note(object, ObjectState.allocated);
    if (first) yield* m.plainStore(object + 3, 7);
    yield* m.store(POINTER, object);
    if (!first) yield* m.plainStore(object + 3, 7);
  };
};

const follow: Maker = (random) => {
  const way = random.below(3);
  const again = random.below(3) === 0;
  const rests = random.below(4) === 0;
  return function* (m, local) {
    const object = yield* m.load(POINTER);
    if (object === 0) return;
    if (rests) yield* m.store(RCU + local.thread, 3);
    if (again && (yield* m.load(POINTER)) !== object) return;
    if (way === 0) local.value += yield* m.load(object + 3);
    else if (way === 1) local.value += yield* m.plainRead(object + 3);
    else yield* m.add(object + 4, 1);
  };
};

const drop: Maker = (random) => {
  const way = random.below(4);
  return function* (m, local) {
    const object = yield* m.exchange(POINTER, 0);
    if (object === 0) return;
    if (way > 0) yield* m.note(object, ObjectState.retired);
    if (way === 1) return;
    if (way === 2) {
      for (const other of [0, 1, 2]) if (other !== local.thread) yield* m.nap(RCU + other, ONLINE);
    } else if (way === 3) yield* m.load(RCU + (1 - (local.thread & 1)));
    yield* m.note(object, ObjectState.freed);
  };
};

const rest: Maker = (random) => {
  const offline = random.below(2) === 0;
  return function* (m, local) {
    yield* m.store(RCU + local.thread, offline ? 0 : 3);
  };
};

/** Sleeps, whatever the word is afterwards, and tells who was awake first. */
const doze: Maker = (random) => {
  const times = 1 + random.below(2);
  return function* (m, local) {
    for (let i = 0; i < times; i++) {
      if (yield* m.wait(FLAGS[0] as number, 0)) local.value += 16 * (yield* m.plainRead(DATA[0] as number));
      local.value = local.value * 4 + (yield* m.add(DATA[1] as number, 1));
    }
  };
};

/** Wakes some, then everybody for good; the data is there before that, or not. */
const rouse: Maker = (random) => {
  const counts = Array.from({ length: random.below(3) }, () => 1 + random.below(2));
  const late = random.below(4) === 0;
  const once = one(random, DATA);
  return function* (m) {
    if (!late) yield* m.plainStore(DATA[0] as number, 3);
    for (const count of counts) yield* m.notify(FLAGS[0] as number, count);
    if (late) yield* m.plainStore(once, 3);
    yield* m.store(FLAGS[0] as number, 1);
    yield* m.notify(FLAGS[0] as number, 9);
  };
};

/** Wakes one, whoever it is. */
const nudge: Maker = () =>
  function* (m) {
    yield* m.notify(FLAGS[0] as number, 1);
  };

/** A sequence count that is looked at again, or not. */
const sequence: Maker = (random) => {
  const way = random.below(3);
  return function* (m, local) {
    if (way === 0) {
      yield* m.add(SEQUENCE, 1);
      for (const at of DATA) yield* m.add(at, 1);
      yield* m.add(SEQUENCE, 1);
      return;
    }
    const before = yield* m.load(SEQUENCE);
    if ((before & 1) !== 0) return;
    const values: number[] = [];
    for (const at of DATA) values.push(yield* m.load(at));
    if (way === 1 && (yield* m.load(SEQUENCE)) !== before) return;
    local.value = values.reduce((sum, value) => sum * 4 + value, 1);
  };
};

/** Each thread takes of all makers. */
function programOf(random: Prng, makers: readonly Maker[], timeouts = 0): Program {
  const count = 2 + random.below(2);
  const bodies = Array.from({ length: count }, () => several(random, makers, count === 2 ? 4 : 3));
  return programOfThreads(random, bodies, timeouts);
}

function programOfThreads(random: Prng, bodies: readonly Step[], timeouts: number): Program {
  const count = bodies.length;
  return {
    threads: bodies.map(
      (body, thread) =>
        function* (m) {
          const local: Local = { value: 0, thread };
          yield* body(m, local);
          return local.value;
        },
    ),
    words: {
      [POINTER]: random.below(2) * FIRST_OBJECT,
      ...Object.fromEntries([0, 1, 2, 3].map((thread) => [RCU + thread, thread < count ? ONLINE : 0])),
    },
    rcuWords: bodies.map((_, thread) => RCU + thread),
    timeouts,
  };
}

const FAMILIES: Readonly<Record<string, (random: Prng) => Program>> = {
  "data that locks protect, or flags, or nobody": (random) =>
    programOf(random, [locked, locked, flagged, raise, plain]),
  "atomic accesses that sometimes are ordered": (random) => programOf(random, [locked, flagged, raise, atomic]),
  "publication, reuse, freeing": (random) => programOf(random, [publish, follow, follow, drop]),
  "grace periods": (random) => programOf(random, [follow, follow, drop, rest, rest]),
  "sleeping for a flag": (random) => programOf(random, [await_, raise, raise, plain, atomic]),
  "sleeping that runs out of time": (random) => programOf(random, [await_, raise, locked, atomic], 1),
  "who sleeps first wakes first": (random) =>
    programOfThreads(
      random,
      [doze, doze, rouse, nudge].slice(0, 3 + random.below(2)).map((maker) => maker(random)),
      0,
    ),
  "who sleeps first wakes first, unless time runs out": (random) =>
    programOfThreads(
      random,
      [doze, doze, rouse].map((maker) => maker(random)),
      1,
    ),
  "sequence counts": (random) => programOf(random, [sequence, sequence, locked, rest]),
  everything: (random) =>
    programOf(random, [atomic, plain, locked, flagged, raise, await_, publish, follow, drop, rest, sequence]),
};

interface Found {
  readonly failure: string | null;
  readonly complete: boolean;
  readonly outcomes: ReadonlySet<string>;
}

function explored(program: Program, extent: Extent, everyAccess: boolean): Found {
  let outcomes = new Set<string>();
  let schedules = new Map<number, number[]>();
  const subject = subjectOf(handMade(program, (outcome) => void outcomes.add(outcome)));
  const exploration: Exploration = new Exploration(subject, extent, {
    maxExecutions: EXECUTIONS,
    onTrace: (trace) => void schedules.set(trace, scheduleOf(exploration.machine)),
    onPass: () => {
      outcomes = new Set();
      schedules = new Map();
    },
  });
  const { machine } = exploration;
  machine.everyAccess = everyAccess;
  const { failure, complete } = exploration.run();
  if (failure === null) {
    // Executions that began in the middle are the same as whole ones.
    for (const [trace, schedule] of schedules) {
      expect(machine.run(new Follow(schedule))).toBe("ended");
      expect(machine.order.trace()).toBe(trace);
    }
  }
  return { failure: failure?.kind ?? null, complete: complete && extent.kind !== "sampled", outcomes };
}

function compare(possible: Possible, { failure, complete, outcomes }: Found, what: string): void {
  const { failures } = possible;
  if (failure !== null) return expect([...failures], what).toContain(failure);
  for (const outcome of outcomes) expect([...possible.outcomes], what).toContain(outcome);
  if (!complete) return;
  expect([...failures], what).toEqual([]);
  expect([...outcomes].sort(), what).toEqual([...possible.outcomes].sort());
}

describe("the explorer finds what there is, and nothing else", () => {
  for (const [name, family] of Object.entries(FAMILIES)) {
    it(name, () => {
      let good = 0;
      let bad = 0;
      for (let i = 1; i <= PROGRAMS; i++) {
        const program = family(new Prng(i));
        const possible = bruteForce(program, STATES);
        if (possible === null) continue;
        if (possible.failures.size === 0) good++;
        else bad++;
        const what = (search: string): string => `program ${i}, ${search}: ${[...possible.failures].join()}`;
        compare(possible, explored(program, ALL, false), what("traces"));
        compare(possible, explored(program, ALL, true), what("traces, every access"));
        compare(possible, explored(program, FULL, false), what("all interleavings"));
        compare(possible, explored(program, { kind: "sampled", runs: 60, depth: 3 }, false), what("sampled"));
      }
      if (process.env.SHOW) console.log(name, good, bad);
      expect(good).toBeGreaterThan(0);
      expect(good + bad).toBeGreaterThan(PROGRAMS / 4);
    });
  }
});
