/**
 * A small file system for the tests of mount/: real files and directories, one file that makes its reader wait, and
 * nothing of the simulation.
 *
 *     hello         5 bytes and a newline          many/f0 ... f9999
 *     big           3,000,017 bytes                link -> hello
 *     slow          readers wait while gate word SLOW is 0
 *     slow-open     opening waits for the same
 *     notes         what was written to it (up to 100,000 bytes, kept in shared memory)
 *     whoami        what is known about the reader
 *     broken        reading it throws
 *     1 ... N       directories with a file "io", for measurements; 7 is gone while gate word GONE is set
 */
import type { CallerFacts, Caller, DirSink, FileSystem, OpenFile } from "../../src/proc/vfs.ts";
import { Attr, DT_DIR, DT_LNK, DT_REG, WOULD_WAIT } from "../../src/proc/vfs.ts";
import { LockWait } from "../../src/sync/thread.ts";
import { SharedWords, allocateShared } from "../../mount/shared.ts";

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const EINVAL = 22;
const ENOTTY = 25;
const EPERM = 1;
const EFBIG = 27;

/** What all who wait here wait for. */
const THE_LOCK = 1;

/** Words of the gate, which tests and file system share. */
export const SLOW = 0;
export const GONE = 1;
/** Number of file-system calls that returned WOULD_WAIT. */
export const WAITS = 2;
/** Open files (opens minus releases). */
export const OPENED = 3;
/** Seconds for which names may be kept. */
export const ENTRY_VALID = 4;
const NOTES_LENGTH = 5;
const NOTES = 16;
const NOTES_SIZE = 100_000;

export const MANY = 10_000;
export const PIDS = 2_000;
export const BIG_SIZE = 3_000_017;
const IO_TEXT = Buffer.from("rchar: 0\nwchar: 0\nsyscr: 0\n");

export interface TreeData {
  gate: SharedArrayBuffer;
}

export function createGate(): SharedWords {
  return new SharedWords(allocateShared(NOTES + NOTES_SIZE / 4));
}

const STATIC = ["", "hello", "big", "slow", "slow-open", "notes", "whoami", "broken", "many", "link"];
const [, , BIG, SLOW_FILE, SLOW_OPEN, NOTES_FILE, WHOAMI, BROKEN, MANY_DIR, LINK] = STATIC.keys();

// Kinds of node: the high half of a node id. The low half of the root is 1, of a static node 16 + its index.
const FIXED = 0;
const MANY_FILE = 1;
const PID_DIR = 2;
const PID_IO = 3;

/** One byte of the big file. */
export function bigByte(at: number): number {
  return (at * 31 + (at >> 12)) & 0xff;
}

class TreeFileSystem implements FileSystem {
  readonly wait = new LockWait();
  private readonly gate: SharedWords;
  private readonly callers: CallerFacts;

  constructor(gate: SharedWords, callers: CallerFacts) {
    this.gate = gate;
    this.callers = callers;
  }

  lookup(parentHi: number, parentLo: number, name: string, _caller: Caller, out: Attr): number {
    const [hi, lo] = this.find(parentHi, parentLo, name);
    return hi < 0 ? -ENOENT : this.fill(hi, lo, out);
  }

  getattr(hi: number, lo: number, _handle: number, _caller: Caller, out: Attr): number {
    return this.fill(hi, lo, out);
  }

  setattr(hi: number, lo: number, _valid: number, _caller: Caller, out: Attr): number {
    return this.index(hi, lo) === NOTES_FILE ? this.fill(hi, lo, out) : -EPERM;
  }

  readlink(hi: number, lo: number, _caller: Caller, dest: Uint8Array): number {
    if (this.index(hi, lo) !== LINK) return -EINVAL;
    dest.set(Buffer.from("hello"));
    return 5;
  }

  access(_hi: number, _lo: number, mask: number): number {
    return mask & 2 ? -EACCES : 0;
  }

  open(hi: number, lo: number, _flags: number, _caller: Caller, out: OpenFile): number {
    if (this.index(hi, lo) === SLOW_OPEN && this.gate.load(SLOW) === 0) return this.gated();
    this.gate.add(OPENED, 1);
    out.handle = 7;
    return 0;
  }

  read(hi: number, lo: number, _handle: number, offset: number, dest: Uint8Array, caller: Caller): number {
    if (hi === PID_IO) return copy(IO_TEXT, offset, dest);
    if (hi === MANY_FILE) return copy(Buffer.from(`${lo}\n`), offset, dest);
    const index = this.index(hi, lo);
    if (index === BIG) return readBig(offset, dest);
    if (index === SLOW_FILE && this.gate.load(SLOW) === 0) return this.gated();
    if (index === SLOW_FILE || index === SLOW_OPEN) return copy(Buffer.from("released\n"), offset, dest);
    if (index === NOTES_FILE) return copy(this.notes(), offset, dest);
    if (index === WHOAMI) return copy(Buffer.from(this.describe(caller)), offset, dest);
    if (index === BROKEN) throw new Error("broken on purpose");
    return copy(Buffer.from("hello\n"), offset, dest);
  }

  write(hi: number, lo: number, _handle: number, offset: number, data: Uint8Array): number {
    if (this.index(hi, lo) !== NOTES_FILE) return -EINVAL;
    if (this.gate.load(SLOW) === 0 && data[0] === 0x57) return this.gated();
    if (offset + data.length > NOTES_SIZE) return -EFBIG;
    this.gate.copyIn(NOTES * 4 + offset, data, data.length);
    this.gate.store(NOTES_LENGTH, offset + data.length);
    return data.length;
  }

