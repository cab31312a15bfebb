/** Subjects made by hand: threads that call the backend as transformed code does. */
import { runtime } from "../../../src/check/explore/machine/runtime.ts";
import { Exploration } from "../../../src/check/explore/exploration.ts";
import type { ExploreOptions, Findings } from "../../../src/check/explore/exploration.ts";
import { STEP_LIMIT } from "../../../src/check/explore/exploration.ts";
import { replaySubject } from "../../../src/check/explore/replay.ts";
import type { Replay } from "../../../src/check/explore/report.ts";
import type { Fiber, ObjectKinds, Subject } from "../../../src/check/explore/subject.ts";
import type { Extent } from "../../../src/check/scenario.ts";
import { Memory } from "../../../src/sync/atomics.ts";

/** Words of the arena. */
const WORDS = 4096;

/** A part of a thread. */
export type Part<T> = Generator<unknown, T, number | boolean>;

/** Accesses, as the transform would write them: `yield* m.load(at)`. Sites are numbered by operation. */
export class Accesses {
  readonly memory: Memory;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  *load(at: number): Part<number> {
    return (runtime.load(0, this.memory, at) ?? (yield)) as number;
  }
  *store(at: number, value: number): Part<void> {
    void (runtime.store(1, this.memory, at, value) ?? (yield));
  }
  *add(at: number, delta: number): Part<number> {
    return (runtime.add(2, this.memory, at, delta) ?? (yield)) as number;
  }
  *exchange(at: number, value: number): Part<number> {
    return (runtime.exchange(3, this.memory, at, value) ?? (yield)) as number;
  }
  *cas(at: number, expected: number, desired: number): Part<number> {
    return (runtime.compareExchange(4, this.memory, at, expected, desired) ?? (yield)) as number;
  }
  *wait(at: number, expected: number): Part<boolean> {
    return (runtime.wait(5, this.memory, at, expected, 1) ?? (yield)) as boolean;
  }
  *nap(at: number, expected: number): Part<void> {
    void (runtime.nap(6, this.memory, at, expected, 1) ?? (yield));
  }
  *notify(at: number, count: number): Part<number> {
    return (runtime.notify(7, this.memory, at, count) ?? (yield)) as number;
  }
  *and(at: number, bits: number): Part<number> {
    return (runtime.and(8, this.memory, at, bits) ?? (yield)) as number;
  }
  *or(at: number, bits: number): Part<number> {
    return (runtime.or(9, this.memory, at, bits) ?? (yield)) as number;
  }
  plainStore(at: number, value: number): void {
    runtime.plainStore(10, this.memory, at, value);
  }
  plainRead(at: number): number {
    return runtime.byteAt(11, this.memory, at, 0);
  }
  note(at: number, cache: number, state: number): void {
    runtime.noteObject(12, this.memory, at, cache, state);
  }
}

export type ThreadBody = (m: Accesses) => Part<unknown>;

/** The arena, as a verdict sees it. */
export interface Readable {
  load(at: number): number;
}

export interface HandMade {
  readonly threads: Readonly<Record<string, ThreadBody>>;
  /** Writes what is there at first. */
  readonly setup?: (memory: Memory) => void;
  readonly judge?: (results: readonly unknown[], memory: Readable) => string | null;
  readonly timeouts?: number;
  /** Threads that nobody wakes are no failure. */
  readonly mayHang?: boolean;
  readonly nowhere?: number;
  readonly roots?: readonly unknown[];
  /** Words by which threads tell that they hold no pointers. */
  readonly rcuWords?: readonly number[];
  readonly objects?: Partial<ObjectKinds>;
}

/** A subject, set up and ready. */
export function subjectOf(program: HandMade): Subject {
  runtime.disconnect();
  const memory = Memory.reserve(WORDS * 4);
  program.setup?.(memory);
  const accesses = new Accesses(memory);
  return {
    memory,
    threads: Object.entries(program.threads).map(([name, body], i) => ({
      name,
      rcuWord: program.rcuWords?.[i] ?? 0,
      root: null,
      start: () => body(accesses) as Fiber,
    })),
    roots: program.roots ?? [],
    timeouts: program.timeouts ?? 0,
    objects: { headerWords: 2, words: () => 8, typeStable: () => false, name: () => "object", ...program.objects },
    sites: [],
    nowhere: program.nowhere ?? 0,
    nameWord: (at) => `word ${at}`,
    mayHang: program.mayHang ?? false,
    judge: (results) => program.judge?.(results, { load: (at) => runtime.load(13, memory, at) as number }) ?? null,
  };
}

export const ALL: Extent = { kind: "all" };
/** Every interleaving. */
export const FULL: Extent = { kind: "bounded", preemptions: Infinity };

export function exploreHandMade(program: HandMade, extent: Extent = ALL, options: ExploreOptions = {}): Findings {
  return new Exploration(subjectOf(program), extent, options).run();
}

export function replayHandMade(program: HandMade, schedule: string): Replay {
  return replaySubject(subjectOf(program), schedule, STEP_LIMIT);
}

/** What a search has seen. */
export interface Seen {
  readonly traces: ReadonlySet<number>;
  readonly executions: number;
  readonly blocked: number;
}

/** All traces of a program; null if the limits were too narrow. */
export function tracesOf(program: HandMade, extent: Extent, options: ExploreOptions = {}): Seen | null {
  let traces = new Set<number>();
  const exploration = new Exploration(subjectOf(program), extent, {
    ...options,
    onTrace: (trace) => void traces.add(trace),
    onPass: () => void (traces = new Set()),
  });
  const { failure, complete, executions, blocked } = exploration.run();
  if (failure !== null) throw new Error(`${failure.kind}: ${failure.message}`);
  return complete ? { traces, executions, blocked } : null;
}
