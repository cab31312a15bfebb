/** /proc/<pid>/io and /proc/<pid>/task/<tid>/io. */
import { ESRCH } from "../../../kernel/errno.ts";
import type { ExecPrepared } from "../../../kernel/exec.ts";
import { execCommit, execFinish, execPrepare, execRefused } from "../../../kernel/exec.ts";
import { exitGroup, exitThread, reap } from "../../../kernel/exit.ts";
import { setIdentity } from "../../../kernel/identity.ts";
import { IoSnapshot, accountIo, doIoAccounting } from "../../../kernel/io-accounting.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { CRED, MM, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { endWait } from "../../../kernel/lock-wait.ts";
import { findTask } from "../../../kernel/pid.ts";
import { isZombie } from "../../../kernel/task.ts";
import { setNoNewPrivs, tsyncBegin, tsyncFinish } from "../../../kernel/tsync.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import type { State } from "../../history.ts";
import { MODEL_CONFIG, ORDINARY, programSpec } from "../../model.ts";
import { CLOSED, OPEN } from "../../oracles/access.ts";
import type { IoRead } from "../../oracles/io.ts";
import { IO_WHOLE, imageCounters, judgeImageIo, judgeIo } from "../../oracles/io.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Change, Owned } from "./exec-images.ts";
import {
  OWNER,
  accessAround,
  caller,
  countIs,
  execsAreOver,
  keepMm,
  makeOwned,
  makeThread,
  ownsAlone,
  prepareExec,
  state,
  takeOver,
} from "./exec-images.ts";

/** What a read(2) of so many bytes adds, where the page cache has them. */
function account(k: Kernel, task: Ptr, reads: number): void {
  const none = { wchar: 0, syscw: 0, readBytes: 0, writeBytes: 0 };
  accountIo(k, task, { ...none, rchar: READ_BYTES * reads, syscr: reads });
}

const READ_BYTES = 100;

/** A state of who has made so many reads. */
function afterReads(access: number, reads: number): State {
  return state(access, READ_BYTES * reads, 0, reads, 0, 0, 0, 0);
}

/** What the owner reads. @param whole the group, not the thread alone */
function readIo(k: Kernel, pid: number, whole: boolean): IoRead {
  const s = new IoSnapshot();
  const task = findTask(k, pid);
  const error = task === 0 ? -ESRCH : doIoAccounting(k, task, whole, caller(OWNER), s);
  const counters = [s.rchar, s.wchar, s.syscr, s.syscw, s.readBytes, s.writeBytes, s.cancelledWriteBytes] as const;
  return { who: "owner", error, counters };
}

/** A process that has made a read. @param change its exec */
function makeUsed(k: Kernel, change: Change = {}): Owned {
  const owned = makeOwned(k, change);
  account(k, owned.task, 1);
  return owned;
}

interface ExecPlan {
  readonly owned: Owned;
  readonly exec: ExecPrepared;
  /** The old address space, which has another user. */
  readonly kept: Ptr;
}

function planExec(k: Kernel, change: Change): ExecPlan {
  const owned = makeUsed(k, change);
  return { owned, exec: prepareExec(k, owned.task, change), kept: keepMm(k, owned.task) };
}

/** An exec that makes a read before its credentials are there. @returns false if it has failed */
function execWithIo(k: Kernel, prepared: ExecPrepared): boolean {
  const exec = execCommit(k, takeOver(k, prepared));
  account(k, exec.task, 1);
  return execFinish(k, exec);
}

/** Before and after an exec. */
function statesOf(change: Change): State[] {
  const [before, after] = accessAround(change);
  return [afterReads(before, 1), afterReads(after, 2)];
}

/** What is wrong with a process whose exec has failed behind its point of no return. */
function failedHalfway(k: Kernel, task: Ptr): string | null {
  if (!isZombie(k, task)) return "the process lives";
  const uid = k.m.load(k.m.load(task + TASK.cred) + CRED.euid);
  return uid === OWNER ? null : `the process has died as user ${uid}`;
}

