/**
 * mremap, brk and stacks: one thread makes all kinds of calls, and each time there is just what the real kernel leaves
 * (6.18, measured).
 */
import { EFAULT, EINVAL, ENOMEM, EPERM } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST, MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  MAX_MAP_COUNT,
  MMAP_MIN_ADDR,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_NONE,
  STACK_GUARD_GAP,
  TASK_SIZE,
  VM_DONTEXPAND,
} from "../../../mm/flags.ts";
import { mmBrk, mmSetBrk } from "../../../mm/mm.ts";
import { mmap, munmap } from "../../../mm/mmap.ts";
import { mlock, mprotect } from "../../../mm/mprotect.ts";
import { brk, expandStack, mremap } from "../../../mm/mremap.ts";
import { touch } from "../../../mm/resident.ts";
import { findVma } from "../../../mm/vma-tree.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import type { MapsStep } from "../../oracles/maps.ts";
import { scenario } from "../../scenario.ts";
import type { States } from "./maps-space.ts";
import { R, RW, anon, at, judgeSpaces, judgeWalk, makeSpace, must, restBeside, walkFrom } from "./maps-space.ts";
import { TOP, expectSpace, fillArena, judgeGone, ownSpace, resident } from "./space-text.ts";

const FIXED = MREMAP_MAYMOVE | MREMAP_FIXED;
const LEAVE = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
const GUARD = STACK_GUARD_GAP / PAGE_SIZE;

/** Maps anonymous memory at the pages [from, to). */
function map(k: Kernel, mm: Ptr, from: number, to: number, prot = RW, flags = MAP_PRIVATE): void {
  const kind = MAP_ANONYMOUS | MAP_FIXED | flags;
  must(mmap(k, mm, at(from), at(to) - at(from), prot, kind, NULL, 0));
}

/** As {@link map}, and faults all of it in. */
function mapTouched(k: Kernel, mm: Ptr, from: number, to: number): void {
  map(k, mm, from, to);
  must(touch(k, mm, at(from), to - from));
}

function clear(k: Kernel, mm: Ptr): void {
  must(munmap(k, mm, at(0), at(TOP) - at(0)));
}

/** By pages; @returns what it answers */
function remap(k: Kernel, mm: Ptr, from: number, old: number, wanted: number, flags = 0, to = 0): number {
  return mremap(k, mm, at(from), old * PAGE_SIZE, wanted * PAGE_SIZE, flags, to === 0 ? 0 : at(to));
}

export const inPlace = scenario({
  name: "mremap/in-place",
  about: "a mapping grows and shrinks where it is: up to its neighbour, which it becomes one with if both are alike",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      mapTouched(k, mm, 0, 4);
      expectSpace(k, mm, remap(k, mm, 0, 4, 8), at(0), "0-8 rw-p ac #1 a4");
      must(touch(k, mm, at(0), 4));
      expectSpace(k, mm, remap(k, mm, 0, 8, 3), at(0), "0-3 rw-p ac #1 a3");
      expectSpace(k, mm, remap(k, mm, 0, 3, 3), at(0), "0-3 rw-p ac #1 a3");
      map(k, mm, 6, 7, R);
      expectSpace(k, mm, remap(k, mm, 0, 3, 7), -ENOMEM, "0-3 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 0, 3, 6), at(0), "0-6 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 0, 3, 4), -ENOMEM, "0-6 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 0, 7, 8), -EFAULT, "0-6 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 0, 7, 7), at(0), "0-6 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 7, 1, 1), -EFAULT, "0-6 rw-p ac #1 a3; 6-7 r--p");
      expectSpace(k, mm, remap(k, mm, 5, 1, 1), at(5), "0-6 rw-p ac #1 a3; 6-7 r--p");
      must(touch(k, mm, at(0), 3));
      expectSpace(k, mm, remap(k, mm, 4, 9, 1), at(4), "0-5 rw-p ac #1 a5");
      clear(k, mm);
      map(k, mm, 10, 12);
      map(k, mm, 14, 16);
      expectSpace(k, mm, remap(k, mm, 10, 2, 4), at(10), "10-16 rw-p ac");
      mapTouched(k, mm, 20, 22);
      mapTouched(k, mm, 24, 26);
      const apart = "20-24 rw-p ac #2 a2; 24-26 rw-p ac #3 a2";
      expectSpace(k, mm, remap(k, mm, 20, 2, 4), at(20), `10-16 rw-p ac; ${apart}`);
      map(k, mm, 28, 30);
      expectSpace(k, mm, remap(k, mm, 24, 2, 4), at(24), `10-16 rw-p ac; 20-24 rw-p ac #2 a2; 24-30 rw-p ac #3 a2`);
    },
  },
  check: judgeGone,
});

