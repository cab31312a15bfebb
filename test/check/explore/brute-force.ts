/**
 * Another explorer, as simple as can be: every state that threads can reach, each access a step, plain ones and notes of
 * objects too. It shares nothing with the explorer but the definition of what is wrong, and says what a program can do.
 */
import { ObjectState } from "../../../src/sync/atomics.ts";
import type { Accesses, HandMade, Part } from "./fibers.ts";

/** What threads of a program call, whoever runs it. */
export interface Actor {
  load(at: number): Part<number>;
  store(at: number, value: number): Part<void>;
  add(at: number, delta: number): Part<number>;
  exchange(at: number, value: number): Part<number>;
  cas(at: number, expected: number, desired: number): Part<number>;
  wait(at: number, expected: number): Part<boolean>;
  nap(at: number, expected: number): Part<void>;
  notify(at: number, count: number): Part<number>;
  plainStore(at: number, value: number): Part<void>;
  plainRead(at: number): Part<number>;
  note(at: number, state: number): Part<void>;
}

export interface Program {
  readonly threads: readonly ((actor: Actor) => Part<unknown>)[];
  /** Contents at first, by word. */
  readonly words: Readonly<Record<number, number>>;
  /** Words by which threads tell that they hold no pointers. */
  readonly rcuWords: readonly number[];
  readonly timeouts: number;
}

/** Objects have eight words, of which the first two are the allocator's. */
const OBJECT_WORDS = 8;
const HEADER_WORDS = 2;
/** Words that programs use, and objects among them. */
export const WORDS = 64;
export const FIRST_OBJECT = 32;

/** The same program for the explorer. */
export function handMade(program: Program, onEnd: (outcome: string) => void): HandMade {
  return {
    threads: Object.fromEntries(program.threads.map((body, i) => [`t${i}`, (m: Accesses) => body(new Explored(m))])),
    setup: (memory) => {
      for (const [at, value] of Object.entries(program.words)) memory.store(Number(at), value);
    },
    judge: (results, memory) => {
      onEnd(JSON.stringify([results, Array.from({ length: WORDS }, (_, at) => memory.load(at))]));
      return null;
    },
    rcuWords: program.rcuWords,
    timeouts: program.timeouts,
  };
}

/** Accesses as the explorer wants them. */
class Explored implements Actor {
  private readonly m: Accesses;

  constructor(m: Accesses) {
    this.m = m;
  }
  load(at: number): Part<number> {
    return this.m.load(at);
  }
  store(at: number, value: number): Part<void> {
    return this.m.store(at, value);
  }
  add(at: number, delta: number): Part<number> {
    return this.m.add(at, delta);
  }
  exchange(at: number, value: number): Part<number> {
    return this.m.exchange(at, value);
  }
  cas(at: number, expected: number, desired: number): Part<number> {
    return this.m.cas(at, expected, desired);
  }
  wait(at: number, expected: number): Part<boolean> {
    return this.m.wait(at, expected);
  }
  nap(at: number, expected: number): Part<void> {
    return this.m.nap(at, expected);
  }
  notify(at: number, count: number): Part<number> {
    return this.m.notify(at, count);
  }
  // eslint-disable-next-line require-yield -- plain accesses are no steps there
  *plainStore(at: number, value: number): Part<void> {
    this.m.plainStore(at, value);
  }
  // eslint-disable-next-line require-yield -- plain accesses are no steps there
  *plainRead(at: number): Part<number> {
    return this.m.plainRead(at);
  }
  // eslint-disable-next-line require-yield -- notes are no steps there
  *note(at: number, state: number): Part<void> {
    this.m.note(at, 1, state);
  }
}

/** A request of a thread's. */
type Request = readonly [op: keyof Actor, at: number, a: number, b: number];