  release(): void {
    this.gate.add(OPENED, -1);
  }

  opendir(hi: number, lo: number, _caller: Caller, out: OpenFile): number {
    out.handle = 0;
    return this.isDirectory(hi, lo) ? 0 : -ENOTDIR;
  }

  readdir(
    hi: number,
    lo: number,
    _handle: number,
    offset: number,
    plus: boolean,
    _caller: Caller,
    sink: DirSink,
  ): number {
    const attr = new Attr();
    for (let i = offset; ; i++) {
      const entry = this.entry(hi, lo, i);
      if (entry === null) return 0;
      if (entry === "") continue;
      const [childHi, childLo] = this.find(hi, lo, entry);
      if (childHi < 0) continue;
      this.fill(childHi, childLo, attr);
      const type = attr.mode >> 12;
      if (!sink(entry, 0, attr.inoLo, type, i + 1, plus ? attr : null)) return 0;
    }
  }

  releasedir(): void {
    // Directories keep nothing while they are open.
  }

  refuse(operation: string): number {
    return operation === "create" ? -ENOENT : -EPERM;
  }

  ioctl(): number {
    return -ENOTTY;
  }

  keepWait(): void {
    // Nothing is counted here.
  }

  endWait(): void {
    this.wait.clear();
  }

  idle(): void {
    // No RCU here.
  }

  busy(): void {
    // No RCU here.
  }

  private gated(): number {
    this.gate.add(WAITS, 1);
    this.wait.lock = THE_LOCK;
    return WOULD_WAIT;
  }

  private index(hi: number, lo: number): number {
    return hi === FIXED && lo >= 16 ? lo - 16 : 0;
  }

  private isDirectory(hi: number, lo: number): boolean {
    return (hi === FIXED && (lo === 1 || this.index(hi, lo) === MANY_DIR)) || hi === PID_DIR;
  }

  private gone(pid: number): boolean {
    return pid === 7 && this.gate.load(GONE) !== 0;
  }

  /** The child of this name, or [-1, 0]. */
  private find(hi: number, lo: number, name: string): [number, number] {
    if (hi === FIXED && lo === 1) {
      const fixed = STATIC.indexOf(name);
      if (fixed > 0) return [FIXED, 16 + fixed];
      const pid = number(name);
      return pid >= 1 && pid <= PIDS && !this.gone(pid) ? [PID_DIR, pid] : [-1, 0];
    }
    if (hi === PID_DIR) return name === "io" && !this.gone(lo) ? [PID_IO, lo] : [-1, 0];
    const file = name.startsWith("f") ? number(name.slice(1)) : -1;
    return this.index(hi, lo) === MANY_DIR && file >= 0 && file < MANY ? [MANY_FILE, file] : [-1, 0];
  }

  /** The i-th name in a directory: null past the end, "" for a hole. */
  private entry(hi: number, lo: number, i: number): string | null {
    if (hi === PID_DIR) return i === 0 ? "io" : null;
    if (this.index(hi, lo) === MANY_DIR) return i < MANY ? `f${i}` : null;
    if (i < STATIC.length) return STATIC[i] as string;
    const pid = i - STATIC.length + 1;
    return pid <= PIDS ? String(pid) : null;
  }

  private fill(hi: number, lo: number, out: Attr): number {
    if ((hi === PID_DIR || hi === PID_IO) && this.gone(lo)) return -ENOENT;
    out.nodeHi = hi;
    out.nodeLo = lo;
    out.inoHi = 0;
    out.inoLo = 100_000 * (hi + 1) + lo;
    out.mode = this.isDirectory(hi, lo) ? (DT_DIR << 12) | 0o555 : (DT_REG << 12) | 0o644;
    if (this.index(hi, lo) === LINK) out.mode = (DT_LNK << 12) | 0o777;
    out.nlink = 1;
    out.uid = 0;
    out.gid = 0;
    out.size = 0;
    out.rdev = 0;
    out.timeSec = 1_700_000_000;
    out.timeNsec = 5;
    out.entryValid = this.gate.load(ENTRY_VALID);
    return 0;
  }

  private notes(): Buffer {
    const text = Buffer.alloc(this.gate.load(NOTES_LENGTH));
    this.gate.copyOut(NOTES * 4, text, text.length);
    return text;
  }

  private describe(caller: Caller): string {
    const facts = { tgid: this.callers.tgid(caller.pid), groups: this.callers.groups(caller) };
    const capabilities = { effective: this.callers.effective(caller), permitted: this.callers.permitted(caller) };
    return `${JSON.stringify({ ...caller, ...facts, ...capabilities })}\n`;
  }
}

function number(text: string): number {
  return /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : -1;
}

function copy(text: Buffer, offset: number, dest: Uint8Array): number {
  if (offset >= text.length) return 0;
  const length = Math.min(dest.length, text.length - offset);
  for (let i = 0; i < length; i++) dest[i] = text[offset + i] as number;
  return length;
}

function readBig(offset: number, dest: Uint8Array): number {
  const length = Math.max(0, Math.min(dest.length, BIG_SIZE - offset));
  for (let i = 0; i < length; i++) dest[i] = bigByte(offset + i);
  return length;
}

export function createFileSystem(data: TreeData, context: { callers: CallerFacts }): FileSystem {
  return new TreeFileSystem(new SharedWords(data.gate), context.callers);
}
