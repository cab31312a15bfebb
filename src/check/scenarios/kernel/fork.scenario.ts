/** New tasks: what they have of their parent and what of their own, and who gets none. */
import { actBegin, actEnd } from "../../../kernel/actor.ts";
import { Cache, FIRST_FDTABLE_CACHE } from "../../../kernel/caches.ts";
import { EAGAIN, EEXIST, EINVAL, ENOMEM, ESRCH } from "../../../kernel/errno.ts";
import { exitGroup, exitThread } from "../../../kernel/exit.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_IO,
  CLONE_PARENT,
  CLONE_PTHREAD,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  PF_FORKNOEXEC,
  PF_KTHREAD,
  PF_RANDOMIZE,
  PF_SUPERPRIV,
} from "../../../kernel/flags.ts";
import type { CloneOptions } from "../../../kernel/fork.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import {
  CRED,
  FILES,
  FS,
  HOST,
  MM,
  NSPROXY,
  PID_MAX_LIMIT,
  RLIMITS,
  SIGHAND,
  SIGNAL,
  TASK,
  TOKEN,
} from "../../../kernel/layout.ts";
import { findTask, nextTgid, pidGeneration } from "../../../kernel/pid.ts";
import { ArenaFullError, carve } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import type { Facts } from "./machine-kit.ts";
import { firstDifference, inventory, judgeInventory, markWords, newToken, pick, wordsOf } from "./machine-kit.ts";
import { endAndReap, reapZombie, reclaimNow, start, taskOfPid } from "./pid-kit.ts";

const [PARENT, CHILD] = [40, 41];
/** Nanoseconds of boot time, of which both halves count. */
const [STARTED_HIGH, STARTED_LOW] = [3, 7];
const STARTED = STARTED_HIGH * 2 ** 32 + STARTED_LOW;

/** Fields that a child has of its parent, and others that begin anew. */
const TASK_COPIES = [
  ...["comm", "policy", "rtPriority", "nice", "cpu", "personality", "timerSlack", "loginuid", "sessionid", "blocked"],
  ...["noNewPrivs", "seccomp", "cpusAllowed", "cgroup", "owner", "behaviour"],
];
const TASK_ANEW = ["utime", "stime", "minFlt", "majFlt", "nvcsw", "nivcsw", "runDelay", "pcount", "ioac", "pending"];
const SIGNAL_COPIES = ["pgrp", "session", "tty", "oomScoreAdj", "oomScoreAdjMin", "autogroup", "autogroupNice"];
const SIGNAL_ANEW = [
  ...["flags", "groupExitCode", "isChildSubreaper", "ioac", "utime", "stime", "cutime", "cstime", "minFlt", "majFlt"],
  ...["cminFlt", "cmajFlt", "nextPosixTimerId", "sharedPending"],
];
const SIGHAND_COPIES = ["ignored", "caught"];

/** What the threads of a process share, and what it may share with others: the field, and where its references are. */
const COUNTS = {
  mm: MM.mmUsers,
  files: FILES.count,
  fs: FS.users,
  sighand: SIGHAND.count,
  signal: SIGNAL.sigcnt,
  ioContext: TOKEN.count,
  sysvsemUndo: TOKEN.count,
} as const;
type Resource = keyof typeof COUNTS;
const RESOURCES = Object.keys(COUNTS) as Resource[];

function signalOf(k: Kernel, task: Ptr): Ptr {
  return k.m.load(task + TASK.signal);
}

/** How often what a task refers to is referred to. */
function references(k: Kernel, task: Ptr): Facts {
  const { m } = k;
  const counts: Record<string, number> = {
    cred: m.load(m.load(task + TASK.cred) + CRED.usage),
    nsproxy: m.load(m.load(task + TASK.nsproxy) + NSPROXY.count),
    rlimits: m.load(m.load(signalOf(k, task) + SIGNAL.rlimits) + RLIMITS.usage),
  };
  for (const name of RESOURCES) {
    const at = m.load(task + TASK[name]);
    counts[name] = at === 0 ? 0 : m.load(at + COUNTS[name]);
  }
  return counts;
}

