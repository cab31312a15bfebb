/** A result made by hand, as the formatters get it: a scenario that holds, one that fails, and what was left undone. */
import type { Failure, Replay, Report, Site, TraceStep } from "../../src/check/explore/report.ts";
import type { CheckResult, Outcome } from "../../mount/check/result.ts";

/** A word's name that would be markup if it weren't escaped. */
export const EVIL_WORD = `<script>alert("&amp;")</script>`;

function site(file: string, line: number, fn: string, text: string): Site {
  return { file, line, column: 5, fn, text };
}

const COUNT = "signal 1.execUpdateLock";
const GENERATION = "signal 1.execUpdateLock+2";
const LOAD64 = site("src/sync/atomics.ts", 163, "load64", "this.loadU32(at)");
const TRY = site("src/sync/rwsem.ts", 37, "downReadTrylock", "m.compareExchange(sem + COUNT, count, count + 1)");
const DOWN = site("src/sync/rwsem.ts", 61, "downReadKillable", "t.m.load(sem + GENERATION)");
const SLEEP = site("src/sync/waitqueue.ts", 20, "sleepOn", "t.m.wait(at, generation, limit)");
const UP = site("src/sync/rwsem.ts", 139, "upWrite", "t.m.store(sem + COUNT, 0)");
const WAKE = site("src/sync/waitqueue.ts", 40, "wakeAll", "m.notify(at, ALL)");
const CALLER = site("src/kernel/io-accounting.ts", 88, "doIoAccounting", "execUpdateReadBegin(k, Path.io, signal)");

type Rest = Partial<Pick<TraceStep, "operands" | "result" | "stack">>;

function step(thread: string, operation: string, word: string, at: Site, rest: Rest): TraceStep {
  return { thread, operation, word, operands: [], result: null, stack: [at, CALLER], ...rest };
}

/** A reader that sleeps, is woken, and gets the lock. */
export const STEPS: readonly TraceStep[] = [
  step("exec", "compareExchange", COUNT, TRY, { operands: [0, -1], result: 0 }),
  step("reader", "load", GENERATION, DOWN, { result: 0 }),
  step("reader", "compareExchange", COUNT, TRY, { operands: [0, 1], result: -1 }),
  step("reader", "wait", GENERATION, SLEEP, { operands: [0], result: "sleeps" }),
  step("exec", "store", COUNT, UP, { operands: [0] }),
  step("exec", "add", GENERATION, WAKE, { operands: [1], result: 0 }),
  step("exec", "notify", GENERATION, WAKE, { operands: [2147483647], result: 1 }),
  step("reader", "load", GENERATION, DOWN, { result: 1 }),
  step("reader", "compareExchange", COUNT, TRY, { operands: [0, 1], result: 0 }),
  step("reader", "loadU32", EVIL_WORD, LOAD64, { result: 7, stack: [LOAD64, CALLER] }),
];

export const FAILURE: Failure = {
  kind: "oracle",
  message: "the owner saw 7 & nothing else",
  schedule: "a1.b3 a",
  execution: 1234,
};

export const REPLAY: Replay = { steps: STEPS, beyond: 0, failure: FAILURE };

const REPORT: Report = {
  scenario: "seqlock/whole-read",
  form: "lockfree",
  extent: { kind: "all" },
  executions: 35,
  blocked: 4,
  traces: 35,
  steps: 700,
  sharedWords: 3,
  complete: true,
  milliseconds: 20,
  failure: null,
};

function outcome(scenario: string, rest: Partial<Outcome>): Outcome {
  const { extent, form } = REPORT;
  const about = `what ${scenario} is about`;
  return {
    scenario,
    form,
    about,
    extent,
    verdict: "not run",
    ended: null,
    report: null,
    replay: null,
    error: null,
    ...rest,
  };
}

export const HOLDS = outcome("seqlock/whole-read", { verdict: "holds", report: REPORT });

export const FAILS = outcome("io/exec-setuid", {
  verdict: "fails",
  report: { ...REPORT, scenario: "io/exec-setuid", executions: 1234, complete: false, failure: FAILURE },
  replay: REPLAY,
});

export const SAMPLE: CheckResult = {
  version: "1.2.3",
  jobs: 2,
  milliseconds: 2500,
  interrupted: null,
  outcomes: [
    HOLDS,
    FAILS,
    outcome("kcmp/exec-both", {
      verdict: "nothing found",
      extent: { kind: "sampled", runs: 5000, depth: 3 },
      report: { ...REPORT, milliseconds: 83_000 },
    }),
    outcome("maps/split", {
      verdict: "not finished",
      ended: "time",
      extent: { kind: "bounded", preemptions: 2 },
      report: { ...REPORT, complete: false },
    }),
    outcome("timers/delete", { verdict: "broken", error: "there is no program 7" }),
    outcome("timers/exit", {}),
  ],
};
