/** pidfd_getfd: another task's open file. */
import { EBADF, EINVAL, EPERM, ESRCH } from "../../../kernel/errno.ts";
import type { ExecPrepared } from "../../../kernel/exec.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { closeFd, fdLookup, fileNew, filePut, installFdAt } from "../../../kernel/files.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { FILE, FileKind, MM, TASK } from "../../../kernel/layout.ts";
import { pidfdGetfd } from "../../../kernel/pidfd-getfd.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { refcountInc } from "../../../sync/refcount.ts";
import { OPEN } from "../../oracles/access.ts";
import type { ImageRead } from "../../oracles/identity.ts";
import { judgeImage } from "../../oracles/identity.ts";
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
  ownsAlone,
  prepareExec,
  state,
  takeOver,
} from "./exec-images.ts";

const FD = 3;
/** Of a descriptor, 32 bits count. */
const TWO_32 = 2 ** 32;

/** A socket with the given inode under {@link FD}. @returns the file */
function openFile(k: Kernel, task: Ptr, ino: number, closeOnExec: boolean): Ptr {
  const file = fileNew(k, { kind: FileKind.socket, flags: 2, ino });
  const fd = installFdAt(k, k.m.load(task + TASK.files), FD, file, closeOnExec);
  if (fd !== FD) throw new Error(`the file got ${fd}`);
  return file;
}

/** The owner takes the file, looks whose it is, and gives it back. */
function takeFile(k: Kernel, pid: number): ImageRead {
  const file = pidfdGetfd(k, pid, FD, 0, caller(OWNER));
  const read = { path: "pidfd_getfd", who: "owner", refusal: -EPERM } as const;
  if (file < 0) return { ...read, error: file, seen: [] };
  const ino = k.m.load64(file + FILE.ino);
  // A file that nobody had any more would be freed a second time.
  const alive = k.m.load(file + FILE.count) > 0;
  if (alive) filePut(k, file);
  return { ...read, error: 0, seen: [undefined, alive ? ino : -1] };
}

/** Inodes of the file that the old image has, and of the one that the new image opens. */
const OLD = 100;
const NEW = 200;

interface FilePlan {
  readonly owned: Owned;
  readonly exec: ExecPrepared;
  readonly kept: Ptr;
  readonly file: Ptr;
}

function planExec(k: Kernel, change: Change): FilePlan {
  const owned = makeOwned(k, change);
  const file = openFile(k, owned.task, OLD, true);
  // Another process has it too.
  refcountInc(k.m, file + FILE.count);
  return { owned, exec: prepareExec(k, owned.task, change), kept: keepMm(k, owned.task), file };
}

/** An exec whose image opens a file of its own before its credentials are there. */
function execWithFile(k: Kernel, prepared: ExecPrepared): void {
  const exec = execCommit(k, takeOver(k, prepared));
  closeFd(k, k.m.load(exec.task + TASK.files), FD);
  openFile(k, exec.task, NEW, false);
  execFinish(k, exec);
}

