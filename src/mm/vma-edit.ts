/**
 * Changes of single VMAs: split, merge, attributes, removal (mm/vma.c). Each becomes visible in the tree by one store,
 * and each VMA that changes or goes is write-locked before. All need mmap_lock held for write.
 */
import { Cache } from "../kernel/caches.ts";
import { ENOMEM } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, VMA } from "../kernel/layout.ts";
import { bytesGet, bytesPut } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { MAX_MAP_COUNT, VM_SPECIAL } from "./flags.ts";
import { vmaMarkAttached, vmaMarkDetached, vmaStartWrite } from "./lock.ts";
import { findVma, treePrepare, treePublish } from "./vma-tree.ts";
import type { Tally, VmaSpec } from "./vma.ts";
import {
  anonVmasCompatible,
  canMerge,
  moveResident,
  specOf,
  tallyPages,
  tallyVma,
  vmaEnd,
  vmaFree,
  vmaNew,
  vmaPages,
  vmaSetRange,
  vmaStart,
} from "./vma.ts";

const PAGE = 4096;

/** VMAs and nodes that an operation on one range needs at most: it splits at both ends, cuts out and puts in. */
const OPERATION_VMAS = 8;
const OPERATION_NODES = 160;

/** Makes sure that one operation finds memory, as it could not stop halfway; false if it would not (-ENOMEM). */
export function reserveOperation(k: Kernel): boolean {
  return k.slab.reserve(Cache.vma, OPERATION_VMAS) && k.slab.reserve(Cache.vmaNode, OPERATION_NODES);
}

/** The VMA that ends exactly at `address`, or NULL. */
export function vmaEndingAt(k: Kernel, mm: Ptr, address: number): Ptr {
  const vma = findVma(k, mm, address - 1);
  return vma !== NULL && vmaEnd(k.m, vma) === address ? vma : NULL;
}

/** The VMA that starts exactly at `address`, or NULL. */
function vmaStartingAt(k: Kernel, mm: Ptr, address: number): Ptr {
  const vma = findVma(k, mm, address);
  return vma !== NULL && vmaStart(k.m, vma) === address ? vma : NULL;
}

/** Puts a new VMA into free address space. */
function vmaInsert(k: Kernel, mm: Ptr, vma: Ptr, tally: Tally): void {
  const start = vmaStart(k.m, vma);
  const end = vmaEnd(k.m, vma);
  const edit = treePrepare(k, mm, start, end, [start, end, vma]);
  vmaMarkAttached(k, vma);
  treePublish(k, mm, edit);
  tallyVma(k.m, tally, vma, 1);
  k.m.add(mm + MM.mapCount, 1);
}

/**
 * Splits a VMA at `address` in two (split_vma).
 * @param newBelow true: the new VMA is the lower part, and `vma` starts at `address` afterwards
 * @returns the new VMA, or -ENOMEM if there are too many
 */
export function vmaSplit(k: Kernel, mm: Ptr, vma: Ptr, address: number, newBelow: boolean): number {
  if (k.m.load(mm + MM.mapCount) >= MAX_MAP_COUNT) return -ENOMEM;
  return splitUncounted(k, mm, vma, address, newBelow);
}

/** As {@link vmaSplit}, for callers who have made sure of the number of VMAs (__split_vma). */
function splitUncounted(k: Kernel, mm: Ptr, vma: Ptr, address: number, newBelow: boolean): Ptr {
  const { m } = k;
  const start = vmaStart(m, vma);
  const end = vmaEnd(m, vma);
  const total = (end - start) / PAGE;
  const fresh = newBelow
    ? vmaNew(k, mm, start, address, specOf(m, vma, start))
    : vmaNew(k, mm, address, end, specOf(m, vma, address));
  const low = newBelow ? fresh : vma;
  const high = newBelow ? vma : fresh;
  const edit = treePrepare(k, mm, start, end, [start, address, low, address, end, high]);
  vmaStartWrite(k, mm, vma);
  moveResident(m, vma, fresh, vmaPages(m, fresh), total);
  if (newBelow) vmaSetRange(k, vma, address, end);
  else vmaSetRange(k, vma, start, address);
  vmaMarkAttached(k, fresh);
  treePublish(k, mm, edit);
  m.add(mm + MM.mapCount, 1);
  return fresh;
}

