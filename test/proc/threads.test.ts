/** The file system in several threads at once, over one arena. */
import { expect, test } from "vitest";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { HOST, TASK } from "../../src/kernel/layout.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { lockrefCount } from "../../src/sync/lockref.ts";
import { testKernel } from "../support/kernel.ts";
import { inThreads } from "../support/threads.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { ReuseArgument, ReuseResult, SharedReadArgument } from "./reuse-threads.ts";
import { buildWorld } from "./world.ts";

const THREADS = new URL("./reuse-threads.ts", import.meta.url).href;

test("a node never turns into another process, however often its pid is used again", async () => {
  const k = testKernel();
  buildWorld(k);
  const stop = new SharedArrayBuffer(4);
  const common = { arena: k.m.buffer, stop, lives: 3000 };
  const roles: ReuseArgument[] = (["reader", "reader", "mutator"] as const).map((role) => ({ ...common, role }));
  k.idle();
  const results = await inThreads<ReuseArgument, ReuseResult>(THREADS, "run", roles);
  k.busy();
  expect(results.flatMap(({ wrong }) => wrong)).toEqual([]);
  for (const reader of results.slice(0, 2)) {
    expect(reader.reads).toBeGreaterThan(100);
    expect(reader.stale).toBeGreaterThan(0);
  }
  expect(eventCount(k, Path.revalidate, Event.rcuWalk)).toBeGreaterThan(0);
  expect(eventCount(k, Path.revalidate, Event.refWalk)).toBeGreaterThan(0);
  expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
  expect(k.slab.live(Cache.openFile)).toBe(0);
});

test("one open file, read by several threads at once", async () => {
  const k = testKernel();
  const { ordinary } = buildWorld(k);
  const { client } = fileSystem(k, tablesOf(TEST_HOST));
  const path = `${k.m.load(ordinary + TASK.pid)}/smaps`;
  const whole = client.cat(path);
  const { node, handle } = client.open(path);
  k.idle();
  const readers = Array.from({ length: 3 }, (_, seed): SharedReadArgument => {
    return { arena: k.m.buffer, node: [node.hi, node.lo], handle, whole, seed, rounds: 2000 };
  });
  const wrong = await inThreads<SharedReadArgument, string[]>(THREADS, "readShared", readers);
  k.busy();
  expect(wrong.flat()).toEqual([]);
  client.fs.release(handle);
  expect(k.slab.live(Cache.openFile)).toBe(0);
});
