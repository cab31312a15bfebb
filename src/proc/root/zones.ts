/** /proc/buddyinfo, /proc/pagetypeinfo, /proc/zoneinfo (mm/vmstat.c): the free pages of meminfo, by zone and order. */
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { gatherMemory } from "./memory.ts";
import type { MemoryInfo } from "./memory.ts";
import { populatedZones } from "./memory-limits.ts";
import type { Records } from "./tree.ts";

/** One zone; numbers are pages. */
export interface Zone {
  readonly name: string;
  readonly startPfn: number;
  readonly spanned: number;
  readonly managed: number;
  readonly free: number;
  readonly minFree: number;
}

/** Orders of the buddy allocator. */
const ORDERS = 11;
const DMA_PAGES = 3840;
const DMA32_PAGES = 3 * 262144 - 4096;

/** Splits memory into zones; free pages add up to those of meminfo. */
function zonesOf(m: MemoryInfo): Zone[] {
  const zones: Zone[] = [];
  const sizes = [DMA_PAGES, Math.min(DMA32_PAGES, m.total - DMA_PAGES)];
  if (populatedZones(m.total) === 3) sizes.push(m.total - DMA_PAGES - DMA32_PAGES);
  const names = ["DMA", "DMA32", "Normal"];
  const starts = [1, 4096, 1048576];
  let left = m.free;
  for (let i = 0; i < sizes.length; i++) {
    const managed = sizes[i]!;
    const last = i === sizes.length - 1;
    const free = last ? left : Math.min(left, Math.floor((m.free * managed) / m.total));
    left -= free;
    const minFree = Math.floor((m.minFree * managed) / m.total);
    zones.push({
      name: names[i]!,
      startPfn: starts[i]!,
      spanned: managed + (i === 0 ? 255 : 0),
      managed,
      free,
      minFree,
    });
  }
  return zones;
}

/** Free blocks per order that hold exactly `free` pages: many large ones, some of each smaller size. */
function buddiesOf(free: number): number[] {
  const blocks = new Array<number>(ORDERS).fill(0);
  let left = free;
  for (let order = 0; order < ORDERS - 1; order++) {
    // One in 64 of the free pages sits in blocks of each small order; the remainder of the next order goes here, too.
    const wanted = Math.floor(free / 64 / 2 ** order);
    const parity = Math.floor(left / 2 ** order) % 2;
    const count = wanted + ((wanted + parity) % 2);
    blocks[order] = Math.min(count, Math.floor(left / 2 ** order));
    left -= blocks[order]! * 2 ** order;
  }
  blocks[ORDERS - 1] = Math.floor(left / 2 ** (ORDERS - 1));
  return blocks;
}

export function formatBuddy(zone: string, blocks: readonly number[], out: Text): void {
  out.str("Node 0, zone ").str(zone.padStart(8)).byte(32);
  for (const count of blocks) out.dec(count, 6).byte(32);
  out.byte(10);
}

function zones(c: Context): Zone[] {
  return zonesOf(gatherMemory(c));
}

export class BuddyRecords implements Records {
  private zones: readonly Zone[] = [];

  begin(c: Context): void {
    this.zones = zones(c);
  }

  count(): number {
    return this.zones.length;
  }

  show(_c: Context, index: number, out: Text): void {
    const zone = this.zones[index]!;
    formatBuddy(zone.name, buddiesOf(zone.free), out);
  }
}

const MIGRATE_TYPES = ["Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"] as const;
const MOVABLE = 1;

export function showPageTypes(c: Context, out: Text): void {
  formatPageTypes(zones(c), out);
}

/** All free blocks are movable ones. */
function formatPageTypes(all: readonly Zone[], out: Text): void {
  out.str("Page block order: 9\nPages per block:  512\n\n");
  out.str("Free pages count per migrate type at order ");
  for (let order = 0; order < ORDERS; order++) out.dec(order, 6).byte(32);
  out.byte(10);
  for (const zone of all) {
    for (let type = 0; type < MIGRATE_TYPES.length; type++) pageTypeLine(zone, type, out);
  }
  out.str("\nNumber of blocks type ");
  for (const type of MIGRATE_TYPES) out.str(type.padStart(12)).byte(32);
  out.byte(10);
  for (const zone of all) blockCounts(zone, out);
}

function pageTypeLine(zone: Zone, type: number, out: Text): void {
  out.str("Node    0, zone ").str(zone.name.padStart(8)).str(", type ");
  out.str(MIGRATE_TYPES[type]!.padStart(12)).byte(32);
  const blocks = type === MOVABLE ? buddiesOf(zone.free) : new Array<number>(ORDERS).fill(0);
  for (const count of blocks) out.dec(count, 6).byte(32);
  out.byte(10);
}