/** Counts of the whole machine, and what the table says of the child's pid. */
function tableFacts(k: Kernel): Facts {
  const { m } = k;
  return {
    threads: m.load(HOST.nrThreads),
    processes: m.load(HOST.nrProcesses),
    running: m.load(HOST.nrRunning),
    forks: m.load64(HOST.totalForks),
    task: findTask(k, CHILD),
    listed: nextTgid(k, CHILD),
    uses: pidGeneration(k, CHILD),
  };
}

interface Family {
  readonly parent: Ptr;
  readonly table: Facts;
  readonly counts: Facts;
}

/** A process that has values of its own in all fields. */
function markedParent(k: Kernel): Family {
  start(k, 1, 0, { pid: PARENT });
  const parent = taskOfPid(k, PARENT);
  const words = wordsOf(k, parent, TASK);
  markWords(k, parent, TASK, [...TASK_COPIES, ...TASK_ANEW, "robustList"]);
  markWords(k, words["signal"] as Ptr, SIGNAL, [...SIGNAL_COPIES, ...SIGNAL_ANEW]);
  markWords(k, words["sighand"] as Ptr, SIGHAND, SIGHAND_COPIES);
  k.m.store((words["fs"] as Ptr) + FS.umask, 0o027);
  k.m.store(parent + TASK.flags, PF_RANDOMIZE | PF_SUPERPRIV);
  return { parent, table: tableFacts(k), counts: references(k, parent) };
}

/** The child of a fork without flags. */
function judgeChild(k: Kernel, { parent, table, counts }: Family): string | null {
  const child = taskOfPid(k, CHILD);
  const [is, of] = [wordsOf(k, child, TASK), wordsOf(k, parent, TASK)];
  const own = ["signal", "sighand", "files", "fs", "mm"] as const;
  for (const name of own) {
    if (is[name] === of[name] || !k.slab.isAlive(is[name] as Ptr, Cache[name])) return `it has no ${name} of its own`;
  }
  const expected = {
    ...pick(of, [...TASK_COPIES, "robustList", "cred", "nsproxy"]),
    ...pick(is, own),
    ...{ usage: 1, pid: CHILD, tgid: CHILD, flags: PF_RANDOMIZE | PF_FORKNOEXEC },
    ...{ startTime: STARTED_LOW, "startTime+1": STARTED_HIGH },
  };
  const { threads, processes, running, forks } = table as Record<string, number>;
  const counted = { threads: threads + 1, processes: processes + 1, running: running + 1, forks: forks + 1 };
  return (
    firstDifference("the child", is, expected) ??
    judgeGroup(k, child, parent) ??
    judgeCopies(k, is, of) ??
    firstDifference("the table", tableFacts(k), { ...counted, task: child, listed: CHILD, uses: 1 }) ??
    firstDifference("references", references(k, parent), {
      ...counts,
      ...{ cred: counts["cred"] + 1, nsproxy: counts["nsproxy"] + 1, rlimits: counts["rlimits"] + 1 },
    })
  );
}

/** What a child's signal_struct has. */
function judgeGroup(k: Kernel, child: Ptr, parent: Ptr): string | null {
  const above = signalOf(k, parent);
  const signal = signalOf(k, child);
  const family = wordsOf(k, above, SIGNAL);
  if (family["childFirst"] !== signal || family["childLast"] !== signal) return "it is not its parent's only child";
  return firstDifference("its signal_struct", wordsOf(k, signal, SIGNAL), {
    ...pick(family, [...SIGNAL_COPIES, "rlimits"]),
    ...{ sigcnt: 1, live: 1, nrThreads: 1, tgid: CHILD, parent: above },
    ...{ leader: child, threadFirst: child, threadLast: child },
  });
}

