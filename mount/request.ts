/**
 * One received message: its buffer, its header, and the checks that make the rest of the code safe against anything
 * that a broken or hostile sender could put there.
 */
import { Buffer } from "node:buffer";
import { EINVAL, EIO, ENAMETOOLONG } from "../src/kernel/errno.ts";
import type { Caller } from "../src/proc/vfs.ts";
import * as abi from "./abi.ts";

const TWO_32 = 4294967296;
const SLASH = 0x2f;

/** {@link Request.check}: the message is whole. */
export const VALID = 0;
/** {@link Request.check}: too short to hold a `unique`, so that nobody can be answered. */
export const UNANSWERABLE = 1;

/** What an offset or position field says when it is negative as a signed 64-bit number. */
export const NEGATIVE_OFFSET = -1;

/** A request buffer with typed access. Made once per thread and reused for each message. */
export class Request {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  /** Bytes of the current message. */
  length = 0;
  readonly caller: Caller = { uid: 0, gid: 0, pid: 0 };
  /** Why the last check failed: one clear clause for the log. */
  problem = "";

  constructor() {
    const memory = new ArrayBuffer(abi.REQUEST_BUFFER_SIZE);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }

  /** Takes over a message of `length` bytes that now lies in the buffer. */
  begin(length: number): void {
    this.length = length;
    this.problem = "";
    const words = this.words;
    const caller = this.caller;
    caller.uid = (words[abi.W_UID] as number) >>> 0;
    caller.gid = (words[abi.W_GID] as number) >>> 0;
    caller.pid = words[abi.W_PID] as number;
  }

  /**
   * Checks the header, the length and the names.
   * @param minimum bytes of the opcode's fixed body
   * @param names how many NUL-terminated names follow the fixed body
   * @returns VALID, UNANSWERABLE, or a negated errno to answer with
   */
  check(minimum: number, names: number): number {
    if (this.length < abi.OUT_HEADER_SIZE) return this.refuse(UNANSWERABLE, "too short for a header");
    if (this.length < abi.IN_HEADER_SIZE) return this.refuse(-EIO, "too short for a header");
    if (this.words[abi.W_LEN] !== this.length) return this.refuse(-EIO, "length field differs from the bytes received");
    if (this.length < abi.IN_HEADER_SIZE + minimum) return this.refuse(-EINVAL, "too short for its opcode");
    return names === 0 ? VALID : this.checkNames(abi.IN_HEADER_SIZE + minimum, names);
  }

  opcode(): number {
    return this.words[abi.W_OPCODE] as number;
  }

  nodeHi(): number {
    return (this.words[abi.W_NODE + 1] as number) >>> 0;
  }

  nodeLo(): number {
    return (this.words[abi.W_NODE] as number) >>> 0;
  }

  u32(word: number): number {
    return (this.words[word] as number) >>> 0;
  }

  /** A file handle: an arena pointer, hence exact. */
  handle(word: number): number {
    return this.u32(word) + this.u32(word + 1) * TWO_32;
  }

  /**
   * A file position. Negative ones (as a signed 64-bit number) give NEGATIVE_OFFSET, to be answered with EINVAL.
   * Positions from 2^53 on cannot be told apart by a number and are clamped to 2^53-1: they lie beyond every file and
   * directory here, so the file system answers as it does at its end (or ESRCH, EACCES: its checks still run).
   */
  offset(word: number): number {
    const high = this.words[word + 1] as number;
    if (high < 0) return NEGATIVE_OFFSET;
    if (high >= 0x200000) return Number.MAX_SAFE_INTEGER;
    return this.u32(word) + high * TWO_32;
  }

  /** The NUL-terminated name at a byte offset, one byte a character. Valid only after {@link check}. */
  name(at: number): string {
    return this.bytes.toString("latin1", at, this.nameEnd(at));
  }

  private checkNames(start: number, names: number): number {
    let at = start;
    for (let i = 0; i < names; i++) {
      const end = this.nameEnd(at);
      if (end < 0) return this.refuse(-EINVAL, "name without a terminating NUL");
      if (end === at) return this.refuse(-EINVAL, "empty name");
      const problem = this.checkName(at, end, i);
      if (problem !== VALID) return problem;
      at = end + 1;
    }
    return VALID;
  }

  private checkName(at: number, end: number, index: number): number {
    // The second string of SYMLINK is its target, a path; it is refused without being looked at.
    if (index === 1 && this.opcode() === abi.SYMLINK) return VALID;
    if (end - at > abi.NAME_MAX) return this.refuse(-ENAMETOOLONG, "name longer than 255 bytes");
    for (let i = at; i < end; i++) {
      if (this.bytes[i] === SLASH) return this.refuse(-EINVAL, "name with a slash");
    }
    return VALID;
  }

  private nameEnd(at: number): number {
    const bytes = this.bytes;
    const length = this.length;
    for (let i = at; i < length; i++) if (bytes[i] === 0) return i;
    return -1;
  }

  private refuse(result: number, problem: string): number {
    this.problem = problem;
    return result;
  }
}
