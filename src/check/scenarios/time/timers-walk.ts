/** Reading a process's timers as /proc/<pid>/timers does, and judging what was seen. */
import { ESRCH } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Cache } from "../../../kernel/caches.ts";
import { SIGHAND, SIGNAL, TASK, TIMER } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { TimerSpec } from "../../../time/posix-timers.ts";
import { TimerSnapshot, TimersWalk, readTimer, timerCreate } from "../../../time/posix-timers.ts";
import type { TimerEntry, TimerState } from "../../oracles/timers.ts";
import { judgeTimerEntry, judgeTimersMoment, judgeTimersWalk } from "../../oracles/timers.ts";
import { words } from "../../model.ts";
import type { Form } from "../../scenario.ts";
import { start, taskOfPid } from "../kernel/pid-kit.ts";
import type { Span } from "../sync/progress.ts";
import { PROGRESS_WORDS, newestState, oldestState, statesOf } from "../sync/progress.ts";

const TWO_32 = 2 ** 32;
/** A walk that is longer goes round in circles. */
const ENDLESS = 8;

/** A process with timers, and how far those who change them have come. */
export interface TimersPlan {
  readonly pid: number;
  readonly signal: Ptr;
  readonly sighand: Ptr;
  /** Those that setup has made. */
  readonly timers: readonly Ptr[];
  /** For each writer. */
  readonly progress: readonly Ptr[];
}

/** An entry, and the oldest states of each writer that may have been when it was read. */
interface SeenTimer {
  readonly entry: TimerEntry;
  readonly oldest: readonly number[];
}

/** All that one reading of the file saw. */
export interface SeenTimers {
  /** One for each piece. */
  readonly pieces: readonly (readonly SeenTimer[])[];
  /** For each writer. */
  readonly spans: readonly Span[];
  /** Timers that were found, but were no longer valid. */
  readonly skipped: number;
  /** The process had been released: -ESRCH. */
  readonly released: boolean;
}

/** What a timer is told: its number says it all. */
export function timerSpec(number: number): TimerSpec {
  return {
    clock: number % 2,
    signo: 10 + number,
    value: number * TWO_32 + number,
    notify: number % 3,
    notifyPid: 100 + number,
  };
}

/** How the file shows it. Ids are given out in the order in which timers are created: number 1 has id 0. */
export function timerEntry(number: number, id: number | null = number - 1): TimerEntry {
  const { clock, signo, value, notify, notifyPid: pid } = timerSpec(number);
  return { id, signo, value, notify, pid, clock };
}

/** A child of init with timers 1 to `count`. @param flags CLONE_*: what it shares with init */
export function timersProcess(k: Kernel, count: number, writers: number, flags = 0): TimersPlan {
  const pid = start(k, 1, flags, {});
  const task = taskOfPid(k, pid);
  for (let number = 1; number <= count; number++) timerCreate(k, task, timerSpec(number));
  const first = words(k, writers * PROGRESS_WORDS);
  const progress: Ptr[] = [];
  for (let i = 0; i < writers; i++) progress.push(first + i * PROGRESS_WORDS);
  const signal = k.m.load(task + TASK.signal);
  const timers: Ptr[] = [];
  for (let timer = k.m.load(signal + SIGNAL.posixTimers); timer !== 0; timer = k.m.load(timer + TIMER.list)) {
    timers.push(timer);
  }
  return { pid, signal, sighand: k.m.load(task + TASK.sighand), timers, progress };
}

/** Reads all timers of the process, at most so many at a time: from start to stop, as a read that has room for these. */
export function readTimers(k: Kernel, plan: TimersPlan, most: number): SeenTimers {
  const walk = new TimersWalk();
  const oldest = oldestStates(k, plan);
  const pieces: SeenTimer[][] = [];
  let released = false;
  let skipped = 0;
  for (let index = 0; index >= 0;) {
    const piece: SeenTimer[] = [];
    const task = findTask(k, plan.pid);
    let timer = task === 0 ? -ESRCH : walk.start(k, task, index);
    released ||= timer === -ESRCH;
    for (let count = 0; timer > 0 && piece.length < most && count < ENDLESS; count++) {
      if (!readEntry(k, plan, timer, piece)) skipped++;
      timer = walk.next(k, timer);
      index++;
    }
    walk.stop(k);
    pieces.push(piece);
    if (timer <= 0 || index >= ENDLESS) index = -1;
    k.quiescent();
  }
  const spans: Span[] = [];
  for (let i = 0; i < plan.progress.length; i++) {
    spans.push({ oldest: oldest[i] as number, newest: newestState(k, plan.progress[i] as Ptr) });
  }
  return { pieces, spans, skipped, released };
}