/** What it has copies of. */
function judgeCopies(k: Kernel, is: Facts, of: Facts): string | null {
  const both = (name: string, layout: Facts): [Facts, Facts] => [
    wordsOf(k, is[name] as Ptr, layout),
    wordsOf(k, of[name] as Ptr, layout),
  ];
  const [sighand, oldSighand] = both("sighand", SIGHAND);
  const [fs, oldFs] = both("fs", FS);
  const [mm, oldMm] = both("mm", MM);
  return (
    firstDifference("its sighand", sighand, { ...pick(oldSighand, SIGHAND_COPIES), count: 1 }) ??
    firstDifference("its fs", fs, { ...oldFs, users: 1 }) ??
    firstDifference("its mm", pick(mm, ["mmUsers", "mapCount"]), { ...pick(oldMm, ["mapCount"]), mmUsers: 1 })
  );
}

export const child = scenario({
  name: "fork/child",
  about: "the child of a process that has a value of its own in each field: what is copied, what begins anew",
  quick: true,
  setup: markedParent,
  threads: { parent: (k): number => start(k, PARENT, 0, { pid: CHILD, startTime: STARTED }) },
  check: (k, plan) => judgeChild(k, plan),
});

/** Flags, what the new task shares with its parent then, and whether it is a thread. */
const KINDS: readonly (readonly [flags: number, shares: readonly Resource[]])[] = [
  [0, []],
  [CLONE_VFORK | CLONE_VM, ["mm"]],
  [CLONE_FS, ["fs"]],
  [CLONE_FILES, ["files"]],
  [CLONE_VM | CLONE_SIGHAND, ["mm", "sighand"]],
  [CLONE_IO, ["ioContext"]],
  [CLONE_SYSVSEM, ["sysvsemUndo"]],
  [CLONE_PARENT, []],
  [CLONE_PTHREAD, ["mm", "fs", "files", "sighand", "signal", "sysvsemUndo"]],
  [CLONE_SYSVSEM, ["sysvsemUndo"]],
];

/** A new task of some flags, and its end. */
function cloneAndEnd(k: Kernel, flags: number, shares: readonly Resource[]): string | null {
  const parent = taskOfPid(k, PARENT);
  const hadUndo = k.m.load(parent + TASK.sysvsemUndo) !== 0;
  const before = references(k, parent);
  start(k, PARENT, flags, { pid: CHILD });
  const wrong = judgeShares(k, flags, shares, { ...before, ...(hadUndo ? {} : { sysvsemUndo: 1 }) });
  if (wrong !== null) return wrong;
  if ((flags & CLONE_THREAD) === 0) endAndReap(k, CHILD);
  else exitThread(k, taskOfPid(k, CHILD), 0);
  reclaimNow(k);
  const undo = k.m.load(parent + TASK.sysvsemUndo) === 0 ? 0 : 1;
  return firstDifference("references afterwards", references(k, parent), { ...before, sysvsemUndo: undo });
}

function judgeShares(k: Kernel, flags: number, shares: readonly Resource[], before: Facts): string | null {
  const [parent, child] = [taskOfPid(k, PARENT), taskOfPid(k, CHILD)];
  const thread = (flags & CLONE_THREAD) !== 0;
  const shared: Record<string, number> = { ...before };
  for (const name of ["cred", "nsproxy", ...(thread ? [] : ["rlimits"]), ...shares])
    shared[name] = (before[name] ?? 0) + 1;
  if (!shares.includes("sysvsemUndo") && k.m.load(parent + TASK.sysvsemUndo) === 0) shared["sysvsemUndo"] = 0;
  for (const name of RESOURCES) {
    const theirs = k.m.load(parent + TASK[name]);
    const same = theirs !== 0 && theirs === k.m.load(child + TASK[name]);
    if (same !== shares.includes(name)) return `${name} is ${same ? "shared" : "not shared"}`;
  }
  return firstDifference("references", references(k, parent), shared) ?? judgePlace(k, flags, thread);
}

