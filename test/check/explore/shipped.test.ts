/** The explorer on shipped code. */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { explore, replay } from "../../../src/check/explore/explore.ts";
import { Exploration } from "../../../src/check/explore/exploration.ts";
import { runtime } from "../../../src/check/explore/machine/runtime.ts";
import { Follow, scheduleOf } from "../../../src/check/explore/search/follow.ts";
import { scenarioSubject } from "../../../src/check/explore/scenario-subject.ts";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import type { LoadedProgram } from "../../../src/check/interleave/load.ts";
import { loadProgram } from "../../../src/check/interleave/load.ts";
import type { Extent, Scenario } from "../../../src/check/scenario.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { HOST } from "../../../src/kernel/layout.ts";
import { ALL, FULL } from "./fibers.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const ENTRIES = [
  "src/check/model.ts",
  ...["seqlock", "refcount", "rcu", "spinlock"].map((name) => `src/check/scenarios/sync/${name}.scenario.ts`),
];

const builder = new ProgramBuilder(ROOT);
const folders: string[] = [];
let shipped: LoadedProgram;

async function build(
  edits: readonly (readonly [file: string, find: string, put: string])[] = [],
): Promise<LoadedProgram> {
  const texts = new Map<string, string>();
  for (const [file, find, put] of edits) {
    const text = texts.get(file) ?? readFileSync(resolve(ROOT, file), "utf8");
    expect(text.split(find), `${file}: ${find}`).toHaveLength(2);
    texts.set(file, text.replace(find, put));
  }
  const folder = builder.build({ entries: ENTRIES, edits: texts });
  folders.push(folder);
  return loadProgram(folder);
}

