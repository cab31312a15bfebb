/** Tasks by themselves: names, states, the lists they stand in, and what goes with the last reference to one. */
import { Cache } from "../../../kernel/caches.ts";
import { exitGroup, exitThread } from "../../../kernel/exit.ts";
import {
  CLONE_PTHREAD,
  EXIT_ZOMBIE,
  TASK_IDLE,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_STOPPED,
  TASK_UNINTERRUPTIBLE,
} from "../../../kernel/flags.ts";
import { setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { CRED, HOST, NSPROXY, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { rlimit, setRlimit } from "../../../kernel/limits.ts";
import {
  TASK_COMM_LEN,
  firstThread,
  getTask,
  nextThread,
  putTask,
  setKernelThreadName,
  setTaskComm,
  setTaskState,
  taskComm,
  taskName,
  threadCount,
} from "../../../kernel/task.ts";
import { Wait } from "../../../kernel/wait-kinds.ts";
import { CallerSubject, RequestContext } from "../../../proc/fs/context.ts";
import { Entries } from "../../../proc/fs/entries.ts";
import { childrenSeq } from "../../../proc/task/array-children.ts";
import { Text } from "../../../proc/text.ts";
import type { CallerFacts } from "../../../proc/vfs.ts";
import { latin1Bytes, latin1Text } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { refcountDecAndTest } from "../../../sync/refcount.ts";
import { scenario } from "../../scenario.ts";
import { HOST_VIEW } from "../proc/lookup-requests.ts";
import { inventory, judgeInventory } from "./machine-kit.ts";
import { endAndReap, reclaimNow, start, taskOfPid } from "./pid-kit.ts";

const [PID, BLOCKED] = [40, 41];

/** Names, and what becomes of them: at most 15 bytes, up to the first NUL. Shorter ones follow on longer ones. */
const NAMES: readonly (readonly [name: string, comm: string])[] = [
  ["fifteen-letters", "fifteen-letters"],
  ["a", "a"],
  ["sixteen--letters", "sixteen--letter"],
  ["abcd", "abcd"],
  ["", ""],
  ["longer than a comm may be", "longer than a c"],
  ["one\0two", "one"],
  ["\xff\x80\x01", "\xff\x80\x01"],
  ["seven--", "seven--"],
];
/** Names of kernel threads, and what they show: at most 63 bytes. */
const LONG = "kworker/u8:3-events_unbound";
const KERNEL_NAMES: readonly (readonly [name: string, shown: string])[] = [
  ["kthreadd", "kthreadd"],
  [LONG, LONG],
  ["fifteen-letters", "fifteen-letters"],
  ["sixteen--letters", "sixteen--letters"],
  ["one\0two", "one"],
  ["x".repeat(63), "x".repeat(63)],
  ["sixteen--letters\0and more", "sixteen--letters"],
  [`${"y".repeat(63)}z`, "y".repeat(63)],
];

type Shows = (k: Kernel, task: Ptr, out: Uint8Array) => number;

/** @returns what a name shows, which is all that is written */
function shown(k: Kernel, task: Ptr, show: Shows): string {
  const out = new Uint8Array(80);
  const length = show(k, task, out);
  return latin1Text(out.subarray(0, length)) + (out.subarray(length).every((byte) => byte === 0) ? "" : " and more");
}

/** All bytes of the comm: it is padded with NULs. */
function judgeComm(k: Kernel, task: Ptr, comm: string): string | null {
  const bytes = latin1Bytes(comm.padEnd(TASK_COMM_LEN, "\0"));
  for (let i = 0; i < TASK_COMM_LEN / 4; i++) {
    const word = k.m.load(task + TASK.comm + i);
    for (let byte = 0; byte < 4; byte++) {
      if (((word >>> (8 * byte)) & 0xff) !== bytes[4 * i + byte]) return `byte ${4 * i + byte} of ${comm} is wrong`;
    }
  }
  return null;
}

/** One process takes all the names. */
function renameProcess(k: Kernel): string | null {
  start(k, 1, 0, { pid: PID });
  const task = taskOfPid(k, PID);
  let wrong: string | null = null;
  for (const [name, comm] of NAMES) {
    setTaskComm(k, task, latin1Bytes(name));
    const seen = [shown(k, task, taskComm), shown(k, task, taskName)];
    if (seen[0] !== comm || seen[1] !== comm) wrong ??= `"${name}" became "${seen.join('" and "')}"`;
    wrong ??= judgeComm(k, task, comm);
  }
  endAndReap(k, PID);
  return wrong;
}

/** A kernel thread takes all of its names. */
function renameKernelThread(k: Kernel): string | null {
  start(k, 1, 0, { pid: PID, kernelThread: true });
  const task = taskOfPid(k, PID);
  let wrong: string | null = null;
  for (const [name, whole] of KERNEL_NAMES) {
    setKernelThreadName(k, task, latin1Bytes(name));
    const seen = shown(k, task, taskName);
    if (seen !== whole) wrong ??= `kernel thread "${name}" became "${seen}"`;
    wrong ??= judgeComm(k, task, whole.slice(0, TASK_COMM_LEN - 1));
  }
  endAndReap(k, PID);
  return wrong;
}

export const names = scenario({
  name: "task/names",
  about: "a process and a kernel thread take one name after the other: all bytes of what they are called then",
  quick: true,
  setup: inventory,
  threads: { task: (k): string | null => renameProcess(k) ?? renameKernelThread(k) },
  check: (k, before, { task }) => task ?? judgeInventory(k, before),
});

const OTHER_LONG = "kworker/0:1H-kblockd-of-the-other";

export const renamed = scenario({
  name: "task/renamed",
  about: "a kernel thread with a long name gets another one while it is read: the one or the other, whole",
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: PID, kernelThread: true });
    setKernelThreadName(k, taskOfPid(k, PID), latin1Bytes(LONG));
    return before;
  },
  threads: {
    reader: (k): string => {
      k.quiescent();
      return shown(k, taskOfPid(k, PID), taskName);
    },
    writer: (k): void => {
      setKernelThreadName(k, taskOfPid(k, PID), latin1Bytes(OTHER_LONG));
      reclaimNow(k);
      k.slab.flush();
    },
  },
  check: (k, before, { reader }) => {
    if (reader !== LONG && reader !== OTHER_LONG) return `the name was "${reader}"`;
    endAndReap(k, PID);
    return judgeInventory(k, before);
  },
});

