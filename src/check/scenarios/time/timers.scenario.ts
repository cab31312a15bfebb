/** /proc/<pid>/timers against everything that changes the list. */
import { actBegin, actEnd } from "../../../kernel/actor.ts";
import { Event, eventCount } from "../../../kernel/counters.ts";
import { EINVAL, ESRCH } from "../../../kernel/errno.ts";
import { execTask } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { CLONE_SIGHAND, CLONE_VM } from "../../../kernel/flags.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { SIGNAL, TIMER } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import { CLOCK_IDS, timerCreate, timerDelete, timerSettime } from "../../../time/posix-timers.ts";
import { ORDINARY, programSpec } from "../../model.ts";
import type { Form } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import { endAndReap, reclaimNow, reapZombie, taskOfPid } from "../kernel/pid-kit.ts";
import { hasReached, mayReach, oldestState } from "../sync/progress.ts";
import type { SeenTimers, TimersPlan } from "./timers-walk.ts";
import { judgeLeftTimers, judgeTimers, readTimers, timerSpec, timersProcess } from "./timers-walk.ts";

/** One read has room for all: the walk is in one piece. */
const WHOLE = 8;
const PATHS = [Path.timers];

/** The first writer's change to its next state: timer `number` goes. */
function remove(k: Kernel, { pid, progress: [at = 0] }: TimersPlan, number: number, state: number): void {
  mayReach(k, at, state);
  const error = timerDelete(k, taskOfPid(k, pid), number - 1);
  if (error !== 0) throw new Error(`timer ${number} could not be deleted: ${error}`);
  hasReached(k, at, state);
}

/** A writer's change to its next state: timer `number` comes. @returns its id */
function add(k: Kernel, { pid, progress }: TimersPlan, writer: number, number: number, state: number): number {
  const at = progress[writer] as number;
  mayReach(k, at, state);
  const id = timerCreate(k, taskOfPid(k, pid), timerSpec(number));
  hasReached(k, at, state);
  return id;
}

const DELETE = [
  [3, 2, 1],
  [3, 1],
];
export const deleteMiddle = scenario({
  name: "timers/delete",
  about: "a timer in the middle is deleted while the list is walked",
  paths: PATHS,
  quick: true,
  setup: (k) => timersProcess(k, 3, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => remove(k, plan, 2, 1),
  },
  check: (k, plan, results, form) => judgeTimers(results.reader, [DELETE], form) ?? judgeLeftTimers(k, plan, [3, 1]),
});

const DELETE_TWO = [[3, 2, 1], [3, 1], [1]];
export const deleteNeighbours = scenario({
  name: "timers/delete-neighbours",
  about: "who stands at a deleted timer whose neighbours go as well finds the way to those that live",
  paths: PATHS,
  setup: (k) => timersProcess(k, 3, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => {
      remove(k, plan, 2, 1);
      remove(k, plan, 3, 2);
    },
  },
  check: (k, plan, results, form) => judgeTimers(results.reader, [DELETE_TWO], form) ?? judgeLeftTimers(k, plan, [1]),
});

const CREATE = [[1], [2, 1], [3, 2, 1]];
export const create = scenario({
  name: "timers/create",
  about: "timers are created while the list is walked: each is whole, and hides none",
  paths: PATHS,
  quick: true,
  setup: (k) => timersProcess(k, 1, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => {
      add(k, plan, 0, 2, 1);
      add(k, plan, 0, 3, 2);
    },
  },
  check: (k, plan, results, form) => judgeTimers(results.reader, [CREATE], form) ?? judgeLeftTimers(k, plan, [3, 2, 1]),
});

const REUSE = [[2, 1], [1], [3, 1], [1]];
export const reuse = scenario({
  name: "timers/delete-reuse",
  about: "a deleted timer's memory becomes a new timer's: never under the eyes of a reader",
  paths: PATHS,
  quick: true,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers[] => [readTimers(k, plan, WHOLE), readTimers(k, plan, WHOLE)],
    writer: (k, plan): void => {
      remove(k, plan, 2, 1);
      reclaimNow(k);
      add(k, plan, 0, 3, 2);
      remove(k, plan, 3, 3);
    },
  },
  check: (k, plan, { reader: [first, second] }, form) =>
    judgeTimers(first as SeenTimers, [REUSE], form) ??
    judgeTimers(second as SeenTimers, [REUSE], form) ??
    judgeLeftTimers(k, plan, [1]),
});

