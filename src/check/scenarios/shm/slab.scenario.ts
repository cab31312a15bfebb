/** The slab allocator by itself: depot, end of the arena, retired objects. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { SlabAllocator, SlabArea } from "../../../shm/slab.ts";
import { ArenaFullError, carve } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { TOKENS, TOKEN_WORDS, allocatorOf, judgeLive, makeArea, numberOf, numbered } from "./slab-area.ts";

/** Room for so many objects as are ever carved at once, more than once. */
const ROOM = 128 * TOKEN_WORDS;

/** Two objects with the thread's number, and what is in them when it has both. */
interface Two {
  readonly objects: readonly [Ptr, Ptr];
  readonly numbers: readonly [number, number];
}

function allocTwo(k: Kernel, area: SlabArea, number: number): Two {
  return twoOf(k, allocatorOf(k, area), number);
}

function twoOf(k: Kernel, slab: SlabAllocator, number: number): Two {
  const objects: [Ptr, Ptr] = [numbered(k, slab, number), numbered(k, slab, number)];
  return { objects, numbers: [numberOf(k, objects[0]), numberOf(k, objects[1])] };
}

/** Each object has one owner. */
function judgeOwners(first: Two, second: Two): string | null {
  const objects = [...first.objects, ...second.objects];
  if (new Set(objects).size !== objects.length) return `objects were given out twice: ${objects.join(", ")}`;
  const numbers = [...first.numbers, ...second.numbers];
  return numbers.join() === "1,1,2,2" ? null : `what owners have written is ${numbers.join(", ")}`;
}

export const carving = scenario({
  name: "slab/carve",
  about: "two threads find the depot empty and carve objects off the arena: nobody gets another's",
  quick: true,
  setup: (k) => makeArea(k, ROOM),
  threads: { first: (k, area) => allocTwo(k, area, 1), second: (k, area) => allocTwo(k, area, 2) },
  check: (k, area, { first, second }) => judgeOwners(first, second) ?? judgeLive(k, area, 4),
});

/** An area with three free objects in its depot. */
function withDepot(k: Kernel): SlabArea {
  const area = makeArea(k, ROOM);
  const slab = allocatorOf(k, area);
  // All that are carved at once are taken, so that the depot gets no more than these.
  const objects: Ptr[] = [];
  for (let i = 0; i < 16; i++) objects.push(slab.alloc(TOKENS));
  for (let i = 0; i < 3; i++) slab.free(objects.pop() as Ptr);
  slab.flush();
  return area;
}

const IN_USE = 13;

export const depot = scenario({
  name: "slab/depot",
  about: "two threads take objects out of the depot and give them back, all at once",
  quick: true,
  setup: withDepot,
  threads: {
    first: (k, area): Two => {
      const two = allocTwo(k, area, 1);
      const slab = allocatorOf(k, area);
      for (const object of two.objects) slab.free(object);
      slab.flush();
      return two;
    },
    second: (k, area) => allocTwo(k, area, 2),
  },
  // The second may have been given what the first had already given back.
  check: (k, area, { first, second }) =>
    judgeOwners({ ...first, objects: [-1, -2] }, second) ?? judgeLive(k, area, IN_USE + 2),
});

/** Carves much, or little if that fails. @returns the first word, and how many; NULL if there was no room for either */
function carveOrLess(k: Kernel, area: SlabArea, much: number, little: number): [Ptr, number] {
  const first = tryCarve(k, area, much);
  return first !== NULL ? [first, much] : [tryCarve(k, area, little), little];
}

function tryCarve(k: Kernel, area: SlabArea, count: number): Ptr {
  try {
    return carve(k.m, area, count);
  } catch (error) {
    if (error instanceof ArenaFullError) return NULL;
    throw error;
  }
}

export const full = scenario({
  name: "slab/full",
  about: "the arena is nearly full: who asks for too much gets nothing, others what there is, and nothing is lost",
  quick: true,
  setup: (k) => makeArea(k, 10),
  threads: {
    first: (k, area) => carveOrLess(k, area, 20, 4),
    second: (k, area) => carveOrLess(k, area, 12, 4),
    third: (k, area) => carveOrLess(k, area, 5, 4),
  },
  check: (k, area, { first, second, third }) => {
    const got = [first, second, third].filter(([at]) => at !== NULL).sort(([a], [b]) => a - b);
    const words = got.map(([at, count]) => `${at} + ${count}`).join(", ");
    // There is room for two of them, whoever they are, and behind them for nobody else.
    if (got.length !== 2) return `${got.length} have got words: ${words}`;
    const end = k.m.load(area.breakAt);
    const inRow = got.every(([at, count], i) => at + count === (got[i + 1]?.[0] ?? end));
    return inRow && end <= k.m.load(area.limit) ? null : `words were given out twice, or are lost: ${words}`;
  },
});