export const inPlaceLocked = scenario({
  name: "mremap/in-place-locked",
  about: "what a locked mapping grows by is there at once; what may not grow doesn't, and shrinks",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      map(k, mm, 0, 2);
      must(mlock(k, mm, at(0), 2 * PAGE_SIZE, true));
      expectSpace(k, mm, remap(k, mm, 0, 2, 4), at(0), "0-4 rw-p lo ac #1 a4");
      const bytes = mremap(k, mm, at(0), 4 * PAGE_SIZE - 5, 5 * PAGE_SIZE - 7, 0);
      expectSpace(k, mm, bytes, at(0), "0-5 rw-p lo ac #1 a5");
      expectSpace(k, mm, remap(k, mm, 0, 5, 3), at(0), "0-3 rw-p lo ac #1 a3");
      map(k, mm, 3, 4, R);
      const moved = `3-4 r--p; ${TOP - 6}-${TOP} rw-p lo ac @0 #1 a6`;
      // Where to is only asked with MREMAP_FIXED or MREMAP_DONTUNMAP.
      expectSpace(k, mm, remap(k, mm, 0, 3, 6, MREMAP_MAYMOVE, 100), at(TOP - 6), moved);
      clear(k, mm);
      map(k, mm, 0, 4);
      const vma = findVma(k, mm, at(0));
      k.m.or(vma + VMA.vmFlags, VM_DONTEXPAND);
      expectSpace(k, mm, remap(k, mm, 0, 4, 5), -EFAULT, "0-4 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 0, 4, 5, MREMAP_MAYMOVE), -EFAULT, "0-4 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, LEAVE), -EINVAL, "0-4 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, LEAVE | FIXED, 10), -EINVAL, "0-4 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, FIXED, 10), at(10), "10-14 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 10, 4, 3), at(10), "10-13 rw-p de ac");
      must(mmap(k, mm, TASK_SIZE - PAGE_SIZE, PAGE_SIZE, R, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0));
      if (mremap(k, mm, TASK_SIZE - PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE, 0) !== -ENOMEM) throw new Error("beyond all");
      must(munmap(k, mm, TASK_SIZE - PAGE_SIZE, PAGE_SIZE));
      const far = (TASK_SIZE - at(10)) / PAGE_SIZE + 1;
      expectSpace(k, mm, remap(k, mm, 10, far, 1), -EINVAL, "10-13 rw-p de ac");
      expectSpace(k, mm, remap(k, mm, 10, far, 1, FIXED, 1), -EINVAL, "10-13 rw-p de ac");
    },
  },
  check: judgeGone,
});