const PIECES = [[2, 1], [1], [3, 1]];
export const pieces = scenario({
  name: "timers/pieces",
  about:
    "a walk goes on in another read: no more timers are missed than were deleted, or shown again than were created",
  paths: PATHS,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, 1),
    writer: (k, plan): void => {
      remove(k, plan, 2, 1);
      add(k, plan, 0, 3, 2);
    },
  },
  check: (k, plan, results, form) =>
    judgeTimers(results.reader, [PIECES], form) ??
    judgeReads(k, results.reader.pieces.length, form) ??
    judgeLeftTimers(k, plan, [3, 1]),
});

/** Each read is counted as what it was. */
function judgeReads(k: Kernel, reads: number, form: Form): string | null {
  const speculated = eventCount(k, Path.timers, Event.speculated);
  const fellBack = eventCount(k, Path.timers, Event.fellBack);
  if (speculated + fellBack !== reads) return `${speculated + fellBack} reads were counted, not ${reads}`;
  return (form === "locked" ? speculated : fellBack) === 0 ? null : "a read was counted as one of the other form";
}

/** Answers to attempts to create timers with each of these clocks. */
const CLOCKS: readonly (readonly [number, number])[] = [
  [-1, -EINVAL],
  [12, -EINVAL],
  [CLOCK_IDS.tai, 1],
];
export const clocks = scenario({
  name: "timers/clocks",
  about: "a timer that has no clock is not created, and takes no id from others",
  paths: PATHS,
  quick: true,
  setup: (k) => timersProcess(k, 1, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    creator: (k, { pid, progress: [at = 0] }): number[] => {
      const answers: number[] = [];
      mayReach(k, at, 1);
      for (const [clock] of CLOCKS) answers.push(timerCreate(k, taskOfPid(k, pid), { ...timerSpec(2), clock }));
      hasReached(k, at, 1);
      return answers;
    },
  },
  check: (k, plan, { reader, creator }) => {
    const expected = CLOCKS.map(([, answer]) => answer);
    if (creator.join() !== expected.join()) return `timers of all clocks were answered ${creator.join(", ")}`;
    const shown = reader.pieces.flat().map(({ entry }) => `${entry.id}:${entry.clock}`);
    const possible = [`0:${timerSpec(1).clock}`, `1:${CLOCK_IDS.tai},0:${timerSpec(1).clock}`];
    return possible.includes(shown.join()) ? judgeLeftTimers(k, plan, [2, 1]) : `shown: ${shown.join(", ")}`;
  },
});

/** A writer that creates one timer. */
const CREATORS = [[[1]], [[], [2]], [[], [3]]];
export const creators = scenario({
  name: "timers/two-creators",
  about: "two threads create timers at once: ids descend in the list",
  paths: PATHS,
  setup: (k) => timersProcess(k, 1, 3),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    first: (k, plan): number => add(k, plan, 1, 2, 1),
    second: (k, plan): number => add(k, plan, 2, 3, 1),
  },
  check: (k, plan, results, form) => {
    const ids = new Map([
      [2, results.first],
      [3, results.second],
    ]);
    const newestFirst = results.first < results.second ? [3, 2, 1] : [2, 3, 1];
    return judgeTimers(results.reader, CREATORS, form, ids) ?? judgeLeftTimers(k, plan, newestFirst);
  },
});

const TWO_WALKERS = [[2, 1], [1]];
export const walkers = scenario({
  name: "timers/two-walkers",
  about: "two walks of one list, from which a timer is deleted",
  paths: PATHS,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    other: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => remove(k, plan, 2, 1),
  },
  check: (k, plan, results, form) =>
    judgeTimers(results.reader, [TWO_WALKERS], form) ??
    judgeTimers(results.other, [TWO_WALKERS], form) ??
    judgeLeftTimers(k, plan, [1]),
});

export const deleters = scenario({
  name: "timers/two-deleters",
  about: "two threads delete the same timer: one of them does",
  paths: PATHS,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    first: (k, plan): number => removeEither(k, plan),
    second: (k, plan): number => removeEither(k, plan),
  },
  check: (k, plan, { reader, first, second }, form) => {
    if (first + second !== -EINVAL) return `the two were answered ${first} and ${second}`;
    return judgeTimers(reader, [TWO_WALKERS], form) ?? judgeLeftTimers(k, plan, [1]);
  },
});

