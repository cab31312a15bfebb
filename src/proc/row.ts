/**
 * One row per /proc file. Row order is readdir order; lookup, readdir, nlink, modes, the documentation and the
 * conformance list derive from the tables of rows.
 *
 * A row's functions get a {@link Context}: the task, looked up and alive for RCU, and who asks. They gather a snapshot
 * from the kernel model and hand it to a pure formatter; they never emit before the snapshot is known to be valid.
 * Results are 0 (or a count), a negated errno, or WOULD_WAIT.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { Subject } from "../kernel/subject.ts";
import type { Ptr } from "../sync/atomics.ts";
import type { RequestContext } from "./fs/context.ts";
import type { HostView } from "./host-view.ts";
import type { Scratch } from "./task/snapshots.ts";
import type { Text } from "./text.ts";
import type { Attr, DirSink } from "./vfs.ts";

/** What a row's function works on. One object per thread, reused for each request. */
export interface Context {
  readonly k: Kernel;
  /** Host-wide facts that don't change while the simulation runs: the scenario's host. */
  readonly host: HostView;
  /** Snapshots that gather functions fill and formatters print; `new Scratch()`, one per thread. */
  readonly scratch: Scratch;
  subject: Subject;
  /** The task of the directory, under RCU; NULL for rows outside of process directories. */
  task: Ptr;
  tid: number;
  generation: number;
  /** True below /proc/<pid>, false below task/<tid>: a whole group or one thread. */
  whole: boolean;
  /** File descriptor, or another small number, of rows below fd/, fdinfo/ and the like. */
  index: number;
  /** The OPEN_FILE being read or written; NULL outside of open, read, write and release. */
  file: Ptr;
}

/** The iterator of a seq_file: the kernel's seq_operations. Resume by position, not by byte offset. */
export interface SeqOperations {
  /**
   * Finds the record at position `cursor.index` and takes the locks that hold it still.
   * @returns 1 if there is a record, 0 at the end, or a negated errno / WOULD_WAIT (nothing is held then; stop is still called)
   */
  start(c: Context, cursor: SeqCursor): number;
  /**
   * Moves to the next record; same results as start. Sets `cursor.index` past the record just shown in any case, also
   * at the end or if it fails: the record must not be shown again.
   */
  next(c: Context, cursor: SeqCursor): number;
  /** Releases what start and next hold. */
  stop(c: Context, cursor: SeqCursor): void;
  /** Formats the record. @returns 0, SEQ_SKIP, or a negated errno */
  show(c: Context, cursor: SeqCursor, out: Text): number;
}

/** show: leave this record out. */
export const SEQ_SKIP = 1;

/** Where an iterator is. */
export interface SeqCursor {
  /** The iterator's own position, 0 or more: an address, a pid, a count. Kept in the OPEN_FILE between reads. */
  index: number;
  /** What the iterator holds at the moment: a pointer, or 0. Not kept. */
  entry: Ptr;
}

export { PTRACE_MODE_ATTACH_FSCREDS, PTRACE_MODE_READ_FSCREDS, PTRACE_MODE_READ_REALCREDS } from "../kernel/flags.ts";

/**
 * st_size of files whose writes may have to wait. FUSE lets writes of one file run beside each other only below its end:
 * behind a write that waits, all others would do so too, and could not even be killed.
 */
export const PARALLEL_WRITES_SIZE = 2 ** 20;

/** What a permission check asks for, as access(2) and the kernel's MAY_* have it. */
export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

