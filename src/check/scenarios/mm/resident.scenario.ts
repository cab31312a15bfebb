/** Resident pages: one thread faults in, swaps out and drops pages of all kinds of mappings, and each is counted once. */
import { EFAULT, EINVAL, ENOMEM } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST, MM, PAGE_SIZE, PATH, VMA } from "../../../kernel/layout.ts";
import { pathNew, pathPut } from "../../../kernel/path.ts";
import {
  MAP_ANONYMOUS,
  MAP_GROWSDOWN,
  MAP_NORESERVE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  VM_IO,
  VM_PFNMAP,
} from "../../../mm/flags.ts";
import { mmapWriteLock, mmapWriteUnlock } from "../../../mm/lock.ts";
import { mmSetBrk } from "../../../mm/mm.ts";
import { mmap, munmap } from "../../../mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../../mm/mprotect.ts";
import { brk, expandStack, mremap } from "../../../mm/mremap.ts";
import { dropPages, populate, setResident, swapOut, touch, touchFile } from "../../../mm/resident.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import type { MapsStep } from "../../oracles/maps.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, at, must, probe } from "./maps-space.ts";
import { place, vmaAt } from "./mm-kit.ts";
import type { OwnSpace } from "./space-text.ts";
import { TOP, expectSpace, judgeGone, ownSpace } from "./space-text.ts";

const RWX = 7;

function clear(k: Kernel, mm: Ptr): void {
  must(munmap(k, mm, at(0), at(TOP) - at(0)));
}

/** What the page cache has of a file, and the host of all files but those that were there before. */
function expectCached(k: Kernel, file: Ptr, before: number, pages: number): void {
  const cached = k.m.load(file + PATH.cachedPages);
  const counted = k.m.load(HOST.filePages) - before;
  if (cached !== pages || counted !== pages) throw new Error(`${cached} pages are cached, ${counted} are counted`);
}

export const faults = scenario({
  name: "resident/faults",
  about: "what a fault brings in, by the kind of mapping and of access, and what there is no page for",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 2, 6);
      expectSpace(k, mm, touch(k, mm, at(2), 0), 0, "2-6 rw-p ac");
      expectSpace(k, mm, touch(k, mm, at(2), 3), 3, "2-6 rw-p ac #1 a3");
      expectSpace(k, mm, touch(k, mm, at(5), 9), 1, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, touch(k, mm, at(1), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, touch(k, mm, at(6), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, touchFile(k, mm, at(1), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, touchFile(k, mm, at(6), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, swapOut(k, mm, at(1), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, swapOut(k, mm, at(6), 1), -EFAULT, "2-6 rw-p ac #1 a4");
      expectSpace(k, mm, swapOut(k, mm, at(2), 2), 2, "2-6 rw-p ac #1 a2 s2");
      expectSpace(k, mm, touch(k, mm, at(2), 1), 1, "2-6 rw-p ac #1 a3 s1");
      expectSpace(k, mm, swapOut(k, mm, at(2), 9), 3, "2-6 rw-p ac #1 s4");
      expectSpace(k, mm, touch(k, mm, at(2), 9), 4, "2-6 rw-p ac #1 a4");
      must(mlock(k, mm, at(2), 4 * PAGE_SIZE, true));
      expectSpace(k, mm, swapOut(k, mm, at(2), 1), 0, "2-6 rw-p lo ac #1 a4");
      clear(k, mm);

      place(k, mm, 0, 2, R);
      place(k, mm, 2, 4, PROT_NONE);
      place(k, mm, 6, 8);
      k.m.or(vmaAt(k, mm, 6) + VMA.vmFlags, VM_IO);
      place(k, mm, 10, 12);
      k.m.or(vmaAt(k, mm, 10) + VMA.vmFlags, VM_PFNMAP);
      const text = "0-2 r--p; 2-4 ---p; 6-8 rw-p io ac; 10-12 rw-p pf ac";
      for (let page = 0; page < 12; page += 2) {
        const answer = page === 4 || page === 8 ? -EFAULT : 0;
        expectSpace(k, mm, touch(k, mm, at(page), 1), answer, text);
        expectSpace(k, mm, touchFile(k, mm, at(page), 1), answer, text);
      }
    },
  },
  check: judgeGone,
});

export const files = scenario({
  name: "resident/files",
  about: "pages of files are read, written or copied, and the page cache has each once",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const before = k.m.load(HOST.filePages);
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 4, RW, 0, file);
      expectSpace(k, mm, touchFile(k, mm, at(0), 3), 3, "0-4 rw-p ac file+0 f3");
      expectCached(k, file, before, 3);
      expectSpace(k, mm, touch(k, mm, at(0), 2), 1, "0-4 rw-p ac file+0 #1 a2 f2");
      expectSpace(k, mm, touch(k, mm, at(0), 1), 0, "0-4 rw-p ac file+0 #1 a3 f1");
      expectSpace(k, mm, swapOut(k, mm, at(0), 2), 2, "0-4 rw-p ac file+0 #1 a1 f1 s2");
      expectSpace(k, mm, touchFile(k, mm, at(0), 4), 0, "0-4 rw-p ac file+0 #1 a1 f1 s2");
      clear(k, mm);
      place(k, mm, 10, 14, R, 0, file, 2);
      expectSpace(k, mm, touch(k, mm, at(10), 3), 3, "10-14 r--p file+2 f3");
      expectCached(k, file, before, 5);
      place(k, mm, 20, 24, RW, MAP_SHARED, file);
      expectSpace(k, mm, touch(k, mm, at(20), 2), 2, "10-14 r--p file+2 f3; 20-24 rw-s file+0 f2 d2");
      expectSpace(k, mm, touchFile(k, mm, at(20), 1), 1, "10-14 r--p file+2 f3; 20-24 rw-s file+0 f3 d3");
      expectCached(k, file, before, 5);
      place(k, mm, 10, 24, R, MAP_SHARED, file);
      expectSpace(k, mm, touch(k, mm, at(10), 9), 9, "10-24 r--s file+0 f9");
      expectCached(k, file, before, 9);
      expectSpace(k, mm, swapOut(k, mm, at(10), 1), 0, "10-24 r--s file+0 f9");
      clear(k, mm);
      const shmem = k.m.load(HOST.shmemPages);
      place(k, mm, 30, 34, RW, MAP_SHARED | MAP_ANONYMOUS);
      expectSpace(k, mm, touch(k, mm, at(30), 2), 2, "30-34 rw-s shm+0 f2 d2");
      if (k.m.load(HOST.shmemPages) - shmem !== 2) throw new Error("shared memory is counted elsewhere");
      pathPut(k, file);
    },
  },
  check: judgeGone,
});

