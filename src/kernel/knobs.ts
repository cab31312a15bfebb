/** The paths of which both forms exist, each switched by /proc/sys/synthproc/<name>. */
export const Path = {
  io: 0,
  stack: 1,
  syscall: 2,
  personality: 3,
  mm_access: 4,
  kcmp: 5,
  pidfd_getfd: 6,
  get_robust_list: 7,
  maps: 8,
  smaps: 9,
  numa_maps: 10,
  timers: 11,
  revalidate: 12,
} as const;
export type PathId = (typeof Path)[keyof typeof Path];

/** Names of the paths, by id. */
export const PATH_NAMES = Object.keys(Path);

/** The patched path: speculate, fall back. */
export const LOCKFREE = 0;
/** The path as it was before the patch. */
export const LOCKED = 1;
