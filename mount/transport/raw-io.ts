/**
 * read(2) and write(2) with as little as possible around them: on every message, this is most of what a server in
 * JavaScript costs more than one in C.
 *
 * On Node 20, fs.writeSync makes a context object for each call and checks arguments that are always right here. The
 * function that it calls in the end is reachable through process.binding("fs"), which Node keeps for old packages. It
 * is used on Node 20 only, where its arguments are known, and only if a trial shows that it does what it should;
 * everywhere else, fs itself is used.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { errorCode } from "../errors.ts";

/** A device's end. Both calls never throw for an error of the system call. */
export interface RawIo {
  /** @returns bytes read; 0 at the end or on an error, see `code` */
  read(into: Uint8Array, length: number): number;
  /** Writes all of it in one call. @returns 0, or the negated errno, see `code` */
  write(from: Uint8Array, length: number): number;
  /** After a read that gave 0 or a write that failed: name of the error ("ENOENT"), or "" at the end of the file. */
  code: string;
}

const EIO = 5;

/** The code of a failed system call. @throws what was thrown, if it is anything else */
function systemError(error: unknown): string {
  const code = errorCode(error);
  if (code === "") throw error;
  return code;
}

function negatedErrno(error: unknown): number {
  const errno = (error as { errno?: unknown }).errno;
  return typeof errno === "number" ? errno : -EIO;
}

class PublicIo implements RawIo {
  code = "";
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  read(into: Uint8Array, length: number): number {
    this.code = "";
    try {
      return readSync(this.fd, into, 0, length, null);
    } catch (error) {
      this.code = systemError(error);
      return 0;
    }
  }

  write(from: Uint8Array, length: number): number {
    this.code = "";
    try {
      writeSync(this.fd, from, 0, length, null);
      return 0;
    } catch (error) {
      this.code = systemError(error);
      return negatedErrno(error);
    }
  }
}

interface WriteContext {
  errno: number | undefined;
}

/** What Node 20's fs calls. `position` -1 and null both mean the current one. */
interface FsBinding {
  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  writeBuffer(
    fd: number,
    from: Uint8Array,
    offset: number,
    length: number,
    position: null,
    request: undefined,
    context: WriteContext,
  ): number | undefined;
}

/** Stands for the binding where there is none; nobody calls it. */
const NOTHING: FsBinding = { read: () => 0, writeBuffer: () => undefined };

function fsBinding(): FsBinding | null {
  if (!/^20\./.test(process.versions.node)) return null;
  const access = (process as unknown as { binding?: (name: string) => unknown }).binding;
  const binding = access?.call(process, "fs") as Partial<FsBinding> | undefined;
  return typeof binding?.read === "function" && typeof binding.writeBuffer === "function"
    ? (binding as FsBinding)
    : null;
}

/**
 * Constants and plain functions, so that the compiler knows the targets of the calls below: looked up in the binding's
 * object, they would cost a third more. Neither needs a receiver.
 */
const { read: bindingRead, writeBuffer: bindingWrite } = fsBinding() ?? NOTHING;

class BindingIo implements RawIo {
  code = "";
  private readonly fd: number;
  private readonly context: WriteContext = { errno: undefined };

  constructor(fd: number) {
    this.fd = fd;
  }

  read(into: Uint8Array, length: number): number {
    try {
      const count = bindingRead(this.fd, into, 0, length, -1);
      if (count === 0) this.code = "";
      return count;
    } catch (error) {
      this.code = systemError(error);
      return 0;
    }
  }

  write(from: Uint8Array, length: number): number {
    const context = this.context;
    context.errno = undefined;
    bindingWrite(this.fd, from, 0, length, null, undefined, context);
    if (context.errno === undefined) return 0;
    this.code = getSystemErrorName(context.errno);
    return context.errno;
  }
}

/** Data and errors both have to arrive as they do through fs. */
function works(): boolean {
  const source = openSync("/dev/zero", "r");
  const sink = openSync("/dev/null", "w");
  try {
    const bytes = new Uint8Array(32).fill(1);
    const reads = new BindingIo(source);
    const writes = new BindingIo(sink);
    if (reads.read(bytes, 16) !== 16 || bytes[15] !== 0 || bytes[16] !== 1) return false;
    if (writes.write(bytes, 32) !== 0) return false;
    const failed = reads.write(bytes, 32) < 0 && reads.code === "EBADF";
    return failed && writes.read(bytes, 16) === 0 && writes.code === "EBADF";
  } finally {
    closeSync(source);
    closeSync(sink);
  }
}

/** Reads and writes an open descriptor. */
export function rawIo(fd: number): RawIo {
  return fsBinding() !== null && works() ? new BindingIo(fd) : new PublicIo(fd);
}

/** As rawIo, but without Node's inner parts; for tests and comparison. */
export function publicIo(fd: number): RawIo {
  return new PublicIo(fd);
}
