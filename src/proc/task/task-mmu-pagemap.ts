/** /proc/<pid>/pagemap: 64 bits for each virtual page (pagemap_read, fs/proc/task_mmu.c). */
import { EINVAL } from "../../kernel/errno.ts";
import { PAGE_SIZE, PATH, VMA } from "../../kernel/layout.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import { TASK_SIZE } from "../../mm/flags.ts";
import { mmapReadLockKillable, mmapReadUnlock } from "../../mm/lock.ts";
import { mmgetNotZero, mmput } from "../../mm/mm.ts";
import { VmaIter, vmaIterInit, vmaNext } from "../../mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../mm/vma.ts";
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import type { Context } from "../row.ts";

/** Bytes of an entry. */
const ENTRY = 8;
/** Bits of an entry's highest byte. */
const PRESENT = 0x80;
const SWAPPED = 0x40;
const FILE_OR_SHARED = 0x20;
const EXCLUSIVE = 0x01;
/** Page frames of the simulated memory: what a frame number is derived into. */
const FRAME_BITS = 22;

/**
 * Reads pagemap of the mm that was opened. Offset and size are multiples of 8 (-EINVAL). Which of a mapping's pages are
 * resident isn't simulated, only how many: anonymous ones come first, then the file's, then swapped ones.
 * @returns bytes, -EINTR, or would-block
 */
export function readPagemap(c: Context, offset: number, dest: Uint8Array): number {
  if (offset % ENTRY !== 0 || dest.length % ENTRY !== 0) return -EINVAL;
  const mm = c.k.m.load(c.file + OPEN_FILE.mm);
  const first = offset / ENTRY;
  const pages = Math.min(dest.length / ENTRY, TASK_SIZE / PAGE_SIZE - first);
  if (mm === NULL || pages <= 0 || !mmgetNotZero(c.k, mm)) return 0;
  const error = mmapReadLockKillable(c.k, mm);
  if (error === 0) {
    fillEntries(c, mm, first, pages, dest);
    mmapReadUnlock(c.k, mm);
  }
  mmput(c.k, mm);
  return error === 0 ? pages * ENTRY : error;
}

/** @pre mmap_lock */
function fillEntries(c: Context, mm: Ptr, first: number, pages: number, dest: Uint8Array): void {
  const { m } = c.k;
  const frames = c.subject.capable(CAP_SYS_ADMIN);
  const iter = new VmaIter();
  dest.fill(0, 0, pages * ENTRY);
  vmaIterInit(iter, first * PAGE_SIZE);
  for (let vma = vmaNext(c.k, mm, iter); vma !== NULL; vma = vmaNext(c.k, mm, iter)) {
    const start = vmaStart(m, vma) / PAGE_SIZE;
    if (start >= first + pages) return;
    const low = Math.max(start, first);
    const high = Math.min(vmaEnd(m, vma) / PAGE_SIZE, first + pages);
    const residency = residencyOf(m, vma);
    for (let page = low; page < high; page++) {
      writeEntry(dest, (page - first) * ENTRY, page, flagsOf(residency, page - start), frames);
    }
  }
}

/** How many of a mapping's pages are of each kind, and whether nobody else maps its file. */
interface Residency {
  readonly anon: number;
  readonly file: number;
  readonly swap: number;
  readonly alone: boolean;
}

function residencyOf(m: Memory, vma: Ptr): Residency {
  const path = m.load(vma + VMA.vmFile);
  return {
    anon: m.load(vma + VMA.nrAnon),
    file: m.load(vma + VMA.nrFile),
    swap: m.load(vma + VMA.nrSwap),
    alone: path === NULL || m.load(path + PATH.mappers) <= 1,
  };
}

/** The highest byte of the entry of a mapping's page number `index`. */
function flagsOf(r: Residency, index: number): number {
  if (index < r.anon) return PRESENT | EXCLUSIVE;
  if (index < r.anon + r.file) return PRESENT | FILE_OR_SHARED | (r.alone ? EXCLUSIVE : 0);
  return index < r.anon + r.file + r.swap ? SWAPPED : 0;
}

function writeEntry(dest: Uint8Array, at: number, page: number, flags: number, frames: boolean): void {
  dest[at + ENTRY - 1] = flags;
  if (!frames || (flags & PRESENT) === 0) return;
  const frame = (Math.imul(page | 0, 0x9e3779b1) >>> (32 - FRAME_BITS)) + 1;
  dest[at] = frame & 0xff;
  dest[at + 1] = (frame >>> 8) & 0xff;
  dest[at + 2] = frame >>> 16;
}
