/** Address spaces as a whole: what fork copies, who keeps the struct, and that all is given back. */
import { SUID_DUMP_USER } from "../../../kernel/flags.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { MM, PAGE_SIZE, PATH, VMA } from "../../../kernel/layout.ts";
import { pathGet, pathNew, pathPut } from "../../../kernel/path.ts";
import {
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_SHARED,
  VM2_SHMEM,
  VM_DONTCOPY,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYALL,
  VM_MAYSHARE,
  VM_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
} from "../../../mm/flags.ts";
import { vmaEndRead, vmaStartRead } from "../../../mm/lock.ts";
import { allVmas, dupMm, mmAlloc, mmdrop, mmget, mmgetNotZero, mmgrab, mmput } from "../../../mm/mm.ts";
import { VmaSpec, vmaNew } from "../../../mm/vma.ts";
import { madviseName } from "../../../mm/mprotect.ts";
import { swapOut, touch, touchFile } from "../../../mm/resident.ts";
import { BYTES, latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, RX, at, must } from "./maps-space.ts";
import type { Ledger, Region } from "./mm-kit.ts";
import {
  ANON_R,
  ANON_RW,
  INHERITED,
  OWN,
  UNTOUCHED,
  judgeLedger,
  judgeRegions,
  place,
  region,
  takeLedger,
  vmaAt,
} from "./mm-kit.ts";
import { reclaimNow } from "../kernel/pid-kit.ts";