export const elsewhere = scenario({
  name: "mremap/elsewhere",
  about: "mappings, parts of them and several at once are moved, with their pages, to where something may be mapped",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      mapTouched(k, mm, 0, 4);
      map(k, mm, 8, 9, R);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, FIXED, 20), at(20), "8-9 r--p; 20-24 rw-p ac @0 #1 a4");
      const peak = k.m.load64(mm + MM.hiwaterVm);
      if (peak !== 5) throw new Error(`there have never been ${peak} pages`);
      const cut = "20-21 rw-p ac @0 #1 a1; 23-24 rw-p ac @3 #1 a1; 30-32 rw-p ac @1 #1 a2";
      expectSpace(k, mm, remap(k, mm, 21, 2, 2, FIXED, 30), at(30), `8-9 r--p; ${cut}`);
      expectSpace(k, mm, remap(k, mm, 30, 2, 2, FIXED, 21), at(21), "8-9 r--p; 20-24 rw-p ac @0 #1 a4");
      map(k, mm, 30, 31, RW, MAP_PRIVATE | MAP_GROWSDOWN);
      expectSpace(
        k,
        mm,
        remap(k, mm, 20, 8, 8, FIXED, 12),
        at(12),
        "8-9 r--p; 12-16 rw-p ac @0 #1 a4; 30-31 rw-p gd ac",
      );
      expectSpace(
        k,
        mm,
        remap(k, mm, 12, 4, 4, FIXED, 26),
        at(26),
        "8-9 r--p; 26-30 rw-p ac @0 #1 a4; 30-31 rw-p gd ac",
      );
      must(munmap(k, mm, at(30), PAGE_SIZE));
      must(remap(k, mm, 26, 4, 4, FIXED, 20));
      map(k, mm, 40, 45);
      const over =
        "20-21 rw-p ac @0 #1 a1; 23-24 rw-p ac @3 #1 a1; 40-41 rw-p ac; 41-43 rw-p ac @1 #1 a2; 43-45 rw-p ac";
      expectSpace(k, mm, remap(k, mm, 21, 2, 2, FIXED, 41), at(41), `8-9 r--p; ${over}`);
      clear(k, mm);

      map(k, mm, 0, 2);
      mapTouched(k, mm, 4, 6);
      map(k, mm, 6, 7, R);
      must(mmap(k, mm, at(8), 2 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0));
      must(touch(k, mm, at(8), 2));
      const several = "0-1 rw-p ac; 9-10 rw-s shm+1 f1 d1; 20-21 rw-p ac";
      const moved = `${several}; 23-25 rw-p ac @4 #2 a2; 25-26 r--p; 27-28 rw-s shm+0 f1 d1`;
      expectSpace(k, mm, remap(k, mm, 1, 8, 8, FIXED, 20), at(20), moved);
      expectSpace(k, mm, remap(k, mm, 21, 7, 7, FIXED, 40), -EFAULT, moved);
      const tail = "0-1 rw-p ac; 9-10 rw-s shm+1 f1 d1; 25-26 r--p; 27-28 rw-s shm+0 f1 d1; 40-41 rw-p ac @4 #2 a1";
      must(munmap(k, mm, at(20), PAGE_SIZE));
      must(munmap(k, mm, at(24), PAGE_SIZE));
      expectSpace(k, mm, remap(k, mm, 23, 2, 1, FIXED, 40), at(40), tail);
      expectSpace(k, mm, remap(k, mm, 25, 9, 2, FIXED, 50), -EFAULT, tail);
      const second = `0-1 rw-p ac; 9-10 rw-s shm+1 f1 d1; 40-41 rw-p ac @4 #2 a1; 50-51 r--p; 60-63 rw-s shm+1`;
      expectSpace(k, mm, remap(k, mm, 25, 9, 1, FIXED, 50), at(50), second.replace("; 60-63 rw-s shm+1", ""));
      expectSpace(k, mm, remap(k, mm, 9, 0, 3, FIXED, 60), at(60), second);
      expectSpace(k, mm, remap(k, mm, 40, 0, 3, FIXED, 70), -EINVAL, second);
    },
  },
  check: judgeGone,
});