/** Memory that will not merge with its neighbours for its permissions alone. */
export const families = scenario({
  name: "resident/families",
  about: "the first page of a mapping makes it kin of the neighbour above, or below, that differs only by permissions",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const kin = "0-2 rw-p ac #1 a1; 2-4 rwxp ac #1 a1";
      place(k, mm, 0, 2);
      place(k, mm, 2, 4, RWX);
      must(touch(k, mm, at(0), 1));
      expectSpace(k, mm, touch(k, mm, at(2), 1), 1, kin);
      clear(k, mm);
      place(k, mm, 0, 2);
      place(k, mm, 2, 4, RWX);
      must(touch(k, mm, at(2), 1));
      expectSpace(k, mm, touch(k, mm, at(0), 1), 1, kin.replaceAll("#1", "#2"));
      clear(k, mm);
      // Both sides have one: that of the upper is taken.
      place(k, mm, 0, 1);
      place(k, mm, 2, 3);
      must(touch(k, mm, at(0), 1));
      must(touch(k, mm, at(2), 1));
      place(k, mm, 1, 2, RWX);
      const between = "0-1 rw-p ac #3 a1; 1-2 rwxp ac #4 a1; 2-3 rw-p ac #4 a1";
      expectSpace(k, mm, touch(k, mm, at(1), 1), 1, between);
      expectSpace(k, mm, touch(k, mm, at(1), 1), 0, between);
      clear(k, mm);
      // Neither those with a gap between, nor others of another kind, place or file.
      place(k, mm, 0, 2);
      must(touch(k, mm, at(0), 1));
      place(k, mm, 3, 5, RWX);
      expectSpace(k, mm, touch(k, mm, at(3), 1), 1, "0-2 rw-p ac #5 a1; 3-5 rwxp ac #6 a1");
      must(mremap(k, mm, at(3), 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at(10)));
      must(mremap(k, mm, at(10), 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at(2)));
      place(k, mm, 4, 6);
      const far = "0-2 rw-p ac #5 a1; 2-4 rwxp ac @3 #6 a1; 4-6 rw-p ac #7 a1";
      expectSpace(k, mm, touch(k, mm, at(4), 1), 1, far);
      place(k, mm, 6, 8, RWX, MAP_NORESERVE);
      expectSpace(k, mm, touch(k, mm, at(6), 1), 1, `${far}; 6-8 rwxp nr #8 a1`);
      clear(k, mm);
      const files = [pathNew(k, { name: "/a" }), pathNew(k, { name: "/b" })];
      place(k, mm, 0, 2, RW, 0, files[0], 0);
      must(touch(k, mm, at(0), 1));
      place(k, mm, 2, 4, RWX, 0, files[1], 2);
      expectSpace(k, mm, touch(k, mm, at(2), 1), 1, "0-2 rw-p ac file+0 #9 a1; 2-4 rwxp ac file+2 #10 a1");
      clear(k, mm);
      // One that was inherited is lent to nobody.
      place(k, mm, 0, 2);
      must(touch(k, mm, at(0), 1));
      k.m.store(vmaAt(k, mm, 0) + VMA.anonVma, -1);
      place(k, mm, 2, 4, RWX);
      expectSpace(k, mm, touch(k, mm, at(2), 1), 1, "0-2 rw-p ac #-1 a1; 2-4 rwxp ac #12 a1");
      clear(k, mm);
      pathPut(k, files[0] as Ptr);
      pathPut(k, files[1] as Ptr);
    },
  },
  check: judgeGone,
});