/** Makes `target` cover [start, end), taking in the VMAs that lie there, with their pages; they are freed. */
export function vmaAbsorb(k: Kernel, mm: Ptr, target: Ptr, start: number, end: number, absorbed: readonly Ptr[]): void {
  const { m } = k;
  const edit = treePrepare(k, mm, start, end, [start, end, target]);
  vmaStartWrite(k, mm, target);
  for (let i = 0; i < absorbed.length; i++) vmaStartWrite(k, mm, absorbed[i] as Ptr);
  for (let i = 0; i < absorbed.length; i++) {
    const vma = absorbed[i] as Ptr;
    const pages = vmaPages(m, vma);
    moveResident(m, vma, target, pages, pages);
    inheritAnonVma(k, target, vma);
  }
  vmaSetRange(k, target, start, end);
  treePublish(k, mm, edit);
  for (let i = 0; i < absorbed.length; i++) release(k, mm, absorbed[i] as Ptr);
}

/** Moves the border between two adjacent VMAs; the pages between the old and the new one change hands. */
function moveBorder(k: Kernel, mm: Ptr, left: Ptr, right: Ptr, border: number): void {
  const { m } = k;
  const start = vmaStart(m, left);
  const old = vmaEnd(m, left);
  const end = vmaEnd(m, right);
  const edit = treePrepare(k, mm, start, end, [start, border, left, border, end, right]);
  vmaStartWrite(k, mm, left);
  vmaStartWrite(k, mm, right);
  if (border > old) moveResident(m, right, left, (border - old) / PAGE, (end - old) / PAGE);
  else moveResident(m, left, right, (old - border) / PAGE, (old - start) / PAGE);
  if (border > old) inheritAnonVma(k, left, right);
  else inheritAnonVma(k, right, left);
  vmaSetRange(k, left, start, border);
  vmaSetRange(k, right, border, end);
  treePublish(k, mm, edit);
}

function inheritAnonVma(k: Kernel, target: Ptr, source: Ptr): void {
  if (k.m.load(target + VMA.anonVma) === 0) k.m.store(target + VMA.anonVma, k.m.load(source + VMA.anonVma));
}

/** Frees a VMA that the tree no longer holds. */
function release(k: Kernel, mm: Ptr, vma: Ptr): void {
  vmaMarkDetached(k, vma);
  vmaFree(k, vma);
  k.m.add(mm + MM.mapCount, -1);
}

/** What {@link vmaModify} gives a range; a field that stays the same equals the VMA's. */
export interface VmaChange {
  readonly flags: number;
  /** BYTES or NULL; borrowed. */
  readonly anonName: Ptr;
}

/**
 * Gives [start, end) of one VMA other attributes, merging it with its neighbours if it is like them then, splitting off
 * what stays as it was otherwise (vma_modify_flags and the like). Totals are kept.
 * @returns the VMA that holds the range now, or -ENOMEM
 */
export function vmaModify(
  k: Kernel,
  mm: Ptr,
  vma: Ptr,
  start: number,
  end: number,
  change: VmaChange,
  tally: Tally,
): number {
  const { m } = k;
  const oldFlags = m.load(vma + VMA.vmFlags);
  const flags2 = m.load(vma + VMA.vmFlags2);
  const pages = (end - start) / PAGE;
  if (!reserveOperation(k)) return -ENOMEM;
  const changed = mergeChanged(k, mm, vma, start, end, change) || splitChanged(k, mm, vma, start, end, change);
  if (changed < 0) return changed;
  tallyPages(tally, oldFlags, flags2, -pages);
  tallyPages(tally, change.flags, flags2, pages);
  return changed;
}

/** Merges the changed range with its neighbours if that can be; 0 if it can't (vma_merge_existing_range). */
function mergeChanged(k: Kernel, mm: Ptr, vma: Ptr, start: number, end: number, change: VmaChange): Ptr {
  const { m } = k;
  if ((change.flags & VM_SPECIAL) !== 0) return NULL;
  const spec = specOf(m, vma, start);
  spec.flags = change.flags;
  spec.anonName = change.anonName;
  const vmStart = vmaStart(m, vma);
  const vmEnd = vmaEnd(m, vma);
  const prev = start === vmStart ? mergeable(k, vmaEndingAt(k, mm, start), spec) : NULL;
  let next = end === vmEnd ? mergeable(k, vmaStartingAt(k, mm, end), spec) : NULL;
  if (prev !== NULL && next !== NULL && !compatible(k, prev, next)) next = NULL;
  if (prev !== NULL && next !== NULL) {
    vmaAbsorb(k, mm, prev, vmaStart(m, prev), vmaEnd(m, next), [vma, next]);
    return prev;
  }
  if (prev !== NULL) {
    if (end === vmEnd) vmaAbsorb(k, mm, prev, vmaStart(m, prev), end, [vma]);
    else moveBorder(k, mm, prev, vma, end);
    return prev;
  }
  if (next === NULL) return NULL;
  if (start === vmStart) vmaAbsorb(k, mm, next, start, vmaEnd(m, next), [vma]);
  else moveBorder(k, mm, vma, next, start);
  return next;
}