/** A thread's states one after the other: how it waits, and how many more tasks are counted as running, and as load. */
const STATES: readonly (readonly [state: number, wait: number, running: number, load: number])[] = [
  [TASK_INTERRUPTIBLE, Wait.poll, -1, 0],
  [TASK_INTERRUPTIBLE, Wait.futex, -1, 0],
  [TASK_UNINTERRUPTIBLE, Wait.disk, -1, 1],
  [TASK_UNINTERRUPTIBLE, Wait.disk, -1, 1],
  [TASK_IDLE, Wait.worker, -1, 0],
  [TASK_UNINTERRUPTIBLE, Wait.disk, -1, 1],
  [TASK_RUNNING, Wait.running, 0, 0],
  [TASK_RUNNING, Wait.running, 0, 0],
  [TASK_STOPPED, Wait.stopped, -1, 0],
  [TASK_RUNNING, Wait.running, 0, 0],
  [TASK_UNINTERRUPTIBLE, Wait.disk, -1, 1],
  [EXIT_ZOMBIE, Wait.exited, -1, 0],
];

/** @returns the step at which something was not as it should be, or null */
function goThroughStates(k: Kernel): string | null {
  const { m } = k;
  const task = taskOfPid(k, PID);
  const [running, load] = [m.load(HOST.nrRunning), m.load(HOST.nrUninterruptible)];
  for (const [state, wait, moreRunning, moreLoad] of STATES) {
    setTaskState(k, task, state, wait);
    const seen = [m.load(task + TASK.state), m.load(task + TASK.waitKind)];
    seen.push(m.load(HOST.nrRunning) - running, m.load(HOST.nrUninterruptible) - load);
    const expected = [state, wait, moreRunning, moreLoad];
    if (seen.join(" ") !== expected.join(" ")) return `state, wait and counts are ${seen.join(" ")}`;
  }
  return null;
}

export const states = scenario({
  name: "task/states",
  about: "a task goes through all states: the counts of running and blocked tasks go with it",
  quick: true,
  setup: (k) => start(k, 1, 0, { pid: PID }),
  threads: { task: (k): string | null => goThroughStates(k) },
  check: (_k, _plan, { task }) => task,
});

