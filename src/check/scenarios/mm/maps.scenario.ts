/** maps under per-VMA locks: walks and lookups, against each way in which a mapping can change under them. */
import { Path } from "../../../kernel/knobs.ts";
import { MM, PAGE_SIZE } from "../../../kernel/layout.ts";
import { pathNew } from "../../../kernel/path.ts";
import { MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../mm/flags.ts";
import { dupMm, mmBrk, mmget, mmput } from "../../../mm/mm.ts";
import { munmap } from "../../../mm/mmap.ts";
import { madviseName, mprotect } from "../../../mm/mprotect.ts";
import { brk, mremap } from "../../../mm/mremap.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Mapping, MapsStep } from "../../oracles/maps.ts";
import type { Scenario } from "../../scenario.ts";
import type { States } from "./maps-space.ts";
import {
  HEAP,
  R,
  RW,
  RX,
  anon,
  at,
  judgeSpaces,
  judgeWalk,
  makeSpace,
  map,
  mapped,
  must,
  probe,
  restBeside,
  walkFrom,
  walkInPieces,
} from "./maps-space.ts";
import { scenario } from "../../scenario.ts";

const PATHS = [Path.maps] as const;
const MAPS = Path.maps;

const SPLIT: States = [[anon(0, 4)], [anon(0, 2), anon(2, 4, R)]];

/** The upper half becomes a mapping of its own: the one that was there starts higher, and a new one lies below it. */
export const split = scenario({
  name: "maps/split",
  about: "a walk while a mapping is split, its lower part by a new mapping: no gap where there was none",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, SPLIT, form) ?? judgeSpaces(k, rest, [{ mm, states: SPLIT.slice(-1) }]),
});

const SPLIT_BELOW: States = [[anon(0, 4)], [anon(0, 2, R), anon(2, 4)]];

/**
 * The mapping that was found is cut short at its end. The reader goes on there, not where the tree had it end when it was
 * found: see docs/protocols.md. It starts where the mapping does: a gap before that would have it looked up again.
 */
export const splitBelow = scenario({
  name: "maps/split-below",
  about: "a walk while a mapping is split, its upper part by a new mapping",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(0), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, SPLIT_BELOW, form) ?? judgeSpaces(k, rest, [{ mm, states: SPLIT_BELOW.slice(-1) }]),
});

/** The mapping that was found ends before the address by the time it is locked. */
export const cutShort = scenario({
  name: "maps/cut-short",
  about: "a lookup in the upper part of a mapping that becomes another one",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(3)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(0), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk([reader], SPLIT_BELOW, form) ?? judgeSpaces(k, rest, [{ mm, states: SPLIT_BELOW.slice(-1) }]),
});

const MERGE: States = [[anon(0, 2), anon(2, 4, R)], [anon(0, 4)]];

export const merge = scenario({
  name: "maps/merge",
  about: "a walk while two mappings become one",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, RW)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, MERGE, form) ?? judgeSpaces(k, rest, [{ mm, states: MERGE.slice(-1) }]),
});

const MERGE_THREE: States = [[anon(0, 2), anon(2, 4, R), anon(4, 6)], [anon(0, 6)]];

/** The walk has four steps, and each of them may meet the writer at any of his. */
export const mergeThree = scenario({
  name: "maps/merge-three",
  about: "a walk while a mapping and both its neighbours become one",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R), anon(4, 6)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, RW)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, MERGE_THREE, form) ?? judgeSpaces(k, rest, [{ mm, states: MERGE_THREE.slice(-1) }]),
});

const BORDER: States = [
  [anon(0, 4), anon(4, 8, R)],
  [anon(0, 6), anon(6, 8, R)],
];

/** The lookup goes on behind the first mapping, which grows over where the second began. */
export const border = scenario({
  name: "maps/border",
  about: "a lookup between two mappings while the lower one takes a part of the upper one",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4), anon(4, 8, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(4)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(4), 2 * PAGE_SIZE, RW)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk([reader], BORDER, form) ?? judgeSpaces(k, rest, [{ mm, states: BORDER.slice(-1) }]),
});

