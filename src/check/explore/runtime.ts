/**
 * The backend of transformed code: what its accesses to shared memory call (see ../interleave). An access that the current
 * thread may do at once is done here, by one comparison; all others are the machine's.
 *
 * There is one for a process, since transformed modules find it where they are loaded; machines take turns with it.
 */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { Journal } from "./journal.ts";
import type { OpId } from "./operation.ts";
import { Op } from "./operation.ts";
import { SPECIAL, readerFlag, writerFlag } from "./shared-words.ts";
import { ThreadLog, accessKey } from "./thread-log.ts";

/** No flags are these: no access is done at once. */
const NEVER = -1;
/** Accesses that a thread makes at once, at most: then it may well be waiting for somebody. */
const AT_ONCE = 100_000;

/** The machine, for accesses that need it. */
export interface Accesses {
  /** An access of the current thread. @returns its result, or undefined if the thread has to yield */
  access(op: OpId, site: number, at: Ptr, a: number, b: number): number | boolean | undefined;
  /** A plain access of the current thread to a word, before it is done. */
  plain(site: number, at: Ptr, write: boolean): void;
  /** The current thread's note of an object. */
  note(site: number, at: Ptr, cache: number, state: number): void;
  /** The current thread is given an answer again, but its access is another one than before. */
  strayed(op: OpId, site: number, at: Ptr): void;
}

type Result = number | boolean | undefined;

export class Runtime {
  /** Accesses that the current thread may still do at once. */
  budget = 0;
  private words: Int32Array = new Int32Array(0);
  private flags: Uint32Array = new Uint32Array(0);
  private journal = new Journal(this.words);
  private machine: Accesses | null = null;
  /** An access is done at once if these flags of its word are just these. */
  private readMask = 0;
  private readWant = NEVER;
  private writeMask = 0;
  private writeWant = NEVER;
  private log = new ThreadLog();
  /** The current thread is given what its log says. */
  private again = false;
  /** What setup has told of objects, in threes: address, cache, state. */
  private notes: number[] = [];

  /** A new arena is about to be made: until a machine takes over, accesses go to it as they are. */
  disconnect(): void {
    this.machine = null;
    this.notes = [];
    this.leave();
  }

  /** The machine whose threads run from now on. @returns what setup has told of objects */
  connect(machine: Accesses, words: Int32Array, flags: Uint32Array, journal: Journal): readonly number[] {
    this.machine = machine;
    this.words = words;
    this.flags = flags;
    this.journal = journal;
    return this.notes;
  }

  /**
   * A thread runs from now on.
   * @param log where results of its accesses go
   * @param watched true if the machine wants to know of each access
   */
  enter(thread: number, log: ThreadLog, watched: boolean): void {
    const reader = readerFlag(thread);
    const writer = writerFlag(thread);
    this.readMask = SPECIAL | reader;
    this.readWant = watched ? NEVER : reader;
    this.writeMask = SPECIAL | writer;
    this.writeWant = watched ? NEVER : writer;
    this.again = false;
    this.log = log;
    while (log.room() < AT_ONCE) log.grow();
    this.budget = AT_ONCE;
  }

  /** A thread runs from now on, and is given what its log says, as far as that goes. */
  repeat(log: ThreadLog): void {
    this.readWant = this.writeWant = NEVER;
    this.log = log;
    this.again = true;
  }

  /** Nobody but setup or verdict runs from now on. */
  leave(): void {
    this.readWant = this.writeWant = NEVER;
    this.again = false;
  }

  /** Runs to the end what has nobody to wait for. */
  solo<T>(fiber: Generator<unknown, T, number | boolean>): T {
    this.leave();
    const next = fiber.next();
    if (!next.done) throw new Error("setup or verdict of a scenario waits for somebody");
    return next.value;
  }

