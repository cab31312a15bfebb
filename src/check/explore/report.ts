/** What an exploration says: numbers, a verdict, and, if something is wrong, an interleaving that shows it. */
import type { Extent, Form } from "../scenario.ts";

/** A place in the sources that reaches shared memory. */
export interface Site {
  /** Path from the root of the checkout. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** The function around it. */
  readonly fn: string;
  /** The access as it is written, on one line. */
  readonly text: string;
}

export type FailureKind =
  /** Threads sleep or spin, and nobody is left to let them go on. A lost wake-up is one. */
  | "deadlock"
  /** A run has more steps than any that ends. */
  | "livelock"
  /** Memory was looked at that had been given back, or was retired before the thread's last quiescent state. */
  | "use after free"
  /** The beginning of the arena was accessed, where nothing lies: a field of NULL. */
  | "null pointer"
  /** A plain access and another one to the same word, at least one of them a store, with nothing that orders them. */
  | "data race"
  /** lockdep: order of locks, sleeping inside RCU, something held at the end. */
  | "locking"
  /** Shipped code threw something else. */
  | "error"
  /** The scenario's check says so. */
  | "oracle"
  /** The same schedule did something else the second time: the scenario, or the code, has a source of chance. */
  | "nondeterminism";

/** Something that is wrong, and how to see it again. */
export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  /** The schedule, for a replay: see schedule.ts. */
  readonly schedule: string;
  /** Number of the execution that showed it, from 1. */
  readonly execution: number;
}

/** The result of one exploration. */
export interface Report {
  readonly scenario: string;
  readonly form: Form;
  readonly extent: Extent;
  /** Executions that ran to an end. */
  readonly executions: number;
  /** Executions that were given up since all that was left had been explored before (sleep sets). */
  readonly blocked: number;
  /** Different ones among the executions, up to the order of accesses that don't conflict. */
  readonly traces: number;
  /** Accesses that were scheduled, over all executions. */
  readonly steps: number;
  /** Words that threads contend for: only accesses to these are steps. */
  readonly sharedWords: number;
  /** True if everything within the extent has been explored. */
  readonly complete: boolean;
  readonly milliseconds: number;
  readonly failure: Failure | null;
}

/** How far an exploration has come. */
export interface Progress {
  readonly executions: number;
  readonly milliseconds: number;
  /** 0 to 1, an estimate from the branches left; of all runs if it is sampled. */
  readonly fraction: number;
}

/** One access of a replayed run. */
export interface TraceStep {
  readonly thread: string;
  /** Where, innermost first: the access, then the calls that led to it, within the sources. */
  readonly stack: readonly Site[];
  /** load, store, add, compareExchange, wait, wake, … */
  readonly operation: string;
  /** The word, as people know it: `signal 1.execUpdateSeq`, or its address. */
  readonly word: string;
  /** What is stored, added or expected, where the operation has it. */
  readonly operands: readonly number[];
  /** What the access gave, or null for a store; for a wait "sleeps", "goes on" or "timed out". */
  readonly result: number | string | null;
}

/** A run of a given schedule. */
export interface Replay {
  readonly steps: readonly TraceStep[];
  /** Accesses that the run made after those of the schedule, to come to its end. */
  readonly beyond: number;
  readonly failure: Omit<Failure, "execution"> | null;
}
