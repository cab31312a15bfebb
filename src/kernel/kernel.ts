/**
 * One thread's handle on a simulated kernel: its view of the arena, its allocator, its place in RCU. All operations take
 * it first. Handles are cheap; the simulation itself lives in the arena and ends with it.
 */
import { byteClassWords, BYTE_CLASSES, bytesNew } from "../shm/bytes.ts";
import { ArenaFullError, SlabAllocator, carve, slabCacheInit } from "../shm/slab.ts";
import type { SlabArea } from "../shm/slab.ts";
import type { Ptr } from "../sync/atomics.ts";
import { Memory } from "../sync/atomics.ts";
import { RCU_THREADS, rcuClaim, rcuInit, rcuOffline, rcuOnline, rcuQuiescent, rcuWordOf } from "../sync/rcu.ts";
import type { Clock } from "../sync/thread.ts";
import { Thread } from "../sync/thread.ts";
import { Cache, FDTABLE_SIZES, FIRST_BYTES_CACHE, FIRST_FDTABLE_CACHE } from "./caches.ts";
import type { KernelConfig } from "./config.ts";
import { foldCounters } from "./counters.ts";
import { initReaped } from "./exit-events.ts";
import { kcmpCookiesInit } from "./kcmp.ts";
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
  PID_MAX_LIMIT,
  RLIMITS,
  SIGHAND,
  SIGNAL,
  TASK,
  TIMER,
  TOKEN,
  VMA,
} from "./layout.ts";
import { VMA_NODE_WORDS } from "../mm/vma-tree.ts";
import { OPEN_FILE_WORDS } from "./open-file.ts";
import { PID_BITMAP_WORDS } from "./pid.ts";
import { Role, roleWord } from "./thread-role.ts";

const MAGIC = 0x70726f63;
const VERSION = 1;

const AREA: SlabArea = {
  caches: HOST.caches,
  live: HOST.slabLive,
  breakAt: HOST.breakAt,
  limit: HOST.limit,
  rcuPending: HOST.rcuPending,
  rcu: HOST.rcu,
};

const STRUCT_WORDS: readonly (readonly [number, number])[] = [
  [Cache.task, TASK.words],
  [Cache.signal, SIGNAL.words],
  [Cache.sighand, SIGHAND.words],
  [Cache.rlimits, RLIMITS.words],
  [Cache.cred, CRED.words],
  [Cache.files, FILES.words],
  [Cache.fs, FS.words],
  [Cache.file, FILE.words],
  [Cache.path, PATH.words],
  [Cache.mm, MM.words],
  [Cache.vma, VMA.words],
  [Cache.vmaNode, VMA_NODE_WORDS],
  [Cache.timer, TIMER.words],
  [Cache.nsproxy, NSPROXY.words],
  [Cache.token, TOKEN.words],
  [Cache.openFile, OPEN_FILE_WORDS],
];

export interface KernelOptions {
  /** Check lock order and RCU sections as they happen (slower). */
  debug?: boolean;
  /** The clock by which waits for locks are timed; the same for all threads. Default: none, waits take no time. */
  now?: Clock;
  /** What the thread does, by which its counters are told apart: see thread-role.ts. Default: nothing in particular. */
  role?: number;
}

export class Kernel {
  readonly m: Memory;
  readonly t: Thread;
  readonly slab: SlabAllocator;
  readonly config: KernelConfig;

  private constructor(m: Memory, t: Thread, config: KernelConfig) {
    this.m = m;
    this.t = t;
    this.slab = new SlabAllocator(t, AREA);
    this.config = config;
  }

  /**
   * A new, empty arena of `bytes` (reserved, not committed: pages cost memory when they are first touched).
   * @throws ArenaFullError if the size cannot hold the fixed tables
   */
  static create(bytes: number, config: KernelConfig, options: KernelOptions = {}): Kernel {
    const tables = PID_MAX_LIMIT * 2 + 2 * (PID_MAX_LIMIT / 32) * 2;
    if (bytes / 4 < HOST.words + tables)
      throw new ArenaFullError(`an arena needs at least ${(HOST.words + tables) * 4} bytes`);
    const m = Memory.reserve(bytes);
    initArena(m, config);
    return Kernel.attach(m.buffer, config, options);
  }

