/** What is taken must be given back: the objects in use of each cache, before something is done and after it is over. */
import { cacheName } from "../../kernel/caches.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { MAX_CACHES } from "../../shm/slab.ts";
import { reclaimNow } from "./pid-kit.ts";

/** How many objects of each cache are in use, those aside whose grace period is over. To be called by setup and check. */
export function objectsInUse(k: Kernel): number[] {
  reclaimNow(k);
  const counts: number[] = [];
  for (let cache = 0; cache < MAX_CACHES; cache++) counts.push(k.slab.live(cache));
  return counts;
}

/** @param before what {@link objectsInUse} said then. @returns what there is more or less of now, or null */
export function judgeGivenBack(k: Kernel, before: readonly number[]): string | null {
  const now = objectsInUse(k);
  const cache = now.findIndex((count, i) => count !== before[i]);
  return cache < 0 ? null : `${now[cache]} objects of ${cacheName(cache)} are in use, not ${before[cache]} as before`;
}
