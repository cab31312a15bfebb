/** /proc/diskstats, /proc/partitions, /proc/swaps (block/genhd.c, mm/swapfile.c). */
import type { Kernel } from "../../kernel/kernel.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { HostDisk } from "../host-view.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { gatherMemory } from "./memory.ts";

/** One line of /proc/diskstats. */
export interface DiskLine {
  readonly major: number;
  readonly minor: number;
  readonly name: string;
  /** Reads: number, merged, sectors, milliseconds; writes: the same; in flight, busy and weighted milliseconds;
   *  discards: number, merged, sectors, milliseconds; flushes: number, milliseconds. */
  readonly counters: readonly number[];
}

/** True if a disk is a partition of another: its name goes on with a number (after a `p` if the other ends in a digit). */
export function isPartition(disk: HostDisk, all: readonly HostDisk[]): boolean {
  return all.some(({ name }) => {
    const rest = disk.name.startsWith(name) ? disk.name.slice(name.length) : "";
    return (/\d$/.test(name) ? /^p\d+$/ : /^\d+$/).test(rest);
  });
}

const SECTOR = 512;
/** Sectors of a usual request, and requests merged into one, in hundredths. */
const READ_SECTORS = 96;
const WRITE_SECTORS = 64;

/** Bytes read and written since boot. */
export function diskBytes(k: Kernel, disk: HostDisk): { read: number; written: number } {
  const seconds = bootTimeNs(k) / 1e9;
  return {
    read: (disk.readBytes ?? 0) + seconds * (disk.readRate ?? 0),
    written: (disk.writtenBytes ?? 0) + seconds * (disk.writeRate ?? 0),
  };
}

/** The counters that so many bytes amount to; each grows with them. */
function diskLine(disk: HostDisk, read: number, written: number): DiskLine {
  const readSectors = Math.floor(read / 4096) * (4096 / SECTOR);
  const writeSectors = Math.floor(written / 4096) * (4096 / SECTOR);
  const reads = Math.ceil(readSectors / READ_SECTORS);
  const writes = Math.ceil(writeSectors / WRITE_SECTORS);
  const readMs = Math.floor(reads * 0.45);
  const writeMs = Math.floor(writes * 0.75);
  const flushes = Math.floor(writes / 20);
  const flushMs = Math.floor(flushes * 0.6);
  const busy = Math.floor((readMs + writeMs) * 0.6);
  const counters = [
    ...[reads, Math.floor(reads * 0.3), readSectors, readMs],
    ...[writes, Math.floor(writes * 0.8), writeSectors, writeMs],
    ...[0, busy, readMs + writeMs + flushMs],
    ...[0, 0, 0, 0],
    ...[flushes, flushMs],
  ];
  return { major: disk.major, minor: disk.minor, name: disk.name, counters };
}

export function formatDisk(line: DiskLine, out: Text): void {
  out.dec(line.major, 4).byte(32).dec(line.minor, 7).byte(32).str(line.name);
  for (const counter of line.counters) out.byte(32).dec(counter);
  out.byte(10);
}

export const diskRecords = {
  count: (c: Context): number => c.host.disks.length,
  show: (c: Context, index: number, out: Text): void => {
    const disk = c.host.disks[index]!;
    const { read, written } = diskBytes(c.k, disk);
    formatDisk(diskLine(disk, read, written), out);
  },
};

export function formatPartitionHeader(out: Text): void {
  out.str("major minor  #blocks  name\n\n");
}

export function formatPartition(disk: HostDisk, out: Text): void {
  out.dec(disk.major, 4).str("  ").dec(disk.minor, 7).byte(32).dec(disk.blocks, 10).byte(32).str(disk.name).byte(10);
}

/** The header belongs to the first record; disks without a size are left out, as the kernel does. */
export const partitionRecords = {
  count: (c: Context): number => c.host.disks.length,
  show: (c: Context, index: number, out: Text): void => {
    if (index === 0) formatPartitionHeader(out);
    const disk = c.host.disks[index]!;
    if (disk.blocks > 0) formatPartition(disk, out);
  },
};

/** One swap area; sizes in kB. */
export interface SwapLine {
  readonly path: string;
  readonly partition: boolean;
  readonly size: number;
  readonly used: number;
  readonly priority: number;
}

export function formatSwapHeader(out: Text): void {
  out.str("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

/** Sizes of fewer than eight digits take one more tab. */
function swapSize(value: number, out: Text): void {
  out
    .byte(9)
    .dec(value)
    .str(value < 1e7 ? "\t" : "");
}

export function formatSwap(line: SwapLine, out: Text): void {
  const start = out.length;
  out.str(line.path).byte(32).padTo(start, 40);
  out.str(line.partition ? "partition" : "file\t");
  swapSize(line.size, out);
  swapSize(line.used, out);
  out.byte(9).dec(line.priority).byte(10);
}

/** All swap space is one file; its size and use are those of meminfo. */
export const swapRecords = {
  count: (c: Context): number => (c.k.config.swapTotal > 0 ? 2 : 1),
  show: (c: Context, index: number, out: Text): void => {
    if (index === 0) return formatSwapHeader(out);
    const memory = gatherMemory(c);
    const size = memory.swapTotal * 4;
    formatSwap({ path: "/swapfile", partition: false, size, used: size - memory.swapFree * 4, priority: -2 }, out);
  },
};
