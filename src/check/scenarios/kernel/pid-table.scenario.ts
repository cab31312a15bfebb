/** The table of pids by itself: which pid is handed out next, who is found under it, and who is listed. */
import { EAGAIN, EEXIST, EINVAL } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, PID_MAX_LIMIT } from "../../../kernel/layout.ts";
import {
  NO_GENERATION,
  allocPid,
  findTask,
  findTaskMatching,
  findTaskOf,
  freePid,
  generationOf,
  hashPid,
  nextTgid,
  pidGeneration,
} from "../../../kernel/pid.ts";
import { lockTasklist, unlockTasklist } from "../../../kernel/task.ts";
import { scenario } from "../../scenario.ts";
import { endAndReap, start, taskOfPid } from "./pid-kit.ts";

function give(k: Kernel, pid: number): void {
  lockTasklist(k);
  freePid(k, pid);
  unlockTasklist(k);
}

/** Takes the next pid, so many times. @returns the answers */
function take(k: Kernel, times: number): number[] {
  const answers: number[] = [];
  for (let i = 0; i < times; i++) answers.push(allocPid(k));
  return answers;
}

/** The numbers of [from, to). */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** The step at which answers were not as expected. */
function judgeAnswers(steps: readonly (readonly [what: string, is: readonly number[], expected: readonly number[]])[]) {
  const wrong = steps.find(([, is, expected]) => is.join(" ") !== expected.join(" "));
  return wrong === undefined ? null : `${wrong[0]}: ${wrong[1].join(" ")}, not ${wrong[2].join(" ")}`;
}

/** A small table: pids from 310 on are avoided, as far as there are others. */
const [MAX, AVOID_LOW, AVOID_HIGH] = [400, 310, 320];
const ALL = [...range(2, AVOID_LOW), ...range(AVOID_HIGH, MAX)];

/** From an empty table until it is full, and on. */
function fill(k: Kernel) {
  const { m } = k;
  const all = take(k, ALL.length + 1);
  const last = m.load(HOST.lastPid);
  const steps: [string, number[], number[]][] = [
    ["all pids one after the other", all, [...ALL, -EAGAIN]],
    ["the last one", [last], [MAX - 1]],
  ];
  give(k, 17);
  steps.push(["a pid below 300, once there have been others", take(k, 1), [-EAGAIN]]);
  give(k, 333);
  give(k, 350);
  give(k, 305);
  steps.push(["pids that are free again", take(k, 4), [305, 333, 350, -EAGAIN]]);
  steps.push(["the last one", [m.load(HOST.lastPid)], [350]]);
  return steps;
}

/** Pids that are asked for. */
function ask(k: Kernel) {
  const wanted = [315, 315, 17, -1, PID_MAX_LIMIT, PID_MAX_LIMIT - 1, PID_MAX_LIMIT + 40, 350];
  const answers: number[] = [];
  for (const pid of wanted) answers.push(allocPid(k, pid));
  const last = k.m.load(HOST.lastPid);
  const uses: number[] = [];
  for (const pid of [16, 17, 315, 333, PID_MAX_LIMIT - 1]) uses.push(pidGeneration(k, pid));
  return [
    [
      "pids that are asked for",
      answers,
      [315, -EEXIST, 17, -EINVAL, -EINVAL, PID_MAX_LIMIT - 1, -EINVAL, -EEXIST],
    ] as const,
    ["the last one", [last], [PID_MAX_LIMIT - 1]] as const,
    ["uses of pids", uses, [1, 2, 1, 2, 1]] as const,
  ];
}

/** Measured with pid_max and ns_last_pid of a pid namespace: only the cursor says from where on, pid_max up to where. */
function move(k: Kernel) {
  const { m } = k;
  m.store(HOST.pidMax, 1000);
  m.store(HOST.pidCursor, 700);
  const high = [allocPid(k, 900), ...take(k, 1)];
  m.store(HOST.pidMax, MAX);
  const lowered = take(k, 1);
  m.store(HOST.pidCursor, 50);
  give(k, 60);
  give(k, 20);
  const below = take(k, 1);
  m.store(HOST.pidCursor, 300);
  const around = take(k, 2);
  return [
    ["from a cursor on, whatever was asked for", high, [900, 700]] as const,
    ["with all pids taken below a pid_max that is less than the cursor", lowered, [-EAGAIN]] as const,
    ["from a cursor below 300 on", below, [60]] as const,
    ["from a cursor at 300 on, behind which all are taken", around, [20, -EAGAIN]] as const,
  ];
}

export const numbers = scenario({
  name: "pid/numbers",
  about: "pids are handed out one after the other, from 300 on again, or as asked for, until there is none",
  quick: true,
  setup: (k) => {
    k.m.store(HOST.pidMax, MAX);
    k.m.store(HOST.pidAvoidLow, AVOID_LOW);
    k.m.store(HOST.pidAvoidHigh, AVOID_HIGH);
    return null;
  },
  threads: {
    taker: (k): string | null => judgeAnswers([...fill(k), ...ask(k), ...move(k)]),
  },
  check: (_k, _plan, { taker }) => taker,
});

/** Leaders on both sides of what a word of each level of the list stands for, and at its end. */
const LEADERS = [31, 32, 63, 1023, 1024, 1025, 32767, 32768, 40000, 1048575, 1048576, 2097157, PID_MAX_LIMIT - 1];
/** A thread beside each, which is not listed. */
const THREADS = [30, 34, 1022, 1026, 32766, 32770, 1048574, 2097158, 3000000];
/** Those of them that end first, and those that follow. */
const FIRST_HALF = LEADERS.filter((_, i) => i % 2 === 0);