function drop(k: Kernel, mm: Ptr, from: number, pages: number): number {
  return dropPages(k, mm, at(from), pages * PAGE_SIZE);
}

export const dropped = scenario({
  name: "resident/dropped",
  about: "whole mappings give back all their pages, parts of one their share, locked memory nothing",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 4);
      must(touch(k, mm, at(0), 4));
      must(swapOut(k, mm, at(0), 2));
      place(k, mm, 4, 8, RW, MAP_SHARED, file);
      must(touch(k, mm, at(4), 4));
      place(k, mm, 8, 12, RW, MAP_SHARED | MAP_ANONYMOUS);
      must(touch(k, mm, at(8), 4));
      place(k, mm, 20, 22);
      must(mlock(k, mm, at(20), 2 * PAGE_SIZE, true));
      place(k, mm, 22, 24, RWX);
      must(touch(k, mm, at(22), 2));
      const above = "20-22 rw-p lo ac #2 a2; 22-24 rwxp ac #3 a2";
      const shared = "4-8 rw-s file+0 f4 d4; 8-12 rw-s shm+0 f4 d4";
      expectSpace(k, mm, dropPages(k, mm, at(0) + 1, PAGE_SIZE), -EINVAL, `0-4 rw-p ac #1 a2 s2; ${shared}; ${above}`);
      expectSpace(k, mm, drop(k, mm, 0, 2), 0, `0-4 rw-p ac #1 a1 s1; ${shared}; ${above}`);
      const half = `4-8 rw-s file+0 f2 d2; 8-12 rw-s shm+0 f3 d3`;
      expectSpace(k, mm, drop(k, mm, 6, 3), 0, `0-4 rw-p ac #1 a1 s1; ${half}; ${above}`);
      const gone = "0-4 rw-p ac #1; 4-8 rw-s file+0; 8-12 rw-s shm+0";
      expectSpace(k, mm, drop(k, mm, 0, 24), -EINVAL, `${gone}; ${above}`);
      expectSpace(k, mm, drop(k, mm, 22, 1), 0, `${gone}; 20-22 rw-p lo ac #2 a2; 22-24 rwxp ac #3 a1`);
      expectSpace(k, mm, drop(k, mm, 22, 9), 0, `${gone}; 20-22 rw-p lo ac #2 a2; 22-24 rwxp ac #3`);
      expectSpace(k, mm, drop(k, mm, 12, 8), 0, `${gone}; 20-22 rw-p lo ac #2 a2; 22-24 rwxp ac #3`);
      clear(k, mm);
      pathPut(k, file);
    },
  },
  check: judgeGone,
});

export const populated = scenario({
  name: "resident/populated",
  about: "a range is made resident, without what a device maps, up to what can't be accessed",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 0, 1, PROT_NONE);
      place(k, mm, 2, 4);
      place(k, mm, 4, 6, PROT_NONE);
      k.m.or(vmaAt(k, mm, 4) + VMA.vmFlags, VM_IO);
      place(k, mm, 6, 9, RWX);
      const around = (low: string, high: string): string => `0-1 ---p; ${low}; 4-6 ---p io; ${high}`;
      const some = around("2-4 rw-p ac #1 a1", "6-9 rwxp ac #2 a2");
      expectSpace(k, mm, populate(k, mm, at(3), 5 * PAGE_SIZE), 0, some);
      const all = around("2-4 rw-p ac #1 a2", "6-9 rwxp ac #2 a3");
      expectSpace(k, mm, populate(k, mm, at(1), 9 * PAGE_SIZE), 0, all);
      expectSpace(k, mm, populate(k, mm, at(9), PAGE_SIZE), 0, all);
      expectSpace(k, mm, populate(k, mm, at(0), 9 * PAGE_SIZE), -ENOMEM, all);
    },
  },
  check: judgeGone,
});

