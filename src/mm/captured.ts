/** Address spaces that were captured from a real /proc: the same VMAs, so that maps shows the same bytes. */
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, PATH, VMA } from "../kernel/layout.ts";
import { pathNew, pathPut } from "../kernel/path.ts";
import { bytesPut, latin1Bytes } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import {
  SPECIAL_NAMES,
  TASK_SIZE,
  VM2_SHMEM,
  VM2_SPECIAL_SHIFT,
  VM_ACCESS_FLAGS,
  VM_GROWSDOWN,
  VM_MAYSHARE,
  flagsOfPerms,
  parseVmFlags,
} from "./flags.ts";
import { vmaMarkAttached } from "./lock.ts";
import { treeBuild } from "./vma-tree.ts";
import { Tally, VmaSpec, raiseCachedPages, tallyApply, tallyVma, vmaNew } from "./vma.ts";

/** One line of a captured maps, with what smaps says beyond it. The gate area ([vsyscall]) is not part of it. */
export interface CapturedVma {
  readonly start: number;
  readonly end: number;
  /** "r-xp" */
  readonly perms: string;
  readonly offset: number;
  readonly major: number;
  readonly minor: number;
  readonly inode: number;
  /** The rest of the line: a path, "[heap]", "[anon:name]", "/x (deleted)", or nothing. */
  readonly path: string;
  /** Values of smaps in kB by their names; may be empty. */
  readonly smaps?: Readonly<Record<string, number>>;
  /** Two-letter codes of smaps; may be empty. */
  readonly vmFlags?: readonly string[];
}

/** PATHs that captured address spaces share, by device, inode and name; holds a reference to each. */
export type CapturedPaths = Map<string, Ptr>;

const DELETED = " (deleted)";
const S_IFREG_0755 = 0o100755;

/**
 * Fills an empty address space that nobody else can see yet. Heap and stack are put where the records have their labels;
 * the other addresses (startCode …), texts and the executable are the caller's to set.
 * @param records ascending, not overlapping
 * @param paths PATHs to use and to add to; without it the files of each address space are its own
 * @throws RangeError if the records overlap, descend, or are not whole pages
 */
export function loadCaptured(k: Kernel, mm: Ptr, records: readonly CapturedVma[], paths?: CapturedPaths): void {
  const { m } = k;
  const cache: CapturedPaths = paths ?? new Map<string, Ptr>();
  const tally = new Tally();
  const entries: number[] = [];
  checkRecords(records);
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as CapturedVma;
    const vma = captureVma(k, mm, record, i + 1, cache);
    vmaMarkAttached(k, vma);
    tallyVma(m, tally, vma, 1);
    entries.push(record.start, record.end, vma);
  }
  treeBuild(k, mm, entries);
  m.store(mm + MM.mapCount, records.length);
  m.store(mm + MM.lastAnonVma, records.length);
  tallyApply(k, mm, tally);
  setLandmarks(k, mm, records);
  if (paths === undefined) releasePaths(k, cache);
}

/** Drops the references that a cache of PATHs holds. */
export function releasePaths(k: Kernel, paths: CapturedPaths): void {
  for (const path of paths.values()) pathPut(k, path);
  paths.clear();
}

function checkRecords(records: readonly CapturedVma[]): void {
  let last = 0;
  for (const { start, end } of records) {
    if (start % PAGE_SIZE !== 0 || end % PAGE_SIZE !== 0) throw new RangeError("a captured mapping is not whole pages");
    if (start < last || end <= start) throw new RangeError("captured mappings overlap or are out of order");
    if (end > TASK_SIZE + PAGE_SIZE) throw new RangeError("a captured mapping lies beyond user space");
    last = end;
  }
}

function captureVma(k: Kernel, mm: Ptr, record: CapturedVma, id: number, cache: CapturedPaths): Ptr {
  const { m } = k;
  const { path } = record;
  const spec = new VmaSpec();
  const isFile = isFileRecord(record);
  spec.start = record.start;
  setFlags(spec, record, isFile);
  spec.file = isFile ? capturedPath(k, record, cache) : NULL;
  spec.pgoff = isFile ? record.offset : record.start;
  if (isFile && m.load(spec.file + PATH.shmem) !== 0) spec.flags2 |= VM2_SHMEM;
  const special = (SPECIAL_NAMES as readonly string[]).indexOf(path);
  if (!isFile && special > 0) spec.flags2 |= special << VM2_SPECIAL_SHIFT;
  const name = anonymousName(path, isFile, special);
  spec.anonName = name === null ? NULL : k.bytes(latin1Bytes(name));
  const pages = residentPages(record);
  spec.anonVma = pages.anon + pages.swap > 0 ? id : 0;
  const vma = vmaNew(k, mm, record.start, record.end, spec);
  bytesPut(m, k.slab, spec.anonName);
  m.store(vma + VMA.nrAnon, pages.anon);
  m.store(vma + VMA.nrFile, pages.file);
  m.store(vma + VMA.nrSwap, pages.swap);
  m.store(vma + VMA.nrDirty, pages.dirty);
  if (isFile && pages.file > 0) raiseCachedPages(k, spec.file, record.offset / PAGE_SIZE + pages.file);
  return vma;
}