export const merged = scenario({
  name: "mremap/merged",
  about: "memory that is moved becomes one with what is like it, and with its own copy if it was never faulted in",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      map(k, mm, 0, 2);
      map(k, mm, 4, 6);
      expectSpace(k, mm, remap(k, mm, 4, 2, 2, FIXED, 2), at(2), "0-4 rw-p ac");
      expectSpace(k, mm, remap(k, mm, 2, 2, 2, LEAVE | FIXED, 4), at(4), "0-6 rw-p ac");
      expectSpace(k, mm, remap(k, mm, 0, 6, 6, LEAVE | FIXED, 8), at(8), "0-6 rw-p ac; 8-14 rw-p ac");
      expectSpace(k, mm, remap(k, mm, 8, 6, 6, FIXED, 6), -EINVAL, "0-6 rw-p ac; 8-14 rw-p ac");
      expectSpace(k, mm, remap(k, mm, 8, 2, 2, LEAVE | FIXED, 6), at(6), "0-14 rw-p ac");
      clear(k, mm);
      mapTouched(k, mm, 0, 4);
      expectSpace(k, mm, remap(k, mm, 2, 2, 2, FIXED, 10), at(10), "0-2 rw-p ac #1 a2; 10-12 rw-p ac @2 #1 a2");
      must(mmap(k, mm, at(2), 2 * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0));
      expectSpace(k, mm, 0, 0, "0-4 rw-p ac #1 a2; 10-12 rw-p ac @2 #1 a2");
      clear(k, mm);
      map(k, mm, 20, 24);
      map(k, mm, 30, 32, R);
      must(touch(k, mm, at(20), 4));
      expectSpace(
        k,
        mm,
        remap(k, mm, 22, 2, 2, FIXED, 40),
        at(40),
        "20-22 rw-p ac #2 a2; 30-32 r--p; 40-42 rw-p ac @22 #2 a2",
      );
      must(munmap(k, mm, at(20), 2 * PAGE_SIZE));
      map(k, mm, 20, 22);
      // What comes back lends its pages' family to the neighbour that has none yet.
      expectSpace(k, mm, remap(k, mm, 40, 2, 2, FIXED, 22), at(22), "20-24 rw-p ac #2 a2; 30-32 r--p");
      map(k, mm, 50, 52);
      expectSpace(k, mm, remap(k, mm, 50, 2, 2, FIXED, 24), at(24), "20-26 rw-p ac #2 a2; 30-32 r--p");
      clear(k, mm);
      map(k, mm, 60, 62, R);
      must(mlock(k, mm, at(60), 2 * PAGE_SIZE, true));
      expectSpace(k, mm, remap(k, mm, 60, 2, 2, FIXED, 62), at(62), "62-64 r--p lo");
      expectSpace(k, mm, remap(k, mm, 62, 2, 2, LEAVE | FIXED, 64), at(64), "62-66 r--p");
    },
  },
  check: judgeGone,
});

export const leftBehind = scenario({
  name: "mremap/left-behind",
  about: "pages are moved, their mapping stays: whole, no longer locked, and like new if all of it went",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      mapTouched(k, mm, 0, 4);
      must(mlock(k, mm, at(0), 4 * PAGE_SIZE, true));
      const part = "0-4 rw-p ac #1 a2; 10-12 rw-p lo ac @1 #1 a2";
      expectSpace(k, mm, remap(k, mm, 1, 2, 2, LEAVE | FIXED, 10), at(10), part);
      const whole = "10-12 rw-p lo ac @1 #1 a2; 20-24 rw-p ac @0 #1 a2";
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, LEAVE | FIXED, 20), at(20), `0-4 rw-p ac; ${whole}`);
      must(munmap(k, mm, at(0), 20 * PAGE_SIZE));

      // Read-only, but accounted since it has been written to: that stays, though it's like new.
      must(touch(k, mm, at(20), 2));
      must(mprotect(k, mm, at(20), 4 * PAGE_SIZE, R));
      const moved = "30-34 r--p ac @0 #1 a4";
      expectSpace(k, mm, remap(k, mm, 20, 4, 4, LEAVE | FIXED, 30), at(30), `20-24 r--p ac @0; ${moved}`);
      expectSpace(k, mm, mprotect(k, mm, at(20), 4 * PAGE_SIZE, R), 0, `20-24 r--p ac @0; ${moved}`);
      must(munmap(k, mm, at(0), 30 * PAGE_SIZE));

      // Without MREMAP_FIXED the address is a hint.
      const copy = "30-34 r--p ac @0; 50-54 r--p ac @0 #1 a4";
      expectSpace(k, mm, remap(k, mm, 30, 4, 4, LEAVE, 50), at(50), copy);
      must(munmap(k, mm, at(30), 4 * PAGE_SIZE));
      map(k, mm, 52, 53);
      const chosen = `50-52 r--p ac @0; 52-53 rw-p ac; 53-54 r--p ac @3 #1 a1; ${TOP - 2}-${TOP} r--p ac @0 #1 a2`;
      expectSpace(k, mm, remap(k, mm, 50, 2, 2, LEAVE, 53), at(TOP - 2), chosen);
    },
  },
  check: judgeGone,
});