/** Accesses as requests: each is yielded, and answered. */
const requests: Actor = {
  *load(at) {
    return (yield ["load", at, 0, 0] satisfies Request) as number;
  },
  *store(at, value) {
    yield ["store", at, value, 0] satisfies Request;
  },
  *add(at, delta) {
    return (yield ["add", at, delta, 0] satisfies Request) as number;
  },
  *exchange(at, value) {
    return (yield ["exchange", at, value, 0] satisfies Request) as number;
  },
  *cas(at, expected, desired) {
    return (yield ["cas", at, expected, desired] satisfies Request) as number;
  },
  *wait(at, expected) {
    return (yield ["wait", at, expected, 0] satisfies Request) as boolean;
  },
  *nap(at, expected) {
    yield ["nap", at, expected, 0] satisfies Request;
  },
  *notify(at, count) {
    return (yield ["notify", at, count, 0] satisfies Request) as number;
  },
  *plainStore(at, value) {
    yield ["plainStore", at, value, 0] satisfies Request;
  },
  *plainRead(at) {
    return (yield ["plainRead", at, 0, 0] satisfies Request) as number;
  },
  *note(at, state) {
    yield ["note", at, state, 0] satisfies Request;
  },
};

/** Where a program is: what each thread has been answered says where the thread is. */
interface State {
  readonly answers: readonly (readonly (number | boolean)[])[];
  readonly words: readonly number[];
  /** Threads that sleep, first come first. */
  readonly sleepers: readonly number[];
  readonly timeouts: readonly number[];
  /** By first word: what has become of each object, and who has been quiescent since it was retired. */
  readonly objects: Readonly<Record<number, readonly [state: number, quiescent: number]>>;
}

export interface Possible {
  /** Kinds of failures that some interleaving has. */
  readonly failures: ReadonlySet<string>;
  /** Results of all interleavings that end. */
  readonly outcomes: ReadonlySet<string>;
}

/** All that a program can do; null if it has more states than `limit`. */
export function bruteForce(program: Program, limit: number): Possible | null {
  const failures = new Set<string>();
  const outcomes = new Set<string>();
  const seen = new Set<string>();
  const open: State[] = [firstState(program)];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const key = JSON.stringify(state);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > limit) return null;
    const threads = program.threads.map((body, i) => replay(body, state.answers[i] ?? []));
    const next = successors(program, state, threads, failures);
    if (next.length > 0) open.push(...next);
    else if (threads.every(({ done }) => done)) {
      outcomes.add(JSON.stringify([threads.map(({ value }) => value ?? null), state.words]));
    } else failures.add("deadlock");
  }
  return { failures, outcomes };
}

function firstState({ threads, words, timeouts }: Program): State {
  return {
    answers: threads.map(() => []),
    words: Array.from({ length: WORDS }, (_, at) => words[at] ?? 0),
    sleepers: [],
    timeouts: threads.map(() => timeouts),
    objects: {},
  };
}

interface Thread {
  readonly done: boolean;
  /** The result, or the request that is to be answered next. */
  readonly value: unknown;
}

function replay(body: Program["threads"][number], answers: readonly (number | boolean)[]): Thread {
  const fiber = body(requests);
  let next = fiber.next();
  for (const answer of answers) next = fiber.next(answer);
  return { done: next.done === true, value: next.value };
}

function successors(program: Program, state: State, threads: readonly Thread[], failures: Set<string>): State[] {
  const next: State[] = [];
  threads.forEach(({ done, value }, thread) => {
    if (done) return;
    const request = value as Request;
    if (state.sleepers.includes(thread)) {
      if ((state.timeouts[thread] as number) > 0) next.push(timedOut(state, thread));
      return;
    }
    threads.forEach((other, i) => {
      if (i < thread && !other.done && !state.sleepers.includes(i) && races(request, other.value as Request))
        failures.add("data race");
    });
    if (touchesFreed(state, thread, request)) failures.add("use after free");
    const after = perform(program, state, thread, request);
    if (after !== null) next.push(after);
  });
  return next;
}

