/** The parking lot and the notification ring by themselves: full, empty, wrapped around, fought over. */
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { INVALIDATE, Notification, NotifyRing, allocateNotifyRing } from "../../mount/notify.ts";
import { LEFT_TO_SLOW_LANE, NOT_PARKED, ParkingLot, TAKEN_OUT, allocateParkingLot } from "../../mount/parking.ts";
import { LockWait, NO_WAIT } from "../../src/sync/thread.ts";
import { createRequire } from "node:module";

const RING = 16384;

describe("notification ring", () => {
  const ring = (): NotifyRing => new NotifyRing(allocateNotifyRing());

  it("gives back what was put in, in order, many times around", () => {
    const queue = ring();
    const out = new Notification();
    let popped = 0;
    for (let pushed = 0; pushed < RING * 3; pushed++) {
      queue.push(INVALIDATE, pushed & 0xff, pushed, 1, 2, `n${pushed}`);
      if (pushed % 3 === 2) continue;
      expect(queue.pop(out)).toBe(true);
      const { parentHi, parentLo, kind } = out;
      expect({ parentHi, parentLo, kind }).toEqual({ parentHi: popped & 0xff, parentLo: popped, kind: INVALIDATE });
      expect(out.name.toString("latin1", 0, out.nameLength)).toBe(`n${popped}`);
      popped++;
    }
    while (queue.pop(out)) popped++;
    expect(popped).toBe(RING * 3);
    expect(queue.takeOverflow()).toBe(false);
  });

  it("says once that something was lost, and goes on", () => {
    const queue = ring();
    const out = new Notification();
    for (let i = 0; i < RING + 5; i++) queue.invalidate(0, 1, "x");
    expect(queue.dropped()).toBe(5);
    expect(queue.takeOverflow()).toBe(true);
    expect(queue.takeOverflow()).toBe(false);
    for (let i = 0; i < RING; i++) expect(queue.pop(out)).toBe(true);
    expect(queue.pop(out)).toBe(false);
    queue.invalidate(0, 1, "y");
    expect(queue.pop(out)).toBe(true);
  });

  it("loses and repeats nothing when two threads push", async () => {
    const buffer = allocateNotifyRing();
    const module = new URL("../../mount/notify.ts", import.meta.url).href;
    const tsx = createRequire(import.meta.url)
      .resolve("tsx/package.json")
      .replace("package.json", "dist/esm/api/index.mjs");
    const code = `const { workerData: d } = require("node:worker_threads");
      import(d.tsx).then((api) => { api.register(); return import(d.module); }).then(({ NotifyRing, INVALIDATE }) => {
        const ring = new NotifyRing(d.buffer);
        for (let i = 0; i < d.count; i++) ring.push(INVALIDATE, d.who, i, 0, 0, "name");
      });`;
    const count = 8000;
    const threads = [1, 2].map(
      (who) => new Worker(code, { eval: true, workerData: { tsx, module, buffer, who, count } }),
    );
    await Promise.all(threads.map((thread) => new Promise((resolve) => thread.once("exit", resolve))));
    const queue = new NotifyRing(buffer);
    const out = new Notification();
    const next = [0, 0, 0];
    while (queue.pop(out)) {
      expect(out.parentLo).toBe(next[out.parentHi]);
      next[out.parentHi] = out.parentLo + 1;
    }
    expect(next).toEqual([0, count, count]);
  });
});

describe("parking lot", () => {
  const request = Buffer.from("a request");
  const into = Buffer.alloc(65536 + 4096);
  const wait = new LockWait();

  it("takes a request, gives it out, takes it back, and forgets it", () => {
    const lot = new ParkingLot(allocateParkingLot());
    expect(lot.park(request, 9, 10, 0, wait)).toBe(true);
    expect([lot.waiting(), lot.used()]).toEqual([1, 1]);
    expect(lot.take(0, into, wait)).toBe(9);
    expect(into.toString("latin1", 0, 9)).toBe("a request");
    expect(lot.take(0, into, wait)).toBe(0);
    expect(lot.putBack(0, wait)).toBe(true);
    expect(lot.take(0, into, wait)).toBe(9);
    lot.finish(0);
    expect([lot.waiting(), lot.take(0, into, wait)]).toEqual([0, 0]);
  });

  it("keeps what a request waits for, from try to try, and gives it to whoever ends the request", () => {
    const lot = new ParkingLot(allocateParkingLot());
    const since = 123_456_789_012_345;
    const is = { path: 3, lock: 77, since };
    Object.assign(wait, is);
    lot.park(request, 9, 10, 0, wait);
    expect(wait.path).toBe(NO_WAIT);
    lot.take(0, into, wait);
    expect(wait).toMatchObject(is);
    Object.assign(wait, { path: 4, lock: -5, since: since + 1 });
    expect(lot.putBack(0, wait)).toBe(true);
    expect(wait.path).toBe(NO_WAIT);
    lot.take(0, into, wait);
    expect(wait).toMatchObject({ path: 4, lock: -5, since: since + 1 });
    lot.interrupt(10, 0, new LockWait());
    expect(lot.putBack(0, wait)).toBe(false);
    expect(wait.path).toBe(4);
    lot.finish(0);

    Object.assign(wait, is);
    lot.park(request, 9, 11, 0, wait);
    const taken = new LockWait();
    expect(lot.interrupt(11, 0, taken)).toBe(TAKEN_OUT);
    expect(taken).toMatchObject(is);
  });

  it("hands an interrupted request to exactly one side", () => {
    const lot = new ParkingLot(allocateParkingLot());
    lot.park(request, 9, 10, 1, wait);
    expect(lot.interrupt(10, 0, wait)).toBe(NOT_PARKED);
    expect(lot.interrupt(10, 1, wait)).toBe(TAKEN_OUT);
    expect(lot.interrupt(10, 1, wait)).toBe(NOT_PARKED);
    expect(lot.take(0, into, wait)).toBe(0);
    lot.park(request, 9, 12, 1, wait);
    expect(lot.take(0, into, wait)).toBe(9);
    expect(lot.interrupt(12, 1, wait)).toBe(LEFT_TO_SLOW_LANE);
    expect(lot.putBack(0, wait)).toBe(false);
    lot.finish(0);
    expect(lot.waiting()).toBe(0);
  });

  it("refuses when it is full, and has room again later", () => {
    const lot = new ParkingLot(allocateParkingLot());
    let parked = 0;
    while (lot.park(request, 9, parked * 2, 0, wait)) parked++;
    expect(parked).toBe(4096 + 64);
    expect(lot.totals()).toEqual({ parked, refused: 1 });
    expect(lot.park(into, 60_000, 1, 0, wait)).toBe(false);
    expect(lot.interrupt(4100 * 2, 0, wait)).toBe(TAKEN_OUT);
    expect(lot.park(into, 60_000, 1, 0, wait)).toBe(true);
    expect(lot.waiting()).toBe(parked);
  });

  it("wakes whoever sleeps on a word of the caller's own", () => {
    const wake = { buffer: new SharedArrayBuffer(64), index: 3 };
    const lot = new ParkingLot(allocateParkingLot(), wake);
    const ticket = lot.ticket();
    lot.raise();
    expect(lot.sleep(ticket, 1000)).toBe(true);
    expect(lot.sleep(lot.ticket(), 1)).toBe(false);
    expect(new Int32Array(wake.buffer)[3]).toBe(1);
  });
});