/** What is refused, changes nothing. */
export const wrongArguments = scenario({
  name: "mremap/arguments",
  about: "lengths, flags and addresses that make no sense are refused, and nothing has changed",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      map(k, mm, 0, 4);
      map(k, mm, 4, 6, R);
      const text = "0-4 rw-p ac; 4-6 r--p";
      const pages = (TASK_SIZE - at(0)) / PAGE_SIZE;
      expectSpace(k, mm, remap(k, mm, 0, 4, 0), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, -1, 4), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, 0, 4, MREMAP_MAYMOVE), -EINVAL, text);
      expectSpace(k, mm, mremap(k, mm, at(0) + 1, PAGE_SIZE, PAGE_SIZE, 0), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, 8), -EINVAL, text);
      expectSpace(k, mm, mremap(k, mm, at(0), PAGE_SIZE, TASK_SIZE + PAGE_SIZE, MREMAP_MAYMOVE), -EINVAL, text);
      expectSpace(k, mm, mremap(k, mm, at(0), 4 * PAGE_SIZE, TASK_SIZE, MREMAP_MAYMOVE), -ENOMEM, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, MREMAP_FIXED, 20), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, MREMAP_DONTUNMAP, 20), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 3, LEAVE, 20), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, LEAVE, 2), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 2, 2, 2, FIXED, 1), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 1, 2, 2, FIXED, 2), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 1, 2, 2, FIXED, pages), -EINVAL, text);
      expectSpace(k, mm, remap(k, mm, 1, 2, 2, LEAVE, pages), -EINVAL, text);
      expectSpace(k, mm, mremap(k, mm, at(0), PAGE_SIZE, PAGE_SIZE, FIXED, at(9) + 1), -EINVAL, text);
      expectSpace(k, mm, mremap(k, mm, at(0), PAGE_SIZE, PAGE_SIZE, LEAVE, at(9) + 1), -EINVAL, text);
      // Whole pages count, and an address that doesn't matter isn't looked at.
      expectSpace(k, mm, mremap(k, mm, at(0), 4 * PAGE_SIZE - 1, 4 * PAGE_SIZE, 0, 7), at(0), text);
      expectSpace(k, mm, remap(k, mm, 6, 1, 1, FIXED, 20), -EFAULT, text);
      expectSpace(k, mm, remap(k, mm, 2, 4, 4, LEAVE, 20), -EFAULT, text);
    },
  },
  check: judgeGone,
});

/** From now on the address space counts `count` mappings, `own` of which are there; with both exchanged, no longer. */
function pretend(k: Kernel, mm: Ptr, own: number, count: number): void {
  k.m.add(mm + MM.mapCount, count - own);
}

/** So many that what could split others is no longer tried. */
const MOST = MAX_MAP_COUNT - 6;

