/** Names and inodes of files, reference-counted; those of the configuration are shared by all processes. */
import { carve } from "../shm/slab.ts";
import { bytesPut, bytesText, latin1Bytes } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { refcountDecAndTest, refcountInc, refcountIncNotZero } from "../sync/refcount.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { Cache } from "./caches.ts";
import type { ImageFile } from "./config.ts";
import { ENOSPC } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, PATH } from "./layout.ts";

/** What a new PATH is told. */
export interface PathSpec {
  /** latin1, one byte a character. */
  readonly name: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  readonly ino?: number;
  /** st_mode; a regular file with mode 0644 if absent. */
  readonly mode?: number;
  readonly size?: number;
  readonly deleted?: boolean;
  /** Its pages are shared memory; by its name if absent. */
  readonly shmem?: boolean;
}

/** Files that can be added to those of the configuration. */
const SPARE_FILES = 4096;
const DEFAULT_MAJOR = 254;
const S_IFREG_0644 = 0o100644;
/** tmpfs by convention, memfd_create(2), System V segments, shared anonymous memory. */
const SHMEM_NAME = /^(\/dev\/shm\/|\/memfd:|\/SYSV|\/dev\/zero$)/;

/** The last component of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A new PATH with one reference. */
export function pathNew(k: Kernel, spec: PathSpec): Ptr {
  const { m } = k;
  const path = k.slab.alloc(Cache.path);
  m.plainStore(path + PATH.usage, 1);
  m.plainStore(path + PATH.dev, ((spec.devMajor ?? DEFAULT_MAJOR) << 20) | (spec.devMinor ?? 0));
  m.plainStore64(path + PATH.ino, spec.ino ?? nextInode(k));
  m.plainStore(path + PATH.mode, spec.mode ?? S_IFREG_0644);
  m.plainStore64(path + PATH.size, spec.size ?? 0);
  m.plainStore(path + PATH.deleted, spec.deleted === true ? 1 : 0);
  m.plainStore(path + PATH.name, k.bytes(latin1Bytes(spec.name)));
  m.plainStore(path + PATH.shmem, (spec.shmem ?? SHMEM_NAME.test(spec.name)) ? 1 : 0);
  return path;
}

/** The next inode number of sockets, pipes and files made on the way. */
export function nextInode(k: Kernel): number {
  return k.m.add(HOST.nextInode, 1) >>> 0;
}

/** Takes a reference; NULL is allowed. @returns its argument. */
export function pathGet(k: Kernel, path: Ptr): Ptr {
  if (path !== 0) refcountInc(k.m, path + PATH.usage);
  return path;
}

/** Takes a reference to the PATH that a word names, which others may exchange meanwhile. @pre RCU */
export function pathGetAt(k: Kernel, word: Ptr): Ptr {
  for (;;) {
    const path = k.m.load(word);
    if (path === 0 || refcountIncNotZero(k.m, path + PATH.usage)) return path;
  }
}

/** Drops a reference; NULL is allowed. */
export function pathPut(k: Kernel, path: Ptr): void {
  if (path === 0 || !refcountDecAndTest(k.m, path + PATH.usage)) return;
  // Nobody can read the file any more: its pages leave the page cache.
  const cached = k.m.load(path + PATH.cachedPages);
  if (cached !== 0) k.m.add(k.m.load(path + PATH.shmem) !== 0 ? HOST.shmemPages : HOST.filePages, -cached);
  bytesPut(k.m, k.slab, k.m.load(path + PATH.name));
  k.slab.freeRcu(path);
}

/** Unlinks the file: its name shows " (deleted)" from now on. */
export function pathUnlink(k: Kernel, path: Ptr): void {
  k.m.store(path + PATH.deleted, 1);
}

/** Makes the PATHs of the configuration's files; called once. */
export function registerFiles(k: Kernel): void {
  const { m, config } = k;
  const count = config.files.length;
  const table = carve(m, { breakAt: HOST.breakAt, limit: HOST.limit }, count + SPARE_FILES);
  for (let i = 0; i < count; i++) {
    const file = config.files[i] as (typeof config.files)[number];
    m.plainStore(table + i, pathNew(k, { ...file, name: file.path }));
  }
  m.store(HOST.paths, table);
  m.store(HOST.pathCount, count);
}

/**
 * Adds a file to those of the configuration, unless one with its name is there that has not been unlinked. Threads that
 * know the file by another way may ask for it too and get the same one.
 * @returns its index, or -ENOSPC if no more can be added
 */
export function addFile(k: Kernel, file: ImageFile): number {
  spinLock(k.t, HOST.registryLock, LockClass.registry);
  try {
    return addFileLocked(k, file);
  } finally {
    spinUnlock(k.t, HOST.registryLock, LockClass.registry);
  }
}

/** @pre registryLock held */
function addFileLocked(k: Kernel, file: ImageFile): number {
  const { m } = k;
  const count = m.load(HOST.pathCount);
  const table = m.load(HOST.paths);
  const known = findAdded(k, file.path, table, k.config.files.length, count);
  if (known >= 0) return known;
  if (count >= k.config.files.length + SPARE_FILES) return -ENOSPC;
  m.store(table + count, pathNew(k, { ...file, name: file.path }));
  m.store(HOST.pathCount, count + 1);
  return count;
}

/** @pre registryLock held */
function findAdded(k: Kernel, name: string, table: Ptr, from: number, to: number): number {
  const { m } = k;
  for (let index = from; index < to; index++) {
    const path = m.load(table + index);
    if (m.load(path + PATH.deleted) === 0 && bytesText(m, m.load(path + PATH.name)) === name) return index;
  }
  return -1;
}

/** The PATH of a file of the configuration, or of one that was added, by index; no reference is taken. */
export function configPath(k: Kernel, index: number): Ptr {
  if (index < 0 || index >= k.m.load(HOST.pathCount)) throw new RangeError(`no file ${index} in the configuration`);
  return k.m.load(k.m.load(HOST.paths) + index);
}
