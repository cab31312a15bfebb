/**
 * The VMA tree: a B-tree keyed by address whose nodes are immutable once published, so that readers walk it under RCU
 * (the place of the kernel's maple tree). A writer, holding mmap_lock for write, builds new nodes along the changed path,
 * publishes the new root with one store, and retires the old nodes. A whole range changes in one step, as with
 * mas_store: a reader sees it before or after, never between.
 *
 * Nodes speak of pages, so that an address fits into 36 bits; the functions take and give bytes. Inner entries know the
 * largest gap below them, which makes the search for free address space O(log n).
 */
import { Cache } from "../kernel/caches.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE } from "../kernel/layout.ts";
import { HEADER_WORDS } from "../shm/struct.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";

/** Entries of a leaf: start, end (low words), high parts of both, VMA. */
const LEAF_ENTRY = 4;
const LEAF_MAX = 15;
/** Entries of an inner node: start, end, high parts, child, largest gap within the child. */
const INNER_ENTRY = 5;
const INNER_MAX = 12;
/** Nodes with fewer entries are merged with a neighbour. */
const LEAF_MIN = 4;
const INNER_MIN = 3;

/** Number of entries in the low 8 bits, level (0: leaf) above. */
const META = HEADER_WORDS;
const ENTRIES = HEADER_WORDS + 1;
const START = 0;
const END = 1;
const HIGH = 2;
const CHILD = 3;
const GAP = 4;

/** Words of a node of the VMA tree. */
export const VMA_NODE_WORDS = ENTRIES + LEAF_MAX * LEAF_ENTRY;

const TWO_32 = 4294967296;
/** Gaps are stored in 31 bits; a larger one is stored as this, and searched as "at least". */
const GAP_LIMIT = 0x7fffffff;

/** Numbers that stand for one entry in lists: start page, end page, largest gap in pages, VMA or child. */
const STRIDE = 4;

/** Where an iteration is (struct vma_iterator). Belongs to one thread. */
export class VmaIter {
  /** Address from which the next lookup searches, in bytes. */
  index = 0;
  /** Bounds under which the tree holds the VMA found last, in bytes. */
  start = 0;
  end = 0;
  /** The leaf of the last lookup, valid while the tree's root is still `root`. */
  root: Ptr = NULL;
  leaf: Ptr = NULL;
  slot = 0;
  count = 0;
}

/** The next lookup starts at `address` (vma_iter_init). */
export function vmaIterInit(iter: VmaIter, address: number): void {
  iter.index = address;
  iter.leaf = NULL;
}

/**
 * The next VMA that ends above the iterator's address, or NULL (vma_next).
 * @pre RCU, with no sleep since vmaIterInit; or mmap_lock
 */
export function vmaNext(k: Kernel, mm: Ptr, iter: VmaIter): Ptr {
  const { m } = k;
  const root = m.load(mm + MM.mmMt);
  if (iter.leaf !== NULL && iter.root === root && iter.slot + 1 < iter.count) {
    iter.slot++;
    return takeEntry(m, iter);
  }
  iter.root = root;
  return descend(m, iter, Math.floor(iter.index / PAGE_SIZE));
}

/** The first VMA that ends above `address`, or NULL (find_vma). @pre RCU, or mmap_lock */
export function findVma(k: Kernel, mm: Ptr, address: number): Ptr {
  const { m } = k;
  const page = Math.floor(address / PAGE_SIZE);
  let node = m.load(mm + MM.mmMt);
  while (node !== NULL) {
    const meta = m.load(node + META);
    const size = meta < 256 ? LEAF_ENTRY : INNER_ENTRY;
    const slot = firstEndingAbove(m, node, meta & 255, size, page);
    if (slot === (meta & 255)) return NULL;
    node = m.load(node + ENTRIES + slot * size + CHILD);
    if (meta < 256) return node;
  }
  return NULL;
}

function descend(m: Memory, iter: VmaIter, page: number): Ptr {
  let node = iter.root;
  while (node !== NULL) {
    const meta = m.load(node + META);
    const size = meta < 256 ? LEAF_ENTRY : INNER_ENTRY;
    const slot = firstEndingAbove(m, node, meta & 255, size, page);
    if (slot === (meta & 255)) break;
    if (meta < 256) {
      iter.leaf = node;
      iter.slot = slot;
      iter.count = meta;
      return takeEntry(m, iter);
    }
    node = m.load(node + ENTRIES + slot * size + CHILD);
  }
  iter.leaf = NULL;
  return NULL;
}

