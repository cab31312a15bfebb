/**
 * /proc/<pid>/timers of processes whose timers come and go, one after the other or all at once; see timer-owners.ts. A
 * process that is gone, or being replaced, has none.
 */
import type { TimerEntry, TimerState, TimerStates } from "../../src/check/oracles/timers.ts";
import { judgeTimerEntry, judgeTimersMoment, judgeTimersWalk } from "../../src/check/oracles/timers.ts";
import { ESRCH } from "../../src/kernel/errno.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { TimerSnapshot, TimersWalk, readTimer } from "../../src/time/posix-timers.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import type { TimerList, TimersPlan } from "./timer-owners.ts";
import { STATE_WORDS, TRACKS, TWO_32, decode, setup, teardown, writer } from "./timer-owners.ts";
import type { StressThread, World } from "./world.ts";

/** States of objects in the slab, as their header has them. */
const STATE_SHIFT = 8;
const FREE = 0;
/** Steps after which a walk goes round in circles. */
const ENDLESS = 100_000;
/** One of so many timers takes its reader so long. */
const SLOW_ENTRIES = 32;
const NAP_MS = 0.2;

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
    const { history, random, form, plan } = c;
    const list = plan.own[random.below(plan.own.length + 1)] ?? plan.common;
    const begun = history.now();
    const kind = KINDS[random.below(KINDS.length)] as (typeof KINDS)[number];
    const pieces =
      kind === "file" && list === plan.common
        ? this.readFile(list.pid)
        : this.readList(list.pid, kind === "pieces" ? 1 + random.below(8) : Infinity);
    const states = this.statesBetween(list, begun, history.now());
    c.count(kind);
    if (states === null) return c.judge(null, () => null);
    for (const entry of pieces.flat()) c.judge([], () => judgeTimerEntry(entry, during(states, entry)));
    c.judge([], () => judgeTimersWalk(pieces, states));
    if (form === "locked" && pieces.length === 1) c.judge([], () => judgeTimersMoment(pieces.flat(), states));
  }

  private statesBetween({ tracks }: TimerList, from: number, to: number): TimerState[][] | null {
    const { history } = this.c;
    const states: TimerState[][] = [];
    for (const track of tracks) {
      const found = history.possible(track, from, to);
      if (found === null) return null;
      states.push(found.map((state) => decode(track, state)));
    }
    return states;
  }

  /** Each read(2) has room for all that there is, and is a piece. */
  private readFile(pid: number): TimedEntry[][] {
    const { history } = this.c;
    const file = this.client.open(`${pid}/timers`);
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
  private readList(pid: number, most: number): TimedEntry[][] {
    const pieces: TimedEntry[][] = [];
    for (let index = 0; index >= 0;) {
      const piece: TimedEntry[] = [];
      index = this.readPiece(pid, index, most, piece);
      pieces.push(piece);
    }
    return pieces;
  }

  /** From start to stop, as a read that has room for so many. @returns the position to go on at, or -1 */
  private readPiece(pid: number, from: number, most: number, piece: TimedEntry[]): number {
    const { c, walk } = this;
    let index = from;
    const task = findTask(c.k, pid);
    if (task === 0) {
      c.count("no process");
      return -1;
    }
    let timer = walk.start(c.k, task, index);
    for (; timer > 0 && piece.length < most && index < ENDLESS; index++) {
      this.readEntry(timer, piece);
      timer = walk.next(c.k, timer);
    }
    walk.stop(c.k);
    if (timer === -ESRCH && c.form !== "lockfree") c.count("released");
    else if (timer < 0) throw new Error(`the walk ended with ${timer}`);
    if (index >= ENDLESS) c.violation(`the walk goes on after ${index} timers`);
    return timer <= 0 || index >= ENDLESS ? -1 : index;
  }

  private readEntry(timer: number, piece: TimedEntry[]): void {
    const { c } = this;
    const { k, history, random } = c;
    const from = history.now();
    // Now and then a timer goes between being found and being read.
    if (random.below(SLOW_ENTRIES) === 0) k.m.wait(HOST.parkWord, k.m.load(HOST.parkWord), NAP_MS);
    const valid = readTimer(k, timer, this.timer);
    const to = history.now();
    if (k.m.load(timer) >> STATE_SHIFT === FREE) c.violation(`timer ${this.timer.id} was read when it had been freed`);
    if (!valid && c.form === "locked") return c.violation("a timer was deleted while its list was locked");
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
  history: { tracks: TRACKS, words: STATE_WORDS, depth: 4096 },
  readers: 2,
  writers: 2,
  expected: (form) => [
    ...["whole", "pieces", "file", "created", "deleted", "armed", "exec", "exit"],
    ...(form === "locked" ? [] : ["skipped", "timers.speculated"]),
    ...(form === "lockfree" ? [] : ["timers.fellBack"]),
  ],
  setup,
  reader: (c) => {
    const reader = new Reader(c);
    return () => reader.step();
  },
  writer,
  teardown,
};