const isPlain = ([op]: Request): boolean => op === "plainStore" || op === "plainRead";

/** Two accesses that are to be made next, one of them plain, one of them a write. */
function races(one: Request, other: Request): boolean {
  if (one[1] !== other[1] || !(isPlain(one) || isPlain(other))) return false;
  const kinds = [one, other].map(kindOf);
  return !kinds.includes("none") && kinds.includes("write");
}

/** A compareExchange is taken to write where programs compare plainly accessed words: they don't. */
function kindOf([op]: Request): "none" | "read" | "write" {
  if (op === "note" || op === "notify") return "none";
  return op === "load" || op === "plainRead" || op === "wait" || op === "nap" ? "read" : "write";
}

function objectOf(at: number): number {
  return at - (at % OBJECT_WORDS);
}

function touchesFreed(state: State, thread: number, [op, at]: Request): boolean {
  if (at < FIRST_OBJECT || op === "note" || at % OBJECT_WORDS < HEADER_WORDS) return false;
  const [status, quiescent] = state.objects[objectOf(at)] ?? [ObjectState.allocated, 0];
  return status === ObjectState.freed || (status === ObjectState.retired && ((quiescent >>> thread) & 1) !== 0);
}

function timedOut(state: State, thread: number): State {
  return {
    ...answered(state, thread, false),
    sleepers: state.sleepers.filter((sleeper) => sleeper !== thread),
    timeouts: state.timeouts.with(thread, (state.timeouts[thread] as number) - 1),
  };
}

function answered(state: State, thread: number, answer: number | boolean): State {
  return { ...state, answers: state.answers.with(thread, [...(state.answers[thread] ?? []), answer]) };
}

/** What a step leads to; null if it can't be made now. */
function perform(program: Program, state: State, thread: number, [op, at, a, b]: Request): State | null {
  const before = state.words[at] as number;
  const put = (value: number): State => written(program, state, thread, at, value);
  switch (op) {
    case "load":
    case "plainRead":
      return answered(state, thread, before);
    case "store":
    case "plainStore":
      return answered(put(a), thread, 0);
    case "add":
      return answered(put(before + a), thread, before);
    case "exchange":
      return answered(put(a), thread, before);
    case "cas":
      return answered(before === a ? put(b) : state, thread, before);
    case "nap":
      return before === a ? null : answered(state, thread, 0);
    case "wait":
      return before === a ? { ...state, sleepers: [...state.sleepers, thread] } : answered(state, thread, true);
    case "notify":
      return notified(program, state, thread, at, a);
    case "note":
      return answered({ ...state, objects: { ...state.objects, [at]: [a, offline(program, state)] } }, thread, 0);
  }
}

function notified(program: Program, state: State, thread: number, at: number, count: number): State {
  const on = (sleeper: number): boolean => {
    const body = program.threads[sleeper] as Program["threads"][number];
    return (replay(body, state.answers[sleeper] ?? []).value as Request)[1] === at;
  };
  const woken = state.sleepers.filter(on).slice(0, count);
  let after: State = { ...state, sleepers: state.sleepers.filter((sleeper) => !woken.includes(sleeper)) };
  for (const sleeper of woken) after = answered(after, sleeper, true);
  return answered(after, thread, woken.length);
}

/** Threads that hold no pointers now. */
function offline(program: Program, state: State): number {
  return program.rcuWords.reduce((set, at, thread) => (state.words[at] === 0 ? set | (1 << thread) : set), 0);
}

function written(program: Program, state: State, thread: number, at: number, value: number): State {
  const words = state.words.with(at, value);
  if (program.rcuWords[thread] !== at) return { ...state, words };
  const objects = Object.fromEntries(
    Object.entries(state.objects).map(([object, [status, quiescent]]) => [
      object,
      [status, quiescent | (1 << thread)] as const,
    ]),
  );
  return { ...state, words, objects };
}