export const limits = scenario({
  name: "mremap/limits",
  about: "with too many mappings nothing is moved, or no further one; what needs no mapping of its own still goes",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      map(k, mm, 0, 4);
      pretend(k, mm, 1, MOST + 1);
      const [move, leave] = [remap(k, mm, 0, 4, 4, FIXED, 20), remap(k, mm, 0, 4, 4, LEAVE)];
      const shrunk = remap(k, mm, 0, 4, 3, FIXED, 20);
      pretend(k, mm, MOST + 1, 1);
      expectSpace(k, mm, move, -ENOMEM, "0-4 rw-p ac");
      expectSpace(k, mm, leave, -ENOMEM, "0-4 rw-p ac");
      expectSpace(k, mm, shrunk, -ENOMEM, "0-4 rw-p ac");
      pretend(k, mm, 1, MOST);
      const last = remap(k, mm, 0, 4, 4, FIXED, 20);
      pretend(k, mm, MOST, 1);
      expectSpace(k, mm, last, at(20), "20-24 rw-p ac");

      map(k, mm, 24, 25, R);
      pretend(k, mm, 2, MAX_MAP_COUNT - 3);
      const grown = remap(k, mm, 20, 4, 5, MREMAP_MAYMOVE);
      pretend(k, mm, MAX_MAP_COUNT - 3, 2);
      expectSpace(k, mm, grown, -ENOMEM, "20-24 rw-p ac; 24-25 r--p");
      pretend(k, mm, 2, MAX_MAP_COUNT);
      const inPlaceOnly = remap(k, mm, 24, 1, 2, MREMAP_MAYMOVE);
      pretend(k, mm, MAX_MAP_COUNT, 2);
      expectSpace(k, mm, inPlaceOnly, at(24), "20-24 rw-p ac; 24-26 r--p");

      // Both of two are moved into the middle of another mapping: after the first there are too many for the second.
      clear(k, mm);
      map(k, mm, 20, 24);
      map(k, mm, 26, 27, R);
      map(k, mm, 40, 48, PROT_EXEC);
      pretend(k, mm, 3, MOST);
      const half = remap(k, mm, 23, 4, 4, FIXED, 41);
      pretend(k, mm, MOST, 3);
      const left = "20-23 rw-p ac; 26-27 r--p; 40-41 --xp; 41-42 rw-p ac; 42-44 --xp; 45-48 --xp";
      expectSpace(k, mm, half, -ENOMEM, left);
    },
  },
  check: judgeGone,
});

export const noRoom = scenario({
  name: "mremap/no-room",
  about: "without memory for what a call may need it is refused, and nothing has changed",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      map(k, mm, 0, 4);
      map(k, mm, 8, 9, R);
      map(k, mm, 20, 21, RW, MAP_PRIVATE | MAP_GROWSDOWN);
      k.m.store64(mm + MM.startBrk, at(12));
      mmSetBrk(k.m, mm, at(12));
      const limit = fillArena(k);
      const text = "0-4 rw-p ac; 8-9 r--p; 20-21 rw-p gd ac";
      expectSpace(k, mm, remap(k, mm, 0, 4, 6), -ENOMEM, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 6, MREMAP_MAYMOVE), -ENOMEM, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 9, MREMAP_MAYMOVE), -ENOMEM, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, FIXED, 6), -ENOMEM, text);
      expectSpace(k, mm, remap(k, mm, 0, 4, 3), -ENOMEM, text);
      expectSpace(k, mm, brkTo(k, mm, 13), at(12), text);
      expectSpace(k, mm, expandStack(k, mm, at(19)), -ENOMEM, text);
      expectSpace(k, mm, mprotect(k, mm, at(1), PAGE_SIZE, R), -ENOMEM, text);
      k.m.store(HOST.limit, limit);
      expectSpace(k, mm, remap(k, mm, 0, 4, 4, FIXED, 4), at(4), text.replace("0-4", "4-8"));
    },
  },
  check: judgeGone,
});

/** Moves the end of the heap, which is at a page, and must be at one afterwards. */
function brkTo(k: Kernel, mm: Ptr, page: number): number {
  const answer = brk(k, mm, at(page));
  if (mmBrk(k.m, mm) !== answer) throw new Error(`brk answers ${answer}, and the heap ends elsewhere`);
  return answer;
}

