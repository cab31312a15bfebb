/** The synchronisation primitives: rules in one thread, exclusion and visibility in several. */
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { HOST, TOKEN } from "../../src/kernel/layout.ts";
import { carve } from "../../src/shm/slab.ts";
import { LockClass, LockdepError } from "../../src/sync/lockdep.ts";
import {
  lockrefCount,
  lockrefGetNotDead,
  lockrefLock,
  lockrefMarkDead,
  lockrefUnlock,
} from "../../src/sync/lockref.ts";
import { rcuPoll, rcuReadLock, rcuReadUnlock, rcuStart } from "../../src/sync/rcu.ts";
import { refcountDecAndTest, refcountIncNotZero } from "../../src/sync/refcount.ts";
import {
  downRead,
  downReadKillable,
  downReadTrylock,
  downWrite,
  downWriteTrylock,
  upRead,
  upWrite,
} from "../../src/sync/rwsem.ts";
import { seqcountRetry, seqcountTryBegin, writeSeqcountBegin, writeSeqcountEnd } from "../../src/sync/seqcount.ts";
import { spinLock } from "../../src/sync/spinlock.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { testKernel } from "../support/kernel.ts";
import { inThreads } from "../support/threads.ts";

const BODIES = new URL("./sync-threads.ts", import.meta.url).href;

function words(k: Kernel, count = 16): number {
  return carve(k.m, { breakAt: HOST.breakAt, limit: HOST.limit }, count);
}

describe("sequence count", () => {
  test("is odd during a write, and differs after it", () => {
    const k = testKernel();
    const seq = words(k);
    const before = seqcountTryBegin(k.m, seq);
    writeSeqcountBegin(k.m, seq);
    expect(seqcountTryBegin(k.m, seq)).toBe(-1);
    expect(seqcountRetry(k.m, seq, before)).toBe(true);
    writeSeqcountEnd(k.m, seq);
    expect(seqcountTryBegin(k.m, seq)).toBe(before + 2);
    expect(seqcountRetry(k.m, seq, before)).toBe(true);
    expect(seqcountRetry(k.m, seq, before + 2)).toBe(false);
  });

  test("carries into the high word, so 2^32 writes later it is not the same", () => {
    const k = testKernel();
    const seq = words(k);
    const old = seqcountTryBegin(k.m, seq);
    k.m.store(seq, -2);
    expect(seqcountTryBegin(k.m, seq)).toBe(0xfffffffe);
    writeSeqcountBegin(k.m, seq);
    writeSeqcountEnd(k.m, seq);
    expect(seqcountTryBegin(k.m, seq)).toBe(0x100000000);
    expect(seqcountRetry(k.m, seq, old)).toBe(true);
  });
});

describe("rwsem", () => {
  test("readers share, a writer excludes", () => {
    const k = testKernel();
    const sem = words(k);
    downRead(k.t, sem, LockClass.mmap);
    expect(downWriteTrylock(k.t, sem, LockClass.mmap)).toBe(false);
    upRead(k.t, sem, LockClass.mmap);
    downWrite(k.t, sem, LockClass.mmap);
    expect(downReadTrylock(k.t, sem, LockClass.mmap)).toBe(false);
    upWrite(k.t, sem, LockClass.mmap);
  });

  test("a killable wait ends with EINTR when interrupted, and with would-block where sleeping is forbidden", () => {
    const k = testKernel();
    const sem = words(k);
    const interrupt = words(k);
    downWrite(k.t, sem, LockClass.mmap);
    k.t.maySleep = false;
    expect(downReadKillable(k.t, sem, LockClass.mmap)).toBe(WAIT_WOULD_BLOCK);
    k.t.maySleep = true;
    k.t.interruptWord = interrupt;
    k.m.store(interrupt, 1);
    expect(downReadKillable(k.t, sem, LockClass.mmap)).toBe(WAIT_EINTR);
    upWrite(k.t, sem, LockClass.mmap);
    expect(downReadKillable(k.t, sem, LockClass.mmap)).toBe(0);
    upRead(k.t, sem, LockClass.mmap);
  });

  test("threads: no pair is seen half written", async () => {
    const k = testKernel();
    const job = { buffer: k.m.buffer, at: words(k), rounds: 20000 };
    k.idle();
    const torn = await inThreads<object, number>(BODIES, "rwsem", [
      { ...job, writer: true },
      { ...job, writer: true },
      { ...job, writer: false },
      { ...job, writer: false },
    ]);
    expect(torn).toEqual([0, 0, 0, 0]);
    expect(k.m.load(job.at + 8)).toBe(40000);
  });
});