function aim(k: Kernel, mm: Ptr, rss: number, swap?: number): number {
  return setResident(k, mm, swap === undefined ? { rss } : { rss, swap });
}

export const aimed = scenario({
  name: "resident/aimed",
  about: "an address space is brought to a size: by dropping pages, or faulting some in, anonymous ones first",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 2, R);
      place(k, mm, 4, 8, R, 0, file);
      place(k, mm, 10, 14);
      place(k, mm, 16, 18, RW, MAP_GROWSDOWN);
      must(touch(k, mm, at(16), 1));
      place(k, mm, 20, 22);
      must(mlock(k, mm, at(20), 2 * PAGE_SIZE, true));
      place(k, mm, 24, 28, RW, MAP_SHARED, file);
      place(k, mm, 30, 32);
      k.m.or(vmaAt(k, mm, 30) + VMA.vmFlags, VM_IO);
      // Read-only memory, the stack, what is locked and what a device maps stay as they are.
      const text = (read: string, anonymous: string, shared: string): string =>
        `0-2 r--p; 4-8 r--p file+0${read}; 10-14 rw-p ac${anonymous}; 16-18 rw-p gd ac #1 a1; 20-22 rw-p lo ac #2 a2; ` +
        `24-28 rw-s file+0${shared}; 30-32 rw-p io ac`;
      expectSpace(k, mm, aim(k, mm, 3), 3, text("", "", ""));
      expectSpace(k, mm, aim(k, mm, 6), 6, text("", " #3 a3", ""));
      expectSpace(k, mm, aim(k, mm, 9), 9, text(" f2", " #3 a4", ""));
      expectSpace(k, mm, aim(k, mm, 14), 14, text(" f4", " #3 a4", " f3 d3"));
      expectSpace(k, mm, aim(k, mm, 99), 15, text(" f4", " #3 a4", " f4 d4"));
      expectSpace(k, mm, aim(k, mm, 13), 13, text(" f2", " #3 a4", " f4 d4"));
      expectSpace(k, mm, aim(k, mm, 4, 3), 4, text("", " #3 s3", " f1 d1"));
      expectSpace(k, mm, aim(k, mm, 4), 4, text("", " #3 s3", " f1 d1"));
      expectSpace(k, mm, aim(k, mm, 5, 2), 5, text("", " #3 a1 s2", " f1 d1"));
      expectSpace(k, mm, aim(k, mm, 5, 99), 5, text("", " #3 a1 s3", " f1 d1"));
      expectSpace(k, mm, aim(k, mm, 0, 0), 3, text("", " #3", ""));
      must(munmap(k, mm, at(10), 4 * PAGE_SIZE));
      place(k, mm, 10, 14, RW, 0, file);
      expectSpace(k, mm, aim(k, mm, 3, 1), 3, text("", " file+0 #4 s1", ""));
      expectSpace(k, mm, aim(k, mm, 7, 0), 7, text("", " file+0 #4 a4", ""));
      clear(k, mm);
      place(k, mm, 10, 14, RW, 0, file);
      must(touchFile(k, mm, at(10), 4));
      expectSpace(k, mm, aim(k, mm, 4, 1), 4, "10-14 rw-p ac file+0 f4");
      expectSpace(k, mm, aim(k, mm, 1, 0), 1, "10-14 rw-p ac file+0 f1");
      clear(k, mm);
      pathPut(k, file);
    },
  },
  check: judgeGone,
});

