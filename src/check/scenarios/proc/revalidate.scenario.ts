/** Path walks into process directories: is it still the same process, and whose is it? */
import { Event, eventCount } from "../../../kernel/counters.ts";
import { EBADF } from "../../../kernel/errno.ts";
import { execTask } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { closeFd, dupFd, fileNew, installFd } from "../../../kernel/files.ts";
import { CLONE_FILES, CLONE_PTHREAD } from "../../../kernel/flags.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { FILE, FileKind, TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import { NOT_OPEN, walkBegin, walkEnd, walkToFd, walkToTask } from "../../../proc/fs/revalidate.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { ORDINARY, SETUID_ROOT, programSpec } from "../../model.ts";
import type { Ids, Life, SeenProcess, SeenThread } from "../../oracles/revalidate.ts";
import { judgeFileOwner, judgeProcess, judgeThread } from "../../oracles/revalidate.ts";
import { scenario } from "../../scenario.ts";
import { endAndReap, reapZombie, reclaimNow, start, taskOfPid } from "../kernel/pid-kit.ts";
import { hasReached, mayReach, newestState, oldestState } from "../sync/progress.ts";
import type { LifePlan, Seen } from "./revalidate-lives.ts";
import {
  ALL,
  PID,
  TID,
  HEIR_LIVES,
  become,
  execHeir,
  firstLife,
  heirLife,
  idsOf,
  judgeReferences,
  life,
  ownerOfDirectory,
  ownerOfFile,
  seeProcess,
  startOf,
  statesIn,
} from "./revalidate-lives.ts";

const PATHS = [Path.revalidate];

/** Walks to the directory of the process. */
function visit(k: Kernel, { generation, progress }: LifePlan): Seen<SeenProcess> {
  const oldest = oldestState(k, progress);
  const task = walkToTask(k, PID, generation, ALL);
  const seen = task === NULL ? null : seeProcess(k, task, generation);
  const newest = newestState(k, progress);
  k.quiescent();
  return { seen, span: { oldest, newest } };
}

/** Walks to a file in it. */
function visitFile(k: Kernel, { generation, progress }: LifePlan): Seen<Ids> {
  const oldest = oldestState(k, progress);
  const task = walkToTask(k, PID, generation, ALL);
  const seen = task === NULL ? null : ownerOfFile(k, task);
  const newest = newestState(k, progress);
  k.quiescent();
  return { seen, span: { oldest, newest } };
}

/** Walks to the directory of its thread. */
function visitThread(k: Kernel, { progress }: LifePlan, generation: number): Seen<SeenThread> {
  const oldest = oldestState(k, progress);
  const task = walkToTask(k, TID, generation, ALL);
  const seen = task === NULL ? null : { generation, ...ownerOfDirectory(k, task) };
  const newest = newestState(k, progress);
  k.quiescent();
  return { seen, span: { oldest, newest } };
}

function judgeVisit({ seen, span }: Seen<SeenProcess>, lives: readonly (Life | null)[]): string | null {
  return judgeProcess(seen, 1, statesIn(lives, span));
}

/** No file belongs to who the process becomes, as it can't be dumped any more by then. */
function judgeFile({ seen, span }: Seen<Ids>, lives: readonly (Life | null)[]): string | null {
  const wrong = judgeFileOwner(seen, 1, statesIn(lives, span));
  if (wrong !== null || seen === null || seen.uid === 0 || seen.uid === idsOf(1).uid) return wrong;
  return `a file belonged to ${seen.uid}:${seen.gid}, who can't be dumped`;
}

const REAP = [life(), life({ dumpable: false }), null];
export const reaped = scenario({
  name: "revalidate/reap",
  about: "the process ends and is reaped: a walk finds it, or finds that it is gone, never the remains",
  paths: PATHS,
  quick: true,
  setup: (k) => ({ ...firstLife(k), task: taskOfPid(k, PID) }),
  threads: {
    walker: (k, plan): Seen<SeenProcess> => visit(k, plan),
    writer: (k, { progress }): void => {
      mayReach(k, progress, 2);
      endAndReap(k, PID);
      hasReached(k, progress, 2);
      reclaimNow(k);
    },
  },
  check: (k, { task }, { walker }) =>
    findTask(k, PID) === 0 ? (judgeVisit(walker, REAP) ?? judgeReferences(k, task, false)) : "it is still there",
});

