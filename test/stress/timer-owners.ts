/**
 * Timers that come and go: the writer of the world of timers.
 *
 * Every writer has timers of its own in one process, whose list is all writers'; and a process of its own, which shares its
 * signal handlers with its parent, makes timers, execs (they all go, and the handlers become its own), ends, is
 * reaped, and starts again under the same pid. What a timer is told follows from its value, which is never used again.
 */
import type { SharedHistory, State } from "../../src/check/history.ts";
import type { TimerEntry, TimerState } from "../../src/check/oracles/timers.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { CLONE_SIGHAND, CLONE_VM } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import type { TimerSpec } from "../../src/time/posix-timers.ts";
import { timerCreate, timerDelete, timerSettime } from "../../src/time/posix-timers.ts";
import { execSpec, fork } from "../support/processes.ts";
import { endProcesses } from "./images.ts";
import type { StressThread } from "./world.ts";

/** The most that a run can have. */
const WRITERS = 4;
/** A track for each writer's timers in the common process, then one for those of its own process. */
export const TRACKS = 2 * WRITERS;
/** Timers of a track at most. */
const MOST = 12;
/** Words of a state: how many timers, then id and number of each. */
export const STATE_WORDS = 1 + 2 * MOST;
/** An id that is not known yet. */
const UNKNOWN = -1;

export const TWO_32 = 2 ** 32;
const CLOCKS = [0, 1, 2, 3, 7, 11];
const NOTIFY = [0, 1, 2, 4];

/** A list of timers, and the tracks of those who change it. */
export interface TimerList {
  readonly pid: number;
  readonly tracks: readonly number[];
}

export interface TimersPlan {
  readonly common: TimerList;
  /** One for each writer. */
  readonly own: readonly TimerList[];
  /** The parents of those processes. */
  readonly parents: readonly number[];
}

export function setup(k: Kernel, history: SharedHistory, writers: number): TimersPlan {
  const common = pidOf(k, fork(k, findTask(k, 1)));
  const numbers = Array.from({ length: writers }, (_, writer) => writer);
  for (const track of [...numbers, ...numbers.map(ownTrack)]) {
    history.publish(track, history.begin(), wordsOf([]));
    history.end(track);
  }
  const parents = numbers.map(() => pidOf(k, fork(k, findTask(k, 1))));
  const own = parents.map((parent, writer) => ({ pid: startChild(k, parent, 0), tracks: [ownTrack(writer)] }));
  return { common: { pid: common, tracks: numbers }, own, parents };
}

export function teardown(k: Kernel, { common, own, parents }: TimersPlan): void {
  endProcesses(k, [common.pid, ...own.map(({ pid }) => pid), ...parents]);
}

function pidOf(k: Kernel, task: number): number {
  return k.m.load(task + TASK.pid);
}

function ownTrack(writer: number): number {
  return WRITERS + writer;
}

/** A process that shares memory and signal handlers with its parent. @param pid 0 for any */
function startChild(k: Kernel, parent: number, pid: number): number {
  const started = copyProcess(k, findTask(k, parent), CLONE_VM | CLONE_SIGHAND, pid === 0 ? {} : { pid });
  if (started < 0) throw new Error(`a process could not be started: ${started}`);
  return started;
}

/** What a timer is told: track and number say it all. */
function specOf(track: number, number: number): TimerSpec {
  return {
    clock: CLOCKS[number % CLOCKS.length] as number,
    signo: 1 + (number % 61),
    value: track * TWO_32 + number,
    notify: NOTIFY[number % NOTIFY.length] as number,
    notifyPid: 1 + (number % 1009),
  };
}

interface KnownTimer {
  id: number;
  readonly number: number;
}

function wordsOf(timers: readonly KnownTimer[]): number[] {
  const words = [timers.length, ...timers.flatMap(({ id, number }) => [id, number])];
  while (words.length < STATE_WORDS) words.push(0);
  return words;
}