export const twoStates = scenario({
  name: "task/two-states",
  about: "two change the state of one task at once: in the end it is counted as what it is",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PID });
    const { m } = k;
    return { task: taskOfPid(k, PID), running: m.load(HOST.nrRunning), load: m.load(HOST.nrUninterruptible) };
  },
  threads: {
    first: (k, { task }): void => {
      setTaskState(k, task, TASK_UNINTERRUPTIBLE, Wait.disk);
      setTaskState(k, task, TASK_RUNNING, Wait.running);
    },
    second: (k, { task }): void => {
      setTaskState(k, task, TASK_INTERRUPTIBLE, Wait.poll);
      setTaskState(k, task, TASK_UNINTERRUPTIBLE, Wait.disk);
    },
  },
  check: (k, { task, running, load }) => {
    const { m } = k;
    const state = m.load(task + TASK.state);
    if (state !== TASK_RUNNING && state !== TASK_UNINTERRUPTIBLE) return `the state is ${state}`;
    const counts = [m.load(HOST.nrRunning) - running, m.load(HOST.nrUninterruptible) - load];
    const expected = state === TASK_RUNNING ? [0, 0] : [-1, 1];
    return counts.join(" ") === expected.join(" ") ? null : `in state ${state} it counts as ${counts.join(" ")}`;
  },
});

export const sameState = scenario({
  name: "task/same-state",
  about: "tasks are told to be in the state that they are in, while others look at the counts: these stay as they are",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PID });
    start(k, 1, 0, { pid: BLOCKED });
    setTaskState(k, taskOfPid(k, BLOCKED), TASK_UNINTERRUPTIBLE, Wait.disk);
    return { running: k.m.load(HOST.nrRunning), load: k.m.load(HOST.nrUninterruptible) };
  },
  threads: {
    writer: (k): void => {
      setTaskState(k, taskOfPid(k, PID), TASK_RUNNING, Wait.running);
      setTaskState(k, taskOfPid(k, BLOCKED), TASK_UNINTERRUPTIBLE, Wait.disk);
    },
    reader: (k): number[] => [k.m.load(HOST.nrRunning), k.m.load(HOST.nrUninterruptible)],
  },
  check: (_k, { running, load }, { reader }) =>
    reader.join(" ") === [running, load].join(" ") ? null : `the counts were ${reader.join(" ")}`,
});

/** Where the links of a list are. */
interface Links {
  readonly first: Ptr;
  readonly last: Ptr;
  readonly next: number;
  readonly prev: number;
  /** The field that tells who it is. */
  readonly id: number;
}

function threadsOf(signal: Ptr): Links {
  const [next, prev] = [TASK.threadNext, TASK.threadPrev];
  return { first: signal + SIGNAL.threadFirst, last: signal + SIGNAL.threadLast, next, prev, id: TASK.pid };
}

function childrenOf(signal: Ptr): Links {
  const [next, prev] = [SIGNAL.siblingNext, SIGNAL.siblingPrev];
  return { first: signal + SIGNAL.childFirst, last: signal + SIGNAL.childLast, next, prev, id: SIGNAL.tgid };
}

/** A list both ways. */
function judgeLinks(k: Kernel, { first, last, next, prev, id }: Links, expected: readonly number[]): string | null {
  const { m } = k;
  const forwards: number[] = [];
  for (let one = m.load(first); one !== 0; one = m.load(one + next)) forwards.push(m.load(one + id));
  const backwards: number[] = [];
  for (let one = m.load(last); one !== 0; one = m.load(one + prev)) backwards.unshift(m.load(one + id));
  if (forwards.join(" ") !== expected.join(" ")) return `${forwards.join(" ")} are listed, not ${expected.join(" ")}`;
  return backwards.join(" ") === expected.join(" ") ? null : `backwards ${backwards.join(" ")} are listed`;
}

function judgeThreads(k: Kernel, tids: readonly number[]): string | null {
  const task = taskOfPid(k, PID);
  const count = threadCount(k, task);
  const signal = k.m.load(task + TASK.signal);
  return judgeLinks(k, threadsOf(signal), tids) ?? (count === tids.length ? null : `${count} threads are counted`);
}

function startThread(k: Kernel, tid: number): void {
  start(k, PID, CLONE_PTHREAD, { pid: tid });
}