const BORDER_DOWN: States = [
  [anon(0, 4), anon(4, 8, R)],
  [anon(0, 2), anon(2, 8, R)],
];

export const borderDown = scenario({
  name: "maps/border-down",
  about: "a walk while the upper one of two mappings takes a part of the lower one",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4), anon(4, 8, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, BORDER_DOWN, form) ?? judgeSpaces(k, rest, [{ mm, states: BORDER_DOWN.slice(-1) }]),
});

const SHRINK_AND_MAP: States = [
  [anon(0, 4), anon(8, 9, R)],
  [anon(2, 4), anon(8, 9, R)],
  [anon(0, 2, RX), anon(2, 4), anon(8, 9, R)],
];

/** Two system calls: between them there is a gap indeed. */
export const shrinkAndMapBelow = scenario({
  name: "maps/shrink-and-map-below",
  about: "a lookup while a mapping loses its lower half, and another one is mapped there",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4), anon(8, 9, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(0), 2 * PAGE_SIZE));
      map(k, mm, anon(0, 2, RX));
    },
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk([reader], SHRINK_AND_MAP, form) ?? judgeSpaces(k, rest, [{ mm, states: SHRINK_AND_MAP.slice(-1) }]),
});

/** What lies between the two system calls may show at any of the walk's steps. */
export const shrinkWalk = scenario({
  name: "maps/shrink-and-map-below-walk",
  about: "a walk while a mapping loses its lower half, and another one is mapped there",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4), anon(8, 9, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(0), 2 * PAGE_SIZE));
      map(k, mm, anon(0, 2, RX));
    },
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, SHRINK_AND_MAP, form) ?? judgeSpaces(k, rest, [{ mm, states: SHRINK_AND_MAP.slice(-1) }]),
});

const REPLACE: States = [[anon(0, 4)], [anon(0, 1), anon(1, 3, RX), anon(3, 4)]];

export const replace = scenario({
  name: "maps/replace",
  about: "a walk while another mapping takes the place of the middle of one: no moment without either",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => map(k, mm, anon(1, 3, RX)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, REPLACE, form) ?? judgeSpaces(k, rest, [{ mm, states: REPLACE.slice(-1) }]),
});

const DETACH: States = [
  [anon(0, 2), anon(2, 4, R), anon(4, 6, RX)],
  [anon(0, 2), anon(4, 6, RX)],
];

export const detach = scenario({
  name: "maps/detach",
  about: "a walk while the mapping in the middle of three is unmapped",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R), anon(4, 6, RX)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(munmap(k, mm, at(2), 2 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, DETACH, form) ?? judgeSpaces(k, rest, [{ mm, states: DETACH.slice(-1) }]),
});

const DETACH_LAST: States = [[anon(0, 2)], []];

