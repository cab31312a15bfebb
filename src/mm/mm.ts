/**
 * Address spaces: life, references, and copying by fork (kernel/fork.c, mm/mmap.c).
 *
 * mm_users counts who uses the mappings (threads, readers that pin them): with the last one they go. mm_count counts
 * references to the struct itself: one for all users together, one for each open file of /proc; the struct goes a grace
 * period after the last.
 */
import { Cache } from "../kernel/caches.ts";
import { SUID_DUMP_USER } from "../kernel/flags.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../kernel/layout.ts";
import { pathGet, pathPut } from "../kernel/path.ts";
import { bytesGet, bytesPut } from "../shm/bytes.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { refcountDecAndTest, refcountInc, refcountIncNotZero } from "../sync/refcount.ts";
import { readSeqcountBegin, seqcountRetry, writeSeqcountBegin, writeSeqcountEnd } from "../sync/seqcount.ts";
import { VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK } from "./flags.ts";
import { mmapWriteLock, mmapWriteUnlock, vmaMarkAttached, vmaMarkDetached, vmaStartWrite } from "./lock.ts";
import { VmaIter, treeBuild, treeDestroy, vmaNext } from "./vma-tree.ts";
import { Tally, VmaSpec, readSpec, tallyApply, tallyPages, tallyResident, tallyVma, vmaFree, vmaNew } from "./vma.ts";

/** A new, empty address space with one user (mm_alloc). */
export function mmAlloc(k: Kernel): Ptr {
  const { m } = k;
  const mm = k.slab.alloc(Cache.mm);
  m.plainStore(mm + MM.mmUsers, 1);
  m.plainStore(mm + MM.mmCount, 1);
  m.plainStore(mm + MM.dumpable, SUID_DUMP_USER);
  return mm;
}

/**
 * The end of the heap, in bytes. The kernel's readers need no lock for it, as a word of theirs holds it all: here its two
 * words are of one moment only while nobody is at brkSeq.
 */
export function mmBrk(m: Memory, mm: Ptr): number {
  for (;;) {
    const sequence = readSeqcountBegin(m, mm + MM.brkSeq);
    const end = m.load64(mm + MM.brk);
    if (!seqcountRetry(m, mm + MM.brkSeq, sequence)) return end;
  }
}

/** Moves the end of the heap. @pre mmap_lock for write */
export function mmSetBrk(m: Memory, mm: Ptr, end: number): void {
  writeSeqcountBegin(m, mm + MM.brkSeq);
  m.store64(mm + MM.brk, end);
  writeSeqcountEnd(m, mm + MM.brkSeq);
}

/** A further user. @pre the caller has one (mmget) */
export function mmget(k: Kernel, mm: Ptr): void {
  refcountInc(k.m, mm + MM.mmUsers);
}

/** A further user, unless the mappings are gone already (mmget_not_zero). @pre RCU, or a reference to the struct */
export function mmgetNotZero(k: Kernel, mm: Ptr): boolean {
  return refcountIncNotZero(k.m, mm + MM.mmUsers);
}

/** Drops a user; the last one takes the mappings along (mmput). The caller holds no lock of this mm. */
export function mmput(k: Kernel, mm: Ptr): void {
  if (!refcountDecAndTest(k.m, mm + MM.mmUsers)) return;
  exitMmap(k, mm);
  dropFile(k, mm, MM.exeFile);
  dropBytes(k, mm, MM.argv);
  dropBytes(k, mm, MM.envp);
  mmdrop(k, mm);
}

/** A further reference to the struct. @pre the caller has one, or is a user (mmgrab) */
export function mmgrab(k: Kernel, mm: Ptr): void {
  refcountInc(k.m, mm + MM.mmCount);
}

/** Drops a reference to the struct (mmdrop). */
export function mmdrop(k: Kernel, mm: Ptr): void {
  if (!refcountDecAndTest(k.m, mm + MM.mmCount)) return;
  dropBytes(k, mm, MM.auxv);
  k.slab.freeRcu(mm);
}

function dropBytes(k: Kernel, mm: Ptr, field: number): void {
  bytesPut(k.m, k.slab, k.m.exchange(mm + field, NULL));
}

function dropFile(k: Kernel, mm: Ptr, field: number): void {
  pathPut(k, k.m.exchange(mm + field, NULL));
}

/** Takes all mappings away (exit_mmap). @pre no user is left, so nobody walks the tree */
function exitMmap(k: Kernel, mm: Ptr): void {
  const vmas = allVmas(k, mm);
  const tally = new Tally();
  mmapWriteLock(k, mm);
  treeDestroy(k, mm);
  for (let i = 0; i < vmas.length; i++) {
    const vma = vmas[i] as Ptr;
    // Nobody has it locked. Somebody may just be finding out that this VMA, met in an older life of it, is not his.
    vmaMarkDetached(k, vma);
    tallyVma(k.m, tally, vma, -1);
    vmaFree(k, vma);
  }
  k.m.store(mm + MM.mapCount, 0);
  tallyApply(k, mm, tally);
  mmapWriteUnlock(k, mm);
}

