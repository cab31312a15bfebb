/**
 * Files that read an address space itself: cmdline, environ, auxv, mem, clear_refs, coredump_filter (fs/proc/base.c), and the
 * open checks of all that keep one open (proc_mem_open).
 */
import { EINVAL, EIO, ESRCH } from "../../kernel/errno.ts";
import { PTRACE_MODE_ATTACH_FSCREDS, PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { MM, TASK } from "../../kernel/layout.ts";
import { mmAccess } from "../../kernel/mm-access.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { auxvLength, auxvRead } from "../../mm/auxv.ts";
import { mmdrop, mmgrab, mmput } from "../../mm/mm.ts";
import { bytesCopy, bytesLength, BYTES } from "../../shm/bytes.ts";
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { formatCoredumpFilter } from "./base-format.ts";
import { parseInteger } from "./base-parse.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

/** What setproctitle may use: one page from the start of the arguments. */
const PROCTITLE_MAX = 4096;
const MMF_DUMP_FILTER_SHIFT = 2;
const MMF_DUMP_FILTER_BITS = 0x1ff;
/** Anonymous mappings, ELF headers and private huge pages are dumped by default. */
const MMF_DUMP_FILTER_DEFAULT = 0x33;

/** Opens maps, smaps, numa_maps: a task without an address space reads as empty. */
export function openMaps(c: Context): number {
  const error = openMm(c, PTRACE_MODE_READ_FSCREDS);
  return error === -ESRCH ? 0 : error;
}

/** Opens environ, auxv, pagemap, smaps_rollup: -ESRCH without an address space, -EACCES without ptrace access. */
export function openMmRead(c: Context): number {
  return openMm(c, PTRACE_MODE_READ_FSCREDS);
}

/** Opens mem: as {@link openMmRead}, but for those who may attach. */
export function openMmAttach(c: Context): number {
  return openMm(c, PTRACE_MODE_ATTACH_FSCREDS);
}

/** Keeps the mm_struct, but not its mappings: they may go while the file is open. */
function openMm(c: Context, mode: number): number {
  const mm = mmAccess(c.k, c.task, mode, c.subject);
  if (mm < 0) return mm;
  mmgrab(c.k, mm);
  mmput(c.k, mm);
  c.k.m.store(c.file + OPEN_FILE.mm, mm);
  return 0;
}

/** Undoes the open functions above. */
export function releaseMm(c: Context): void {
  const mm = c.k.m.exchange(c.file + OPEN_FILE.mm, NULL);
  if (mm !== NULL) mmdrop(c.k, mm);
}

/** The open file's mm, or NULL if nobody uses its mappings any more. */
function usedMm(c: Context): Ptr {
  const mm = c.k.m.load(c.file + OPEN_FILE.mm);
  return mm !== NULL && c.k.m.load(mm + MM.mmUsers) !== 0 ? mm : NULL;
}

/** Copies what a byte string has from `offset` on. */
function copyFrom(m: Memory, bytes: Ptr, offset: number, dest: Uint8Array): number {
  const length = Math.min(bytesLength(m, bytes) - offset, dest.length);
  if (length <= 0) return 0;
  bytesCopy(m, bytes, offset, dest, 0, length);
  return length;
}

/** Reads /proc/<pid>/environ of the mm that was opened: nothing once its mappings are gone (environ_read). @pre RCU */
export function readEnviron(c: Context, offset: number, dest: Uint8Array): number {
  const mm = usedMm(c);
  return mm === NULL ? 0 : copyFrom(c.k.m, c.k.m.load(mm + MM.envp), offset, dest);
}

/** Reads /proc/<pid>/auxv of the mm that was opened, also when its mappings are gone (auxv_read). */
export function readAuxv(c: Context, offset: number, dest: Uint8Array): number {
  const mm = c.k.m.load(c.file + OPEN_FILE.mm);
  if (mm === NULL) return 0;
  const { scratch } = c;
  const room = auxvLength(c.k, mm);
  if (scratch.auxv.length < room) scratch.auxv = new Uint8Array(room);
  const length = auxvRead(c.k, mm, scratch.auxv);
  const copied = Math.min(length - offset, dest.length);
  if (copied <= 0) return 0;
  dest.set(scratch.auxv.subarray(offset, offset + copied));
  return copied;
}

/**
 * Reads /proc/<pid>/cmdline (get_mm_cmdline): the arguments; or, if a program has overwritten their last NUL, the title it
 * has set, up to the first NUL, which may go on in the environment. @pre RCU
 */
export function readCmdline(c: Context, offset: number, dest: Uint8Array): number {
  const { m } = c.k;
  const mm = m.load(c.task + TASK.mm);
  if (mm === NULL) return 0;
  const argv = m.load(mm + MM.argv);
  const length = bytesLength(m, argv);
  if (length === 0) return 0;
  if (m.byteAt(argv + BYTES.words, length - 1) === 0) return copyFrom(m, argv, offset, dest);
  return copyTitle(m, argv, m.load(mm + MM.envp), offset, dest);
}

function copyTitle(m: Memory, argv: Ptr, envp: Ptr, offset: number, dest: Uint8Array): number {
  const first = bytesLength(m, argv);
  const all = Math.min(first + bytesLength(m, envp), PROCTITLE_MAX);
  let copied = 0;
  for (let at = 0; at < all && copied < dest.length; at++) {
    const byte = at < first ? m.byteAt(argv + BYTES.words, at) : m.byteAt(envp + BYTES.words, at - first);
    if (at >= offset) dest[copied++] = byte;
    if (byte === 0) break;
  }
  return copied;
}

/**
 * Reads /proc/<pid>/mem: of the simulated memory only arguments and environment have contents, all else is -EIO as if it
 * were not mapped; nothing once the mappings are gone (mem_rw). @pre RCU
 */
export function readMem(c: Context, offset: number, dest: Uint8Array): number {
  const { m } = c.k;
  const mm = usedMm(c);
  if (mm === NULL) return 0;
  const argStart = m.load64(mm + MM.argStart);
  const envStart = m.load64(mm + MM.envStart);
  let copied = 0;
  if (offset >= argStart) copied = copyFrom(m, m.load(mm + MM.argv), offset - argStart, dest);
  if (copied === 0 && offset >= envStart) copied = copyFrom(m, m.load(mm + MM.envp), offset - envStart, dest);
  return copied === 0 ? -EIO : copied;
}

/** Nothing can be written into simulated memory: -EIO, or 0 once the mappings are gone. */
export function writeMem(c: Context, _offset: number, _data: Uint8Array): number {
  return usedMm(c) === NULL ? 0 : -EIO;
}

/** clear_refs has nothing to read. */
export function readClearRefs(_c: Context, _offset: number, _dest: Uint8Array): number {
  return -EINVAL;
}

const CLEAR_REFS_FIRST = 1;
const CLEAR_REFS_LAST = 5;
const CLEAR_REFS_MM_HIWATER_RSS = 5;

/**
 * Writes clear_refs: 1…5 (-EINVAL). 5 resets the peak resident set; the others clear page bits that the simulation
 * doesn't keep (clear_refs_write).
 */
export function writeClearRefs(c: Context, _offset: number, data: Uint8Array): number {
  const { parsed } = c.scratch;
  parseInteger(data, -0x80000000, 0x7fffffff, parsed);
  if (parsed.error !== 0) return parsed.error;
  if (parsed.value < CLEAR_REFS_FIRST || parsed.value > CLEAR_REFS_LAST) return -EINVAL;
  const { m } = c.k;
  const mm = m.load(c.task + TASK.mm);
  if (mm !== NULL && parsed.value === CLEAR_REFS_MM_HIWATER_RSS) {
    m.store(mm + MM.hiwaterRss, m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem));
  }
  return data.length;
}

