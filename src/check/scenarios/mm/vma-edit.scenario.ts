/**
 * Mappings are split, merged and cut by one thread's calls, and each time there is just what the real kernel leaves
 * (6.18, measured, but for names, which that kernel was built without).
 */
import { ENOMEM } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE } from "../../../kernel/layout.ts";
import { MAX_MAP_COUNT, MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../mm/flags.ts";
import { munmap } from "../../../mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../../mm/mprotect.ts";
import { mremap } from "../../../mm/mremap.ts";
import { touch } from "../../../mm/resident.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, at, must } from "./maps-space.ts";
import { place } from "./mm-kit.ts";
import { expectSpace, fillArena, judgeGone, ownSpace, spaceText } from "./space-text.ts";

/** Maps the pages [from, to), and faults all of them in. */
function placeTouched(k: Kernel, mm: Ptr, from: number, to: number): void {
  place(k, mm, from, to);
  must(touch(k, mm, at(from), to - from));
}

/** Unmaps the pages [from, to). */
function unmap(k: Kernel, mm: Ptr, from: number, to: number): number {
  return munmap(k, mm, at(from), (to - from) * PAGE_SIZE);
}

function protect(k: Kernel, mm: Ptr, from: number, to: number, prot: number): number {
  return mprotect(k, mm, at(from), (to - from) * PAGE_SIZE, prot);
}

/** Moves the pages [from, to) to another page. */
function move(k: Kernel, mm: Ptr, from: number, to: number, target: number): number {
  const length = (to - from) * PAGE_SIZE;
  return mremap(k, mm, at(from), length, length, MREMAP_MAYMOVE | MREMAP_FIXED, at(target));
}

/** Locks and unlocks the pages [from, to), by which they are faulted in. */
function fault(k: Kernel, mm: Ptr, from: number, to: number): void {
  must(mlock(k, mm, at(from), (to - from) * PAGE_SIZE, true));
  must(mlock(k, mm, at(from), (to - from) * PAGE_SIZE, false));
}

/** @param text "": without a name */
function name(k: Kernel, mm: Ptr, from: number, to: number, text: string): number {
  return madviseName(k, mm, at(from), (to - from) * PAGE_SIZE, text === "" ? null : latin1Bytes(text));
}

export const places = scenario({
  name: "vma/places",
  about: "memory is mapped above, below and between what is like it, moved there, and taken out again",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      expectSpace(k, mm, unmap(k, mm, 0, 9), 0, "");
      place(k, mm, 0, 2);
      expectSpace(k, mm, unmap(k, mm, 4, 9), 0, "0-2 rw-p ac");
      place(k, mm, 4, 6);
      expectSpace(k, mm, place(k, mm, 2, 4), at(2), "0-6 rw-p ac");
      expectSpace(k, mm, unmap(k, mm, 2, 4), 0, "0-2 rw-p ac; 4-6 rw-p ac");
      expectSpace(k, mm, unmap(k, mm, 2, 4), 0, "0-2 rw-p ac; 4-6 rw-p ac");
      expectSpace(k, mm, place(k, mm, 2, 3), at(2), "0-3 rw-p ac; 4-6 rw-p ac");
      expectSpace(k, mm, unmap(k, mm, 2, 4), 0, "0-2 rw-p ac; 4-6 rw-p ac");
      expectSpace(k, mm, place(k, mm, 3, 4), at(3), "0-2 rw-p ac; 3-6 rw-p ac");
      expectSpace(k, mm, place(k, mm, 2, 3, R), at(2), "0-2 rw-p ac; 2-3 r--p; 3-6 rw-p ac");
      expectSpace(k, mm, place(k, mm, 1, 4, R), at(1), "0-1 rw-p ac; 1-4 r--p; 4-6 rw-p ac");
      expectSpace(k, mm, unmap(k, mm, 0, 9), 0, "");
      placeTouched(k, mm, 0, 2);
      placeTouched(k, mm, 4, 6);
      expectSpace(k, mm, place(k, mm, 2, 4), at(2), "0-4 rw-p ac #1 a2; 4-6 rw-p ac #2 a2");
      must(unmap(k, mm, 0, 9));
      place(k, mm, 4, 6);
      place(k, mm, 10, 12);
      expectSpace(k, mm, move(k, mm, 10, 12, 2), at(2), "2-6 rw-p ac");
      place(k, mm, 10, 12);
      expectSpace(k, mm, move(k, mm, 10, 12, 6), at(6), "2-8 rw-p ac");
      place(k, mm, 10, 12);
      expectSpace(k, mm, move(k, mm, 10, 12, 8), at(8), "2-10 rw-p ac");
    },
  },
  check: judgeGone,
});

