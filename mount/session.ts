/**
 * A session: one thread's hands on the FUSE protocol. It takes a message out of its request buffer, calls the file
 * system, and leaves the answer in its reply buffer. It does no I/O, so that transports, replay and tests share it.
 */
import { EIO, ENOSYS } from "../src/kernel/errno.ts";
import type { LockWait } from "../src/sync/thread.ts";
import type { FileSystem } from "../src/proc/vfs.ts";
import { Attr, OpenFile, WOULD_WAIT } from "../src/proc/vfs.ts";
import * as abi from "./abi.ts";
import { errorText } from "./errors.ts";
import { MINIMUM_BODY, NAMES, OPCODES, describe, wantsReply } from "./opcodes.ts";
import { Reply } from "./reply.ts";
import { Request, UNANSWERABLE, VALID } from "./request.ts";

/** {@link Session.handle}: nothing to send. */
export const NO_REPLY = 0;

/** What the two sides agreed on in INIT. */
export interface Agreement {
  /** Minor version of the kernel's protocol, which may be newer than ours. */
  kernelMinor: number;
  /** Minor version in use. */
  minor: number;
  flags: number;
}

/** What a session needs beside a file system; each part may be left out. */
export interface SessionOptions {
  /** Called once, when INIT was answered. */
  onInit?: (agreement: Agreement) => void;
  /**
   * Called when a request is interrupted; see ParkingLot.interrupt, which also says what the request waited for. Without
   * it, nothing is ever parked.
   */
  interrupt?: (uniqueLo: number, uniqueHi: number, wait: LockWait) => number;
  /** Gets one line a request: see docs of {@link describe}. */
  trace?: (line: string) => void;
  /** Gets one sentence about each message that was refused as malformed, and each failure inside the file system. */
  complain?: (sentence: string) => void;
  /** READDIRPLUS: never, at first sight of a directory and after look-ups in it, or always. */
  readdirPlus?: "never" | "auto" | "always";
}

export class Session {
  readonly request = new Request();
  readonly reply = new Reply();
  readonly fileSystem: FileSystem;
  readonly options: SessionOptions;
  /** Reused for every answer that carries attributes. */
  readonly attr = new Attr();
  /** Reused for every open. */
  readonly opened = new OpenFile();
  /** The DirSink of the listing in progress. */
  readonly sink = (
    name: string,
    inoHi: number,
    inoLo: number,
    type: number,
    next: number,
    attr: Attr | null,
  ): boolean => {
    const fitted = this.reply.addEntry(name, inoHi, inoLo, type, next, this.plus, attr);
    if (!fitted) this.full = true;
    return fitted;
  };
  /** True while the listing in progress carries attributes. */
  plus = false;
  /** True once an entry did not fit. */
  full = false;

  constructor(fileSystem: FileSystem, options: SessionOptions = {}) {
    this.fileSystem = fileSystem;
    this.options = options;
  }

  /**
   * Handles the message that lies in `request.bytes`.
   * @returns the number of bytes in `reply.bytes` to send, NO_REPLY, or WOULD_WAIT: keep the message and the file system's
   *   `wait`, come again later
   */
  handle(length: number): number {
    const request = this.request;
    request.begin(length);
    const opcode = request.opcode();
    const known = opcode > 0 && opcode < abi.OPCODE_LIMIT;
    const valid = request.check(known ? (MINIMUM_BODY[opcode] as number) : 0, known ? (NAMES[opcode] as number) : 0);
    if (valid === UNANSWERABLE) return this.drop();
    this.reply.address(request.words[abi.W_UNIQUE] as number, request.words[abi.W_UNIQUE + 1] as number);
    const result = valid === VALID ? this.dispatch(known ? opcode : 0) : this.malformed(valid);
    if (result === WOULD_WAIT) this.fileSystem.keepWait();
    else this.fileSystem.endWait();
    if (this.options.trace !== undefined) this.options.trace(describe(this, result));
    return result;
  }

  /** Ends a request whose client no longer waits: leaves the reply for the message that lies in `request.bytes`. */
  fail(errno: number): number {
    this.fileSystem.endWait();
    const words = this.request.words;
    this.reply.address(words[abi.W_UNIQUE] as number, words[abi.W_UNIQUE + 1] as number);
    return this.reply.status(-errno);
  }

  private dispatch(opcode: number): number {
    const row = OPCODES[opcode];
    if (row === undefined) return this.reply.status(-ENOSYS);
    try {
      return row.handler(this);
    } catch (error) {
      this.complain(`${row.name} failed inside the file system: ${errorDetail(error)}`);
      return row.reply ? this.reply.status(-EIO) : NO_REPLY;
    }
  }

  private malformed(result: number): number {
    const opcode = this.request.length >= 8 ? this.request.opcode() : 0;
    this.complain(
      `refused a malformed message (opcode ${opcode}, ${this.request.length} bytes): ${this.request.problem}`,
    );
    return wantsReply(opcode) ? this.reply.status(result) : NO_REPLY;
  }

  private drop(): number {
    this.complain(`dropped a message of ${this.request.length} bytes: ${this.request.problem}`);
    return NO_REPLY;
  }

  private complain(sentence: string): void {
    this.options.complain?.(sentence);
  }
}

function errorDetail(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : errorText(error);
}

export { WOULD_WAIT };