const REUSE = [life(), life({ dumpable: false }), null, life({ generation: 2, start: startOf(2), uid: 0, gid: 0 })];
export const reused = scenario({
  name: "revalidate/reuse",
  about: "the pid is given out again: a node of the old process never answers for the new one",
  paths: PATHS,
  quick: true,
  setup: (k) => firstLife(k),
  threads: {
    walker: (k, plan): Seen<SeenProcess>[] => [visit(k, plan), visit(k, plan)],
    writer: (k, { progress }): void => {
      mayReach(k, progress, 2);
      endAndReap(k, PID);
      hasReached(k, progress, 2);
      reclaimNow(k);
      mayReach(k, progress, 3);
      start(k, 1, 0, { pid: PID, startTime: startOf(2) });
      hasReached(k, progress, 3);
    },
  },
  check: (k, _plan, { walker: [first, second] }) =>
    judgeVisit(first as Seen<SeenProcess>, REUSE) ??
    judgeVisit(second as Seen<SeenProcess>, REUSE) ??
    judgeReferences(k, taskOfPid(k, PID), true),
});

export const heir = scenario({
  name: "revalidate/exec-of-thread",
  about: "a thread execs and takes over its dead leader's pid: the process never seems gone",
  paths: PATHS,
  quick: true,
  setup: (k) => heirLife(k),
  threads: {
    walker: (k, plan): Seen<SeenProcess> => visit(k, plan),
    writer: (k, plan): void => execHeir(k, plan),
  },
  check: (k, plan, { walker }) => judgeVisit(walker, HEIR_LIVES) ?? judgeReferences(k, plan.heir, true),
});

export const threadOfHeir = scenario({
  name: "revalidate/thread-that-execs",
  about: "the same with a walk to the thread's own directory, which goes when it becomes the leader",
  paths: PATHS,
  setup: (k) => heirLife(k),
  threads: {
    walker: (k, plan): Seen<SeenThread> => visitThread(k, plan, 2),
    writer: (k, plan): void => execHeir(k, plan),
  },
  check: (k, plan, { walker: { seen, span } }) =>
    judgeThread(seen, 1, 2, statesIn(HEIR_LIVES, span)) ?? judgeReferences(k, plan.heir, true),
});

const OWNERS = [life(), life({ ...idsOf(2), dumpable: false }), life({ ...idsOf(3), dumpable: false })];
export const setuid = scenario({
  name: "revalidate/setuid",
  about: "the process changes its identity twice: user and group of its directory are of one moment",
  paths: PATHS,
  quick: true,
  setup: (k) => firstLife(k),
  threads: {
    walker: (k, plan): Seen<SeenProcess> => visit(k, plan),
    writer: (k, { progress }): void => {
      mayReach(k, progress, 1);
      become(k, PID, 2);
      hasReached(k, progress, 1);
      reclaimNow(k);
      mayReach(k, progress, 2);
      become(k, PID, 3);
      hasReached(k, progress, 2);
    },
  },
  check: (k, _plan, { walker }) => judgeVisit(walker, OWNERS) ?? judgeReferences(k, taskOfPid(k, PID), true),
});

export const fileOwner = scenario({
  name: "revalidate/setuid-file",
  about: "the same with a file: it is its old owner's, or root's as soon as the process can't be dumped",
  paths: PATHS,
  setup: (k) => firstLife(k),
  threads: {
    walker: (k, plan): Seen<Ids> => visitFile(k, plan),
    writer: (k, { progress }): void => {
      mayReach(k, progress, 1);
      become(k, PID, 2);
      hasReached(k, progress, 1);
    },
  },
  check: (k, _plan, { walker }) => judgeFile(walker, OWNERS) ?? judgeReferences(k, taskOfPid(k, PID), true),
});

