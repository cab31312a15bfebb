/** What a VMA says and counts: its fields from birth on, its share of the pages, its file, and with what it merges. */
import type { Kernel } from "../../../kernel/kernel.ts";
import { PAGE_SIZE, PATH, VMA } from "../../../kernel/layout.ts";
import { pathNew, pathPut } from "../../../kernel/path.ts";
import type { CapturedVma } from "../../../mm/captured.ts";
import { loadCaptured } from "../../../mm/captured.ts";
import {
  MAP_NORESERVE,
  VM2_SHADOW_STACK,
  VM2_SHMEM,
  VM_LOCKED,
  VM_NORESERVE,
  flagsOfPerms,
} from "../../../mm/flags.ts";
import { VMA_BUSY, VMA_DETACHED, vmaEndRead, vmaStartRead } from "../../../mm/lock.ts";
import { dupMm, mmAlloc, mmput } from "../../../mm/mm.ts";
import { munmap } from "../../../mm/mmap.ts";
import { madviseName, mprotect } from "../../../mm/mprotect.ts";
import { touch, touchFile } from "../../../mm/resident.ts";
import { VmaSpec, vmaFree, vmaNew } from "../../../mm/vma.ts";
import { BYTES, bytesPut, latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, RX, at, must } from "./maps-space.ts";
import type { Pages, Region } from "./mm-kit.ts";
import {
  ANON_R,
  ANON_RW,
  INHERITED,
  OWN,
  judgeLedger,
  judgeRegions,
  place,
  region,
  takeLedger,
  vmaAt,
} from "./mm-kit.ts";

/** A VMA that has something in each field, and is freed; its memory is what the next one gets. */
function leaveTraces(k: Kernel, mm: Ptr, file: Ptr): Ptr {
  const spec = new VmaSpec();
  spec.start = at(8);
  spec.flags = ANON_RW | VM_LOCKED;
  spec.flags2 = VM2_SHMEM;
  spec.pgoff = 3 * PAGE_SIZE;
  spec.file = file;
  spec.anonName = k.bytes(latin1Bytes("name"));
  spec.anonVma = 7;
  const vma = vmaNew(k, mm, at(8), at(9), spec);
  for (const field of [VMA.nrAnon, VMA.nrFile, VMA.nrSwap, VMA.nrDirty]) k.m.store(vma + field, 1);
  bytesPut(k.m, k.slab, spec.anonName);
  vmaFree(k, vma);
  return vma;
}

export const secondLife = scenario({
  name: "vma/second-life",
  about: "a mapping in memory that was another one: nothing of that is left in it",
  quick: true,
  setup: (k) => ({ ledger: takeLedger(k), mm: mmAlloc(k), other: mmAlloc(k), file: pathNew(k, { name: "/file" }) }),
  threads: {
    mapper: (k, { mm, other, file }): boolean => {
      const before = leaveTraces(k, other, file);
      place(k, mm, 0, 2);
      return vmaAt(k, mm, 0) === before;
    },
  },
  check: (k, { ledger, mm, other, file }, { mapper: reused }) => {
    if (!reused) return "the memory was not used again";
    const wrong = judgeRegions(k, mm, [region(0, 2)], { mapped: 2, resident: 0 });
    const usage = k.m.load(file + PATH.usage);
    pathPut(k, file);
    mmput(k, mm);
    mmput(k, other);
    return wrong ?? (usage === 1 ? judgeLedger(k, ledger) : `the file has ${usage} references`);
  },
});

/** A named VMA in nobody's tree. */
function named(k: Kernel, mm: Ptr, page: number, name: Ptr): Ptr {
  const spec = new VmaSpec();
  spec.start = at(page);
  spec.anonName = name;
  return vmaNew(k, mm, at(page), at(page + 1), spec);
}

/** More than a thread keeps free for itself, beside what it has in stock. */
const FREED = 40;
/** What a thread has in stock, what it takes back at a time, and one that is left then: the one that was freed last. */
const REUSED = 16 + 16 + 1;

