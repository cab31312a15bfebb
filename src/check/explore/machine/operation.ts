/** What a thread does to shared memory, as a number. */
import { WordOp } from "../../interleave/backend.ts";

/** Operations. Those up to `notify` are methods of Memory that may be delayed. */
export const Op = {
  ...WordOp,
  /** A sleep that runs out of time. */
  timeout: 11,
  /** A woken thread goes on; only shown. */
  wake: 12,
  /** Plain accesses: never delayed, only shown. */
  plainRead: 13,
  plainWrite: 14,
} as const;

export type OpId = (typeof Op)[keyof typeof Op];

/** Plain accesses, as code makes them: never delayed. */
export const PlainOp = {
  store: 16,
  store64: 17,
  zero: 18,
  copyIn: 19,
  copyOut: 20,
  byteAt: 21,
  latin1: 22,
  note: 23,
} as const;

export type PlainOpId = (typeof PlainOp)[keyof typeof PlainOp];

/** Names of the operations, by id. */
export const OP_NAMES: readonly string[] = Object.keys(Op);

/** How many of its two operands an operation has, by id. */
export const OPERANDS: readonly number[] = [0, 0, 1, 1, 1, 1, 1, 2, 1, 1, 1, 0, 0, 0, 0];

/** What an access does to a word, or to the queue of those who sleep on it. */
export const Effect = { none: 0, read: 1, write: 2 } as const;
export type EffectId = (typeof Effect)[keyof typeof Effect];

/** Added to a thread's number in a list of accesses: its sleep runs out of time. */
export const LOG_TIMEOUT = 8;

/** Threads that a scenario can have. */
export const MAX_THREADS = 8;
