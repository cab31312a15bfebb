/**
 * /proc/synthproc: the simulation's own files. Writing a command line to `ctl` makes something happen at once; the
 * write's errno tells how it went, and the same open file then reads back what there is to say about it. Other
 * transaction files work alike, in the manner of selinuxfs: open, write the arguments, read the result.
 */
import { EINVAL, EPERM } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import type { Subject } from "../../kernel/subject.ts";
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import { bytesCopy, bytesLength, bytesPut, latin1Bytes } from "../../shm/bytes.ts";
import { NULL } from "../../sync/atomics.ts";
import type { Context, DirRow, RawRow, Row } from "../row.ts";
import { showCounters } from "./stats.ts";
import { WOULD_WAIT } from "../vfs.ts";

/** Longest line that a transaction file takes, in bytes. */
const MAX_LINE = 4096;

/** How a command went. */
export interface ControlResult {
  /** 0, a positive errno, or WOULD_WAIT: nothing has been done, the request will come again. */
  readonly errno: number;
  /** What can be read back: the result, or the reason for the errno; latin1, without a newline at the end. */
  readonly text: string;
}

/** Carries out commands; injected, since the readers don't know who changes the tables. */
export interface ControlHandler {
  /** @param line one command without a newline, one byte a character */
  run(k: Kernel, line: string, subject: Subject): ControlResult;
  /** What a newly opened ctl reads as: the commands there are. */
  readonly help: string;
}

/** What /proc/synthproc shows of the outside. */
export interface SynthprocFiles {
  readonly control: ControlHandler;
  readonly version: string;
  /** The scenario as it was given, latin1. */
  readonly scenario: string;
  /** Transaction files beside ctl: the written line to the text to read back. */
  readonly transactions?: readonly Transaction[];
}

/** A transaction file. The caller's own credentials count, so that everybody may write to it. */
export interface Transaction {
  readonly name: string;
  readonly doc: string;
  readonly run: (k: Kernel, line: string, subject: Subject) => ControlResult;
}

/** The directory /proc/synthproc. */
export function synthprocRow(files: SynthprocFiles): DirRow {
  const { control } = files;
  const ctl: Transaction = {
    name: "ctl",
    doc: "commands to the simulation; needs uid 0 or CAP_SYS_ADMIN to write",
    run: (k, line, subject) => (mayControl(subject) ? control.run(k, line, subject) : DENIED),
  };
  return {
    type: "dir",
    name: "synthproc",
    mode: 0o555,
    doc: "the simulation itself",
    rows: [
      transactionRow(ctl, control.help),
      ...(files.transactions ?? []).map((transaction) => transactionRow(transaction, "")),
      {
        type: "one",
        name: "stats",
        mode: 0o444,
        doc: "which way reads were served, and what the arena holds",
        show: showCounters,
      },
      textRow("scenario", "the scenario that runs", files.scenario),
      textRow("version", "version of synthproc", `${files.version}\n`),
    ],
  };
}

const DENIED: ControlResult = {
  errno: EPERM,
  text: "only uid 0 or a caller with CAP_SYS_ADMIN may control the simulation",
};

function mayControl(subject: Subject): boolean {
  return subject.uid === 0 || subject.capable(CAP_SYS_ADMIN);
}

function textRow(name: string, doc: string, text: string): Row {
  return {
    type: "small",
    name,
    mode: 0o444,
    doc,
    show: (_c, out) => {
      out.str(text);
      return 0;
    },
  };
}

function transactionRow(transaction: Transaction, help: string): RawRow {
  const initial = latin1Bytes(help);
  return {
    type: "raw",
    name: transaction.name,
    mode: 0o666,
    doc: transaction.doc,
    read: (c, offset, dest) => readResult(c, offset, dest, initial),
    write: (c, offset, data) => runLine(c, transaction, offset, data),
    release: (c) => bytesPut(c.k.m, c.k.slab, c.k.m.load(c.file + OPEN_FILE.data)),
  };
}

/**
 * The result of the last write through this open file; before the first one, the help. It begins where that write has
 * left the file's position, so that a shell can write and then read on, and also at 0, for pread(2). (In selinuxfs a
 * write doesn't move the position; FUSE has no such files.)
 */
function readResult(c: Context, offset: number, dest: Uint8Array, initial: Uint8Array): number {
  const { m } = c.k;
  const data = m.load(c.file + OPEN_FILE.data);
  const length = data === NULL ? initial.length : bytesLength(m, data);
  const begin = m.load64(c.file + OPEN_FILE.readPos);
  const from = offset >= begin ? offset - begin : offset;
  const count = Math.max(0, Math.min(dest.length, length - from));
  if (count === 0) return 0;
  if (data === NULL) dest.set(initial.subarray(from, from + count));
  else bytesCopy(m, data, from, dest, 0, count);
  return count;
}

function runLine(c: Context, transaction: Transaction, offset: number, data: Uint8Array): number {
  const line = oneLine(data);
  if (line === null) return -EINVAL;
  const { errno, text } = transaction.run(c.k, line, c.subject);
  if (errno === WOULD_WAIT) return WOULD_WAIT;
  keep(c, text === "" ? "" : `${text}\n`);
  // Only a write that succeeds moves the position.
  c.k.m.store64(c.file + OPEN_FILE.readPos, errno === 0 ? offset + data.length : offset);
  return errno === 0 ? data.length : -errno;
}

/** The text written, without the newline at its end; null if it is too long, or more than one line. */
function oneLine(data: Uint8Array): string | null {
  const end = data.length > 0 && data[data.length - 1] === 10 ? data.length - 1 : data.length;
  if (end > MAX_LINE) return null;
  let line = "";
  for (let i = 0; i < end; i++) {
    const byte = data[i] as number;
    if (byte === 10 || byte === 0) return null;
    line += String.fromCharCode(byte);
  }
  return line;
}

function keep(c: Context, text: string): void {
  const { m, slab } = c.k;
  bytesPut(m, slab, m.exchange(c.file + OPEN_FILE.data, c.k.bytes(latin1Bytes(text))));
}