/** A reader and an exec. */
function againstExec(name: string, about: string, change: Change, whole = true): Scenario {
  return scenario({
    name: `io/${name}`,
    about,
    paths: [Path.io],
    quick: true,
    setup: (k) => planExec(k, change),
    threads: {
      reader: (k, { owned }): IoRead => readIo(k, owned.pid, whole),
      exec: (k, { exec }): boolean => execWithIo(k, exec),
    },
    check: (k, { owned, kept }, { reader, exec }) => {
      if (exec === (change.failsHalfway === true)) return `exec said ${exec}`;
      return (
        judgeIo(reader, statesOf(change)) ??
        execsAreOver(k, owned, 1) ??
        countIs(k, "the task", owned.task + TASK.usage, 1) ??
        (exec ? ownsAlone(k, owned.task) : failedHalfway(k, owned.task)) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

export const execOrdinary = againstExec("exec", "a reader and an exec: it sees one image's counters, whole", {});

export const execSetuid = againstExec(
  "exec-setuid",
  "a reader who may see the old image, and a set-user-ID exec: nothing of the new one shows",
  { setuid: true },
);

export const execNonDumpable = againstExec(
  "exec-nondumpable",
  "as exec-setuid, but the new image is closed since its file may not be read",
  { nonDumpable: true },
);

export const execOpens = againstExec(
  "exec-opens",
  "a reader who may not see the old image, and an exec: the old image alone never shows",
  { opens: true },
);

export const execFails = againstExec(
  "exec-fails-halfway",
  "a reader and a set-user-ID exec that fails behind its point of no return: the credentials stay, the process dies",
  { setuid: true, failsHalfway: true },
);

export const threadFile = againstExec(
  "thread-exec-setuid",
  "task/<tid>/io of a thread whose process turns set-user-ID",
  { setuid: true },
  false,
);

export const execRefusedEarly = scenario({
  name: "io/exec-fails-before",
  about: "a reader and an exec that is refused before its point of no return: nobody sees anything of it",
  paths: [Path.io],
  quick: true,
  setup: (k) => ({ owned: makeUsed(k) }),
  threads: {
    reader: (k, { owned }): IoRead => readIo(k, owned.pid, true),
    exec: (k, { owned }): number => {
      const image = { ...(MODEL_CONFIG.files[0] as (typeof MODEL_CONFIG.files)[number]), segments: [] };
      const refused = execRefused(k, owned.task, { ...programSpec(ORDINARY).program, image });
      account(k, owned.task, 1);
      return refused;
    },
  },
  check: (k, { owned }, { reader, exec }) => {
    if (exec !== -ENOEXEC) return `exec said ${exec}`;
    return judgeIo(reader, statesOf({})) ?? execsAreOver(k, owned, 0) ?? ownsAlone(k, owned.task);
  },
});

const ENOEXEC = 8;

export const twoReaders = scenario({
  name: "io/two-readers",
  about: "two readers and a set-user-ID exec",
  paths: [Path.io],
  // All lock-free interleavings are more than fifteen million.
  extent: { lockfree: { kind: "bounded", preemptions: 3 } },
  setup: (k) => planExec(k, { setuid: true }),
  threads: {
    first: (k, { owned }): IoRead => readIo(k, owned.pid, false),
    second: (k, { owned }): IoRead => readIo(k, owned.pid, false),
    exec: (k, { exec }): boolean => execWithIo(k, exec),
  },
  check: (k, { owned, kept }, { first, second }) => {
    const states = statesOf({ setuid: true });
    return (
      judgeIo(first, states) ??
      judgeIo(second, states) ??
      execsAreOver(k, owned, 1) ??
      ownsAlone(k, owned.task) ??
      countIs(k, "the old address space", kept + MM.mmUsers, 1)
    );
  },
});

export const parked = scenario({
  name: "io/parked",
  about: "a reader that must not sleep, and a set-user-ID exec: it gives up and holds nothing, or is told the truth",
  paths: [Path.io],
  quick: true,
  setup: (k) => planExec(k, { setuid: true }),
  threads: {
    reader: (k, { owned }): IoRead => {
      k.t.maySleep = false;
      const read = readIo(k, owned.pid, false);
      endWait(k);
      k.t.maySleep = true;
      return read;
    },
    exec: (k, { exec }): boolean => execWithIo(k, exec),
  },
  check: (k, { owned, kept }, { reader }) =>
    (reader.error === WAIT_WOULD_BLOCK ? null : judgeIo(reader, statesOf({ setuid: true }))) ??
    execsAreOver(k, owned, 1) ??
    ownsAlone(k, owned.task) ??
    countIs(k, "the old address space", kept + MM.mmUsers, 1),
});

export const twoExecs = scenario({
  name: "io/two-execs",
  about: "a reader, a set-user-ID exec, and one by which the process is its owner's again",
  paths: [Path.io],
  setup: (k) => planExec(k, { setuid: true }),
  threads: {
    reader: (k, { owned }): IoRead => readIo(k, owned.pid, false),
    execs: (k, { owned: { task }, exec }): void => {
      execWithIo(k, exec);
      setIdentity(k, task, OWNER, OWNER, []);
      const second = execCommit(k, execPrepare(k, task, programSpec(ORDINARY, 3)));
      account(k, task, 1);
      execFinish(k, second);
    },
  },
  check: (k, { owned, kept }, { reader }) => {
    const states = [...statesOf({ setuid: true }), afterReads(OPEN, 3)];
    return (
      judgeIo(reader, states) ??
      execsAreOver(k, owned, 2) ??
      ownsAlone(k, owned.task) ??
      countIs(k, "the old address space", kept + MM.mmUsers, 1)
    );
  },
});

/** Reads that the thread makes that takes over from the leader. */
const OF_NEW_LEADER = 2;

/** A reader and a set-user-ID exec of another thread than the leader, which dies and is replaced. */
function againstNewLeader(name: string, about: string, whole: boolean): Scenario {
  return scenario({
    name: `io/${name}`,
    about,
    paths: [Path.io],
    setup: (k) => {
      const owned = makeUsed(k);
      const thread = makeThread(k, owned);
      return { owned, thread, exec: prepareExec(k, thread, { setuid: true }), kept: keepMm(k, thread) };
    },
    threads: {
      reader: (k, { owned }): IoRead => readIo(k, owned.pid, whole),
      exec: (k, plan): void => {
        const exec = execCommit(k, takeOver(k, plan.exec));
        account(k, exec.task, OF_NEW_LEADER);
        execFinish(k, exec);
      },
    },
    check: (k, { owned, thread, kept }, { reader }) => {
      // Of the thread alone: the old leader's, or those of the new one before and after.
      const states = whole
        ? [afterReads(OPEN, 1), afterReads(CLOSED, 1 + OF_NEW_LEADER)]
        : [afterReads(OPEN, 1), afterReads(OPEN, 0), afterReads(CLOSED, OF_NEW_LEADER)];
      return (
        (reader.error === -ESRCH ? null : judgeIo(reader, states)) ??
        execsAreOver(k, owned, 1) ??
        (findTask(k, owned.pid) === thread ? null : "the thread that execs does not lead") ??
        ownsAlone(k, thread) ??
        countIs(k, "the old leader", owned.task + TASK.usage, 0) ??
        countIs(k, "the process", owned.signal + SIGNAL.sigcnt, 1) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

export const newLeader = againstNewLeader(
  "exec-from-thread",
  "a reader of a process, and a set-user-ID exec of another thread than its leader",
  true,
);

export const newLeaderThread = againstNewLeader(
  "thread-exec-from-thread",
  "a reader of a leader's task/<tid>/io, and a set-user-ID exec of another thread",
  false,
);

export const tsync = scenario({
  name: "io/tsync",
  about: "a reader of a thread, and a TSYNC that gives it new credentials: it is never refused",
  paths: [Path.io],
  quick: true,
  setup: (k) => {
    const owned = makeUsed(k);
    const thread = makeThread(k, owned);
    account(k, thread, 1);
    return { owned, thread, tid: k.m.load(thread + TASK.pid) };
  },
  threads: {
    reader: (k, { tid }): IoRead => readIo(k, tid, false),
    tsync: (k, { owned: { task } }): boolean => {
      setNoNewPrivs(k, task);
      return tsyncFinish(k, tsyncBegin(k, task));
    },
  },
  check: (k, { owned, thread }, { reader }) => {
    const cred = k.m.load(thread + TASK.cred);
    return (
      judgeIo(reader, [afterReads(OPEN, 1)]) ??
      execsAreOver(k, owned, 1) ??
      (k.m.load(owned.task + TASK.cred) === cred ? null : "the threads have different credentials") ??
      countIs(k, "the credentials", cred + CRED.usage, 2) ??
      countIs(k, "no_new_privs of the thread", thread + TASK.noNewPrivs, 1)
    );
  },
});

export const threadExit = scenario({
  name: "io/thread-exit",
  about: "a reader of a process, and the end of a thread: its counters are those of the thread or of the process",
  paths: [Path.io],
  quick: true,
  setup: (k) => {
    const owned = makeUsed(k);
    const thread = makeThread(k, owned);
    account(k, thread, 2);
    return { owned, thread };
  },
  threads: {
    reader: (k, { owned }): IoRead => readIo(k, owned.pid, true),
    exit: (k, { thread }): void => exitThread(k, thread, 0),
  },
  check: (k, { owned, thread }, { reader }) =>
    judgeIo(reader, [afterReads(OPEN, 3)]) ??
    execsAreOver(k, owned, 0) ??
    countIs(k, "the thread", thread + TASK.usage, 0) ??
    countIs(k, "the credentials", k.m.load(owned.task + TASK.cred) + CRED.usage, 1) ??
    countIs(k, "the address space", k.m.load(owned.task + TASK.mm) + MM.mmUsers, 1) ??
    countIs(k, "the process", owned.signal + SIGNAL.sigcnt, 1),
});

export const threadFileExit = scenario({
  name: "io/thread-exit-thread",
  about: "a reader of task/<tid>/io, and the end of that thread: its own counters, or that there is no such thread",
  paths: [Path.io],
  quick: true,
  setup: (k) => {
    const owned = makeUsed(k);
    const thread = makeThread(k, owned);
    account(k, thread, 2);
    return { owned, thread, tid: k.m.load(thread + TASK.pid) };
  },
  threads: {
    reader: (k, { tid }): IoRead => readIo(k, tid, false),
    exit: (k, { thread }): void => exitThread(k, thread, 0),
  },
  check: (k, { owned, thread }, { reader }) =>
    (reader.error === -ESRCH ? null : judgeIo(reader, [afterReads(OPEN, 2)])) ??
    execsAreOver(k, owned, 0) ??
    ownsAlone(k, owned.task) ??
    countIs(k, "the thread", thread + TASK.usage, 0),
});

export const exit = scenario({
  name: "io/exit",
  about: "a reader of a process that ends and is reaped: its counters, or that there is no such process",
  paths: [Path.io],
  quick: true,
  setup: (k) => ({ owned: makeUsed(k) }),
  threads: {
    reader: (k, { owned }): IoRead => readIo(k, owned.pid, true),
    exit: (k, { owned }): number => {
      exitGroup(k, owned.task, 0);
      return reap(k, owned.task);
    },
  },
  check: (k, { owned }, { reader, exit: reaped }) => {
    if (reaped !== 0) return `the process was not reaped: ${reaped}`;
    return (
      (reader.error === -ESRCH ? null : judgeIo(reader, [afterReads(OPEN, 1)])) ??
      execsAreOver(k, owned, 0) ??
      countIs(k, "the task", owned.task + TASK.usage, 0) ??
      countIs(k, "the process", owned.signal + SIGNAL.sigcnt, 0)
    );
  },
});

export const counting = scenario({
  name: "io/counting",
  about: "a reader of a process that does I/O of every kind: the seven counters belong to one moment",
  paths: [Path.io],
  setup: (k) => {
    const owned = makeOwned(k);
    accountAll(k, owned.task);
    return { owned };
  },
  threads: {
    reader: (k, { owned }): IoRead => readIo(k, owned.pid, true),
    writer: (k, { owned }): void => accountAll(k, owned.task),
  },
  check: (k, { owned }, { reader }) =>
    judgeImageIo(reader, IO_WHOLE, [state(OPEN, 1), state(OPEN, 2)]) ??
    execsAreOver(k, owned, 0) ??
    ownsAlone(k, owned.task),
});

/** I/O of which the oracle can tell each counter from the others. */
function accountAll(k: Kernel, task: Ptr): void {
  const [rchar, wchar, syscr, syscw, readBytes, writeBytes] = imageCounters(1);
  accountIo(k, task, { rchar, wchar, syscr, syscw, readBytes, writeBytes });
}
