/** Signals: what the simulation does with them, beyond their bits in status. */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { EINVAL, EPERM } from "./errno.ts";
import { exitGroup } from "./exit.ts";
import {
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGNAL_STOP_STOPPED,
  SIGNAL_UNKILLABLE,
  SIGSTOP,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_STOPPED,
} from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { SIGHAND, SIGNAL, TASK } from "./layout.ts";
import { firstThread, isZombie, nextThread, setTaskState } from "./task.ts";
import { Wait } from "./wait-kinds.ts";

/** Signals whose default is to do nothing: CHLD, CONT, URG, WINCH. */
const IGNORED_BY_DEFAULT = new Set([SIGCHLD, SIGCONT, 23, 28]);
/** Signals that stop: STOP, TSTP, TTIN, TTOU. */
const STOPS = new Set([SIGSTOP, 20, 21, 22]);

/**
 * Sends a signal to a process: it is ignored, stays pending if blocked, runs a handler (nothing to see), stops,
 * continues, or kills.
 * @returns 0, -EINVAL for no such signal, -EPERM for a deadly one to an unkillable process (init)
 * @pre the caller acts as the process
 */
export function sendSignal(k: Kernel, task: Ptr, signo: number): number {
  if (signo < 0 || signo > 64) return -EINVAL;
  if (signo === 0) return 0;
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  if (signo === SIGCONT) continueGroup(k, task);
  if (signo !== SIGKILL && signo !== SIGSTOP) {
    if (bit(k, task + TASK.blocked, signo)) return setPending(k, task, signal, signo);
    const sighand = m.load(task + TASK.sighand);
    if (bit(k, sighand + SIGHAND.ignored, signo) || bit(k, sighand + SIGHAND.caught, signo)) return 0;
  }
  if (IGNORED_BY_DEFAULT.has(signo)) return 0;
  if ((m.load(signal + SIGNAL.flags) & SIGNAL_UNKILLABLE) !== 0) return -EPERM;
  if (STOPS.has(signo)) stopGroup(k, task);
  else exitGroup(k, task, signo);
  return 0;
}

/** True if signal `signo` is in the 64-bit set at `at`. */
function bit(k: Kernel, at: Ptr, signo: number): boolean {
  return ((k.m.load(at + ((signo - 1) >> 5)) >>> ((signo - 1) & 31)) & 1) !== 0;
}

function setPending(k: Kernel, task: Ptr, signal: Ptr, signo: number): number {
  const siglock = k.m.load(task + TASK.sighand) + SIGHAND.siglock;
  spinLock(k.t, siglock, LockClass.sighand);
  k.m.or(signal + SIGNAL.sharedPending + ((signo - 1) >> 5), 1 << ((signo - 1) & 31));
  spinUnlock(k.t, siglock, LockClass.sighand);
  return 0;
}

/** All threads stop (do_signal_stop). */
export function stopGroup(k: Kernel, task: Ptr): void {
  k.m.or(k.m.load(task + TASK.signal) + SIGNAL.flags, SIGNAL_STOP_STOPPED);
  for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
    if (!isZombie(k, thread)) setTaskState(k, thread, TASK_STOPPED, Wait.stopped);
  }
}

/** Stopped threads sleep again (SIGCONT). */
export function continueGroup(k: Kernel, task: Ptr): void {
  k.m.and(k.m.load(task + TASK.signal) + SIGNAL.flags, ~SIGNAL_STOP_STOPPED);
  for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
    if (k.m.load(thread + TASK.state) === TASK_STOPPED) setTaskState(k, thread, TASK_INTERRUPTIBLE, Wait.poll);
  }
}

/** A task runs, or waits in the given way. Stopped and dead tasks stay as they are. */
export function setWaiting(k: Kernel, task: Ptr, state: number, waitKind: number): void {
  const now = k.m.load(task + TASK.state);
  if (now === TASK_STOPPED || now > TASK_STOPPED + TASK_STOPPED) return;
  setTaskState(k, task, state, state === TASK_RUNNING ? Wait.running : waitKind);
}
