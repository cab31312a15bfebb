/** Waits of readers: counted once and timed from the first try to the end, whoever ends them; lost by nobody. */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import type { PathCounts } from "../../src/kernel/counters.ts";
import { Event, countEvent, countWait, eventCount, readCounters, totalCounts } from "../../src/kernel/counters.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "../../src/kernel/exec-update.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, SIGHAND, TASK } from "../../src/kernel/layout.ts";
import { endWait, keepWait } from "../../src/kernel/lock-wait.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Role, roleWord } from "../../src/kernel/thread-role.ts";
import { mmapWriteLock, mmapWriteUnlock, vmaStartWrite } from "../../src/mm/lock.ts";
import { allVmas } from "../../src/mm/mm.ts";
import { walkBegin } from "../../src/proc/fs/revalidate.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { spinLock, spinUnlock } from "../../src/sync/spinlock.ts";
import { LockWait, WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { TEST_CONFIG, testKernel } from "../support/kernel.ts";
import { startInit } from "../support/processes.ts";
import { inThreads } from "../support/threads.ts";
import type { LeaverJob, Readable, SleeperJob } from "./lock-wait-threads.ts";
import { READS } from "./lock-wait-threads.ts";

const BODIES = new URL("./lock-wait-threads.ts", import.meta.url).href;
/** A word of the arena that nothing uses here. */
const INTERRUPT = HOST.ttys;
/** Those that give up instead of sleeping where they must not. */
const KILLABLE = ["io", "stack", "mm_access", "kcmp", "maps"] as const satisfies readonly Readable[];
const FORMS = [
  ["lockfree", LOCKFREE],
  ["locked", LOCKED],
] as const;

let k: Kernel;
/** The writer has a handle of its own: it holds its locks while the reader of the same thread tries. */
let writer: Kernel;

beforeEach(() => {
  k = testKernel();
  startInit(k);
  writer = Kernel.attach(k.m.buffer, TEST_CONFIG, { debug: true, role: roleWord(Role.mutator) });
});

/** Takes for write what readers of the path would wait for. @returns the way to give it back */
function block(path: Readable): () => void {
  const signal = k.m.load(findTask(k, 1) + TASK.signal);
  const mm = k.m.load(findTask(k, 1) + TASK.mm);
  const siglock = k.m.load(findTask(k, 1) + TASK.sighand) + SIGHAND.siglock;
  if (path === "maps") {
    mmapWriteLock(writer, mm);
    for (const vma of allVmas(k, mm)) vmaStartWrite(writer, mm, vma);
    return () => mmapWriteUnlock(writer, mm);
  }
  if (path === "timers") {
    spinLock(writer.t, siglock, LockClass.sighand);
    return () => spinUnlock(writer.t, siglock, LockClass.sighand);
  }
  execUpdateWriteBegin(writer, signal);
  return () => execUpdateWriteEnd(writer, signal);
}

function total(path: Readable): PathCounts {
  return totalCounts(readCounters(k))[Path[path]]!;
}

/** Counts by name; those that are 0 are left out. */
function counted(path: Readable): Record<string, number> {
  const { events, waitedNs, longestWaitNs } = total(path);
  const named = Object.entries(Event).map(([name, event]) => [name, events[event]!] as const);
  const all = [...named, ["waitedNs", waitedNs] as const, ["longestWaitNs", longestWaitNs] as const];
  return Object.fromEntries(all.filter(([, count]) => count !== 0));
}

function handle(role: number, now: () => number): Kernel {
  const other = Kernel.attach(k.m.buffer, TEST_CONFIG, { debug: true, now, role });
  other.t.maySleep = false;
  other.busy();
  return other;
}

describe.each(FORMS)("%s, a thread that must not sleep", (_form, form) => {
  let clock: number;
  const now = (): number => clock;

  beforeEach(() => {
    clock = 1000;
    for (const path of KILLABLE) k.m.store(HOST.pathMode + Path[path], form);
    k.t.maySleep = false;
    k.t.now = now;
  });

  /** What is counted on the way to the lock, and when it has been taken. */
  const lockfreeMaps = (path: Readable): boolean => path === "maps" && form === LOCKFREE;
  const wayOf = (path: Readable): Record<string, number> => (lockfreeMaps(path) ? { speculated: 1 } : { fellBack: 1 });
  const servedBy = (path: Readable): Record<string, number> =>
    lockfreeMaps(path) ? { ...wayOf(path), mmapLockFallback: 1 } : wayOf(path);

  /** A read that has to wait, and will be tried again. */
  function tryInVain(path: Readable, by = k): void {
    expect(READS[path](by)).toBe(WAIT_WOULD_BLOCK);
    keepWait(by);
  }

  test.each(KILLABLE)("%s: several tries are one wait, from the first of them until the lock is taken", (path) => {
    const release = block(path);
    tryInVain(path);
    expect(counted(path)).toEqual({ ...wayOf(path), waited: 1 });
    for (clock of [1100, 1250, 1270]) tryInVain(path);
    expect(counted(path)).toEqual({ ...wayOf(path), waited: 1 });
    release();
    clock = 1300;
    expect(READS[path](k)).toBe(0);
    expect(counted(path)).toEqual({ ...servedBy(path), waited: 1, waitedNs: 300, longestWaitNs: 300 });
    clock = 1400;
    endWait(k);
    expect(total(path).waitedNs).toBe(300);
    expect(READS[path](k)).toBe(0);
    expect(total(path).events[Event.waited]).toBe(1);
  });

  test.each(KILLABLE)("%s: a wait that is carried to another thread ends there", (path) => {
    const release = block(path);
    const slow = handle(roleWord(Role.slow), now);
    tryInVain(path);
    const parked = new LockWait();
    parked.copy(k.t.wait);
    k.t.wait.clear();
    clock += 50;
    slow.t.wait.copy(parked);
    tryInVain(path, slow);
    release();
    clock += 25;
    expect(READS[path](slow)).toBe(0);
    endWait(slow);
    endWait(k);
    const [own] = readCounters(k).filter(({ name }) => name === "thread0");
    expect(own!.paths[Path[path]]).toMatchObject({ waitedNs: 0, longestWaitNs: 0 });
    expect(own!.paths[Path[path]]!.events[Event.waited]).toBe(1);
    const [other] = readCounters(k).filter(({ name }) => name === "slow");
    expect(other!.paths[Path[path]]).toMatchObject({ waitedNs: 75, longestWaitNs: 75 });
    expect(other!.paths[Path[path]]!.events[Event.waited]).toBe(0);
    expect(counted(path)).toEqual({ ...servedBy(path), waited: 1, waitedNs: 75, longestWaitNs: 75 });
  });

  test.each(KILLABLE)("%s: a request that is given up has waited until then", (path) => {
    const release = block(path);
    tryInVain(path);
    clock += 40;
    endWait(k);
    endWait(k);
    expect(counted(path)).toEqual({ ...wayOf(path), waited: 1, waitedNs: 40, longestWaitNs: 40 });
    // The next one is a wait of its own.
    tryInVain(path);
    clock += 30;
    release();
    expect(READS[path](k)).toBe(0);
    endWait(k);
    expect(counted(path)).toMatchObject({ waited: 2, waitedNs: 70, longestWaitNs: 40 });
  });

  test.each(KILLABLE)("%s: a request that is answered without waiting has not waited", (path) => {
    const release = block(path);
    expect(READS[path](k)).toBe(WAIT_WOULD_BLOCK);
    clock += 40;
    endWait(k);
    expect(counted(path)).toEqual(wayOf(path));
    release();
  });

  test("walks to the process are counted for the first try of a request", () => {
    const release = block("io");
    const walked = (): number => eventCount(k, Path.revalidate, Event.rcuWalk);
    walkBegin(k);
    expect(walked()).toBe(1);
    for (let i = 0; i < 3; i++) {
      tryInVain("io");
      walkBegin(k);
    }
    expect(walked()).toBe(1);
    release();
    expect(READS.io(k)).toBe(0);
    walkBegin(k);
    expect(walked()).toBe(2);
  });

  test("who waits for one path after another has waited for both", () => {
    const release = block("io");
    tryInVain("io");
    clock += 5;
    tryInVain("stack");
    clock += 7;
    release();
    expect(READS.stack(k)).toBe(0);
    expect(counted("io")).toEqual({ fellBack: 1, waited: 1, waitedNs: 5, longestWaitNs: 5 });
    expect(counted("stack")).toEqual({ fellBack: 1, waited: 1, waitedNs: 7, longestWaitNs: 7 });
  });

  test("nobody looks at the clock who needs not wait", () => {
    k.t.now = () => {
      throw new Error("looked");
    };
    for (const path of [...KILLABLE, "timers"] as const) expect(READS[path](k)).toBe(0);
    const release = block("io");
    expect(() => READS.io(k)).toThrow("looked");
    release();
  });
});

describe.each(FORMS)("%s, threads that sleep", (_form, form) => {
  const paths: readonly Readable[] = form === LOCKED ? [...KILLABLE, "timers"] : KILLABLE;

  beforeEach(() => {
    for (const path of paths) k.m.store(HOST.pathMode + Path[path], form);
  });

  /** Reads all paths at once, each in a thread of its own. @returns what the reads gave */
  async function readWhile(readers: readonly Readable[], meanwhile: () => void): Promise<number[]> {
    const jobs = readers.map((path): SleeperJob => ({ buffer: k.m.buffer, path, interruptWord: INTERRUPT }));
    k.idle();
    const reading = inThreads<SleeperJob, number>(BODIES, "sleeper", jobs);
    while (readers.some((path) => total(path).events[Event.waited] === 0)) await sleep(5);
    await sleep(700);
    meanwhile();
    const results = await reading;
    k.busy();
    return results;
  }

  function blockAll(): () => void {
    const releases = (["io", "maps", "timers"] as const).map(block);
    return () => releases.reverse().forEach((release) => release());
  }

  test("each waits once, for as long as the writer takes", async () => {
    expect(await readWhile(paths, blockAll())).toEqual(paths.map(() => 0));
    for (const path of paths) {
      const { events, waitedNs, longestWaitNs } = total(path);
      expect([path, events[Event.waited]]).toEqual([path, 1]);
      expect(waitedNs).toBeGreaterThan(0.5e9);
      expect(waitedNs).toBeLessThan(20e9);
      expect(longestWaitNs).toBe(waitedNs);
    }
  });

  test("an interrupted wait counts until then", async () => {
    const release = blockAll();
    expect(await readWhile(KILLABLE, () => k.m.store(INTERRUPT, 1))).toEqual(KILLABLE.map(() => WAIT_EINTR));
    release();
    for (const path of KILLABLE) {
      expect([path, total(path).events[Event.waited]]).toEqual([path, 1]);
      expect(total(path).waitedNs).toBeGreaterThan(0.5e9);
    }
  });
});

describe("threads that leave", () => {
  test("their counts stay, and belong to nobody who has the slot later", () => {
    const first = handle(roleWord(Role.worker, 3), () => 0);
    countEvent(first, Path.io, Event.speculated);
    countWait(first, Path.io, 2 ** 33);
    countWait(first, Path.io, 5);
    first.idle();
    expect(readCounters(k).map(({ name }) => name)).toEqual(["worker3", "mutator0", "thread0", "ended"]);
    first.detach();
    const second = handle(roleWord(Role.slow), () => 0);
    expect(second.t.slot).toBe(first.t.slot);
    const threads = readCounters(k);
    expect(threads.map(({ name }) => name)).toEqual(["slow", "mutator0", "thread0", "ended"]);
    expect(threads[0]!.paths.every((path) => path.empty())).toBe(true);
    expect(counted("io")).toEqual({ speculated: 1, waitedNs: 2 ** 33 + 5, longestWaitNs: 2 ** 33 });
    expect(threads[3]!.paths[Path.io]).toMatchObject({ waitedNs: 2 ** 33 + 5, longestWaitNs: 2 ** 33 });
  });

  test("sums never go back or count twice while threads come and go", async () => {
    const jobs: LeaverJob[] = [0, 1, 2].map(() => ({ buffer: k.m.buffer, rounds: 10_000 }));
    let done = false;
    const leaving = inThreads<LeaverJob, number>(BODIES, "leaver", jobs).finally(() => (done = true));
    let events = 0;
    let waitedNs = 0;
    let looks = 0;
    while (!done) {
      const end = performance.now() + 50;
      while (performance.now() < end) {
        // Mostly at the events alone: the closer the looks, the likelier is one in the midst of a thread's leaving.
        const now = eventCount(k, Path.io, Event.speculated);
        const waited = looks++ % 4 === 0 ? total("io").waitedNs : waitedNs;
        if (now < events || waited < waitedNs) throw new Error(`${events}, ${waitedNs} became ${now}, ${waited}`);
        [events, waitedNs] = [now, waited];
      }
      await sleep(1);
    }
    const expected = (await leaving).reduce((sum, count) => sum + count);
    expect(looks).toBeGreaterThan(100);
    expect(counted("io")).toEqual({ speculated: expected, waitedNs: (expected / 10) * 3, longestWaitNs: 3 });
    const names = readCounters(k).map(({ name }) => name);
    expect(names).toEqual(["mutator0", "thread0", "ended"]);
  });
});
