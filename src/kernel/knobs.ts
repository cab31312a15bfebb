import { HOST } from "./layout.ts";
import type { Kernel } from "./kernel.ts";

/** The paths of which both forms exist, each switched by /proc/sys/synthproc/<name>; in the order of every list. */
export const Path = {
  io: 0,
  stack: 1,
  syscall: 2,
  personality: 3,
  mm_access: 4,
  maps: 5,
  smaps: 6,
  smaps_rollup: 7,
  numa_maps: 8,
  timers: 9,
  revalidate: 10,
  kcmp: 11,
  pidfd_getfd: 12,
  get_robust_list: 13,
} as const;
export type PathId = (typeof Path)[keyof typeof Path];

/** Names of the paths, by id. */
export const PATH_NAMES = Object.keys(Path);

/** The patched path: speculate, fall back. */
export const LOCKFREE = 0;
/** The path as it was before the patch. */
export const LOCKED = 1;

/** True if a path is switched to its previous form. Asked once per read: a switch takes effect with the next one. */
export function pathIsLocked(k: Kernel, path: PathId): boolean {
  return k.m.load(HOST.pathMode + path) === LOCKED;
}
