/** Readers beside changes of mappings of which other scenarios have less: borders, several mappings, freed memory. */
import { Cache } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { PAGE_SIZE } from "../../../kernel/layout.ts";
import { munmap } from "../../../mm/mmap.ts";
import { madviseName, mprotect } from "../../../mm/mprotect.ts";
import { touch } from "../../../mm/resident.ts";
import { findVma } from "../../../mm/vma-tree.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { Mapping, MapsStep, PageCounts } from "../../oracles/maps.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { States } from "./maps-space.ts";
import { R, RW, anon, at, judgeSpaces, judgeWalk, makeSpace, map, must, restBeside, walkFrom } from "./maps-space.ts";

/** All pages of a mapping, resident. */
function resident(from: number, to: number, permissions = RW): Mapping {
  const pages: PageCounts = { anon: to - from, file: 0, swap: 0 };
  return anon(from, to, permissions, pages);
}

/** The lower two of six pages can only be read; then the lower `border` of them. */
function borderMoves(name: string, about: string, before: number, after: number): Scenario {
  const states: States = [before, after].map((border) => [resident(0, border, R), resident(border, 6)]);
  return scenario({
    name,
    about,
    paths: [Path.smaps],
    setup: (k) => {
      const mm = makeSpace(k, [anon(0, 6)]);
      must(touch(k, mm, at(0), 6));
      must(mprotect(k, mm, at(0), before * PAGE_SIZE, R));
      return { mm, rest: restBeside(k, [mm]) };
    },
    threads: {
      reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps, at(0)),
      writer: (k, { mm }): void => {
        const [from, to] = [Math.min(before, after), Math.max(before, after)];
        must(mprotect(k, mm, at(from), (to - from) * PAGE_SIZE, before < after ? R : RW));
      },
    },
    check: (k, { mm, rest }, { reader }, form) =>
      judgeWalk(reader, states, form) ?? judgeSpaces(k, rest, [{ mm, states: states.slice(-1) }]),
  });
}

export const borderUp = borderMoves(
  "smaps/border-up",
  "the lower of two mappings takes pages from the upper one while both are walked",
  2,
  4,
);
export const borderDown = borderMoves(
  "smaps/border-down",
  "the upper of two mappings takes pages from the lower one while both are walked",
  4,
  2,
);

/** A mapping with a name of one letter. */
function named(from: number, to: number, letter: string, permissions: number): Mapping {
  return { ...anon(from, to, permissions), name: letter.charCodeAt(0) };
}

const TWO: States = [RW, R].map((prot) => [named(0, 2, "a", prot), named(2, 4, "b", prot)]);

/** The change of the first mapping is not seen before that of the second is made, or will be waited for. */
export const protectTwo = scenario({
  name: "maps/protect-two",
  about:
    "a walk while two mappings get another protection, by one call: who sees it of the first sees it of the second",
  paths: [Path.maps],
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    must(madviseName(k, mm, at(0), 2 * PAGE_SIZE, latin1Bytes("a")));
    must(madviseName(k, mm, at(2), 2 * PAGE_SIZE, latin1Bytes("b")));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.maps, at(0)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(0), 4 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, TWO, form) ?? judgeSpaces(k, rest, [{ mm, states: TWO.slice(-1) }]),
});

/** So many mappings a thread can free before it gives freed memory to the others, the latest one first. */
const KEPT = 32;

/** Mappings of a page each, with gaps between them. */
function singles(first: number, count: number): Mapping[] {
  return Array.from({ length: count }, (_, i) => anon(first + 2 * i, first + 2 * i + 1));
}

/** Maps three pages, in this memory if another thread has freed it and given it away. */
function mapIn(k: Kernel, mm: Ptr, wanted: Ptr): void {
  const taken: Ptr[] = [];
  for (let i = 0; i < KEPT + 8; i++) {
    const vma = k.slab.allocDirty(Cache.vma);
    if (vma === wanted) {
      k.slab.free(vma);
      break;
    }
    taken.push(vma);
  }
  map(k, mm, anon(0, 3));
  for (let vma = taken.pop(); vma !== undefined; vma = taken.pop()) k.slab.free(vma);
}

/** A VMA may be another address space's as soon as it is freed: nothing of it is looked at or changed after that. */
function freed(name: string, about: string, merged: boolean): Scenario {
  const kept = merged ? [anon(0, 1), anon(1, 2, R)] : [anon(0, 1)];
  const gone = singles(4, merged ? KEPT : KEPT + 1);
  const left = merged ? anon(0, 2) : anon(0, 1);
  return scenario({
    name,
    about,
    quick: true,
    setup: (k) => {
      const mm = makeSpace(k, [...kept, ...gone]);
      const other = makeSpace(k, []);
      const last = findVma(k, mm, merged ? at(1) : (gone[KEPT] as Mapping).start);
      return { mm, other, last, rest: { ...restBeside(k, [mm, other]), nodes: null } };
    },
    threads: {
      freeing: (k, { mm }): void => {
        must(munmap(k, mm, at(4), 2 * gone.length * PAGE_SIZE));
        if (merged) must(mprotect(k, mm, at(1), PAGE_SIZE, RW));
      },
      mapping: (k, { other, last }): void => mapIn(k, other, last),
    },
    check: (k, { mm, other, rest }) =>
      judgeSpaces(k, rest, [
        { mm, states: [[left]] },
        { mm: other, states: [[anon(0, 3)]] },
      ]),
  });
}

export const freedByUnmap = freed(
  "vma/freed-by-unmap",
  "many mappings are unmapped while another address space gets one, in the memory of the last of them",
  false,
);
export const freedByMerge = freed(
  "vma/freed-by-merge",
  "a mapping becomes part of another one while another address space gets one, in its memory",
  true,
);
