/** /proc/<pid>/io against exec, on real threads: the oracle holds, and it catches a reader that is careless. */
import { expect, test } from "vitest";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, Path } from "../../src/kernel/knobs.ts";
import { HOST, TASK } from "../../src/kernel/layout.ts";
import { testKernel } from "../support/kernel.ts";
import { fork, startInit } from "../support/processes.ts";
import { inThreads } from "../support/threads.ts";
import type { IoJob, IoResult } from "./io-threads.ts";

const BODIES = new URL("./io-threads.ts", import.meta.url).href;
const MILLISECONDS = 3000;

async function contend(k: Kernel, reader: "reader" | "careless"): Promise<IoResult> {
  const victim = fork(k, startInit(k));
  setIdentity(k, victim, 1000, 1000, []);
  const job = { buffer: k.m.buffer, pid: k.m.load(victim + TASK.pid), milliseconds: MILLISECONDS };
  k.idle();
  const results = await inThreads<IoJob, IoResult>(BODIES, "run", [
    { ...job, role: "writer" },
    { ...job, role: reader },
    { ...job, role: reader },
  ]);
  k.busy();
  return results.reduce((sum, r) => ({
    allowed: sum.allowed + r.allowed,
    refused: sum.refused + r.refused,
    violations: sum.violations + r.violations,
    execs: sum.execs + r.execs,
  }));
}

test("patched path: only values of images that the reader may see, each of one moment", async () => {
  const k = testKernel();
  const result = await contend(k, "reader");
  expect(result.violations).toBe(0);
  expect(result.execs).toBeGreaterThan(100);
  expect(result.allowed).toBeGreaterThan(100);
  expect(eventCount(k, Path.io, Event.speculated)).toBeGreaterThan(0);
  expect(eventCount(k, Path.io, Event.retried)).toBeGreaterThan(0);
});

test("previous path: the same, and every read takes the lock", async () => {
  const k = testKernel();
  k.m.store(HOST.pathMode + Path.io, LOCKED);
  const result = await contend(k, "reader");
  expect(result.violations).toBe(0);
  expect(result.allowed).toBeGreaterThan(100);
  expect(eventCount(k, Path.io, Event.speculated)).toBe(0);
  expect(eventCount(k, Path.io, Event.fellBack)).toBe(result.allowed + result.refused);
});

test("a reader that does not look again is caught", async () => {
  expect((await contend(testKernel(), "careless")).violations).toBeGreaterThan(0);
});