interface RowBase {
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  /** One line for the documentation: what it shows, and the kernel function that it follows. */
  readonly doc: string;
  /** st_ino, where it is a fixed number. */
  readonly inode?: number;
  /** True to leave the row out of readdir and of the listing (it can still be looked up). */
  readonly hidden?: boolean;
  /** Checked when the file is opened, after the permission bits: 0 or a negated errno / WOULD_WAIT. */
  readonly open?: (c: Context) => number;
  /** Undoes what open stored in the OPEN_FILE. */
  readonly release?: (c: Context) => void;
  /**
   * Reads of an open file go on after the process was reaped: the file holds what it shows (a reference taken by `open`,
   * or nothing of the process at all). Its functions then find `c.task` NULL. Without it such reads answer ESRCH.
   */
  readonly pinned?: boolean;
  /** Takes what is written at `offset`; absent: EINVAL for process files, EIO for root files. */
  readonly write?: (c: Context, offset: number, data: Uint8Array) => number;
  /**
   * True if each look-up of the file gives a node of its own. The kernel lets one write of a FUSE inode through at a time,
   * and who is next can't be killed: a write that waits here would hold up all others, though they wait for nothing.
   */
  readonly separate?: boolean;
  /** st_size, if not 0. */
  readonly size?: number;
  /** True if even CAP_DAC_OVERRIDE can't open it for writing (sysctl and net files without the bit). */
  readonly strictMode?: boolean;
}

/** A file shown in one piece through a seq_file (single_open). */
export interface OneRow extends RowBase {
  readonly type: "one";
  readonly show: (c: Context, out: Text) => number;
}

/** A file of many records through a seq_file. */
export interface SeqRow extends RowBase {
  readonly type: "seq";
  readonly seq: SeqOperations;
}

/** A file with a read function of its own: no page limit, SEEK_END allowed. */
export interface RawRow extends RowBase {
  readonly type: "raw";
  /** Fills `dest` from its start with what is at `offset`; returns the number of bytes. */
  readonly read: (c: Context, offset: number, dest: Uint8Array) => number;
}

/** A short text that is formatted anew for each read (simple_read_from_buffer). */
export interface SmallRow extends RowBase {
  readonly type: "small";
  readonly show: (c: Context, out: Text) => number;
}

interface AnyDirRow extends RowBase {
  /** A check beside the permission bits, for search and for listing: 0 or a negated errno. */
  readonly permission?: (c: Context, mask: number) => number;
}

/** A directory of fixed rows. */
export interface DirRow extends AnyDirRow {
  readonly type: "dir";
  readonly rows: readonly Row[];
  /** True if all that is in it belongs to root, though it lies in a process directory (net). */
  readonly rootOwned?: boolean;
  /** st_nlink; absent: 2 + the directories in it. */
  readonly nlink?: number;
  /** Names that are found but never listed (targets of links); fills `out` completely. Called for unknown names. */
  readonly lookupHidden?: (c: RequestContext, name: string, out: Attr) => number;
  /** What listing answers instead of the entries, if not 0; a name that is looked up then gives ENOENT. */
  readonly unreadable?: (c: Context) => number;
}

/** A directory whose entries come from the kernel model: task, fd, fdinfo, ns, map_files. */
export interface DynamicDirRow extends AnyDirRow {
  readonly type: "dynamic";
  readonly directory: DynamicDirectory;
}

export interface DynamicDirectory {
  /** Finds a name; fills `out` completely. */
  lookup(c: RequestContext, name: string, out: Attr): number;
  /** Delivers entries from `offset` (2 or more) on, without `.` and `..`; `plus` is filled in if it isn't null. */
  iterate(c: RequestContext, offset: number, plus: Attr | null, sink: DirSink): number;
  /** Sets nlink and st_size of the directory itself. @pre the process isn't reaped */
  describe(c: RequestContext, out: Attr): void;
}

/** A symbolic link. */
export interface LinkRow extends RowBase {
  readonly type: "link";
  /** Appends the link's text; 0 or a negated errno. Links of processes have been checked for ptrace access by then. */
  readonly target: (c: Context, out: Text) => number;
  /** True if st_size is the length of the text. */
  readonly sized?: boolean;
}

export type Row = OneRow | SeqRow | RawRow | SmallRow | DirRow | DynamicDirRow | LinkRow;
