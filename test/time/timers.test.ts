/**
 * /proc/<pid>/timers in both forms: what it shows, and that a timer deleted under a reader is never shown. Against writers
 * on real threads: see test/stress.
 */
import { expect, test } from "vitest";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, TASK } from "../../src/kernel/layout.ts";
import { TimerSnapshot, TimersWalk, readTimer, timerCreate, timerDelete } from "../../src/time/posix-timers.ts";
import { testKernel } from "../support/kernel.ts";
import { startInit } from "../support/processes.ts";

function ids(k: Kernel, task: number, from = 0): number[] {
  const walk = new TimersWalk();
  const snapshot = new TimerSnapshot();
  const out: number[] = [];
  for (let timer = walk.start(k, task, from); timer !== 0; timer = walk.next(k, timer)) {
    if (readTimer(k, timer, snapshot)) out.push(snapshot.id);
  }
  walk.stop(k);
  return out;
}

function create(k: Kernel, task: number): number {
  return timerCreate(k, task, { clock: 1, signo: 14, value: 0, notify: 0, notifyPid: k.m.load(task + TASK.pid) });
}

test.each([LOCKFREE, LOCKED])("form %i: newest first, resumed by position, deleted ones gone", (form) => {
  const k = testKernel();
  const task = startInit(k);
  k.m.store(HOST.pathMode + Path.timers, form);
  for (let i = 0; i < 4; i++) expect(create(k, task)).toBe(i);
  expect(ids(k, task)).toEqual([3, 2, 1, 0]);
  expect(ids(k, task, 2)).toEqual([1, 0]);
  expect(timerDelete(k, task, 2)).toBe(0);
  expect(ids(k, task)).toEqual([3, 1, 0]);
  expect(eventCount(k, Path.timers, form === LOCKED ? Event.fellBack : Event.speculated)).toBe(3);
  k.idle();
});

test("a timer deleted between finding and reading it is skipped", () => {
  const k = testKernel();
  const task = startInit(k);
  create(k, task);
  const walk = new TimersWalk();
  const timer = walk.start(k, task, 0);
  timerDelete(k, task, 0);
  expect(readTimer(k, timer, new TimerSnapshot())).toBe(false);
  walk.stop(k);
});
