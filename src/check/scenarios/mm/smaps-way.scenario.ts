/** Long walks, in whose way others would be: smaps and its kin let writers go first, and grace periods end. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST, MM, PAGE_SIZE } from "../../../kernel/layout.ts";
import { mmapIsContended } from "../../../mm/lock.ts";
import { MapsWalk } from "../../../mm/maps-walk.ts";
import { munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuStart } from "../../../sync/rcu.ts";
import { WAIT_EINTR } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import type { MapsStep } from "../../oracles/maps.ts";
import { scenario } from "../../scenario.ts";
import type { States } from "./maps-space.ts";
import {
  R,
  RX,
  anon,
  at,
  judgeAnyMoment,
  judgeSpaces,
  judgeWalk,
  makeSpace,
  must,
  restBeside,
  stepOf,
  walkFrom,
  walkOn,
} from "./maps-space.ts";

const ROLLUP = Path.smaps_rollup;

const WAITS: States = [
  [anon(0, 2), anon(2, 4, R)],
  [anon(0, 2), anon(2, 4, RX)],
];

/** Two steps of a walk, between which a writer may go first. */
interface Way {
  readonly first: MapsStep;
  /** True if a writer waited by then: it has to be done when the walk goes on. */
  readonly contended: boolean;
  readonly second: MapsStep;
}

export const giveWay = scenario({
  name: "smaps/give-way",
  about:
    "a walk that holds mmap_lock while a writer waits for it: the writer goes first, and the walk shows what it did",
  paths: [ROLLUP],
  forms: ["locked"],
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, WAITS[0] ?? []);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): Way => {
      const walk = new MapsWalk();
      must(walk.start(k, mm, ROLLUP, 0, 0) - 1);
      const first = stepOf(k, walk, ROLLUP, 0);
      const position = walk.position;
      const contended = mmapIsContended(k, mm);
      must(walk.giveWay(k));
      must(walk.next(k) - 1);
      const second = stepOf(k, walk, ROLLUP, position);
      walk.stop(k);
      return { first, contended, second };
    },
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, RX)),
  },
  check: (k, { mm, rest }, { reader: { first, contended, second } }) =>
    judgeWalk([first], WAITS, "locked") ??
    judgeWalk([second], contended ? WAITS.slice(-1) : WAITS, "locked") ??
    judgeSpaces(k, rest, [{ mm, states: WAITS.slice(-1) }]),
});

export const killed = scenario({
  name: "smaps/give-way-killed",
  about: "one who has been killed lets a writer go first: he doesn't wait for it, and holds nothing",
  paths: [ROLLUP],
  forms: ["locked"],
  quick: true,
  setup: (k) => {
    const mm = makeSpace(k, WAITS[0] ?? []);
    const interrupt = words(k, 1);
    k.m.store(interrupt, 1);
    return { mm, interrupt, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm, interrupt }): { steps: MapsStep[]; result: number } => {
      k.t.interruptWord = interrupt;
      const steps: MapsStep[] = [];
      return { steps, result: walkOn(k, new MapsWalk(), mm, ROLLUP, steps, true) };
    },
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, RX)),
  },
  check: (k, { mm, rest }, { reader: { steps, result } }) => {
    if (result !== 1 && result !== WAIT_EINTR) return `the walk answers ${result}`;
    const users = k.m.load(mm + MM.mmUsers);
    if (users !== 1) return `there are ${users} users`;
    return judgeAnyMoment(steps, WAITS) ?? judgeSpaces(k, rest, [{ mm, states: WAITS.slice(-1) }]);
  },
});

const NODES: States = [
  [anon(0, 1), anon(2, 3), anon(4, 5), anon(6, 8, R)],
  [anon(2, 3), anon(4, 5), anon(6, 8, R)],
  [anon(2, 3), anon(4, 5), anon(6, 7, R), anon(7, 8, RX)],
];

/** As smaps/node-reused, for a walk that waits meanwhile. */
export const nodeReused = scenario({
  name: "smaps/give-way-reused",
  extent: { kind: "bounded", preemptions: 3 },
  about: "the tree's nodes are freed and reused while a walk lets writers go first",
  paths: [ROLLUP],
  forms: ["locked"],
  setup: (k) => {
    const mm = makeSpace(k, NODES[0] ?? []);
    return { mm, rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm }): MapsStep[] => {
      const walk = new MapsWalk();
      const steps: MapsStep[] = [];
      walk.position = at(1);
      walk.lastPosition = at(1);
      must(walkOn(k, walk, mm, ROLLUP, steps, true));
      return steps;
    },
    writer: (k, { mm }): void => {
      must(munmap(k, mm, at(0), PAGE_SIZE));
      for (let i = 0; i < 2; i++) {
        k.slab.reclaim();
        k.quiescent();
      }
      must(mprotect(k, mm, at(7), PAGE_SIZE, RX));
    },
  },
  check: (k, { mm, rest }, { reader }) =>
    judgeWalk(reader, NODES, "lockfree") ?? judgeSpaces(k, { ...rest, nodes: null }, [{ mm, states: NODES.slice(-1) }]),
});

/** Starts a grace period, and walks. @returns true if the thread is no longer waited for */
function letsGo(k: Kernel, mm: Ptr, path: PathId): boolean {
  const number = rcuStart(k.m, HOST.rcu);
  walkFrom(k, mm, path);
  return ((k.m.load(k.t.rcuWord) - number) | 0) >= 0;
}

export const gracePeriods = scenario({
  name: "smaps/grace-period",
  about: "grace periods end while pages are walked; not if a request does it, nor while the mappings alone are",
  paths: [Path.smaps],
  quick: true,
  setup: (k) => [makeSpace(k, WAITS[0] ?? []), makeSpace(k, WAITS[0] ?? [])],
  threads: {
    sleeper: (k, [mm = NULL]): { mappings: boolean; pages: boolean } => {
      const mappings = letsGo(k, mm, Path.maps);
      return { mappings, pages: letsGo(k, mm, Path.smaps) };
    },
    request: (k, [, mm = NULL]): boolean => {
      k.t.maySleep = false;
      return letsGo(k, mm, Path.smaps);
    },
  },
  check: (_k, _spaces, { sleeper: { mappings, pages }, request }) => {
    if (!pages) return "a walk of pages keeps a grace period from its end";
    if (mappings) return "a walk of the mappings is not one section";
    return request ? "a request has let go what it had found" : null;
  },
});
