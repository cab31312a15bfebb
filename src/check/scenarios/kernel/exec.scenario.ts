/** What an exec leaves of a process, and what it leaves to others: looked at when it is over. */
import { Cache } from "../../../kernel/caches.ts";
import { EACCES, ENOEXEC, ESRCH } from "../../../kernel/errno.ts";
import { execCommit, execFinish, execPrepare, execRefused } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { closeFd, fdLookup, fileNew, installFdAt } from "../../../kernel/files.ts";
import {
  CLONE_FILES,
  CLONE_SIGHAND,
  CLONE_VM,
  PF_FORKNOEXEC,
  PF_RANDOMIZE,
  PTRACE_MODE_READ_FSCREDS,
  SIGSEGV,
} from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import { setuid } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { CRED, FILE, FILES, FileKind, HOST, MM, SIGHAND, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { mmAccess } from "../../../kernel/mm-access.ts";
import { findTask } from "../../../kernel/pid.ts";
import { RobustList, getRobustList } from "../../../kernel/robust-list.ts";
import { isZombie, taskComm, threadCount } from "../../../kernel/task.ts";
import { setNoNewPrivs } from "../../../kernel/tsync.ts";
import { mmput } from "../../../mm/mm.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { timerCreate, timersStart } from "../../../time/posix-timers.ts";
import { MODEL_CONFIG, ORDINARY, SETUID_ROOT, programSpec } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "./exec-images.ts";
import {
  OWNER,
  caller,
  countIs,
  execsAreOver,
  makeOwned,
  makeThread,
  ownsAlone,
  prepareExec,
  takeOver,
} from "./exec-images.ts";
import { ownerOfFile } from "../proc/revalidate-lives.ts";
import { timerSpec } from "../time/timers-walk.ts";

const STAYS = 3;
const CLOSES = 4;
const OPENED = 5;
const IGNORED = 0x11;
const IGNORED_HIGH = 0x12;
const CAUGHT = 0x22;
const MM_FLAGS = 0x40;
const START_TIME = 77;

/** The memory, descriptors and handlers of a process are also another one's. */
interface Shared {
  readonly owned: Owned;
  readonly other: Ptr;
  readonly files: Ptr;
  readonly sighand: Ptr;
  readonly mm: Ptr;
}

function share(k: Kernel): Shared {
  const { m } = k;
  const owned = makeOwned(k);
  const files = m.load(owned.task + TASK.files);
  const sighand = m.load(owned.task + TASK.sighand);
  const mm = m.load(owned.task + TASK.mm);
  open(k, files, STAYS, false);
  open(k, files, CLOSES, true);
  setHandlers(k, sighand);
  m.store(mm + MM.flags, MM_FLAGS);
  m.store64(owned.task + TASK.startTime, START_TIME);
  timerCreate(k, owned.task, timerSpec(1));
  const other = findTask(k, copyProcess(k, owned.task, CLONE_VM | CLONE_FILES | CLONE_SIGHAND));
  return { owned, other, files, sighand, mm };
}

function setHandlers(k: Kernel, sighand: Ptr): void {
  const { m } = k;
  m.store(sighand + SIGHAND.ignored, IGNORED);
  m.store(sighand + SIGHAND.ignored + 1, IGNORED_HIGH);
  for (const word of [0, 1]) m.store(sighand + SIGHAND.caught + word, CAUGHT);
}

function open(k: Kernel, files: Ptr, fd: number, closeOnExec: boolean): Ptr {
  const file = fileNew(k, { kind: FileKind.socket, flags: 2, ino: 100 + fd });
  if (installFdAt(k, files, fd, file, closeOnExec) !== fd) throw new Error(`descriptor ${fd} could not be opened`);
  return file;
}

/** The first of some facts that doesn't hold. */
function firstWrong(facts: Readonly<Record<string, readonly [number, number]>>): string | null {
  for (const [what, [is, expected]] of Object.entries(facts)) {
    if (is !== expected) return `${what}: ${is} at the end, not ${expected}`;
  }
  return null;
}

function commOf(k: Kernel, task: Ptr): string {
  const name = new Uint8Array(64);
  return String.fromCharCode(...name.subarray(0, taskComm(k, task, name)));
}

/** What the process is now. @param thread the one that execed */
function newImage(k: Kernel, thread: Ptr, { owned, sighand: old }: Shared, mm: Ptr): string | null {
  const { m } = k;
  const sighand = m.load(thread + TASK.sighand);
  const cred = m.load(thread + TASK.cred);
  const flags = m.load(thread + TASK.flags);
  if (commOf(k, thread) !== "setuid") return `its name is ${commOf(k, thread)}`;
  if (sighand === old) return "it still shares the handlers";
  return firstWrong({
    "the address space": [m.load(thread + TASK.mm), mm],
    "who may dump it": [m.load(mm + MM.dumpable), 0],
    "flags of the address space": [m.load(mm + MM.flags), MM_FLAGS],
    "mappings, or none": [Math.sign(m.load(mm + MM.mapCount)), 1],
    "has forked, and not execed": [flags & PF_FORKNOEXEC, 0],
    "has random addresses": [flags & PF_RANDOMIZE, PF_RANDOMIZE],
    "signals that are caught": [m.load(sighand + SIGHAND.caught), 0],
    "signals that are ignored": [m.load(sighand + SIGHAND.ignored), IGNORED],
    "later signals that are ignored": [m.load(sighand + SIGHAND.ignored + 1), IGNORED_HIGH],
    "tasks with its handlers": [m.load(sighand + SIGHAND.count), 1],
    "its user": [m.load(cred + CRED.euid), 0],
    "capabilities, or none": [Math.sign(Math.abs(m.load(cred + CRED.capEffective))), 1],
    timers: [timersStart(k, thread, 0), 0],
    "the leader": [m.load(owned.signal + SIGNAL.leader), thread],
    "its start": [m.load64(thread + TASK.startTime), START_TIME],
    threads: [threadCount(k, thread), 1],
    "who has the pid": [findTask(k, owned.pid), thread],
    "its pid": [m.load(thread + TASK.pid), owned.pid],
  });
}

/** What the other process has, which nothing has happened to. */
function leftAlone(k: Kernel, { other, files, sighand, mm }: Shared): string | null {
  const { m } = k;
  return (
    firstWrong({
      "the other's descriptors": [m.load(other + TASK.files), files],
      "the other's handlers": [m.load(other + TASK.sighand), sighand],
      "signals that the other catches": [m.load(sighand + SIGHAND.caught), CAUGHT],
    }) ??
    countIs(k, "the old table", files + FILES.count, 1) ??
    countIs(k, "the old handlers", sighand + SIGHAND.count, 1) ??
    countIs(k, "the old address space", mm + MM.mmUsers, 1)
  );
}

/** Descriptors of both: what one opens meanwhile is the other's if the table was still shared. */
function descriptors(k: Kernel, thread: Ptr, { other }: Shared): string | null {
  const { m } = k;
  const stays = fdLookup(k, thread, STAYS);
  const opened = fdLookup(k, other, OPENED);
  const inBoth = fdLookup(k, thread, OPENED);
  if (stays === 0 || stays !== fdLookup(k, other, STAYS)) return "a file has not stayed open";
  if (fdLookup(k, thread, CLOSES) !== 0) return "a file has not been closed";
  if (opened === 0 || (inBoth !== 0 && inBoth !== opened)) return "a file that was opened meanwhile is missing";
  const own = m.load(thread + TASK.files);
  return (
    countIs(k, "the new table", own + FILES.count, 1) ??
    countIs(k, "the file that stays", stays + FILE.count, 2) ??
    countIs(k, "the file that is closed", fdLookup(k, other, CLOSES) + FILE.count, 1) ??
    countIs(k, "the file that was opened", opened + FILE.count, inBoth === 0 ? 1 : 2)
  );
}

export const unshares = scenario({
  name: "exec/unshares",
  about: "a thread execs, while one who shares its descriptors and handlers opens a file: each has its own afterwards",
  quick: true,
  setup: (k) => {
    const shared = share(k);
    const thread = makeThread(k, shared.owned);
    const tid = k.m.load(thread + TASK.pid);
    const exec = prepareExec(k, thread, { setuid: true });
    return { shared, thread, tid, exec, until: k.m.load(exec.mm + MM.dumpable) };
  },
  threads: {
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    other: (k, { shared: { files } }): Ptr => open(k, files, OPENED, false),
  },
  check: (k, { shared, thread, tid, exec, until }) => {
    if (until !== 1) return `until the exec is over, the address space's dumpability is ${until}`;
    return (
      newImage(k, thread, shared, exec.mm) ??
      leftAlone(k, shared) ??
      descriptors(k, thread, shared) ??
      execsAreOver(k, shared.owned, 1) ??
      countIs(k, "the old leader", shared.owned.task + TASK.usage, 0) ??
      (findTask(k, tid) === 0 ? null : "the pid that the thread had still leads somewhere")
    );
  },
});

export const unsharesFromDying = scenario({
  name: "exec/unshares-exit",
  about: "an exec, while the other user of its descriptors dies: what was open stays open, and is the process's alone",
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const files = k.m.load(owned.task + TASK.files);
    const stays = open(k, files, STAYS, false);
    const other = findTask(k, copyProcess(k, owned.task, CLONE_FILES));
    return { owned, other, stays, exec: prepareExec(k, owned.task) };
  },
  threads: {
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    other: (k, { other }): void => exitGroup(k, other, 0),
  },
  check: (k, { owned, stays }) => {
    if (fdLookup(k, owned.task, STAYS) !== stays) return "a file has not stayed open";
    if (!k.slab.isAlive(stays, Cache.file)) return "a file is open that has been freed";
    return (
      countIs(k, "the file that stays", stays + FILE.count, 1) ??
      countIs(k, "the table", k.m.load(owned.task + TASK.files) + FILES.count, 1) ??
      execsAreOver(k, owned, 1)
    );
  },
});