/** Not even a neighbour is left to be found. */
export const detachLast = scenario({
  name: "maps/detach-last",
  about: "two lookups while the only mapping is unmapped",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => [probe(k, mm, MAPS, at(0)), probe(k, mm, MAPS, at(1))],
    writer: (k, { mm }): void => must(munmap(k, mm, at(0), 2 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, DETACH_LAST, form === "locked" ? "lockfree" : form) ??
    judgeSpaces(k, rest, [{ mm, states: DETACH_LAST.slice(-1) }]),
});

const CUT: States = [
  [anon(0, 4), anon(4, 8, R), anon(8, 9)],
  [anon(0, 2), anon(6, 8, R), anon(8, 9)],
];

export const cut = scenario({
  name: "maps/cut",
  about: "a walk while the end of one mapping and the beginning of the next are unmapped together",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4), anon(4, 8, R), anon(8, 9)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(munmap(k, mm, at(2), 4 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, CUT, form) ?? judgeSpaces(k, rest, [{ mm, states: CUT.slice(-1) }]),
});

const REUSE: States = [[anon(0, 2), anon(4, 6, R)], [anon(4, 6, R)]];
const REUSED: States = [[anon(0, 4, RX)]];

/** The VMA that is freed by one address space is the next one that the other gets. */
export const reuse = scenario({
  name: "maps/reuse",
  about: "a walk while a mapping is unmapped, and its memory becomes a mapping of another address space",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(4, 6, R)]);
    const other = makeSpace(k, []);
    return { mm, other, rest: restBeside(k, [mm, other]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm, other }): void => {
      must(munmap(k, mm, at(0), 2 * PAGE_SIZE));
      map(k, other, anon(0, 4, RX));
    },
  },
  check: (k, { mm, other, rest }, { reader }, form) =>
    judgeWalk(reader, REUSE, form) ??
    judgeSpaces(k, rest, [
      { mm, states: REUSE.slice(-1) },
      { mm: other, states: REUSED },
    ]),
});

const REUSED_AND_CUT: States = [[anon(0, 2, RX), anon(2, 4, R)]];

/** Who finds out late that the VMA is another's holds it for a moment, and its new owner waits for that. */
export const reuseAndSplit = scenario({
  name: "maps/reuse-and-split",
  about: "a lookup of a mapping that becomes another address space's, and is split there",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(4, 6, R)]);
    const other = makeSpace(k, []);
    return { mm, other, rest: restBeside(k, [mm, other]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    writer: (k, { mm, other }): void => {
      must(munmap(k, mm, at(0), 2 * PAGE_SIZE));
      map(k, other, anon(0, 4, RX));
      must(mprotect(k, other, at(2), 2 * PAGE_SIZE, R));
    },
  },
  check: (k, { mm, other, rest }, { reader }, form) =>
    judgeWalk([reader], REUSE, form) ??
    judgeSpaces(k, rest, [
      { mm, states: REUSE.slice(-1) },
      { mm: other, states: REUSED_AND_CUT },
    ]),
});

const REUSE_HERE: States = [[anon(0, 2), anon(4, 6, R)], [anon(4, 6, R)], [anon(4, 6, R), anon(8, 10, RX)]];

export const reuseHere = scenario({
  name: "maps/reuse-here",
  about: "a lookup of a mapping whose memory becomes another mapping of the same address space",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(4, 6, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(0), 2 * PAGE_SIZE));
      map(k, mm, anon(8, 10, RX));
    },
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk([reader], REUSE_HERE, form) ?? judgeSpaces(k, rest, [{ mm, states: REUSE_HERE.slice(-1) }]),
});

/** Lock-free it takes many minutes. The lock by itself is explored to the end with two readers: vma/read-write. */
export const twoWalkers = scenario({
  name: "maps/two-walkers",
  about: "two lookups while a mapping is split: the writer waits for both",
  paths: PATHS,
  extent: { lockfree: { kind: "bounded", preemptions: 3 } },
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    first: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(0)),
    second: (k, { mm }): MapsStep => probe(k, mm, MAPS, at(2)),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm, rest }, { first, second }, form) =>
    judgeWalk([first], SPLIT, form) ??
    judgeWalk([second], SPLIT, form) ??
    judgeSpaces(k, rest, [{ mm, states: SPLIT.slice(-1) }]),
});