/** What fork copies as it is. */
const WORDS = [MM.flags, MM.dumpable, MM.execUid, MM.execEuid, MM.execGid, MM.execEgid] as const;
const QUADS = [
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
/** Of these both share one object. */
const TEXTS = [MM.argv, MM.envp, MM.auxv] as const;

/** A value that no other field has. */
function valueOf(field: number): number {
  return 0x123400000000 + field;
}

interface Family {
  readonly ledger: Ledger;
  readonly mm: Ptr;
  readonly file: Ptr;
  readonly shared: Ptr;
}

/** An address space with each kind of mapping that fork knows, and pages of each kind. */
function makeParent(k: Kernel): Family {
  const { m } = k;
  const ledger = takeLedger(k);
  const mm = mmAlloc(k);
  const file = pathNew(k, { name: "/file" });
  for (const field of WORDS) m.store(mm + field, field);
  for (const field of QUADS) m.store64(mm + field, valueOf(field));
  for (const field of TEXTS) m.store(mm + field, k.bytes(latin1Bytes(`${field}`)));
  m.store(mm + MM.exeFile, pathGet(k, file));
  place(k, mm, 0, 4);
  must(madviseName(k, mm, at(0), 4 * PAGE_SIZE, latin1Bytes("name")));
  place(k, mm, 5, 7, RW, MAP_LOCKED);
  place(k, mm, 8, 9);
  place(k, mm, 10, 11);
  place(k, mm, 12, 16, RW, 0, file);
  place(k, mm, 17, 19, RX, 0, file, 4);
  place(k, mm, 20, 22, RW, MAP_SHARED);
  place(k, mm, 30, 32, RW, MAP_GROWSDOWN);
  place(k, mm, 40, 41, R);
  must(touchFile(k, mm, at(12), 2));
  for (const page of [0, 8, 10, 12, 17, 20, 30]) must(touch(k, mm, at(page), page === 0 ? 3 : 1));
  must(swapOut(k, mm, at(0), 1));
  addFlags(k, mm, 5, VM_LOCKONFAULT);
  addFlags(k, mm, 8, VM_DONTCOPY);
  addFlags(k, mm, 10, VM_WIPEONFORK);
  const shared = m.load(vmaAt(k, mm, 20) + VMA.vmFile);
  pathPut(k, file);
  return { ledger, mm, file, shared };
}

/** As madvise does, which the model has no call for. */
function addFlags(k: Kernel, mm: Ptr, page: number, flags: number): void {
  k.m.or(vmaAt(k, mm, page) + VMA.vmFlags, flags);
}

const STACK = ANON_RW | VM_GROWSDOWN;
const SHARED = VM_READ | VM_WRITE | VM_MAYALL | VM_SHARED | VM_MAYSHARE;

/** The mappings of {@link makeParent}. */
function parentRegions({ file, shared }: Family): Region[] {
  return [
    region(0, 4, { name: "name", family: OWN, pages: [2, 0, 1, 0] }),
    region(5, 7, { flags: ANON_RW | VM_LOCKED | VM_LOCKONFAULT, family: OWN, pages: [2, 0, 0, 0] }),
    region(8, 9, { flags: ANON_RW | VM_DONTCOPY, family: OWN, pages: [1, 0, 0, 0] }),
    region(10, 11, { flags: ANON_RW | VM_WIPEONFORK, family: OWN, pages: [1, 0, 0, 0] }),
    region(12, 16, { pgoff: 0, file, family: OWN, pages: [1, 2, 0, 0] }),
    region(17, 19, { flags: VM_READ | VM_EXEC | VM_MAYALL, pgoff: at(4) - at(0), file, pages: [0, 1, 0, 0] }),
    region(20, 22, { flags: SHARED, flags2: VM2_SHMEM, pgoff: 0, file: shared, pages: [0, 1, 0, 1] }),
    region(30, 32, { flags: STACK, family: OWN, pages: [1, 0, 0, 0] }),
    region(40, 41, { flags: ANON_R }),
  ];
}

/** Those of its copy: what is locked isn't there, one is missing, one is wiped, and pages of files come back by faults. */
function childRegions(family: Family): Region[] {
  const regions: Region[] = [];
  for (const parent of parentRegions(family)) {
    if ((parent.flags & VM_DONTCOPY) !== 0) continue;
    const copied = parent.family === OWN && (parent.flags & VM_WIPEONFORK) === 0;
    regions.push({
      ...parent,
      flags: parent.flags & ~(VM_LOCKED | VM_LOCKONFAULT),
      family: copied ? INHERITED : UNTOUCHED,
      pages: copied ? parent.pages : [0, 0, 0, 0],
    });
  }
  return regions;
}

function judgeFields(k: Kernel, copy: Ptr, family: Family): string | null {
  const { m } = k;
  for (const field of WORDS) if (m.load(copy + field) !== field) return `word ${field} is ${m.load(copy + field)}`;
  for (const field of QUADS) {
    if (m.load64(copy + field) !== valueOf(field)) return `quad ${field} is ${m.load64(copy + field)}`;
  }
  for (const field of TEXTS) {
    const text = m.load(copy + field);
    if (text !== m.load(family.mm + field)) return `text ${field} is another one`;
    if (m.load(text + BYTES.usage) !== 2) return `text ${field} has ${m.load(text + BYTES.usage)} references`;
  }
  const { file, shared } = family;
  if (m.load(copy + MM.exeFile) !== file) return "it is another program";
  // Two address spaces, with two mappings and as a program each.
  const [files, shares] = [m.load(file + PATH.usage), m.load(shared + PATH.usage)];
  if (files !== 6 || shares !== 2) return `the files have ${files} and ${shares} references`;
  const mappers = [m.load(file + PATH.mappers), m.load(shared + PATH.mappers)];
  if (mappers.join() !== "2,2") return `the files are mapped ${mappers.join(" and ")} times`;
  const [users, count] = [m.load(copy + MM.mmUsers), m.load(copy + MM.mmCount)];
  return users === 1 && count === 1 ? null : `it has ${users} users and ${count} references`;
}

/** Ids of the pages that were inherited are all different. */
function judgeFamilies(k: Kernel, copy: Ptr): string | null {
  const ids: number[] = [];
  for (const page of [0, 5, 12, 30]) ids.push(k.m.load(vmaAt(k, copy, page) + VMA.anonVma));
  return new Set(ids).size === ids.length ? null : `the mappings have the pages of ${ids.join(" ")}`;
}

/** Nobody has to wait for the copy: none of its mappings is locked. */
function judgeLocks(k: Kernel, copy: Ptr): string | null {
  for (const vma of allVmas(k, copy)) {
    if (vmaStartRead(k, copy, vma) !== vma) return "a mapping of the copy is locked";
    vmaEndRead(k, vma);
  }
  return null;
}

/** Both go. @returns what is left */
function judgeEnd(k: Kernel, ledger: Ledger, mms: readonly Ptr[]): string | null {
  for (let i = 0; i < mms.length; i++) mmput(k, mms[i] as Ptr);
  return judgeLedger(k, ledger);
}

export const copied = scenario({
  name: "mm/copy",
  about: "fork copies an address space with mappings of each kind; when both have gone, all has been given back",
  quick: true,
  setup: makeParent,
  threads: { fork: (k, { mm }): Ptr => dupMm(k, mm) },
  check: (k, family, { fork }) => {
    const [parent, child] = [parentRegions(family), childRegions(family)];
    return (
      judgeRegions(k, family.mm, parent, { mapped: 19, resident: 13 }) ??
      judgeRegions(k, fork, child, { mapped: 18, resident: 8 }) ??
      judgeFields(k, fork, family) ??
      judgeFamilies(k, fork) ??
      judgeLocks(k, fork) ??
      judgeLedger(k, family.ledger, {
        mms: 2,
        vmas: 17,
        nodes: 2,
        files: 2,
        texts: 6,
        anon: 14,
        file: 5,
        shmem: 1,
        swap: 2,
      }) ??
      judgeEnd(k, family.ledger, [fork, family.mm])
    );
  },
});

/** Whoever has a mapping locked is waited for: what he sees of it is of the moment before the fork, or of after it. */
export const waits = scenario({
  name: "mm/copy-waits",
  about: "fork while somebody has a mapping locked: it is copied when he has let it go",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    place(k, mm, 0, 2);
    return { mm, vma: vmaAt(k, mm, 0), entered: words(k, 1), left: words(k, 1) };
  },
  threads: {
    reader: (k, { mm, vma, entered, left }): void => {
      rcuReadLock(k.t);
      if (vmaStartRead(k, mm, vma) === vma) {
        k.m.store(entered, 1);
        k.m.store(left, 1);
        vmaEndRead(k, vma);
      }
      rcuReadUnlock(k.t);
    },
    fork: (k, { mm, entered, left }): boolean => {
      const inside = k.m.load(entered) === 1;
      const copy = dupMm(k, mm);
      const waited = !inside || k.m.load(left) === 1;
      mmput(k, copy);
      return waited;
    },
  },
  check: (k, { mm }, { fork }) =>
    !fork
      ? "a mapping is copied while another thread has it locked"
      : k.m.load(mm + MM.dumpable) === SUID_DUMP_USER
        ? judgeRegions(k, mm, [region(0, 2)], null)
        : "a new address space can't be dumped",
});

