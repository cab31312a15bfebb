/**
 * POSIX timers of a process, in an RCU hlist (kernel/time/posix-timers.c).
 *
 * Readers walk the list under RCU and look at each timer under its own lock, skipping one that has been deleted (patch
 * "posix-timers: Don't iterate /proc/$PID/timers with sighand::siglock held", V3 16/18, March 2025). Writers change the
 * list under sighand->siglock. A deleted timer keeps its own link until a grace period is over.
 */
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { Cache } from "../kernel/caches.ts";
import { countEvent, Event } from "../kernel/counters.ts";
import { EINVAL, ESRCH } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Path, pathIsLocked } from "../kernel/knobs.ts";
import { SIGHAND, SIGNAL, TASK, TIMER } from "../kernel/layout.ts";
import { spinLockCounted } from "../kernel/lock-wait.ts";

/** SIGEV_* (asm-generic/siginfo.h). */
export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;

/** CLOCK_* of the clocks that timers can have, by name (linux/time.h). */
export const CLOCK_IDS = {
  realtime: 0,
  monotonic: 1,
  process_cputime: 2,
  thread_cputime: 3,
  boottime: 7,
  tai: 11,
} as const;

/** What timer_create is told. */
export interface TimerSpec {
  readonly clock: number;
  readonly signo: number;
  /** sigev_value: a number below 2^53. */
  readonly value: number;
  /** SIGEV_*, with SIGEV_THREAD_ID where `notifyPid` is a thread. */
  readonly notify: number;
  /** Pid or tid that is notified. */
  readonly notifyPid: number;
}

/** One timer as /proc/<pid>/timers shows it. */
export class TimerSnapshot {
  id = 0;
  signo = 0;
  valueLow = 0;
  valueHigh = 0;
  notify = 0;
  pid = 0;
  clock = 0;
}

/** Creates a timer (timer_create). @returns its id, or -EINVAL for an unknown clock */
export function timerCreate(k: Kernel, task: Ptr, spec: TimerSpec): number {
  if (spec.clock < 0 || spec.clock > 11) return -EINVAL;
  const { t, m } = k;
  const signal = m.load(task + TASK.signal);
  const siglock = m.load(task + TASK.sighand) + SIGHAND.siglock;
  const timer = newTimer(k, spec);
  spinLock(t, siglock, LockClass.sighand);
  const id = m.add(signal + SIGNAL.nextPosixTimerId, 1);
  m.store(timer + TIMER.itId, id);
  addHead(k, signal, timer);
  m.store(timer + TIMER.itSignal, signal);
  spinUnlock(t, siglock, LockClass.sighand);
  return id;
}

/** Deletes a timer (timer_delete). @returns 0, or -EINVAL if there is none with this id */
export function timerDelete(k: Kernel, task: Ptr, id: number): number {
  const { t, m } = k;
  const signal = m.load(task + TASK.signal);
  const siglock = m.load(task + TASK.sighand) + SIGHAND.siglock;
  spinLock(t, siglock, LockClass.sighand);
  const timer = findTimer(k, signal, id);
  if (timer !== 0) unlinkTimer(k, timer);
  spinUnlock(t, siglock, LockClass.sighand);
  if (timer === 0) return -EINVAL;
  k.slab.freeRcu(timer);
  return 0;
}

/** Arms or disarms a timer: nanoseconds (timer_settime). @returns 0 or -EINVAL */
export function timerSettime(k: Kernel, task: Ptr, id: number, expires: number, interval: number): number {
  const { t, m } = k;
  const siglock = m.load(task + TASK.sighand) + SIGHAND.siglock;
  spinLock(t, siglock, LockClass.sighand);
  const timer = findTimer(k, m.load(task + TASK.signal), id);
  if (timer !== 0) {
    spinLock(t, timer + TIMER.itLock, LockClass.timer);
    m.store64(timer + TIMER.itExpires, expires);
    m.store64(timer + TIMER.itInterval, interval);
    spinUnlock(t, timer + TIMER.itLock, LockClass.timer);
  }
  spinUnlock(t, siglock, LockClass.sighand);
  return timer === 0 ? -EINVAL : 0;
}

/** Deletes all timers of a process (exit_itimers), on exec and exit. */
export function exitTimers(k: Kernel, signal: Ptr, sighand: Ptr): void {
  const { t, m } = k;
  for (;;) {
    spinLock(t, sighand + SIGHAND.siglock, LockClass.sighand);
    const timer = m.load(signal + SIGNAL.posixTimers);
    if (timer !== 0) unlinkTimer(k, timer);
    spinUnlock(t, sighand + SIGHAND.siglock, LockClass.sighand);
    if (timer === 0) return;
    k.slab.freeRcu(timer);
  }
}

/** The timer at position `index` of the list, or NULL (seq_hlist_start_rcu). @pre RCU */
export function timersStart(k: Kernel, task: Ptr, index: number): Ptr {
  let timer = k.m.load(k.m.load(task + TASK.signal) + SIGNAL.posixTimers);
  for (let skip = index; skip > 0 && timer !== NULL; skip--) timer = k.m.load(timer + TIMER.list);
  return timer;
}