/** What is freed may be another thread's at once. */
export const freed = scenario({
  name: "vma/free-and-reuse",
  about: "a thread frees so many VMAs that another one gets some of them: each name goes with the VMA that had it",
  extent: { kind: "bounded", preemptions: 1 },
  setup: (k) => {
    const mm = mmAlloc(k);
    const [old, young] = [k.bytes(latin1Bytes("old")), k.bytes(latin1Bytes("young"))];
    const vmas: Ptr[] = [];
    for (let i = 0; i < FREED; i++) vmas.push(named(k, mm, i, old));
    return { mm, old, young, vmas };
  },
  threads: {
    frees: (k, { vmas }): void => {
      for (let i = 0; i < vmas.length; i++) vmaFree(k, vmas[i] as Ptr);
    },
    reuses: (k, { mm, young }): void => {
      for (let i = 0; i < REUSED; i++) named(k, mm, i, young);
    },
  },
  check: (k, { old, young }) => {
    const usage = [k.m.load(old + BYTES.usage), k.m.load(young + BYTES.usage)];
    return `${usage.join()}` === `1,${REUSED + 1}` ? null : `the names have ${usage.join(" and ")} references`;
  },
});

/** Captured mappings: pages of all kinds at once. */
function captured(from: number, to: number, perms: string, pages: Pages, vmFlags?: readonly string[]): CapturedVma {
  const [anon, file, swap, dirty] = pages;
  const [kB, place] = [4, { start: at(from), end: at(to), major: 254, minor: 0, inode: 77 }];
  const smaps = { Rss: (anon + file) * kB, Anonymous: anon * kB, Swap: swap * kB, Private_Dirty: (anon + dirty) * kB };
  const bits = vmFlags === undefined ? {} : { vmFlags };
  return { ...place, perms, offset: at(from) - at(0), path: "/data", smaps, ...bits };
}

/** Pages of four mappings before each is split in two, and of both parts. The upper one is new, and is given its pages. */
const SHARES: readonly { readonly at: number; readonly whole: Pages; readonly parts: readonly [Pages, Pages] }[] = [
  // All kinds in equal shares.
  {
    at: 4,
    whole: [4, 2, 2, 2],
    parts: [
      [2, 1, 1, 1],
      [2, 1, 1, 1],
    ],
  },
  // Two thirds of a page are none, but there is only one page below: two go, anonymous ones first.
  {
    at: 1,
    whole: [1, 1, 1, 1],
    parts: [
      [0, 0, 1, 0],
      [1, 1, 0, 1],
    ],
  },
  // Two thirds of two pages are one; the other one goes, too, and is as dirty as it was.
  {
    at: 1,
    whole: [0, 2, 1, 2],
    parts: [
      [0, 0, 1, 0],
      [0, 2, 0, 2],
    ],
  },
  // Most pages are clean.
  {
    at: 4,
    whole: [0, 6, 0, 2],
    parts: [
      [0, 3, 0, 1],
      [0, 3, 0, 1],
    ],
  },
];
const SIZES = [8, 3, 3, 8] as const;
/** Pages from one mapping to the next. */
const STEP = 10;

function shareRegions(file: Ptr, whole: boolean): Region[] {
  const regions: Region[] = [];
  SHARES.forEach((share, i) => {
    const [from, size] = [i * STEP, SIZES[i] as number];
    const family = share.whole[0] + share.whole[2] > 0 ? OWN : 0;
    const part = (start: number, end: number, perms: string, pages: Pages): Region =>
      region(start, end, { flags: flagsOfPerms(perms, true), pgoff: at(start) - at(0), file, family, pages });
    const middle = from + share.at;
    if (whole) regions.push(part(from, from + size, "r--p", share.whole));
    else regions.push(part(from, middle, "r-xp", share.parts[0]), part(middle, from + size, "r--p", share.parts[1]));
  });
  return regions;
}