const GAINED = [life(), life({ uid: 0, dumpable: false })];
export const execSetuid = scenario({
  name: "revalidate/exec-setuid",
  about: "an exec of a set-user-ID program: no file belongs to who the process becomes",
  paths: PATHS,
  setup: (k) => firstLife(k),
  threads: {
    directory: (k, plan): Seen<SeenProcess> => visit(k, plan),
    file: (k, plan): Seen<Ids> => visitFile(k, plan),
    writer: (k, { progress }): void => {
      mayReach(k, progress, 1);
      execTask(k, taskOfPid(k, PID), programSpec(SETUID_ROOT));
      hasReached(k, progress, 1);
    },
  },
  check: (k, _plan, { directory, file }) => {
    const wrong = judgeVisit(directory, GAINED) ?? judgeFile(file, GAINED);
    if (wrong !== null) return wrong;
    const mixed = file.seen !== null && file.seen.uid === 0 && file.seen.gid !== 0;
    return mixed ? `a file belonged to 0:${file.seen?.gid}` : judgeReferences(k, taskOfPid(k, PID), true);
  },
});

/** Descriptors: the first free one, and one beyond the smallest table. */
const [FD, HIGH_FD] = [0, 9];
const [READ, WRITE] = [1, 2];

interface FdPlan extends LifePlan {
  readonly task: Ptr;
  readonly file: Ptr;
}

/** A process with one open file. */
function setupFd(k: Kernel): FdPlan {
  const plan = firstLife(k);
  const task = taskOfPid(k, PID);
  const file = fileNew(k, { kind: FileKind.pipe, flags: READ, ino: 7 });
  installFd(k, k.m.load(task + TASK.files), file);
  return { ...plan, task, file };
}

/** Walks to a descriptor of the process. */
function visitFd(k: Kernel, { generation, progress }: LifePlan, fd: number): Seen<number> {
  const oldest = oldestState(k, progress);
  const task = walkToTask(k, PID, generation, ALL);
  const seen = task === NULL ? null : walkToFd(k, task, fd);
  const newest = newestState(k, progress);
  k.quiescent();
  return { seen, span: { oldest, newest } };
}

/** @param states the flags of the descriptor; null: there is no process */
function judgeFd({ seen, span }: Seen<number>, states: readonly (number | null)[]): string | null {
  const possible = states.slice(span.oldest, span.newest + 1);
  return possible.includes(seen) ? null : `a descriptor had flags ${seen}, possible: ${possible.join(", ")}`;
}

function judgeFileCount(k: Kernel, file: Ptr, references: number): string | null {
  const count = k.m.load(file + FILE.count);
  return count === references ? null : `the file has ${count} references`;
}

export const reopened = scenario({
  name: "revalidate/close-open",
  about: "a descriptor is closed and becomes another file's, in memory that may be the old one's",
  paths: PATHS,
  quick: true,
  setup: setupFd,
  threads: {
    walker: (k, plan): Seen<number>[] => [visitFd(k, plan, FD), visitFd(k, plan, FD)],
    writer: (k, { task, progress }): void => {
      const files = k.m.load(task + TASK.files);
      mayReach(k, progress, 1);
      closeFd(k, files, FD);
      hasReached(k, progress, 1);
      reclaimNow(k);
      mayReach(k, progress, 2);
      installFd(k, files, fileNew(k, { kind: FileKind.pipe, flags: WRITE, ino: 8 }));
      hasReached(k, progress, 2);
    },
  },
  check: (k, { task }, { walker: [first, second] }) =>
    judgeFd(first as Seen<number>, [READ, NOT_OPEN, WRITE]) ??
    judgeFd(second as Seen<number>, [READ, NOT_OPEN, WRITE]) ??
    judgeReferences(k, task, true),
});

export const duplicated = scenario({
  name: "revalidate/dup-grow",
  about: "a descriptor is duplicated to one beyond the table, which grows: neither gets lost",
  paths: PATHS,
  setup: setupFd,
  threads: {
    walker: (k, plan): Seen<number>[] => [visitFd(k, plan, FD), visitFd(k, plan, HIGH_FD)],
    writer: (k, { task, progress }): void => {
      mayReach(k, progress, 1);
      dupFd(k, k.m.load(task + TASK.files), FD, HIGH_FD);
      hasReached(k, progress, 1);
      reclaimNow(k);
    },
  },
  check: (k, { task, file }, { walker: [low, high] }) =>
    judgeFd(low as Seen<number>, [READ, READ]) ??
    judgeFd(high as Seen<number>, [NOT_OPEN, READ]) ??
    judgeFileCount(k, file, 2) ??
    judgeReferences(k, task, true),
});