function blockCounts(zone: Zone, out: Text): void {
  const blocks = Math.ceil(zone.managed / 512);
  const unmovable = Math.floor(blocks / 40);
  const reclaimable = Math.floor(blocks / 60);
  out.str("Node 0, zone ").str(zone.name.padStart(8)).byte(32);
  for (const count of [unmovable, blocks - unmovable - reclaimable, reclaimable, 0, 0]) out.dec(count, 12).byte(32);
  out.byte(10);
}

/** Statistics of the node, under its first zone. */
function nodeStats(m: MemoryInfo): (readonly [string, number])[] {
  return [
    ["nr_inactive_anon", m.inactiveAnon],
    ["nr_active_anon", m.activeAnon],
    ["nr_inactive_file", m.inactiveFile],
    ["nr_active_file", m.activeFile],
    ["nr_unevictable", m.unevictable],
    ["nr_slab_reclaimable", m.slabReclaimable],
    ["nr_slab_unreclaimable", m.slabUnreclaimable],
    ["nr_anon_pages", m.anon],
    ["nr_mapped", m.mapped],
    ["nr_file_pages", m.cached + m.buffers],
    ["nr_dirty", m.dirty],
    ["nr_writeback", m.writeback],
    ["nr_shmem", m.shmem],
    ["nr_kernel_stack", m.kernelStack * 4],
    ["nr_page_table_pages", m.pageTables],
  ];
}

function statLine(name: string, value: number, out: Text): void {
  out.str("      ").str(name.padEnd(12)).byte(32).dec(value).byte(10);
}

function zoneLines(zone: Zone, protection: string, out: Text): void {
  const step = Math.floor(zone.minFree / 4);
  out.str("  pages free     ").dec(zone.free);
  out.str("\n        boost    0\n        min      ").dec(zone.minFree);
  out.str("\n        low      ").dec(zone.minFree + step);
  out.str("\n        high     ").dec(zone.minFree + 2 * step);
  out.str("\n        promo    ").dec(zone.minFree + 3 * step);
  out.str("\n        spanned  ").dec(zone.spanned);
  out.str("\n        present  ").dec(zone.spanned);
  out.str("\n        managed  ").dec(zone.managed);
  out.str("\n        cma      0\n        protection: ").str(protection).byte(10);
}

/** Memory that each higher zone must leave in this one: the managed pages above, in 256ths. */
function protectionOf(all: readonly Zone[], index: number): string {
  const values: number[] = [];
  let above = 0;
  for (let i = 0; i < 5; i++) {
    if (i > index && i < all.length) above += all[i]!.managed;
    values.push(i > index ? Math.floor(above / 256) : 0);
  }
  return `(${values.join(", ")})`;
}

function pagesets(c: Context, zone: Zone, out: Text): void {
  out.str("  pagesets\n");
  for (let cpu = 0; cpu < c.k.config.cpus; cpu++) {
    const batch = zone.managed < 65536 ? 1 : 63;
    out.str("    cpu: ").dec(cpu).str("\n              count:    0\n              high:     ");
    out
      .dec(batch * 6)
      .str("\n              batch:    ")
      .dec(batch);
    out.str("\n              high_min: ").dec(batch * 6);
    out.str("\n              high_max: ").dec(batch * 60);
    out
      .str("\n  vm stats threshold: ")
      .dec(zone.managed < 65536 ? 4 : 24)
      .byte(10);
  }
  out.str("  node_unreclaimable:  0\n  start_pfn:           ").dec(zone.startPfn).byte(10);
}

export class ZoneRecords implements Records {
  private memory: MemoryInfo | null = null;
  private zones: readonly Zone[] = [];

  begin(c: Context): void {
    this.memory = gatherMemory(c);
    this.zones = zonesOf(this.memory);
  }

  count(): number {
    return this.zones.length;
  }

  show(c: Context, index: number, out: Text): void {
    const zone = this.zones[index]!;
    out.str("Node 0, zone ").str(zone.name.padStart(8)).byte(10);
    if (index === 0) this.showNode(out);
    zoneLines(zone, protectionOf(this.zones, index), out);
    statLine("nr_free_pages", zone.free, out);
    for (const name of ["numa_hit", "numa_miss", "numa_foreign", "numa_interleave", "numa_local", "numa_other"]) {
      statLine(name, 0, out);
    }
    pagesets(c, zone, out);
  }

  private showNode(out: Text): void {
    out.str("  per-node stats\n");
    for (const [name, value] of nodeStats(this.memory as MemoryInfo)) statLine(name, value, out);
  }
}