function takeEntry(m: Memory, iter: VmaIter): Ptr {
  const at = iter.leaf + ENTRIES + iter.slot * LEAF_ENTRY;
  const high = m.load(at + HIGH);
  iter.start = (m.loadU32(at + START) + (high >>> 16) * TWO_32) * PAGE_SIZE;
  iter.end = (m.loadU32(at + END) + (high & 0xffff) * TWO_32) * PAGE_SIZE;
  iter.index = iter.end;
  return m.load(at + CHILD);
}

/** Slot of the first entry that ends above `page`; `count` if there is none. */
function firstEndingAbove(m: Memory, node: Ptr, count: number, size: number, page: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endPage(m, node + ENTRIES + middle * size) > page) high = middle;
    else low = middle + 1;
  }
  return low;
}

function startPage(m: Memory, at: Ptr): number {
  return m.loadU32(at + START) + (m.load(at + HIGH) >>> 16) * TWO_32;
}

function endPage(m: Memory, at: Ptr): number {
  return m.loadU32(at + END) + (m.load(at + HIGH) & 0xffff) * TWO_32;
}

/** A change of a tree that is prepared but not yet visible. */
export interface TreeEdit {
  /** The new root. */
  root: Ptr;
  /** Published nodes that the new tree no longer has. */
  readonly retired: Ptr[];
  /** New nodes, which nobody else can see yet; some may have been discarded again. */
  readonly fresh: Ptr[];
}

/**
 * Prepares the replacement of all entries within [low, high) by others: insertion, removal, splitting, merging and
 * moving a boundary are all this.
 * @param entries start, end (bytes) and VMA of each new entry, ascending, all within [low, high)
 * @throws ArenaFullError if there is no room for nodes; nothing has changed then
 * @pre mmap_lock for write; no entry crosses `low` or `high`
 */
export function treePrepare(k: Kernel, mm: Ptr, low: number, high: number, entries: readonly number[]): TreeEdit {
  const edit: TreeEdit = { root: NULL, retired: [], fresh: [] };
  const root = k.m.load(mm + MM.mmMt);
  const inserted = toPages(entries);
  if (root === NULL) {
    edit.root = buildUp(k, edit, inserted, 0);
    return edit;
  }
  const level = k.m.load(root + META) >> 8;
  const list = splice(k, edit, root, low / PAGE_SIZE, high / PAGE_SIZE, inserted);
  edit.root = collapse(k, edit, topOf(k, edit, list, level));
  return edit;
}

/** Makes a prepared change visible, with one store, and retires what it replaced. @pre mmap_lock for write */
export function treePublish(k: Kernel, mm: Ptr, edit: TreeEdit): void {
  k.m.store(mm + MM.mmMt, edit.root);
  for (let i = 0; i < edit.retired.length; i++) k.slab.freeRcu(edit.retired[i] as Ptr);
}

/**
 * Builds the tree of an address space that nobody else can see.
 * @param entries start, end (bytes) and VMA of each, ascending
 */
export function treeBuild(k: Kernel, mm: Ptr, entries: readonly number[]): void {
  const edit: TreeEdit = { root: NULL, retired: [], fresh: [] };
  k.m.store(mm + MM.mmMt, buildUp(k, edit, toPages(entries), 0));
}

/** Frees all nodes at once. @pre nobody can walk the tree any more (mm_users is 0) */
export function treeDestroy(k: Kernel, mm: Ptr): void {
  const nodes: Ptr[] = [];
  const root = k.m.load(mm + MM.mmMt);
  k.m.store(mm + MM.mmMt, NULL);
  if (root !== NULL) collectNodes(k.m, root, nodes);
  for (let i = 0; i < nodes.length; i++) k.slab.free(nodes[i] as Ptr);
}

function toPages(entries: readonly number[]): number[] {
  const list: number[] = [];
  for (let i = 0; i < entries.length; i += 3) {
    list.push((entries[i] as number) / PAGE_SIZE, (entries[i + 1] as number) / PAGE_SIZE, 0, entries[i + 2] as number);
  }
  return list;
}

/** Replaces a subtree; @returns the entries that its parent has to hold instead of it. */
function splice(k: Kernel, edit: TreeEdit, node: Ptr, low: number, high: number, inserted: number[]): number[] {
  const meta = k.m.load(node + META);
  discard(k, edit, node);
  if (meta < 256) return writeNodes(k, edit, spliceLeaf(k.m, node, low, high, inserted), 0);
  return writeNodes(k, edit, spliceInner(k, edit, node, low, high, inserted), meta >> 8);
}

