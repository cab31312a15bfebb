/** What a whole machine holds: objects, tasks, pages; and what is left of it when all that was started has ended. */
import { Cache, cacheName } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, TOKEN } from "../../../kernel/layout.ts";
import { MAX_CACHES } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";

/** Counts of the whole machine. */
const COUNTS = {
  processes: HOST.nrProcesses,
  threads: HOST.nrThreads,
  "running tasks": HOST.nrRunning,
  "uninterruptible tasks": HOST.nrUninterruptible,
  "anonymous pages": HOST.anonPages,
  "pages of shared memory": HOST.shmemPages,
  "swapped pages": HOST.swapPages,
} as const;

/** What has been freed may have held what is freed after the next grace period. */
const ROUNDS = 8;

/** Live objects of each cache, then the counts. */
export type Inventory = readonly number[];

/** What there is now. */
export function inventory(k: Kernel): Inventory {
  const now: number[] = [];
  for (let cache = 0; cache < MAX_CACHES; cache++) now.push(k.slab.live(cache));
  for (const at of Object.values(COUNTS)) now.push(k.m.load(at));
  return now;
}

/**
 * What is there and was not before, or the other way round. @returns null: all has been given back
 * @pre no other thread is online, nor has retired objects in its hands
 */
export function judgeInventory(k: Kernel, before: Inventory): string | null {
  for (let round = 0; round < ROUNDS && k.slab.reclaiming(); round++) {
    k.quiescent();
    k.slab.reclaim();
  }
  const now = inventory(k);
  const names = Object.keys(COUNTS);
  for (let i = 0; i < now.length; i++) {
    const what = i < MAX_CACHES ? `objects of cache ${cacheName(i)}` : names[i - MAX_CACHES];
    if (now[i] !== before[i]) return `${what}: ${now[i]}, and ${before[i]} before`;
  }
  return null;
}

/** A token with one reference: what kcmp calls an I/O context. */
export function newToken(k: Kernel): Ptr {
  const token = k.slab.alloc(Cache.token);
  k.m.plainStore(token + TOKEN.count, 1);
  return token;
}

/** Numbers by name. */
export type Facts = Readonly<Record<string, number>>;

/** All words of an object by field: of a field of two, `utime` is the first word, `utime+1` the second. @param layout of it */
export function wordsOf(k: Kernel, at: Ptr, layout: Facts): Facts {
  const values: Record<string, number> = {};
  for (const [name, offset] of offsetsOf(layout)) values[name] = k.m.load(at + offset);
  return values;
}

/** Gives all words of some fields values that no other word of it has. */
export function markWords(k: Kernel, at: Ptr, layout: Facts, fields: readonly string[]): void {
  for (const [name, offset] of offsetsOf(layout))
    if (fields.includes(fieldOf(name))) k.m.store(at + offset, 1 + offset);
}

/** Those words that belong to some fields. */
export function pick(values: Facts, fields: readonly string[]): Facts {
  return Object.fromEntries(Object.entries(values).filter(([name]) => fields.includes(fieldOf(name))));
}

/** The first number that is not as it should be. @param expected what is not named here should be 0 */
export function firstDifference(what: string, is: Facts, expected: Facts): string | null {
  for (const name of new Set([...Object.keys(expected), ...Object.keys(is)])) {
    const wanted = expected[name] ?? 0;
    if (is[name] !== wanted) return `${what}: ${name} is ${is[name]}, not ${wanted}`;
  }
  return null;
}

/** The words of a layout and where they are; its last entry says how many there are. */
function offsetsOf(layout: Facts): [string, number][] {
  const fields = Object.entries(layout);
  return fields.slice(0, -1).flatMap(([name, from], i) => {
    const to = (fields[i + 1] as [string, number])[1];
    return Array.from({ length: to - from }, (_, word): [string, number] => [nameOf(name, word), from + word]);
  });
}

function nameOf(field: string, word: number): string {
  return word === 0 ? field : `${field}+${word}`;
}

function fieldOf(name: string): string {
  return name.split("+")[0] as string;
}
