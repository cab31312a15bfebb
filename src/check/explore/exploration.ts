/** One exploration of a subject: passes until all shared words are known, executions, counts, and what failed. */
import type { Extent } from "../scenario.ts";
import { Dfs } from "./search/dfs.ts";
import type { MachineFailure } from "./machine/diagnosis.ts";
import { Dpor } from "./search/dpor.ts";
import { Follow, scheduleOf } from "./search/follow.ts";
import type { Outcome } from "./machine/machine.ts";
import { Machine } from "./machine/machine.ts";
import { Pct } from "./search/pct.ts";
import type { Failure, Progress, Report } from "./report.ts";
import { encodeSchedule } from "./schedule.ts";
import type { Search } from "./search/search.ts";
import type { Subject } from "./subject.ts";
import { UnfitError } from "./subject.ts";
import { TraceSet } from "./search/trace-set.ts";

export interface ExploreOptions {
  /** Of a sample; 1 unless given. */
  readonly seed?: number;
  /** Steps of an execution after which it counts as a livelock. */
  readonly stepLimit?: number;
  /** Executions after which the exploration ends unfinished. */
  readonly maxExecutions?: number;
  /** Milliseconds after which it does. */
  readonly timeLimit?: number;
  /** Called from time to time. @returns false if the exploration is to end unfinished */
  readonly onProgress?: (progress: Progress) => boolean | void;
  /** Called after each execution that ran to an end, with its trace. For tests of the explorer. */
  readonly onTrace?: (trace: number) => void;
  /** See MachineOptions. */
  readonly knownLimit?: number;
  /** Called before each pass; only what the last one does counts. */
  readonly onPass?: () => void;
}

export type Findings = Omit<Report, "scenario" | "form">;

/** Steps of an execution after which it counts as a livelock, unless told otherwise. */
export const STEP_LIMIT = 20_000;
/** Executions by chance before the search, from which most of the shared words are learnt. */
const LEARNING = { seed: 1, depth: 4, runs: 400, enough: 60 };
/** The first executions, and then one of so many, run all code: what threads do must not depend on chance. */
const CHECKED = { first: 16, oneOf: 256 };
/** Executions between two looks at the clock. */
const LOOK_EVERY = 64;
/** Milliseconds between two reports of progress. */
const PROGRESS_EVERY = 100;

export class Exploration {
  readonly machine: Machine;
  private readonly extent: Extent;
  private readonly options: ExploreOptions;
  private readonly began = performance.now();
  private readonly traces = new TraceSet();
  private executions = 0;
  private blocked = 0;
  private steps = 0;
  private reported = 0;
  private search: Search;

  /** @throws UnfitError if the subject or the extent is not as it has to be */
  constructor(subject: Subject, extent: Extent, options: ExploreOptions = {}) {
    if (!isExtent(extent)) throw new UnfitError(`its extent is none: ${JSON.stringify(extent)}`);
    this.extent = extent;
    this.options = options;
    const { stepLimit = STEP_LIMIT, knownLimit } = options;
    this.machine = new Machine(subject, { stepLimit, knownLimit });
    this.search = this.newSearch();
  }

  run(): Findings {
    this.learn();
    const { words } = this.machine;
    let findings: Findings | null = null;
    while (findings === null) {
      words.grown = false;
      findings = this.pass();
    }
    return findings;
  }

  /** Runs executions by chance until they show no more shared words. */
  private learn(): void {
    const { machine } = this;
    const search = new Pct(LEARNING.seed, LEARNING.runs, LEARNING.depth);
    machine.stopAtGrowth = false;
    let without = 0;
    do {
      machine.words.grown = machine.words.moreTracked = false;
      machine.runFrom(search);
      without = machine.words.grown || machine.words.moreTracked ? 0 : without + 1;
    } while (without < LEARNING.enough && search.advance(machine));
    machine.stopAtGrowth = true;
  }

