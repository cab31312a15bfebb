/** What virtual CPUs can be let do: names that the machine and the transformed code share. */

/** What a reading CPU reads, again and again. */
export type ReadKind =
  | "io"
  | "stack"
  | "syscall"
  | "personality"
  | "mm_access"
  | "maps"
  | "smaps"
  | "smaps_rollup"
  | "numa_maps"
  | "timers"
  | "revalidate"
  | "kcmp"
  | "pidfd_getfd"
  | "get_robust_list"
  | "ps";

/** What the writing CPU does meanwhile. */
export type WriteKind = "exec" | "exec-threads" | "tsync" | "mappings" | "timers" | "processes";
