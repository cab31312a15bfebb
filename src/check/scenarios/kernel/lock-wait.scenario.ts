/** Waits of readers for a lock, as `synthproc stats` shows them: how many, for how long, and what led to the lock. */
import type { PathCounts } from "../../../kernel/counters.ts";
import { Event, EVENT_NAMES, eventCount, readCounters, totalCounts } from "../../../kernel/counters.ts";
import {
  execUpdateReadBegin,
  execUpdateReadDone,
  execUpdateReadNeedsRetry,
  execUpdateWriteBegin,
  execUpdateWriteEnd,
  isExecUpdateError,
} from "../../../kernel/exec-update.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../../kernel/knobs.ts";
import { SIGNAL, TASK } from "../../../kernel/layout.ts";
import { countFirstTry, downReadCounted, endWait, keepWait, spinLockCounted } from "../../../kernel/lock-wait.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { RWSEM_WORDS, downWrite, rwsemIsContended, upRead, upWrite } from "../../../sync/rwsem.ts";
import { SPINLOCK_WORDS, spinLock, spinUnlock } from "../../../sync/spinlock.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { parkUntil } from "../sync/parking.ts";

const { mmap, registry } = LockClass;

/** Nanoseconds that pass between two looks at a clock, or between two tries. */
const TICK = 10;

/** A thread's own clock: a tick passes with each look. */
function looksPass(k: Kernel): void {
  let time = 0;
  k.t.now = () => (time += TICK);
}

/** What has been counted for a path. */
type Counts = Partial<Record<keyof typeof Event | "waitedNs" | "longestWaitNs", number>>;

function countsOf(k: Kernel, path: PathId): PathCounts {
  return totalCounts(readCounters(k))[path] as PathCounts;
}

/** What is wrong with the counts of a path; those that aren't named must be 0. */
function countsAre(k: Kernel, path: PathId, expected: Counts): string | null {
  const { events, waitedNs, longestWaitNs } = countsOf(k, path);
  const shown: Record<string, number> = { waitedNs, longestWaitNs };
  EVENT_NAMES.forEach((name, event) => (shown[name] = events[event] as number));
  const named: Record<string, number | undefined> = expected;
  const wrong = Object.keys(shown).find((name) => shown[name] !== (named[name] ?? 0));
  if (wrong === undefined) return null;
  return `${PATH_NAMES[path]}: ${wrong} is ${shown[wrong]}, not ${named[wrong] ?? 0}`;
}

/** So many waits of a tick each. */
function waits(count: number): Counts {
  return { waited: count, waitedNs: TICK * count, longestWaitNs: count === 0 ? 0 : TICK };
}

/** How a request came by its answer. */
interface Way {
  speculated: number;
  retried: number;
  /** 1 if it went to the lock. */
  fellBack: number;
}

function noWay(): Way {
  return { speculated: 0, retried: 0, fellBack: 0 };
}

/** Reads nothing, guarded as the readers of an image are. @returns WAIT_OK or WAIT_WOULD_BLOCK */
function read(k: Kernel, signal: Ptr, way: Way): number {
  for (let lock = false; ; lock = true) {
    const token = execUpdateReadBegin(k, Path.io, signal, lock);
    if (token >= 0) way.speculated++;
    else way.fellBack = 1;
    if (isExecUpdateError(token)) return token;
    if (execUpdateReadNeedsRetry(k, Path.io, signal, token)) {
      way.retried++;
      continue;
    }
    execUpdateReadDone(k, signal, token);
    return WAIT_OK;
  }
}

interface Image {
  readonly signal: Ptr;
  /** Not 0 once somebody wants the lock for write. */
  readonly begun: Ptr;
}

function image(k: Kernel): Image {
  return { signal: k.m.load(findTask(k, 1) + TASK.signal), begun: words(k, 1) };
}

/** What a writer sees of its readers while it keeps them waiting. */
interface Sight {
  readonly contended: boolean;
  readonly waited: number;
  readonly waitedNs: number;
}

/** The write section of an exec. */
function exec(k: Kernel, { signal, begun }: Image): Sight {
  k.m.store(begun, 1);
  execUpdateWriteBegin(k, signal);
  const contended = rwsemIsContended(k.t, signal + SIGNAL.execUpdateLock);
  const sight = { contended, waited: eventCount(k, Path.io, Event.waited), waitedNs: countsOf(k, Path.io).waitedNs };
  execUpdateWriteEnd(k, signal);
  return sight;
}

