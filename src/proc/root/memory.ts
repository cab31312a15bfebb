/**
 * Where the machine's memory is: one model behind meminfo, vmstat, zoneinfo, buddyinfo and swaps, so that they agree.
 *
 * What processes have mapped comes from the kernel model's page counters; the page cache, buffers and the slab have the
 * shares that the host's description gives them; free memory is what is left. If that would be too little, the cache
 * shrinks first, as it would under pressure. All numbers are pages unless a name says otherwise.
 */
import { HOST, PAGE_SIZE } from "../../kernel/layout.ts";
import { busyTicks } from "../../kernel/cpu-time.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { HostMemory } from "../host-view.ts";
import type { Context } from "../row.ts";
import { sysctlNumber } from "../sys/values.ts";
import { readCounter64 } from "./counter.ts";
import { minFreePages } from "./memory-limits.ts";

/** What the model starts from. */
export interface MemoryInputs {
  readonly total: number;
  readonly swapTotal: number;
  readonly cpus: number;
  readonly threads: number;
  readonly processes: number;
  /** Resident pages of all address spaces together; shared ones count once for each. */
  readonly anon: number;
  readonly file: number;
  readonly shmem: number;
  readonly swapped: number;
  readonly shares: HostMemory;
  /** What is kept free: vm.min_free_kbytes, in pages. */
  readonly minFree: number;
  /** Percent; vm.overcommit_ratio. */
  readonly overcommitRatio: number;
  /** Seconds since boot: dirty pages come and go with it. */
  readonly uptime: number;
}

export interface MemoryInfo {
  readonly total: number;
  readonly free: number;
  readonly available: number;
  readonly buffers: number;
  /** Page cache with shmem, without buffers. */
  readonly cached: number;
  readonly activeAnon: number;
  readonly inactiveAnon: number;
  readonly activeFile: number;
  readonly inactiveFile: number;
  readonly unevictable: number;
  readonly mlocked: number;
  readonly swapTotal: number;
  readonly swapFree: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly anon: number;
  readonly mapped: number;
  readonly shmem: number;
  readonly slabReclaimable: number;
  readonly slabUnreclaimable: number;
  readonly kernelStack: number;
  readonly pageTables: number;
  readonly commitLimit: number;
  readonly committed: number;
  readonly vmallocUsed: number;
  readonly percpu: number;
  /** Bytes of the linear map by page size. */
  readonly directMap4k: number;
  readonly directMap2M: number;
  readonly directMap1G: number;
  /** Watermarks of all zones together: min, low, high. */
  readonly minFree: number;
  readonly lowFree: number;
  readonly highFree: number;
}

/** What a usual server has, when the host doesn't say. */
const USUAL: HostMemory = { cached: 0.3, buffers: 0.01, slab: 0.03 };

/** Takes `missing` pages from the parts, the first ones first, none below its least size. */
function shrink(parts: { size: number; least: number }[], missing: number): void {
  let left = missing;
  for (const part of parts) {
    if (left <= 0) return;
    const given = Math.min(left, Math.max(0, part.size - part.least));
    part.size -= given;
    left -= given;
  }
}

/** Pages that the kernel itself uses and never gives back. */
function kernelPages(i: MemoryInputs): { stack: number; tables: number; percpu: number; unreclaimable: number } {
  return {
    stack: i.threads * 4,
    tables: Math.ceil(i.processes * 11 + i.threads + (i.anon + i.shmem) / 400),
    percpu: i.cpus * 86,
    unreclaimable: Math.floor(i.total * i.shares.slab * 0.35) + i.threads * 3 + i.processes * 4,
  };
}