/** Signals that a task ignores, as status shows them. @pre RCU */
function ignoredSignals(k: Kernel, task: Ptr): readonly [number, number] {
  const ignored = k.m.load(task + TASK.sighand) + SIGHAND.ignored;
  return [k.m.load(ignored), k.m.load(ignored + 1)];
}

export const handlers = scenario({
  name: "exec/handlers",
  about: "what a process ignores is looked at while an exec makes its handlers its own: it is the same all the time",
  quick: true,
  setup: (k) => {
    const shared = share(k);
    return { shared, exec: prepareExec(k, shared.owned.task) };
  },
  threads: {
    reader: (k, { shared: { owned } }): readonly [number, number] => ignoredSignals(k, owned.task),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { shared: { owned, sighand } }, { reader: [low, high] }) => {
    if (low !== IGNORED || high !== IGNORED_HIGH) return `the process ignored ${low} and ${high}`;
    if (k.m.load(owned.task + TASK.sighand) === sighand) return "it still shares the handlers";
    return execsAreOver(k, owned, 1) ?? ownsAlone(k, owned.task);
  },
});

/** What the owner of a process sees of a descriptor. */
type SeenFd = "not his" | "open" | "closed";

/** The owner asks whose the files of the process's directory are, and opens a descriptor if they are his. @pre RCU */
function lookAtFd(k: Kernel, task: Ptr, fd: number): SeenFd {
  if (ownerOfFile(k, task).uid !== OWNER) return "not his";
  return fdLookup(k, task, fd) === 0 ? "closed" : "open";
}