/** The timer after this one, or NULL (seq_hlist_next_rcu). @pre RCU since {@link timersStart} */
export function timersNext(k: Kernel, timer: Ptr): Ptr {
  return k.m.load(timer + TIMER.list);
}

/**
 * A walk of the timers of a process, in the form that the knob says. Lock-free: under RCU. Locked, as before the patch:
 * siglock is held from start to stop, for a whole buffer. One per thread.
 */
export class TimersWalk {
  /** The siglock that is held, or NULL. */
  private siglock: Ptr = NULL;

  /**
   * The timer at position `index` of the list, or NULL; -ESRCH if locked and the task has been released (timers_start).
   * To be followed by {@link TimersWalk.stop}.
   * @pre RCU, until stop
   */
  start(k: Kernel, task: Ptr, index: number): number {
    const locked = pathIsLocked(k, Path.timers);
    countEvent(k, Path.timers, locked ? Event.fellBack : Event.speculated);
    if (locked && !this.lockSighand(k, task)) return -ESRCH;
    return timersStart(k, task, index);
  }

  /** The timer after this one, or NULL (timers_next). */
  next(k: Kernel, timer: Ptr): Ptr {
    return timersNext(k, timer);
  }

  /** Releases what start took (timers_stop). */
  stop(k: Kernel): void {
    if (this.siglock === NULL) return;
    spinUnlock(k.t, this.siglock, LockClass.sighand);
    this.siglock = NULL;
  }

  /** Locks the handlers that the task has when they are locked (lock_task_sighand); false if it has been released. */
  private lockSighand(k: Kernel, task: Ptr): boolean {
    for (;;) {
      const sighand = k.m.load(task + TASK.sighand);
      if (sighand === NULL) return false;
      const siglock = sighand + SIGHAND.siglock;
      spinLockCounted(k, Path.timers, siglock, LockClass.sighand);
      if (k.m.load(task + TASK.sighand) === sighand) {
        this.siglock = siglock;
        return true;
      }
      spinUnlock(k.t, siglock, LockClass.sighand);
    }
  }
}

/** Reads a timer whole. @returns false if it has been deleted: show nothing. @pre RCU */
export function readTimer(k: Kernel, timer: Ptr, out: TimerSnapshot): boolean {
  const { t, m } = k;
  spinLock(t, timer + TIMER.itLock, LockClass.timer);
  const valid = m.load(timer + TIMER.itSignal) !== 0;
  if (valid) {
    out.id = m.load(timer + TIMER.itId);
    out.signo = m.load(timer + TIMER.sigSigno);
    out.valueLow = m.load(timer + TIMER.sigValue) >>> 0;
    out.valueHigh = m.load(timer + TIMER.sigValue + 1) >>> 0;
    out.notify = m.load(timer + TIMER.itSigevNotify);
    out.pid = m.load(timer + TIMER.itPid);
    out.clock = m.load(timer + TIMER.itClock);
  }
  spinUnlock(t, timer + TIMER.itLock, LockClass.timer);
  return valid;
}

function newTimer(k: Kernel, spec: TimerSpec): Ptr {
  const { m } = k;
  const timer = k.slab.alloc(Cache.timer);
  m.plainStore(timer + TIMER.itClock, spec.clock);
  m.plainStore(timer + TIMER.sigSigno, spec.signo);
  m.plainStore64(timer + TIMER.sigValue, spec.value);
  m.plainStore(timer + TIMER.itSigevNotify, spec.notify);
  m.plainStore(timer + TIMER.itPid, spec.notifyPid);
  return timer;
}

/** The newest timer comes first, as in /proc. @pre siglock held */
function addHead(k: Kernel, signal: Ptr, timer: Ptr): void {
  const { m } = k;
  const first = m.load(signal + SIGNAL.posixTimers);
  m.store(timer + TIMER.list, first);
  m.store(timer + TIMER.pprev, signal + SIGNAL.posixTimers);
  if (first !== 0) m.store(first + TIMER.pprev, timer + TIMER.list);
  m.store(signal + SIGNAL.posixTimers, timer);
}

/** @pre siglock held */
function unlinkTimer(k: Kernel, timer: Ptr): void {
  const { t, m } = k;
  spinLock(t, timer + TIMER.itLock, LockClass.timer);
  m.store(timer + TIMER.itSignal, 0);
  spinUnlock(t, timer + TIMER.itLock, LockClass.timer);
  const next = m.load(timer + TIMER.list);
  const pprev = m.load(timer + TIMER.pprev);
  m.store(pprev, next);
  if (next !== 0) m.store(next + TIMER.pprev, pprev);
}

/** @pre siglock held */
function findTimer(k: Kernel, signal: Ptr, id: number): Ptr {
  let timer = k.m.load(signal + SIGNAL.posixTimers);
  while (timer !== 0 && k.m.load(timer + TIMER.itId) !== id) timer = k.m.load(timer + TIMER.list);
  return timer;
}
