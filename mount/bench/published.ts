/** Figures that the authors of the patches published, for comparisons of the same shape. */
import type { Published } from "./result.ts";

const METRIC = "mean latency of an mmap or munmap, median over the rounds";

function published(source: string, lockfreeNs: number, lockedNs: number): Omit<Published, "ours"> {
  return { source, metric: METRIC, lockfreeNs, lockedNs, ratio: lockfreeNs / lockedNs };
}

/** By the name of the comparison. */
export const PUBLISHED: Readonly<Record<string, Omit<Published, "ours">>> = {
  "maps-remap": published("fs/proc/task_mmu: read proc/pid/maps under per-vma lock (July 2025)", 10_000, 13_000),
  "smaps_rollup-remap": published("the same change for smaps_rollup (June 2026)", 7_000, 174_000),
};
