/** /proc/meminfo (fs/proc/meminfo.c). */
import { PAGE_SIZE } from "../../kernel/layout.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { gatherMemory } from "./memory.ts";
import type { MemoryInfo } from "./memory.ts";

/** A line: its name, and its value in kB (`count` lines have no unit). */
export interface MeminfoLine {
  readonly name: string;
  readonly value: number;
  readonly unit: boolean;
}

/** Kilobytes of address space that vmalloc may use on x86-64. */
const VMALLOC_TOTAL = 34359738367;

function kb(name: string, pages: number): MeminfoLine {
  return { name, value: pages * (PAGE_SIZE / 1024), unit: true };
}

function plainKb(name: string, value: number): MeminfoLine {
  return { name, value, unit: true };
}

function count(name: string, value: number): MeminfoLine {
  return { name, value, unit: false };
}

/** The file's lines, in order. */
export function meminfoLines(i: MemoryInfo): MeminfoLine[] {
  return [...pageLines(i), ...kernelLines(i), ...hugeLines(), ...mapLines(i)];
}

function pageLines(i: MemoryInfo): MeminfoLine[] {
  return [
    kb("MemTotal", i.total),
    kb("MemFree", i.free),
    kb("MemAvailable", i.available),
    kb("Buffers", i.buffers),
    kb("Cached", i.cached),
    kb("SwapCached", 0),
    kb("Active", i.activeAnon + i.activeFile),
    kb("Inactive", i.inactiveAnon + i.inactiveFile),
    kb("Active(anon)", i.activeAnon),
    kb("Inactive(anon)", i.inactiveAnon),
    kb("Active(file)", i.activeFile),
    kb("Inactive(file)", i.inactiveFile),
    kb("Unevictable", i.unevictable),
    kb("Mlocked", i.mlocked),
    kb("SwapTotal", i.swapTotal),
    kb("SwapFree", i.swapFree),
    kb("Zswap", 0),
    kb("Zswapped", 0),
    kb("Dirty", i.dirty),
    kb("Writeback", i.writeback),
    kb("AnonPages", i.anon),
    kb("Mapped", i.mapped),
    kb("Shmem", i.shmem),
  ];
}

function kernelLines(i: MemoryInfo): MeminfoLine[] {
  return [
    kb("KReclaimable", i.slabReclaimable),
    kb("Slab", i.slabReclaimable + i.slabUnreclaimable),
    kb("SReclaimable", i.slabReclaimable),
    kb("SUnreclaim", i.slabUnreclaimable),
    kb("KernelStack", i.kernelStack),
    kb("PageTables", i.pageTables),
    kb("SecPageTables", 0),
    kb("NFS_Unstable", 0),
    kb("Bounce", 0),
    kb("WritebackTmp", 0),
    kb("CommitLimit", i.commitLimit),
    kb("Committed_AS", i.committed),
    plainKb("VmallocTotal", VMALLOC_TOTAL),
    kb("VmallocUsed", i.vmallocUsed),
    kb("VmallocChunk", 0),
    kb("Percpu", i.percpu),
  ];
}

function hugeLines(): MeminfoLine[] {
  return [
    kb("AnonHugePages", 0),
    kb("ShmemHugePages", 0),
    kb("ShmemPmdMapped", 0),
    kb("FileHugePages", 0),
    kb("FilePmdMapped", 0),
    kb("Balloon", 0),
    count("HugePages_Total", 0),
    count("HugePages_Free", 0),
    count("HugePages_Rsvd", 0),
    count("HugePages_Surp", 0),
    plainKb("Hugepagesize", 2048),
    plainKb("Hugetlb", 0),
  ];
}

function mapLines(i: MemoryInfo): MeminfoLine[] {
  return [
    plainKb("DirectMap4k", i.directMap4k / 1024),
    plainKb("DirectMap2M", i.directMap2M / 1024),
    plainKb("DirectMap1G", i.directMap1G / 1024),
  ];
}

/** Name and value fill 24 columns; a longer value pushes on. */
export function formatMeminfo(lines: readonly MeminfoLine[], out: Text): void {
  for (const line of lines) {
    const start = out.length;
    out.str(line.name).byte(58).padTo(start, 16);
    out.dec(line.value, 8);
    out.str(line.unit ? " kB\n" : "\n");
  }
}

export function showMeminfo(c: Context, out: Text): void {
  formatMeminfo(meminfoLines(gatherMemory(c)), out);
}
