/**
 * The backend of transformed code: what its accesses to shared memory call (see ../interleave). An access that the current
 * thread may do at once is done here, by one comparison; all others are the machine's.
 *
 * There is one for a process, since transformed modules find it where they are loaded; machines take turns with it.
 */
import type { Ptr } from "../../../sync/atomics.ts";
import { Memory } from "../../../sync/atomics.ts";
import type { Result, WordOpId } from "../../interleave/backend.ts";
import { WordAccesses, installBackend, perform } from "../../interleave/backend.ts";
import { Arena } from "./arena.ts";
import { Behaviour, ENDED } from "./behaviour.ts";
import { Contents } from "./contents.ts";
import type { OpId, PlainOpId } from "./operation.ts";
import { Op, PlainOp } from "./operation.ts";
import { SPECIAL, readerFlag, writerFlag } from "./shared-words.ts";
import { Stopped } from "./stopped.ts";

const TWO_32 = 2 ** 32;

/** No flags are these: no access is done at once. */
const NEVER = -1;
/** Accesses that a thread makes at once, at most: then it may well be waiting for somebody. */
const AT_ONCE = 100_000;

/** Answer of what gives nothing. */
const NOTHING = 0;

/** The machine, for accesses that need it. */
export interface Accesses {
  /** An access of the current thread. @returns its answer, or undefined if the thread has to yield */
  access(op: OpId, site: number, at: Ptr, a: number, b: number): number | undefined;
  /** A plain access of the current thread to a word, before it is done. */
  plain(site: number, at: Ptr, write: boolean): void;
  /** The current thread's note of an object. */
  note(site: number, at: Ptr, cache: number, state: number): void;
  /** The current thread was given the same answers before, but its access is another one now. */
  strayed(op: number, site: number, at: Ptr): void;
}

/** No answers are given again. */
const NONE: readonly number[] = [];

export class Runtime extends WordAccesses {
  /** Accesses that the current thread may still do at once. */
  budget = 0;
  /** None while a scenario is set up. */
  private machine: Accesses | null = null;
  private arena = new Arena(new Memory(new SharedArrayBuffer(0)));
  private flags: Uint32Array = new Uint32Array(0);
  /** What is copied into the arena and out of it. */
  private contents = new Contents();
  /** An access is done at once if these flags of its word are just these. */
  private readMask = 0;
  private readWant = NEVER;
  private writeMask = 0;
  private writeWant = NEVER;
  /** Of the current thread, or of the verdict. */
  private behaviour = new Behaviour();
  /** Answers that the code is given again, and how many it has been given. */
  private path = NONE;
  private given = 0;
  /** What setup has told of objects, in threes: address, cache, state. */
  private notes: number[] = [];

  /** A new arena is about to be made: until a machine takes over, accesses go to it as they are. */
  disconnect(): void {
    this.machine = null;
    this.notes = [];
  }

  /** The machine whose threads run from now on. @returns what setup has told of objects */
  connect(machine: Accesses, arena: Arena, flags: Uint32Array): readonly number[] {
    this.machine = machine;
    this.arena = arena;
    this.flags = flags;
    this.contents = new Contents();
    return this.notes;
  }

  /**
   * A thread runs from now on.
   * @param watched true if the machine wants to know of each access
   */
  enter(thread: number, behaviour: Behaviour, watched: boolean): void {
    const reader = readerFlag(thread);
    const writer = writerFlag(thread);
    this.readMask = SPECIAL | reader;
    this.readWant = watched ? NEVER : reader;
    this.writeMask = SPECIAL | writer;
    this.writeWant = watched ? NEVER : writer;
    this.continue(behaviour);
    this.budget = AT_ONCE;
  }

  /** The verdict runs from now on, alone: whatever the flags are, accesses are done at once. */
  leave(behaviour: Behaviour): void {
    this.readMask = this.readWant = this.writeMask = this.writeWant = 0;
    this.continue(behaviour);
    this.budget = AT_ONCE;
  }

