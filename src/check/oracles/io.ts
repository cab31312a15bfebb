/**
 * What a reader of /proc/<pid>/io may see.
 *
 * Of a process that execs, or of its leader alone (one track): the seven counters are those of one state, a state that
 * this caller may look at. A refusal needs a state that the caller may not look at. When another thread execs, the leader
 * dies and keeps the credentials that it had: they must not open the group, which answers -ESRCH to who holds the old
 * leader; that answer is not to be judged, nor are the counters of the old leader alone.
 *
 * Of a group whose threads do I/O and end at the same time (a track for each writer): the group's sum holds what each
 * writer has counted, living threads and dead ones together, each neither twice nor never; and all of it as it was at one
 * moment.
 *
 * Writers count in a way that lets a reader tell what is whole; see {@link imageCounters} and {@link groupCounters}.
 */
import { atOneMoment } from "../history.ts";
import type { State } from "../history.ts";
import type { Who } from "./access.ts";
import { describeStates, judgeRefusal, mayLook } from "./access.ts";

/** Counters in the order of the file: rchar wchar syscr syscw read_bytes write_bytes cancelled_write_bytes. */
export type Counters = readonly [number, number, number, number, number, number, number];

export interface IoRead {
  readonly who: Who;
  /** 0, or a negative errno. */
  readonly error: number;
  /** What was shown, if there was no error. */
  readonly counters: Counters;
}

/** Counters of a process that execs, after `amount` units of I/O: all different, so that none can stand for another. */
export function imageCounters(amount: number): Counters {
  return [amount, 2 * amount, 3 * amount, 4 * amount, 5 * amount, 6 * amount, 0];
}

/** Words of a state of {@link judgeImageIo}: access, units of I/O of the whole process, and of its leader alone. */
export const IO_WHOLE = 1;
export const IO_LEADER = 2;

/**
 * Judges a read of a process that execs.
 * @param of IO_WHOLE or IO_LEADER: whose counters were read
 * @returns what is wrong, or null
 */
export function judgeImageIo(read: IoRead, of: number, states: readonly State[]): string | null {
  return judgeIo(
    read,
    states.map(({ words }) => ({ words: [words[0] as number, ...imageCounters(words[of] as number)] })),
  );
}

/**
 * Judges a read by what there was to see.
 * @param states access, then the seven counters
 * @returns what is wrong, or null
 */
export function judgeIo(read: IoRead, states: readonly Pick<State, "words">[]): string | null {
  if (read.error !== 0) return judgeRefusal("io", read.who, read.error, -EACCES, states);
  for (const { words } of states) {
    if (mayLook(read.who, words[0] as number) && sameCounters(read.counters, words.slice(1))) return null;
  }
  return `io: ${read.who} saw ${read.counters.join(" ")}, possible: ${describeStates(states)}`;
}

const EACCES = 13;

/** Writers that one group can have: each has a counter of its own among those between the first and the last. */
export const GROUP_WRITERS = 4;

/** What writer `writer` of a group adds for each unit of I/O. */
export function groupCounters(writer: number): Counters {
  const own = [0, 1, 2, 3].map((index) => (index === writer ? 1 : 0)) as [number, number, number, number];
  return [1, ...own, 1, 0];
}

/**
 * Judges a sum over a group that everybody asked may look at.
 * @param tracks for each writer the states that are possible; their first word is how many units it has counted
 * @returns what is wrong, or null
 */
export function judgeGroupIo(read: IoRead, tracks: readonly (readonly State[])[]): string | null {
  if (read.error !== 0) return `io of a group: ${read.who} got ${read.error}`;
  const [rchar, ...rest] = read.counters;
  const seen = rest.slice(0, GROUP_WRITERS);
  const sum = seen.reduce((total, amount) => total + amount, 0);
  if (rchar !== sum || rest[GROUP_WRITERS] !== sum || rest[GROUP_WRITERS + 1] !== 0) {
    return `io of a group: sums ${read.counters.join(" ")} don't belong together`;
  }
  const states: State[] = [];
  for (let writer = 0; writer < tracks.length; writer++) {
    const of = tracks[writer] as readonly State[];
    const state = of.find(({ words }) => words[0] === seen[writer]);
    if (state === undefined) {
      const amounts = of.slice(-4).map(({ words }) => words[0]);
      return `io of a group: ${seen[writer]} of writer ${writer}, possible: ${amounts.join(" or ")}`;
    }
    states.push(state);
  }
  return atOneMoment(states) ? null : `io of a group: ${seen.join(" ")} were never there at one moment`;
}

function sameCounters(a: Counters, b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