/** Where the owner of a process finds its list of robust futexes; null if it isn't his to look. */
function lookAtList(k: Kernel, pid: number): number | null {
  const list = new RobustList();
  return getRobustList(k, pid, caller(OWNER), list) === 0 ? list.head : null;
}

export const keeps = scenario({
  name: "exec/no-new-privs",
  about:
    "an undumpable process without new privileges execs a set-user-ID program: descriptors close before it opens up",
  paths: [Path.get_robust_list],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k, { opens: true });
    const { task } = owned;
    const [files, sighand] = [k.m.load(task + TASK.files), k.m.load(task + TASK.sighand)];
    open(k, files, CLOSES, true);
    setHandlers(k, sighand);
    setNoNewPrivs(k, task);
    const exec = prepareExec(k, task, { setuid: true });
    return { owned, files, sighand, exec, until: k.m.load(exec.mm + MM.dumpable) };
  },
  threads: {
    reader: (k, { owned: { task } }): SeenFd => lookAtFd(k, task, CLOSES),
    list: (k, { owned: { pid } }): number | null => lookAtList(k, pid),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { owned, files, sighand, exec, until }, { reader, list }) => {
    const { m } = k;
    if (until !== 0) return "the new image may be dumped though the exec is not over";
    if (reader === "open") return "the owner got at a descriptor that the exec closes";
    const head = m.load64(owned.task + TASK.robustList);
    if (head === 0 || (list !== null && list !== head)) return `the list begins at ${head}, its owner found ${list}`;
    const cred = m.load(owned.task + TASK.cred);
    return (
      firstWrong({
        "its effective user": [m.load(cred + CRED.euid), OWNER],
        "its saved user": [m.load(cred + CRED.suid), OWNER],
        capabilities: [m.load(cred + CRED.capEffective), 0],
        "who may dump it": [m.load(exec.mm + MM.dumpable), 1],
        // It shares them with nobody: no copy is needed.
        "its descriptors": [m.load(owned.task + TASK.files), files],
        "its handlers": [m.load(owned.task + TASK.sighand), sighand],
        "signals that are ignored": [m.load(sighand + SIGHAND.ignored), IGNORED],
        "signals that are caught": [m.load(sighand + SIGHAND.caught), 0],
        "later signals that are caught": [m.load(sighand + SIGHAND.caught + 1), 0],
      }) ??
      execsAreOver(k, owned, 1) ??
      ownsAlone(k, owned.task)
    );
  },
});

/** Root opens the memory of a process. @returns the address space, or an error */
function openMm(k: Kernel, task: Ptr): number {
  const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, caller(0));
  if (mm > 0) mmput(k, mm);
  return mm;
}

