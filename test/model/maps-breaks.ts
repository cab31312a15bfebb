/** Which scenario finds each deliberate mistake of test/stress/maps-breaks.ts, and mistakes that no stress test tells. */
import type { Break } from "../stress/breaks.ts";
import { removed, replaced } from "../stress/edits.ts";
import type { Finding } from "./finding.ts";

export const MAPS_FINDINGS: readonly Finding[] = [
  { name: "maps: gaps are believed", scenario: "maps/split" },
  { name: "maps: vm_mm is not looked at again", scenario: "vma/detach-and-reuse" },
  { name: "maps: vm_lock_seq is not looked at again", scenario: "maps/split" },
  { name: "maps: a detached mapping is looked up from where the iterator stands", scenario: "maps/replace" },
  { name: "maps: the walk goes on where the tree had the mapping end", scenario: "maps/split-below" },
  { name: "maps: a detached mapping is locked", scenario: "maps/reuse" },
  { name: "maps: a writer doesn't wait for readers", scenario: "maps/split" },
  { name: "maps: the lock is not kept while the mapping is read", scenario: "maps/split" },
  { name: "maps: a new mapping can be locked before it is complete", scenario: "smaps/move" },
  { name: "maps: the locked form doesn't take mmap_lock", scenario: "maps/split" },
  { name: "maps: the locked form lets mmap_lock go after each mapping", scenario: "maps/border-down" },
  { name: "smaps_rollup: what was counted below is counted again", scenario: "smaps/rollup" },
];

const LOCK = "src/mm/lock.ts";
const RESIDENT = "src/mm/resident.ts";

/** Mistakes whose windows are a few loads wide, so that threads hardly ever meet in them. */
export const UNSEEN_MAPS_BREAKS: readonly Break[] = [
  {
    name: "maps: a mapping is detached without a wait for who is just finding out",
    world: "maps",
    edits: [
      removed(LOCK, "  if (enterLocked(k, vma, VMA_LOCK_OFFSET)) k.m.add(vma + VMA.vmRefcnt, -VMA_LOCK_OFFSET);\n"),
    ],
  },
  {
    name: "maps: what is unmapped is detached without being write-locked",
    world: "maps",
    edits: [removed("src/mm/vma-edit.ts", "    vmaStartWrite(k, mm, gathered[i] as Ptr);\n")],
  },
  {
    name: "maps: the end of the heap is read in two halves",
    world: "maps",
    edits: [replaced("src/mm/vma-snapshot.ts", "mmBrk(m, mm);", "m.load64(mm + MM.brk);")],
  },
  {
    name: "smaps: two threads change the page counts of one mapping at once",
    world: "maps",
    edits: [
      removed(RESIDENT, "  if (result === WAIT_OK) spinLock(k.t, mm + MM.pageTableLock, LockClass.pageTable);\n"),
      removed(RESIDENT, "  spinUnlock(k.t, mm + MM.pageTableLock, LockClass.pageTable);\n"),
    ],
  },
  {
    name: "smaps: the iterator is kept over a quiescent state",
    world: "maps",
    edits: [removed("src/mm/maps-walk.ts", "    vmaIterInit(this.iter, this.vma.end);\n")],
  },
];

export const UNSEEN_MAPS_FINDINGS: readonly Finding[] = [
  { name: "maps: a mapping is detached without a wait for who is just finding out", scenario: "maps/reuse" },
  { name: "maps: what is unmapped is detached without being write-locked", scenario: "maps/detach" },
  { name: "maps: the end of the heap is read in two halves", scenario: "maps/heap-grows" },
  { name: "smaps: two threads change the page counts of one mapping at once", scenario: "smaps/swap-and-fault" },
  {
    name: "smaps: the iterator is kept over a quiescent state",
    scenario: "smaps/node-reused",
    extent: { kind: "bounded", preemptions: 3 },
  },
];