function endThread(k: Kernel, tid: number): void {
  exitThread(k, taskOfPid(k, tid), 0);
}

/** Threads of one process start and end at each place of its list. */
function comeAndGo(k: Kernel): string | null {
  start(k, 1, 0, { pid: PID });
  let wrong = judgeThreads(k, [PID]);
  for (const tid of [41, 42, 43, 44]) startThread(k, tid);
  wrong ??= judgeThreads(k, [PID, 41, 42, 43, 44]);
  endThread(k, 42);
  wrong ??= judgeThreads(k, [PID, 41, 43, 44]);
  endThread(k, 44);
  wrong ??= judgeThreads(k, [PID, 41, 43]);
  startThread(k, 45);
  endThread(k, 41);
  wrong ??= judgeThreads(k, [PID, 43, 45]);
  endThread(k, 43);
  endThread(k, 45);
  wrong ??= judgeThreads(k, [PID]);
  startThread(k, 41);
  wrong ??= judgeThreads(k, [PID, 41]);
  endAndReap(k, PID);
  return wrong;
}

export const threads = scenario({
  name: "task/threads",
  about: "threads of one process start and end: its list leads to those that are there, forwards and backwards",
  quick: true,
  setup: inventory,
  threads: { process: (k): string | null => comeAndGo(k) },
  check: (k, before, { process }) => process ?? judgeInventory(k, before),
});

function judgeChildren(k: Kernel, pid: number, children: readonly number[]): string | null {
  const signal = k.m.load(taskOfPid(k, pid) + TASK.signal);
  const wrong = judgeLinks(k, childrenOf(signal), children);
  if (wrong !== null) return `of ${pid}: ${wrong}`;
  for (const child of children) {
    const parent = k.m.load(k.m.load(taskOfPid(k, child) + TASK.signal) + SIGNAL.parent);
    if (parent !== signal) return `${child} is no child of ${pid}`;
  }
  return null;
}

/** Children of one process start and end at each place of its list, and are left to init. */
function raise(k: Kernel): string | null {
  start(k, 1, 0, { pid: PID });
  for (const child of [41, 42, 43, 44, 45]) start(k, PID, 0, { pid: child });
  let wrong = judgeChildren(k, 1, [PID]) ?? judgeChildren(k, PID, [41, 42, 43, 44, 45]);
  endAndReap(k, 43);
  wrong ??= judgeChildren(k, PID, [41, 42, 44, 45]);
  endAndReap(k, 41);
  wrong ??= judgeChildren(k, PID, [42, 44, 45]);
  endAndReap(k, 45);
  start(k, PID, 0, { pid: 46 });
  wrong ??= judgeChildren(k, PID, [42, 44, 46]);
  for (const child of [47, 48]) start(k, PID, 0, { pid: child });
  start(k, 1, 0, { pid: 50 });
  // Init reaps the dead ones at once.
  for (const child of [44, 48]) exitGroup(k, taskOfPid(k, child), 0);
  endAndReap(k, PID);
  wrong ??= judgeChildren(k, 1, [50, 42, 46, 47]) ?? judgeChildren(k, 46, []);
  for (const child of [46, 50, 47, 42]) endAndReap(k, child);
  return wrong ?? judgeChildren(k, 1, []);
}

export const children = scenario({
  name: "task/children",
  about: "children of one process start and end, and are left to init, dead ones among them: both lists, both ways",
  quick: true,
  setup: inventory,
  threads: { parent: (k): string | null => raise(k) },
  check: (k, before, { parent }) => parent ?? judgeInventory(k, before),
});

/** Those that are there all along; one that ends, one that starts, and one that does both. */
const [STAYS, ENDS, LAST, STARTS] = [41, 42, 43, 44];

export const walked = scenario({
  name: "task/walked",
  about: "threads end and start while another goes through them: it meets those that stay, in their order, each once",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PID });
    for (const tid of [ENDS, STAYS, LAST]) startThread(k, tid);
    return null;
  },
  threads: {
    walker: (k): number[] => {
      const tids: number[] = [];
      const task = taskOfPid(k, PID);
      for (let one = firstThread(k, task); one !== 0; one = nextThread(k, one)) tids.push(k.m.load(one + TASK.pid));
      return tids;
    },
    writer: (k): void => {
      endThread(k, ENDS);
      endThread(k, LAST);
      startThread(k, STARTS);
    },
  },
  check: (k, _plan, { walker }) => {
    const order = [PID, ENDS, STAYS, LAST, STARTS];
    const inOrder = walker.every((tid, i) => order.indexOf(tid) > order.indexOf(walker[i - 1] ?? 0));
    const wrong = !inOrder || !walker.includes(PID) || !walker.includes(STAYS);
    return wrong ? `the threads were ${walker.join(" ")}` : judgeThreads(k, [PID, STAYS, STARTS]);
  },
});