export const firstImage = scenario({
  name: "exec/first-image",
  about: "a task that has had no memory execs, as the first process does: a reader finds none, or the new image",
  paths: [Path.mm_access],
  quick: true,
  setup: (k) => {
    const pid = copyProcess(k, k.m.load(HOST.idleTask), 0);
    return { task: findTask(k, pid) };
  },
  threads: {
    reader: (k, { task }): number => openMm(k, task),
    exec: (k, { task }): readonly [dumpable: number, flags: number] => {
      const exec = execPrepare(k, task, programSpec(SETUID_ROOT));
      const until = [k.m.load(exec.mm + MM.dumpable), k.m.load(exec.mm + MM.flags)] as const;
      execFinish(k, execCommit(k, exec));
      return until;
    },
  },
  check: (k, { task }, { reader, exec: [dumpable, flags] }) => {
    const mm = k.m.load(task + TASK.mm);
    if (reader !== -ESRCH && reader !== mm) return `the reader got ${reader}, not the address space ${mm}`;
    if (dumpable !== 0 || flags !== 0) return `before the exec is over, it has dumpability ${dumpable}, flags ${flags}`;
    if (k.m.load(mm + MM.dumpable) !== 1) return "it may not be dumped when the exec is over";
    return ownsAlone(k, task);
  },
});

export const fails = scenario({
  name: "exec/fails-halfway",
  about:
    "an exec fails while one who shares the descriptors closes a file: the process is dead, nothing is held or kept",
  quick: true,
  setup: (k) => {
    const shared = share(k);
    const file = fdLookup(k, shared.other, STAYS);
    return { shared, file, exec: prepareExec(k, shared.owned.task, { setuid: true, failsHalfway: true }) };
  },
  threads: {
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    other: (k, { shared: { files } }): number => closeFd(k, files, STAYS),
  },
  check: (k, { shared, file, exec }, results) => {
    const { owned } = shared;
    if (results.exec || results.other !== 0) return `exec said ${results.exec}, the other ${results.other}`;
    if (!isZombie(k, owned.task)) return "the process lives";
    return (
      firstWrong({ "what it died of": [k.m.load(owned.task + TASK.exitCode), SIGSEGV] }) ??
      execsAreOver(k, owned, 1) ??
      leftAlone(k, shared) ??
      countIs(k, "the new address space", exec.mm + MM.mmUsers, 0) ??
      countIs(k, "the new credentials", exec.cred + CRED.usage, 0) ??
      countIs(k, "the closed file", file + FILE.count, 0)
    );
  },
});

/** A file's modes and whether it is a program; what root is told, and what others are. */
const ASKED: readonly (readonly [mode: number, program: boolean, root: number, others: number])[] = [
  [0o100755, true, 0, 0],
  [0o100755, false, -ENOEXEC, -ENOEXEC],
  [0o040755, true, -EACCES, -EACCES],
  [0o100644, true, -EACCES, -EACCES],
  [0o100750, true, 0, -EACCES],
];

export const refused = scenario({
  name: "exec/refused",
  about:
    "a process asks which files it may execute, and ceases to be root meanwhile: each answer is root's or a user's",
  quick: true,
  setup: (k) => ({ task: findTask(k, copyProcess(k, findTask(k, 1), 0)) }),
  threads: {
    asks: (k, { task }): number[] => {
      const { program } = programSpec(ORDINARY);
      const file = MODEL_CONFIG.files[program.file] as (typeof MODEL_CONFIG.files)[number];
      const answers: number[] = [];
      for (const [mode, isProgram] of ASKED) {
        const image = { ...file, mode, segments: isProgram ? file.segments : [] };
        answers.push(execRefused(k, task, { ...program, image }));
      }
      return answers;
    },
    changes: (k, { task }): void => setuid(k, task, OWNER),
  },
  check: (k, { task }, { asks }) => {
    // Who has ceased to be root is not root any more at a later question.
    let root = true;
    for (const [i, [, , asRoot, asOther]] of ASKED.entries()) {
      root &&= asks[i] === asRoot;
      if (!root && asks[i] !== asOther) return `question ${i}: ${asks[i]}, possible: ${asRoot} ${asOther}`;
    }
    const { program } = programSpec(ORDINARY);
    const image = { ...(MODEL_CONFIG.files[program.file] as (typeof MODEL_CONFIG.files)[number]), mode: 0o100750 };
    const init = execRefused(k, findTask(k, 1), { ...program, image });
    if (init !== 0) return `root may not execute what a group may: ${init}`;
    const now = execRefused(k, task, { ...program, image });
    return now === -EACCES ? null : `a user may execute what is root's alone: ${now}`;
  },
});