  private continue(behaviour: Behaviour): void {
    this.behaviour = behaviour;
    this.path = NONE;
    this.given = 0;
  }

  /** The code of whoever runs is about to begin, and is given the answers again that it has got since a node. */
  repeat(from: number): void {
    this.path = this.behaviour.path(from);
    this.given = 0;
    this.behaviour.node = from;
  }

  /** Runs to the end what has nobody to wait for. */
  solo<T>(fiber: Generator<unknown, T, number | boolean>): T {
    const next = fiber.next();
    if (!next.done) throw new Error("setup or verdict of a scenario waits for somebody");
    return next.value;
  }

  /** Whoever runs makes all accesses that it is known to make, until it has to yield, or more is not known. */
  walk(): void {
    const { behaviour } = this;
    for (let op = behaviour.op; op < ENDED; op = behaviour.op) {
      const { site, at, a, b } = behaviour;
      const answer = op <= Op.notify ? this.make(op as WordOpId, site, at, a, b) : this.makePlain(op, site, at, a, b);
      if (answer === undefined) return;
      behaviour.answer(answer);
    }
  }

  plainStore(site: number, m: Memory, at: Ptr, value: number): void {
    if (this.machine === null) m.plainStore(at, value);
    else this.plain(PlainOp.store, site, at, value, 0);
  }

  plainStore64(site: number, m: Memory, at: Ptr, value: number): void {
    if (this.machine === null) m.plainStore64(at, value);
    else this.plain(PlainOp.store64, site, at, value, value / TWO_32);
  }

  plainZero(site: number, m: Memory, at: Ptr, count: number): void {
    if (this.machine === null) m.plainZero(at, count);
    else this.plain(PlainOp.zero, site, at, count, 0);
  }

  copyIn(site: number, m: Memory, at: Ptr, byteOffset: number, source: Uint8Array): void {
    if (this.machine === null) m.copyIn(at, byteOffset, source);
    else this.plain(PlainOp.copyIn, site, at, byteOffset, this.contents.ofBytes(source));
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
    if (this.machine === null) m.copyOut(at, byteOffset, target, targetOffset, length);
    else target.set(this.contents.bytes(this.plain(PlainOp.copyOut, site, at, byteOffset, length)), targetOffset);
  }

  byteAt(site: number, m: Memory, at: Ptr, byteOffset: number): number {
    if (this.machine === null) return m.byteAt(at, byteOffset);
    return this.plain(PlainOp.byteAt, site, at, byteOffset, 0);
  }

  latin1(site: number, m: Memory, at: Ptr, byteOffset: number, length: number): string {
    if (this.machine === null) return m.latin1(at, byteOffset, length);
    return this.contents.text(this.plain(PlainOp.latin1, site, at, byteOffset, length));
  }

  noteObject(site: number, _m: Memory, at: Ptr, cache: number, state: number): void {
    if (this.machine === null) this.notes.push(at, cache, state);
    else this.plain(PlainOp.note, site, at, cache, state);
  }

  /** An access of code. */
  protected access(op: WordOpId, site: number, m: Memory, at: Ptr, first: number, second: number): Result {
    if (this.machine === null) return alone(op, m, at, first, second);
    if (!(at >= 0 && at < this.arena.words.length)) throw new RangeError(`no word of the arena: ${at}`);
    const a = first | 0;
    const b = second | 0;
    if (!this.behaviour.make(op, site, at, a, b)) {
      this.machine.strayed(op, site, at);
      return undefined;
    }
    const answer = this.given < this.path.length ? this.path[this.given++] : this.make(op, site, at, a, b);
    if (answer !== undefined) this.behaviour.answer(answer);
    return resultOf(op, answer);
  }

