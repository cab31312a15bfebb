/** What the oracles of maps, timers and path walks allow and what not, on histories made by hand. */
import { describe, expect, test } from "vitest";
import type { Mapping, Zone } from "../../src/check/oracles/maps.ts";
import { judgeMapsMoment, judgeMapsStep, judgeRollup } from "../../src/check/oracles/maps.ts";
import type { Life, PidState } from "../../src/check/oracles/revalidate.ts";
import { ANY_LIFE, judgeFileOwner, judgeLink, judgeProcess, judgeThread } from "../../src/check/oracles/revalidate.ts";
import type { TimerEntry, TimerState } from "../../src/check/oracles/timers.ts";
import { judgeTimerEntry, judgeTimersMoment, judgeTimersWalk } from "../../src/check/oracles/timers.ts";

const PAGE = 4096;

/** A mapping by its pages, all of them resident. */
function mapping(from: number, to: number, permissions = 1): Mapping {
  const pages = { anon: 0, file: to - from, swap: 0 };
  return { start: from * PAGE, end: to * PAGE, permissions, offset: from * PAGE, name: 1, pages };
}

/** A zone of ten pages; its states follow each other at ticks 10, 20, … */
function zone(from: number, ...states: Mapping[][]): Zone {
  const last = states.length - 1;
  return {
    start: from * PAGE,
    end: (from + 10) * PAGE,
    states: states.map((mappings, i) => ({ from: 10 * i, until: i === last ? Infinity : 10 * (i + 1), mappings })),
  };
}

function step(position: number, found: Mapping | null, ...zones: Zone[]): string | null {
  return judgeMapsStep({ position: position * PAGE, found }, zones);
}

describe("maps", () => {
  const split = zone(0, [mapping(0, 10)], [mapping(0, 4, 3), mapping(4, 10)]);

  test("a step shows the next mapping of one moment, before a split or after it", () => {
    expect(step(0, mapping(0, 10), split)).toBeNull();
    expect(step(0, mapping(0, 4, 3), split)).toBeNull();
    expect(step(4, mapping(4, 10), split)).toBeNull();
    // It began below the position: a mapping may have grown over it.
    expect(step(4, mapping(0, 10), split)).toBeNull();
  });

  test("what never was, half a split, or of another address space", () => {
    expect(step(0, mapping(0, 4), split)).toMatch(/never was/);
    expect(step(0, { ...mapping(0, 10), name: 2 }, split)).toMatch(/never was/);
    expect(step(0, { ...mapping(4, 10), offset: 0 }, split)).toMatch(/never was/);
    expect(step(0, mapping(20, 21), split)).toMatch(/in no zone/);
  });

  test("a gap where something was mapped all the time", () => {
    expect(step(0, mapping(4, 10), split)).toMatch(/something lay before it/);
    expect(step(4, null, split)).toMatch(/something lay before it/);
    expect(step(10, mapping(0, 10), split)).toMatch(/does not end above/);
  });

  test("the end, and the step into another zone, need a moment at which nothing came before", () => {
    const emptied = zone(0, [mapping(0, 4)], []);
    const filled = zone(10, [], [mapping(10, 20)]);
    expect(step(0, null, emptied, zone(10, []))).toBeNull();
    expect(step(0, mapping(10, 20), emptied, filled)).toBeNull();
    const refilled = zone(10, [mapping(10, 20)], []);
    expect(step(0, mapping(10, 20), emptied, refilled)).toMatch(/something lay before it/);
  });

  test("pages are those of the mapping, and no more than it has", () => {
    const counted = (file: number, anon: number): Mapping => ({ ...mapping(0, 4), pages: { anon, file, swap: 0 } });
    const touched = zone(0, [counted(4, 0)], [counted(0, 4)]);
    expect(step(0, counted(2, 1), touched)).toBeNull();
    expect(step(0, counted(4, 4), touched)).toMatch(/more than its size/);
    expect(step(0, counted(0, 3), zone(0, [counted(0, 4)]))).toMatch(/which were 4 to 4/);
  });

  test("a walk under mmap_lock is of one moment", () => {
    expect(judgeMapsMoment([mapping(0, 4, 3), mapping(4, 10)], [split])).toBeNull();
    const other = zone(10, [mapping(10, 20)], [mapping(10, 20, 3)]);
    expect(judgeMapsMoment([mapping(0, 10), mapping(10, 20)], [split, other])).toBeNull();
    expect(judgeMapsMoment([mapping(0, 10), mapping(10, 20, 3)], [split, other])).toMatch(/no single moment/);
  });

  test("a sum counts what was resident all along, once", () => {
    const sum = (pages: number): string | null => judgeRollup({ start: 0, end: 10 * PAGE, pages }, [split]);
    expect([sum(9), sum(10), sum(11)]).toEqual([
      expect.stringMatching(/but 10 were/),
      null,
      expect.stringMatching(/at most 10/),
    ]);
  });
});

function timer(number: number): TimerEntry {
  return { id: number, signo: number, value: 100 + number, notify: 0, pid: 1, clock: 0 };
}

function timers(...states: number[][]): TimerState[] {
  const last = states.length - 1;
  return states.map((numbers, i) => {
    return { from: 10 * i, until: i === last ? Infinity : 10 * (i + 1), timers: numbers.map(timer) };
  });
}

function walk(states: TimerState[], ...pieces: number[][]): string | null {
  return judgeTimersWalk(
    pieces.map((piece) => piece.map(timer)),
    [states],
  );
}