/** Derives everything from the inputs; total = free + buffers + cached + slab + anon + the kernel's own, always. */
export function deriveMemory(i: MemoryInputs): MemoryInfo {
  const own = kernelPages(i);
  const minFree = Math.min(i.minFree, Math.floor(i.total / 4));
  const shmem = Math.min(i.shmem, Math.floor(i.total / 4));
  const fileCache = { size: Math.floor(i.total * i.shares.cached), least: Math.floor(i.total / 100) };
  const buffers = { size: Math.floor(i.total * i.shares.buffers), least: 0 };
  const reclaimable = { size: Math.floor(i.total * i.shares.slab * 0.65), least: Math.floor(i.total / 500) };
  const anon = { size: i.anon, least: 0 };
  const unreclaimable = { size: own.unreclaimable, least: 0 };
  const tables = { size: own.tables, least: 0 };
  const stack = { size: own.stack, least: 0 };
  const flexible = [fileCache, buffers, reclaimable, anon, unreclaimable, tables, stack];
  let used = shmem + own.percpu;
  for (const part of flexible) used += part.size;
  shrink(flexible, used + minFree - i.total);
  used = shmem + own.percpu;
  for (const part of flexible) used += part.size;
  const cached = fileCache.size + shmem;
  const swapFree = Math.max(0, i.swapTotal - i.swapped);
  const activeFile = Math.floor((fileCache.size + buffers.size) * 0.4);
  const activeAnon = Math.floor((anon.size + shmem) * 0.15);
  const free = i.total - used;
  const dirty = Math.min(fileCache.size, 60 + ((i.uptime * 37) % 911));
  return {
    total: i.total,
    free,
    available: available(free, minFree, i.total, fileCache.size + buffers.size, reclaimable.size),
    buffers: buffers.size,
    cached,
    activeAnon,
    inactiveAnon: anon.size + shmem - activeAnon,
    activeFile,
    inactiveFile: fileCache.size + buffers.size - activeFile,
    unevictable: 0,
    mlocked: 0,
    swapTotal: i.swapTotal,
    swapFree,
    dirty,
    writeback: i.uptime % 30 === 0 ? Math.min(dirty, 16) : 0,
    anon: anon.size,
    mapped: shmem + Math.min(i.file, Math.floor(fileCache.size * 0.6)),
    shmem,
    slabReclaimable: reclaimable.size,
    slabUnreclaimable: unreclaimable.size,
    kernelStack: stack.size,
    pageTables: tables.size,
    commitLimit: Math.floor((i.total * i.overcommitRatio) / 100) + i.swapTotal,
    committed: Math.floor(anon.size * 1.7) + shmem + i.processes * 40,
    vmallocUsed: 3500 + i.threads * 4,
    percpu: own.percpu,
    ...directMap(i.total),
    minFree,
    ...watermarks(minFree),
  };
}

function watermarks(minFree: number): { lowFree: number; highFree: number } {
  const step = Math.floor(minFree / 4);
  return { lowFree: minFree + step, highFree: minFree + 2 * step };
}

/** si_mem_available: half of the cache, at most the low watermark, stays. */
function available(free: number, minFree: number, total: number, cache: number, reclaimable: number): number {
  const { lowFree, highFree } = watermarks(minFree);
  const reserve = Math.min(highFree + Math.floor(total / 256), total);
  const fromCache = cache - Math.min(Math.floor(cache / 2), lowFree);
  const fromSlab = reclaimable - Math.min(Math.floor(reclaimable / 2), lowFree);
  return Math.max(0, free - reserve + fromCache + fromSlab);
}

/** The linear map covers all memory, in the largest pages that fit; some were split since boot. */
function directMap(total: number): { directMap4k: number; directMap2M: number; directMap1G: number } {
  const small = 26 * 2 ** 20;
  const bytes = Math.ceil((total * PAGE_SIZE) / 2 ** 30) * 2 ** 30;
  const medium = Math.min(bytes, 2 ** 31) - small;
  return { directMap4k: small, directMap2M: medium, directMap1G: Math.max(0, bytes - 2 ** 31) };
}

/** Pages that a counter of the model says, at least 0. */
function pages(c: Context, at: number): number {
  return Math.max(0, c.k.m.load(at));
}

export function gatherMemory(c: Context): MemoryInfo {
  const { k, host } = c;
  const total = Math.floor(k.config.memTotal / PAGE_SIZE);
  return deriveMemory({
    total,
    swapTotal: Math.floor(k.config.swapTotal / PAGE_SIZE),
    cpus: k.config.cpus,
    threads: pages(c, HOST.nrThreads),
    processes: pages(c, HOST.nrProcesses),
    anon: pages(c, HOST.anonPages),
    file: pages(c, HOST.filePages),
    shmem: pages(c, HOST.shmemPages),
    swapped: pages(c, HOST.swapPages),
    shares: host.memory ?? USUAL,
    minFree: Math.floor(sysctlNumber(k, "vm/min_free_kbytes", minFreePages(total) * 4) / 4),
    overcommitRatio: sysctlNumber(k, "vm/overcommit_ratio", 50),
    uptime: Math.floor(bootTimeNs(k) / 1e9),
  });
}

/** Counts of what happened since boot that has to do with memory; each only grows. */
export interface MemoryEvents {
  readonly faults: number;
  readonly majorFaults: number;
  readonly allocated: number;
}

/** Estimated from forks (a fork and its exec fault in some hundred pages) and CPU time. */
export function gatherMemoryEvents(c: Context): MemoryEvents {
  const forks = readCounter64(c.k, HOST.totalForks);
  const busy = busyTicks(c.k);
  const faults = forks * 420 + busy * 60;
  return { faults, majorFaults: Math.floor(forks * 0.3), allocated: Math.floor(faults * 1.25) };
}
