/** Walks of mappings that nobody is at, and walks that have to wait: what they count, and what they leave behind. */
import { Event, eventCount } from "../../../kernel/counters.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { MM, PAGE_SIZE } from "../../../kernel/layout.ts";
import { keepWait } from "../../../kernel/lock-wait.ts";
import { lockNextVma, mmapWriteLock, mmapWriteUnlock, vmaEndRead } from "../../../mm/lock.ts";
import { MAPS_END, MAPS_GATE, MapsWalk } from "../../../mm/maps-walk.ts";
import { munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import { VmaIter, vmaIterInit } from "../../../mm/vma-tree.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { NO_WAIT, WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import type { MapsStep } from "../../oracles/maps.ts";
import { scenario } from "../../scenario.ts";
import type { Form } from "../../scenario.ts";
import type { Rest, States } from "./maps-space.ts";
import {
  R,
  anon,
  at,
  judgeSpaces,
  judgeWalk,
  makeSpace,
  map,
  must,
  probe,
  restBeside,
  walkFrom,
  walkOn,
} from "./maps-space.ts";
import { parkUntil } from "../sync/parking.ts";

const PATHS = [Path.maps] as const;
const MAPS = Path.maps;

interface Plan {
  readonly mm: Ptr;
  readonly rest: Rest;
}

/** An address space with the first of these states. */
function spaceOf(k: Kernel, [first = []]: States): Plan {
  const mm = makeSpace(k, first);
  return { mm, rest: restBeside(k, [mm]) };
}

/** What is wrong with the address space in the end: it has the last of these states, and its one user. */
function judgeEnd(k: Kernel, { mm, rest }: Plan, states: States): string | null {
  const users = k.m.load(mm + MM.mmUsers);
  return users === 1 ? judgeSpaces(k, rest, [{ mm, states: states.slice(-1) }]) : `there are ${users} users`;
}

/**
 * What is wrong with what has been counted, if nobody was ever in the way.
 * @param walks from a start to a stop each
 * @param lookups of one mapping each, that at the end included
 * @param verified how often at most a gap may have been looked at again
 */
function judgeUndisturbed(k: Kernel, form: Form, walks: number, lookups: number, verified = 0): string | null {
  const expected = new Map<number, number>(
    form === "locked" ? [[Event.fellBack, walks]] : [[Event.speculated, lookups]],
  );
  for (const event of [Event.speculated, Event.retried, Event.fellBack, Event.mmapLockFallback]) {
    const count = eventCount(k, MAPS, event);
    if (count !== (expected.get(event) ?? 0)) return `event ${event} was counted ${count} times`;
  }
  const gaps = eventCount(k, MAPS, Event.gapVerified);
  return gaps <= verified ? null : `${gaps} gaps were looked at again`;
}

const STILL: States = [[anon(0, 2), anon(4, 6)]];

export const readers = scenario({
  name: "maps/readers",
  about:
    "two walks, and nobody who changes anything: neither looks twice, or needs mmap_lock unless in the locked form",
  paths: PATHS,
  quick: true,
  setup: (k) => spaceOf(k, STILL),
  threads: {
    first: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    second: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
  },
  check: (k, plan, { first, second }, form) =>
    judgeWalk(first, STILL, form) ??
    judgeWalk(second, STILL, form) ??
    judgeUndisturbed(k, form, 2, 6) ??
    judgeEnd(k, plan, STILL),
});

const ELSEWHERE: States = [[anon(0, 4)], [anon(0, 4), anon(8, 9, R)]];

export const elsewhere = scenario({
  name: "maps/elsewhere",
  about: "a lookup of one mapping while another one is made: the writer is in nobody's way",
  paths: PATHS,
  quick: true,
  setup: (k) => spaceOf(k, ELSEWHERE),
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => map(k, mm, anon(8, 9, R)),
  },
  check: (k, plan, { reader }, form) =>
    judgeWalk([reader], ELSEWHERE, form) ?? judgeUndisturbed(k, form, 1, 1) ?? judgeEnd(k, plan, ELSEWHERE),
});

const BEYOND_GAP: States = [[anon(2, 4)], [anon(2, 4), anon(8, 9, R)]];