/** What is wrong with what was shown of one wait. @param alone true if nobody had the lock at any time */
function judgeSight({ contended, waited, waitedNs }: Sight, alone: boolean, counted: number): string | null {
  if (waitedNs !== 0) return `a wait of ${waitedNs} ns was over while the lock was held`;
  if (contended && waited !== 1) return `${waited} waits were shown while one waited`;
  if (contended && counted !== 1) return `${counted} waits were counted of one that waited`;
  if (alone && counted !== 0) return `${counted} waits were counted, but nobody had the lock`;
  return counted <= 1 ? null : `${counted} waits were counted of one reader`;
}

export const sleeper = scenario({
  name: "lock_wait/sleeper",
  about: "a reader sleeps until an exec is over: one wait, shown when it begins, and timed when it's over",
  paths: [Path.io],
  quick: true,
  setup: image,
  threads: {
    reader: (k, { signal, begun }): { way: Way; alone: boolean } => {
      looksPass(k);
      const way = noWay();
      read(k, signal, way);
      return { way, alone: k.m.load(begun) === 0 };
    },
    exec,
  },
  check: (k, _plan, { reader: { way, alone }, exec: sight }) => {
    const counted = eventCount(k, Path.io, Event.waited);
    return judgeSight(sight, alone, counted) ?? countsAre(k, Path.io, { ...way, ...waits(counted) });
  },
});

/** A request that was tried until it was answered. */
interface Served {
  readonly tries: number;
  readonly way: Way;
}

/** Serves a request in tries a tick apart, of which each walks to the process, and which take a tick when they work. */
function serve(k: Kernel, { signal }: Image): Served {
  let time = 0;
  let tries = 0;
  const way = noWay();
  k.t.now = () => time;
  parkUntil(k, () => {
    time += TICK;
    tries++;
    countFirstTry(k, Path.revalidate, Event.rcuWalk);
    if (read(k, signal, way) === WAIT_OK) return true;
    keepWait(k);
    return false;
  });
  time += TICK;
  endWait(k);
  return { tries, way };
}

/** The counts of requests that were served one after another. */
function countsOfServed(requests: readonly Served[]): Counts {
  const sum = { ...noWay(), waited: 0, waitedNs: 0, longestWaitNs: 0 };
  for (const { tries, way } of requests) {
    sum.speculated += way.speculated;
    sum.retried += way.retried;
    sum.fellBack += way.fellBack;
    sum.waited += tries > 1 ? 1 : 0;
    sum.waitedNs += TICK * (tries - 1);
    sum.longestWaitNs = Math.max(sum.longestWaitNs, TICK * (tries - 1));
  }
  return sum;
}

export const parked = scenario({
  name: "lock_wait/parked",
  about: "requests are tried until an exec is over: all tries of one are one wait, from the first to the lock",
  paths: [Path.io],
  quick: true,
  setup: image,
  threads: {
    server: (k, plan): Served[] => {
      k.t.maySleep = false;
      return [serve(k, plan), serve(k, plan)];
    },
    exec,
  },
  check: (k, _plan, { server }) =>
    countsAre(k, Path.io, countsOfServed(server)) ?? countsAre(k, Path.revalidate, { rcuWalk: server.length }),
});

/** A request that would have to wait is answered at once with what there is. @returns its way */
function answerShort(k: Kernel, { signal }: Image): Way {
  let time = 0;
  const way = noWay();
  k.t.now = () => time;
  read(k, signal, way);
  time += TICK;
  endWait(k);
  return way;
}

export const answered = scenario({
  name: "lock_wait/answered",
  about: "who finds an exec under way and answers with what it has, instead of coming again, has not waited",
  paths: [Path.io],
  quick: true,
  setup: image,
  threads: {
    server: (k, plan): Way[] => {
      k.t.maySleep = false;
      return [answerShort(k, plan), answerShort(k, plan)];
    },
    exec,
  },
  check: (k, _plan, { server }) => countsAre(k, Path.io, countsOfServed(server.map((way) => ({ tries: 1, way })))),
});

interface Held {
  /** Two locks that are held for write, by nobody in particular, and one that is free. */
  readonly held: readonly [Ptr, Ptr];
  readonly free: Ptr;
  /** Not 0: the victim has been killed. */
  readonly killed: Ptr;
}

function heldForWrite(k: Kernel): Ptr {
  const sem = words(k, RWSEM_WORDS);
  downWrite(k.t, sem, mmap);
  k.t.lockdep.handOff([mmap]);
  return sem;
}

