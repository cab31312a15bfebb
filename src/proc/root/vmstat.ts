/** /proc/vmstat (mm/vmstat.c): the names in the kernel's order, the values from the model of memory. */
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { diskBytes, isPartition } from "./block.ts";
import { gatherMemory, gatherMemoryEvents } from "./memory.ts";
import type { Records } from "./tree.ts";

const VMSTAT_NAMES = [
  "nr_free_pages",
  "nr_free_pages_blocks",
  "nr_zone_inactive_anon",
  "nr_zone_active_anon",
  "nr_zone_inactive_file",
  "nr_zone_active_file",
  "nr_zone_unevictable",
  "nr_zone_write_pending",
  "nr_mlock",
  "nr_zspages",
  "nr_free_cma",
  "numa_hit",
  "numa_miss",
  "numa_foreign",
  "numa_interleave",
  "numa_local",
  "numa_other",
  "nr_inactive_anon",
  "nr_active_anon",
  "nr_inactive_file",
  "nr_active_file",
  "nr_unevictable",
  "nr_slab_reclaimable",
  "nr_slab_unreclaimable",
  "nr_isolated_anon",
  "nr_isolated_file",
  "workingset_nodes",
  "workingset_refault_anon",
  "workingset_refault_file",
  "workingset_activate_anon",
  "workingset_activate_file",
  "workingset_restore_anon",
  "workingset_restore_file",
  "workingset_nodereclaim",
  "nr_anon_pages",
  "nr_mapped",
  "nr_file_pages",
  "nr_dirty",
  "nr_writeback",
  "nr_shmem",
  "nr_shmem_hugepages",
  "nr_shmem_pmdmapped",
  "nr_file_hugepages",
  "nr_file_pmdmapped",
  "nr_anon_transparent_hugepages",
  "nr_vmscan_write",
  "nr_vmscan_immediate_reclaim",
  "nr_dirtied",
  "nr_written",
  "nr_throttled_written",
  "nr_kernel_misc_reclaimable",
  "nr_foll_pin_acquired",
  "nr_foll_pin_released",
  "nr_kernel_stack",
  "nr_page_table_pages",
  "nr_sec_page_table_pages",
  "nr_iommu_pages",
  "nr_swapcached",
  "pgpromote_success",
  "pgpromote_candidate",
  "pgpromote_candidate_nrl",
  "pgdemote_kswapd",
  "pgdemote_direct",
  "pgdemote_khugepaged",
  "pgdemote_proactive",
  "nr_hugetlb",
  "nr_balloon_pages",
  "nr_kernel_file_pages",
  "nr_dirty_threshold",
  "nr_dirty_background_threshold",
  "nr_memmap_pages",
  "nr_memmap_boot_pages",
  "pgpgin",
  "pgpgout",
  "pswpin",
  "pswpout",
  "pgalloc_dma",
  "pgalloc_dma32",
  "pgalloc_normal",
  "pgalloc_movable",
  "pgalloc_device",
  "allocstall_dma",
  "allocstall_dma32",
  "allocstall_normal",
  "allocstall_movable",
  "allocstall_device",
  "pgskip_dma",
  "pgskip_dma32",
  "pgskip_normal",
  "pgskip_movable",
  "pgskip_device",
  "pgfree",
  "pgactivate",
  "pgdeactivate",
  "pglazyfree",
  "pgfault",
  "pgmajfault",
  "pglazyfreed",
  "pgrefill",
  "pgreuse",
  "pgsteal_kswapd",
  "pgsteal_direct",
  "pgsteal_khugepaged",
  "pgsteal_proactive",
  "pgscan_kswapd",
  "pgscan_direct",
  "pgscan_khugepaged",
  "pgscan_proactive",
  "pgscan_direct_throttle",
  "pgscan_anon",
  "pgscan_file",
  "pgsteal_anon",
  "pgsteal_file",
  "zone_reclaim_success",
  "zone_reclaim_failed",
  "pginodesteal",
  "slabs_scanned",
  "kswapd_inodesteal",
  "kswapd_low_wmark_hit_quickly",
  "kswapd_high_wmark_hit_quickly",
  "pageoutrun",
  "pgrotated",
  "drop_pagecache",
  "drop_slab",
  "oom_kill",
  "numa_pte_updates",
  "numa_huge_pte_updates",
  "numa_hint_faults",
  "numa_hint_faults_local",
  "numa_pages_migrated",
  "pgmigrate_success",
  "pgmigrate_fail",
  "thp_migration_success",
  "thp_migration_fail",
  "thp_migration_split",
  "compact_migrate_scanned",
  "compact_free_scanned",
  "compact_isolated",
  "compact_stall",
  "compact_fail",
  "compact_success",
  "compact_daemon_wake",
  "compact_daemon_migrate_scanned",
  "compact_daemon_free_scanned",
  "htlb_buddy_alloc_success",
  "htlb_buddy_alloc_fail",
  "unevictable_pgs_culled",
  "unevictable_pgs_scanned",
  "unevictable_pgs_rescued",
  "unevictable_pgs_mlocked",
  "unevictable_pgs_munlocked",
  "unevictable_pgs_cleared",
  "unevictable_pgs_stranded",
  "thp_fault_alloc",
  "thp_fault_fallback",
  "thp_fault_fallback_charge",
  "thp_collapse_alloc",
  "thp_collapse_alloc_failed",
  "thp_file_alloc",
  "thp_file_fallback",
  "thp_file_fallback_charge",
  "thp_file_mapped",
  "thp_split_page",
  "thp_split_page_failed",
  "thp_deferred_split_page",
  "thp_underused_split_page",
  "thp_split_pmd",
  "thp_scan_exceed_none_pte",
  "thp_scan_exceed_swap_pte",
  "thp_scan_exceed_share_pte",
  "thp_split_pud",
  "thp_zero_page_alloc",
  "thp_zero_page_alloc_failed",
  "thp_swpout",
  "thp_swpout_fallback",
  "balloon_inflate",
  "balloon_deflate",
  "balloon_migrate",
  "swap_ra",
  "swap_ra_hit",
  "swpin_zero",
  "swpout_zero",
  "ksm_swpin_copy",
  "cow_ksm",
  "zswpin",
  "zswpout",
  "zswpwb",
  "direct_map_level2_splits",
  "direct_map_level3_splits",
  "direct_map_level2_collapses",
  "direct_map_level3_collapses",
  "nr_unstable",
] as const;
export type VmstatName = (typeof VMSTAT_NAMES)[number];

