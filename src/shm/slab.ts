/**
 * Slab caches: objects of one size each, carved out of the arena, with free lists per thread in front of a shared depot.
 *
 * Every object starts with two words of the allocator's: cache and state, and a link. An object is freed at once
 * (`free`, for memory that readers may keep looking at because it is type-stable, or that nobody else has seen) or after
 * a grace period (`freeRcu`, the kernel's kfree_rcu).
 */
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL, ObjectState } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { rcuPoll, rcuSlots, rcuStart } from "../sync/rcu.ts";
import { SPINLOCK_WORDS, spinLock, spinUnlock } from "../sync/spinlock.ts";
import type { Thread } from "../sync/thread.ts";
import { HEADER_WORDS, WORD, record } from "./struct.ts";

/** Caches that an arena can have: structs first, then the size classes of the byte heap. */
export const MAX_CACHES = 64;

/** One cache's shared part. */
export const SLAB_CACHE = record({
  lock: SPINLOCK_WORDS,
  /** Free objects, linked by their second word. */
  freeFirst: WORD,
  objectWords: WORD,
});

/** Where the allocator's shared words live. */
export interface SlabArea {
  /** First of MAX_CACHES SLAB_CACHE records. */
  readonly caches: Ptr;
  /** For each thread slot, MAX_CACHES words: allocated less freed. */
  readonly live: Ptr;
  /** Words that hold the first uncarved word of the arena, and its end. */
  readonly breakAt: Ptr;
  readonly limit: Ptr;
  /** Word that anchors the list of retired objects. Whoever reclaims them takes it whole. */
  readonly rcuPending: Ptr;
  /** The RCU area. */
  readonly rcu: Ptr;
}

const LINK = 1;
const STATE_SHIFT = 8;
const CACHE_MASK = 0xff;
const FREE = 0;
const ALIVE = 1;
const RETIRED = 2;

/** Objects moved between a thread and the depot at a time. */
const BATCH = 16;
/** Objects a thread keeps for itself at most. */
const KEEP = 3 * BATCH;
/** Words that are left for who is past its reservation: other threads, and what nobody reserves. */
const SLACK_WORDS = 2 ** 20;
/** Words carved at a time, at least one object. */
const CHUNK_WORDS = 2048;

/** Thrown when the arena has no room left. */
export class ArenaFullError extends Error {
  readonly code = "ESYNTH_ARENA_FULL";
}

/** Thrown when the allocator finds an object in the wrong state: always a bug in synthproc. */
class SlabError extends Error {
  readonly code = "ESYNTH_SLAB";
}

/** Carves words off the arena for good. */
export function carve(m: Memory, area: Pick<SlabArea, "breakAt" | "limit">, words: number): Ptr {
  const limit = m.load(area.limit);
  let at = m.load(area.breakAt);
  // Never beyond the limit, not even for a moment: who took that back could take back what others got meanwhile.
  while (at + words <= limit) {
    const found = m.compareExchange(area.breakAt, at, at + words);
    if (found === at) return at;
    at = found;
  }
  throw new ArenaFullError(`the arena of ${limit * 4} bytes is full`);
}

/** Declares a cache. @pre no other thread can see the arena yet */
export function slabCacheInit(m: Memory, area: SlabArea, cache: number, objectWords: number): void {
  m.plainStore(area.caches + cache * SLAB_CACHE.words + SLAB_CACHE.objectWords, objectWords);
}

/** One thread's way into the caches. */
export class SlabAllocator {
  private readonly t: Thread;
  private readonly m: Memory;
  private readonly area: SlabArea;
  private readonly magazines: Ptr[][] = [];
  private batchFirst: Ptr = NULL;
  private batchGracePeriod = 0;

  constructor(t: Thread, area: SlabArea) {
    this.t = t;
    this.m = t.m;
    this.area = area;
    for (let i = 0; i < MAX_CACHES; i++) this.magazines.push([]);
  }

