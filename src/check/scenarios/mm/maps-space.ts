/**
 * What the scenarios of maps, smaps and the locks of address spaces have in common: small address spaces of a few mappings,
 * walks over them, and the verdict on both.
 */
import { Cache } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST, MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, VM_ACCESS_FLAGS, VM_SHARED } from "../../../mm/flags.ts";
import { MapsWalk } from "../../../mm/maps-walk.ts";
import { mmAlloc } from "../../../mm/mm.ts";
import { mmap } from "../../../mm/mmap.ts";
import { VmaName, VmaSnapshot, readVma } from "../../../mm/vma-snapshot.ts";
import { VmaIter, vmaIterInit, vmaNext } from "../../../mm/vma-tree.ts";
import { BYTES } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { RWSEM_WORDS } from "../../../sync/rwsem.ts";
import { WAIT_OK } from "../../../sync/thread.ts";
import type { Mapping, MapsStep, PageCounts, Zone } from "../../oracles/maps.ts";
import { judgeMapsStep } from "../../oracles/maps.ts";
import type { Form } from "../../scenario.ts";

/** Where the address spaces begin, in bytes. */
const BASE = 0x10000000;
/** Pages that they have at most. */
const PAGES = 64;

export const R = 1;
export const RW = 3;
export const RX = 5;

/** Stands for "[heap]" among names. */
export const HEAP = -1;
/** No resident pages. */
const NONE: PageCounts = { anon: 0, file: 0, swap: 0 };

/** Address of a page. */
export function at(page: number): number {
  return BASE + page * PAGE_SIZE;
}

/** An anonymous mapping of the pages [from, to). */
export function anon(from: number, to: number, permissions = RW, pages = NONE): Mapping {
  return { start: at(from), end: at(to), permissions, offset: 0, name: 0, pages };
}

/** A private mapping of a file at the pages [from, to). @param offset page of the file */
export function mapped(file: Ptr, from: number, to: number, permissions = RW, offset = 0, pages = NONE): Mapping {
  return { start: at(from), end: at(to), permissions, offset: offset * PAGE_SIZE, name: file, pages };
}

/** Makes one mapping; what was there goes. */
export function map(k: Kernel, mm: Ptr, { start, end, permissions, name, offset }: Mapping): void {
  const flags = MAP_PRIVATE | MAP_FIXED | (name === NULL ? MAP_ANONYMOUS : 0);
  const result = mmap(k, mm, start, end - start, permissions, flags, name, offset);
  if (result !== start) throw new Error(`mmap: ${result}`);
}

/** A new address space with these mappings, and the one user that its maker is. */
export function makeSpace(k: Kernel, mappings: readonly Mapping[]): Ptr {
  const mm = mmAlloc(k);
  for (let i = 0; i < mappings.length; i++) map(k, mm, mappings[i] as Mapping);
  return mm;
}

/** Throws unless a system call has done what it should. */
export function must(result: number): void {
  if (result < 0) throw new Error(`it answers ${result}`);
}

/** Walks from a position to the gate area. @returns each step; none if the address space was gone */
export function walkFrom(k: Kernel, mm: Ptr, path: PathId, position = 0): MapsStep[] {
  const walk = new MapsWalk();
  const steps: MapsStep[] = [];
  walk.position = position;
  walk.lastPosition = position;
  const result = walkOn(k, walk, mm, path, steps);
  if (result < 0) throw new Error(`the walk ended with ${result}`);
  return steps;
}

/**
 * Goes on with a walk from where it is, up to the gate area.
 * @param steps takes each step
 * @param givesWay true to let writers go first after each step
 * @returns 1; 0 if the address space is gone; WAIT_EINTR or WAIT_WOULD_BLOCK
 */
export function walkOn(k: Kernel, walk: MapsWalk, mm: Ptr, path: PathId, steps: MapsStep[], givesWay = false): number {
  let asked = walk.lastPosition;
  let result = walk.start(k, mm, path, walk.position, walk.lastPosition);
  while (result > 0) {
    steps.push(stepOf(k, walk, path, asked));
    if (walk.vma.vma === NULL) break;
    asked = walk.position;
    result = givesWay ? walk.giveWay(k) : WAIT_OK;
    if (result === WAIT_OK) result = walk.next(k);
  }
  walk.stop(k);
  return result;
}

