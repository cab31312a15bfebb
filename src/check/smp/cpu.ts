/** A virtual CPU: its clock, its thread, and the access that the thread has come to. */
import type { Memory, Ptr } from "../../sync/atomics.ts";

/** A thread: stops by yielding, and goes on with the result of the access that it stopped at. */
export type VirtualThread = Generator<undefined, unknown, number | boolean>;

/** What a CPU is about to do when its thread has stopped. */
export const Op = {
  /** Nothing: the thread wants others to come first. */
  none: 0,
  load: 1,
  loadU32: 2,
  store: 3,
  add: 4,
  or: 5,
  and: 6,
  exchange: 7,
  compareExchange: 8,
  wait: 9,
  nap: 10,
  notify: 11,
} as const;
export type OpId = (typeof Op)[keyof typeof Op];

export class Cpu {
  readonly id: number;
  /** Nanoseconds of virtual time. */
  clock = 0;
  thread: VirtualThread | undefined;
  op: OpId = Op.none;
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
  return (op === Op.wait || op === Op.nap) && (m as Memory).load(at) === a;
}

/** True for accesses that don't change the word: sleeping and waking look at it, too. */
export function isReading(op: OpId): boolean {
  return op === Op.load || op === Op.loadU32 || op >= Op.wait;
}