export const heap = scenario({
  name: "mremap/heap",
  about: "the heap grows and shrinks by pages, its end by bytes; it ends a page, or a stack's gap, before a neighbour",
  quick: true,
  setup: (k) => {
    const space = ownSpace(k);
    k.m.store64(space.mm + MM.startBrk, at(100));
    mmSetBrk(k.m, space.mm, at(100));
    return space;
  },
  threads: {
    caller: (k, { mm }): void => {
      expectSpace(k, mm, brkTo(k, mm, 0), at(100), "");
      expectSpace(k, mm, brk(k, mm, at(100) + 10), at(100) + 10, "100-101 rw-p ac");
      expectSpace(k, mm, brk(k, mm, at(100) + 20), at(100) + 20, "100-101 rw-p ac");
      map(k, mm, 101, 102, R);
      expectSpace(k, mm, brk(k, mm, at(100) + 30), at(100) + 30, "100-101 rw-p ac; 101-102 r--p");
      must(munmap(k, mm, at(101), PAGE_SIZE));
      expectSpace(k, mm, brkTo(k, mm, 101), at(101), "100-101 rw-p ac");
      expectSpace(k, mm, brkTo(k, mm, 99), at(101), "100-101 rw-p ac");
      map(k, mm, 110, 111, R);
      expectSpace(k, mm, brkTo(k, mm, 110), at(101), "100-101 rw-p ac; 110-111 r--p");
      expectSpace(k, mm, brkTo(k, mm, 109), at(109), "100-109 rw-p ac; 110-111 r--p");
      expectSpace(k, mm, brk(k, mm, at(102) + 1), at(102) + 1, "100-103 rw-p ac; 110-111 r--p");
      expectSpace(k, mm, brkTo(k, mm, 100), at(100), "110-111 r--p");
      must(munmap(k, mm, at(110), PAGE_SIZE));
      map(k, mm, 120 + GUARD, 121 + GUARD, RW, MAP_PRIVATE | MAP_GROWSDOWN);
      const stack = `${120 + GUARD}-${121 + GUARD} rw-p gd ac`;
      expectSpace(k, mm, brkTo(k, mm, 120), at(100), stack);
      expectSpace(k, mm, brkTo(k, mm, 119), at(119), `100-119 rw-p ac; ${stack}`);
      must(mlock(k, mm, at(100), 19 * PAGE_SIZE, true));
      must(munmap(k, mm, at(120 + GUARD), PAGE_SIZE));
      const grown = "100-119 rw-p lo ac #1 a19; 119-120 rw-p ac";
      expectSpace(k, mm, brkTo(k, mm, 120), at(120), grown);
      const pages = (TASK_SIZE - at(0)) / PAGE_SIZE + 1;
      expectSpace(k, mm, brkTo(k, mm, pages), at(120), grown);
      pretend(k, mm, 2, MAX_MAP_COUNT + 1);
      const refused = brkTo(k, mm, 121);
      pretend(k, mm, MAX_MAP_COUNT + 1, MAX_MAP_COUNT);
      const last = brkTo(k, mm, 121);
      pretend(k, mm, MAX_MAP_COUNT, 2);
      if (refused !== at(120)) throw new Error(`brk answers ${refused}`);
      expectSpace(k, mm, last, at(121), "100-119 rw-p lo ac #1 a19; 119-121 rw-p ac");
      // Nothing is given back where nothing is, or of what is above.
      must(munmap(k, mm, at(110), 11 * PAGE_SIZE));
      expectSpace(k, mm, brkTo(k, mm, 112), at(121), "100-110 rw-p lo ac #1 a10");
      map(k, mm, 122, 123, R);
      expectSpace(k, mm, brkTo(k, mm, 112), at(121), "100-110 rw-p lo ac #1 a10; 122-123 r--p");
      expectSpace(k, mm, brkTo(k, mm, 109), at(109), "100-109 rw-p lo ac #1 a9; 122-123 r--p");
    },
  },
  check: judgeGone,
});