export const protections = scenario({
  name: "vma/protections",
  about: "parts of a mapping get another protection, and become one again with what is like them, with their pages",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      placeTouched(k, mm, 0, 6);
      const low = "0-2 r--p ac #1 a2; 2-6 rw-p ac #1 a4";
      const high = "0-4 rw-p ac #1 a4; 4-6 r--p ac #1 a2";
      const all = "0-6 rw-p ac #1 a6";
      const three = "0-2 rw-p ac #1 a2; 2-4 r--p ac #1 a2; 4-6 rw-p ac #1 a2";
      expectSpace(k, mm, protect(k, mm, 2, 4, R), 0, three);
      expectSpace(k, mm, protect(k, mm, 2, 4, RW), 0, all);
      expectSpace(k, mm, protect(k, mm, 0, 2, R), 0, low);
      expectSpace(k, mm, protect(k, mm, 2, 4, R), 0, "0-4 r--p ac #1 a4; 4-6 rw-p ac #1 a2");
      expectSpace(k, mm, protect(k, mm, 2, 4, RW), 0, low);
      expectSpace(k, mm, protect(k, mm, 0, 2, RW), 0, all);
      expectSpace(k, mm, protect(k, mm, 4, 6, R), 0, high);
      expectSpace(k, mm, protect(k, mm, 4, 6, RW), 0, all);
      expectSpace(k, mm, protect(k, mm, 0, 2, R), 0, low);
      expectSpace(k, mm, protect(k, mm, 0, 1, RW), 0, "0-1 rw-p ac #1 a1; 1-2 r--p ac #1 a1; 2-6 rw-p ac #1 a4");
      expectSpace(k, mm, protect(k, mm, 1, 2, RW), 0, all);
      expectSpace(k, mm, protect(k, mm, 1, 5, R), 0, "0-1 rw-p ac #1 a1; 1-5 r--p ac #1 a4; 5-6 rw-p ac #1 a1");
      expectSpace(k, mm, unmap(k, mm, 0, 9), 0, "");
      placeTouched(k, mm, 0, 2);
      place(k, mm, 2, 4, R);
      placeTouched(k, mm, 4, 6);
      expectSpace(k, mm, protect(k, mm, 2, 4, RW), 0, "0-4 rw-p ac #2 a2; 4-6 rw-p ac #3 a2");
    },
  },
  check: judgeGone,
});

/**
 * Which anonymous memory a mapping has, it takes over from what it takes in: afterwards it is no more one with what lies
 * beyond, however alike they look.
 */
export const inherited = scenario({
  name: "vma/inherited",
  about: "a mapping that was never faulted in takes in a part of one that was, and belongs to it from then on",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 0, 4);
      fault(k, mm, 2, 4);
      placeTouched(k, mm, 6, 8);
      expectSpace(k, mm, place(k, mm, 4, 6), at(4), "0-6 rw-p ac #1 a2; 6-8 rw-p ac #2 a2");
      must(unmap(k, mm, 0, 9));
      place(k, mm, 0, 4);
      fault(k, mm, 0, 2);
      placeTouched(k, mm, 6, 8);
      expectSpace(k, mm, place(k, mm, 4, 6), at(4), "0-6 rw-p ac #3 a2; 6-8 rw-p ac #4 a2");
      must(unmap(k, mm, 0, 9));
      place(k, mm, 2, 8);
      must(mlock(k, mm, at(4), 4 * PAGE_SIZE, true));
      const up = "2-6 rw-p ac #5 a2; 6-8 rw-p lo ac #5 a2";
      expectSpace(k, mm, mlock(k, mm, at(4), 2 * PAGE_SIZE, false), 0, up);
      placeTouched(k, mm, 0, 1);
      expectSpace(k, mm, place(k, mm, 1, 2), at(1), `0-2 rw-p ac #6 a1; ${up}`);
      must(unmap(k, mm, 0, 9));
      place(k, mm, 0, 6);
      must(mlock(k, mm, at(0), 4 * PAGE_SIZE, true));
      const down = "0-2 rw-p lo ac #7 a2";
      expectSpace(k, mm, mlock(k, mm, at(2), 2 * PAGE_SIZE, false), 0, `${down}; 2-6 rw-p ac #7 a2`);
      placeTouched(k, mm, 8, 10);
      expectSpace(k, mm, place(k, mm, 6, 8), at(6), `${down}; 2-8 rw-p ac #7 a2; 8-10 rw-p ac #8 a2`);
    },
  },
  check: judgeGone,
});