/** A fault changes a mapping and the totals together. */
export const faults = scenario({
  name: "mm/copy-and-faults",
  about: "fork while a page becomes resident: the copy has it in its mapping and in its totals, or in neither",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    place(k, mm, 0, 2);
    must(touch(k, mm, at(0), 1));
    return { mm };
  },
  threads: {
    fork: (k, { mm }): Ptr => dupMm(k, mm),
    fault: (k, { mm }): number => touch(k, mm, at(0), 1),
  },
  check: (k, { mm }, { fork, fault }) => {
    if (fault !== 1) return `${fault} pages became resident`;
    const anon = k.m.load(vmaAt(k, fork, 0) + VMA.nrAnon);
    if (anon !== 1 && anon !== 2) return `the copy has ${anon} pages`;
    return (
      judgeRegions(k, mm, [region(0, 2, { family: OWN, pages: [2, 0, 0, 0] })], { mapped: 2, resident: 2 }) ??
      judgeRegions(k, fork, [region(0, 2, { family: INHERITED, pages: [anon, 0, 0, 0] })], {
        mapped: 2,
        resident: anon,
      })
    );
  },
});

/** An open file of /proc keeps the struct, not the mappings. */
export const grabbed = scenario({
  name: "mm/grab",
  about: "one of two users keeps a reference to the struct alone: it is there until he drops it, whoever goes first",
  extent: { kind: "bounded", preemptions: 2 },
  quick: true,
  setup: (k) => {
    const ledger = takeLedger(k);
    const mm = mmAlloc(k);
    mmget(k, mm);
    k.m.store(mm + MM.auxv, k.bytes(latin1Bytes("auxv")));
    place(k, mm, 0, 2);
    return { mm, ledger };
  },
  threads: {
    opener: (k, { mm }): number => {
      mmgrab(k, mm);
      mmput(k, mm);
      reclaimNow(k);
      const lives = mmgetNotZero(k, mm);
      if (lives) mmput(k, mm);
      reclaimNow(k);
      const users = k.m.load(mm + MM.mmUsers);
      mmdrop(k, mm);
      k.slab.flush();
      return users;
    },
    user: (k, { mm }): void => mmput(k, mm),
  },
  check: (k, { ledger }, { opener: users }) =>
    users === 0 || users === 1 ? judgeLedger(k, ledger) : `it has ${users} users`,
});

/** More mappings than a thread keeps VMAs free for itself, beside what it has in stock. */
const MAPPINGS = 40;
/** What a thread has in stock, what it takes back at a time, and one that is left then: the one that was freed last. */
const REUSED = 16 + 16 + 1;

export const exitAndReuse = scenario({
  name: "mm/exit-and-reuse",
  about: "an address space ends while another thread gets the memory of its mappings: its totals are 0 in the end",
  extent: { kind: "bounded", preemptions: 1 },
  setup: (k) => {
    const [mm, other] = [mmAlloc(k), mmAlloc(k)];
    for (let i = 0; i < MAPPINGS; i++) place(k, mm, i, i + 1, i % 2 === 0 ? R : RW);
    mmgrab(k, mm);
    return { mm, other };
  },
  threads: {
    exit: (k, { mm }): void => mmput(k, mm),
    reuses: (k, { other }): void => {
      const spec = new VmaSpec();
      for (let i = 0; i < REUSED; i++) vmaNew(k, other, at(0), at(8), spec);
    },
  },
  check: (k, { mm }) => judgeRegions(k, mm, [], { mapped: MAPPINGS, resident: 0 }),
});