/** Grows to a page. @param pages RLIMIT_STACK */
function grow(k: Kernel, mm: Ptr, page: number, pages = 2048): number {
  return expandStack(k, mm, at(page), pages * PAGE_SIZE);
}

export const stacks = scenario({
  name: "mremap/stacks",
  about: "a stack grows within its limit, and keeps its distance from what is next below: not from guards and stacks",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const shape = MAP_PRIVATE | MAP_GROWSDOWN;
      map(k, mm, 1000, 1004, RW, shape);
      map(k, mm, 1100, 1101);
      const other = "1100-1101 rw-p ac";
      expectSpace(k, mm, expandStack(k, mm, at(998) + 10), 0, `998-1004 rw-p gd ac; ${other}`);
      expectSpace(k, mm, grow(k, mm, 998, 1), 0, `998-1004 rw-p gd ac; ${other}`);
      expectSpace(k, mm, grow(k, mm, 996, 7), -ENOMEM, `998-1004 rw-p gd ac; ${other}`);
      expectSpace(k, mm, grow(k, mm, 996, 8), 0, `996-1004 rw-p gd ac; ${other}`);
      expectSpace(k, mm, grow(k, mm, 1004), -EFAULT, `996-1004 rw-p gd ac; ${other}`);
      expectSpace(k, mm, grow(k, mm, 1101), -EFAULT, `996-1004 rw-p gd ac; ${other}`);
      must(munmap(k, mm, at(1100), PAGE_SIZE));
      map(k, mm, 994 - GUARD, 995 - GUARD);
      const below = `${994 - GUARD}-${995 - GUARD} rw-p ac`;
      expectSpace(k, mm, grow(k, mm, 994), -ENOMEM, `${below}; 996-1004 rw-p gd ac`);
      expectSpace(k, mm, grow(k, mm, 995), 0, `${below}; 995-1004 rw-p gd ac`);
      map(k, mm, 990, 991, PROT_NONE);
      expectSpace(k, mm, grow(k, mm, 994), 0, `${below}; 990-991 ---p; 994-1004 rw-p gd ac`);
      map(k, mm, 991, 992, PROT_EXEC);
      const near = `${below}; 990-991 ---p; 991-992 --xp`;
      expectSpace(k, mm, grow(k, mm, 993), -ENOMEM, `${near}; 994-1004 rw-p gd ac`);
      map(k, mm, 991, 992, R, shape);
      const stack = `${below}; 990-991 ---p; 991-992 r--p gd`;
      expectSpace(k, mm, grow(k, mm, 993), 0, `${stack}; 993-1004 rw-p gd ac`);
      clear(k, mm);
      const low = (MMAP_MIN_ADDR - at(0)) / PAGE_SIZE;
      map(k, mm, low + 2, low + 3, RW, shape);
      expectSpace(k, mm, grow(k, mm, low), 0, `${low}-${low + 3} rw-p gd ac`);
      expectSpace(k, mm, grow(k, mm, low - 1), -EPERM, `${low}-${low + 3} rw-p gd ac`);
      must(munmap(k, mm, MMAP_MIN_ADDR, 3 * PAGE_SIZE));
    },
  },
  check: judgeGone,
});

const LEFT: States = [
  [anon(0, 2, RW, resident(2)), anon(8, 9, R)],
  [anon(0, 2, RW), anon(4, 6, RW, resident(2)), anon(8, 9, R)],
];

export const leftBehindWalk = scenario({
  name: "mremap/left-behind-walk",
  about: "the pages of a mapping are moved while they are walked, and it stays: they are at one place or the other",
  paths: [Path.smaps],
  setup: (k) => {
    const mm = makeSpace(k, LEFT[0] ?? []);
    must(touch(k, mm, at(0), 2));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps),
    writer: (k, { mm }): void => must(remap(k, mm, 0, 2, 2, LEAVE | FIXED, 4)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, LEFT, form) ?? judgeSpaces(k, rest, [{ mm, states: LEFT.slice(-1) }]),
});
