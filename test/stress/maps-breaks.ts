/** Deliberate mistakes in the paths of maps and its kin; see breaks.ts. */
import type { Break } from "./breaks.ts";
import { PAUSE, SHORT_NAP, after, before, removed, replaced } from "./edits.ts";

const LOCK = "src/mm/lock.ts";
const WALK = "src/mm/maps-walk.ts";
const SNAPSHOT = "src/mm/vma-snapshot.ts";
const SMAPS = "src/mm/smaps-rollup.ts";

/** Time for a writer between the lookup of a mapping and its lock: at every fourth page, lest walks take too long. */
const BEFORE_LOCK = before(
  LOCK,
  "    const vma = vmaStartRead(k, mm, found);\n",
  `    if (((address / 4096) & 3) === 0) ${SHORT_NAP}\n`,
);
/** Time for a writer while a mapping is read. */
const WHILE_READ = before(SNAPSHOT, "  out.end = m.load64(vma + VMA.vmEnd);\n", `  ${PAUSE}\n`);
/** Time for a writer between the looks at vm_lock_seq. */
const IN_START_READ = before(LOCK, "  const refused = takeReadReference(k, vma);\n", `  ${PAUSE}\n`);

const SECOND_LOOK = "if (!reused && m.load(vma + VMA.vmLockSeq) !== m.load(mm + MM.mmLockSeq)) return vma;";

export const MAPS_BREAKS: readonly Break[] = [
  {
    name: "maps: gaps are believed",
    world: "maps",
    edits: [before(LOCK, "  countEvent(k, path, Event.gapVerified);\n", "  if (path >= 0) return true;\n")],
    delay: [BEFORE_LOCK],
    says: /something lay before it all the time/,
  },
  {
    name: "maps: vm_mm is not looked at again",
    world: "maps",
    edits: [
      replaced(LOCK, "const reused = m.load(vma + VMA.vmMm) !== mm;", "const reused = false;"),
      replaced(LOCK, "if (m.load(vma + VMA.vmMm) !== mm || address >=", "if (address >="),
    ],
    delay: [BEFORE_LOCK],
  },
  {
    name: "maps: vm_lock_seq is not looked at again",
    world: "maps",
    edits: [replaced(LOCK, SECOND_LOOK, "if (!reused) return vma;")],
    delay: [IN_START_READ],
  },
  {
    name: "maps: a detached mapping is looked up from where the iterator stands",
    world: "maps",
    edits: [
      replaced(
        LOCK,
        "      countEvent(k, path, Event.retried);\n      vmaIterInit(iter, address);\n",
        "      countEvent(k, path, Event.retried);\n",
      ),
    ],
    delay: [BEFORE_LOCK],
    says: /something lay before it all the time/,
  },
  {
    name: "maps: the walk goes on where the tree had the mapping end",
    world: "maps",
    edits: [removed(LOCK, "  if (iter.index !== address) vmaIterInit(iter, address);\n")],
    delay: [BEFORE_LOCK],
    says: /something lay before it all the time/,
  },
  {
    name: "maps: a detached mapping is locked",
    world: "maps",
    edits: [removed(LOCK, "    if (seen === 0) return VMA_DETACHED;\n")],
    delay: [BEFORE_LOCK, WHILE_READ],
    withoutLockdep: true,
  },
  {
    name: "maps: a writer doesn't wait for readers",
    world: "maps",
    edits: [replaced(LOCK, "const entered = enterLocked(k, vma, VMA_LOCK_OFFSET + 1);", "const entered = false;")],
    delay: [WHILE_READ],
  },
  {
    name: "maps: the lock is not kept while the mapping is read",
    world: "maps",
    edits: [before(WALK, "    if (walksPages(this.path)) this.walkPages(k, vma);\n", "    this.unlockVma(k);\n")],
    delay: [WHILE_READ],
  },
  {
    name: "maps: a new mapping can be locked before it is complete",
    world: "maps",
    edits: [
      replaced(
        "src/mm/vma.ts",
        "m.store(vma + VMA.vmLockSeq, (sequence & 1) !== 0 ? sequence : NEVER_LOCKED);",
        "m.store(vma + VMA.vmLockSeq, NEVER_LOCKED);",
      ),
    ],
    delay: [after("src/mm/vma-edit.ts", "  vmaMarkAttached(k, fresh);\n  treePublish(k, mm, edit);\n", `  ${PAUSE}\n`)],
  },
  {
    name: "maps: the locked form doesn't take mmap_lock",
    world: "maps",
    form: "locked",
    edits: [
      replaced(WALK, "    return mmapReadLockCounted(k, mm, this.path);\n", "    return WAIT_OK;\n"),
      replaced(WALK, "    if (this.mmapLocked) {\n      mmapReadUnlock(k, mm);\n", "    if (this.mmapLocked) {\n"),
      replaced(WALK, "if (!this.mmapLocked || !k.t.maySleep", "if (mm !== NULL || !k.t.maySleep"),
    ],
    withoutLockdep: true,
  },
  {
    name: "maps: the locked form lets mmap_lock go after each mapping",
    world: "maps",
    form: "locked",
    edits: [
      before(
        WALK,
        "    if (this.mmapLocked) return vmaNext(k, this.mm, this.iter);\n",
        "    if (this.mmapLocked) { mmapReadUnlock(k, this.mm); while (mmapReadLockCounted(k, this.mm, this.path) !== WAIT_OK); }\n",
      ),
    ],
    says: /no single moment/,
  },
  {
    name: "smaps_rollup: what was counted below is counted again",
    world: "maps",
    edits: [removed(SMAPS, "  else if (v.start < bounds.end) clipBelow(v, bounds.end);\n")],
    delay: [before(SMAPS, "    result = walk.giveWay(k);\n", `    ${SHORT_NAP}\n`)],
    says: /pages in all/,
  },
];
