/** /proc/slabinfo (mm/slab_common.c): caches of what the kernel model has, and the usual large ones. */
import { Cache } from "../../kernel/caches.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { gatherMemory } from "./memory.ts";
import type { MemoryInfo } from "./memory.ts";
import type { Records } from "./tree.ts";

export interface SlabLine {
  readonly name: string;
  readonly active: number;
  readonly objects: number;
  /** Bytes. */
  readonly size: number;
  readonly perSlab: number;
  readonly pagesPerSlab: number;
  readonly slabs: number;
}

/** The first record: version and column names. */
export function formatSlabHeader(out: Text): void {
  out.str("slabinfo - version: 2.1\n");
  out.str("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>");
  out.str(" : tunables <limit> <batchcount> <sharedfactor>");
  out.str(" : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
}

export function formatSlab(s: SlabLine, out: Text): void {
  out.str(s.name.padEnd(17)).byte(32).dec(s.active, 6).byte(32).dec(s.objects, 6).byte(32).dec(s.size, 6);
  out.byte(32).dec(s.perSlab, 4).byte(32).dec(s.pagesPerSlab, 4);
  out.str(" : tunables    0    0    0 : slabdata ");
  out.dec(s.slabs, 6).byte(32).dec(s.slabs, 6).str("      0\n");
}

/** Caches whose objects the kernel model counts: name, cache, size and pages of a slab. */
const COUNTED: readonly (readonly [string, number, number, number])[] = [
  ["task_struct", Cache.task, 9408, 8],
  ["signal_cache", Cache.signal, 1152, 8],
  ["sighand_cache", Cache.sighand, 2112, 8],
  ["files_cache", Cache.files, 704, 4],
  ["fs_cache", Cache.fs, 64, 1],
  ["mm_struct", Cache.mm, 1408, 8],
  ["vm_area_struct", Cache.vma, 192, 2],
  ["maple_node", Cache.vmaNode, 256, 4],
  ["cred", Cache.cred, 192, 1],
  ["filp", Cache.file, 256, 2],
  ["posix_timers_cache", Cache.timer, 272, 4],
  ["nsproxy", Cache.nsproxy, 72, 1],
];

/** Caches that share what the model's slab pages are: name, object size, pages of a slab, share of reclaimable pages
 *  in percent, share of the others. */
const SHARED: readonly (readonly [string, number, number, number, number])[] = [
  ["ext4_inode_cache", 1128, 4, 45, 0],
  ["inode_cache", 608, 4, 5, 0],
  ["proc_inode_cache", 664, 4, 4, 0],
  ["dentry", 192, 2, 32, 0],
  ["radix_tree_node", 576, 4, 10, 0],
  ["buffer_head", 104, 1, 4, 0],
  ["kmalloc-4k", 4096, 8, 0, 9],
  ["kmalloc-2k", 2048, 8, 0, 9],
  ["kmalloc-1k", 1024, 8, 0, 8],
  ["kmalloc-512", 512, 4, 0, 7],
  ["kmalloc-256", 256, 2, 0, 4],
  ["kmalloc-128", 128, 1, 0, 3],
  ["kmalloc-64", 64, 1, 0, 3],
  ["kmalloc-32", 32, 1, 0, 2],
];

function lineOf(name: string, active: number, size: number, pages: number): SlabLine {
  const perSlab = Math.floor((pages * 4096) / size);
  const slabs = Math.ceil(active / perSlab);
  return { name, active, objects: slabs * perSlab, size, perSlab, pagesPerSlab: pages, slabs };
}

function sharedLine(m: MemoryInfo, index: number): SlabLine {
  const [name, size, pages, reclaimable, other] = SHARED[index]!;
  const available = (m.slabReclaimable * reclaimable + m.slabUnreclaimable * other) / 100;
  const slabs = Math.floor(available / pages);
  return lineOf(name, slabs * Math.floor((pages * 4096) / size), size, pages);
}

export class SlabRecords implements Records {
  private memory: MemoryInfo | null = null;

  begin(c: Context): void {
    this.memory = gatherMemory(c);
  }

  count(): number {
    return 1 + COUNTED.length + SHARED.length;
  }

  show(c: Context, index: number, out: Text): void {
    if (index === 0) return formatSlabHeader(out);
    const counted = COUNTED[index - 1];
    if (counted === undefined) {
      return formatSlab(sharedLine(this.memory as MemoryInfo, index - 1 - COUNTED.length), out);
    }
    const [name, cache, size, pages] = counted;
    return formatSlab(lineOf(name, Math.max(0, c.k.slab.live(cache)), size, pages), out);
  }
}