/** Two objects, if there is room for both. */
function reserveTwo(k: Kernel, area: SlabArea, number: number): Two | null {
  const slab = allocatorOf(k, area);
  if (!slab.reserve(TOKENS, 2)) return null;
  return twoOf(k, slab, number);
}

/** One has two of three objects, and the other has been told that there is no room. */
function judgeReserved(k: Kernel, area: SlabArea, first: Two | null, second: Two | null): string | null {
  const [got, other] = first !== null ? [first, second] : [second, first];
  if (got === null) return "nobody got two of three objects";
  if (other !== null) return "three objects were given out as four";
  return got.objects[0] === got.objects[1] ? "an object was given out twice" : judgeLive(k, area, 2);
}

export const reserving = scenario({
  name: "slab/reserve",
  about: "two threads reserve two of the last three objects: one of them is told that there is room, and gets them",
  quick: true,
  setup: (k) => makeArea(k, 3 * TOKEN_WORDS),
  threads: { first: (k, area) => reserveTwo(k, area, 1), second: (k, area) => reserveTwo(k, area, 2) },
  check: (k, area, { first, second }) => judgeReserved(k, area, first, second),
});

export const reservingFree = scenario({
  name: "slab/reserve-free",
  about: "the same when the last three objects lie in the depot",
  quick: true,
  setup: (k) => {
    const area = makeArea(k, 3 * TOKEN_WORDS);
    const slab = allocatorOf(k, area);
    if (!slab.reserve(TOKENS, 3)) throw new Error("there is no room for three objects");
    slab.flush();
    return area;
  },
  threads: { first: (k, area) => reserveTwo(k, area, 1), second: (k, area) => reserveTwo(k, area, 2) },
  check: (k, area, { first, second }) => judgeReserved(k, area, first, second),
});

interface Retirement {
  readonly area: SlabArea;
  readonly tokens: readonly [Ptr, Ptr];
}

/** Retires a token, and frees what it can of what has been retired. @returns how many it has freed */
function retire(k: Kernel, area: SlabArea, token: Ptr): number {
  const slab = allocatorOf(k, area);
  slab.freeRcu(token);
  let freed = slab.reclaim();
  k.quiescent();
  freed += slab.reclaim();
  slab.flush();
  return freed;
}

export const reclaimers = scenario({
  name: "slab/reclaimers",
  about: "two threads retire an object each and free whosever's grace period is over: each is freed once",
  quick: true,
  setup: (k: Kernel): Retirement => {
    const area = makeArea(k, ROOM);
    const slab = allocatorOf(k, area);
    return { area, tokens: [numbered(k, slab, 1), numbered(k, slab, 2)] };
  },
  threads: {
    first: (k, { area, tokens }) => retire(k, area, tokens[0]),
    second: (k, { area, tokens }) => retire(k, area, tokens[1]),
  },
  check: (k, { area }, { first, second }) =>
    first + second <= 2 ? judgeLive(k, area, 0) : `${first} and ${second} of two objects were freed`,
});

interface Published {
  readonly area: SlabArea;
  /** Leads to a token. */
  readonly at: Ptr;
}

function published(k: Kernel): Published {
  const area = makeArea(k, ROOM);
  const at = words(k, 1);
  k.m.store(at, numbered(k, allocatorOf(k, area), 1));
  return { area, at };
}

export const reader = scenario({
  name: "slab/reader",
  about: "a reader looks twice at an object that is replaced meanwhile, freed and given out again",
  quick: true,
  setup: published,
  threads: {
    reader: (k, { at }): [number, number] => {
      const token = k.m.load(at);
      return [numberOf(k, token), numberOf(k, token)];
    },
    writer: (k, { area, at }): void => {
      const slab = allocatorOf(k, area);
      for (let number = 2; number <= 3; number++) {
        slab.freeRcu(k.m.exchange(at, numbered(k, slab, number)));
        slab.reclaim();
        k.quiescent();
        slab.reclaim();
      }
      slab.flush();
    },
  },
  check: (k, { area }, { reader: [first, second] }) =>
    first === second ? judgeLive(k, area, 1) : `the object's number was ${first}, then ${second}`,
});
