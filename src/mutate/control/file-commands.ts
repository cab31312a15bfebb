/** Commands on open files, and on files by name. */
import { ENOENT } from "../../kernel/errno.ts";
import { closeFd, dupFd, fileNew, filePut, installFd, nextFd } from "../../kernel/files.ts";
import type { FileSpec } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FDTABLE, FILE, FILES, FS, FileKind, HOST, MM, PATH, TASK, VMA } from "../../kernel/layout.ts";
import { configPath, pathUnlink } from "../../kernel/path.ts";
import { findTask, nextTgid } from "../../kernel/pid.ts";
import { allVmas, mmgetNotZero, mmput } from "../../mm/mm.ts";
import { mmapReadLockKillable, mmapReadUnlock } from "../../mm/lock.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import { bytesText } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { isDevice } from "../build/shared-paths.ts";
import { mountOf } from "../build/images.ts";
import type { Command } from "./command.ts";
import { DONE, actAs, numbered, outcome } from "./command.ts";
import type { Words } from "./words.ts";
import { UsageError } from "./words.ts";
import type { World } from "./world.ts";
import { fileAt } from "./world.ts";

const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;
const O_LARGEFILE = 0o100000;
const O_APPEND = 0o2000;
const MODES = { r: 0, w: 1, rw: 2, a: 1 | O_APPEND };
const LARGEST_FD = 65_535;

const SPECIAL: Readonly<Record<string, FileSpec>> = {
  socket: { kind: FileKind.socket, flags: O_RDWR | O_NONBLOCK },
  pipe: { kind: FileKind.pipe, flags: 0 },
  eventfd: { kind: FileKind.eventfd, flags: O_RDWR | O_NONBLOCK, ino: 1038 },
  eventpoll: { kind: FileKind.eventpoll, flags: O_RDWR, ino: 1038 },
  timerfd: { kind: FileKind.timerfd, flags: O_RDWR | O_NONBLOCK, ino: 1038, data: 1 },
};

export const FILE_COMMANDS: readonly Command[] = [
  {
    name: "open",
    usage: "PID PATH|socket|pipe|eventfd|eventpoll|timerfd [--mode r|w|rw|a] [--cloexec]",
    doc: "opens something; prints the descriptor",
    options: { mode: true, cloexec: false },
    run: open,
  },
  { name: "close", usage: "PID FD", doc: "closes a descriptor", run: close },
  { name: "dup", usage: "PID FD", doc: "duplicates a descriptor; prints the new one", run: duplicate },
  {
    name: "unlink",
    usage: "PATH",
    doc: "removes a file: whoever has it open, mapped or running shows it as deleted",
    run: unlink,
  },
];

function open(k: Kernel, words: Words, world: World): ControlResult {
  const pid = words.pid();
  const what = words.text("PATH");
  const mode = words.optionOneOf("mode", MODES) ?? MODES.r;
  words.end();
  const special = Object.hasOwn(SPECIAL, what) ? (SPECIAL[what] as FileSpec) : null;
  if (special === null && !what.startsWith("/"))
    throw new UsageError(`"${what}" is no absolute path, and no kind of file`);
  return actAs(k, pid, (task) => {
    const path = special === null ? fileAt(k, world, what) : 0;
    if (path < 0) return outcome(path);
    const kind = isDevice(what) ? FileKind.charDevice : FileKind.regular;
    const mntId = mountOf(world.host, what).id;
    const file = fileNew(k, special ?? { kind, flags: mode | O_LARGEFILE, path, mntId });
    const fd = installFd(k, k.m.load(task + TASK.files), file, 0, words.flag("cloexec"));
    if (fd < 0) filePut(k, file);
    return numbered(fd);
  });
}

function close(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const fd = words.integer("FD", 0, LARGEST_FD);
  words.end();
  return actAs(k, pid, (task) => outcome(closeFd(k, k.m.load(task + TASK.files), fd)));
}

function duplicate(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const fd = words.integer("FD", 0, LARGEST_FD);
  words.end();
  return actAs(k, pid, (task) => numbered(dupFd(k, k.m.load(task + TASK.files), fd)));
}

function unlink(k: Kernel, words: Words): ControlResult {
  const name = words.text("PATH");
  words.end();
  const found = new Search(k, name);
  for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) {
    const error = found.process(findTask(k, pid));
    if (error < 0) return outcome(error);
  }
  found.configured();
  for (const path of found.paths) pathUnlink(k, path);
  return found.paths.length > 0 ? DONE : outcome(-ENOENT);
}

/** Finds every PATH of a name that has not been unlinked. Nothing is changed, since the search may have to be repeated. */
class Search {
  readonly paths: Ptr[] = [];
  private readonly k: Kernel;
  private readonly name: string;
  private readonly seen = new Set<Ptr>();

  constructor(k: Kernel, name: string) {
    this.k = k;
    this.name = name;
  }

  configured(): void {
    const count = this.k.m.load(HOST.pathCount);
    for (let i = 0; i < count; i++) this.note(configPath(this.k, i));
  }

  /** @returns 0, or what the wait for mmap_lock answers */
  process(task: Ptr): number {
    if (task === 0) return 0;
    this.descriptors(task);
    const { m } = this.k;
    const fs = m.load(task + TASK.fs);
    if (fs !== 0) this.note(m.load(fs + FS.pwd));
    const mm = m.load(task + TASK.mm);
    if (mm === 0 || !mmgetNotZero(this.k, mm)) return 0;
    const error = this.mappings(mm);
    mmput(this.k, mm);
    return error;
  }

  private descriptors(task: Ptr): void {
    const { k } = this;
    const files = k.m.load(task + TASK.files);
    if (files === 0) return;
    const table = k.m.load(files + FILES.fdt);
    for (let fd = nextFd(k, task, 0); fd >= 0; fd = nextFd(k, task, fd + 1)) {
      if (fd >= k.m.load(table + FDTABLE.maxFds)) return;
      const file = k.m.load(table + FDTABLE.slots + 2 * fd);
      if (file !== 0) this.note(k.m.load(file + FILE.path));
    }
  }

  private mappings(mm: Ptr): number {
    const { k } = this;
    const error = mmapReadLockKillable(k, mm);
    if (error !== 0) return error;
    this.note(k.m.load(mm + MM.exeFile));
    for (const vma of allVmas(k, mm)) this.note(k.m.load(vma + VMA.vmFile));
    mmapReadUnlock(k, mm);
    return 0;
  }

  private note(path: Ptr): void {
    if (path === 0 || this.seen.has(path)) return;
    this.seen.add(path);
    const { m } = this.k;
    const same = m.load(path + PATH.deleted) === 0 && bytesText(m, m.load(path + PATH.name)) === this.name;
    if (same) this.paths.push(path);
  }
}