export const names = scenario({
  name: "vma/names",
  about: "parts of anonymous memory are named, renamed and lose their names: what has the same name is one",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 0, 6);
      expectSpace(k, mm, name(k, mm, 2, 4, "heap"), 0, "0-2 rw-p ac; 2-4 rw-p ac 'heap'; 4-6 rw-p ac");
      expectSpace(k, mm, name(k, mm, 2, 4, "heap"), 0, "0-2 rw-p ac; 2-4 rw-p ac 'heap'; 4-6 rw-p ac");
      expectSpace(k, mm, name(k, mm, 2, 4, "pool"), 0, "0-2 rw-p ac; 2-4 rw-p ac 'pool'; 4-6 rw-p ac");
      expectSpace(k, mm, name(k, mm, 3, 6, "pool"), 0, "0-2 rw-p ac; 2-6 rw-p ac 'pool'");
      expectSpace(k, mm, protect(k, mm, 4, 6, R), 0, "0-2 rw-p ac; 2-4 rw-p ac 'pool'; 4-6 r--p 'pool'");
      expectSpace(k, mm, name(k, mm, 2, 4, ""), 0, "0-4 rw-p ac; 4-6 r--p 'pool'");
      expectSpace(k, mm, name(k, mm, 5, 6, ""), 0, "0-4 rw-p ac; 4-5 r--p 'pool'; 5-6 r--p");
      expectSpace(k, mm, name(k, mm, 0, 6, ""), 0, "0-4 rw-p ac; 4-6 r--p");
    },
  },
  check: judgeGone,
});

/** Lets an address space count as having so many mappings. @returns how many more these are than there are */
function pretend(k: Kernel, mm: Ptr, mappings: number): number {
  const more = mappings - k.m.load(mm + MM.mapCount);
  k.m.add(mm + MM.mapCount, more);
  return more;
}

/** Throws unless a call answers this, and leaves that, however many mappings there are said to be. */
function expectMappings(k: Kernel, mm: Ptr, answer: number, wanted: number, text: string): void {
  const found = spaceText(k, mm);
  if (answer !== wanted || found !== text) throw new Error(`it answers ${answer}, and there is ${found}, not ${text}`);
}

export const mostMappings = scenario({
  name: "vma/most-mappings",
  about: "an address space with as many mappings as there may be: what needs no further one is done, the rest is not",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 0, 6);
      const more = pretend(k, mm, MAX_MAP_COUNT - 1);
      // The first of two splits is made.
      expectMappings(k, mm, protect(k, mm, 2, 3, R), -ENOMEM, "0-2 rw-p ac; 2-6 rw-p ac");
      expectMappings(k, mm, protect(k, mm, 2, 3, R), -ENOMEM, "0-2 rw-p ac; 2-6 rw-p ac");
      expectMappings(k, mm, protect(k, mm, 5, 6, R), -ENOMEM, "0-2 rw-p ac; 2-6 rw-p ac");
      expectMappings(k, mm, unmap(k, mm, 4, 5), -ENOMEM, "0-2 rw-p ac; 2-6 rw-p ac");
      expectMappings(k, mm, unmap(k, mm, 2, 3), 0, "0-2 rw-p ac; 3-6 rw-p ac");
      expectMappings(k, mm, unmap(k, mm, 5, 6), 0, "0-2 rw-p ac; 3-5 rw-p ac");
      expectMappings(k, mm, protect(k, mm, 3, 5, R), 0, "0-2 rw-p ac; 3-5 r--p");
      expectMappings(k, mm, unmap(k, mm, 1, 4), 0, "0-1 rw-p ac; 4-5 r--p");
      k.m.add(mm + MM.mapCount, -more);
      expectSpace(k, mm, protect(k, mm, 4, 5, RW), 0, "0-1 rw-p ac; 4-5 rw-p ac");
    },
  },
  check: judgeGone,
});

export const noRoom = scenario({
  name: "vma/no-room",
  about: "no memory is left for nodes of the tree: what would change it answers so, and has changed nothing",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      placeTouched(k, mm, 0, 6);
      const limit = fillArena(k);
      expectSpace(k, mm, protect(k, mm, 2, 4, R), -ENOMEM, "0-6 rw-p ac #1 a6");
      expectSpace(k, mm, unmap(k, mm, 2, 4), -ENOMEM, "0-6 rw-p ac #1 a6");
      k.m.store(HOST.limit, limit);
      expectSpace(k, mm, unmap(k, mm, 2, 4), 0, "0-2 rw-p ac #1 a2; 4-6 rw-p ac #1 a2");
    },
  },
  check: judgeGone,
});