function scenarioOf(program: LoadedProgram, name: string): Scenario {
  const found = program.scenarios.find((spec) => spec.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

beforeAll(async () => {
  shipped = await build();
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Every trace that a search sees, each with a schedule that shows it. */
function schedulesOf(name: string, extent: Extent): Map<number, number[]> {
  let seen = new Map<number, number[]>();
  const exploration: Exploration = new Exploration(
    scenarioSubject(shipped, scenarioOf(shipped, name), "lockfree"),
    extent,
    {
      onTrace: (trace) => void seen.set(trace, scheduleOf(exploration.machine)),
      onPass: () => void (seen = new Map()),
    },
  );
  expect(exploration.run()).toMatchObject({ failure: null, complete: true });
  return seen;
}

describe("plans", () => {
  /** As a transformed scenario is. */
  const scenarioWith = (setup: () => object): Scenario => {
    function* raise(k: Kernel, { own }: { own: Int32Array }): Generator<unknown, number> {
      void (runtime.add(0, k.m, HOST.breakAt, 1) ?? (yield));
      return ++own[0];
    }
    const setups = function* (): Generator<never, object> {
      yield* [];
      return setup();
    };
    const check = function* (
      _k: Kernel,
      _plan: object,
      { a, b }: Record<string, number>,
    ): Generator<never, string | null> {
      yield* [];
      return a === 1 && b === 1 ? null : `${a}, ${b}`;
    };
    return {
      name: "plan/own",
      about: "",
      setup: setups,
      threads: { a: raise, b: raise },
      check,
    } as unknown as Scenario;
  };

  it("each thread has its own, as real threads have", () => {
    const spec = scenarioWith(() => ({ own: new Int32Array(1) }));
    expect(explore(shipped, spec, "lockfree")).toMatchObject({ failure: null, complete: true, executions: 2 });
  });

  it("one that can't be copied is refused", () => {
    const spec = scenarioWith(() => ({ own: () => 1 }));
    expect(() => explore(shipped, spec, "lockfree")).toThrow(/^the plan that its setup gives can't be copied: /);
  });
});

describe("shipped code", () => {
  for (const name of ["seqlock/whole-read", "refcount/share", "rcu/online", "spinlock/try"]) {
    it(`${name}: the reduced search sees all that the full one does`, () => {
      const full = explore(shipped, scenarioOf(shipped, name), "lockfree", { extent: FULL, maxExecutions: 100_000 });
      const reduced = explore(shipped, scenarioOf(shipped, name), "lockfree", { extent: ALL });
      expect(reduced).toMatchObject({ failure: null, complete: true, executions: reduced.traces });
      if (full.complete) expect(full.traces).toBe(reduced.traces);
      else expect(full.traces).toBeLessThanOrEqual(reduced.traces);
    });
  }

  it("an execution that begins in the middle is the same as a whole one", () => {
    const schedules = schedulesOf("rcu/online", ALL);
    // The words that are shared have to be the same for the schedules to mean the same.
    const exploration = new Exploration(scenarioSubject(shipped, scenarioOf(shipped, "rcu/online"), "lockfree"), ALL);
    exploration.run();
    for (const [trace, schedule] of schedules) {
      expect(exploration.machine.run(new Follow(schedule))).toBe("ended");
      expect(exploration.machine.order.trace()).toBe(trace);
    }
    expect(schedules.size).toBeGreaterThan(20);
  });

  it("leaves the arena as it was, byte for byte", () => {
    const subject = scenarioSubject(shipped, scenarioOf(shipped, "rcu/online"), "lockfree");
    const before = Buffer.from(subject.memory.buffer.slice(0));
    const exploration = new Exploration(subject, ALL);
    expect(exploration.run().complete).toBe(true);
    exploration.machine.reset();
    expect(Buffer.from(subject.memory.buffer).equals(before)).toBe(true);
  });

  it("does the same each time", () => {
    const once = explore(shipped, scenarioOf(shipped, "spinlock/exclusion"), "lockfree");
    const twice = explore(shipped, scenarioOf(shipped, "spinlock/exclusion"), "lockfree");
    expect({ ...twice, milliseconds: 0 }).toEqual({ ...once, milliseconds: 0 });
  });

  it("a mistake is shown with files, lines, names and callers", async () => {
    const broken = await build([
      [
        "src/sync/seqlock.ts",
        "return seqcountRetry(m, lock, snapshot);",
        "return snapshot < 0 && seqcountRetry(m, lock, 0);",
      ],
    ]);
    const spec = scenarioOf(broken, "seqlock/whole-read");
    const { failure } = explore(broken, spec, "lockfree");
    expect(failure).toMatchObject({ kind: "oracle", message: expect.stringContaining("reader got 0 and 1") as string });
    const shown = replay(broken, spec, "lockfree", failure?.schedule as string);
    expect(shown.failure).toEqual({ kind: "oracle", message: failure?.message, schedule: failure?.schedule });
    const write = shown.steps.find(({ stack }) => stack[0].fn === "writeSeqcountBegin");
    expect(write).toMatchObject({ thread: "writer", operation: "add", operands: [1], result: 0 });
    expect(write?.stack.map(({ file, fn }) => `${file} ${fn}`)).toEqual([
      "src/sync/seqcount.ts writeSeqcountBegin",
      "src/sync/seqlock.ts writeSeqlock",
      "src/check/scenarios/sync/seqlock.scenario.ts raise",
      "src/check/model.ts runThread",
    ]);
  });

  it("what lockdep says is found, though only some interleavings get there", async () => {
    const file = "src/check/scenarios/sync/spinlock.scenario.ts";
    const imports = [
      file,
      'import { words } from "../../model.ts";',
      'import { words } from "../../model.ts"; import { rcuReadLock } from "../../../sync/rcu.ts"; import { sleepOn } from "../../../sync/waitqueue.ts";',
    ] as const;
    const taken = "  spinLock(k.t, plan.lock, LockClass.registry);\n  raise(k, plan);";
    const cases: readonly (readonly [put: string, says: RegExp])[] = [
      [
        `  if (!spinTryLock(k.t, plan.lock, LockClass.registry)) spinLock(k.t, plan.lock, LockClass.slab);
  spinLock(k.t, plan.count + 1, LockClass.dentry); spinUnlock(k.t, plan.count + 1, LockClass.dentry); raise(k, plan);`,
        /^\w+: lock order: dentry taken while slab is held, at src\/sync\/spinlock\.ts:\d+$/,
      ],
      [
        `  rcuReadLock(k.t); while (!spinTryLock(k.t, plan.lock, LockClass.registry)) sleepOn(k.t, plan.lock, 1);
  k.t.lockdep.rcuExit(); raise(k, plan);`,
        /^\w+: sleeping inside an RCU read-side section, at src\/sync\/waitqueue\.ts:\d+$/,
      ],
      [
        `  if (!spinTryLock(k.t, plan.lock, LockClass.registry)) { rcuReadLock(k.t); return; }
  raise(k, plan);`,
        /^\w+: thread goes idle inside an RCU read-side section, at src\/kernel\/kernel\.ts:\d+$/,
      ],
    ];
    for (const [put, says] of cases) {
      const program = await build([
        imports,
        [file, "count: words(k, 1) }", "count: words(k, 2) }"],
        [file, taken, put],
      ]);
      const spec = scenarioOf(program, "spinlock/exclusion");
      // One thread after the other is good.
      const calm = explore(program, spec, "lockfree", { extent: { kind: "bounded", preemptions: 0 } });
      expect(calm, put).toMatchObject({ failure: null, complete: true });
      const { failure } = explore(program, spec, "lockfree");
      expect(failure, put).toMatchObject({ kind: "locking", message: expect.stringMatching(says) as string });
      const again = replay(program, spec, "lockfree", failure?.schedule as string);
      expect(again.failure).toMatchObject({ kind: "locking", message: failure?.message });
    }
  });

  it("breaks of the primitives are found", async () => {
    const breaks: readonly (readonly [name: string, kind: string, file: string, find: string, put: string])[] = [
      [
        "spinlock/exclusion",
        "oracle",
        "src/sync/spinlock.ts",
        "while (m.exchange(lock, CONTENDED) !== FREE)",
        "if (m.exchange(lock, CONTENDED) !== FREE)",
      ],
      [
        "spinlock/exclusion",
        "deadlock",
        "src/sync/spinlock.ts",
        "if (t.m.exchange(lock, FREE) === CONTENDED) t.m.notify(lock, 1);",
        "t.m.exchange(lock, FREE);",
      ],
      ["refcount/get-or-free", "oracle", "src/sync/refcount.ts", "while (seen !== 0) {", "for (;;) {"],
    ];
    for (const [name, kind, ...edit] of breaks) {
      const program = await build([edit]);
      const { failure } = explore(program, scenarioOf(program, name), "lockfree");
      expect(failure?.kind, `${name} ${edit[2]}`).toBe(kind);
      expect(replay(program, scenarioOf(program, name), "lockfree", failure?.schedule as string).failure?.kind).toBe(
        kind,
      );
    }
  });
});
