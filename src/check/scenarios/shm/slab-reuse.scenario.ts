/** What the slab allocator does with objects that have been used before: in magazines, in the depot, between grace periods. */
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST } from "../../../kernel/layout.ts";
import type { SlabAllocator, SlabArea } from "../../../shm/slab.ts";
import { ArenaFullError } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { scenario } from "../../scenario.ts";
import { TOKENS, TOKEN_WORDS, allocatorOf, judgeLive, makeArea, numberOf, numbered } from "./slab-area.ts";

/** Objects that are carved at once. */
const CARVED = 16;

/** Retires objects, and frees them if their grace period is over soon. @returns how many it has freed */
function retire(k: Kernel, slab: SlabAllocator, objects: readonly Ptr[]): number {
  for (const object of objects) slab.freeRcu(object);
  const freed = slab.reclaim();
  k.quiescent();
  return freed + slab.reclaim();
}

/** An area of which all objects are in use, each with its number, from 1. */
function allInUse(k: Kernel, count: number): { area: SlabArea; objects: Ptr[] } {
  const area = makeArea(k, count * TOKEN_WORDS);
  const slab = allocatorOf(k, area);
  const objects: Ptr[] = [];
  for (let number = 1; number <= count; number++) objects.push(numbered(k, slab, number));
  return { area, objects };
}

/** An object, NULL if there is none left. */
function tryAlloc(slab: SlabAllocator): Ptr {
  try {
    return slab.alloc(TOKENS);
  } catch (error) {
    if (error instanceof ArenaFullError) return NULL;
    throw error;
  }
}

/** What is in a new object. */
function newNumber(k: Kernel, area: SlabArea): number {
  return numberOf(k, allocatorOf(k, area).alloc(TOKENS));
}

export const zeroed = scenario({
  name: "slab/zeroed",
  about: "objects that others have written to are zero when they are given out again",
  quick: true,
  setup: (k: Kernel) => {
    const { area, objects } = allInUse(k, 2 * CARVED);
    const slab = allocatorOf(k, area);
    for (const object of objects) slab.free(object);
    slab.flush();
    return area;
  },
  threads: { first: newNumber, second: newNumber },
  check: (k, area, { first, second }) =>
    first === 0 && second === 0 ? judgeLive(k, area, 2) : `new objects hold ${first} and ${second}`,
});

interface Handles {
  readonly area: SlabArea;
  readonly object: Ptr;
  /** Looks like an object in use, but lies where none has been carved yet. */
  readonly beyond: Ptr;
}

export const handles = scenario({
  name: "slab/handles",
  about: "a handle from outside is good as long as its object is in use, and no other handle is",
  quick: true,
  setup: (k): Handles => {
    const area = makeArea(k, (CARVED + 1) * TOKEN_WORDS);
    const object = allocatorOf(k, area).alloc(TOKENS);
    const beyond = k.m.load(area.breakAt);
    k.m.store(beyond, k.m.load(object));
    return { area, object, beyond };
  },
  threads: {
    owner: (k, { area, object }): void => allocatorOf(k, area).free(object),
    asker: (k, { area, object, beyond }): boolean[] => {
      const slab = allocatorOf(k, area);
      const good = [slab.isAlive(object, TOKENS), slab.isAlive(object, TOKENS)];
      return [...good, slab.isAlive(object, TOKENS + 1), slab.isAlive(beyond, TOKENS), slab.isAlive(NULL, TOKENS)];
    },
  },
  check: (k, { area, object }, { asker: [first, second, ...others] }) => {
    if (second === true && first === false) return "an object that was freed is in use again";
    if (others.includes(true)) return `handles of nothing were taken for good ones: ${others.join(", ")}`;
    if (allocatorOf(k, area).isAlive(object, TOKENS)) return "an object that was freed is still in use";
    return judgeLive(k, area, 0);
  },
});

/** All objects that there are. */
const ALL = 4 * CARVED;
/** More than a thread keeps for itself. */
const MANY = 52;
/** Those that it gives to the depot when it has one more than it keeps. */
const GIVEN = 17;

export const surplus = scenario({
  name: "slab/surplus",
  about: "a thread frees more than it keeps for itself, and no memory is left: what it gives up, others get",
  quick: true,
  setup: (k) => allInUse(k, ALL),
  threads: {
    freer: (k, { area, objects }): number => retire(k, allocatorOf(k, area), objects.slice(0, MANY)),
    taker: (k, { area }): number => {
      k.quiescent();
      const slab = allocatorOf(k, area);
      const got = tryAlloc(slab) === NULL ? 0 : 1;
      slab.flush();
      return got;
    },
  },
  check: (k, { area }, { freer, taker }) => {
    const slab = allocatorOf(k, area);
    const live = slab.live(TOKENS);
    if ((freer !== 0 && freer !== MANY) || live !== ALL - freer + taker)
      return `${live} objects of ${ALL} are in use after ${freer} of ${MANY} were freed and ${taker} taken`;
    let left = 0;
    while (tryAlloc(slab) !== NULL) left++;
    const given = freer === 0 ? 0 : GIVEN;
    return left + taker === given ? null : `${left} objects are left of ${given} after ${taker} was taken`;
  },
});

