/** A run of a given schedule, with all that is to be known of each access. */
import type { Ptr } from "../../sync/atomics.ts";
import { Follow } from "./search/follow.ts";
import type { Observer } from "./machine/machine.ts";
import { Machine } from "./machine/machine.ts";
import { MAX_THREADS, OPERANDS, OP_NAMES, Op } from "./machine/operation.ts";
import type { Failure, Replay, Site, TraceStep } from "./report.ts";
import { ScheduleError, decodeSchedule } from "./schedule.ts";
import { callers } from "./stack.ts";
import type { Subject } from "./subject.ts";

/** How many accesses are told of a run in which no word is contended. */
const LAST = 20;

/** What stands for an access whose place is not known. */
const NOWHERE: Site = { file: "?", line: 1, column: 1, fn: "?", text: "?" };

interface Recorded {
  readonly step: TraceStep;
  readonly thread: number;
  readonly at: Ptr;
  readonly writes: boolean;
  readonly sleeps: boolean;
}

/**
 * @param livelock accesses after which threads that have no end yet are in a livelock
 * @throws ScheduleError
 */
export function replaySubject(subject: Subject, schedule: string, livelock: number): Replay {
  const threads = decodeSchedule(schedule, subject.threads.length);
  const follow = new Follow(threads, true);
  const machine = new Machine(subject, { stepLimit: Math.max(threads.length, livelock) });
  const recorder = new Recorder(machine);
  machine.everyAccess = true;
  machine.stopAtGrowth = false;
  machine.observer = recorder;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Infinity;
  try {
    // Twice: the first run finds out what has to be tracked.
    machine.run(follow);
    recorder.clear();
    machine.run(follow);
  } finally {
    Error.stackTraceLimit = limit;
  }
  if (follow.error !== null) throw follow.error;
  const { steps } = machine;
  const { failure } = machine.diagnosis;
  if (failure === null && steps.count < threads.length) {
    throw new ScheduleError(`the schedule does not fit: nobody can make access ${steps.count + 1}`);
  }
  const told: Omit<Failure, "execution"> | null = failure === null ? null : { ...failure, schedule };
  return { steps: recorder.contended(), beyond: Math.max(0, steps.count - threads.length), failure: told };
}

/** Writes down what a machine does. */
class Recorder implements Observer {
  private readonly machine: Machine;
  private readonly records: Recorded[] = [];
  /** Of each thread, the stack of the access that it is about to make. */
  private readonly stacks: string[] = new Array<string>(MAX_THREADS).fill("");

  constructor(machine: Machine) {
    this.machine = machine;
  }

  clear(): void {
    this.records.length = 0;
  }

  reached(thread: number): void {
    this.stacks[thread] = new Error().stack ?? "";
  }

  stepped(i: number): void {
    const { steps } = this.machine;
    const op = steps.op[i];
    const operands = [steps.a[i], steps.b[i]].slice(0, OPERANDS[op]);
    const result = resultOf(op, steps.result[i]);
    const sleeps = op === Op.wait || op === Op.nap || op === Op.notify || op === Op.timeout;
    const writes = op >= Op.store && op <= Op.compareExchange;
    this.add(steps.thread[i], op, steps.site[i], steps.at[i], operands, result, writes, sleeps);
  }

  woken(thread: number, at: Ptr, site: number): void {
    this.add(thread, Op.wake, site, at, [], "goes on", false, true);
  }

  plain(thread: number, site: number, at: Ptr, write: boolean): void {
    this.stacks[thread] = new Error().stack ?? "";
    this.add(thread, write ? Op.plainWrite : Op.plainRead, site, at, [], null, write, false);
  }

  /** The accesses to words that several threads access, and one of them writes; the last ones of all if there are none. */
  contended(): TraceStep[] {
    const users = new Map<Ptr, { threads: number; writers: number; slept: boolean }>();
    for (const { thread, at, writes, sleeps } of this.records) {
      const user = users.get(at) ?? { threads: 0, writers: 0, slept: false };
      user.threads |= 1 << thread;
      if (writes) user.writers |= 1 << thread;
      user.slept ||= sleeps;
      users.set(at, user);
    }
    const shown = this.records.filter(({ at }) => {
      const { threads, writers, slept } = users.get(at) ?? { threads: 0, writers: 0, slept: false };
      return slept || (writers !== 0 && (threads & (threads - 1)) !== 0);
    });
    return (shown.length > 0 ? shown : this.records.slice(-LAST)).map(({ step }) => step);
  }

  private add(
    thread: number,
    op: number,
    site: number,
    at: Ptr,
    operands: readonly number[],
    result: number | string | null,
    writes: boolean,
    sleeps: boolean,
  ): void {
    const { subject } = this.machine;
    const access = subject.sites[site] ?? NOWHERE;
    const step: TraceStep = {
      thread: subject.threads[thread].name,
      stack: [access, ...callers(this.stacks[thread], access)],
      operation: OP_NAMES[op],
      word: this.machine.diagnosis.nameWord(at),
      operands,
      result,
    };
    this.records.push({ step, thread, at, writes, sleeps });
  }
}

function resultOf(op: number, result: number): number | string | null {
  if (op === Op.store) return null;
  if (op === Op.wait || op === Op.nap) return result === 1 ? "sleeps" : "goes on";
  if (op === Op.timeout) return "timed out";
  return op === Op.loadU32 ? result >>> 0 : result;
}