/** Walks with a read for each record, each of which finds one more and has no room for it. */
export function walkInPieces(k: Kernel, mm: Ptr, path: PathId): MapsStep[] {
  const walk = new MapsWalk();
  const steps: MapsStep[] = [];
  let gate = false;
  while (!gate) {
    const asked = walk.lastPosition;
    must(walk.start(k, mm, path, walk.position, walk.lastPosition) - 1);
    steps.push(stepOf(k, walk, path, asked));
    gate = walk.vma.vma === NULL;
    if (!gate) must(walk.next(k) - 1);
    walk.stop(k);
  }
  return steps;
}

/** Looks up the mapping at an address, or the next one, as map_files does. */
export function probe(k: Kernel, mm: Ptr, path: PathId, address: number): MapsStep {
  const walk = new MapsWalk();
  const result = walk.start(k, mm, path, address, address);
  const step = stepOf(k, walk, path, address);
  walk.stop(k);
  if (result !== 1) throw new Error(`the lookup answers ${result}`);
  return step;
}

/** What a walk has found behind a position; null for the gate area. */
export function stepOf(k: Kernel, { vma }: MapsWalk, path: PathId, position: number): MapsStep {
  const pages = path !== Path.maps && path !== Path.revalidate;
  return { position, found: vma.vma === NULL ? null : mappingOf(k, vma, pages) };
}

function mappingOf(k: Kernel, vma: VmaSnapshot, pages: boolean): Mapping {
  return {
    start: vma.start,
    end: vma.end,
    permissions: vma.flags & (VM_ACCESS_FLAGS | VM_SHARED),
    offset: vma.offset,
    name: nameOf(k, vma),
    pages: pages ? { anon: vma.anonPages, file: vma.filePages + vma.shmemPages, swap: vma.swapPages } : null,
  };
}

/** A file stands for itself, a name for its first character. */
function nameOf(k: Kernel, vma: VmaSnapshot): number {
  if (vma.path !== NULL) return vma.path;
  if (vma.nameKind === VmaName.label) return HEAP;
  return vma.anonName === NULL ? 0 : k.m.byteAt(vma.anonName + BYTES.words, 0);
}

/** What an address space was one moment after another. */
export type States = readonly (readonly Mapping[])[];

/** All of an address space, as it was at one of these moments. */
function zone(states: States): Zone {
  const moments = states.map((mappings, i) => ({ from: i, until: i + 1, mappings }));
  return { start: 0, end: at(PAGES), states: moments };
}

/**
 * Judges a walk: each step is true of one moment, and of none before that of the step before; in the locked form all are
 * of the same.
 */
export function judgeWalk(steps: readonly MapsStep[], states: States, form: Form): string | null {
  if (form === "locked") return judgeMoment(steps, states);
  let moment = 0;
  for (const step of steps) {
    const wrong = judgeMapsStep(step, [zone(states)]);
    if (wrong !== null) return wrong;
    while (moment < states.length && judgeMapsStep(step, [zone([states[moment] ?? []])]) !== null) moment++;
    if (moment === states.length) return `a step is older than the one before it: ${JSON.stringify(steps)}`;
  }
  return null;
}

/** Judges steps that belong to one moment. */
function judgeMoment(steps: readonly MapsStep[], states: States): string | null {
  const isTrue = states.some((state) => steps.every((step) => judgeMapsStep(step, [zone([state])]) === null));
  return isTrue ? null : `the walk is of no single moment: ${JSON.stringify(steps)}`;
}

