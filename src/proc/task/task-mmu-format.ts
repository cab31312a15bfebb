/** Pure formatters of maps, smaps, smaps_rollup and numa_maps (fs/proc/task_mmu.c). */
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../../mm/flags.ts";
import type { SmapsNumbers } from "../../mm/smaps.ts";
import type { NumaPages, VmaHeader } from "./snapshots.ts";
import type { Text } from "../text.ts";

/** Column at which names start: one blank more than the width that the fixed part is padded to. */
const NAME_COLUMN = 73;
const MINOR_BITS = 20;
const MINOR_MASK = (1 << MINOR_BITS) - 1;

/** The fixed part of a line (show_vma_header_prefix), with its trailing blank. */
export function formatVmaHeader(v: VmaHeader, out: Text): void {
  out.hex(v.start, 8).byte(45).hex(v.end, 8).byte(32);
  out.byte((v.flags & VM_READ) !== 0 ? 114 : 45);
  out.byte((v.flags & VM_WRITE) !== 0 ? 119 : 45);
  out.byte((v.flags & VM_EXEC) !== 0 ? 120 : 45);
  out.byte((v.flags & VM_MAYSHARE) !== 0 ? 115 : 112).byte(32);
  out.hex(v.offset, 8).byte(32);
  out
    .hex(v.dev >>> MINOR_BITS, 2)
    .byte(58)
    .hex(v.dev & MINOR_MASK, 2)
    .byte(32);
  out.dec(v.ino).byte(32);
}

/** Pads a line that started at `start` to where a name comes (seq_pad): at least one blank. */
export function padToName(out: Text, start: number): void {
  out.padTo(start, NAME_COLUMN - 1).byte(32);
}

function kilobytes(out: Text, label: string, value: number): void {
  out.str(label).dec(value, 8).str(" kB\n");
}

/** The lines that smaps and smaps_rollup share (__show_smap). */
export function formatSmapsNumbers(s: SmapsNumbers, rollup: boolean, out: Text): void {
  kilobytes(out, "Rss:            ", s.rss);
  kilobytes(out, "Pss:            ", s.pss);
  kilobytes(out, "Pss_Dirty:      ", s.pssDirty);
  if (rollup) {
    kilobytes(out, "Pss_Anon:       ", s.pssAnon);
    kilobytes(out, "Pss_File:       ", s.pssFile);
    kilobytes(out, "Pss_Shmem:      ", s.pssShmem);
  }
  kilobytes(out, "Shared_Clean:   ", s.sharedClean);
  kilobytes(out, "Shared_Dirty:   ", s.sharedDirty);
  kilobytes(out, "Private_Clean:  ", s.privateClean);
  kilobytes(out, "Private_Dirty:  ", s.privateDirty);
  kilobytes(out, "Referenced:     ", s.referenced);
  kilobytes(out, "Anonymous:      ", s.anonymous);
  kilobytes(out, "KSM:            ", s.ksm);
  kilobytes(out, "LazyFree:       ", s.lazyFree);
  kilobytes(out, "AnonHugePages:  ", s.anonHugePages);
  kilobytes(out, "ShmemPmdMapped: ", s.shmemPmdMapped);
  kilobytes(out, "FilePmdMapped:  ", s.filePmdMapped);
  kilobytes(out, "Shared_Hugetlb: ", s.sharedHugetlb);
  // Its label is a character longer than the others' room.
  out.str("Private_Hugetlb: ").dec(s.privateHugetlb, 7).str(" kB\n");
  kilobytes(out, "Swap:           ", s.swap);
  kilobytes(out, "SwapPss:        ", s.swapPss);
  kilobytes(out, "Locked:         ", s.locked);
}

/** What smaps shows before and after those lines: sizes in kB (show_smap). */
export function formatSmapsHead(size: number, kernelPage: number, mmuPage: number, out: Text): void {
  kilobytes(out, "Size:           ", size);
  kilobytes(out, "KernelPageSize: ", kernelPage);
  kilobytes(out, "MMUPageSize:    ", mmuPage);
}

export function formatSmapsTail(thpEligible: boolean, vmFlags: string, out: Text): void {
  out.str("THPeligible:    ").dec(thpEligible ? 1 : 0, 8);
  out.str("\nVmFlags: ").str(vmFlags).byte(10);
}

/** The rest of a line of numa_maps after the policy and the name (show_numa_map); all pages are on node 0. */
export function formatNumaPages(s: NumaPages, out: Text): void {
  if (s.pages > 0) {
    if (s.anon > 0) out.str(" anon=").dec(s.anon);
    if (s.dirty > 0) out.str(" dirty=").dec(s.dirty);
    if (s.pages !== s.anon && s.pages !== s.dirty) out.str(" mapped=").dec(s.pages);
    if (s.mapCountMax > 1) out.str(" mapmax=").dec(s.mapCountMax);
    if (s.swapCache > 0) out.str(" swapcache=").dec(s.swapCache);
    if (s.active < s.pages) out.str(" active=").dec(s.active);
    if (s.writeback > 0) out.str(" writeback=").dec(s.writeback);
    out.str(" N0=").dec(s.pages).str(" kernelpagesize_kB=4");
  }
  out.byte(10);
}