export const shares = scenario({
  name: "vma/shares",
  about:
    "mappings with pages of each kind are split, and become whole again: each part has its share, and none is lost",
  quick: true,
  setup: (k) => {
    const ledger = takeLedger(k);
    const mm = mmAlloc(k);
    const records = SHARES.map(({ whole }, i) => captured(i * STEP, i * STEP + (SIZES[i] as number), "r--p", whole));
    loadCaptured(k, mm, records);
    return { ledger, mm, file: k.m.load(vmaAt(k, mm, 0) + VMA.vmFile) };
  },
  threads: {
    splitter: (k, { mm, file }): string | null => {
      const before = judgeRegions(k, mm, shareRegions(file, true), { mapped: 22, resident: 16 });
      for (let i = 0; i < SHARES.length; i++) {
        must(mprotect(k, mm, at(i * STEP), (SHARES[i] as { at: number }).at * PAGE_SIZE, RX));
      }
      const after = judgeRegions(k, mm, shareRegions(file, false), { mapped: 22, resident: 16 });
      for (let i = 0; i < SHARES.length; i++) {
        must(mprotect(k, mm, at(i * STEP), (SHARES[i] as { at: number }).at * PAGE_SIZE, R));
      }
      return before ?? after;
    },
  },
  check: (k, { ledger, mm, file }, { splitter }) => {
    const wrong = splitter ?? judgeRegions(k, mm, shareRegions(file, true), { mapped: 22, resident: 16 });
    mmput(k, mm);
    return wrong ?? judgeLedger(k, ledger);
  },
});

export const totals = scenario({
  name: "vma/totals",
  about: "the kinds of memory that mmap doesn't make: they are counted, and no more when they have gone; peaks stay",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    loadCaptured(k, mm, [
      captured(0, 4, "rw-p", [2, 1, 1, 1], ["rd", "wr", "mr", "mw", "me", "ac", "ss"]),
      captured(5, 7, "--xs", [0, 1, 0, 0]),
      captured(8, 9, "rwxp", [1, 0, 0, 0]),
      { ...captured(10, 12, "rw-s", [0, 2, 0, 1]), path: "/dev/shm/x", inode: 78 },
    ]);
    return { mm };
  },
  threads: {
    mapper: (k, { mm }): string | null => {
      const file = k.m.load(vmaAt(k, mm, 0) + VMA.vmFile);
      const shm = k.m.load(vmaAt(k, mm, 10) + VMA.vmFile);
      const of = (page: number, perms: string): Partial<Region> => ({
        flags: flagsOfPerms(perms, true),
        file,
        pgoff: at(page) - at(0),
      });
      const wrong = judgeRegions(
        k,
        mm,
        [
          region(0, 4, { ...of(0, "rw-p"), flags2: VM2_SHADOW_STACK, family: OWN, pages: [2, 1, 1, 1] }),
          region(5, 7, { ...of(5, "--xs"), pages: [0, 1, 0, 0] }),
          region(8, 9, { ...of(8, "rwxp"), family: OWN, pages: [1, 0, 0, 0] }),
          region(10, 12, { ...of(10, "rw-s"), file: shm, flags2: VM2_SHMEM, pages: [0, 2, 0, 1] }),
        ],
        { mapped: 9, resident: 7 },
      );
      must(munmap(k, mm, at(0), at(12) - at(0)));
      place(k, mm, 20, 21);
      must(touch(k, mm, at(20), 1));
      return wrong;
    },
  },
  check: (k, { mm }, { mapper }) => {
    const left = region(20, 21, { family: OWN, pages: [1, 0, 0, 0] });
    return mapper ?? judgeRegions(k, mm, [left], { mapped: 9, resident: 7 });
  },
});

/** What stands at the pages [from, to) in the end: by flags, name, family, pages. */
export const merges = scenario({
  name: "vma/merges",
  about: "what is mapped beside a mapping becomes a part of it, if it is like it in all, and no other",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    return { mm, file: pathNew(k, { name: "/file" }), other: pathNew(k, { name: "/other" }) };
  },
  threads: {
    mapper: (k, { mm, file, other }): void => {
      // Behind, before, between.
      for (const page of [1, 2, 0, 4, 3]) place(k, mm, page, page + 1);
      // Other rights.
      place(k, mm, 5, 6, R);
      // The next pages of the file; not the next ones; another file.
      for (const [page, offset] of [
        [10, 2],
        [11, 3],
        [13, 4],
      ] as const)
        place(k, mm, page, page + 1, R, 0, file, offset);
      place(k, mm, 12, 13, R, 0, other, 4);
      // Untouched memory joins what has been touched, which keeps apart from what was touched elsewhere.
      for (const page of [20, 22]) {
        place(k, mm, page, page + 1);
        must(touch(k, mm, at(page), 1));
      }
      place(k, mm, 21, 22);
      place(k, mm, 14, 15, R, 0, file, 7);
      // What has been touched joins what has not.
      place(k, mm, 30, 31, RW, MAP_NORESERVE);
      place(k, mm, 31, 32, R, MAP_NORESERVE);
      must(touch(k, mm, at(30), 1));
      must(mprotect(k, mm, at(30), PAGE_SIZE, R));
    },
  },
  check: (k, { mm, file, other }) => {
    const touched = { family: OWN, pages: [1, 0, 0, 0] as const };
    return judgeRegions(
      k,
      mm,
      [
        region(0, 5),
        region(5, 6, { flags: ANON_R }),
        region(10, 12, { flags: ANON_R, file, pgoff: 2 * PAGE_SIZE }),
        region(12, 13, { flags: ANON_R, file: other, pgoff: 4 * PAGE_SIZE }),
        region(13, 14, { flags: ANON_R, file, pgoff: 4 * PAGE_SIZE }),
        region(14, 15, { flags: ANON_R, file, pgoff: 7 * PAGE_SIZE }),
        region(20, 22, touched),
        region(22, 23, touched),
        region(30, 32, { flags: ANON_R | VM_NORESERVE, ...touched }),
      ],
      { mapped: 16, resident: 3 },
    );
  },
});