/** What a state of a track says, for the oracle. */
export function decode(track: number, { from, until, words }: State): TimerState {
  const timers: TimerEntry[] = [];
  for (let i = 0; i < (words[0] as number); i++) {
    const [id, number] = [words[1 + 2 * i] as number, words[2 + 2 * i] as number];
    const { signo, value, notify, notifyPid: pid, clock } = specOf(track, number);
    timers.push({ id: id === UNKNOWN ? null : id, signo, value, notify, pid, clock });
  }
  return { from, until, timers };
}

/** The timers of one track, newest first. */
class Timers {
  private readonly c: StressThread<TimersPlan>;
  private readonly track: number;
  private readonly pid: number;
  private timers: KnownTimer[] = [];
  private next = 0;

  constructor(c: StressThread<TimersPlan>, track: number, pid: number) {
    this.c = c;
    this.track = track;
    this.pid = pid;
  }

  step(): void {
    const { random } = this.c;
    const { length } = this.timers;
    if (random.below(8) === 0 && length > 0) this.arm(this.timers[random.below(length)] as KnownTimer);
    else if (random.below(100) === 0) while (this.timers.length > 0) this.delete(0);
    else if (random.below(MOST) < length) this.delete(random.below(length));
    else this.create();
  }

  task(): number {
    return findTask(this.c.k, this.pid);
  }

  /** All go, the newest first, one after the other: what does that? */
  lose(act: () => void): void {
    const { history } = this.c;
    const all = this.timers;
    this.timers = [];
    for (let left = 1; left < all.length; left++) {
      history.publish(this.track, history.begin(), wordsOf(all.slice(left)));
    }
    this.change(() => {
      act();
      return 0;
    });
  }

  private create(): void {
    const { c, timers, track } = this;
    const timer: KnownTimer = { id: UNKNOWN, number: this.next++ };
    timers.unshift(timer);
    this.change(() => (timer.id = timerCreate(c.k, this.task(), specOf(track, timer.number))));
    // Nothing changes now, but the number is known.
    this.change(() => timer.id);
    c.count("created");
  }

  private delete(index: number): void {
    const { c, timers } = this;
    const [timer] = timers.splice(index, 1) as [KnownTimer];
    this.change(() => timerDelete(c.k, this.task(), timer.id));
    c.count("deleted");
  }

  private arm({ id }: KnownTimer): void {
    const { k, random } = this.c;
    if (timerSettime(k, this.task(), id, random.u32(), random.u32()) !== 0) throw new Error(`no timer ${id} to arm`);
    this.c.count("armed");
  }

  /** Publishes the timers as they are listed now, and makes it so. */
  private change(act: () => number): void {
    const { history } = this.c;
    history.publish(this.track, history.begin(), wordsOf(this.timers));
    const result = act();
    history.end(this.track);
    if (result < 0) throw new Error(`a timer could not be created or deleted: ${result}`);
  }
}

/** A writer's step: in the common process, or in its own. */
export function writer(c: StressThread<TimersPlan>): () => void {
  const { k, plan, index, random } = c;
  const { pid } = plan.own[index] as TimerList;
  const parent = plan.parents[index] as number;
  const inCommon = new Timers(c, index, plan.common.pid);
  const inOwn = new Timers(c, ownTrack(index), pid);
  const exec = (): void => {
    inOwn.lose(() => execTask(k, inOwn.task(), execSpec(k)));
    c.count("exec");
  };
  const exit = (): void => {
    inOwn.lose(() => exitGroup(k, inOwn.task(), 0));
    if (reap(k, inOwn.task()) !== 0) throw new Error(`process ${pid} could not be reaped`);
    startChild(k, parent, pid);
    c.count("exit");
  };
  return () => {
    const what = random.below(16);
    if (what < 8) inCommon.step();
    else if (what < 14) inOwn.step();
    else if (what === 14) exec();
    else exit();
  };
}
