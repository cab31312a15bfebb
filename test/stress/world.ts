/**
 * What a stress run is made of. A *world* belongs to one oracle: it makes processes, and has a step of a reader and a
 * step of a writer that are repeated by as many threads as the run has. One row for each world in worlds.ts.
 *
 * A reader's step reads through the shipped code, asks the history what it may have seen, and gives the pure oracle of
 * src/check/oracles both:
 *
 *     const from = c.history.now();
 *     …read…
 *     c.judge(c.history.possible(track, from, c.history.now()), (states) => judge(seen, states));
 *
 * A writer's step changes something and records it in the history; see src/check/history.ts.
 */
import type { SharedHistory, HistoryShape, State } from "../../src/check/history.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import type { Random } from "../../src/kernel/random.ts";
import type { Ptr } from "../../src/sync/atomics.ts";

/** In which form paths are during a run; "switching": each is switched again and again while it is used. */
export type Form = "lockfree" | "locked" | "switching";

/** Counters that paths of the exec_update family must have moved: each way a read can go. */
export function execUpdateEvents(paths: readonly string[], form: Form): string[] {
  const events = {
    lockfree: ["speculated", "retried", "fellBack"],
    locked: ["fellBack"],
    switching: ["speculated", "fellBack"],
  };
  return paths.flatMap((path) => events[form].map((event) => `${path}.${event}`));
}

/** What a thread counts besides its steps: outcomes of reads, by name. */
export type Outcomes = Record<string, number>;

/** A thread of a run, as a world sees it. The thread is online for RCU and between two quiescent states. */
export interface StressThread<Plan> {
  readonly k: Kernel;
  /** What the world's setup returned. */
  readonly plan: Plan;
  readonly history: SharedHistory;
  readonly random: Random;
  readonly form: Form;
  /** Number among the readers, or among the writers. */
  readonly index: number;
  /** A word of the arena that is not 0 from time to time, for a while: waits that watch it are interrupted then. */
  readonly interruptWord: Ptr;
  /** Counts an outcome. */
  count(outcome: string): void;
  /** Reports a violation. */
  violation(text: string): void;
  /** Judges a read: no states means that it can't be judged, which is counted; a text is a violation. */
  judge(states: readonly State[] | null, oracle: (states: readonly State[]) => string | null): void;
}

export interface World<Plan> {
  /** What the oracle watches: these paths take the form of the run. */
  readonly paths: readonly PathId[];
  readonly history: HistoryShape;
  /** Threads of each sort unless the run says otherwise. */
  readonly readers: number;
  readonly writers: number;
  /** What a run in this form must have met: outcomes, and counters of the product, `path.event`. */
  expected(form: Form): readonly string[];
  /** Makes what the threads work on, and publishes the first states. The plan must be cloneable. */
  setup(k: Kernel, history: SharedHistory, writers: number): Plan;
  /** A reader: called once in its thread; what it returns is its step. */
  reader(c: StressThread<Plan>): () => void;
  writer(c: StressThread<Plan>): () => void;
  /** Takes away what setup and the writers made: nothing may be left in the slab caches then. */
  teardown(k: Kernel, plan: Plan): void;
}

/** What one run is told. */
export interface StressJob {
  readonly world: string;
  readonly form: Form;
  /** At least so long, unless it stops at a violation; longer while something that is expected was not met. */
  readonly milliseconds: number;
  /** Ends the run when so many reads are made, or its time is over. */
  readonly reads?: number;
  readonly seed: number;
  /** Check lock order and RCU sections as they happen. */
  readonly lockdep: boolean;
  /** Ends the run with the first violation. */
  readonly stopAtFirst: boolean;
  /** False: nobody who waits is interrupted, so that a deadlock stays one. */
  readonly interrupts?: boolean;
  /** Milliseconds without progress after which a thread counts as hanging. */
  readonly stuckAfter: number;
}

/** What one run found. */
export interface StressResult {
  /** What the oracle said against reads: the first few, as text. */
  readonly violations: readonly string[];
  /** Violations in all. */
  readonly violated: number;
  /** What else went wrong: an error that a thread died of, no progress, objects that were left. */
  readonly failures: readonly string[];
  readonly reads: number;
  readonly writes: number;
  /** Reads that could not be judged, since the history had forgotten what was there. */
  readonly unchecked: number;
  readonly outcomes: Outcomes;
  /** Counters of the product, `path.event`, that are not 0. */
  readonly counters: Record<string, number>;
}