/** What isn't 0. */
export type VmstatValues = { readonly [name in VmstatName]?: number };

/** The first 57 or so are levels and agree with meminfo; the rest are counts since boot. */
function gatherVmstat(c: Context): VmstatValues {
  return { ...levels(c), ...counts(c) };
}

/** Names that zones and nodes both have. */
function levels(c: Context): VmstatValues {
  const m = gatherMemory(c);
  return {
    nr_free_pages: m.free,
    nr_free_pages_blocks: Math.floor((m.free * 0.9) / 512) * 512,
    nr_zone_inactive_anon: m.inactiveAnon,
    nr_zone_active_anon: m.activeAnon,
    nr_zone_inactive_file: m.inactiveFile,
    nr_zone_active_file: m.activeFile,
    nr_zone_unevictable: m.unevictable,
    nr_zone_write_pending: m.dirty + m.writeback,
    nr_mlock: m.mlocked,
    nr_inactive_anon: m.inactiveAnon,
    nr_active_anon: m.activeAnon,
    nr_inactive_file: m.inactiveFile,
    nr_active_file: m.activeFile,
    nr_unevictable: m.unevictable,
    nr_slab_reclaimable: m.slabReclaimable,
    nr_slab_unreclaimable: m.slabUnreclaimable,
    nr_anon_pages: m.anon,
    nr_mapped: m.mapped,
    nr_file_pages: m.cached + m.buffers,
    nr_dirty: m.dirty,
    nr_writeback: m.writeback,
    nr_shmem: m.shmem,
    // In kilobytes, unlike its neighbours.
    nr_kernel_stack: m.kernelStack * 4,
    nr_page_table_pages: m.pageTables,
    nr_dirty_threshold: Math.floor((m.free + m.cached) * 0.2),
    nr_dirty_background_threshold: Math.floor((m.free + m.cached) * 0.1),
    nr_memmap_boot_pages: Math.floor(m.total / 64),
  };
}

/** Kilobytes moved to and from whole disks: their partitions' are among them. */
function paging(c: Context): { read: number; written: number } {
  let read = 0;
  let written = 0;
  for (const disk of c.host.disks) {
    if (isPartition(disk, c.host.disks)) continue;
    const bytes = diskBytes(c.k, disk);
    read += Math.floor(bytes.read / 4096) * 4;
    written += Math.floor(bytes.written / 4096) * 4;
  }
  return { read, written };
}

function counts(c: Context): VmstatValues {
  const events = gatherMemoryEvents(c);
  const { read, written } = paging(c);
  return {
    numa_hit: events.allocated,
    numa_local: events.allocated,
    nr_dirtied: Math.floor(written / 4) + 100,
    nr_written: Math.floor(written / 4),
    pgpgin: read,
    pgpgout: written,
    pgalloc_dma32: Math.floor(events.allocated * 0.1),
    pgalloc_normal: events.allocated - Math.floor(events.allocated * 0.1),
    pgfree: events.allocated,
    pgactivate: Math.floor(read / 24),
    pgfault: events.faults,
    pgmajfault: events.majorFaults,
    pgreuse: Math.floor(events.faults / 11),
    direct_map_level2_splits: 13,
  };
}

export function formatVmstat(name: VmstatName, value: number, out: Text): void {
  out.str(name).byte(32).dec(value).byte(10);
}

/** One record a line; all lines of a read are of one moment. */
export class VmstatRecords implements Records {
  private values: VmstatValues = {};

  begin(c: Context): void {
    this.values = gatherVmstat(c);
  }

  count(): number {
    return VMSTAT_NAMES.length;
  }

  show(_c: Context, index: number, out: Text): void {
    const name = VMSTAT_NAMES[index]!;
    formatVmstat(name, this.values[name] ?? 0, out);
  }
}
