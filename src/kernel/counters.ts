/**
 * Counters per path and thread: which way a read was served. Each thread has a block of its own, so that counting never
 * contends; a reader adds the blocks up.
 */
import { RCU_THREADS } from "../sync/rcu.ts";
import { COUNTER_WORDS, HOST } from "./layout.ts";
import type { Kernel } from "./kernel.ts";
import { PATH_NAMES } from "./knobs.ts";

/** What is counted for each path. */
export const Event = {
  /** A speculation, begun without a lock: a read of the file, or (maps and its kin) the lookup of one mapping. */
  speculated: 0,
  /** A speculation that a writer spoilt. */
  retried: 1,
  /** A read that took the lock: its speculation was spoilt, a writer was at it, or the path is in its locked form. */
  fellBack: 2,
  /** A read that had to wait for the lock. */
  waited: 3,
  /** A gap that was verified by a second lookup (maps). */
  gapVerified: 4,
  /** A VMA that was locked under mmap_lock (maps). */
  mmapLockFallback: 5,
  /** A path walk in RCU mode. */
  rcuWalk: 6,
  /** A path walk with references. */
  refWalk: 7,
} as const;
export type EventId = (typeof Event)[keyof typeof Event];

/** Names of the events, by id. */
export const EVENT_NAMES = Object.keys(Event);

/** What a count of each event says, for people who read the counters. */
export const EVENT_MEANINGS: Readonly<Record<keyof typeof Event, string>> = {
  speculated: "begun without a lock (a read; of maps, smaps and numa_maps: one mapping)",
  retried: "speculations that a writer spoilt, and that were begun again",
  fellBack:
    "times that a read took the lock (of maps and its kin: once a buffer): a writer was at it, or the path is locked",
  waited: "times that a reader had to wait for the lock",
  gapVerified: "gaps between two mappings looked up again, since the address space changed meanwhile",
  mmapLockFallback: "mappings that were locked under mmap_lock, since a writer was at them",
  rcuWalk: "path walks to a process in RCU mode",
  refWalk: "path walks to a process with references: the path is switched to locked",
};

const EVENTS = 8;

/** Counts one event in the calling thread's block. */
export function countEvent(k: Kernel, path: number, event: EventId): void {
  k.m.add(HOST.counters + k.t.slot * COUNTER_WORDS + path * EVENTS + event, 1);
}

/** Sum over all threads. */
export function eventCount(k: Kernel, path: number, event: EventId): number {
  let sum = 0;
  for (let slot = 0; slot < RCU_THREADS; slot++) sum += threadEventCount(k, slot, path, event);
  return sum;
}

/** One thread's count. */
function threadEventCount(k: Kernel, slot: number, path: number, event: EventId): number {
  return k.m.loadU32(HOST.counters + slot * COUNTER_WORDS + path * EVENTS + event);
}

/** Number of paths that are counted. */
export const PATHS = PATH_NAMES.length;