  /** Joins an arena that exists; the thread is offline for RCU until {@link Kernel.busy}. */
  static attach(buffer: SharedArrayBuffer, config: KernelConfig, options: KernelOptions = {}): Kernel {
    const m = new Memory(buffer);
    if (m.load(HOST.magic) !== MAGIC || m.load(HOST.version) !== VERSION) {
      throw new Error("the buffer does not hold an arena of this version");
    }
    const slot = claimSlot(m);
    if (slot < 0) throw new Error(`more than ${RCU_THREADS} threads on one arena`);
    rcuClaim(m, HOST.rcu, slot);
    m.store(HOST.threadRoles + slot, options.role ?? roleWord(Role.thread, slot));
    const t = new Thread(m, slot, rcuWordOf(HOST.rcu, slot), HOST.parkWord, options.debug ?? false, options.now);
    return new Kernel(m, t, config);
  }

  /** The thread leaves the arena: gives back what it keeps, and its slot to the next one. @pre idle; the last call */
  detach(): void {
    this.t.lockdep.assertIdle();
    this.slab.flush();
    foldCounters(this);
    this.m.store(this.t.rcuWord, 0);
    const { slot } = this.t;
    this.m.and(HOST.threads + (slot >>> 5), ~(1 << (slot & 31)));
  }

  /** The thread dies of an error, wherever it is: others need no longer wait for it to let go of what it saw. */
  abandon(): void {
    this.m.store(this.t.rcuWord, 0);
  }

  /** The thread starts to work on the simulation (RCU online). */
  busy(): void {
    rcuOnline(this.t, HOST.rcu);
  }

  /** The thread is about to block outside of the simulation, holding nothing (RCU offline). */
  idle(): void {
    this.t.lockdep.assertIdle();
    rcuOffline(this.t);
  }

  /** Between two units of work of a thread that stays busy. */
  quiescent(): void {
    this.t.lockdep.assertIdle();
    rcuQuiescent(this.t, HOST.rcu);
  }

  /** A new immutable byte string with one reference. */
  bytes(text: Uint8Array): Ptr {
    return bytesNew(this.m, this.slab, FIRST_BYTES_CACHE, text);
  }
}

/** The lowest free slot, now taken; -1 if there is none. */
function claimSlot(m: Memory): number {
  for (let slot = 0; slot < RCU_THREADS;) {
    const word = HOST.threads + (slot >>> 5);
    const taken = m.load(word);
    if (((taken >>> (slot & 31)) & 1) !== 0) slot++;
    else if (m.compareExchange(word, taken, taken | (1 << (slot & 31))) === taken) return slot;
  }
  return -1;
}

function initArena(m: Memory, config: KernelConfig): void {
  m.plainStore(HOST.breakAt, HOST.words);
  m.plainStore(HOST.limit, Math.min(m.size(), 0x7fffffff));
  for (const [cache, words] of STRUCT_WORDS) slabCacheInit(m, AREA, cache, words);
  for (let i = 0; i < BYTE_CLASSES.length; i++) slabCacheInit(m, AREA, FIRST_BYTES_CACHE + i, byteClassWords(i));
  for (let i = 0; i < FDTABLE_SIZES.length; i++) {
    slabCacheInit(m, AREA, FIRST_FDTABLE_CACHE + i, FDTABLE.words + 2 * (FDTABLE_SIZES[i] as number));
  }
  rcuInit(m, HOST.rcu);
  m.plainStore(HOST.pidTask, carve(m, AREA, PID_MAX_LIMIT));
  m.plainStore(HOST.pidGeneration, carve(m, AREA, PID_MAX_LIMIT));
  m.plainStore(HOST.pidUsed, carve(m, AREA, PID_BITMAP_WORDS));
  m.plainStore(HOST.pidLeaders, carve(m, AREA, PID_BITMAP_WORDS));
  m.plainStore(HOST.pidMax, config.pidMax);
  m.plainStore(HOST.pidAvoidLow, config.pidAvoid[0]);
  m.plainStore(HOST.pidAvoidHigh, config.pidAvoid[1]);
  m.plainStore(HOST.pidCursor, 1);
  m.plainStore(HOST.threadsMax, config.threadsMax);
  m.plainStore64(HOST.realtimeAtBoot, config.realtimeAtBoot);
  m.plainStore(HOST.mutatorSpeed, 100);
  m.plainStore(HOST.nextInode, 10000);
  m.plainStore(HOST.nextMmSeed, config.seed);
  kcmpCookiesInit(m, config.seed);
  m.plainStore(HOST.rootDentry, 1);
  initReaped(m);
  m.plainStore(HOST.version, VERSION);
  m.store(HOST.magic, MAGIC);
}