/** The VMAs in order. @pre mmap_lock, or no other user */
export function allVmas(k: Kernel, mm: Ptr): Ptr[] {
  const iter = new VmaIter();
  const vmas: Ptr[] = [];
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) vmas.push(vma);
  return vmas;
}

/** Entries that a node of a tree that is built at once holds at least, on average. */
const ENTRIES_PER_NODE = 7;
/** Mappings that may come until the copy is made: others may share the address space. */
const MORE_MAPPINGS = 8;

/** Makes sure that an address space with so many mappings finds memory; false if it would not. */
export function reserveMm(k: Kernel, mappings: number): boolean {
  const vmas = mappings + MORE_MAPPINGS;
  const nodes = Math.ceil(vmas / ENTRIES_PER_NODE) + 2;
  return k.slab.reserve(Cache.mm, 1) && k.slab.reserve(Cache.vma, vmas) && k.slab.reserve(Cache.vmaNode, nodes);
}

/** Fields of an address space that fork copies as they are. */
const COPIED = [MM.flags, MM.dumpable, MM.execUid, MM.execEuid, MM.execGid, MM.execEgid, MM.lastAnonVma] as const;
const COPIED_64 = [
  MM.startCode,
  MM.endCode,
  MM.startData,
  MM.endData,
  MM.startBrk,
  MM.brk,
  MM.startStack,
  MM.argStart,
  MM.argEnd,
  MM.envStart,
  MM.envEnd,
  MM.mmapBase,
  MM.vdso,
  MM.phdr,
  MM.entry,
  MM.interpBase,
  MM.platform,
] as const;

/**
 * A copy of an address space, with one user (dup_mm). Locked memory is not locked in the copy; what was marked with
 * MADV_DONTFORK is missing in it. Resident anonymous pages count as copied at once, pages of files not: the copy faults
 * them in when it touches them.
 * @throws ArenaFullError if there is no room; what was copied so far stays lost then, as the simulation is at its end
 */
export function dupMm(k: Kernel, mm: Ptr): Ptr {
  const copy = mmAlloc(k);
  mmapWriteLock(k, mm);
  try {
    copyFields(k, mm, copy);
    dupMmap(k, mm, copy);
  } finally {
    mmapWriteUnlock(k, mm);
  }
  return copy;
}

function copyFields(k: Kernel, mm: Ptr, copy: Ptr): void {
  const { m } = k;
  for (const field of COPIED) m.plainStore(copy + field, m.load(mm + field));
  for (const field of COPIED_64) m.plainStore64(copy + field, m.load64(mm + field));
  m.plainStore(copy + MM.argv, bytesGet(m, m.load(mm + MM.argv)));
  m.plainStore(copy + MM.envp, bytesGet(m, m.load(mm + MM.envp)));
  m.plainStore(copy + MM.auxv, bytesGet(m, m.load(mm + MM.auxv)));
  m.plainStore(copy + MM.exeFile, pathGet(k, m.load(mm + MM.exeFile)));
}

/** Copies the mappings (dup_mmap). Each is write-locked meanwhile, as page faults would change it. */
function dupMmap(k: Kernel, mm: Ptr, copy: Ptr): void {
  const { m } = k;
  const tally = new Tally();
  const entries: number[] = [];
  const iter = new VmaIter();
  const spec = new VmaSpec();
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) {
    vmaStartWrite(k, mm, vma);
    readSpec(m, vma, iter.start, spec);
    if ((spec.flags & VM_DONTCOPY) !== 0) continue;
    entries.push(iter.start, iter.end, dupVma(k, vma, copy, iter, spec, tally));
  }
  treeBuild(k, copy, entries);
  m.plainStore(copy + MM.mapCount, entries.length / 3);
  tallyApply(k, copy, tally);
}

function dupVma(k: Kernel, vma: Ptr, copy: Ptr, { start, end }: VmaIter, spec: VmaSpec, tally: Tally): Ptr {
  const { m } = k;
  spec.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
  const wiped = (spec.flags & VM_WIPEONFORK) !== 0;
  const faulted = spec.anonVma !== 0 && !wiped;
  spec.anonVma = faulted ? -(m.add(copy + MM.lastAnonVma, 1) + 1) : 0;
  const child = vmaNew(k, copy, start, end, spec);
  if (faulted) copyResident(m, vma, child, spec.flags2, tally);
  tallyPages(tally, spec.flags, spec.flags2, (end - start) / PAGE_SIZE);
  vmaMarkAttached(k, child);
  return child;
}

function copyResident(m: Memory, vma: Ptr, child: Ptr, flags2: number, tally: Tally): void {
  const anon = m.load(vma + VMA.nrAnon);
  const file = m.load(vma + VMA.nrFile);
  const swap = m.load(vma + VMA.nrSwap);
  m.store(child + VMA.nrAnon, anon);
  m.store(child + VMA.nrFile, file);
  m.store(child + VMA.nrSwap, swap);
  tallyResident(tally, flags2, anon, file, swap);
}