/** A name in brackets without a device is no file. */
function isFileRecord({ path, inode, major, minor }: CapturedVma): boolean {
  if (inode !== 0 || major !== 0 || minor !== 0) return true;
  return path !== "" && !/^\[.*\]$/.test(path);
}

/** Flags as smaps gives them; what maps shows counts if both differ. */
function setFlags(spec: VmaSpec, record: CapturedVma, isFile: boolean): void {
  const shown = flagsOfPerms(record.perms, isFile);
  if (record.vmFlags === undefined || record.vmFlags.length === 0) {
    spec.flags = record.path === "[stack]" ? shown | VM_GROWSDOWN : shown;
    return;
  }
  const visible = VM_ACCESS_FLAGS | VM_MAYSHARE;
  const [flags, flags2] = parseVmFlags(record.vmFlags);
  spec.flags = (flags & ~visible) | (shown & visible);
  spec.flags2 = flags2;
}

/** The text of a name that the VMA itself carries, or null. */
function anonymousName(path: string, isFile: boolean, special: number): string | null {
  const named = /^\[anon(_shmem)?:(.*)\]$/s.exec(path);
  if (named !== null) return named[2] as string;
  if (isFile || special >= 0 || path === "[heap]" || path === "[stack]") return null;
  return path;
}

function capturedPath(k: Kernel, record: CapturedVma, cache: CapturedPaths): Ptr {
  const { major, minor, inode } = record;
  const shown = /^\[anon_shmem:.*\]$/s.test(record.path) ? `/dev/zero${DELETED}` : record.path;
  const key = `${major}:${minor}:${inode}:${shown}`;
  let path = cache.get(key);
  if (path === undefined) {
    const deleted = shown.endsWith(DELETED);
    const name = (deleted ? shown.slice(0, -DELETED.length) : shown).replaceAll("\\012", "\n");
    path = pathNew(k, { name, devMajor: major, devMinor: minor, ino: inode, mode: S_IFREG_0755, deleted });
    cache.set(key, path);
  }
  return path;
}

interface Pages {
  readonly anon: number;
  readonly file: number;
  readonly swap: number;
  readonly dirty: number;
}

function residentPages({ smaps, start, end }: CapturedVma): Pages {
  if (smaps === undefined) return { anon: 0, file: 0, swap: 0, dirty: 0 };
  const size = (end - start) / PAGE_SIZE;
  const rss = Math.min(size, pagesOf(smaps["Rss"]));
  const anon = Math.min(rss, pagesOf(smaps["Anonymous"]));
  const dirty = pagesOf(smaps["Shared_Dirty"]) + pagesOf(smaps["Private_Dirty"]) - anon;
  return {
    anon,
    file: rss - anon,
    swap: Math.min(size - rss, pagesOf(smaps["Swap"])),
    dirty: Math.max(0, Math.min(rss - anon, dirty)),
  };
}

function pagesOf(kilobytes: number | undefined): number {
  return Math.floor(((kilobytes ?? 0) * 1024) / PAGE_SIZE);
}

/** Heap, stack and the like lie where the labels say. */
function setLandmarks(k: Kernel, mm: Ptr, records: readonly CapturedVma[]): void {
  const { m } = k;
  let startBrk = 0;
  let brk = 0;
  // No mapping holds this address.
  let startStack = TASK_SIZE + 2 * PAGE_SIZE;
  let mmapBase = 0;
  for (const { path, start, end } of records) {
    if (path === "[heap]") {
      startBrk = startBrk === 0 ? start : startBrk;
      brk = end;
    }
    if (path === "[stack]" && startStack > TASK_SIZE) startStack = end;
    if (path === "[stack]" && end > startStack) startStack = start;
    if (path === "[vdso]") m.store64(mm + MM.vdso, start);
    if (startStack > TASK_SIZE && path !== "[heap]") mmapBase = end;
  }
  m.store64(mm + MM.startBrk, startBrk);
  m.store64(mm + MM.brk, brk);
  m.store64(mm + MM.startStack, startStack);
  m.store64(mm + MM.mmapBase, mmapBase);
}
