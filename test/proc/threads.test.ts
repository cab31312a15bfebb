/** The file system in several threads at once, over one arena. */
import { expect, test } from "vitest";
import { TASK } from "../../src/kernel/layout.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { testKernel } from "../support/kernel.ts";
import { inThreads } from "../support/threads.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { SharedReadArgument } from "./shared-read-threads.ts";
import { buildWorld } from "./world.ts";

const THREADS = new URL("./shared-read-threads.ts", import.meta.url).href;

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
