/** An allocator with memory of its own, which begins empty: what the threads' handles have in stock doesn't show in it. */
import { Cache } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, TOKEN } from "../../../kernel/layout.ts";
import type { SlabArea } from "../../../shm/slab.ts";
import { MAX_CACHES, SLAB_CACHE, SlabAllocator, slabCacheInit } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { RCU_THREADS } from "../../../sync/rcu.ts";
import { words } from "../../model.ts";

/** The cache of the objects: tokens, as everywhere. */
export const TOKENS = Cache.token;
/** Words of one. */
export const TOKEN_WORDS = TOKEN.words;

/** Makes memory for so many words of objects. */
export function makeArea(k: Kernel, room: number): SlabArea {
  const area: SlabArea = {
    caches: words(k, MAX_CACHES * SLAB_CACHE.words),
    live: words(k, RCU_THREADS * MAX_CACHES),
    breakAt: words(k, 1),
    limit: words(k, 1),
    rcuPending: words(k, 1),
    rcu: HOST.rcu,
  };
  slabCacheInit(k.m, area, TOKENS, TOKEN_WORDS);
  const first = words(k, room);
  k.m.store(area.breakAt, first);
  k.m.store(area.limit, first + room);
  return area;
}

/** A thread's way into it. */
export function allocatorOf(k: Kernel, area: SlabArea): SlabAllocator {
  return new SlabAllocator(k.t, area);
}

/** A token with a number in it, which nobody else can see. */
export function numbered(k: Kernel, slab: SlabAllocator, number: number): Ptr {
  const token = slab.alloc(TOKENS);
  k.m.plainStore(token + TOKEN.count, number);
  return token;
}

/** The number in a token. */
export function numberOf(k: Kernel, token: Ptr): number {
  return k.m.load(token + TOKEN.count);
}

/** So many objects are in use when all that was retired has been freed. */
export function judgeLive(k: Kernel, area: SlabArea, expected: number): string | null {
  const slab = allocatorOf(k, area);
  for (let i = 0; i < 3; i++) {
    slab.reclaim();
    k.quiescent();
  }
  if (slab.reclaiming()) return "retired objects are left that nobody frees";
  const live = slab.live(TOKENS);
  return live === expected ? null : `${live} objects are in use, not ${expected}`;
}