function spliceLeaf(m: Memory, node: Ptr, low: number, high: number, inserted: number[]): number[] {
  const old = readNode(m, node);
  const list: number[] = [];
  let i = 0;
  for (; i < old.length && (old[i + 1] as number) <= low; i += STRIDE) copyEntry(old, i, list);
  for (let j = 0; j < inserted.length; j += STRIDE) copyEntry(inserted, j, list);
  while (i < old.length && (old[i] as number) < high) i += STRIDE;
  for (; i < old.length; i += STRIDE) copyEntry(old, i, list);
  return list;
}

function spliceInner(k: Kernel, edit: TreeEdit, node: Ptr, low: number, high: number, inserted: number[]): number[] {
  const old = readNode(k.m, node);
  const last = old.length - STRIDE;
  let first = 0;
  while (first < last && (old[first + 1] as number) <= low) first += STRIDE;
  let end = first;
  while (end < last && (old[end + STRIDE] as number) < high) end += STRIDE;
  const list: number[] = [];
  for (let i = 0; i < first; i += STRIDE) copyEntry(old, i, list);
  append(list, splice(k, edit, old[first + 3] as Ptr, low, high, inserted));
  for (let i = first + STRIDE; i < end; i += STRIDE) discardTree(k, edit, old[i + 3] as Ptr);
  if (end > first) append(list, splice(k, edit, old[end + 3] as Ptr, low, high, []));
  const changed = list.length;
  for (let i = end + STRIDE; i < old.length; i += STRIDE) copyEntry(old, i, list);
  fixSmall(k, edit, list, first, changed);
  return list;
}

/** Merges nodes among list[from, to) that have become too small with a neighbour. */
function fixSmall(k: Kernel, edit: TreeEdit, list: number[], from: number, to: number): void {
  for (let i = Math.min(to, list.length) - STRIDE; i >= from; i -= STRIDE) {
    if (list.length === STRIDE || !isSmall(k.m, list[i + 3] as Ptr)) continue;
    const left = i > 0 ? i - STRIDE : i;
    const a = list[left + 3] as Ptr;
    const b = list[left + STRIDE + 3] as Ptr;
    const both = readNode(k.m, a);
    append(both, readNode(k.m, b));
    const level = k.m.load(a + META) >> 8;
    discard(k, edit, a);
    discard(k, edit, b);
    list.splice(left, 2 * STRIDE, ...writeNodes(k, edit, both, level));
    i = Math.min(i, list.length);
  }
}

function isSmall(m: Memory, node: Ptr): boolean {
  const meta = m.load(node + META);
  return (meta & 255) < (meta < 256 ? LEAF_MIN : INNER_MIN);
}

/** Puts inner nodes above a list of nodes of one level until one is left; NULL for none. */
function topOf(k: Kernel, edit: TreeEdit, list: number[], level: number): Ptr {
  if (list.length === 0) return NULL;
  if (list.length === STRIDE) return list[3] as Ptr;
  return buildUp(k, edit, list, level + 1);
}

function buildUp(k: Kernel, edit: TreeEdit, list: number[], level: number): Ptr {
  return topOf(k, edit, writeNodes(k, edit, list, level), level);
}

/** A root with a single child is not needed. */
function collapse(k: Kernel, edit: TreeEdit, root: Ptr): Ptr {
  let node = root;
  while (node !== NULL && k.m.load(node + META) >= 256 && (k.m.load(node + META) & 255) === 1) {
    const child = k.m.load(node + ENTRIES + CHILD);
    discard(k, edit, node);
    node = child;
  }
  return node;
}

/** Writes a list of entries into as few nodes as hold them; @returns the entries for their parent. */
function writeNodes(k: Kernel, edit: TreeEdit, list: number[], level: number): number[] {
  const total = list.length / STRIDE;
  const pieces = Math.ceil(total / (level === 0 ? LEAF_MAX : INNER_MAX));
  const parents: number[] = [];
  for (let i = 0; i < pieces; i++) {
    const from = Math.floor((total * i) / pieces) * STRIDE;
    const to = Math.floor((total * (i + 1)) / pieces) * STRIDE;
    writeNode(k, edit, list, from, to, level, parents);
  }
  return parents;
}