/** Judges a walk each step of which may be true of any of these moments; page counts may lie between. */
export function judgeAnyMoment(steps: readonly MapsStep[], states: States): string | null {
  for (const step of steps) {
    const wrong = judgeMapsStep(step, [zone(states)]);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Objects in use that don't belong to the address spaces of the scenario. */
export interface Rest {
  readonly vmas: number;
  /** Null: not to be looked at. */
  readonly nodes: number | null;
}

/**
 * Counts what is there besides these address spaces: what {@link judgeSpaces} must find again. Called by setup, when all
 * is made.
 */
export function restBeside(k: Kernel, spaces: readonly Ptr[]): Rest {
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
  return countRest(k, spaces);
}

function countRest(k: Kernel, spaces: readonly Ptr[]): { vmas: number; nodes: number } {
  let vmas = k.slab.live(Cache.vma);
  let nodes = k.slab.live(Cache.vmaNode) - retiredNodes(k);
  for (let i = 0; i < spaces.length; i++) {
    const mappings = mappingsOf(k, spaces[i] as Ptr).length;
    vmas -= mappings;
    nodes -= nodesOf(mappings);
  }
  return { vmas, nodes };
}

/** An address space, and what may be mapped there in the end. */
export interface Final {
  readonly mm: Ptr;
  readonly states: States;
}

/** Judges address spaces when all threads have ended: nothing is locked, nothing has been lost, all is as it may be. */
export function judgeSpaces(k: Kernel, rest: Rest, finals: readonly Final[]): string | null {
  for (let i = 0; i < finals.length; i++) {
    const wrong = judgeSpace(k, finals[i] as Final);
    if (wrong !== null) return wrong;
  }
  const spaces: Ptr[] = [];
  for (let i = 0; i < finals.length; i++) spaces.push((finals[i] as Final).mm);
  const now = countRest(k, spaces);
  if (now.vmas !== rest.vmas) return `${now.vmas - rest.vmas} mappings are nobody's`;
  return rest.nodes === null || now.nodes === rest.nodes ? null : `${now.nodes - rest.nodes} nodes are nobody's`;
}

function judgeSpace(k: Kernel, { mm, states }: Final): string | null {
  const { m } = k;
  // The third word is a generation.
  for (let i = 0; i < RWSEM_WORDS; i++) {
    if (i !== 2 && m.load(mm + MM.mmapLock + i) !== 0)
      return `word ${i} of mmap_lock is ${m.load(mm + MM.mmapLock + i)}`;
  }
  if ((m.load(mm + MM.mmLockSeq) & 1) !== 0) return "mm_lock_seq is odd";
  const mappings = mappingsOf(k, mm);
  if (m.load(mm + MM.mapCount) !== mappings.length) return `map_count is ${m.load(mm + MM.mapCount)}`;
  const wrong = judgeVmas(k, mm) ?? judgeTotals(k, mm, mappings);
  if (wrong !== null) return wrong;
  const text = JSON.stringify(mappings);
  return states.some((state) => JSON.stringify(state) === text) ? null : `in the end there is ${text}`;
}

function judgeVmas(k: Kernel, mm: Ptr): string | null {
  const { m } = k;
  const iter = new VmaIter();
  vmaIterInit(iter, 0);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) {
    const start = m.load64(vma + VMA.vmStart);
    const end = m.load64(vma + VMA.vmEnd);
    const text = `the mapping ${start.toString(16)}-${end.toString(16)}`;
    if (iter.start !== start || iter.end !== end) return `${text} stands elsewhere in the tree`;
    if (m.load(vma + VMA.vmRefcnt) !== 1) return `${text} has vm_refcnt ${m.load(vma + VMA.vmRefcnt)}`;
    if (m.load(vma + VMA.vmMm) !== mm) return `${text} has another vm_mm`;
  }
  return null;
}

function judgeTotals(k: Kernel, mm: Ptr, mappings: readonly Mapping[]): string | null {
  const { m } = k;
  const sum = { total: 0, resident: 0, swapped: 0 };
  for (const { start, end, pages } of mappings) {
    sum.total += (end - start) / PAGE_SIZE;
    if (pages === null) continue;
    sum.resident += pages.anon + pages.file;
    sum.swapped += pages.swap;
  }
  const total = m.load64(mm + MM.totalVm);
  if (total !== sum.total) return `total_vm is ${total}, not ${sum.total}`;
  const resident = m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem);
  if (resident !== sum.resident) return `the resident size is ${resident}, not ${sum.resident}`;
  const swapped = m.load(mm + MM.swapEnts);
  return swapped === sum.swapped ? null : `${swapped} pages are swapped out, not ${sum.swapped}`;
}

/** @pre nobody changes the address space */
function mappingsOf(k: Kernel, mm: Ptr): Mapping[] {
  const iter = new VmaIter();
  const snapshot = new VmaSnapshot();
  const mappings: Mapping[] = [];
  vmaIterInit(iter, 0);
  for (let vma = vmaNext(k, mm, iter); vma !== NULL; vma = vmaNext(k, mm, iter)) {
    readVma(k, mm, vma, snapshot);
    mappings.push(mappingOf(k, snapshot, true));
  }
  return mappings;
}

/** So few mappings fit into one leaf. */
function nodesOf(mappings: number): number {
  return mappings === 0 ? 0 : 1;
}

/** Nodes of trees that wait for a grace period. */
function retiredNodes(k: Kernel): number {
  let count = 0;
  for (let object = k.m.load(HOST.rcuPending); object !== NULL; object = k.m.load(object + 1)) {
    if ((k.m.load(object) & 0xff) === Cache.vmaNode) count++;
  }
  return count;
}