  /** A plain access of code. @returns its answer */
  private plain(op: PlainOpId, site: number, at: Ptr, first: number, second: number): number {
    const a = first | 0;
    const b = second | 0;
    if (!this.behaviour.make(op, site, at, a, b)) {
      this.machine?.strayed(op, site, at);
      throw new Stopped();
    }
    const answer = this.given < this.path.length ? this.path[this.given++] : this.makePlain(op, site, at, a, b);
    this.behaviour.answer(answer);
    return answer;
  }

  /** Makes an access, at once or by the machine. */
  private make(op: WordOpId, site: number, at: Ptr, a: number, b: number): number | undefined {
    if (op <= Op.loadU32) {
      if ((this.flags[at] & this.readMask) === this.readWant && --this.budget > 0) return this.arena.words[at];
    } else if (op <= Op.compareExchange && (this.flags[at] & this.writeMask) === this.writeWant && --this.budget > 0) {
      return this.arena.apply(op, at, a, b);
    }
    return (this.machine as Accesses).access(op, site, at, a, b);
  }

  private makePlain(op: number, site: number, at: Ptr, a: number, b: number): number {
    const { contents } = this;
    const { words, memory } = this.arena;
    switch (op) {
      case PlainOp.store:
        this.plainWrite(site, at, 1);
        words[at] = a;
        return NOTHING;
      case PlainOp.store64:
        this.plainWrite(site, at, 2);
        words[at] = a;
        words[at + 1] = b;
        return NOTHING;
      case PlainOp.zero:
        this.plainWrite(site, at, a);
        words.fill(0, at, at + a);
        return NOTHING;
      case PlainOp.copyIn: {
        const bytes = contents.bytes(b);
        this.plainWrite(site, at + (a >>> 2), ((a + bytes.length + 3) >>> 2) - (a >>> 2));
        memory.copyIn(at, a, bytes);
        return NOTHING;
      }
      case PlainOp.copyOut: {
        this.plainRead(site, at, a, b);
        const bytes = new Uint8Array(b);
        memory.copyOut(at, a, bytes, 0, b);
        return contents.ofBytes(bytes);
      }
      case PlainOp.byteAt:
        this.plainRead(site, at, a, 1);
        return memory.byteAt(at, a);
      case PlainOp.latin1:
        this.plainRead(site, at, a, b);
        return contents.ofText(memory.latin1(at, a, b));
      default:
        this.machine?.note(site, at, a, b);
        return NOTHING;
    }
  }

  private plainRead(site: number, at: Ptr, byteOffset: number, length: number): void {
    const end = at + ((byteOffset + length + 3) >>> 2);
    for (let word = at + (byteOffset >>> 2); word < end; word++) {
      if ((this.flags[word] & this.readMask) !== this.readWant) this.machine?.plain(site, word, false);
    }
  }

  private plainWrite(site: number, at: Ptr, count: number): void {
    const { words, journal } = this.arena;
    if (!(at >= 0 && at + count <= words.length)) throw new RangeError(`no words of the arena: ${at}, ${count}`);
    for (let word = at; word < at + count; word++) {
      if ((this.flags[word] & this.writeMask) !== this.writeWant) this.machine?.plain(site, word, true);
      journal.note(word);
    }
  }
}

/** What an answer is to code. */
export function resultOf(op: number, answer: number | undefined): Result {
  if (answer === undefined) return undefined;
  if (op === Op.wait) return answer !== 0;
  return op === Op.loadU32 ? answer >>> 0 : answer;
}

/** Makes an access as it is, for setup. */
function alone(op: WordOpId, m: Memory, at: Ptr, a: number, b: number): number | boolean {
  if (op === Op.notify) return m.notify(at, a);
  if (op !== Op.wait && op !== Op.nap) return perform(op, m, at, a, b);
  if (m.load(at) === a) throw new Error("setup of a scenario sleeps");
  return op === Op.wait ? true : 0;
}

/** The backend of this process. */
export const runtime = new Runtime();

installBackend(runtime);
