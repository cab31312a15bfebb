/** The slab caches: one for each struct, then the size classes of the byte heap, then file-descriptor tables. */
import { BYTE_CLASSES } from "../shm/bytes.ts";

/** Cache of each struct. */
export const Cache = {
  task: 1,
  signal: 2,
  sighand: 3,
  rlimits: 4,
  cred: 5,
  files: 6,
  fs: 7,
  file: 8,
  path: 9,
  mm: 10,
  vma: 11,
  vmaNode: 12,
  timer: 13,
  nsproxy: 14,
  token: 15,
  openFile: 16,
  pid: 17,
} as const;

/** Cache of the smallest size class of the byte heap; the others follow. */
export const FIRST_BYTES_CACHE = 24;

/** Slots of the descriptor tables there can be. */
export const FDTABLE_SIZES = [8, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const;

/** Cache of the smallest descriptor table; the others follow. */
export const FIRST_FDTABLE_CACHE = FIRST_BYTES_CACHE + BYTE_CLASSES.length;

/** Names of the caches, for statistics. */
export function cacheName(cache: number): string {
  for (const [name, id] of Object.entries(Cache)) if (id === cache) return name;
  if (cache >= FIRST_FDTABLE_CACHE) return `fdtable-${FDTABLE_SIZES[cache - FIRST_FDTABLE_CACHE]}`;
  if (cache >= FIRST_BYTES_CACHE) return `bytes-${BYTE_CLASSES[cache - FIRST_BYTES_CACHE]}`;
  return `cache-${cache}`;
}
