/** smaps, numa_maps and smaps_rollup: walks that leave RCU while they go through a mapping's pages. */
import type { PathId } from "../../../kernel/knobs.ts";
import { Path } from "../../../kernel/knobs.ts";
import { PAGE_SIZE } from "../../../kernel/layout.ts";
import { MapsWalk } from "../../../mm/maps-walk.ts";
import { munmap } from "../../../mm/mmap.ts";
import { MREMAP_FIXED, MREMAP_MAYMOVE } from "../../../mm/flags.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import { mremap } from "../../../mm/mremap.ts";
import { swapOut, touch } from "../../../mm/resident.ts";
import { SmapsNumbers } from "../../../mm/smaps.ts";
import { smapsRollup } from "../../../mm/smaps-rollup.ts";
import type { MapsStep } from "../../oracles/maps.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { States } from "./maps-space.ts";
import {
  R,
  RW,
  RX,
  anon,
  at,
  judgeAnyMoment,
  judgeSpaces,
  judgeWalk,
  makeSpace,
  must,
  probe,
  restBeside,
  walkFrom,
} from "./maps-space.ts";

/** All pages of a mapping, resident. */
function resident(pages: number): { anon: number; file: number; swap: number } {
  return { anon: pages, file: 0, swap: 0 };
}

const SPLIT: States = [[anon(0, 4, RW, resident(4))], [anon(0, 2, RW, resident(2)), anon(2, 4, R, resident(2))]];

/** What is read of the pages belongs to the bounds that are read. */
function splitUnder(name: string, path: PathId): Scenario {
  return scenario({
    name,
    about: "a mapping is split while its pages are walked: they are those of the bounds shown with them",
    paths: [path],
    quick: true,
    setup: (k) => {
      const mm = makeSpace(k, [anon(0, 4)]);
      must(touch(k, mm, at(0), 4));
      return { mm, rest: restBeside(k, [mm]) };
    },
    threads: {
      reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, path),
      writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
    },
    check: (k, { mm, rest }, { reader }, form) =>
      judgeWalk(reader, SPLIT, form) ?? judgeSpaces(k, rest, [{ mm, states: SPLIT.slice(-1) }]),
  });
}

export const split = splitUnder("smaps/split", Path.smaps);
export const numaSplit = splitUnder("smaps/numa-split", Path.numa_maps);

const FAULTS: States = [
  [anon(0, 4, RW, { anon: 2, file: 0, swap: 1 })],
  [anon(0, 4, RW, { anon: 1, file: 0, swap: 2 })],
  [anon(0, 4, RW, { anon: 3, file: 0, swap: 1 })],
  [anon(0, 4, RW, { anon: 4, file: 0, swap: 0 })],
];

const MOVE: States = [
  [anon(0, 2, RW, resident(2)), anon(8, 9, R)],
  [anon(4, 6, RW, resident(2)), anon(8, 9, R)],
];

/** The new mapping is in the tree before it has the pages. */
export const move = scenario({
  name: "smaps/move",
  about: "a mapping and its pages are moved: neither place is shown without them",
  paths: [Path.smaps],
  setup: (k) => {
    const mm = makeSpace(k, MOVE[0] ?? []);
    must(touch(k, mm, at(0), 2));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps),
    writer: (k, { mm }): void =>
      must(mremap(k, mm, at(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, at(4))),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, MOVE, form) ?? judgeSpaces(k, rest, [{ mm, states: MOVE.slice(-1) }]),
});

/** Page faults don't need the mapping for themselves. */
export const faults = scenario({
  name: "smaps/faults",
  about: "pages are swapped out, and come back with others, while they are walked: never more than the mapping has",
  paths: [Path.smaps],
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    must(touch(k, mm, at(0), 3));
    must(swapOut(k, mm, at(0), 1));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps),
    writer: (k, { mm }): void => {
      must(swapOut(k, mm, at(0), 1));
      must(touch(k, mm, at(0), 4));
    },
  },
  check: (k, { mm, rest }, { reader }) =>
    judgeAnyMoment(reader, FAULTS) ?? judgeSpaces(k, rest, [{ mm, states: FAULTS.slice(-1) }]),
});

export const twoFaults = scenario({
  name: "smaps/two-faults",
  about: "two threads fault in the same two pages at once: the mapping has just these afterwards",
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    first: (k, { mm }): number => touch(k, mm, at(0), 2),
    second: (k, { mm }): number => touch(k, mm, at(0), 2),
  },
  check: (k, { mm, rest }, { first, second }) =>
    first + second === 2
      ? judgeSpaces(k, rest, [{ mm, states: [[anon(0, 2, RW, resident(2))]] }])
      : `${first} and ${second} pages became resident`,
});