function writeNode(
  k: Kernel,
  edit: TreeEdit,
  list: number[],
  from: number,
  to: number,
  level: number,
  parents: number[],
): void {
  const { m } = k;
  const node = k.slab.allocDirty(Cache.vmaNode);
  const size = level === 0 ? LEAF_ENTRY : INNER_ENTRY;
  let gap = 0;
  let at = node + ENTRIES;
  for (let i = from; i < to; i += STRIDE, at += size) {
    const start = list[i] as number;
    const end = list[i + 1] as number;
    if (i > from) gap = Math.max(gap, start - (list[i - STRIDE + 1] as number));
    m.plainStore(at + START, start | 0);
    m.plainStore(at + END, end | 0);
    m.plainStore(at + HIGH, ((start / TWO_32) << 16) | ((end / TWO_32) & 0xffff));
    m.plainStore(at + CHILD, list[i + 3] as Ptr);
    if (level === 0) continue;
    gap = Math.max(gap, list[i + 2] as number);
    m.plainStore(at + GAP, list[i + 2] as number);
  }
  m.plainStore(node + META, (to - from) / STRIDE + (level << 8));
  edit.fresh.push(node);
  parents.push(list[from] as number, list[to - STRIDE + 1] as number, Math.min(gap, GAP_LIMIT), node);
}

/** The new tree will not have this node. */
function discard(k: Kernel, edit: TreeEdit, node: Ptr): void {
  if (edit.fresh.includes(node)) k.slab.free(node);
  else edit.retired.push(node);
}

function discardTree(k: Kernel, edit: TreeEdit, node: Ptr): void {
  collectNodes(k.m, node, edit.retired);
}

function collectNodes(m: Memory, node: Ptr, out: Ptr[]): void {
  out.push(node);
  const meta = m.load(node + META);
  if (meta < 256) return;
  for (let i = 0; i < (meta & 255); i++) collectNodes(m, m.load(node + ENTRIES + i * INNER_ENTRY + CHILD), out);
}

function readNode(m: Memory, node: Ptr): number[] {
  const meta = m.load(node + META);
  const size = meta < 256 ? LEAF_ENTRY : INNER_ENTRY;
  const list: number[] = [];
  for (let i = 0; i < (meta & 255); i++) {
    const at = node + ENTRIES + i * size;
    list.push(startPage(m, at), endPage(m, at), meta < 256 ? 0 : m.load(at + GAP), m.load(at + CHILD));
  }
  return list;
}

function copyEntry(from: number[], at: number, to: number[]): void {
  to.push(from[at] as number, from[at + 1] as number, from[at + 2] as number, from[at + 3] as number);
}

function append(list: number[], more: number[]): void {
  for (let i = 0; i < more.length; i++) list.push(more[i] as number);
}

/**
 * The highest free range of `length` bytes within [low, high) (vm_unmapped_area, top down).
 * @returns the end of the range in bytes, or -1
 * @pre mmap_lock
 */
export function findGapTopDown(k: Kernel, mm: Ptr, low: number, high: number, length: number): number {
  const search = { low: low / PAGE_SIZE, need: length / PAGE_SIZE, upper: high / PAGE_SIZE };
  const root = k.m.load(mm + MM.mmMt);
  if (root !== NULL && gapBelow(k.m, root, search)) return search.upper * PAGE_SIZE;
  return search.upper - search.low >= search.need ? search.upper * PAGE_SIZE : -1;
}

interface GapSearch {
  readonly low: number;
  readonly need: number;
  /** What lies above is done; where the search ends, the end of the gap found. */
  upper: number;
}

/** Searches the gaps after and within a node's entries; false: none, and `upper` is the start of its first entry. */
function gapBelow(m: Memory, node: Ptr, search: GapSearch): boolean {
  const meta = m.load(node + META);
  const size = meta < 256 ? LEAF_ENTRY : INNER_ENTRY;
  for (let i = (meta & 255) - 1; i >= 0; i--) {
    const at = node + ENTRIES + i * size;
    if (search.upper - Math.max(endPage(m, at), search.low) >= search.need) return true;
    if (meta >= 256 && m.load(at + GAP) >= Math.min(search.need, GAP_LIMIT) && startPage(m, at) < search.upper) {
      if (gapBelow(m, m.load(at + CHILD), search)) return true;
    }
    search.upper = Math.min(search.upper, startPage(m, at));
    if (search.upper - search.low < search.need) return false;
  }
  return false;
}
