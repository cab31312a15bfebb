/** Words of the arena as people know them: `signal 3.execUpdateLock`, `host.rcu+16`. */
import { Cache, cacheName } from "../../kernel/caches.ts";
import {
  CRED,
  FDTABLE,
  FILE,
  FILES,
  FS,
  HOST,
  MM,
  NSPROXY,
  PATH,
  RLIMITS,
  SIGHAND,
  SIGNAL,
  TASK,
  TIMER,
  TOKEN,
  VMA,
} from "../../kernel/layout.ts";
import type { Memory, Ptr } from "../../sync/atomics.ts";
import type { NamedObject } from "./subject.ts";
import { HEADER_WORDS, record } from "../../shm/struct.ts";
import { SLAB_CACHE } from "../../shm/slab.ts";

type Fields = Readonly<Record<string, number>>;

/** Fields of what each cache holds. */
const LAYOUTS: ReadonlyMap<number, Fields> = new Map<number, Fields>([
  [Cache.task, TASK],
  [Cache.signal, SIGNAL],
  [Cache.sighand, SIGHAND],
  [Cache.rlimits, RLIMITS],
  [Cache.cred, CRED],
  [Cache.files, FILES],
  [Cache.fs, FS],
  [Cache.file, FILE],
  [Cache.path, PATH],
  [Cache.mm, MM],
  [Cache.vma, VMA],
  [Cache.timer, TIMER],
  [Cache.nsproxy, NSPROXY],
  [Cache.token, TOKEN],
]);
/** Field that tells objects of a cache apart. */
const IDENTITIES: ReadonlyMap<number, number> = new Map([
  [Cache.task, TASK.pid],
  [Cache.signal, SIGNAL.tgid],
]);
const HEADER: Fields = record({ state: 1, link: 1 });

export class Names {
  private readonly memory: Memory;
  /** Objects without a number of their own, in the order in which they were asked for. */
  private readonly ordinals = new Map<string, number>();
  private readonly counts = new Map<number, number>();

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** A word's name; its address if it has none. */
  word(at: Ptr, object: NamedObject | undefined): string {
    if (object !== undefined) return `${this.object(object)}.${this.field(object, at - object.start)}`;
    if (at > 0 && at < HOST.words) return this.host(at);
    return `word ${at}`;
  }

  /** An object's name. */
  object({ start, cache }: NamedObject): string {
    const identity = IDENTITIES.get(cache);
    const number = identity === undefined ? 0 : this.memory.load(start + identity);
    if (number !== 0) return `${cacheName(cache)} ${number}`;
    const key = `${start} ${cache}`;
    const known = this.ordinals.get(key) ?? (this.counts.get(cache) ?? 0) + 1;
    if (!this.ordinals.has(key)) this.counts.set(cache, known);
    this.ordinals.set(key, known);
    return `${cacheName(cache)} #${known}`;
  }

  private field({ cache }: NamedObject, offset: number): string {
    if (offset < HEADER_WORDS) return fieldAt(HEADER, offset);
    const layout = LAYOUTS.get(cache);
    if (layout !== undefined) return fieldAt(layout, offset);
    return cacheName(cache).startsWith("fdtable") && offset < FDTABLE.slots
      ? fieldAt(FDTABLE, offset)
      : `[${offset - HEADER_WORDS}]`;
  }

  private host(at: Ptr): string {
    const inCaches = at - HOST.caches;
    if (inCaches < 0 || at >= HOST.caches + 64 * SLAB_CACHE.words) return `host.${fieldAt(HOST, at)}`;
    const cache = Math.floor(inCaches / SLAB_CACHE.words);
    return `host.caches.${cacheName(cache)}.${fieldAt(SLAB_CACHE, inCaches % SLAB_CACHE.words)}`;
  }
}

/** The field of a layout that a word belongs to, and which word of it. */
function fieldAt(layout: Fields, offset: number): string {
  let name = "";
  let start = -1;
  for (const [field, at] of Object.entries(layout)) {
    if (field === "words" || at > offset || at <= start) continue;
    name = field;
    start = at;
  }
  if (name === "") return `+${offset}`;
  return offset === start ? name : `${name}+${offset - start}`;
}