/** Memory of a parent never merges with what the child maps beside it. */
export const inherited = scenario({
  name: "vma/merges-inherited",
  about: "what a child maps beside memory that it has from its parent stays a mapping of its own",
  quick: true,
  setup: (k) => {
    const parent = mmAlloc(k);
    place(k, parent, 1, 2);
    must(touch(k, parent, at(1), 1));
    const mm = dupMm(k, parent);
    return { mm };
  },
  threads: {
    mapper: (k, { mm }): void => {
      place(k, mm, 0, 1);
      place(k, mm, 2, 3);
    },
  },
  check: (k, { mm }) =>
    judgeRegions(k, mm, [region(0, 1), region(1, 2, { family: INHERITED, pages: [1, 0, 0, 0] }), region(2, 3)], {
      mapped: 3,
      resident: 1,
    }),
});

/** Names two pages that lie beside each other. */
function nameTwo(k: Kernel, mm: Ptr, page: number, first: string, second: string): void {
  place(k, mm, page, page + 2);
  must(madviseName(k, mm, at(page), PAGE_SIZE, latin1Bytes(first)));
  if (second !== "") must(madviseName(k, mm, at(page + 1), PAGE_SIZE, latin1Bytes(second)));
}

export const names = scenario({
  name: "vma/merges-names",
  about: "mappings with the same name become one, whoever has given it; with other names they stay apart",
  quick: true,
  setup: (k) => ({ ledger: takeLedger(k), mm: mmAlloc(k) }),
  threads: {
    mapper: (k, { mm }): void => {
      nameTwo(k, mm, 0, "name", "name");
      nameTwo(k, mm, 10, "name", "nale");
      nameTwo(k, mm, 20, "name", "nam");
      nameTwo(k, mm, 30, "nam", "name");
      nameTwo(k, mm, 40, "name", "");
    },
  },
  check: (k, { ledger, mm }) => {
    const regions = [region(0, 2, { name: "name" })];
    for (const [page, first, second] of [
      [10, "name", "nale"],
      [20, "name", "nam"],
      [30, "nam", "name"],
      [40, "name", ""],
    ] as const) {
      regions.push(region(page, page + 1, { name: first }), region(page + 1, page + 2, { name: second }));
    }
    const wrong = judgeRegions(k, mm, regions, { mapped: 10, resident: 0 });
    mmput(k, mm);
    return wrong ?? judgeLedger(k, ledger);
  },
});

/** How often the first page of a file is mapped, as smaps and pagemap would say. */
function mappers(k: Kernel, file: Ptr): number {
  return k.m.load(file + PATH.mappers);
}

