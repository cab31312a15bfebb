/** Names and inodes of files, reference-counted; those of the configuration are shared by all processes. */
import { HEADER_WORDS } from "../shm/struct.ts";
import { carve } from "../shm/slab.ts";
import { bytesPut, latin1Bytes } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { refcountDecAndTest, refcountInc } from "../sync/refcount.ts";
import { Cache } from "./caches.ts";
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

const DEFAULT_MAJOR = 254;
const S_IFREG_0644 = 0o100644;
/** tmpfs by convention, memfd_create(2), System V segments, shared anonymous memory. */
const SHMEM_NAME = /^(\/dev\/shm\/|\/memfd:|\/SYSV|\/dev\/zero$)/;

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
  const table = carve(m, { breakAt: HOST.breakAt, limit: HOST.limit }, Math.max(count, HEADER_WORDS));
  for (let i = 0; i < count; i++) {
    const file = config.files[i] as (typeof config.files)[number];
    m.plainStore(table + i, pathNew(k, { ...file, name: file.path }));
  }
  m.store(HOST.paths, table);
  m.store(HOST.pathCount, count);
}

/** The PATH of a file of the configuration, by index; no reference is taken. */
export function configPath(k: Kernel, index: number): Ptr {
  if (index < 0 || index >= k.m.load(HOST.pathCount)) throw new RangeError(`no file ${index} in the configuration`);
  return k.m.load(k.m.load(HOST.paths) + index);
}
