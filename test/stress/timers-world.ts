/**
 * /proc/<pid>/timers of a process in which every writer creates, arms and deletes timers of his own, in one list for all.
 * What a timer is told follows from its value, which is never used again.
 */
import type { SharedHistory, State } from "../../src/check/history.ts";
import type { TimerEntry, TimerState, TimerStates } from "../../src/check/oracles/timers.ts";
import { judgeTimerEntry, judgeTimersMoment, judgeTimersWalk } from "../../src/check/oracles/timers.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import type { TimerSpec } from "../../src/time/posix-timers.ts";
import {
  TimerSnapshot,
  TimersWalk,
  readTimer,
  timerCreate,
  timerDelete,
  timerSettime,
} from "../../src/time/posix-timers.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import { fork } from "../support/processes.ts";
import { endProcesses } from "./images.ts";
import type { StressThread, World } from "./world.ts";

const WRITERS = 4;
/** Timers that one writer has at most. */
const MOST = 12;
/** Words of a state: how many timers, then id and number of each. */
const STATE_WORDS = 1 + 2 * MOST;
/** An id that is not known yet. */
const UNKNOWN = -1;
/** States of objects in the slab, as their header has them. */
const STATE_SHIFT = 8;
const FREE = 0;
/** Steps after which a walk goes round in circles. */
const ENDLESS = 100_000;

const TWO_32 = 2 ** 32;
const CLOCKS = [0, 1, 2, 3, 7, 11];
const NOTIFY = [0, 1, 2, 4];

interface TimersPlan {
  readonly pid: number;
  readonly writers: number;
}

/** What a timer is told: the number says it all. */
function specOf(writer: number, number: number): TimerSpec {
  return {
    clock: CLOCKS[number % CLOCKS.length] as number,
    signo: 1 + (number % 61),
    value: writer * TWO_32 + number,
    notify: NOTIFY[number % NOTIFY.length] as number,
    notifyPid: 1 + (number % 1009),
  };
}

function setup(k: Kernel, history: SharedHistory, writers: number): TimersPlan {
  const task = fork(k, findTask(k, 1));
  for (let track = 0; track < writers; track++) {
    history.publish(track, history.begin(), Array<number>(STATE_WORDS).fill(0));
    history.end(track);
  }
  return { pid: k.m.load(task + TASK.pid), writers };
}

interface OwnTimer {
  id: number;
  readonly number: number;
}

class Writer {
  private readonly c: StressThread<TimersPlan>;
  private readonly task: number;
  private readonly timers: OwnTimer[] = [];
  private next = 0;

  constructor(c: StressThread<TimersPlan>) {
    this.c = c;
    this.task = findTask(c.k, c.plan.pid);
  }

  step(): void {
    const { k, random } = this.c;
    const { length } = this.timers;
    if (random.below(8) === 0 && length > 0) this.arm(this.timers[random.below(length)] as OwnTimer);
    else if (random.below(100) === 0) while (this.timers.length > 0) this.delete(0);
    else if (random.below(MOST) < length) this.delete(random.below(length));
    else this.create();
    k.slab.reclaim();
  }

  private create(): void {
    const { c, timers, task } = this;
    const timer: OwnTimer = { id: UNKNOWN, number: this.next++ };
    timers.unshift(timer);
    this.change(() => (timer.id = timerCreate(c.k, task, specOf(c.index, timer.number))));
    // Nothing changes now, but the number is known.
    this.change(() => timer.id);
    c.count("created");
  }

  private delete(index: number): void {
    const { c, timers, task } = this;
    const [timer] = timers.splice(index, 1) as [OwnTimer];
    this.change(() => timerDelete(c.k, task, timer.id));
    c.count("deleted");
  }

  private arm({ id }: OwnTimer): void {
    const { c, task } = this;
    if (timerSettime(c.k, task, id, c.random.u32(), c.random.u32()) !== 0) throw new Error(`no timer ${id} to arm`);
    c.count("armed");
  }

  /** Publishes the timers as they are listed now, and makes it so. */
  private change(act: () => number): void {
    const { history, index } = this.c;
    const words = [this.timers.length, ...this.timers.flatMap(({ id, number }) => [id, number])];
    while (words.length < STATE_WORDS) words.push(0);
    history.publish(index, history.begin(), words);
    const result = act();
    history.end(index);
    if (result < 0) throw new Error(`a timer could not be created or deleted: ${result}`);
  }
}

function decode(writer: number, { from, until, words }: State): TimerState {
  const timers: TimerEntry[] = [];
  for (let i = 0; i < (words[0] as number); i++) {
    const [id, number] = [words[1 + 2 * i] as number, words[2 + 2 * i] as number];
    const { signo, value, notify, notifyPid: pid, clock } = specOf(writer, number);
    timers.push({ id: id === UNKNOWN ? null : id, signo, value, notify, pid, clock });
  }
  return { from, until, timers };
}

/** An entry, and when it was read. */
interface TimedEntry extends TimerEntry {
  readonly from: number;
  readonly to: number;
}

const ENTRY = /ID: (\d+)\nsignal: (\d+)\/([0-9a-f]+)\nnotify: (\w+)\/(\w+)\.(\d+)\nClockID: (\d+)\n/g;
const NOTIFY_NAMES = ["signal", "none", "thread"];