export const dupOrClose = scenario({
  name: "revalidate/dup-or-close",
  about: "a thread duplicates a descriptor that another one closes: the copy is a whole file, or there is none",
  paths: PATHS,
  setup: (k) => {
    const plan = setupFd(k);
    start(k, PID, CLONE_PTHREAD, { pid: TID });
    return plan;
  },
  threads: {
    walker: (k, plan): Seen<number> => visitFd(k, plan, 1),
    dup: (k, { task, progress }): number => {
      mayReach(k, progress, 1);
      const copy = dupFd(k, k.m.load(task + TASK.files), FD, 1);
      hasReached(k, progress, 1);
      return copy;
    },
    close: (k): number => closeFd(k, k.m.load(taskOfPid(k, TID) + TASK.files), FD),
  },
  check: (k, { task, file }, { walker, dup, close }) => {
    if (close !== 0) return `close answered ${close}`;
    const open = dup === 1;
    if (!open && dup !== -EBADF) return `dup answered ${dup}`;
    return (
      judgeFd(walker, [NOT_OPEN, open ? READ : NOT_OPEN]) ??
      judgeFileCount(k, file, open ? 1 : 0) ??
      judgeReferences(k, task, true)
    );
  },
});

export const filesOfTheDead = scenario({
  name: "revalidate/fd-exit",
  about: "the process ends with its descriptors while one is walked to",
  paths: PATHS,
  quick: true,
  setup: setupFd,
  threads: {
    walker: (k, plan): Seen<number> => visitFd(k, plan, FD),
    writer: (k, { task, progress }): void => {
      mayReach(k, progress, 2);
      exitGroup(k, task, 0);
      hasReached(k, progress, 1);
      reapZombie(k, PID);
      hasReached(k, progress, 2);
      reclaimNow(k);
    },
  },
  check: (k, { task }, { walker }) => judgeFd(walker, [READ, NOT_OPEN, null]) ?? judgeReferences(k, task, false),
});

export const ownFiles = scenario({
  name: "revalidate/fd-exec",
  about: "a process that shares its descriptors execs: it gets a table of its own with the same files",
  paths: PATHS,
  setup: (k) => {
    const plan = setupFd(k);
    start(k, PID, CLONE_FILES, {});
    return plan;
  },
  threads: {
    walker: (k, plan): Seen<number> => visitFd(k, plan, FD),
    writer: (k, { task }): void => {
      execTask(k, task, programSpec(ORDINARY));
      reclaimNow(k);
    },
  },
  check: (k, { task, file }, { walker }) =>
    judgeFd(walker, [READ]) ?? judgeFileCount(k, file, 2) ?? judgeReferences(k, task, true),
});

export const counted = scenario({
  name: "revalidate/counted",
  about:
    "walks to a process, a thread, a descriptor, a name in map_files, and to what isn't there: each is counted once",
  paths: PATHS,
  // Six walks take turns at one reference count in millions of ways, which count alike.
  extent: { locked: { kind: "bounded", preemptions: 2 } },
  quick: true,
  setup: (k) => {
    const plan = setupFd(k);
    start(k, PID, CLONE_PTHREAD, { pid: TID });
    return plan;
  },
  threads: {
    tasks: (k, { generation }): boolean[] => [
      walkToTask(k, PID, generation, ALL) !== NULL,
      walkToTask(k, PID, generation + 1, ALL) !== NULL,
      walkToTask(k, TID, generation, ALL) !== NULL,
    ],
    names: (k, { task }): number[] => {
      walkEnd(k, walkBegin(k));
      return [walkToFd(k, task, FD), walkToFd(k, task, HIGH_FD)];
    },
  },
  check: (k, { task }, { tasks, names }, form) => {
    if (tasks.join(" ") !== "true false true") return `the tasks are there: ${tasks.join(" ")}`;
    if (names.join(" ") !== `${READ} ${NOT_OPEN}`) return `the descriptors have flags ${names.join(" ")}`;
    const walks = eventCount(k, Path.revalidate, form === "locked" ? Event.refWalk : Event.rcuWalk);
    return walks === 6 ? judgeReferences(k, task, true) : `6 walks were counted as ${walks}`;
  },
});