export const mappedFiles = scenario({
  name: "vma/mappers",
  about: "who maps the first page of a file is counted, while mappings of it are cut, split, extended and copied",
  quick: true,
  setup: (k) => ({ ledger: takeLedger(k), mm: mmAlloc(k), file: pathNew(k, { name: "/file" }) }),
  threads: {
    mapper: (k, { mm, file }): number[] => {
      const counts: number[] = [];
      place(k, mm, 0, 4, R, 0, file);
      counts.push(mappers(k, file));
      place(k, mm, 10, 14, R, 0, file, 1);
      counts.push(mappers(k, file));
      must(munmap(k, mm, at(3), PAGE_SIZE));
      counts.push(mappers(k, file));
      must(munmap(k, mm, at(0), PAGE_SIZE));
      counts.push(mappers(k, file));
      place(k, mm, 0, 1, R, 0, file);
      counts.push(mappers(k, file));
      place(k, mm, 9, 10, R, 0, file);
      counts.push(mappers(k, file));
      must(mprotect(k, mm, at(1), PAGE_SIZE, RX));
      counts.push(mappers(k, file));
      const copy = dupMm(k, mm);
      counts.push(mappers(k, file));
      mmput(k, copy);
      counts.push(mappers(k, file));
      return counts;
    },
  },
  check: (k, { ledger, mm, file }, { mapper }) => {
    mmput(k, mm);
    const [left, usage] = [mappers(k, file), k.m.load(file + PATH.usage)];
    if (left !== 0 || usage !== 1) return `in the end it has ${left} mappings, and ${usage} references`;
    pathPut(k, file);
    if (mapper.join() !== "1,1,1,0,1,2,2,4,2") return `it was mapped ${mapper.join()} times`;
    return judgeLedger(k, ledger);
  },
});

/** While the mapping is split, both parts may count for a moment. */
export const sharers = scenario({
  name: "vma/sharers",
  about: "a mapping of a file is split twice, and the last part goes: its first page is mapped all the time",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    const file = pathNew(k, { name: "/file" });
    place(k, mm, 0, 4, R, 0, file);
    return { mm, file };
  },
  threads: {
    reader: (k, { file }): number => mappers(k, file),
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(3), PAGE_SIZE));
      must(mprotect(k, mm, at(0), PAGE_SIZE, RX));
    },
  },
  check: (k, { file }, { reader }) =>
    reader >= 1 && mappers(k, file) === 1 ? null : `it is mapped ${reader} times, then ${mappers(k, file)}`,
});

/** Each page is in the page cache once, whoever has brought it there. */
export const cached = scenario({
  name: "vma/cached-pages",
  about: "two address spaces read pages of one file at once: each page is counted once, until the file has gone",
  quick: true,
  setup: (k) => {
    const ledger = takeLedger(k);
    const file = pathNew(k, { name: "/file" });
    const spaces = [mmAlloc(k), mmAlloc(k)];
    for (const mm of spaces) place(k, mm, 0, 4, R, 0, file);
    pathPut(k, file);
    return { ledger, spaces };
  },
  threads: {
    first: (k, { spaces: [mm = NULL] }): number => touchFile(k, mm, at(0), 2),
    second: (k, { spaces: [, mm = NULL] }): number => touchFile(k, mm, at(0), 3),
  },
  check: (k, { ledger, spaces }, { first, second }) => {
    if (first !== 2 || second !== 3) return `${first} and ${second} pages became resident`;
    const wrong = judgeLedger(k, ledger, { mms: 2, vmas: 2, nodes: 2, files: 1, texts: 1, file: 3 });
    for (const mm of spaces) mmput(k, mm);
    return wrong ?? judgeLedger(k, ledger);
  },
});

/** Who has found a VMA of his in its earlier life finds out that it is not his, and does not get in the way of its end. */
export const exits = scenario({
  name: "vma/exit",
  about: "an address space ends while one who knew its mapping in an earlier life looks: nobody can lock what is freed",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    place(k, mm, 0, 2);
    return { mm, vma: vmaAt(k, mm, 0), other: mmAlloc(k) };
  },
  threads: {
    reader: (k, { vma, other }): number => lookAt(k, other, vma),
    exit: (k, { mm }): void => mmput(k, mm),
  },
  check: (k, { vma, other }, { reader }) => {
    if (reader !== VMA_BUSY && reader !== VMA_DETACHED) return `it was locked for another address space: ${reader}`;
    const after = lookAt(k, other, vma);
    return after === VMA_DETACHED ? null : `a freed mapping is not detached: ${after}`;
  },
});

/** Tries to lock a VMA. @returns what came of it */
function lookAt(k: Kernel, mm: Ptr, vma: Ptr): number {
  rcuReadLock(k.t);
  const locked = vmaStartRead(k, mm, vma);
  if (locked > 0) vmaEndRead(k, vma);
  rcuReadUnlock(k.t);
  return locked;
}