  load(site: number, m: Memory, at: Ptr): Result {
    if ((this.flags[at] & this.readMask) === this.readWant && --this.budget > 0) {
      return this.logged(site, at, this.words[at]);
    }
    return this.slow(Op.load, site, m, at, 0, 0);
  }

  loadU32(site: number, m: Memory, at: Ptr): Result {
    if ((this.flags[at] & this.readMask) === this.readWant && --this.budget > 0) {
      return this.logged(site, at, this.words[at]) >>> 0;
    }
    return this.slow(Op.loadU32, site, m, at, 0, 0);
  }

  store(site: number, m: Memory, at: Ptr, value: number): Result {
    if ((this.flags[at] & this.writeMask) === this.writeWant && --this.budget > 0) {
      this.write(at, value);
      return this.logged(site, at, 0);
    }
    return this.slow(Op.store, site, m, at, value, 0);
  }

  add(site: number, m: Memory, at: Ptr, delta: number): Result {
    if ((this.flags[at] & this.writeMask) === this.writeWant && --this.budget > 0) {
      const before = this.words[at];
      this.write(at, before + delta);
      return this.logged(site, at, before);
    }
    return this.slow(Op.add, site, m, at, delta, 0);
  }

  or(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.slow(Op.or, site, m, at, bits, 0);
  }

  and(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.slow(Op.and, site, m, at, bits, 0);
  }

  exchange(site: number, m: Memory, at: Ptr, value: number): Result {
    if ((this.flags[at] & this.writeMask) === this.writeWant && --this.budget > 0) {
      const before = this.words[at];
      this.write(at, value);
      return this.logged(site, at, before);
    }
    return this.slow(Op.exchange, site, m, at, value, 0);
  }

  compareExchange(site: number, m: Memory, at: Ptr, expected: number, desired: number): Result {
    if ((this.flags[at] & this.writeMask) === this.writeWant && --this.budget > 0) {
      const before = this.words[at];
      if (before === (expected | 0)) this.write(at, desired);
      return this.logged(site, at, before);
    }
    return this.slow(Op.compareExchange, site, m, at, expected, desired);
  }

  wait(site: number, m: Memory, at: Ptr, expected: number, _timeoutMs: number): Result {
    return this.slow(Op.wait, site, m, at, expected, 0);
  }

  nap(site: number, m: Memory, at: Ptr, expected: number, _timeoutMs: number): Result {
    return this.slow(Op.nap, site, m, at, expected, 0);
  }

  notify(site: number, m: Memory, at: Ptr, count: number): Result {
    return this.slow(Op.notify, site, m, at, count, 0);
  }

  plainStore(site: number, m: Memory, at: Ptr, value: number): void {
    if (this.again) return;
    this.plainWrite(site, at, 1);
    m.plainStore(at, value);
  }

  plainStore64(site: number, m: Memory, at: Ptr, value: number): void {
    if (this.again) return;
    this.plainWrite(site, at, 2);
    m.plainStore64(at, value);
  }

  plainZero(site: number, m: Memory, at: Ptr, count: number): void {
    if (this.again) return;
    this.plainWrite(site, at, count);
    m.plainZero(at, count);
  }

  copyIn(site: number, m: Memory, at: Ptr, byteOffset: number, source: Uint8Array): void {
    if (this.again) return;
    const first = byteOffset >>> 2;
    this.plainWrite(site, at + first, ((byteOffset + source.length + 3) >>> 2) - first);
    m.copyIn(at, byteOffset, source);
  }

  copyOut(
    site: number,
    m: Memory,
    at: Ptr,
    byteOffset: number,
    target: Uint8Array,
    targetOffset: number,
    length: number,
  ): void {
    if (this.again) {
      target.set(this.readAgain() as Uint8Array, targetOffset);
      return;
    }
    this.plainRead(site, at, byteOffset, length);
    m.copyOut(at, byteOffset, target, targetOffset, length);
    this.log.reads.push(target.slice(targetOffset, targetOffset + length));
  }

