/** /proc/<pid>/{maps,smaps,smaps_rollup,numa_maps}: records of the walk over an address space (fs/proc/task_mmu.c). */
import { ESRCH } from "../../kernel/errno.ts";
import type { PathId } from "../../kernel/knobs.ts";
import { Path } from "../../kernel/knobs.ts";
import { MM, PAGE_SIZE } from "../../kernel/layout.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { vmFlagsText } from "../../mm/flags.ts";
import type { MapsWalk } from "../../mm/maps-walk.ts";
import { MAPS_END, MAPS_GATE } from "../../mm/maps-walk.ts";
import { smapsRollup } from "../../mm/smaps-rollup.ts";
import { smapsAdd, smapsClear, smapsFinish, thpEligible } from "../../mm/smaps.ts";
import type { VmaSnapshot } from "../../mm/vma-snapshot.ts";
import { VmaName } from "../../mm/vma-snapshot.ts";
import type { Memory } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { escapedBytes, pathName } from "../escape.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import { SEQ_SKIP } from "../row.ts";
import {
  formatNumaPages,
  formatSmapsHead,
  formatSmapsNumbers,
  formatSmapsTail,
  formatVmaHeader,
  padToName,
} from "./task-mmu-format.ts";
import type { Text } from "../text.ts";

const KB_PER_PAGE = PAGE_SIZE / 1024;
/** What seq_path escapes in maps, and in numa_maps. */
const MAPS_ESCAPED = "\n";
const NUMA_ESCAPED = "\n\t= ";

/**
 * Where a later read has to go on: before the record that was found last, as it may not have been shown. The kernel keeps
 * two positions (ppos and last_pos) and starts again at the second; the first one only says whether there is nothing
 * more, or only the gate area.
 */
function resumeAt(walk: MapsWalk): number {
  return walk.position === MAPS_GATE || walk.position === MAPS_END ? walk.position : walk.lastPosition;
}

/** The iterator of a file with a record for each VMA; positions are addresses. */
function vmaSeq(path: PathId, show: SeqOperations["show"]): SeqOperations {
  return {
    start(c: Context, cursor: SeqCursor): number {
      const { walk } = c.scratch;
      const result = walk.start(c.k, c.k.m.load(c.file + OPEN_FILE.mm), path, cursor.index, cursor.index);
      if (result >= 0) cursor.index = resumeAt(walk);
      return result;
    },
    next(c: Context, cursor: SeqCursor): number {
      const { walk } = c.scratch;
      const result = walk.next(c.k);
      cursor.index = resumeAt(walk);
      return result;
    },
    stop(c: Context, _cursor: SeqCursor): void {
      c.scratch.walk.stop(c.k);
    },
    show,
  };
}

/** One line of maps (show_map_vma). */
function mapLine(m: Memory, v: VmaSnapshot, out: Text): void {
  const start = out.length;
  formatVmaHeader(v, out);
  if (v.nameKind !== VmaName.none) {
    padToName(out, start);
    vmaName(m, v, out);
  }
  out.byte(10);
}

function vmaName(m: Memory, v: VmaSnapshot, out: Text): void {
  switch (v.nameKind) {
    case VmaName.path:
      pathName(m, out, v.path, MAPS_ESCAPED);
      return;
    case VmaName.label:
      out.str(v.label);
      return;
    case VmaName.anon:
    case VmaName.anonShmem:
      out.str(v.nameKind === VmaName.anon ? "[anon:" : "[anon_shmem:");
      escapedBytes(m, out, v.anonName, "");
      out.byte(93);
      return;
  }
}

function showMap(c: Context, _cursor: SeqCursor, out: Text): number {
  mapLine(c.k.m, c.scratch.walk.vma, out);
  return 0;
}

function showSmap(c: Context, _cursor: SeqCursor, out: Text): number {
  const v = c.scratch.walk.vma;
  const { smaps } = c.scratch;
  smapsClear(smaps);
  smapsAdd(v, smaps);
  smapsFinish(smaps);
  mapLine(c.k.m, v, out);
  formatSmapsHead(smaps.size, KB_PER_PAGE, KB_PER_PAGE, out);
  formatSmapsNumbers(smaps, false, out);
  formatSmapsTail(thpEligible(v), vmFlagsText(v.flags, v.flags2), out);
  return 0;
}

/** The gate area is in no node's memory: it has no line. */
function showNumaMap(c: Context, _cursor: SeqCursor, out: Text): number {
  const v = c.scratch.walk.vma;
  if (v.vma === NULL) return SEQ_SKIP;
  out.hex(v.start, 8).str(" default");
  if (v.path !== NULL) pathName(c.k.m, out.str(" file="), v.path, NUMA_ESCAPED);
  else if (v.isHeap) out.str(" heap");
  else if (v.isStack) out.str(" stack");
  const { numa } = c.scratch;
  numa.pages = v.anonPages + v.filePages + v.shmemPages;
  numa.anon = v.anonPages;
  numa.dirty = v.anonPages + v.dirtyPages;
  numa.mapCountMax = v.filePages + v.shmemPages > 0 ? v.sharers : 1;
  numa.active = numa.pages;
  formatNumaPages(numa, out);
  return 0;
}

/** Iterators of /proc/<pid>/{maps,smaps,numa_maps}. Opened by openMaps; at its end once the mappings are gone. */
export const mapsSeq = vmaSeq(Path.maps, showMap);
export const smapsSeq = vmaSeq(Path.smaps, showSmap);
export const numaMapsSeq = vmaSeq(Path.numa_maps, showNumaMap);

/** Shows /proc/<pid>/smaps_rollup: the sum over all VMAs. @returns 0, -ESRCH once they are gone, -EINTR, or would-block */
export function showSmapsRollup(c: Context, out: Text): number {
  const { walk, smaps, rollup } = c.scratch;
  const mm = c.k.m.load(c.file + OPEN_FILE.mm);
  if (mm === NULL || c.k.m.load(mm + MM.mmUsers) === 0) return -ESRCH;
  const result = smapsRollup(c.k, walk, mm, smaps, rollup);
  if (result < 0) return result;
  const from = out.length;
  formatVmaHeader(rollup, out);
  padToName(out, from);
  out.str("[rollup]\n");
  formatSmapsNumbers(smaps, true, out);
  return 0;
}