/** Where a new task stands: in its parent's group, or among its children, or its siblings. */
function judgePlace(k: Kernel, flags: number, thread: boolean): string | null {
  const { m } = k;
  const [task, group] = [taskOfPid(k, CHILD), signalOf(k, taskOfPid(k, PARENT))];
  const signal = signalOf(k, task);
  const above = (flags & CLONE_PARENT) !== 0 ? m.load(group + SIGNAL.parent) : group;
  const [tgid, parent] = thread ? [PARENT, m.load(group + SIGNAL.parent)] : [CHILD, above];
  return firstDifference(
    "its place",
    {
      tgid: m.load(task + TASK.tgid),
      parent: m.load(signal + SIGNAL.parent),
      last: m.load(signal + SIGNAL.threadLast),
      leader: m.load(signal + SIGNAL.leader),
      live: m.load(signal + SIGNAL.live),
      threads: m.load(signal + SIGNAL.nrThreads),
      youngest: thread ? 0 : m.load(above + SIGNAL.childLast),
      listed: nextTgid(k, PARENT + 1),
    },
    {
      ...{ tgid, parent, last: task, leader: taskOfPid(k, tgid), live: thread ? 2 : 1, threads: thread ? 2 : 1 },
      ...{ youngest: thread ? 0 : signal, listed: thread ? -1 : CHILD },
    },
  );
}

export const clones = scenario({
  name: "fork/clone",
  about:
    "one process clones in ten ways: who shares what, how often it is referred to, and that all of it is given back",
  quick: true,
  setup: inventory,
  threads: {
    parent: (k): string | null => {
      start(k, 1, 0, { pid: PARENT });
      k.m.store(taskOfPid(k, PARENT) + TASK.ioContext, newToken(k));
      for (const [flags, shares] of KINDS) {
        const wrong = cloneAndEnd(k, flags, shares);
        if (wrong !== null) return `with flags ${flags}: ${wrong}`;
      }
      endAndReap(k, PARENT);
      return null;
    },
  },
  check: (k, before, { parent }) => parent ?? judgeInventory(k, before),
});

/** A task and whose it is: whether it is a kernel thread, and has an address space. */
function kindOf(k: Kernel, pid: number): Facts {
  const task = taskOfPid(k, pid);
  return {
    flags: k.m.load(task + TASK.flags) & (PF_KTHREAD | PF_FORKNOEXEC),
    mm: k.m.load(task + TASK.mm),
    list: k.m.load(task + TASK.robustList),
  };
}

export const kernelThread = scenario({
  name: "fork/kernel-thread",
  about: "kernel threads have no address space, nor do children of theirs; those are none",
  quick: true,
  setup: inventory,
  threads: {
    parent: (k): Facts[] => {
      start(k, 1, 0, { pid: PARENT, kernelThread: true });
      start(k, PARENT, 0, { pid: CHILD });
      const facts = [kindOf(k, PARENT), kindOf(k, CHILD)];
      endAndReap(k, CHILD);
      endAndReap(k, PARENT);
      return facts;
    },
  },
  check: (k, before, { parent: [thread = {}, child = {}] }) =>
    firstDifference("the kernel thread", thread, { flags: PF_KTHREAD | PF_FORKNOEXEC }) ??
    firstDifference("its child", child, { flags: PF_FORKNOEXEC }) ??
    judgeInventory(k, before),
});

/** Forks that must fail: the flags, what else is asked for, and the answer. */
const REFUSED: readonly (readonly [flags: number, options: CloneOptions, answer: number])[] = [
  [CLONE_THREAD, {}, -EINVAL],
  [CLONE_THREAD | CLONE_VM, {}, -EINVAL],
  [CLONE_SIGHAND, {}, -EINVAL],
  [0, { pid: 1 }, -EEXIST],
  [0, { pid: -1 }, -EINVAL],
  [0, { pid: PID_MAX_LIMIT }, -EINVAL],
];

/** Forks that nobody could serve: by a process that ends, where there are too many threads, where no pid is left. */
function hopelessForks(k: Kernel): number[] {
  const { m } = k;
  const zombie = copyProcess(k, taskOfPid(k, PARENT), 0);
  const limit = m.exchange(HOST.threadsMax, m.load(HOST.nrThreads));
  const crowded = copyProcess(k, taskOfPid(k, 1), 0);
  m.store(HOST.threadsMax, limit);
  const [cursor, max] = [m.exchange(HOST.pidCursor, LAST_PID), m.exchange(HOST.pidMax, LAST_PID + 1)];
  const last = copyProcess(k, taskOfPid(k, 1), 0);
  const beyond = copyProcess(k, taskOfPid(k, 1), 0);
  endAndReap(k, LAST_PID);
  m.store(HOST.pidCursor, cursor);
  m.store(HOST.pidMax, max);
  return [zombie, crowded, last, beyond];
}