  byteAt(site: number, m: Memory, at: Ptr, byteOffset: number): number {
    if (this.again) return this.readAgain() as number;
    this.plainRead(site, at, byteOffset, 1);
    const value = m.byteAt(at, byteOffset);
    this.log.reads.push(value);
    return value;
  }

  latin1(site: number, m: Memory, at: Ptr, byteOffset: number, length: number): string {
    if (this.again) return this.readAgain() as string;
    this.plainRead(site, at, byteOffset, length);
    const value = m.latin1(at, byteOffset, length);
    this.log.reads.push(value);
    return value;
  }

  noteObject(site: number, _m: Memory, at: Ptr, cache: number, state: number): void {
    if (this.again) return;
    if (this.machine === null) this.notes.push(at, cache, state);
    else this.machine.note(site, at, cache, state);
  }

  private write(at: Ptr, value: number): void {
    this.journal.note(at);
    this.words[at] = value;
  }

  /** Adds a result to the log, which has room for it. */
  private logged(site: number, at: Ptr, value: number): number {
    const { log } = this;
    log.keys[log.length] = accessKey(site, at);
    log.values[log.length++] = value;
    return value;
  }

  private slow(op: OpId, site: number, m: Memory, at: Ptr, a: number, b: number): Result {
    const { machine, log } = this;
    if (machine === null) return perform(op, m, at, a, b);
    if (!(at >= 0 && at < this.words.length)) throw new RangeError(`no word of the arena: ${at}`);
    if (!this.again || log.cursor === log.length) return machine.access(op, site, at, a | 0, b | 0);
    if (log.keys[log.cursor] !== accessKey(site, at)) {
      machine.strayed(op, site, at);
      return undefined;
    }
    const value = log.values[log.cursor++];
    if (op === Op.wait) return value !== 0;
    return op === Op.loadU32 ? value >>> 0 : value;
  }

  private readAgain(): unknown {
    return this.log.reads[this.log.readCursor++];
  }

  private plainRead(site: number, at: Ptr, byteOffset: number, length: number): void {
    if (this.machine === null) return;
    const end = at + ((byteOffset + length + 3) >>> 2);
    for (let word = at + (byteOffset >>> 2); word < end; word++) {
      if ((this.flags[word] & this.readMask) !== this.readWant) this.machine.plain(site, word, false);
    }
  }

  private plainWrite(site: number, at: Ptr, count: number): void {
    if (this.machine === null) return;
    if (!(at >= 0 && at + count <= this.words.length)) throw new RangeError(`no words of the arena: ${at}, ${count}`);
    for (let word = at; word < at + count; word++) {
      if ((this.flags[word] & this.writeMask) !== this.writeWant) this.machine.plain(site, word, true);
      this.journal.note(word);
    }
  }
}

/** Makes an access as it is, for setup. */
function perform(op: OpId, m: Memory, at: Ptr, a: number, b: number): number | boolean {
  switch (op) {
    case Op.load:
      return m.load(at);
    case Op.loadU32:
      return m.loadU32(at);
    case Op.store:
      m.store(at, a);
      return 0;
    case Op.add:
      return m.add(at, a);
    case Op.or:
      return m.or(at, a);
    case Op.and:
      return m.and(at, a);
    case Op.exchange:
      return m.exchange(at, a);
    case Op.compareExchange:
      return m.compareExchange(at, a, b);
    case Op.notify:
      return m.notify(at, a);
    case Op.wait:
    case Op.nap:
      if (m.load(at) === a) throw new Error("setup of a scenario sleeps");
      return op === Op.wait ? true : 0;
    default:
      throw new Error(`no access: ${op}`);
  }
}

/** The backend of this process. */
export const runtime = new Runtime();

/** Where transformed modules look for their backend. */
export const BACKEND = Symbol.for("synthproc.interleave");

(globalThis as Record<symbol, unknown>)[BACKEND] = runtime;