/** The last grace-period number before they become negative. */
const LAST_POSITIVE = 0x7fffffff;

export const wrap = scenario({
  name: "slab/wrap",
  about: "two threads retire an object each while grace-period numbers wrap around: each is freed",
  quick: true,
  setup: (k) => {
    const made = allInUse(k, CARVED);
    k.m.store(HOST.rcu, LAST_POSITIVE);
    return made;
  },
  threads: {
    first: (k, { area, objects }): void => retireAndLeave(k, area, objects[0] as Ptr),
    second: (k, { area, objects }): void => retireAndLeave(k, area, objects[1] as Ptr),
  },
  check: (k, { area }) => judgeLive(k, area, CARVED - 2),
});

/** Retires an object; what isn't free at the end is left to others. */
function retireAndLeave(k: Kernel, area: SlabArea, object: Ptr): void {
  const slab = allocatorOf(k, area);
  retire(k, slab, [object]);
  slab.flush();
}

/** The code of the error that something is refused with, or what it gave. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return (error as Error & { code?: string }).code;
  }
}

/** A cache that the area does not have. */
const UNDECLARED = TOKENS + 1;

export const misuse = scenario({
  name: "slab/misuse",
  about: "objects that are freed twice, or retired when they are free, and a cache that there isn't: all are refused",
  quick: true,
  setup: (k) => allInUse(k, 2 * CARVED),
  threads: {
    owner: (k, { area, objects }): unknown[] => {
      const slab = allocatorOf(k, area);
      const [object = NULL] = objects;
      slab.free(object);
      return [outcome(() => slab.free(object)), outcome(() => slab.freeRcu(object))];
    },
    stranger: (k, { area }): unknown[] => {
      const slab = allocatorOf(k, area);
      return [outcome(() => slab.alloc(UNDECLARED)), outcome(() => slab.reserve(UNDECLARED, 1))];
    },
  },
  check: (k, { area }, { owner, stranger }) => {
    const wrong = [...owner, ...stranger].find((one) => one !== "ESYNTH_SLAB");
    return wrong === undefined ? judgeLive(k, area, 2 * CARVED - 1) : `a mistake gave ${String(wrong)}`;
  },
});

/** More objects than a thread has in stock. */
const PLENTY = 1000;

/** How often a thread takes a depot's lock. */
function locksOf(k: Kernel, act: () => void): number {
  const before = k.t.lockdep.taken[LockClass.slab] as number;
  act();
  return (k.t.lockdep.taken[LockClass.slab] as number) - before;
}

/** What needs no depot: what the thread has, what the arena has room for, nothing at all. @returns the locks of each */
function withoutDepot(k: Kernel, area: SlabArea): number[] {
  const slab = allocatorOf(k, area);
  slab.free(slab.alloc(TOKENS));
  const own = locksOf(k, () => {
    slab.free(slab.alloc(TOKENS));
    slab.reserve(TOKENS, CARVED);
  });
  const room = locksOf(k, () => {
    k.slab.reserve(TOKENS, PLENTY);
  });
  slab.flush();
  const nothing = locksOf(k, () => {
    slab.flush();
    slab.reclaim();
  });
  return [own, room, nothing];
}

export const unlocked = scenario({
  name: "slab/unlocked",
  about: "who takes from its own stock, or has nothing to give, takes no lock and begins no grace period",
  quick: true,
  setup: (k) => {
    const areas = [makeArea(k, CARVED * TOKEN_WORDS), makeArea(k, CARVED * TOKEN_WORDS)] as const;
    return { areas, gracePeriod: k.m.load(HOST.rcu) };
  },
  threads: {
    first: (k, { areas: [area] }) => withoutDepot(k, area),
    second: (k, { areas: [, area] }) => withoutDepot(k, area),
  },
  check: (k, { gracePeriod }, { first, second }) => {
    const locks = [...first, ...second];
    if (locks.some((count) => count !== 0)) return `locks were taken: ${locks.join(", ")} times`;
    return k.m.load(HOST.rcu) === gracePeriod ? null : "a grace period was begun, though nothing was retired";
  },
});