  /** A zeroed object, which nobody else can see yet. */
  alloc(cache: number): Ptr {
    const object = this.allocDirty(cache);
    const words = this.m.load(this.area.caches + cache * SLAB_CACHE.words + SLAB_CACHE.objectWords);
    this.m.plainZero(object + HEADER_WORDS, words - HEADER_WORDS);
    return object;
  }

  /** An object as its last user left it, for type-stable caches: readers may still look at it. */
  allocDirty(cache: number): Ptr {
    const magazine = this.magazines[cache] as Ptr[];
    if (magazine.length === 0) this.refill(cache, magazine);
    const object = magazine.pop() as Ptr;
    this.m.store(object, cache | (ALIVE << STATE_SHIFT));
    this.m.noteObject(object, cache, ObjectState.allocated);
    this.m.add(this.liveWord(cache), 1);
    return object;
  }

  /**
   * Makes sure that this thread's next `count` allocations from a cache succeed, for operations that could not stop in
   * the middle. Costs next to nothing while the arena has room.
   * @returns false if they would not
   */
  reserve(cache: number, count: number): boolean {
    const { m, area } = this;
    const magazine = this.magazines[cache] as Ptr[];
    if (magazine.length >= count) return true;
    const at = area.caches + cache * SLAB_CACHE.words;
    const words = count * m.load(at + SLAB_CACHE.objectWords);
    if (m.load(area.breakAt) + words + SLACK_WORDS <= m.load(area.limit)) return true;
    this.takeFree(at, magazine, count);
    try {
      while (magazine.length < count) this.carveObjects(cache, at, magazine, 1);
    } catch (error) {
      if (error instanceof ArenaFullError) return false;
      throw error;
    }
    return true;
  }

  /** Frees at once. */
  free(object: Ptr): void {
    const cache = this.expect(object, ALIVE);
    this.release(object, cache);
  }

  /** Frees after a grace period. */
  freeRcu(object: Ptr): void {
    const cache = this.expect(object, ALIVE);
    const m = this.m;
    m.store(object, cache | (RETIRED << STATE_SHIFT));
    m.noteObject(object, cache, ObjectState.retired);
    for (;;) {
      const first = m.load(this.area.rcuPending);
      m.store(object + LINK, first);
      if (m.compareExchange(this.area.rcuPending, first, object) === first) return;
    }
  }

  /**
   * Frees retired objects whose grace period is over, and starts the next one. Cheap if there is nothing to do; call it
   * from time to time in a thread that is not inside a read-side section.
   * @returns how many objects were freed.
   */
  reclaim(): number {
    let freed = 0;
    if (this.batchFirst !== NULL) {
      if (!rcuPoll(this.m, this.area.rcu, this.batchGracePeriod)) return 0;
      freed = this.freeBatch();
    }
    if (this.m.load(this.area.rcuPending) === NULL) return freed;
    this.batchFirst = this.m.exchange(this.area.rcuPending, NULL);
    this.batchGracePeriod = rcuStart(this.m, this.area.rcu);
    return freed;
  }

  /** True while this thread has retired objects waiting for their grace period. */
  reclaiming(): boolean {
    return this.batchFirst !== NULL || this.m.load(this.area.rcuPending) !== NULL;
  }

  /** Gives this thread's free objects back to the depot, and the retired ones in its hands to the others. */
  flush(): void {
    if (this.batchFirst !== NULL) this.retireAgain();
    for (let cache = 0; cache < MAX_CACHES; cache++) this.give(cache, this.magazines[cache] as Ptr[], 0);
  }

  /** Objects of a cache that are in use (or retired), over all threads. */
  live(cache: number): number {
    const slots = rcuSlots(this.m, this.area.rcu);
    let sum = 0;
    for (let slot = 0; slot < slots; slot++) sum += this.m.load(this.area.live + slot * MAX_CACHES + cache);
    return sum;
  }

  /** True if the object is in use; for assertions and for checking handles that come from outside. */
  isAlive(object: Ptr, cache: number): boolean {
    if (object <= 0 || object >= this.m.load(this.area.breakAt)) return false;
    return this.m.load(object) === (cache | (ALIVE << STATE_SHIFT));
  }