/** Deletes timer 2, if nobody else has done so. Both threads say so alike, whoever it is. */
function removeEither(k: Kernel, { pid, progress: [at = 0] }: TimersPlan): number {
  mayReach(k, at, 1);
  const error = timerDelete(k, taskOfPid(k, pid), 1);
  hasReached(k, at, 1);
  return error;
}

/** Nanoseconds. */
const [EXPIRES, INTERVAL] = [5e9, 7e9];
export const arm = scenario({
  name: "timers/arm",
  about: "timers are armed while one of them is deleted: a timer that is there is armed",
  paths: PATHS,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    armer: (k, { pid, progress: [at = 0] }): { deleted: boolean; gone: number; left: number } => {
      const task = taskOfPid(k, pid);
      const deleted = oldestState(k, at) === 1;
      const gone = timerSettime(k, task, 1, EXPIRES, INTERVAL);
      return { deleted, gone, left: timerSettime(k, task, 0, EXPIRES, INTERVAL) };
    },
    writer: (k, plan): void => remove(k, plan, 2, 1),
  },
  check: (k, plan, { reader, armer: { deleted, gone, left } }, form) => {
    if ((gone !== 0 || deleted) && gone !== -EINVAL) return `arming a timer that goes was answered ${gone}`;
    if (left !== 0) return `arming a timer that is there was answered ${left}`;
    const wrong = judgeTimers(reader, [TWO_WALKERS], form) ?? judgeLeftTimers(k, plan, [1]);
    const timer = k.m.load(plan.signal + SIGNAL.posixTimers);
    const armed = [k.m.load64(timer + TIMER.itExpires), k.m.load64(timer + TIMER.itInterval)];
    return (
      wrong ?? (armed[0] === EXPIRES && armed[1] === INTERVAL ? null : `a timer was armed for ${armed.join(", ")}`)
    );
  },
});

const EXEC = [[1], [], [2], []];
export const exec = scenario({
  name: "timers/exec",
  about: "an exec deletes the timers and takes handlers of its own; then a timer comes and goes",
  paths: PATHS,
  setup: (k) => timersProcess(k, 1, 1, CLONE_VM | CLONE_SIGHAND),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => {
      mayReach(k, plan.progress[0] as number, 1);
      execTask(k, taskOfPid(k, plan.pid), programSpec(ORDINARY));
      hasReached(k, plan.progress[0] as number, 1);
      add(k, plan, 0, 2, 2);
      remove(k, plan, 2, 3);
    },
  },
  check: (k, plan, results, form) => judgeTimers(results.reader, [EXEC], form) ?? judgeLeftTimers(k, plan, []),
});

const EXIT = [[2, 1], [1], []];
export const exit = scenario({
  name: "timers/exit",
  about: "the process ends and is reaped while its timers are walked",
  paths: PATHS,
  quick: true,
  setup: (k) => timersProcess(k, 2, 1),
  threads: {
    reader: (k, plan): SeenTimers => readTimers(k, plan, WHOLE),
    writer: (k, plan): void => {
      mayReach(k, plan.progress[0] as number, 2);
      endAndReap(k, plan.pid);
      hasReached(k, plan.progress[0] as number, 2);
      reclaimNow(k);
    },
  },
  check: (k, plan, results, form) =>
    judgeTimers(results.reader, [EXIT], form, new Map(), true) ??
    (findTask(k, plan.pid) === 0 ? judgeLeftTimers(k, plan, []) : "the process is still there"),
});

export const createOrExit = scenario({
  name: "timers/create-or-exit",
  about: "one acts as the process to create a timer, another to end it: no timer outlives its process",
  paths: PATHS,
  forms: ["lockfree"],
  setup: (k) => timersProcess(k, 1, 1),
  threads: {
    creator: (k, { pid }): number => {
      const task = actBegin(k, pid);
      if (task < 0) return task;
      const id = timerCreate(k, task, timerSpec(2));
      actEnd(k, task);
      return id;
    },
    killer: (k, { pid }): void => {
      const task = actBegin(k, pid);
      if (task < 0) throw new Error(`nobody else ends process ${pid}: ${task}`);
      exitGroup(k, task, 0);
      actEnd(k, task);
      reapZombie(k, pid);
    },
  },
  check: (k, plan, { creator }) => {
    if (creator !== 1 && creator !== -ESRCH) return `the timer got id ${creator}`;
    return findTask(k, plan.pid) === 0 ? judgeLeftTimers(k, plan, []) : "the process is still there";
  },
});
