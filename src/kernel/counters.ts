/**
 * Counters per path and thread: which way a read was served, and how long it waited. Each thread writes a block of its
 * own, so that counting never contends; a reader adds the blocks up.
 *
 * A slot that one thread leaves is another's later, which may do something else. Therefore a thread that leaves adds its
 * counts to a block for all that have left ("ended"): nothing is lost, and nothing counted for the wrong one.
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { RCU_THREADS, rcuSlots } from "../sync/rcu.ts";
import { readSeqbegin, readSeqretry, writeSeqlock, writeSequnlock } from "../sync/seqlock.ts";
import {
  SEQCOUNT_WORDS,
  readSeqcountBegin,
  seqcountRetry,
  writeSeqcountBegin,
  writeSeqcountEnd,
} from "../sync/seqcount.ts";
import { QUAD, record } from "../shm/struct.ts";
import { COUNTER_WORDS, HOST } from "./layout.ts";
import type { Kernel } from "./kernel.ts";
import type { Path } from "./knobs.ts";
import { PATH_NAMES } from "./knobs.ts";
import { Role, compareRoles, roleName } from "./thread-role.ts";

/** What is counted for each path. */
export const Event = {
  /** A speculation, begun without a lock: a read of the file, or (maps and its kin) the lookup of one mapping. */
  speculated: 0,
  /** A speculation that a writer spoilt. */
  retried: 1,
  /** A read that took the lock: its speculation was spoilt, a writer was at it, or the path is in its locked form. */
  fellBack: 2,
  /** A wait for the lock, counted when it begins, and once, however often a parked request is tried. */
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

/** Names of the events in the code, by id. */
export const EVENT_NAMES = Object.keys(Event);
/** Names of the events wherever they are shown, by id. */
export const EVENT_LABELS = EVENT_NAMES.map(eventLabel);

/** What an event is called in texts, JSON and metrics: "fell_back". */
export function eventLabel(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What a count of each event says, for people who read the counters. */
export const EVENT_MEANINGS: Readonly<Record<keyof typeof Event, string>> = {
  speculated: "begun without a lock: a read; of maps and its kin, one mapping",
  retried: "speculations that a writer spoilt, and that were begun again",
  fellBack:
    "times that a read took the lock, since a writer was at it or the path is locked (maps and its kin: once a buffer)",
  waited: "times that a reader had to wait for the lock, counted as the wait begins",
  gapVerified: "gaps between two mappings looked up again, since the address space changed meanwhile",
  mmapLockFallback: "mappings that were locked under mmap_lock, since a writer was at them",
  rcuWalk: "path walks in RCU mode: to a process, a descriptor or a name in map_files",
  refWalk: "path walks with references: the path is switched to locked",
};

const OF_EXEC_UPDATE: readonly EventId[] = [Event.speculated, Event.retried, Event.fellBack, Event.waited];
const OF_MAPS: readonly EventId[] = [...OF_EXEC_UPDATE, Event.gapVerified, Event.mmapLockFallback];

const EVENTS_OF: Readonly<Record<keyof typeof Path, readonly EventId[]>> = {
  io: OF_EXEC_UPDATE,
  stack: OF_EXEC_UPDATE,
  syscall: OF_EXEC_UPDATE,
  personality: OF_EXEC_UPDATE,
  mm_access: OF_EXEC_UPDATE,
  maps: OF_MAPS,
  smaps: OF_MAPS,
  smaps_rollup: OF_MAPS,
  numa_maps: OF_MAPS,
  // Nothing that a writer does spoils a walk of timers.
  timers: [Event.speculated, Event.fellBack, Event.waited],
  // A name in map_files is looked up as maps looks up a mapping.
  revalidate: [...OF_MAPS, Event.rcuWalk, Event.refWalk],
  kcmp: OF_EXEC_UPDATE,
  pidfd_getfd: OF_EXEC_UPDATE,
  get_robust_list: OF_EXEC_UPDATE,
};

/** The events that each path can have, by path id. */
export const PATH_EVENTS: readonly (readonly EventId[])[] = PATH_NAMES.map(
  (name) => EVENTS_OF[name as keyof typeof Path],
);

/** Number of paths that are counted. */
export const PATHS = PATH_NAMES.length;

/** What a thread's block holds for each path. */
const COUNTERS = record({
  /** One word for each event, by id. */
  events: 8,
  /** Odd while the two below are written. */
  waitSeq: SEQCOUNT_WORDS,
  /** Nanoseconds. */
  waitedNs: QUAD,
  longestWaitNs: QUAD,
});
/** Words from one path's counters to the next one's. */
const STRIDE = 16;
/** The block for threads that have left, after those of the slots. */
const ENDED = RCU_THREADS;

function blockOf(slot: number, path: number): Ptr {
  return HOST.counters + slot * COUNTER_WORDS + path * STRIDE;
}

/** Counts one event in the calling thread's block. */
export function countEvent(k: Kernel, path: number, event: EventId): void {
  k.m.add(blockOf(k.t.slot, path) + COUNTERS.events + event, 1);
}

/** Adds a wait that is over to the calling thread's block: nanoseconds, whole and not negative. */
export function countWait(k: Kernel, path: number, ns: number): void {
  addWaits(k, blockOf(k.t.slot, path), ns, ns);
}

/** @pre no other thread writes the block */
function addWaits(k: Kernel, block: Ptr, totalNs: number, longestNs: number): void {
  const { m } = k;
  writeSeqcountBegin(m, block + COUNTERS.waitSeq);
  m.add64(block + COUNTERS.waitedNs, totalNs);
  if (longestNs > m.load64(block + COUNTERS.longestWaitNs)) m.store64(block + COUNTERS.longestWaitNs, longestNs);
  writeSeqcountEnd(m, block + COUNTERS.waitSeq);
}

/** Sum over all threads. */
export function eventCount(k: Kernel, path: number, event: EventId): number {
  for (;;) {
    const seq = readSeqbegin(k.m, HOST.countersLock);
    const slots = rcuSlots(k.m, HOST.rcu);
    let sum = k.m.loadU32(blockOf(ENDED, path) + COUNTERS.events + event);
    for (let slot = 0; slot < slots; slot++) sum += k.m.loadU32(blockOf(slot, path) + COUNTERS.events + event);
    if (!readSeqretry(k.m, HOST.countersLock, seq)) return sum;
  }
}

/** The calling thread leaves: its counts are those of nobody in particular from now on, and its slot is empty. */
export function foldCounters(k: Kernel): void {
  const { m, t } = k;
  writeSeqlock(t, HOST.countersLock, LockClass.registry);
  for (let path = 0; path < PATHS; path++) foldPath(k, blockOf(t.slot, path), blockOf(ENDED, path));
  m.store(HOST.threadRoles + t.slot, Role.none);
  writeSequnlock(t, HOST.countersLock, LockClass.registry);
}

/** @pre countersLock */
function foldPath(k: Kernel, from: Ptr, to: Ptr): void {
  const { m } = k;
  for (let event = 0; event < EVENT_NAMES.length; event++) {
    m.add(to + COUNTERS.events + event, m.exchange(from + COUNTERS.events + event, 0));
  }
  addWaits(k, to, m.load64(from + COUNTERS.waitedNs), m.load64(from + COUNTERS.longestWaitNs));
  writeSeqcountBegin(m, from + COUNTERS.waitSeq);
  m.store64(from + COUNTERS.waitedNs, 0);
  m.store64(from + COUNTERS.longestWaitNs, 0);
  writeSeqcountEnd(m, from + COUNTERS.waitSeq);
}

/** The counts of one path: of a thread, or of all together. */
export class PathCounts {
  /** By event id. */
  readonly events: number[] = new Array<number>(EVENT_NAMES.length).fill(0);
  /** Nanoseconds of all waits that are over, and of the longest. */
  waitedNs = 0;
  longestWaitNs = 0;

  /** True if nothing was counted. */
  empty(): boolean {
    return this.waitedNs === 0 && this.events.every((count) => count === 0);
  }

  /** Takes another one's counts in. */
  merge(other: PathCounts): void {
    for (let event = 0; event < this.events.length; event++) {
      this.events[event] = (this.events[event] as number) + (other.events[event] as number);
    }
    this.waitedNs += other.waitedNs;
    this.longestWaitNs = Math.max(this.longestWaitNs, other.longestWaitNs);
  }
}

/** The counts of one thread. */
export interface ThreadCounts {
  /** "worker0", "slow", ..., or "ended": those that have left. */
  readonly name: string;
  /** By path id. */
  readonly paths: readonly PathCounts[];
}

/**
 * The counts of every thread there is, by kind and number, then of those that have left. Each path's waits belong to one
 * moment.
 */
export function readCounters(k: Kernel): ThreadCounts[] {
  for (;;) {
    const seq = readSeqbegin(k.m, HOST.countersLock);
    const threads: { role: number; name: string; paths: PathCounts[] }[] = [];
    const slots = rcuSlots(k.m, HOST.rcu);
    for (let slot = 0; slot < slots; slot++) {
      const role = k.m.load(HOST.threadRoles + slot);
      if (role !== Role.none) threads.push({ role, name: roleName(role), paths: readBlock(k, slot) });
    }
    threads.sort((a, b) => compareRoles(a.role, b.role));
    threads.push({ role: Role.none, name: "ended", paths: readBlock(k, ENDED) });
    if (!readSeqretry(k.m, HOST.countersLock, seq)) return threads;
  }
}

/** All threads together, by path id. */
export function totalCounts(threads: readonly ThreadCounts[]): PathCounts[] {
  return PATH_NAMES.map((_name, path) => {
    const total = new PathCounts();
    for (const thread of threads) total.merge(thread.paths[path] as PathCounts);
    return total;
  });
}

function readBlock(k: Kernel, slot: number): PathCounts[] {
  const paths: PathCounts[] = [];
  for (let path = 0; path < PATHS; path++) paths.push(readPath(k, blockOf(slot, path)));
  return paths;
}

function readPath(k: Kernel, block: Ptr): PathCounts {
  const { m } = k;
  const counts = new PathCounts();
  for (let event = 0; event < counts.events.length; event++) {
    counts.events[event] = m.loadU32(block + COUNTERS.events + event);
  }
  for (;;) {
    const seq = readSeqcountBegin(m, block + COUNTERS.waitSeq);
    counts.waitedNs = m.load64(block + COUNTERS.waitedNs);
    counts.longestWaitNs = m.load64(block + COUNTERS.longestWaitNs);
    if (!seqcountRetry(m, block + COUNTERS.waitSeq, seq)) return counts;
  }
}