function againstExec(name: string, about: string, change: Change): Scenario {
  return scenario({
    name: `pidfd_getfd/${name}`,
    about,
    paths: [Path.pidfd_getfd],
    quick: true,
    setup: (k) => planExec(k, change),
    threads: {
      reader: (k, { owned }): ImageRead => takeFile(k, owned.pid),
      exec: (k, { exec }): void => execWithFile(k, exec),
    },
    check: (k, { owned, kept, file }, { reader }) => {
      // Between the two the descriptor is free: that shows only to who doesn't look again.
      const [before, after] = accessAround(change);
      const states = [state(before, OLD), state(after, NEW)];
      return (
        judgeImage(reader, states) ??
        execsAreOver(k, owned, 1) ??
        ownsAlone(k, owned.task) ??
        countIs(k, "the old file", file + FILE.count, 1) ??
        countIs(k, "the new file", fdLookup(k, owned.task, FD) + FILE.count, 1) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

export const exec = againstExec("exec", "a reader and an exec: it gets the file of one of the two images", {});

export const execSetuid = againstExec(
  "exec-setuid",
  "a reader who may have the old image's file, and a set-user-ID exec: he never gets the new one's",
  { setuid: true },
);

export const execOpens = againstExec(
  "exec-opens",
  "a reader who may not see the old image, and an exec: he never gets the old one's file",
  { opens: true },
);

export const closeOnExec = scenario({
  name: "pidfd_getfd/close-on-exec",
  about: "a reader and an exec that closes the file, of which nobody has another reference",
  paths: [Path.pidfd_getfd],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const file = openFile(k, owned.task, OLD, true);
    return { owned, exec: prepareExec(k, owned.task), kept: keepMm(k, owned.task), file };
  },
  threads: {
    reader: (k, { owned }): ImageRead => takeFile(k, owned.pid),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { owned, file, kept }, { reader }) =>
    (reader.error === -EBADF ? null : judgeImage(reader, [state(OPEN, OLD)])) ??
    execsAreOver(k, owned, 1) ??
    ownsAlone(k, owned.task) ??
    countIs(k, "the file", file + FILE.count, 0) ??
    countIs(k, "the old address space", kept + MM.mmUsers, 1),
});

export const close = scenario({
  name: "pidfd_getfd/close",
  about: "a reader, and a process that closes the file and opens another one under the same descriptor",
  paths: [Path.pidfd_getfd],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, file: openFile(k, owned.task, OLD, false) };
  },
  threads: {
    reader: (k, { owned }): ImageRead => takeFile(k, owned.pid),
    closer: (k, { owned }): void => {
      closeFd(k, k.m.load(owned.task + TASK.files), FD);
      openFile(k, owned.task, NEW, false);
    },
  },
  check: (k, { owned, file }, { reader }) =>
    (reader.error === -EBADF ? null : judgeImage(reader, [state(OPEN, OLD), state(OPEN, NEW)])) ??
    ownsAlone(k, owned.task) ??
    countIs(k, "the old file", file + FILE.count, 0) ??
    countIs(k, "the new file", fdLookup(k, owned.task, FD) + FILE.count, 1),
});

export const exit = scenario({
  name: "pidfd_getfd/exit",
  about:
    "a reader and the exit of the process: its file, or that there is no such task, but never that it has no such file",
  paths: [Path.pidfd_getfd],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, file: openFile(k, owned.task, OLD, false), kept: keepMm(k, owned.task) };
  },
  threads: {
    reader: (k, { owned }): ImageRead => takeFile(k, owned.pid),
    exit: (k, { owned }): void => exitGroup(k, owned.task, 0),
  },
  check: (k, { owned, file, kept }, { reader }) =>
    (reader.error === -ESRCH ? null : judgeImage(reader, [state(OPEN, OLD)])) ??
    execsAreOver(k, owned, 0) ??
    countIs(k, "the task", owned.task + TASK.usage, 1) ??
    countIs(k, "the file", file + FILE.count, 0) ??
    countIs(k, "the address space", kept + MM.mmUsers, 1),
});

/** A pid that nobody has. */
const NOBODY = 32000;

export const answers = scenario({
  name: "pidfd_getfd/answers",
  about:
    "a file is given to two who may have it and to nobody else, and not to who asks for something that isn't there",
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, file: openFile(k, owned.task, OLD, false) };
  },
  threads: {
    owner: (k, { owned: { pid } }): number[] => {
      const asked = (fd: number, flags: number): number => pidfdGetfd(k, pid, fd, flags, caller(OWNER));
      return [asked(FD, 0), asked(TWO_32 + FD, 0), asked(FD, 1), asked(FD + 1, 0), asked(-1, 0)];
    },
    others: (k, { owned: { pid } }): number[] => {
      const asked = (uid: number, of: number, flags = 0): number => pidfdGetfd(k, of, FD, flags, caller(uid));
      k.t.maySleep = false;
      const got = [asked(0, pid), asked(OWNER + 1, pid), asked(OWNER + 1, pid, 1), asked(0, NOBODY), asked(0, 0)];
      k.t.maySleep = true;
      return got;
    },
  },
  check: (k, { owned, file }, { owner, others }) => {
    const expected = [file, file, -EINVAL, -EBADF, -EBADF, file, -EPERM, -EINVAL, -ESRCH, -ESRCH];
    const got = [...owner, ...others];
    if (got.join() !== expected.join()) return `the answers are ${got.join(" ")}, not ${expected.join(" ")}`;
    return ownsAlone(k, owned.task) ?? countIs(k, "the file", file + FILE.count, 4);
  },
});