function oldestStates(k: Kernel, plan: TimersPlan): number[] {
  const oldest: number[] = [];
  for (let i = 0; i < plan.progress.length; i++) oldest.push(oldestState(k, plan.progress[i] as Ptr));
  return oldest;
}

/** @returns false if the timer was no longer valid */
function readEntry(k: Kernel, plan: TimersPlan, timer: Ptr, piece: SeenTimer[]): boolean {
  const snapshot = new TimerSnapshot();
  const oldest = oldestStates(k, plan);
  if (!readTimer(k, timer, snapshot)) return false;
  const { id, signo, valueLow, valueHigh, notify, pid, clock } = snapshot;
  piece.push({ entry: { id, signo, value: valueHigh * TWO_32 + valueLow, notify, pid, clock }, oldest });
  return true;
}

/** The numbers of a writer's timers in each of its states, newest first. */
export type WriterTimers = readonly (readonly number[])[];

/** A writer's states as the oracle has them; each may have been at any time within the span that is asked for. */
function statesIn(writer: WriterTimers, span: Span, ids: ReadonlyMap<number, number>): TimerState[] {
  return statesOf(writer, span).map((numbers) => ({
    from: 0,
    until: Infinity,
    timers: numbers.map((number) => timerEntry(number, ids.get(number) ?? number - 1)),
  }));
}

/**
 * Judges one reading of the file.
 * @param writers for each writer the states that it goes through
 * @param ids of timers that don't follow from their numbers
 * @param ends true if the process may be gone
 */
export function judgeTimers(
  seen: SeenTimers,
  writers: readonly WriterTimers[],
  form: Form,
  ids: ReadonlyMap<number, number> = new Map(),
  ends = false,
): string | null {
  if (seen.released && !ends) return "the process was said to be gone";
  if (seen.released && seen.pieces.flat().length > 0) return "a process was read and released in one walk";
  if (form === "locked" && seen.skipped > 0) return "a timer was deleted while its list was locked";
  for (const { entry, oldest } of seen.pieces.flat()) {
    const during = writers.map((states, i) => {
      const { newest } = seen.spans[i] as Span;
      return statesIn(states, { oldest: oldest[i] as number, newest }, ids);
    });
    const wrong = judgeTimerEntry(entry, during);
    if (wrong !== null) return wrong;
  }
  const states = writers.map((timers, i) => statesIn(timers, seen.spans[i] as Span, ids));
  const pieces = seen.pieces.map((piece) => piece.map(({ entry }) => entry));
  if (seen.released) return null;
  const wrong = judgeTimersWalk(pieces, states);
  if (wrong !== null || form === "lockfree" || pieces.length > 1) return wrong;
  return judgeTimersMoment(pieces.flat(), states);
}

/** What is left when all have ended: these timers, newest first, linked both ways, and no lock held. */
export function judgeLeftTimers(k: Kernel, plan: TimersPlan, numbers: readonly number[]): string | null {
  const { m } = k;
  const left: number[] = [];
  const found: Ptr[] = [];
  let link = plan.signal + SIGNAL.posixTimers;
  for (let timer = m.load(link); timer !== 0 && left.length < ENDLESS; timer = m.load(link)) {
    if (!k.slab.isAlive(timer, Cache.timer)) return `timer ${m.load(timer + TIMER.itId)} is listed, but not alive`;
    if (m.load(timer + TIMER.pprev) !== link) return `timer ${m.load(timer + TIMER.itId)} doesn't know who leads to it`;
    if (m.load(timer + TIMER.itLock) !== 0) return `timer ${m.load(timer + TIMER.itId)} is still locked`;
    if (m.load(timer + TIMER.itSignal) !== plan.signal)
      return `timer ${m.load(timer + TIMER.itId)} is listed, but not valid`;
    found.push(timer);
    left.push(m.load(timer + TIMER.sigValue));
    link = timer + TIMER.list;
  }
  if (left.join(" ") !== numbers.join(" ")) return `timers ${left.join(" ")} are left, not ${numbers.join(" ")}`;
  for (const timer of plan.timers) {
    const kept = !found.includes(timer) && k.slab.isAlive(timer, Cache.timer);
    if (kept) return `timer ${m.load(timer + TIMER.itId)} is gone, but was never freed`;
  }
  return m.load(plan.sighand + SIGHAND.siglock) === 0 ? null : "siglock is still held";
}