/** The second writer's VMA is split after the first's: what he does follows what he finds. */
export const twoWriters = scenario({
  name: "maps/two-writers",
  about: "two threads change neighbouring mappings at once, one after another under mmap_lock",
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    // A hole ends it before anything is changed.
    first: (k, { mm }): number => mprotect(k, mm, at(2), 2 * PAGE_SIZE, R),
    second: (k, { mm }): void => must(munmap(k, mm, at(1), 2 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { first }) =>
    judgeSpaces(k, rest, [{ mm, states: [[anon(0, 1), anon(3, 4, first === 0 ? R : RW)]] }]),
});

const GROW: States = [[anon(0, 2), anon(4, 6)], [anon(0, 6)]];

export const fillGap = scenario({
  name: "maps/fill-gap",
  about: "a walk while the gap between two mappings is filled, and all become one",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(4, 6)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => map(k, mm, anon(2, 4)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, GROW, form) ?? judgeSpaces(k, rest, [{ mm, states: GROW.slice(-1) }]),
});

/** mremap first takes away what is at the new place: who needs no lock may see that. Nothing else of it shows. */
const MOVE: States = [[anon(0, 2), anon(4, 6, R)], [anon(0, 2)], [anon(4, 6)]];

export const move = scenario({
  name: "maps/move",
  about: "a walk while a mapping is moved to where another one is",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(4, 6, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void =>
      must(mremap(k, mm, at(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at(4))),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, form === "locked" ? [MOVE[0] ?? [], MOVE[2] ?? []] : MOVE, form) ??
    judgeSpaces(k, rest, [{ mm, states: MOVE.slice(-1) }]),
});

const PIECES: States = [
  [anon(0, 2), anon(2, 6, R)],
  [anon(0, 2), anon(2, 4, R), anon(4, 6, RX)],
];

export const pieces = scenario({
  name: "maps/pieces",
  about: "reads with room for one record each, while a mapping is split",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 6, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkInPieces(k, mm, MAPS),
    writer: (k, { mm }): void => must(mprotect(k, mm, at(4), 2 * PAGE_SIZE, RX)),
  },
  // Between two reads nobody holds anything: also of the locked form each is of a moment of its own.
  check: (k, { mm, rest }, { reader }) =>
    judgeWalk(reader, PIECES, "lockfree") ?? judgeSpaces(k, rest, [{ mm, states: PIECES.slice(-1) }]),
});

/** A name with this first character. */
function named(name: string): number {
  return name.charCodeAt(0);
}

const RENAME: States = [[{ ...anon(0, 2), name: named("a") }], [{ ...anon(0, 2), name: named("b") }]];

export const rename = scenario({
  name: "maps/rename",
  about: "a walk while a mapping gets another name: the old one is not freed while it is read",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2)]);
    must(madviseName(k, mm, at(0), 2 * PAGE_SIZE, latin1Bytes("a")));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(madviseName(k, mm, at(0), 2 * PAGE_SIZE, latin1Bytes("b"))),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, RENAME, form) ?? judgeSpaces(k, rest, [{ mm, states: RENAME.slice(-1) }]),
});

/** The file goes with its last mapping, and is looked at until then. */
export const fileGoes = scenario({
  name: "maps/file-goes",
  about: "a walk while a mapping of a file that nobody else has is unmapped",
  paths: PATHS,
  setup: (k) => {
    const file = pathNew(k, { name: "/file" });
    const mm = makeSpace(k, [mapped(file, 0, 2, R, 1)]);
    return { mm, file, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => must(munmap(k, mm, at(0), 2 * PAGE_SIZE)),
  },
  check: (k, { mm, file, rest }, { reader }, form) =>
    judgeWalk(reader, [[mapped(file, 0, 2, R, 1)], []], form) ?? judgeSpaces(k, rest, [{ mm, states: [[]] }]),
});

const STEADY: States = [[anon(0, 2), anon(2, 4, R)]];

export const fork = scenario({
  name: "maps/fork",
  about: "a walk while fork write-locks and copies each mapping, and the copy goes again",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => mmput(k, dupMm(k, mm)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, STEADY, form) ?? judgeSpaces(k, rest, [{ mm, states: STEADY }]),
});

/** Who puts the last user takes the mappings away: the process, or the reader. */
export const lastUser = scenario({
  name: "maps/last-user",
  about: "a walk while the address space loses its last user, or the walk itself turns out to be that",
  paths: PATHS,
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R)]);
    // Whoever reads has the file open.
    k.m.add(mm + MM.mmCount, 1);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
    writer: (k, { mm }): void => mmput(k, mm),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    (reader.length === 0 ? null : judgeWalk(reader, STEADY, form)) ??
    (k.m.load(mm + MM.mmUsers) === 0 && k.m.load(mm + MM.mmCount) === 1
      ? judgeSpaces(k, rest, [{ mm, states: [[]] }])
      : `there are ${k.m.load(mm + MM.mmUsers)} users and ${k.m.load(mm + MM.mmCount)} references`),
});