function mergeable(k: Kernel, vma: Ptr, spec: VmaSpec): Ptr {
  return vma !== NULL && canMerge(k, vma, spec) ? vma : NULL;
}

function compatible(k: Kernel, prev: Ptr, next: Ptr): boolean {
  const a = k.m.load(prev + VMA.anonVma);
  const b = k.m.load(next + VMA.anonVma);
  return a === 0 || b === 0 || anonVmasCompatible(a, b);
}

function splitChanged(k: Kernel, mm: Ptr, vma: Ptr, start: number, end: number, change: VmaChange): number {
  const { m } = k;
  if (start > vmaStart(m, vma)) {
    const below = vmaSplit(k, mm, vma, start, true);
    if (below < 0) return below;
  }
  if (end < vmaEnd(m, vma)) {
    const above = vmaSplit(k, mm, vma, end, false);
    if (above < 0) return above;
  }
  vmaStartWrite(k, mm, vma);
  m.store(vma + VMA.vmFlags, change.flags);
  const oldName = m.load(vma + VMA.anonName);
  if (oldName !== change.anonName) {
    m.store(vma + VMA.anonName, bytesGet(m, change.anonName));
    bytesPut(m, k.slab, oldName);
  }
  return vma;
}

/**
 * Puts a mapping like `spec` at [start, end), which is free or holds only `replaced`: as part of its neighbours if it is
 * like them (vma_merge_new_range), or as a new VMA. `replaced` VMAs must be detached; they vanish from the tree in the
 * same store.
 * @returns the VMA that holds the range
 */
export function vmaPlace(k: Kernel, mm: Ptr, start: number, end: number, spec: VmaSpec, tally: Tally): Ptr {
  const { m } = k;
  const special = (spec.flags & VM_SPECIAL) !== 0;
  const prev = special ? NULL : mergeable(k, vmaEndingAt(k, mm, start), spec);
  let next = special ? NULL : mergeable(k, vmaStartingAt(k, mm, end), spec);
  if (prev !== NULL && next !== NULL && !compatible(k, prev, next)) next = NULL;
  if (prev === NULL && next === NULL) {
    const vma = vmaNew(k, mm, start, end, spec);
    vmaInsert(k, mm, vma, tally);
    return vma;
  }
  tallyPages(tally, spec.flags, spec.flags2, (end - start) / PAGE);
  if (prev === NULL) vmaAbsorb(k, mm, next, start, vmaEnd(m, next), []);
  else if (next === NULL) vmaAbsorb(k, mm, prev, vmaStart(m, prev), end, []);
  else vmaAbsorb(k, mm, prev, vmaStart(m, prev), vmaEnd(m, next), [next]);
  return prev !== NULL ? prev : next;
}

/**
 * Cuts [start, end) out of the VMAs there and detaches what lies in it, without taking it out of the tree yet
 * (vms_gather_munmap_vmas).
 * @param gathered takes the VMAs
 * @returns 0, or -ENOMEM with nothing gathered
 */
export function gatherRange(k: Kernel, mm: Ptr, start: number, end: number, gathered: Ptr[]): number {
  const { m } = k;
  const first = findVma(k, mm, start);
  if (first === NULL || vmaStart(m, first) >= end) return 0;
  if (start > vmaStart(m, first)) {
    if (end < vmaEnd(m, first) && m.load(mm + MM.mapCount) >= MAX_MAP_COUNT) return -ENOMEM;
    splitUncounted(k, mm, first, start, true);
  }
  for (let vma = first; vma !== NULL && vmaStart(m, vma) < end; vma = findVma(k, mm, vmaEnd(m, vma))) {
    if (vmaEnd(m, vma) > end) splitUncounted(k, mm, vma, end, false);
    gathered.push(vma);
  }
  for (let i = 0; i < gathered.length; i++) {
    vmaStartWrite(k, mm, gathered[i] as Ptr);
    vmaMarkDetached(k, gathered[i] as Ptr);
  }
  return 0;
}

/** Takes [start, end) out of the tree. @pre it holds detached VMAs only */
export function clearRange(k: Kernel, mm: Ptr, start: number, end: number): void {
  treePublish(k, mm, treePrepare(k, mm, start, end, []));
}

/** Frees what {@link gatherRange} gathered. @pre the tree no longer holds it */
export function freeGathered(k: Kernel, mm: Ptr, gathered: readonly Ptr[], tally: Tally): void {
  for (let i = 0; i < gathered.length; i++) {
    tallyVma(k.m, tally, gathered[i] as Ptr, -1);
    vmaFree(k, gathered[i] as Ptr);
  }
  k.m.add(mm + MM.mapCount, -gathered.length);
}