/** The entries of the file's text. */
function entriesOf(text: string, from: number, to: number): TimedEntry[] {
  return Array.from(text.matchAll(ENTRY), ([, id, signo, value, how, whom, pid, clock]) => {
    const notify = NOTIFY_NAMES.indexOf(how as string) + (whom === "tid" ? 4 : 0);
    const [low, high] = [
      parseInt((value as string).slice(-8), 16),
      parseInt((value as string).slice(0, -8) || "0", 16),
    ];
    return {
      ...{ id: Number(id), signo: Number(signo), value: high * TWO_32 + low, notify, pid: Number(pid) },
      ...{ clock: Number(clock), from, to },
    };
  });
}

/** How a reader goes about it. */
const KINDS = ["file", "pieces", "pieces", "whole", "whole", "whole"] as const;

class Reader {
  private readonly c: StressThread<TimersPlan>;
  private readonly walk = new TimersWalk();
  private readonly timer = new TimerSnapshot();
  private readonly client: VfsClient;

  constructor(c: StressThread<TimersPlan>) {
    this.c = c;
    this.client = fileSystem(c.k, tablesOf(TEST_HOST)).client;
  }

  step(): void {
    const { c } = this;
    const { history, random, form } = c;
    const begun = history.now();
    const kind = KINDS[random.below(KINDS.length)] as (typeof KINDS)[number];
    const pieces =
      kind === "file" ? this.readFile() : this.readList(kind === "pieces" ? 1 + random.below(8) : Infinity);
    const states = this.statesBetween(begun, history.now());
    c.count(kind);
    if (states === null) return c.judge(null, () => null);
    for (const entry of pieces.flat()) c.judge([], () => judgeTimerEntry(entry, during(states, entry)));
    c.judge([], () => judgeTimersWalk(pieces, states));
    if (form === "locked" && kind === "whole") c.judge([], () => judgeTimersMoment(pieces.flat(), states));
  }

  private statesBetween(from: number, to: number): TimerState[][] | null {
    const { history, plan } = this.c;
    const states: TimerState[][] = [];
    for (let track = 0; track < plan.writers; track++) {
      const found = history.possible(track, from, to);
      if (found === null) return null;
      states.push(found.map((state) => decode(track, state)));
    }
    return states;
  }

  /** Each read(2) has room for all that there is, and is a piece. */
  private readFile(): TimedEntry[][] {
    const { history, plan } = this.c;
    const file = this.client.open(`${plan.pid}/timers`);
    const pieces: TimedEntry[][] = [];
    for (let text = "."; text !== "";) {
      const from = history.now();
      text = file.read(65536).toString("latin1");
      pieces.push(entriesOf(text, from, history.now()));
    }
    file.close();
    return pieces;
  }

  /** Reads all timers, at most so many at a time. */
  private readList(most: number): TimedEntry[][] {
    const pieces: TimedEntry[][] = [];
    for (let index = 0; index >= 0;) {
      const piece: TimedEntry[] = [];
      index = this.readPiece(index, most, piece);
      pieces.push(piece);
    }
    return pieces;
  }

  /** From start to stop, as a read that has room for so many. @returns the position to go on at, or -1 */
  private readPiece(from: number, most: number, piece: TimedEntry[]): number {
    const { c, walk } = this;
    let index = from;
    let timer = walk.start(c.k, findTask(c.k, c.plan.pid), index);
    for (; timer > 0 && piece.length < most && index < ENDLESS; index++) {
      this.readEntry(timer, piece);
      timer = walk.next(c.k, timer);
    }
    walk.stop(c.k);
    if (timer < 0) throw new Error(`the walk ended with ${timer}`);
    if (index >= ENDLESS) c.violation(`the walk goes on after ${index} timers`);
    return timer === 0 || index >= ENDLESS ? -1 : index;
  }

  private readEntry(timer: number, piece: TimedEntry[]): void {
    const { c } = this;
    const { k, history } = c;
    const from = history.now();
    const valid = readTimer(k, timer, this.timer);
    const to = history.now();
    if (k.m.load(timer) >> STATE_SHIFT === FREE) c.violation(`timer ${this.timer.id} was read when it had been freed`);
    if (!valid) return c.count("skipped");
    const { id, signo, valueLow, valueHigh, notify, pid, clock } = this.timer;
    piece.push({ id, signo, value: valueHigh * TWO_32 + valueLow, notify, pid, clock, from, to });
  }
}

/** Those states only that an entry may have been of. */
function during(states: TimerStates, { from, to }: TimedEntry): TimerState[][] {
  return states.map((writer) => writer.filter((state) => state.from <= to && state.until > from));
}

export const timersWorld: World<TimersPlan> = {
  paths: [Path.timers],
  history: { tracks: WRITERS, words: STATE_WORDS, depth: 4096 },
  readers: 2,
  writers: 2,
  expected: (form) => [
    ...["whole", "pieces", "file", "created", "deleted", "armed"],
    ...(form === "locked" ? [] : ["skipped", "timers.speculated"]),
    ...(form === "lockfree" ? [] : ["timers.fellBack"]),
  ],
  setup,
  reader: (c) => {
    const reader = new Reader(c);
    return () => reader.step();
  },
  writer: (c) => {
    const writer = new Writer(c);
    return () => writer.step();
  },
  teardown: (k, { pid }) => endProcesses(k, [pid]),
};
