/** One VMA as /proc shows it: bounds, flags, file, and what its name comes from (get_vma_name, fs/proc/task_mmu.c). */
import type { Kernel } from "../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, PATH, VMA } from "../kernel/layout.ts";
import { BYTES, bytesLength, bytesText } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { SPECIAL_NAMES, VM_EXEC, specialOf } from "./flags.ts";
import { mmBrk } from "./mm.ts";

/** Where the name in the last column comes from. */
export const VmaName = {
  none: 0,
  /** The mapped file: {@link VmaSnapshot.path}. */
  path: 1,
  /** A fixed text: {@link VmaSnapshot.label}. */
  label: 2,
  /** [anon:NAME], with NAME in {@link VmaSnapshot.anonName}. */
  anon: 3,
  /** [anon_shmem:NAME], likewise. */
  anonShmem: 4,
} as const;
export type VmaNameId = (typeof VmaName)[keyof typeof VmaName];

/** [vsyscall], which is no mapping of the process: the last page but a few of the address space (get_gate_vma). */
export const GATE_START = 0xffffffffff600000;
const GATE_END = 0xffffffffff601000;

const OPENING_BRACKET = 0x5b;

/** Plain values; the pointers are valid as long as the VMA stays locked. */
export class VmaSnapshot {
  vma: Ptr = NULL;
  /** Bytes. */
  start = 0;
  end = 0;
  flags = 0;
  flags2 = 0;
  /** Bytes; 0 for anonymous memory. */
  offset = 0;
  /** major << 20 | minor */
  dev = 0;
  ino = 0;
  nameKind: VmaNameId = VmaName.none;
  /** Such as "[heap]". */
  label = "";
  /** PATH or NULL; BYTES or NULL. */
  path: Ptr = NULL;
  anonName: Ptr = NULL;
  /** True for the initial heap and the initial stack, if no file is mapped there (numa_maps says so). */
  isHeap = false;
  isStack = false;
  /** Resident pages: anonymous, of a file, of shared memory; and swapped ones. */
  anonPages = 0;
  filePages = 0;
  shmemPages = 0;
  swapPages = 0;
  /** Dirty ones of filePages and shmemPages. */
  dirtyPages = 0;
  /** How many processes map the file's pages, this one included; 1 for memory of its own. */
  sharers = 1;
}

/**
 * Fills in a VMA.
 * @param pages whether its page counts are wanted, too; they stay as they were otherwise
 * @pre the VMA read-locked, or mmap_lock
 */
export function readVma(k: Kernel, mm: Ptr, vma: Ptr, out: VmaSnapshot, pages = true): void {
  const { m } = k;
  out.vma = vma;
  out.start = m.load64(vma + VMA.vmStart);
  out.end = m.load64(vma + VMA.vmEnd);
  out.flags = m.load(vma + VMA.vmFlags);
  out.flags2 = m.load(vma + VMA.vmFlags2);
  out.path = m.load(vma + VMA.vmFile);
  out.anonName = m.load(vma + VMA.anonName);
  const isFile = out.path !== NULL;
  out.offset = isFile ? m.load64(vma + VMA.vmPgoff) : 0;
  out.dev = isFile ? m.load(out.path + PATH.dev) : 0;
  out.ino = isFile ? m.load64(out.path + PATH.ino) : 0;
  nameVma(k, mm, out);
  if (pages) readPages(k, vma, out);
}

function nameVma(k: Kernel, mm: Ptr, out: VmaSnapshot): void {
  const { m } = k;
  out.label = "";
  out.isHeap = false;
  out.isStack = false;
  if (out.path !== NULL) {
    out.nameKind = out.anonName === NULL ? VmaName.path : VmaName.anonShmem;
    return;
  }
  out.isHeap = out.end > m.load64(mm + MM.startBrk) && out.start < mmBrk(m, mm);
  const startStack = m.load64(mm + MM.startStack);
  out.isStack = out.start <= startStack && out.end >= startStack;
  const special = specialOf(out.flags2);
  const bracketed = out.anonName !== NULL && m.byteAt(out.anonName + BYTES.words, 0) === OPENING_BRACKET;
  if (special !== 0) out.label = SPECIAL_NAMES[special] as string;
  else if (bracketed && bytesLength(m, out.anonName) > 0) out.label = bytesText(m, out.anonName);
  else if (out.isHeap) out.label = "[heap]";
  else if (out.isStack) out.label = "[stack]";
  if (out.label !== "") out.nameKind = VmaName.label;
  else out.nameKind = out.anonName === NULL ? VmaName.none : VmaName.anon;
}

function readPages(k: Kernel, vma: Ptr, out: VmaSnapshot): void {
  const { m } = k;
  // A page that changes its kind meanwhile is not to be counted twice. Faults turn pages of the file, and swapped ones, into
  // anonymous ones: those are read first. The other way round, anonymous pages are swapped out.
  out.anonPages = m.load(vma + VMA.nrAnon);
  const file = m.load(vma + VMA.nrFile);
  const room = (out.end - out.start) / PAGE_SIZE - out.anonPages - file;
  out.swapPages = Math.min(m.load(vma + VMA.nrSwap), Math.max(0, room));
  const shmem = out.path !== NULL && m.load(out.path + PATH.shmem) !== 0;
  out.filePages = shmem ? 0 : file;
  out.shmemPages = shmem ? file : 0;
  out.dirtyPages = Math.min(file, m.load(vma + VMA.nrDirty));
  // Pages of the vDSO belong to the kernel and are mapped by everybody.
  out.sharers = Math.max(1, m.load(out.path === NULL ? HOST.nrProcesses : out.path + PATH.mappers));
}

/**
 * Leaves of a VMA what lies above an address, for sums that have counted what is below already. Which of its pages are
 * resident isn't known: the part has its share, as if the VMA were split there.
 * @pre start < address < end
 */
export function clipBelow(v: VmaSnapshot, address: number): void {
  const above = v.end - address;
  const size = v.end - v.start;
  v.anonPages = Math.floor((v.anonPages * above) / size);
  v.filePages = Math.floor((v.filePages * above) / size);
  v.shmemPages = Math.floor((v.shmemPages * above) / size);
  v.swapPages = Math.floor((v.swapPages * above) / size);
  v.dirtyPages = Math.min(Math.floor((v.dirtyPages * above) / size), v.filePages + v.shmemPages);
  v.start = address;
}

/** Fills in the gate area. */
export function readGate(out: VmaSnapshot): void {
  out.vma = NULL;
  out.start = GATE_START;
  out.end = GATE_END;
  out.flags = VM_EXEC;
  out.flags2 = 0;
  out.offset = 0;
  out.dev = 0;
  out.ino = 0;
  out.nameKind = VmaName.label;
  out.label = "[vsyscall]";
  out.path = NULL;
  out.anonName = NULL;
  out.isHeap = false;
  out.isStack = false;
  out.anonPages = 0;
  out.filePages = 0;
  out.shmemPages = 0;
  out.swapPages = 0;
  out.dirtyPages = 0;
  out.sharers = 1;
}
