/** POSIX timers of the processes of a group. */
import type { Kernel } from "../../kernel/kernel.ts";
import { SIGNAL, TASK, TIMER } from "../../kernel/layout.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { bootTimeNs } from "../../time/clock.ts";
import {
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  timerCreate,
  timerSettime,
} from "../../time/posix-timers.ts";
import type { PosixTimer } from "../scenario-types.ts";

const NS_PER_MS = 1e6;
const NOTIFY = { signal: SIGEV_SIGNAL, none: SIGEV_NONE, thread: SIGEV_THREAD } as const;

/** Creates and arms timers. Lists name the newest first, as /proc does; so the last one is made first. */
export function createTimers(k: Kernel, task: Ptr, timers: readonly PosixTimer[]): void {
  const captured = timers.some((timer) => timer.id !== null);
  const order = captured ? [...timers].reverse() : timers;
  for (const timer of order) for (let i = 0; i < timer.count; i++) createTimer(k, task, timer);
}

function createTimer(k: Kernel, task: Ptr, timer: PosixTimer): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  if (timer.id !== null) m.store(signal + SIGNAL.nextPosixTimerId, timer.id);
  const id = timerCreate(k, task, {
    clock: Math.max(0, timer.clock),
    signo: timer.signal,
    value: 0,
    notify: NOTIFY[timer.notify] | (timer.toThread ? SIGEV_THREAD_ID : 0),
    notifyPid: timer.target ?? m.load(task + TASK.tgid),
  });
  if (id < 0) throw new RangeError(`clock ${timer.clock} can't have timers`);
  // CPU clocks of captured processes have negative numbers.
  m.store(m.load(signal + SIGNAL.posixTimers) + TIMER.itClock, timer.clock);
  setValue(k, m.load(signal + SIGNAL.posixTimers), timer.value);
  const interval = Math.floor(timer.intervalMs * NS_PER_MS);
  timerSettime(k, task, id, bootTimeNs(k) + interval, interval);
}

/** sigev_value has 64 bits, more than a number holds: the halves are stored one by one. */
function setValue(k: Kernel, timer: Ptr, value: string): void {
  const digits = value.padStart(16, "0");
  k.m.store(timer + TIMER.sigValue, Number.parseInt(digits.slice(8), 16) | 0);
  k.m.store(timer + TIMER.sigValue + 1, Number.parseInt(digits.slice(0, 8), 16) | 0);
}
