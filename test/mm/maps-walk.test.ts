/** The walk behind maps: positions, in both forms. Against writers on real threads: see test/stress. */
import { describe, expect, test } from "vitest";
import type { Program } from "../../src/kernel/config.ts";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, MM, VMA } from "../../src/kernel/layout.ts";
import { Random } from "../../src/kernel/random.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import { loadImage } from "../../src/mm/image.ts";
import { lockNextVma, mmapWriteLock, mmapWriteUnlock, vmaEndRead, vmaStartWrite } from "../../src/mm/lock.ts";
import { MAPS_END, MAPS_GATE, MapsWalk } from "../../src/mm/maps-walk.ts";
import { allVmas, mmAlloc, mmput } from "../../src/mm/mm.ts";
import { mmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { VmaIter, findVma, vmaIterInit, vmaNext } from "../../src/mm/vma-tree.ts";
import { GATE_START } from "../../src/mm/vma-snapshot.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { rcuReadLock, rcuReadUnlock } from "../../src/sync/rcu.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { testKernel } from "../support/kernel.ts";
import { lineOf, mapsText, walk } from "./shown.ts";

const PAGE = 4096;
const BASE = 0x30000000;
const RW = PROT_READ | PROT_WRITE;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

function program(k: Kernel): number {
  const mm = mmAlloc(k);
  const text = new TextEncoder().encode("prog\0");
  loadImage(k, mm, k.config.programs[0] as Program, text, text, new Random(1));
  return mm;
}

/** Four mappings of two pages each, which don't merge. */
function striped(k: Kernel): number {
  const mm = mmAlloc(k);
  for (let i = 0; i < 4; i++) mmap(k, mm, BASE + i * 2 * PAGE, 2 * PAGE, i % 2 === 0 ? RW : PROT_READ, FIXED, 0, 0);
  return mm;
}

describe.each([
  ["lock-free", LOCKFREE],
  ["locked", LOCKED],
])("%s", (_, mode) => {
  function kernel(): Kernel {
    const k = testKernel();
    k.m.store(HOST.pathMode + Path.maps, mode);
    return k;
  }

  test("all VMAs, then the gate area", () => {
    const k = kernel();
    const mm = program(k);
    const starts = allVmas(k, mm).map((vma) => k.m.load64(vma + VMA.vmStart));
    expect(walk(k, mm, (v) => v.start)).toEqual([...starts, GATE_START]);
    expect(mapsText(k, mm)).toMatch(/ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 {18}\[vsyscall\]\n$/);
    for (const vma of allVmas(k, mm)) expect(k.m.load(vma + VMA.vmRefcnt)).toBe(1);
    k.quiescent();
  });

  test("stopped and started again after each record, shown or not, the lines are the same", () => {
    const k = kernel();
    const mm = program(k);
    const whole = mapsText(k, mm);
    const maps = new MapsWalk();
    let text = "";
    let position = 0;
    let last = 0;
    for (;;) {
      // As seq_file does: the first record is shown; the one that next finds has no room.
      if (maps.start(k, mm, Path.maps, position, last) === 0) break;
      text += lineOf(k, maps.vma);
      maps.next(k);
      maps.stop(k);
      [position, last] = [maps.position, maps.lastPosition];
    }
    expect(position).toBe(MAPS_END);
    expect(text).toBe(whole);
  });

  test("the gate area alone is left", () => {
    const k = kernel();
    const maps = new MapsWalk();
    expect(maps.start(k, program(k), Path.maps, MAPS_GATE, BASE)).toBe(1);
    expect(maps.vma.label).toBe("[vsyscall]");
    expect(maps.next(k)).toBe(0);
    expect(maps.position).toBe(MAPS_END);
    maps.stop(k);
  });

  test("a VMA that has grown since it was reported is not reported again", () => {
    const k = kernel();
    const mm = striped(k);
    const maps = new MapsWalk();
    maps.start(k, mm, Path.maps, 0, 0);
    maps.next(k);
    maps.stop(k);
    // The first two become one, then all: what follows is the rest of that, then the end.
    mprotect(k, mm, BASE + 2 * PAGE, 2 * PAGE, RW);
    expect(maps.start(k, mm, Path.maps, maps.position, maps.position)).toBe(1);
    expect([maps.vma.start, maps.vma.end]).toEqual([BASE, BASE + 6 * PAGE]);
    expect(maps.next(k)).toBe(1);
    expect(maps.vma.start).toBe(BASE + 6 * PAGE);
    expect(maps.next(k)).toBe(1);
    expect(maps.vma.label).toBe("[vsyscall]");
    maps.stop(k);
  });

  test("nobody uses the mm any more: the end", () => {
    const k = kernel();
    const mm = striped(k);
    k.m.add(mm + MM.mmCount, 1);
    mmput(k, mm);
    const maps = new MapsWalk();
    expect(maps.start(k, mm, Path.maps, 0, 0)).toBe(0);
    maps.stop(k);
    expect(maps.start(k, 0, Path.maps, 0, 0)).toBe(0);
    maps.stop(k);
  });

  test("a thread that must not sleep is told so, and goes on where it was", () => {
    const k = kernel();
    const mm = striped(k);
    const maps = new MapsWalk();
    k.t.maySleep = false;
    mmapWriteLock(k, mm);
    vmaStartWrite(k, mm, findVma(k, mm, BASE));
    k.t.lockdep.release(LockClass.mmap);
    expect(maps.start(k, mm, Path.maps, 0, 0)).toBe(WAIT_WOULD_BLOCK);
    maps.stop(k);
    k.t.maySleep = true;
    k.t.interruptWord = HOST.magic;
    expect(maps.start(k, mm, Path.maps, maps.position, maps.lastPosition)).toBe(WAIT_EINTR);
    maps.stop(k);
    k.t.interruptWord = 0;
    k.t.lockdep.acquire(LockClass.mmap);
    mmapWriteUnlock(k, mm);
    expect(maps.start(k, mm, Path.maps, maps.position, maps.lastPosition)).toBe(1);
    expect(maps.vma.start).toBe(BASE);
    maps.stop(k);
    // Only the second try has waited; no VMA was locked under mmap_lock in the end.
    expect(eventCount(k, Path.maps, Event.waited)).toBe(1);
    expect(eventCount(k, Path.maps, Event.mmapLockFallback)).toBe(0);
    expect(k.m.load(mm + MM.mmUsers)).toBe(1);
  });
});

test("a write-locked VMA stops the lock-free walk in the middle; the record before is not repeated", () => {
  const k = testKernel();
  const mm = striped(k);
  const maps = new MapsWalk();
  k.t.maySleep = false;
  expect(maps.start(k, mm, Path.maps, 0, 0)).toBe(1);
  // The writer is another thread; this one lends it its handle.
  const third = findVma(k, mm, BASE + 2 * PAGE);
  k.t.lockdep.release(LockClass.vma);
  mmapWriteLock(k, mm);
  vmaStartWrite(k, mm, third);
  k.t.lockdep.release(LockClass.mmap);
  k.t.lockdep.acquire(LockClass.vma);
  expect(maps.next(k)).toBe(WAIT_WOULD_BLOCK);
  maps.stop(k);
  k.t.lockdep.acquire(LockClass.mmap);
  mmapWriteUnlock(k, mm);
  expect(maps.start(k, mm, Path.maps, maps.position, maps.lastPosition)).toBe(1);
  expect(maps.vma.start).toBe(BASE + 2 * PAGE);
  maps.stop(k);
});

test("a VMA that was cut short between lookup and lock: what now follows it is found", () => {
  const k = testKernel();
  const mm = striped(k);
  const iter = new VmaIter();
  vmaIterInit(iter, BASE);
  vmaNext(k, mm, iter);
  // The tree had it end at two pages when it was found; it is locked, and reported, with one.
  mprotect(k, mm, BASE + PAGE, PAGE, PROT_EXEC);
  rcuReadLock(k.t);
  const vma = lockNextVma(k, mm, iter, BASE + PAGE, Path.maps);
  expect(vma).toBe(findVma(k, mm, BASE + PAGE));
  expect(k.m.load64(vma + VMA.vmStart)).toBe(BASE + PAGE);
  vmaEndRead(k, vma);
  rcuReadUnlock(k.t);
});
