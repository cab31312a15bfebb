/**
 * /proc/synthproc/ctl: writing a command line makes something happen at once. The write's errno tells how it went, and the
 * same open file reads back what there is to say about it. It may be written to again and again.
 */
import { EINVAL, EPERM } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Subject } from "../../kernel/subject.ts";
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Context, RawRow } from "../row.ts";
import { PARALLEL_WRITES_SIZE } from "../row.ts";
import { WOULD_WAIT } from "../vfs.ts";
import type { Answer } from "./answer.ts";
import { dropAnswer, hasAnswer, keepAnswer, readAnswer, writtenText } from "./answer.ts";

/** Longest line that ctl takes, in bytes, a newline at its end not counted. */
const MAX_LINE = 4096;

/** Carries out commands; injected, since the readers don't know who changes the tables. */
export interface ControlHandler {
  /** @param line one command without a newline, one byte a character */
  run(k: Kernel, line: string, subject: Subject): Answer;
  /** What a newly opened ctl reads as: the commands there are. */
  readonly help: string;
}

const DENIED: Answer = {
  errno: EPERM,
  text: "only uid 0 or a caller with CAP_SYS_ADMIN may control the simulation",
};

const NO_LINE: Answer = {
  errno: EINVAL,
  text: "a write is one line, without NUL bytes; synthproc ctl DIR takes many lines",
};
const TOO_LONG: Answer = { errno: EINVAL, text: `a line has at most ${MAX_LINE} bytes` };

/** The row of ctl. */
export function ctlRow(control: ControlHandler): RawRow {
  const help = latin1Bytes(control.help);
  return {
    type: "raw",
    name: "ctl",
    mode: 0o666,
    size: PARALLEL_WRITES_SIZE,
    separate: true,
    doc: "commands to the simulation; needs uid 0 or CAP_SYS_ADMIN to write",
    read: (c, offset, dest) => (hasAnswer(c) ? readAnswer(c, offset, dest) : readHelp(help, offset, dest)),
    write: (c, offset, data) => runLine(c, control, offset, data),
    release: dropAnswer,
  };
}

function readHelp(help: Uint8Array, offset: number, dest: Uint8Array): number {
  const count = Math.max(0, Math.min(dest.length, help.length - offset));
  if (count > 0) dest.set(help.subarray(offset, offset + count));
  return count;
}

function runLine(c: Context, control: ControlHandler, offset: number, data: Uint8Array): number {
  const answer = carryOut(c, control, writtenText(data, false));
  if (answer.errno === WOULD_WAIT) return WOULD_WAIT;
  keepAnswer(c, answer, offset, data.length);
  return answer.errno === 0 ? data.length : -answer.errno;
}

function carryOut(c: Context, control: ControlHandler, line: string | null): Answer {
  if (line === null) return NO_LINE;
  if (line.length > MAX_LINE) return TOO_LONG;
  return mayControl(c.subject) ? control.run(c.k, line, c.subject) : DENIED;
}

function mayControl(subject: Subject): boolean {
  return subject.uid === 0 || subject.capable(CAP_SYS_ADMIN);
}