test("spinlock: threads add up", async () => {
  const k = testKernel();
  const job = { buffer: k.m.buffer, at: words(k), rounds: 50000 };
  k.idle();
  await inThreads(BODIES, "spin", [job, job, job]);
  expect(k.m.load(job.at + 1)).toBe(150000);
});

test("seqlock: readers see 64-bit values whole", async () => {
  const k = testKernel();
  const job = { buffer: k.m.buffer, at: words(k), rounds: 100000 };
  k.idle();
  const torn = await inThreads(BODIES, "seqlock", [
    { ...job, writer: true },
    { ...job, writer: true },
    { ...job, writer: false },
  ]);
  expect(torn).toEqual([0, 0, 0]);
});

describe("references", () => {
  test("a dead refcount stays dead", () => {
    const k = testKernel();
    const ref = words(k);
    k.m.store(ref, 1);
    expect(refcountIncNotZero(k.m, ref)).toBe(true);
    expect(refcountDecAndTest(k.m, ref)).toBe(false);
    expect(refcountDecAndTest(k.m, ref)).toBe(true);
    expect(refcountIncNotZero(k.m, ref)).toBe(false);
  });

  test("lockref: threads take and drop, nothing is lost; a dead one refuses", async () => {
    const k = testKernel();
    const job = { buffer: k.m.buffer, at: words(k), rounds: 50000 };
    k.m.store(job.at, 1);
    k.idle();
    await inThreads(BODIES, "lockref", [job, job, job]);
    k.busy();
    expect(lockrefCount(k.t, job.at)).toBe(1);
    lockrefLock(k.t, job.at, LockClass.dentry);
    lockrefMarkDead(k.t, job.at);
    lockrefUnlock(k.t, job.at, LockClass.dentry);
    expect(lockrefGetNotDead(k.t, job.at, LockClass.dentry)).toBe(false);
  });
});

describe("RCU", () => {
  test("a grace period waits for a thread that is online, not for one that is offline", () => {
    const k = testKernel();
    const number = rcuStart(k.m, HOST.rcu);
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(false);
    k.quiescent();
    expect(rcuPoll(k.m, HOST.rcu, number)).toBe(true);
    const next = rcuStart(k.m, HOST.rcu);
    k.idle();
    expect(rcuPoll(k.m, HOST.rcu, next)).toBe(true);
  });

  test("a retired object is freed only after a grace period", () => {
    const k = testKernel();
    const token = k.slab.alloc(Cache.token);
    const before = k.slab.live(Cache.token);
    k.slab.freeRcu(token);
    expect(k.slab.reclaim()).toBe(0);
    expect(k.slab.live(Cache.token)).toBe(before);
    k.quiescent();
    expect(k.slab.reclaim()).toBe(1);
    expect(k.slab.live(Cache.token)).toBe(before - 1);
  });

  test("threads: nothing that a reader holds is freed", async () => {
    const k = testKernel();
    const at = words(k);
    const first = k.slab.alloc(Cache.token);
    k.m.plainStore(first + TOKEN.count, first);
    k.m.store(at, first);
    k.idle();
    const job = { buffer: k.m.buffer, at, rounds: 60000 };
    const violations = await inThreads(BODIES, "rcu", [
      { ...job, writer: true },
      { ...job, writer: true },
      { ...job, writer: false },
      { ...job, writer: false },
    ]);
    expect(violations).toEqual([0, 0, 0, 0]);
  });
});

test("slab: threads never get the same object, and nothing leaks", async () => {
  const k = testKernel();
  const before = k.slab.live(Cache.token);
  const job = { buffer: k.m.buffer, at: words(k), rounds: 40000 };
  k.idle();
  expect(await inThreads(BODIES, "slab", [job, job, job])).toEqual([0, 0, 0]);
  expect(k.slab.live(Cache.token)).toBe(before);
});

describe("lockdep", () => {
  test("names both locks of a broken order", () => {
    const k = testKernel();
    spinLock(k.t, words(k), LockClass.sighand);
    expect(() => spinLock(k.t, words(k), LockClass.tasklist)).toThrow(/tasklist taken while sighand is held/);
  });

  test("no sleeping inside RCU, no idling with a lock", () => {
    const k = testKernel();
    rcuReadLock(k.t);
    expect(() => k.quiescent()).toThrow(LockdepError);
    rcuReadUnlock(k.t);
    spinLock(k.t, words(k), LockClass.slab);
    expect(() => k.idle()).toThrow(/holding slab/);
  });
});
