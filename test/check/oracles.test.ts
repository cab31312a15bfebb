/** The oracles of the exec_update family on hand-made reads: what they accept, and what they don't. */
import { describe, expect, test } from "vitest";
import type { State } from "../../src/check/history.ts";
import { CLOSED, OPEN } from "../../src/check/oracles/access.ts";
import { judgeImage } from "../../src/check/oracles/identity.ts";
import type { Counters } from "../../src/check/oracles/io.ts";
import { IO_LEADER, IO_WHOLE, imageCounters, judgeGroupIo, judgeImageIo } from "../../src/check/oracles/io.ts";
import { KnownOrder, UNKNOWN, judgeKcmp } from "../../src/check/oracles/kcmp.ts";

const EPERM = 1;
const ESRCH = 3;
const EBADF = 9;
const EACCES = 13;

function state(words: readonly number[], from = 0, until = Infinity): State {
  return { index: 0, from, until, words };
}

describe("io of an image", () => {
  const open = state([OPEN, 5, 2]);
  const closed = state([CLOSED, 6, 3]);
  const NONE = imageCounters(0);

  test("the owner sees an open state, root any, a stranger none", () => {
    const shown = { error: 0, counters: imageCounters(5) };
    expect(judgeImageIo({ who: "owner", ...shown }, IO_WHOLE, [open, closed])).toBeNull();
    expect(judgeImageIo({ who: "root", error: 0, counters: imageCounters(6) }, IO_WHOLE, [open, closed])).toBeNull();
    expect(judgeImageIo({ who: "stranger", ...shown }, IO_WHOLE, [open])).toContain("stranger saw 5 10 15");
  });

  test("a leader has its own counters", () => {
    const read = { who: "owner", error: 0, counters: imageCounters(2) } as const;
    expect(judgeImageIo(read, IO_LEADER, [open, closed])).toBeNull();
    expect(judgeImageIo(read, IO_WHOLE, [open, closed])).toContain("owner saw 2");
  });

  test("what a closed state has counted is not for the owner", () => {
    const read = { who: "owner", error: 0, counters: imageCounters(6) } as const;
    expect(judgeImageIo(read, IO_WHOLE, [open, closed])).toContain("owner saw 6");
  });

  test("counters of two moments", () => {
    const counters: Counters = [5, 10, 15, 24, 30, 36, 0];
    expect(judgeImageIo({ who: "root", error: 0, counters }, IO_WHOLE, [open, closed])).toContain("root saw");
  });

  test("a refusal needs a state that explains it, and the right error", () => {
    const refused = { who: "owner", error: -EACCES, counters: NONE } as const;
    expect(judgeImageIo(refused, IO_WHOLE, [open, closed])).toBeNull();
    expect(judgeImageIo(refused, IO_WHOLE, [open])).toContain("was refused");
    expect(judgeImageIo({ ...refused, error: -EPERM }, IO_WHOLE, [closed])).toContain(`got ${-EPERM}`);
    expect(judgeImageIo({ ...refused, who: "root" }, IO_WHOLE, [closed])).toContain("was refused");
  });
});

describe("io of a group", () => {
  const read = (counters: Counters): Parameters<typeof judgeGroupIo>[0] => ({ who: "owner", error: 0, counters });

  test("all that each writer has counted, at one moment", () => {
    const first = [state([3], 1, 10), state([4], 9)];
    const second = [state([7], 1, 20)];
    expect(judgeGroupIo(read([11, 4, 7, 0, 0, 11, 0]), [first, second])).toBeNull();
    expect(judgeGroupIo(read([10, 3, 7, 0, 0, 10, 0]), [first, second])).toBeNull();
    expect(judgeGroupIo(read([12, 5, 7, 0, 0, 12, 0]), [first, second])).toContain("5 of writer 0");
  });

  test("a sum that isn't one", () => {
    expect(judgeGroupIo(read([10, 3, 6, 0, 0, 9, 0]), [])).toContain("don't belong together");
    expect(judgeGroupIo(read([9, 3, 6, 0, 0, 9, 1]), [])).toContain("don't belong together");
  });

  test("shares that never were there together", () => {
    const first = [state([3], 1, 10), state([4], 9)];
    const second = [state([7], 1, 20), state([8], 15)];
    expect(judgeGroupIo(read([11, 3, 8, 0, 0, 11, 0]), [first, second])).toContain("never there at one moment");
  });

  test("nobody is refused", () => {
    expect(judgeGroupIo({ ...read([0, 0, 0, 0, 0, 0, 0]), error: -EACCES }, [])).toContain(`got ${-EACCES}`);
  });
});