/** The first pid that is handed out again, and here the last one there is. */
const LAST_PID = 300;

export const refused = scenario({
  name: "fork/refused",
  about: "forks that ask for what can't be, or come when there is nothing left: each has its error, and leaves nothing",
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: PARENT });
    exitGroup(k, taskOfPid(k, PARENT), 0);
    return { before, lastPid: k.m.load(HOST.lastPid) };
  },
  threads: {
    parent: (k): number[] => {
      const asked = REFUSED.map(([flags, options]) => [flags, options] as const);
      const answers: number[] = [];
      for (const [flags, options] of asked) answers.push(copyProcess(k, taskOfPid(k, 1), flags, options));
      for (const answer of hopelessForks(k)) answers.push(answer);
      reapZombie(k, PARENT);
      return answers;
    },
  },
  check: (k, { before }, { parent: answers }) => {
    const expected = [...REFUSED.map(([, , answer]) => answer), -EAGAIN, -EAGAIN, LAST_PID, -EAGAIN];
    if (answers.join(" ") !== expected.join(" ")) return `the forks answered ${answers.join(" ")}`;
    return judgeInventory(k, before);
  },
});

/** As many objects of each cache as some forks need. */
const ENOUGH = 40;

/** The arena is full, but for some free objects of each cache that forks need. */
function fillArena(k: Kernel): void {
  for (const [cache] of NEEDED) {
    const objects: Ptr[] = [];
    while (objects.length < ENOUGH) objects.push(k.slab.allocDirty(cache));
    for (const object of objects) k.slab.free(object);
  }
  carve(k.m, HOST, k.m.load(HOST.limit) - k.m.load(HOST.breakAt));
}

/** Takes every free object of a cache. @pre nothing of the arena is left to be carved */
function hoard(k: Kernel, cache: number): Ptr[] {
  const objects: Ptr[] = [];
  for (;;) {
    try {
      objects.push(k.slab.allocDirty(cache));
    } catch (error) {
      if (!(error instanceof ArenaFullError)) throw error;
      return objects;
    }
  }
}

/** A fork while there is no object of a cache, and once there is. @returns what was answered, and what has changed */
function forkWithout(k: Kernel, cache: number, flags: number): string | null {
  const hoarded = hoard(k, cache);
  const before = inventory(k);
  const pid = k.m.load(HOST.lastPid);
  const without = copyProcess(k, taskOfPid(k, PARENT), flags);
  const wrong = judgeInventory(k, before);
  for (const object of hoarded) k.slab.free(object);
  if (without !== -ENOMEM) return `a fork answered ${without}`;
  if (wrong !== null || k.m.load(HOST.lastPid) !== pid) return wrong ?? "a pid has been handed out";
  endAndReap(k, start(k, PARENT, flags, {}));
  reclaimNow(k);
  return null;
}

/** Caches of which a fork needs objects, and flags with which it does. */
const NEEDED: readonly (readonly [cache: number, flags: number])[] = [
  [Cache.task, 0],
  [Cache.signal, 0],
  [Cache.sighand, CLONE_VM],
  [Cache.fs, CLONE_VM],
  [Cache.token, CLONE_VM | CLONE_SYSVSEM],
  [Cache.files, CLONE_VM],
  [FIRST_FDTABLE_CACHE, CLONE_VM],
  [Cache.mm, 0],
  [Cache.vma, 0],
  [Cache.vmaNode, 0],
];

