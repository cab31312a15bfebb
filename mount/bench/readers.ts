/** What reader threads do in-process: the functions that serve the files, without the file system's transport. */
import { ESRCH } from "../../src/kernel/errno.ts";
import { filePut } from "../../src/kernel/files.ts";
import { kcmp, KcmpType } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { getRobustList, RobustList } from "../../src/kernel/robust-list.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { readPersonality, readStack, readSyscall, TraceSnapshot } from "../../src/kernel/guarded.ts";
import { doIoAccounting, IoSnapshot } from "../../src/kernel/io-accounting.ts";
import { mmAccess } from "../../src/kernel/mm-access.ts";
import { findTask, pidGeneration } from "../../src/kernel/pid.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { mmput } from "../../src/mm/mm.ts";
import { taskDumpOwner } from "../../src/proc/fs/permission.ts";
import { walkToTask } from "../../src/proc/fs/revalidate.ts";
import type { ProcFs } from "../../src/proc/procfs.ts";
import type { Caller, CallerFacts } from "../../src/proc/vfs.ts";
import { Attr } from "../../src/proc/vfs.ts";
import type { ReaderKind } from "./catalogue.ts";
import type { Subjects } from "./table.ts";

export interface Reader {
  /** One read. @returns 0 or more, or a negated errno */
  read(): number;
  /** Gives back what the reader holds. */
  close?(): void;
}

/** What a reader is told. */
export interface ReaderJob extends Subjects {
  readonly kind: ReaderKind;
  /** For "file": a path below the root of the file system. */
  readonly path: readonly string[];
}

const EVERYTHING = [0xffffffff | 0, 0x1ff] as const;
const ROOT: Caller = { uid: 0, gid: 0, pid: 0 };

/** Root, with all capabilities, as the file system asks for them. */
export const ROOT_FACTS: CallerFacts = {
  tgid: (pid) => pid,
  descends: () => false,
  effective: () => EVERYTHING,
  permitted: () => EVERYTHING,
  groups: () => [],
};

const ROOT_SUBJECT: Subject = {
  uid: 0,
  gid: 0,
  tgid: () => 0,
  capable: () => true,
  inGroup: (group) => group === 0,
  covers: () => true,
};

/** Bytes asked for at a time; a file gives at most a buffer of 4096. */
const CHUNK = 65536;
/** Root directory of the file system. */
const ROOT_NODE = [0, 1] as const;
const SAME_GENERATION = -1;
const DIRECTORY = 0o40555;

/** The reader of a job. @param fs the file system of the calling thread, whose kernel handle may sleep */
export function makeReader(fs: ProcFs, job: ReaderJob): Reader {
  const k = fs.kernel();
  switch (job.kind) {
    case "io":
      return ioReader(k, job.pid);
    case "stack":
      return traceReader(k, job.pid, readStack);
    case "syscall":
      return traceReader(k, job.pid, readSyscall);
    case "personality":
      return traceReader(k, job.pid, readPersonality);
    case "mm_access":
      return mmReader(k, job.pid);
    case "revalidate":
      return walker(k, job.pid);
    case "file":
      return fileReader(fs, job.path);
    case "kcmp":
      return { read: () => kcmp(k, job.pid, job.other, KcmpType.VM, 0, 0, ROOT_SUBJECT) };
    case "pidfd_getfd":
      return fileGetter(k, job.pid);
    case "get_robust_list":
      return robustListReader(k, job.pid);
  }
}

function ioReader(k: Kernel, pid: number): Reader {
  const snapshot = new IoSnapshot();
  return { read: () => doIoAccounting(k, findTask(k, pid), true, ROOT_SUBJECT, snapshot) };
}

function traceReader(k: Kernel, pid: number, look: typeof readStack): Reader {
  const snapshot = new TraceSnapshot();
  return { read: () => look(k, findTask(k, pid), ROOT_SUBJECT, snapshot) };
}

function mmReader(k: Kernel, pid: number): Reader {
  const read = (): number => {
    const mm = mmAccess(k, findTask(k, pid), PTRACE_MODE_READ_FSCREDS, ROOT_SUBJECT);
    if (mm > 0) mmput(k, mm);
    return mm;
  };
  return { read };
}

function fileGetter(k: Kernel, pid: number): Reader {
  const read = (): number => {
    const file = pidfdGetfd(k, pid, 0, 0, ROOT_SUBJECT);
    if (file > 0) filePut(k, file);
    return file;
  };
  return { read };
}

function robustListReader(k: Kernel, pid: number): Reader {
  const list = new RobustList();
  return { read: () => getRobustList(k, pid, ROOT_SUBJECT, list) };
}

function walker(k: Kernel, pid: number): Reader {
  const owner = { uid: 0, gid: 0 };
  const generation = pidGeneration(k, pid);
  const read = (): number => {
    const task = walkToTask(k, pid, generation, SAME_GENERATION);
    if (task === 0) return -ESRCH;
    taskDumpOwner(k, task, DIRECTORY, owner);
    return 0;
  };
  return { read };
}

/** Reads an open file from its start to its end. */
function fileReader(fs: ProcFs, path: readonly string[]): Reader {
  const attr = new Attr();
  let [hi, lo]: readonly [number, number] = ROOT_NODE;
  for (const name of path) {
    const found = fs.lookup(hi, lo, name, ROOT, attr);
    if (found < 0) throw new Error(`${path.join("/")}: errno ${-found}`);
    [hi, lo] = [attr.nodeHi, attr.nodeLo];
  }
  const open = { handle: 0, directIo: false, nonSeekable: false };
  const opened = fs.open(hi, lo, 0, ROOT, open);
  if (opened < 0) throw new Error(`${path.join("/")}: errno ${-opened}`);
  const buffer = new Uint8Array(CHUNK);
  const read = (): number => {
    let offset = 0;
    for (;;) {
      const count = fs.read(hi, lo, open.handle, offset, buffer, ROOT);
      if (count <= 0) return count;
      offset += count;
    }
  };
  return { read, close: () => fs.release(open.handle) };
}