describe("an image", () => {
  const read = { path: "environ", who: "owner", error: 0, refusal: -EACCES } as const;
  const states = [state([OPEN, 1, 100]), state([CLOSED, 2, 200]), state([OPEN, 3, 300])];

  test("all that is shown belongs to one state that the reader may look at", () => {
    expect(judgeImage({ ...read, seen: [undefined, 3, 300] }, states)).toBeNull();
    expect(judgeImage({ ...read, seen: [undefined, undefined, 100] }, states)).toBeNull();
    expect(judgeImage({ ...read, seen: [undefined, 1, 300] }, states)).toContain("owner saw - 1 300");
    expect(judgeImage({ ...read, seen: [undefined, 2, 200] }, states)).toContain("owner saw");
    expect(judgeImage({ ...read, who: "root", seen: [undefined, 2, 200] }, states)).toBeNull();
  });

  test("an image that shows nothing still has to be open", () => {
    expect(judgeImage({ ...read, seen: [] }, [state([CLOSED, 2, 200])])).toContain("owner saw");
  });
});

describe("kcmp", () => {
  const same = state([OPEN, 1, 50]);
  const other = state([OPEN, 1, 60]);
  const closed = state([CLOSED, 1, 70]);
  const absent = state([OPEN, 0, 0]);
  const ask = (result: number, first: State[], second: State[], isFile = false): string | null =>
    judgeKcmp({ who: "owner", object: 0, isFile, result }, first, second, new KnownOrder());

  test("equal exactly if it is one object", () => {
    expect(ask(0, [same], [same])).toBeNull();
    expect(ask(0, [same], [other])).toContain("got 0");
    expect(ask(1, [same], [same])).toContain("got 1");
    expect(ask(2, [same], [other])).toBeNull();
    expect(ask(3, [same], [other])).not.toBeNull();
  });

  test("an object that isn't known allows either answer", () => {
    for (const result of [0, 1, 2]) expect(ask(result, [state([OPEN, 1, UNKNOWN])], [other])).toBeNull();
  });

  test("refusals and absence need a reason", () => {
    expect(ask(-EPERM, [same], [closed])).toBeNull();
    expect(ask(-EPERM, [same], [other])).toContain(`got ${-EPERM}`);
    expect(ask(1, [same], [closed])).toContain("got 1");
    expect(ask(-ESRCH, [same], [absent])).toBeNull();
    expect(ask(-ESRCH, [same], [other])).toContain(`got ${-ESRCH}`);
  });

  test("without an open file there is nothing to compare", () => {
    expect(ask(-EBADF, [same], [absent], true)).toBeNull();
    expect(ask(-EBADF, [same], [other], true)).toContain(`got ${-EBADF}`);
    expect(ask(-EBADF, [same], [absent])).toContain(`got ${-EBADF}`);
    expect(ask(1, [same], [absent], true)).toContain("got 1");
  });

  test("resources of two moments", () => {
    const before = state([OPEN, 1, 50], 1, 10);
    const after = state([OPEN, 1, 50], 20);
    expect(ask(0, [before], [after])).toContain("got 0");
  });

  test("the order is one order", () => {
    const order = new KnownOrder();
    expect(order.learn(0, 1, 2)).toBeNull();
    expect(order.learn(0, 2, 3)).toBeNull();
    expect(order.learn(0, 1, 2)).toBeNull();
    expect(order.learn(1, 2, 1)).toBeNull();
    expect(order.learn(0, 2, 1)).toContain("2 is less than 1");
    expect(order.learn(0, 3, 1)).toContain("and that than 3");
  });

  test("answers teach the order", () => {
    const order = new KnownOrder();
    const read = { who: "owner", object: 0, isFile: false } as const;
    expect(judgeKcmp({ ...read, result: 1 }, [same], [other], order)).toBeNull();
    expect(judgeKcmp({ ...read, result: 2 }, [other], [same], order)).toBeNull();
    expect(judgeKcmp({ ...read, result: 1 }, [other], [same], order)).toContain("is less than");
  });
});