  /** Bytes of the arena that have been carved. */
  usedBytes(): number {
    return this.m.load(this.area.breakAt) * 4;
  }

  /** Puts the batch back among the retired objects, before its grace period is over. */
  private retireAgain(): void {
    const m = this.m;
    let last = this.batchFirst;
    for (let next = m.load(last + LINK); next !== NULL; next = m.load(last + LINK)) last = next;
    for (;;) {
      const first = m.load(this.area.rcuPending);
      m.store(last + LINK, first);
      if (m.compareExchange(this.area.rcuPending, first, this.batchFirst) === first) break;
    }
    this.batchFirst = NULL;
  }

  private freeBatch(): number {
    let object = this.batchFirst;
    let count = 0;
    while (object !== NULL) {
      const next = this.m.load(object + LINK);
      this.release(object, this.expect(object, RETIRED));
      object = next;
      count++;
    }
    this.batchFirst = NULL;
    return count;
  }

  private release(object: Ptr, cache: number): void {
    this.m.store(object, cache | (FREE << STATE_SHIFT));
    this.m.noteObject(object, cache, ObjectState.freed);
    this.m.add(this.liveWord(cache), -1);
    const magazine = this.magazines[cache] as Ptr[];
    magazine.push(object);
    if (magazine.length > KEEP) this.give(cache, magazine, KEEP - BATCH);
  }

  private expect(object: Ptr, state: number): number {
    const header = this.m.load(object);
    if (header >> STATE_SHIFT !== state) {
      throw new SlabError(
        `object ${object} of cache ${header & CACHE_MASK}: state ${header >> STATE_SHIFT}, not ${state}`,
      );
    }
    return header & CACHE_MASK;
  }

  private liveWord(cache: number): Ptr {
    return this.area.live + this.t.slot * MAX_CACHES + cache;
  }

  /** Moves all but `keep` objects of a magazine to the depot. */
  private give(cache: number, magazine: Ptr[], keep: number): void {
    if (magazine.length <= keep) return;
    const at = this.area.caches + cache * SLAB_CACHE.words;
    spinLock(this.t, at + SLAB_CACHE.lock, LockClass.slab);
    while (magazine.length > keep) {
      const object = magazine.pop() as Ptr;
      this.m.store(object + LINK, this.m.load(at + SLAB_CACHE.freeFirst));
      this.m.store(at + SLAB_CACHE.freeFirst, object);
    }
    spinUnlock(this.t, at + SLAB_CACHE.lock, LockClass.slab);
  }

  private refill(cache: number, magazine: Ptr[]): void {
    const at = this.area.caches + cache * SLAB_CACHE.words;
    this.takeFree(at, magazine, BATCH);
    if (magazine.length === 0) this.carveObjects(cache, at, magazine, BATCH);
  }

  /** Fills a magazine up to `wanted` objects from the depot, as far as there are any. */
  private takeFree(at: Ptr, magazine: Ptr[], wanted: number): void {
    spinLock(this.t, at + SLAB_CACHE.lock, LockClass.slab);
    while (magazine.length < wanted) {
      const object = this.m.load(at + SLAB_CACHE.freeFirst);
      if (object === NULL) break;
      this.m.store(at + SLAB_CACHE.freeFirst, this.m.load(object + LINK));
      magazine.push(object);
    }
    spinUnlock(this.t, at + SLAB_CACHE.lock, LockClass.slab);
  }

  private carveObjects(cache: number, at: Ptr, magazine: Ptr[], most: number): void {
    const words = this.m.load(at + SLAB_CACHE.objectWords);
    if (words === 0) throw new SlabError(`cache ${cache} is not declared`);
    const count = Math.max(1, Math.min(most, Math.floor(CHUNK_WORDS / words)));
    const first = carve(this.m, this.area, words * count);
    // Their headers are zero, as all memory that was never used: no object in use, whatever cache is asked about.
    for (let i = count - 1; i >= 0; i--) magazine.push(first + i * words);
  }
}
