/**
 * What a reader of /proc/<pid>/timers may see.
 *
 * Each writer says which timers of his exist after each of his operations, newest first; `states` are those that may have
 * been while the reader looked, oldest first.
 *
 * - An entry is whole: all its fields belong to one timer.
 * - The timer existed at some moment of the entry's own reading: not one that was deleted before, not one to come. Its
 *   memory has not been freed: the reader's RCU section began before it was deleted.
 * - Newest first: ids descend within a walk in one piece.
 * - A walk in one piece misses no timer that existed all through it, and shows none twice, *whatever other timers do*. It
 *   follows links: who stands at a deleted timer still finds the way to every older one; new ones come before the first.
 * - A walk that stops (the buffer is full) goes on at a count of list places, among them deleted timers that were walked
 *   over and left out. So each timer that is deleted meanwhile may make it skip one that lives, and each that is created
 *   may make it show one again. Never more than those.
 * - With siglock held, a walk in one piece is of one moment.
 */

/** One timer as the file shows it; its value is told from all others'. */
export interface TimerEntry {
  /** Null in a state that was recorded before the kernel had given the timer its number. */
  readonly id: number | null;
  readonly signo: number;
  readonly value: number;
  readonly notify: number;
  readonly pid: number;
  readonly clock: number;
}

/** The timers of one writer that exist at the same time, newest first, and the ticks between which they do. */
export interface TimerState {
  readonly from: number;
  readonly until: number;
  readonly timers: readonly TimerEntry[];
}

/** For each writer the states that are possible, oldest first. */
export type TimerStates = readonly (readonly TimerState[])[];

/** Judges one entry. @param states while the entry was read */
export function judgeTimerEntry(entry: TimerEntry, states: TimerStates): string | null {
  const all = states.flat().flatMap(({ timers }) => timers);
  if (all.some((timer) => sameTimer(timer, entry))) return null;
  const torn = all.find((timer) => timer.value === entry.value || timer.id === entry.id);
  if (torn !== undefined) return `timer ${timerText(entry)} is not whole: it was ${timerText(torn)}`;
  return `timer ${timerText(entry)} did not exist when it was read`;
}

/** What was shown: one list for each piece of the walk, in order. */
export type TimerPieces = readonly (readonly TimerEntry[])[];

/** Judges the order and completeness of a walk. @param states from the start of its first piece to the end of its last */
export function judgeTimersWalk(pieces: TimerPieces, states: TimerStates): string | null {
  for (const piece of pieces) {
    const wrong = piece.findIndex(({ id }, i) => i > 0 && (id as number) >= (piece[i - 1]?.id as number));
    if (wrong > 0) return `timer ${piece[wrong]?.id} was shown after ${piece[wrong - 1]?.id}: ${piecesText([piece])}`;
  }
  const shown = pieces.flat().map(({ value }) => value);
  const missed = states.flatMap(livedThrough).filter((value) => !shown.includes(value));
  const again = shown.length - new Set(shown).size;
  const [deleted, created] = pieces.length === 1 ? [0, 0] : [changes(states, 0, 1), changes(states, 1, 0)];
  if (missed.length > deleted) {
    return `timers with values ${missed.join(" ")} were missed, ${deleted} deleted: ${piecesText(pieces)}`;
  }
  return again > created ? `${again} timers were shown again, ${created} created: ${piecesText(pieces)}` : null;
}

/** Judges a walk in one piece that held siglock: it must be of one moment. @param states during the walk */
export function judgeTimersMoment(shown: readonly TimerEntry[], states: TimerStates): string | null {
  const moments = states.flat().map(({ from }) => from);
  const seen = shown
    .map(({ value }) => value)
    .sort(ascending)
    .join(" ");
  for (const moment of moments) {
    const then = states.flatMap((writer) => writer.filter(({ from, until }) => from <= moment && moment < until));
    // Around a change both states are possible: one of each writer's, in any combination.
    if (combinations(then, states).some((values) => values.sort(ascending).join(" ") === seen)) return null;
  }
  return `timers with values ${seen} are of no single moment`;
}

/** The values that may have existed together: one state for each writer out of `then`. */
function combinations(then: readonly TimerState[], states: TimerStates): number[][] {
  let sets: number[][] = [[]];
  for (const writer of states) {
    const choices = writer.filter((state) => then.includes(state));
    sets = sets.flatMap((set) => choices.map((state) => [...set, ...valuesOf(state)]));
  }
  return sets;
}

function ascending(a: number, b: number): number {
  return a - b;
}

function livedThrough(states: readonly TimerState[]): number[] {
  const [first, ...others] = states;
  if (first === undefined) return [];
  return valuesOf(first).filter((value) => others.every((state) => valuesOf(state).includes(value)));
}

/** Timers that a state has, but its neighbour hasn't: (0, 1) those that went, (1, 0) those that came. */
function changes(states: TimerStates, has: 0 | 1, hasNot: 0 | 1): number {
  let total = 0;
  for (const writer of states) {
    for (let i = 0; i + 1 < writer.length; i++) {
      const without = valuesOf(writer[i + hasNot] as TimerState);
      total += valuesOf(writer[i + has] as TimerState).filter((value) => !without.includes(value)).length;
    }
  }
  return total;
}

function valuesOf({ timers }: TimerState): number[] {
  return timers.map(({ value }) => value);
}

function sameTimer(a: TimerEntry, shown: TimerEntry): boolean {
  if (a.value !== shown.value || (a.id !== null && a.id !== shown.id)) return false;
  return a.signo === shown.signo && a.notify === shown.notify && a.pid === shown.pid && a.clock === shown.clock;
}

function timerText({ id, signo, value, notify, pid, clock }: TimerEntry): string {
  return `${id} (signal ${signo}/${value.toString(16)}, notify ${notify}/${pid}, clock ${clock})`;
}

function piecesText(pieces: TimerPieces): string {
  return pieces.map((piece) => piece.map(({ id, value }) => `${id}=${value.toString(16)}`).join(" ")).join(" / ");
}