/** Shows /proc/<pid>/coredump_filter: nothing without an address space. @pre RCU */
export function showCoredumpFilter(c: Context, out: Text): number {
  const mm = c.k.m.load(c.task + TASK.mm);
  if (mm !== NULL) formatCoredumpFilter(coredumpFilter(c.k.m.load(mm + MM.flags)), out);
  return 0;
}

/** mm->flags holds what differs from the default, so that a new mm's zero is the default. */
function coredumpFilter(flags: number): number {
  return ((flags >>> MMF_DUMP_FILTER_SHIFT) & MMF_DUMP_FILTER_BITS) ^ MMF_DUMP_FILTER_DEFAULT;
}

/** Writes /proc/<pid>/coredump_filter: any number, of which the known bits count; -ESRCH without an address space. */
export function writeCoredumpFilter(c: Context, _offset: number, data: Uint8Array): number {
  const { parsed } = c.scratch;
  parseInteger(data, 0, 0xffffffff, parsed);
  if (parsed.error !== 0) return parsed.error;
  const { m } = c.k;
  const mm = m.load(c.task + TASK.mm);
  if (mm === NULL) return -ESRCH;
  const bits = ((parsed.value & MMF_DUMP_FILTER_BITS) ^ MMF_DUMP_FILTER_DEFAULT) << MMF_DUMP_FILTER_SHIFT;
  const mask = MMF_DUMP_FILTER_BITS << MMF_DUMP_FILTER_SHIFT;
  for (;;) {
    const flags = m.load(mm + MM.flags);
    if (m.compareExchange(mm + MM.flags, flags, (flags & ~mask) | bits) === flags) return data.length;
  }
}