export const twoUsers = scenario({
  name: "maps/two-users",
  about: "two users leave an address space at once while it is walked: whoever is last takes the mappings away",
  paths: PATHS,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2)]);
    k.m.add(mm + MM.mmCount, 1);
    mmget(k, mm);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    first: (k, { mm }): void => mmput(k, mm),
    second: (k, { mm }): void => mmput(k, mm),
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, MAPS),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    (reader.length === 0 ? null : judgeWalk(reader, [[anon(0, 2)]], form)) ??
    (k.m.load(mm + MM.mmUsers) === 0 && k.m.load(mm + MM.mmCount) === 1
      ? judgeSpaces(k, rest, [{ mm, states: [[]] }])
      : `there are ${k.m.load(mm + MM.mmUsers)} users and ${k.m.load(mm + MM.mmCount)} references`),
});

/** Addresses around 4 GiB, where the halves of a 64-bit value change together. */
const FOUR_GIB = 2 ** 32;
const HEAP_MAPPING = { ...anon(0, 2), start: FOUR_GIB - 2 * PAGE_SIZE, end: FOUR_GIB };
const ABOVE_HEAP = { ...anon(0, 1, R), start: FOUR_GIB + PAGE_SIZE, end: FOUR_GIB + 2 * PAGE_SIZE };

/**
 * The end of the heap is looked at without a lock that keeps it as it is. Here neither mapping is changed, only the end,
 * within the last page.
 * @param probed where the reader looks, and what he must see
 */
function heapEnd(name: string, about: string, from: number, to: number, probed: Mapping): Scenario {
  return scenario({
    name,
    about,
    paths: PATHS,
    quick: true,
    setup: (k) => {
      const mm = makeSpace(k, [HEAP_MAPPING, ABOVE_HEAP]);
      k.m.store64(mm + MM.startBrk, HEAP_MAPPING.start);
      k.m.store64(mm + MM.brk, from);
      return { mm, rest: restBeside(k, [mm]) };
    },
    threads: {
      reader: (k, { mm }): MapsStep => probe(k, mm, MAPS, probed.start),
      writer: (k, { mm }): void => must(brk(k, mm, to) - to),
    },
    check: (k, { mm, rest }, { reader: { found } }) =>
      found !== null && found.start === probed.start && found.name === probed.name && mmBrk(k.m, mm) === to
        ? judgeSpaces(k, rest, [{ mm, states: [[{ ...HEAP_MAPPING, name: HEAP }, ABOVE_HEAP]] }])
        : `it shows ${JSON.stringify(found)}, and the heap ends at ${mmBrk(k.m, mm).toString(16)}`,
  });
}

export const heapGrows = heapEnd(
  "maps/heap-grows",
  "a lookup of the heap while brk moves its end to 4 GiB: it is shown as the heap",
  FOUR_GIB - 1,
  FOUR_GIB,
  { ...HEAP_MAPPING, name: HEAP },
);

export const heapShrinks = heapEnd(
  "maps/heap-shrinks",
  "a lookup above the heap while brk moves its end below 4 GiB: nothing else is shown as the heap",
  FOUR_GIB,
  FOUR_GIB - 1,
  ABOVE_HEAP,
);
