/** What a history says that a read may have seen, in both of its forms, and what the oracles make of it. */
import { describe, expect, test } from "vitest";
import type { History } from "../../src/check/history.ts";
import { ArrayHistory, SharedHistory, atOneMoment } from "../../src/check/history.ts";

const SHAPE = { tracks: 2, words: 1, depth: 8 };

const FORMS: readonly [string, () => History][] = [
  ["arrays", () => new ArrayHistory()],
  ["a ring in shared memory", () => new SharedHistory(SharedHistory.reserve(SHAPE), SHAPE)],
];

/** A change from its begin to its end. */
function change(history: History, track: number, word: number): void {
  history.publish(track, history.begin(), [word]);
  history.end(track);
}

function possible(history: History, track: number, from: number, to: number): number[] {
  return (history.possible(track, from, to) ?? []).map(({ words }) => words[0] as number);
}

describe.each(FORMS)("%s", (_name, make) => {
  test("between changes there is one state", () => {
    const history = make();
    change(history, 0, 10);
    change(history, 0, 11);
    const now = history.now();
    expect(possible(history, 0, now, now)).toEqual([11]);
  });

  test("while a change is under way there are two", () => {
    const history = make();
    change(history, 0, 10);
    const before = history.now();
    history.publish(0, history.begin(), [11]);
    const within = history.now();
    expect(possible(history, 0, before, before)).toEqual([10]);
    expect(possible(history, 0, within, within)).toEqual([10, 11]);
    history.end(0);
    expect(possible(history, 0, within, within)).toEqual([10, 11]);
    expect(possible(history, 0, history.now(), history.now())).toEqual([11]);
  });

  test("a read that overlaps several changes may have seen each state, and no other", () => {
    const history = make();
    for (const word of [10, 11]) change(history, 0, word);
    const from = history.now();
    for (const word of [12, 13]) change(history, 0, word);
    const to = history.now();
    change(history, 0, 14);
    expect(possible(history, 0, from, to)).toEqual([11, 12, 13]);
  });

  test("a change that goes through states on its way leaves none of them behind", () => {
    const history = make();
    change(history, 0, 10);
    const from = history.now();
    for (const word of [11, 12, 13]) history.publish(0, history.begin(), [word]);
    expect(possible(history, 0, from, history.now())).toEqual([10, 11, 12, 13]);
    history.end(0);
    const ended = history.now();
    expect(possible(history, 0, ended, ended)).toEqual([13]);
    const until = (history.possible(0, from, ended) ?? []).map((state) => state.until);
    expect(until).toEqual([ended, ended, ended, Infinity]);
  });

  test("a change that has begun but is not published yet is no state", () => {
    const history = make();
    change(history, 0, 10);
    const begun = history.begin();
    expect(possible(history, 0, history.now(), history.now())).toEqual([10]);
    history.publish(0, begun, [11]);
    expect(possible(history, 0, history.now(), history.now())).toEqual([10, 11]);
    expect(history.newest(0)).toEqual([11]);
  });

  test("states of two tracks belong to one moment if both were in effect then", () => {
    const history = make();
    change(history, 0, 10);
    change(history, 1, 20);
    const from = history.now();
    change(history, 0, 11);
    change(history, 1, 21);
    const to = history.now();
    const [first, second] = [history.possible(0, from, to) ?? [], history.possible(1, from, to) ?? []];
    const together = first.flatMap((a) =>
      second.filter((b) => atOneMoment([a, b])).map((b) => [a.words[0], b.words[0]]),
    );
    expect(together).toEqual([
      [10, 20],
      [11, 20],
      [11, 21],
    ]);
  });
});

test("a ring that has forgotten what a read may have seen says so", () => {
  const history = new SharedHistory(SharedHistory.reserve(SHAPE), SHAPE);
  change(history, 0, 0);
  const from = history.now();
  for (let word = 1; word < SHAPE.depth; word++) {
    expect(possible(history, 0, from, history.now())[0]).toBe(0);
    change(history, 0, word);
  }
  expect(history.possible(0, from, history.now())).toBeNull();
  expect(possible(history, 0, history.now(), history.now())).toEqual([SHAPE.depth - 1]);
});

test("a state has the words that were agreed", () => {
  const history = new SharedHistory(SharedHistory.reserve(SHAPE), SHAPE);
  expect(() => history.publish(0, history.begin(), [1, 2])).toThrow("1 words, not 2");
});