/** Enters a task under pids. It does not look at the task: init may be all of them. */
function enter(k: Kernel, pids: readonly number[], leader: boolean): void {
  const task = taskOfPid(k, 1);
  for (const pid of pids) {
    allocPid(k, pid);
    lockTasklist(k);
    hashPid(k, pid, task, leader);
    unlockTasklist(k);
  }
}

/** Who leads, as a plain list says: what the next one from around each leader on is. */
function judgeList(k: Kernel, leaders: readonly number[]): string | null {
  const sorted = [1, ...leaders].sort((a, b) => a - b);
  const from = [-7, 0, 1, 2, PID_MAX_LIMIT, PID_MAX_LIMIT + 40];
  for (const pid of [...LEADERS, ...THREADS]) from.push(pid - 1, pid, pid + 1);
  for (const pid of from) {
    const expected = sorted.find((one) => one >= pid) ?? -1;
    const next = nextTgid(k, pid);
    if (next !== expected) return `with ${sorted.join(" ")}, ${next} comes next from ${pid} on`;
  }
  return null;
}

/** Who is found, in and out of range. */
function judgeFound(k: Kernel): string | null {
  const task = taskOfPid(k, 1);
  for (const pid of [1, ...LEADERS, ...THREADS]) if (findTask(k, pid) !== task) return `${pid} is not found`;
  for (const pid of [0, -1, -40, 29, 33, 1048573, PID_MAX_LIMIT, PID_MAX_LIMIT + 1, PID_MAX_LIMIT + 32]) {
    if (findTask(k, pid) !== 0) return `${pid} is found`;
  }
  return null;
}

/** Where no table is any more, nor anything else. */
const FAR_OUT = 2 ** 30;

/** Uses of a pid: the third one has the lowest bit of the first, and not the next one. */
function judgeUses(k: Kernel): string | null {
  const pid = LEADERS[0] as number;
  enter(k, [pid], true);
  const task = taskOfPid(k, 1);
  const found = [
    findTaskOf(k, pid, 3),
    findTaskMatching(k, pid, 1, 1),
    findTaskOf(k, pid, 2),
    findTaskOf(k, pid, 1),
    findTaskMatching(k, pid, 1, 3),
    findTaskOf(k, 29, 0),
    findTaskOf(k, FAR_OUT, 0),
  ];
  const expected = [task, task, 0, 0, 0, 0, 0];
  if (found.join(" ") !== expected.join(" ")) return `of the third use of a pid was found ${found.join(" ")}`;
  const uses = [generationOf(k, pid, task), generationOf(k, pid, task + 1)];
  if (uses[0] !== 3 || uses[1] !== NO_GENERATION) return `the third use of a pid was said to be ${uses.join(" ")}`;
  give(k, pid);
  return findTaskOf(k, pid, 3) === 0 ? null : "a pid that is free was found in its last use";
}

/** All start, end in two halves, and start and end again. */
function goThrough(k: Kernel): string | null {
  enter(k, LEADERS, true);
  enter(k, THREADS, false);
  const wrong = judgeFound(k) ?? judgeList(k, LEADERS);
  if (wrong !== null) return wrong;
  for (const pid of FIRST_HALF) give(k, pid);
  const others = LEADERS.filter((pid) => !FIRST_HALF.includes(pid));
  const halved = judgeList(k, others);
  if (halved !== null) return halved;
  for (const pid of [...THREADS, ...others]) give(k, pid);
  const emptied = judgeList(k, []);
  if (emptied !== null) return emptied;
  enter(k, LEADERS, true);
  const again = judgeList(k, LEADERS);
  if (again !== null) return again;
  for (const pid of LEADERS) give(k, pid);
  return judgeUses(k) ?? judgeList(k, []);
}

export const places = scenario({
  name: "pid/places",
  about: "processes and threads all over the table: who is found, and who comes next in the list",
  quick: true,
  setup: () => null,
  threads: { walker: (k): string | null => goThrough(k) },
  check: (_k, _plan, { walker }) => walker,
});

/** In one word of the list: a process that ends, and one that starts. */
const [ENDS, STARTS] = [40, 41];

/** Looks a process up, and lists it, in this order. */
function foundThenListed(k: Kernel, pid: number): boolean[] {
  const found = findTask(k, pid) !== 0;
  return [found, nextTgid(k, pid) === pid];
}

export const foundIsListed = scenario({
  name: "pid/found-is-listed",
  about: "whom a look-up has found, a listing after it does not miss; whom a listing misses, a look-up does not find",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: ENDS });
    return null;
  },
  threads: {
    reader: (k): boolean[] => {
      const listed = nextTgid(k, ENDS) === ENDS;
      return [listed, findTask(k, ENDS) !== 0, ...foundThenListed(k, STARTS)];
    },
    writer: (k): void => {
      endAndReap(k, ENDS);
      start(k, 1, 0, { pid: STARTS });
    },
  },
  check: (k, _plan, { reader: [listed, stillFound, found, thenListed] }) => {
    if (listed === false && stillFound === true) return "a process that is no longer listed was found";
    if (found === true && thenListed === false) return "a process that had been found was not listed";
    return judgeList(k, [STARTS]);
  },
});