/** Whoever finds room in the mapping must not find the same room as another. */
const SWAP: States = [[anon(0, 2, RW, resident(2))], [anon(0, 2, RW, { anon: 1, file: 0, swap: 1 })]];

export const swapAndFault = scenario({
  name: "smaps/swap-and-fault",
  about: "a page is swapped out while another thread faults in what is missing: all are of the two that there are",
  paths: [Path.smaps],
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2)]);
    must(touch(k, mm, at(0), 2));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep => probe(k, mm, Path.smaps, at(0)),
    out: (k, { mm }): void => must(swapOut(k, mm, at(0), 1)),
    faults: (k, { mm }): void => must(touch(k, mm, at(0), 2)),
  },
  check: (k, { mm, rest }, { reader }) =>
    judgeAnyMoment([reader], SWAP) ?? judgeSpaces(k, rest, [{ mm, states: SWAP }]),
});

const DETACH: States = [
  [anon(0, 2), anon(2, 4, R), anon(4, 6, RX)],
  [anon(0, 2), anon(4, 6, RX)],
];

export const detach = scenario({
  name: "smaps/detach",
  about: "the mapping behind the one whose pages are walked goes meanwhile",
  paths: [Path.smaps],
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R), anon(4, 6, RX)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps),
    writer: (k, { mm }): void => must(munmap(k, mm, at(2), 2 * PAGE_SIZE)),
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, DETACH, form) ?? judgeSpaces(k, rest, [{ mm, states: DETACH.slice(-1) }]),
});

const NODES: States = [
  [anon(0, 1), anon(2, 3), anon(4, 5), anon(6, 8, R)],
  [anon(2, 3), anon(4, 5), anon(6, 8, R)],
  [anon(2, 3), anon(4, 5), anon(6, 7, R), anon(7, 8, RX)],
];

/**
 * While its pages are walked, a grace period may end. The second change of the tree gets the memory of the node that the
 * first one retired, which is the root again then: an iterator that goes on in it goes astray. Three preemptions show that.
 */
export const nodeReused = scenario({
  name: "smaps/node-reused",
  about: "the tree's nodes are freed and reused while a mapping's pages are walked",
  paths: [Path.smaps],
  forms: ["lockfree"],
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 1), anon(2, 3), anon(4, 5), anon(6, 8, R)]);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => walkFrom(k, mm, Path.smaps, at(1)),
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(0), PAGE_SIZE));
      for (let i = 0; i < 2; i++) {
        k.slab.reclaim();
        k.quiescent();
      }
      must(mprotect(k, mm, at(7), PAGE_SIZE, RX));
    },
  },
  check: (k, { mm, rest }, { reader }, form) =>
    judgeWalk(reader, NODES, form) ??
    // Some nodes may still be in the writer's hands.
    judgeSpaces(k, { ...rest, nodes: null }, [{ mm, states: NODES.slice(-1) }]),
});

/** What smaps_rollup says of an address space in which nothing is resident but all of two mappings. */
interface Sum {
  readonly start: number;
  readonly end: number;
  /** kB. */
  readonly rss: number;
}

const ROLLUP: States = [[anon(0, 2, RW, resident(2)), anon(2, 4, R, resident(2))], [anon(0, 4, RW, resident(4))]];

/** No page comes or goes, whatever the mappings. */
export const rollup = scenario({
  name: "smaps/rollup",
  about: "the sum over all mappings while two of them become one: no page is counted twice, and none is missed",
  paths: [Path.smaps_rollup],
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 4)]);
    must(touch(k, mm, at(0), 4));
    must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R));
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): Sum => {
      const sum = new SmapsNumbers();
      const bounds = { start: 0, end: 0 };
      must(smapsRollup(k, new MapsWalk(), mm, sum, bounds));
      return { start: bounds.start, end: bounds.end, rss: sum.rss };
    },
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, RW)),
  },
  check: (k, { mm, rest }, { reader: { start, end, rss } }) =>
    start === at(0) && end === at(4) && rss === 16
      ? judgeSpaces(k, rest, [{ mm, states: ROLLUP.slice(-1) }])
      : `${rss} kB from ${start.toString(16)} to ${end.toString(16)}`,
});
