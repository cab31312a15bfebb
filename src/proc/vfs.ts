/**
 * The file-system side of the simulation, as a transport sees it.
 *
 * `mount/` turns FUSE messages into calls of {@link FileSystem}; `src/proc/procfs.ts` implements it. Nothing in here
 * knows FUSE. Every call returns a non-negative result, or a negated errno from `src/kernel/errno.ts`, or
 * {@link WOULD_WAIT}.
 *
 * Node ids are 64 bits wide and stateless: every worker can decode every id, so there is no inode table to lock and a
 * FORGET needs no work. They travel as two unsigned 32-bit halves, because a JavaScript number holds only 53 bits.
 */

import type { LockWait } from "../sync/thread.ts";

/**
 * The request would have to wait for a lock. Nothing has been changed; park the request, together with
 * {@link FileSystem.wait}, and call again later.
 */
export const WOULD_WAIT = -0x10000;

/** Who asks: the real caller, as the transport knows it (fuse_in_header). */
export interface Caller {
  uid: number;
  gid: number;
  /** A *thread* id in the server's pid namespace; 0 when the transport cannot know it. */
  pid: number;
}

/** What only the real machine can say about a caller; `mount/` reads it from the real /proc. Called lazily. */
export interface CallerFacts {
  /** Thread-group id of a thread, or 0 if it is gone. */
  tgid(pid: number): number;
  /** True if process `ancestor` is the parent of thread `pid`'s process, or its parent's, and so on; never init. */
  descends(pid: number, ancestor: number): boolean;
  /** Effective capabilities as two 32-bit halves `[low, high]`. */
  effective(caller: Caller): readonly [number, number];
  /** Permitted capabilities as two 32-bit halves `[low, high]`. */
  permitted(caller: Caller): readonly [number, number];
  /** Real user and group id; null, or absent: nobody knows, and those of the request stand for them. */
  realIds?(caller: Caller): readonly [uid: number, gid: number] | null;
  /** Supplementary groups. */
  groups(caller: Caller): readonly number[];
}

/** Attributes of a node; callers own and reuse the object, the file system overwrites every field. */
export class Attr {
  /** The node id itself (0:1 is the root). */
  nodeHi = 0;
  nodeLo = 0;
  /** st_ino, which need not be the node id. */
  inoHi = 0;
  inoLo = 0;
  /** Type and permission bits, as in st_mode. */
  mode = 0;
  nlink = 1;
  uid = 0;
  gid = 0;
  /** Bytes; exact up to 2^53. */
  size = 0;
  rdev = 0;
  /** One time for atime, mtime and ctime (seconds and nanoseconds of CLOCK_REALTIME). */
  timeSec = 0;
  timeNsec = 0;
  /** Seconds for which the kernel may keep the *name*; attributes are never kept. 0: look up each time. */
  entryValid = 0;
}

/** What an open answers. */
export class OpenFile {
  /** Handle for read, write, readdir and release: an arena pointer, so any worker may serve it. */
  handle = 0;
  /** True for regular files: no page cache, st_size is not trusted (FOPEN_DIRECT_IO). */
  directIo = true;
  /** True if the file has no positions (FOPEN_NONSEEKABLE). */
  nonSeekable = false;
}

/**
 * Takes directory entries. `name` holds one byte a character (latin1). `next` is the offset from which a later readdir
 * goes on after this entry. `attr` is filled in only for readdirplus; it is reused, so copy what you keep.
 *
 * @returns false if the entry did not fit; the file system then stops, and the entry counts as not delivered.
 */
export type DirSink = (
  name: string,
  inoHi: number,
  inoLo: number,
  type: number,
  next: number,
  attr: Attr | null,
) => boolean;

/** d_type values of directory entries. */
export const DT_DIR = 4;
export const DT_REG = 8;
export const DT_LNK = 10;

/** One per thread. All state that must be shared lives in the arena. */
export interface FileSystem {
  /** `name` holds one byte a character (latin1), as the wire has it. Fills `out`. */
  lookup(parentHi: number, parentLo: number, name: string, caller: Caller, out: Attr): number;

  /** `handle` is 0 unless the request came through an open file. */
  getattr(hi: number, lo: number, handle: number, caller: Caller, out: Attr): number;

  /** chmod, chown, truncate, utimes. `valid` holds FATTR_* bits of the FUSE protocol. Fills `out` on success. */
  setattr(hi: number, lo: number, valid: number, caller: Caller, out: Attr): number;

  /** Writes the link text into `dest`; returns its length in bytes. */
  readlink(hi: number, lo: number, caller: Caller, dest: Uint8Array): number;

  /** access(2) and chdir(2): `mask` holds R_OK (4), W_OK (2), X_OK (1). */
  access(hi: number, lo: number, mask: number, caller: Caller): number;

  /** `flags` are the caller's open(2) flags as the kernel passes them. */
  open(hi: number, lo: number, flags: number, caller: Caller, out: OpenFile): number;

  /** Fills `dest` from its start; returns the number of bytes, 0 at the end. */
  read(hi: number, lo: number, handle: number, offset: number, dest: Uint8Array, caller: Caller): number;

  /** Returns the number of bytes taken. */
  write(hi: number, lo: number, handle: number, offset: number, data: Uint8Array, caller: Caller): number;

  release(handle: number): void;

  opendir(hi: number, lo: number, caller: Caller, out: OpenFile): number;

  /** Delivers entries from `offset` on until the sink is full or the directory ends. With `plus`, attributes too. */
  readdir(hi: number, lo: number, handle: number, offset: number, plus: boolean, caller: Caller, sink: DirSink): number;

  releasedir(handle: number): void;

  /** Creation, removal, renaming: procfs refuses them all; the result is the errno for this kind of request. */
  refuse(operation: "create" | "mkdir" | "mknod" | "symlink" | "link" | "rename" | "unlink" | "rmdir"): number;

  /** ioctl(2) on an open file or directory. */
  ioctl(hi: number, lo: number, handle: number, command: number, caller: Caller): number;

  /**
   * The wait for a lock in which the request in hand is. After WOULD_WAIT: copy it and clear it; before the next try, which
   * may be another thread's: put it back.
   */
  readonly wait: LockWait;

  /** Called when a request will be tried again: from its first try on it waits ({@link wait}). */
  keepWait(): void;

  /** Called when a request is over, answered or given up: if it was waiting ({@link wait}), so is that. */
  endWait(): void;

  /** Called when the thread is about to block in the transport, and again when it has a request (RCU offline/online). */
  idle(): void;
  busy(): void;
}