describe("timers", () => {
  test("an entry is whole and of a timer that there was", () => {
    const states = [timers([2, 1], [2])];
    expect(judgeTimerEntry(timer(1), states)).toBeNull();
    expect(judgeTimerEntry(timer(3), states)).toMatch(/did not exist/);
    expect(judgeTimerEntry({ ...timer(1), signo: 2 }, states)).toMatch(/not whole/);
    const unnumbered = [{ from: 0, until: Infinity, timers: [{ ...timer(3), id: null }] }];
    expect(judgeTimerEntry(timer(3), [unnumbered])).toBeNull();
  });

  test("in one piece nothing that lives is missed or shown twice, whatever others do", () => {
    const states = timers([4, 3, 2, 1], [4, 3, 1], [5, 4, 3, 1]);
    expect(walk(states, [4, 3, 1])).toBeNull();
    expect(walk(states, [5, 4, 3, 2, 1])).toBeNull();
    expect(walk(states, [4, 1])).toMatch(/were missed/);
    expect(walk(states, [4, 3, 3, 1])).toMatch(/shown after/);
    expect(walk(states, [3, 4, 1])).toMatch(/shown after/);
  });

  test("a walk that goes on at a position may miss one for each that was deleted, and repeat one for each created", () => {
    const deleted = timers([5, 4, 3, 2, 1], [5, 3, 2, 1]);
    expect(walk(deleted, [5, 4], [2, 1])).toBeNull();
    expect(walk(deleted, [5, 4], [1])).toMatch(/were missed/);
    expect(walk(deleted, [5, 4], [4, 3, 2, 1])).toMatch(/shown again/);
    const created = timers([3, 2, 1], [4, 3, 2, 1]);
    expect(walk(created, [3, 2], [2, 1])).toBeNull();
    expect(walk(created, [3, 2], [3, 2, 1])).toMatch(/shown again/);
    expect(walk(created, [3, 2], [])).toMatch(/were missed/);
  });

  test("under siglock a walk is of one moment, of all writers", () => {
    const moment = (...numbers: number[]): string | null =>
      judgeTimersMoment(numbers.map(timer), [timers([1], [3, 1]), timers([2], [])]);
    expect(moment(2, 1)).toBeNull();
    expect(moment(3, 1)).toBeNull();
    expect(moment(3, 2, 1)).toMatch(/no single moment/);
    expect(moment(1)).toMatch(/no single moment/);
  });
});

function life(generation: number, more: Partial<Life> = {}): Life {
  const ids = { uid: generation, gid: generation };
  return {
    generation,
    start: generation,
    ...ids,
    dumpable: true,
    ledBy: null,
    thread: null,
    links: new Map(),
    ...more,
  };
}

function pid(...lives: (Life | null)[]): PidState[] {
  return lives.map((each, i) => ({ from: 10 * i, until: 10 * (i + 1), life: each }));
}

function seen(generation: number): { generation: number; start: number; uid: number; gid: number } {
  return { generation, start: generation, uid: generation, gid: generation };
}

describe("path walks", () => {
  test("a life that was there, whole; gone only if there was a moment without it", () => {
    const reused = pid(life(1), null, life(2));
    expect(judgeProcess(seen(1), ANY_LIFE, reused)).toBeNull();
    expect(judgeProcess(null, ANY_LIFE, reused)).toBeNull();
    expect(judgeProcess(null, 1, reused)).toBeNull();
    expect(judgeProcess(seen(2), 1, reused)).toMatch(/was found/);
    expect(judgeProcess({ ...seen(1), uid: 2 }, 1, reused)).toMatch(/was found/);
    expect(judgeProcess(null, ANY_LIFE, pid(life(1)))).toMatch(/was said to be gone/);
    expect(judgeProcess(seen(1), 1, pid(null))).toMatch(/was found/);
  });

  test("a thread, also one that takes over its leader's pid", () => {
    const thread = { generation: 7, uid: 5, gid: 5 };
    const taken = pid(life(1, { thread }), life(1, { ledBy: 7, uid: 6, gid: 6 }));
    expect(judgeThread(thread, 1, 7, taken)).toBeNull();
    expect(judgeThread({ generation: 7, uid: 6, gid: 6 }, 1, 7, taken)).toBeNull();
    expect(judgeThread(null, 1, 7, taken)).toBeNull();
    expect(judgeThread({ generation: 7, uid: 1, gid: 1 }, 1, 7, taken)).toMatch(/was found/);
    expect(judgeThread(thread, 1, 7, pid(life(1)))).toMatch(/was found/);
    expect(judgeThread(null, 1, 7, pid(life(1, { thread })))).toMatch(/was said to be gone/);
  });

  test("a file belongs to the user, or to root if the process can't be dumped", () => {
    const closed = pid(life(1, { dumpable: false }));
    expect(judgeFileOwner({ uid: 0, gid: 0 }, 1, closed)).toBeNull();
    expect(judgeFileOwner({ uid: 1, gid: 1 }, 1, closed)).toMatch(/belonged to 1:1/);
    expect(judgeFileOwner({ uid: 0, gid: 0 }, 1, pid(life(1)))).toMatch(/belonged to 0:0/);
  });

  test("an entry leads to what was there", () => {
    const open = pid(life(1, { links: new Map([["fd/3", { text: "pipe:[1]", mode: 0o500 }]]) }));
    expect(judgeLink("fd/3", { text: "pipe:[1]" }, 1, open)).toBeNull();
    expect(judgeLink("fd/3", { text: "pipe:[2]" }, 1, open)).toMatch(/fd\/3 was/);
    expect(judgeLink("fd/3", { mode: 0o700 }, 1, open)).toMatch(/fd\/3 was/);
    expect(judgeLink("fd/3", null, 1, open)).toMatch(/said to be gone/);
  });
});
