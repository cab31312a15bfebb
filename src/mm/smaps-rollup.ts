/** The sum behind smaps_rollup, over a walk that may let writers go first (show_smaps_rollup: fs/proc/task_mmu.c). */
import type { Kernel } from "../kernel/kernel.ts";
import { Path } from "../kernel/knobs.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import type { MapsWalk } from "./maps-walk.ts";
import type { SmapsNumbers } from "./smaps.ts";
import { smapsAdd, smapsClear, smapsFinish } from "./smaps.ts";
import type { VmaSnapshot } from "./vma-snapshot.ts";
import { clipBelow } from "./vma-snapshot.ts";

/** From the start of the first VMA to the end of the last, in bytes. */
export interface RollupBounds {
  start: number;
  end: number;
}

/**
 * Adds up all VMAs.
 * @param mm as for {@link MapsWalk.start}
 * @returns 0, or the negative result with which the walk ended: the sum is of no use then
 * @pre RCU online, no section open
 */
export function smapsRollup(k: Kernel, walk: MapsWalk, mm: Ptr, sum: SmapsNumbers, bounds: RollupBounds): number {
  bounds.start = 0;
  bounds.end = 0;
  smapsClear(sum);
  let result = walk.start(k, mm, Path.smaps_rollup, 0, 0);
  while (result > 0 && walk.vma.vma !== NULL) {
    addToRollup(walk.vma, bounds, sum);
    result = walk.giveWay(k);
    if (result === 0) result = walk.next(k);
  }
  walk.stop(k);
  smapsFinish(sum);
  return Math.min(result, 0);
}

/**
 * Adds a VMA. The address space may have changed since the one before: what follows it is either a VMA behind it, or one
 * in whose middle it ended, such as itself, grown since; then only the rest is new.
 */
function addToRollup(v: VmaSnapshot, bounds: RollupBounds, sum: SmapsNumbers): void {
  if (bounds.end === 0) bounds.start = v.start;
  else if (v.start < bounds.end) clipBelow(v, bounds.end);
  bounds.end = v.end;
  smapsAdd(v, sum);
}