export const gapVerified = scenario({
  name: "maps/gap-verified",
  about: "lookups in a gap while a writer stays who is at no mapping: each looks at it again, once, without a lock",
  paths: PATHS,
  forms: ["lockfree"],
  quick: true,
  setup: (k) => {
    const plan = spaceOf(k, BEYOND_GAP);
    mmapWriteLock(k, plan.mm);
    k.t.lockdep.handOff([LockClass.mmap]);
    return plan;
  },
  threads: {
    first: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    second: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(1)),
  },
  check: (k, plan, { first, second }, form) => {
    k.t.lockdep.takeOver([LockClass.mmap]);
    mmapWriteUnlock(k, plan.mm);
    const verified = eventCount(k, MAPS, Event.gapVerified);
    return (
      (verified === 2 ? null : `${verified} gaps were looked at again`) ??
      judgeWalk([first, second], BEYOND_GAP.slice(0, 1), form) ??
      judgeUndisturbed(k, form, 2, 2, 2) ??
      judgeEnd(k, plan, BEYOND_GAP.slice(0, 1))
    );
  },
});

/** The gap may have to be looked at again: that takes no lock either. */
export const elsewhereBehindGap = scenario({
  name: "maps/elsewhere-gap",
  about: "a lookup in the gap before a mapping while another one is made: the writer is in nobody's way",
  paths: PATHS,
  quick: true,
  setup: (k) => spaceOf(k, BEYOND_GAP),
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => map(k, mm, anon(8, 9, R)),
  },
  check: (k, plan, { reader }, form) =>
    judgeWalk([reader], BEYOND_GAP, form) ?? judgeUndisturbed(k, form, 1, 1, 1) ?? judgeEnd(k, plan, BEYOND_GAP),
});

/** What a walk does that goes on where all mappings have been shown. */
interface Gate {
  /** True if the record is the gate area, although a mapping may lie behind the last one. */
  readonly shown: boolean;
  /** What follows it, and what a walk says that begins there. */
  readonly next: number;
  readonly again: number;
}

export const gate = scenario({
  name: "maps/gate",
  about:
    "a walk goes on at the gate area, for which there was no room: no mapping that is made behind the last follows",
  paths: PATHS,
  quick: true,
  setup: (k) => spaceOf(k, ELSEWHERE),
  threads: {
    reader: (k, { mm }): Gate => {
      const walk = new MapsWalk();
      must(walk.start(k, mm, MAPS, MAPS_GATE, at(4)) - 1);
      const shown = walk.vma.vma === NULL;
      const next = walk.next(k);
      walk.stop(k);
      const again = walk.start(k, mm, MAPS, walk.position, walk.lastPosition);
      walk.stop(k);
      return { shown, next: walk.position === MAPS_END ? next : NaN, again };
    },
    writer: (k, { mm }): void => map(k, mm, anon(8, 9, R)),
  },
  check: (k, plan, { reader: { shown, next, again } }) =>
    shown && next === 0 && again === 0
      ? judgeEnd(k, plan, ELSEWHERE)
      : `the gate area ${shown ? "is" : "isn't"} shown; then comes ${next}, and ${again}`,
});

const SPLIT: States = [[anon(0, 4)], [anon(0, 2), anon(2, 4, R)]];

/** What a parked walk found, how often it took mmap_lock, and whether it is still counted as waiting. */
interface Parked {
  readonly steps: readonly MapsStep[];
  readonly locks: number;
  readonly waits: boolean;
}

/** How often this thread has taken a mmap_lock. */
function mmapLocks(k: Kernel): number {
  return k.t.lockdep.taken[LockClass.mmap] as number;
}

/** Walks like a request of the mount: goes on where it was each time that some lock has become free. */
function walkParked(k: Kernel, mm: Ptr): Parked {
  const walk = new MapsWalk();
  const steps: MapsStep[] = [];
  const before = mmapLocks(k);
  k.t.maySleep = false;
  parkUntil(k, () => {
    if (walkOn(k, walk, mm, MAPS, steps) !== WAIT_WOULD_BLOCK) return true;
    keepWait(k);
    return false;
  });
  k.t.maySleep = true;
  return { steps, locks: mmapLocks(k) - before, waits: k.t.wait.path !== NO_WAIT };
}

export const parked = scenario({
  name: "maps/parked",
  about: "a walk that must not sleep while a mapping is split: it goes on, and each mapping is counted once",
  paths: PATHS,
  quick: true,
  setup: (k) => spaceOf(k, SPLIT),
  threads: {
    reader: (k, { mm }): Parked => walkParked(k, mm),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, plan, { reader: { steps, locks, waits } }, form) => {
    if (waits) return "the walk is over, and waits";
    const speculated = eventCount(k, MAPS, Event.speculated);
    if (speculated !== (form === "locked" ? 0 : steps.length)) return `it was begun without a lock ${speculated} times`;
    // Each lock of the lock-free form is for one mapping; in the other form it's for all of them.
    const fallbacks = eventCount(k, MAPS, Event.mmapLockFallback);
    if (fallbacks !== (form === "locked" ? 0 : locks)) return `mmap_lock: taken ${locks}, counted ${fallbacks} times`;
    return judgeWalk(steps, SPLIT, form) ?? judgeEnd(k, plan, SPLIT);
  },
});