  /** Explores with the shared words that are known. @returns null if there are more */
  private pass(): Findings | null {
    this.executions = this.blocked = this.steps = 0;
    this.traces.clear();
    this.options.onPass?.();
    this.search = this.newSearch();
    for (;;) {
      const outcome = this.execute();
      if (outcome === "grown") return null;
      this.count(outcome);
      if (outcome === "failed") return this.findings(false, this.failure());
      if (!this.search.advance(this.machine)) return this.findings(true, null);
      if (this.isOver()) return this.findings(false, null);
    }
  }

  /** One execution. The first one of a pass is made twice, to see whether it depends on chance. */
  private execute(): Outcome {
    const { machine } = this;
    const outcome = this.repeat();
    if (this.executions + this.blocked > 0 || outcome !== "ended") return outcome;
    const trace = machine.order.trace();
    const again = new Follow(scheduleOf(machine));
    const second = machine.run(again);
    if (second === "ended" && machine.order.trace() === trace) return outcome;
    machine.diagnosis.failure = {
      kind: "nondeterminism",
      message: `the first schedule, made again, gave something else: ${again.error?.message ?? second}`,
    };
    return "failed";
  }

  /** One execution, made again until it tracks all words that it should have. */
  private repeat(): Outcome {
    const { machine, search } = this;
    machine.words.moreTracked = false;
    const number = this.executions + this.blocked;
    const checked = number < CHECKED.first || number % CHECKED.oneOf === 0;
    let outcome = checked ? machine.run(search) : machine.runFrom(search);
    while (machine.words.moreTracked && outcome !== "grown") {
      machine.words.moreTracked = false;
      outcome = machine.run(search);
    }
    return outcome;
  }

  private count(outcome: Outcome): void {
    this.steps += this.machine.steps.count;
    if (outcome === "blocked") {
      this.blocked++;
      return;
    }
    this.executions++;
    const trace = this.machine.order.trace();
    this.traces.add(trace);
    this.options.onTrace?.(trace);
  }

  /** Time or number of executions is used up. */
  private isOver(): boolean {
    const { maxExecutions = Infinity, timeLimit = Infinity, onProgress } = this.options;
    const total = this.executions + this.blocked;
    if (total >= maxExecutions) return true;
    if (total % LOOK_EVERY !== 0) return false;
    const milliseconds = performance.now() - this.began;
    if (milliseconds >= timeLimit) return true;
    if (onProgress === undefined || milliseconds - this.reported < PROGRESS_EVERY) return false;
    this.reported = milliseconds;
    return onProgress({ executions: total, milliseconds, fraction: this.search.fraction() }) === false;
  }

  private failure(): Failure {
    const { machine } = this;
    const { kind, message } = machine.diagnosis.failure as MachineFailure;
    return { kind, message, schedule: this.record(), execution: this.executions + this.blocked };
  }

  /** The schedule of the last execution, over all accesses. */
  private record(): string {
    const { machine } = this;
    const log: number[] = [];
    machine.log = log;
    machine.run(new Follow(scheduleOf(machine)));
    machine.log = null;
    return encodeSchedule(log);
  }

  private findings(complete: boolean, failure: Failure | null): Findings {
    return {
      extent: this.extent,
      executions: this.executions,
      blocked: this.blocked,
      traces: this.traces.size,
      steps: this.steps,
      sharedWords: this.machine.words.shared,
      complete,
      milliseconds: performance.now() - this.began,
      failure,
    };
  }

  private newSearch(): Search {
    const { extent } = this;
    const { capacity } = this.machine.steps;
    if (extent.kind === "bounded") return new Dfs(capacity, extent.preemptions);
    if (extent.kind === "sampled") return new Pct(this.options.seed ?? 1, extent.runs, extent.depth);
    return new Dpor(capacity, this.machine.subject.threads.length);
  }
}

function isExtent(extent: Extent): boolean {
  const isCount = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  if (extent.kind === "sampled") return isCount(extent.runs, 1) && isCount(extent.depth, 1);
  if (extent.kind === "bounded") return extent.preemptions === Infinity || isCount(extent.preemptions, 0);
  return (extent.kind as string) === "all";
}