/** Who asks plays no part. */
const NO_FACTS: CallerFacts = {
  ...{ tgid: () => 0, descends: () => false, groups: () => [] },
  ...{ effective: () => [0, 0] as const, permitted: () => [0, 0] as const },
};

/** The file children of a process: the ids that it shows. */
function readChildren(k: Kernel, task: Ptr): string {
  const tables = new Entries({ root: [], process: [], thread: [] });
  const c = new RequestContext(k, HOST_VIEW, new CallerSubject(NO_FACTS), tables);
  c.task = task;
  const cursor = { index: 0, entry: 0 };
  const out = new Text();
  for (let found = childrenSeq.start(c, cursor); found === 1; found = childrenSeq.next(c, cursor)) {
    childrenSeq.show(c, cursor, out);
  }
  childrenSeq.stop(c, cursor);
  return latin1Text(out.bytes.subarray(0, out.length));
}

export const orphans = scenario({
  name: "task/orphans",
  about:
    "the children of a process are read while it ends and leaves them to init, which forks: none of init's is shown",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PID });
    for (const child of [41, 42]) start(k, PID, 0, { pid: child });
    return taskOfPid(k, PID);
  },
  threads: {
    reader: (k, task): string => readChildren(k, task),
    writer: (k): void => {
      endAndReap(k, PID);
      start(k, 1, 0, { pid: 50 });
    },
  },
  check: (k, _plan, { reader }) => {
    // They are left to init one after the other.
    if (!["", "41 ", "41 42 ", "42 "].includes(reader)) return `the children were ${reader}`;
    return judgeChildren(k, 1, [41, 42, 50]);
  },
});

const LIMIT = 7;
/** The value that none of the things has that a task has of its parent. */
const OWN = 77;

/** A kernel thread with all that one can have to itself. */
function makeRich(k: Kernel): Ptr {
  start(k, 1, 0, { pid: PID, kernelThread: true });
  const { m } = k;
  const task = taskOfPid(k, PID);
  setKernelThreadName(k, task, latin1Bytes(LONG));
  setIdentity(k, task, OWN, OWN, [OWN, OWN]);
  setRlimit(k, m.load(task + TASK.signal), LIMIT, OWN, OWN);
  const nsproxy = k.slab.alloc(Cache.nsproxy);
  m.plainStore(nsproxy + NSPROXY.count, 1);
  m.plainStore(nsproxy + NSPROXY.net, OWN);
  const old = m.exchange(task + TASK.nsproxy, nsproxy);
  if (refcountDecAndTest(m, old + NSPROXY.count)) throw new Error("nobody else has the first namespaces");
  return task;
}

/** What somebody finds who has a reference. */
function lookAt(k: Kernel, task: Ptr): string {
  const { m } = k;
  const uid = m.load(m.load(task + TASK.cred) + CRED.uid);
  const limit = rlimit(k, m.load(task + TASK.signal), LIMIT, false);
  const net = m.load(m.load(task + TASK.nsproxy) + NSPROXY.net);
  return [shown(k, task, taskName), uid, limit, net].join(" ");
}

export const lastReference = scenario({
  name: "task/last-reference",
  about: "a task is reaped while another keeps it: all that it has is there until the last reference goes, then none",
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    const task = makeRich(k);
    getTask(k, task);
    return { before, task };
  },
  threads: {
    keeper: (k, { task }): string => {
      k.quiescent();
      const seen = lookAt(k, task);
      putTask(k, task);
      k.quiescent();
      return seen;
    },
    parent: (k): void => endAndReap(k, PID),
  },
  check: (k, { before }, { keeper }) =>
    keeper === [LONG, OWN, OWN, OWN].join(" ") ? judgeInventory(k, before) : `the keeper found ${keeper}`,
});
