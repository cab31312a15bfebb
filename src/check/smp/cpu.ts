/** A virtual CPU: its clock, its thread, and the access that the thread has come to. */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import type { WordOpId } from "../interleave/backend.ts";
import { WordOp } from "../interleave/backend.ts";

/** A thread: stops by yielding, and goes on with the result of the access that it stopped at. */
export type VirtualThread = Generator<undefined, unknown, number | boolean>;

/** A CPU is about to do this access when its thread has stopped; -1: none, the thread wants others to come first. */
export type OpId = WordOpId | -1;
export const NO_OP = -1;

export class Cpu {
  readonly id: number;
  /** Nanoseconds of virtual time. */
  clock = 0;
  thread: VirtualThread | undefined;
  op: OpId = NO_OP;
  m: Memory | undefined;
  at: Ptr = 0;
  a = 0;
  b = 0;
  /** What the thread goes on with. */
  result: number | boolean = 0;
  /** {@link Line.epoch} when the line set out that it waits for; and is it a transfer that others have to wait for? */
  epoch = 0;
  serial = false;
  /** Numbers its sleeps; -1 while awake. */
  sleep = -1;
  sleeps = 0;

  constructor(id: number) {
    this.id = id;
  }
}

/** True for a wait or nap whose word holds what is waited for to change. */
export function wouldSleep({ op, m, at, a }: Cpu): boolean {
  return (op === WordOp.wait || op === WordOp.nap) && (m as Memory).load(at) === a;
}

/** True for accesses that don't change the word: sleeping and waking look at it, too. */
export function isReading(op: OpId): boolean {
  return op === WordOp.load || op === WordOp.loadU32 || op >= WordOp.wait;
}