export const refused = scenario({
  name: "resident/refused",
  about: "who must not sleep doesn't wait for one who changes the mappings: nothing has changed; nothing needs no wait",
  quick: true,
  setup: (k) => {
    const space = ownSpace(k);
    const { mm } = space;
    place(k, mm, 0, 4);
    place(k, mm, 8, 9, R);
    must(touch(k, mm, at(0), 2));
    k.m.store64(mm + MM.startBrk, at(20));
    mmSetBrk(k.m, mm, at(20));
    mmapWriteLock(k, mm);
    k.t.lockdep.handOff([LockClass.mmap]);
    return space;
  },
  threads: {
    caller: (k, { mm }): { answers: number[]; empty: number[] } => {
      k.t.maySleep = false;
      const answers = [
        mmap(k, mm, at(30), PAGE_SIZE, RW, MAP_ANONYMOUS | 2, NULL, 0),
        munmap(k, mm, at(0), PAGE_SIZE),
        mprotect(k, mm, at(0), PAGE_SIZE, R),
        madviseName(k, mm, at(0), PAGE_SIZE, latin1Bytes("name")),
        mlock(k, mm, at(0), PAGE_SIZE, true),
        mremap(k, mm, at(0), 4 * PAGE_SIZE, 5 * PAGE_SIZE, 0),
        brk(k, mm, at(21)),
        expandStack(k, mm, at(0)),
        touch(k, mm, at(0), 1),
        touchFile(k, mm, at(0), 1),
        populate(k, mm, at(0), PAGE_SIZE),
        swapOut(k, mm, at(0), 1),
        dropPages(k, mm, at(0), PAGE_SIZE),
        setResident(k, mm, { rss: 4 }),
      ];
      const empty = [
        mprotect(k, mm, at(0), 0, R),
        madviseName(k, mm, at(0), 0, latin1Bytes("name")),
        mlock(k, mm, at(0), 0, true),
      ];
      k.t.maySleep = true;
      return { answers, empty };
    },
  },
  check: (k, space, { caller: { answers, empty } }) => {
    const { mm } = space;
    k.t.lockdep.takeOver([LockClass.mmap]);
    mmapWriteUnlock(k, mm);
    for (let i = 0; i < answers.length; i++) {
      if (answers[i] !== WAIT_WOULD_BLOCK) return `call ${i} answers ${answers[i]}`;
    }
    if (empty.some((answer) => answer !== 0)) return `calls for nothing answer ${empty.join(", ")}`;
    expectSpace(k, mm, brk(k, mm, 0), at(20), "0-4 rw-p ac #1 a2; 8-9 r--p");
    return judgeGone(k, space);
  },
});

type Act = (k: Kernel, mm: Ptr) => number;

/** Two threads do the same to a mapping of two pages. @param touched how many of them are there before */
function atOnce(what: string, about: string, touched: number, act: Act, text: string): Scenario {
  return scenario({
    name: `resident/two-${what}`,
    about,
    quick: true,
    setup: (k): OwnSpace => {
      const space = ownSpace(k);
      place(k, space.mm, 0, 2);
      must(touch(k, space.mm, at(0), touched));
      return space;
    },
    threads: {
      first: (k, { mm }): number => act(k, mm),
      second: (k, { mm }): number => act(k, mm),
    },
    check: (k, space, { first, second }) => {
      expectSpace(k, space.mm, Math.max(first, second), Math.max(0, first + second), text);
      return judgeGone(k, space);
    },
  });
}

export const twoFileFaults = atOnce(
  "file-faults",
  "two threads fault in the same two pages at once by reading: the mapping has just these afterwards",
  0,
  (k, mm) => touchFile(k, mm, at(0), 2),
  "0-2 rw-p ac #1 a2",
);

export const twoPopulate = atOnce(
  "populate",
  "two threads make the same two pages resident at once: the mapping has just these afterwards",
  0,
  (k, mm) => populate(k, mm, at(0), 2 * PAGE_SIZE),
  "0-2 rw-p ac #1 a2",
);

export const twoDrop = atOnce(
  "drop",
  "two threads drop the same two pages at once: each is given back once",
  2,
  (k, mm) => dropPages(k, mm, at(0), 2 * PAGE_SIZE),
  "0-2 rw-p ac #1",
);

/** Nothing comes or goes. */
export const touchedAgain = scenario({
  name: "resident/touched-again",
  about: "pages of a shared mapping that are there are touched while they are walked: they are there all the time",
  paths: [Path.smaps],
  quick: true,
  setup: (k) => {
    const space = ownSpace(k);
    const file = pathNew(k, { name: "/file" });
    place(k, space.mm, 0, 2, RW, MAP_SHARED, file);
    must(touch(k, space.mm, at(0), 2));
    return { space, file };
  },
  threads: {
    reader: (k, { space: { mm } }): MapsStep => probe(k, mm, Path.smaps, at(0)),
    toucher: (k, { space: { mm } }): number => touch(k, mm, at(0), 2),
  },
  check: (k, { space, file }, { reader, toucher }) => {
    const pages = JSON.stringify(reader.found?.pages);
    if (pages !== `{"anon":0,"file":2,"swap":0}`) return `the pages are ${pages}`;
    expectSpace(k, space.mm, toucher, 0, "0-2 rw-s file+0 f2 d2");
    pathPut(k, file);
    return judgeGone(k, space);
  },
});
