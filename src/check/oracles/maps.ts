/**
 * What a reader of maps, smaps, smaps_rollup and numa_maps may see.
 *
 * The address space is cut into zones, each changed by one writer, who says what mappings it holds after each of his
 * operations; no mapping crosses the border of two zones. `states` are those that a zone may have had while the reader
 * looked, oldest first.
 *
 * Each step of a walk asks for the mapping after a position, the end of the one before, and answers as of one moment of
 * its own: the mapping is one that was there at that moment, whole (bounds, permissions, offset, name), and no other
 * ended above the position. From this follow: ends ascend (starts need not: a mapping that has grown downwards over the
 * position meanwhile is shown with its new start), nothing that stayed mapped is reported as a gap, nothing of another
 * address space is seen, and a walk is no longer than the address space has pages. Different steps may be of different
 * moments, but never of an earlier one than the step before.
 *
 * With mmap_lock held all along, all steps are of one moment.
 *
 * Page counts (smaps, numa_maps) change without the mapping's lock: each lies between what it had been and what it became,
 * while the mapping was as it is shown, and together they don't exceed it. A sum over all mappings (smaps_rollup) counts
 * at least what was resident all along, and at most what was mapped at some time.
 */

const PAGE_SIZE = 4096;

/** Resident and swapped pages of one mapping. */
export interface PageCounts {
  readonly anon: number;
  readonly file: number;
  readonly swap: number;
}

/** One mapping; addresses and offset in bytes. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** r 1, w 2, x 4, shared 8. */
  readonly permissions: number;
  readonly offset: number;
  /** Stands for the file, or for the name of anonymous memory; 0 for none. */
  readonly name: number;
  /** Null where the file that was read has none. */
  readonly pages: PageCounts | null;
}

/** What a zone may have held, and the ticks between which it did; see State in history.ts. */
export interface ZoneState {
  readonly from: number;
  readonly until: number;
  /** Ascending. */
  readonly mappings: readonly Mapping[];
}

/** A part of the address space that one writer changes. */
export interface Zone {
  readonly start: number;
  readonly end: number;
  /** Oldest first. */
  readonly states: readonly ZoneState[];
}

/** One step of a walk: the answer to "what ends above this position?"; null for "nothing any more". */
export interface MapsStep {
  readonly position: number;
  readonly found: Mapping | null;
}

/**
 * Judges one step.
 * @param zones all of the address space that was walked, ascending and adjacent, as they were during the step
 * @returns what is wrong, or null
 */
export function judgeMapsStep(step: MapsStep, zones: readonly Zone[]): string | null {
  const { position, found } = step;
  const home = found === null ? undefined : zones.find((zone) => found.start >= zone.start && found.end <= zone.end);
  if (found !== null && home === undefined) return `${mappingText(found)} lies in no zone`;
  const ahead = zones.filter((zone) => zone.end > position && (home === undefined || zone.start <= home.start));
  const like = found === null || home === undefined ? [] : likeIn(home, found);
  if (found !== null && home !== undefined && like.length === 0) {
    return `${mappingText(found)} never was: ${statesText(home, position)}`;
  }
  if (found !== null && found.end <= position) return `${mappingText(found)} does not end above ${hex(position)}`;
  const fitting = ahead.map(({ states }) =>
    states.filter(({ mappings }) => isFirst(mappings, position, states === home?.states ? found : null)),
  );
  const gap = fitting.findIndex((states) => states.length === 0);
  if (gap >= 0 || !haveOneMoment(fitting)) {
    const where = (ahead[Math.max(gap, 0)] ?? home) as Zone;
    return `${wasMissed(position, found)}: ${statesText(where, position)}`;
  }
  return found === null ? null : judgePages(found, like);
}

/** True if nothing ends above the position before `found`; null stands for nothing at all. */
function isFirst(mappings: readonly Mapping[], position: number, found: Mapping | null): boolean {
  const next = mappings.find(({ end }) => end > position);
  if (next === undefined || found === null) return next === undefined && found === null;
  return sameMapping(next, found);
}

/** Mappings of a zone's states that are as this one, whatever their pages. */
function likeIn(zone: Zone, found: Mapping): Mapping[] {
  return zone.states.flatMap(({ mappings }) => mappings.filter((mapping) => sameMapping(mapping, found)));
}

/** True if there is a tick at which every list has a state. */
function haveOneMoment(lists: readonly (readonly ZoneState[])[]): boolean {
  const covers = (tick: number): boolean =>
    lists.every((states) => states.some(({ from, until }) => from <= tick && tick < until));
  return lists.length === 0 || lists.flat().some(({ from }) => covers(from));
}