/** What a walk found before it gave up, if it did. */
interface Given {
  readonly steps: readonly MapsStep[];
  readonly result: number;
}

export const killed = scenario({
  name: "maps/killed",
  about: "one who has been killed walks while a mapping is split: where he would wait he gives up, and holds nothing",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const interrupt = words(k, 1);
    k.m.store(interrupt, 1);
    return { ...spaceOf(k, SPLIT), interrupt };
  },
  threads: {
    reader: (k, { mm, interrupt }): Given => {
      k.t.interruptWord = interrupt;
      const steps: MapsStep[] = [];
      const result = walkOn(k, new MapsWalk(), mm, MAPS, steps);
      return { steps, result };
    },
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, plan, { reader: { steps, result } }, form) => {
    if (result !== 1 && result !== WAIT_EINTR) return `the walk answers ${result}`;
    return (steps.length === 0 ? null : judgeWalk(steps, SPLIT, form)) ?? judgeEnd(k, plan, SPLIT);
  },
});

const UNMAPPED: States = [[anon(0, 4)], [anon(0, 2)]];

export const killedWriter = scenario({
  name: "maps/killed-writer",
  about: "one who has been killed changes a mapping while another one does: he gives up, and changes nothing",
  quick: true,
  setup: (k) => {
    const interrupt = words(k, 1);
    k.m.store(interrupt, 1);
    return { ...spaceOf(k, UNMAPPED), interrupt };
  },
  threads: {
    victim: (k, { mm, interrupt }): number => {
      k.t.interruptWord = interrupt;
      return mprotect(k, mm, at(0), PAGE_SIZE, R);
    },
    writer: (k, { mm }): void => must(munmap(k, mm, at(2), 2 * PAGE_SIZE)),
  },
  check: (k, plan, { victim }) => {
    if (victim === WAIT_EINTR) return judgeEnd(k, plan, UNMAPPED);
    return victim === 0 ? judgeEnd(k, plan, [[anon(0, 1, R), anon(1, 2)]]) : `the change was answered ${victim}`;
  },
});

/** The end of the mapping that one look-up found, and how often it searched the tree. */
interface Search {
  readonly end: number;
  readonly searches: number;
}

/** An iterator that notes each search from the root. */
function watched(address: number): { iter: VmaIter; searches: () => number } {
  const iter = new VmaIter();
  vmaIterInit(iter, address);
  let root: Ptr = NULL;
  let searches = 0;
  const set = (next: Ptr): void => {
    root = next;
    searches++;
  };
  Object.defineProperty(iter, "root", { get: () => root, set });
  return { iter, searches: () => searches };
}

const FIRST_GOES: States = [[anon(0, 2), anon(4, 6, R)], [anon(4, 6, R)]];

export const searched = scenario({
  name: "maps/searched-again",
  about: "a lookup of a mapping that is unmapped: each time that it has to search again is counted by its reason",
  quick: true,
  setup: (k) => spaceOf(k, FIRST_GOES),
  threads: {
    reader: (k, { mm }): Search => {
      const { iter, searches } = watched(at(0));
      rcuReadLock(k.t);
      const vma = lockNextVma(k, mm, iter, at(0), MAPS);
      if (vma <= 0) throw new Error(`the lookup answers ${vma}`);
      vmaEndRead(k, vma);
      rcuReadUnlock(k.t);
      return { end: iter.end, searches: searches() };
    },
    writer: (k, { mm }): void => must(munmap(k, mm, at(0), 2 * PAGE_SIZE)),
  },
  check: (k, plan, { reader: { end, searches } }) => {
    if (end !== at(2) && end !== at(6)) return `the mapping that was found ends at ${end.toString(16)}`;
    let counted = 1;
    for (const event of [Event.retried, Event.gapVerified, Event.mmapLockFallback]) {
      counted += eventCount(k, MAPS, event);
    }
    if (searches !== counted) return `it searched ${searches} times, and ${counted} were counted`;
    return judgeEnd(k, plan, FIRST_GOES);
  },
});