export const noMemory = scenario({
  name: "fork/no-memory",
  about: "the arena is full, and of one kind of object after another there is none: a fork fails whole, or needs none",
  setup: inventory,
  threads: {
    parent: (k): string | null => {
      start(k, 1, 0, { pid: PARENT });
      fillArena(k);
      for (const [cache, flags] of NEEDED) {
        const wrong = forkWithout(k, cache, flags);
        if (wrong !== null) return `without objects of cache ${cache}: ${wrong}`;
      }
      endAndReap(k, PARENT);
      return null;
    },
  },
  check: (k, before, { parent }) => parent ?? judgeInventory(k, before),
});

/** Acts as a process, if it can. @returns the word that its maker has set, as long as it acts; or an error */
function actAs(k: Kernel, pid: number, word: Ptr): number {
  const task = actBegin(k, pid);
  if (task < 0) return task;
  const seen = k.m.load(word);
  actEnd(k, task);
  return seen;
}

export const acting = scenario({
  name: "fork/acting",
  about: "who makes a process acts as it from its first moment on: others find it when that is over, or not yet",
  quick: true,
  setup: (k) => ({ before: inventory(k), word: words(k, 1) }),
  threads: {
    maker: (k, { word }): number => {
      k.m.store(word, 1);
      start(k, 1, 0, { pid: CHILD, acting: true });
      const task = taskOfPid(k, CHILD);
      const usage = k.m.load(task + TASK.usage);
      k.m.store(word, 0);
      actEnd(k, task);
      return usage;
    },
    other: (k, { word }): number => actAs(k, CHILD, word),
  },
  check: (k, { before }, { maker, other }) => {
    if (other !== 0 && other !== -ESRCH) return `the other one found ${other}`;
    // Of who finds the process there is a reference, too.
    if (maker !== 2 && maker !== 3) return `the task had ${maker} references`;
    const usage = k.m.load(taskOfPid(k, CHILD) + TASK.usage);
    if (usage !== 1) return `the task has ${usage} references`;
    endAndReap(k, CHILD);
    return judgeInventory(k, before);
  },
});

/** What somebody who has found a task finds in it. */
interface Found {
  readonly listed: number;
  readonly task: Facts;
  readonly group: Facts;
}

/** Looks for a process in the table, and then in the list. */
function look(k: Kernel): Found | null {
  const task = findTask(k, CHILD);
  if (task === 0) return null;
  const listed = nextTgid(k, CHILD);
  return { listed, task: wordsOf(k, task, TASK), group: wordsOf(k, signalOf(k, task), SIGNAL) };
}

export const published = scenario({
  name: "fork/published",
  about: "a process that is just being made is not to be found, or whole",
  quick: true,
  setup: (k) => markedParent(k),
  threads: {
    reader: (k): Found | null => look(k),
    maker: (k): number => start(k, PARENT, 0, { pid: CHILD, startTime: STARTED }),
  },
  check: (k, plan, { reader }) => {
    const wrong = judgeChild(k, plan);
    if (wrong !== null || reader === null) return wrong;
    if (reader.listed !== CHILD) return "the process was found, and not listed after that";
    const child = taskOfPid(k, CHILD);
    return (
      firstDifference("the found task", reader.task, wordsOf(k, child, TASK)) ??
      firstDifference("its signal_struct", reader.group, wordsOf(k, signalOf(k, child), SIGNAL))
    );
  },
});

/** Two pids of one word of the list of processes, which has no others. */
const [ENDED, BORN] = [70, 71];

export const beside = scenario({
  name: "fork/beside-reap",
  about: "a process is made while the only one beside it in the list is reaped: the one is listed, the other is not",
  // All interleavings are hundreds of thousands: a fork and a release have some twenty words in common.
  extent: { kind: "bounded", preemptions: 2 },
  setup: (k) => {
    start(k, 1, 0, { pid: PARENT });
    start(k, 1, 0, { pid: ENDED });
    exitGroup(k, taskOfPid(k, ENDED), 0);
    return null;
  },
  threads: {
    maker: (k): number => start(k, PARENT, 0, { pid: BORN }),
    reaper: (k): void => reapZombie(k, ENDED),
  },
  check: (k) => {
    const listed = nextTgid(k, PARENT + 1);
    return listed === BORN ? null : `the list goes on with ${listed}`;
  },
});