function judgePages(found: Mapping, like: readonly Mapping[]): string | null {
  const { pages } = found;
  if (pages === null) return null;
  for (const kind of ["anon", "file", "swap"] as const) {
    const counts = like.map((mapping) => mapping.pages?.[kind] ?? 0);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    if (pages[kind] >= least && pages[kind] <= most) continue;
    return `${mappingText(found)} has ${pages[kind]} ${kind} pages, which were ${least} to ${most}`;
  }
  const size = (found.end - found.start) / PAGE_SIZE;
  const sum = pages.anon + pages.file + pages.swap;
  return sum > size ? `${mappingText(found)} has ${sum} pages, more than its size of ${size}` : null;
}

/**
 * Judges a walk that held mmap_lock: it must be of one moment.
 * @param found all mappings of the walk
 * @param zones as they were during the walk
 */
export function judgeMapsMoment(found: readonly Mapping[], zones: readonly Zone[]): string | null {
  const fitting = zones.map((zone) => {
    const seen = found.filter(({ start, end }) => start >= zone.start && end <= zone.end);
    return zone.states.filter(({ mappings }) => sameList(seen, mappings));
  });
  if (haveOneMoment(fitting) && fitting.every((states) => states.length > 0)) return null;
  const zone = zones[
    Math.max(
      0,
      fitting.findIndex((states) => states.length === 0),
    )
  ] as Zone;
  return `the walk is of no single moment: ${listText(found)}; ${statesText(zone, zone.start)}`;
}

/** What smaps_rollup says: its bounds, in bytes, and the resident pages in all. */
export interface Rollup {
  readonly start: number;
  readonly end: number;
  readonly pages: number;
}

/** Judges a sum over all mappings. @param zones as they were during the walk */
export function judgeRollup(rollup: Rollup, zones: readonly Zone[]): string | null {
  let least = 0;
  let most = 0;
  for (const zone of zones) {
    for (let address = zone.start; address < zone.end; address += PAGE_SIZE) {
      const at = zone.states.map(({ mappings }) => mappingAt(mappings, address));
      if (at.some((mapping) => mapping !== undefined)) most++;
      if (at.every((mapping) => mapping !== undefined && isResident(mapping))) least++;
    }
  }
  if (rollup.pages < least) return `${rollup.pages} pages in all, but ${least} were resident all along`;
  if (rollup.pages > most) return `${rollup.pages} pages in all, but at most ${most} were mapped`;
  return judgeBounds(rollup, zones);
}

function judgeBounds(rollup: Rollup, zones: readonly Zone[]): string | null {
  const all = zones.flatMap(({ states }) => states.flatMap(({ mappings }) => mappings));
  if (!all.some(({ start }) => start === rollup.start)) return `no mapping began at ${hex(rollup.start)}`;
  if (!all.some(({ end }) => end === rollup.end)) return `no mapping ended at ${hex(rollup.end)}`;
  return null;
}

function isResident({ start, end, pages }: Mapping): boolean {
  return pages !== null && pages.anon + pages.file === (end - start) / PAGE_SIZE;
}

function mappingAt(state: readonly Mapping[], address: number): Mapping | undefined {
  return state.find(({ start, end }) => start <= address && end > address);
}

function sameMapping(a: Mapping, b: Mapping): boolean {
  return (
    a.start === b.start &&
    a.end === b.end &&
    a.permissions === b.permissions &&
    a.offset === b.offset &&
    a.name === b.name
  );
}

function sameList(a: readonly Mapping[], b: readonly Mapping[]): boolean {
  return a.length === b.length && a.every((mapping, i) => sameMapping(mapping, b[i] as Mapping));
}

function wasMissed(position: number, found: Mapping | null): string {
  const shown = found === null ? "the end" : mappingText(found);
  return `after ${hex(position)} came ${shown}, although something lay before it all the time`;
}

function statesText({ states }: Zone, position: number): string {
  const around = states.map(({ mappings }) => listText(mappings.filter(({ end }) => end >= position).slice(0, 3)));
  return `it was ${[...new Set(around)].join(", then ")}`;
}

function listText(mappings: readonly Mapping[]): string {
  return `[${mappings.map(mappingText).join(" ")}]`;
}

function mappingText({ start, end, permissions, offset, name }: Mapping): string {
  return `${hex(start)}-${hex(end)}/${permissions}+${hex(offset)}:${name}`;
}

function hex(address: number): string {
  return address.toString(16);
}