/** Takes two locks at once, as kcmp does, or none. @returns true if it has had them */
function readBoth(k: Kernel, first: Ptr, second: Ptr): boolean {
  if (downReadCounted(k, Path.kcmp, first, mmap) !== WAIT_OK) return false;
  const both = downReadCounted(k, Path.kcmp, second, mmap, true) === WAIT_OK;
  if (both) upRead(k.t, second, mmap);
  else keepWait(k);
  upRead(k.t, first, mmap);
  return both;
}

export const several = scenario({
  name: "lock_wait/several",
  about:
    "waits for one lock after another, beside one that is free, and of one who is killed: each is counted and timed",
  quick: true,
  setup: (k: Kernel): Held => {
    const killed = words(k, 1);
    k.m.store(killed, 1);
    return { held: [heldForWrite(k), heldForWrite(k)], free: words(k, RWSEM_WORDS), killed };
  },
  threads: {
    // Waits for one lock, then for another one on another path, then no longer.
    mover: (k, { held: [first] }): number[] => {
      let time = 0;
      k.t.maySleep = false;
      k.t.now = () => time;
      const results = [downReadCounted(k, Path.io, first, mmap)];
      keepWait(k);
      time += TICK;
      results.push(downReadCounted(k, Path.stack, first, mmap));
      keepWait(k);
      time += 2 * TICK;
      endWait(k);
      endWait(k);
      return results;
    },
    // Has the one lock each time, and waits for the other.
    comparer: (k, { held: [, second], free }): boolean[] => {
      let time = 0;
      k.t.maySleep = false;
      k.t.now = () => time;
      const results = [readBoth(k, free, second)];
      time += TICK;
      results.push(readBoth(k, free, second));
      time += 2 * TICK;
      k.t.lockdep.takeOver([mmap]);
      upWrite(k.t, second, mmap);
      results.push(readBoth(k, free, second));
      return results;
    },
    victim: (k, { held: [first], killed }): number => {
      looksPass(k);
      k.t.interruptWord = killed;
      return downReadCounted(k, Path.maps, first, mmap);
    },
  },
  check: (k, _plan, { mover, comparer, victim }) => {
    if (mover.some((result) => result !== WAIT_WOULD_BLOCK)) return `the mover's waits gave ${mover.join(", ")}`;
    if (comparer.join() !== "false,false,true") return `both locks: ${comparer.join(", ")}`;
    if (victim !== WAIT_EINTR) return `the victim's wait gave ${victim}`;
    return (
      countsAre(k, Path.io, { waited: 1, waitedNs: TICK, longestWaitNs: TICK }) ??
      countsAre(k, Path.stack, { waited: 1, waitedNs: 2 * TICK, longestWaitNs: 2 * TICK }) ??
      countsAre(k, Path.kcmp, { waited: 1, waitedNs: 3 * TICK, longestWaitNs: 3 * TICK }) ??
      countsAre(k, Path.maps, waits(1))
    );
  },
});

/** What a spinlock holds while nobody has it, and while somebody naps for it. */
const FREE = 0;
const CONTENDED = 2;

export const spinner = scenario({
  name: "lock_wait/spinner",
  about: "a reader that serves requests waits for a spinlock: one wait, shown when it begins, and timed when it's over",
  quick: true,
  together: true,
  setup: (k: Kernel): { lock: Ptr } => {
    const lock = words(k, SPINLOCK_WORDS);
    spinLock(k.t, lock, registry);
    k.t.lockdep.handOff([registry]);
    return { lock };
  },
  threads: {
    reader: (k, { lock }): boolean => {
      looksPass(k);
      k.t.maySleep = false;
      const alone = k.m.load(lock) === FREE;
      spinLockCounted(k, Path.timers, lock, registry);
      spinUnlock(k.t, lock, registry);
      return alone;
    },
    holder: (k, { lock }): Sight => {
      const contended = k.m.load(lock) === CONTENDED;
      const waited = eventCount(k, Path.timers, Event.waited);
      const { waitedNs } = countsOf(k, Path.timers);
      k.t.lockdep.takeOver([registry]);
      spinUnlock(k.t, lock, registry);
      return { contended, waited, waitedNs };
    },
  },
  check: (k, _plan, { reader: alone, holder: sight }) => {
    const counted = eventCount(k, Path.timers, Event.waited);
    return judgeSight(sight, alone, counted) ?? countsAre(k, Path.timers, waits(counted));
  },
});
