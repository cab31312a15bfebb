/**
 * exec_update_lock and its sequence count: readers speculate, and fall back to the lock.
 *
 * Exec and landlock's TSYNC hold exec_update_lock for write, and keep exec_update_seq odd for all that time. A reader that
 * sees the same even count before and after has seen one moment; else it takes the lock for read and looks once more.
 * (Series "exec_update_seq", Christian Brauner, May 2026. The series' sequence count has 32 bits, this one 64: a reader
 * that sleeps could see 32 bits come round.)
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downWrite, upRead, upWrite } from "../sync/rwsem.ts";
import { seqcountRetry, seqcountTryBegin, writeSeqcountBegin, writeSeqcountEnd } from "../sync/seqcount.ts";
import { countEvent, Event } from "./counters.ts";
import type { Kernel } from "./kernel.ts";
import type { PathId } from "./knobs.ts";
import { pathIsLocked } from "./knobs.ts";
import { SIGNAL } from "./layout.ts";
import { countOnWayToLock, downReadCounted, waitGoesOn } from "./lock-wait.ts";

/** Token of a read section that holds the lock. */
const EXEC_UPDATE_LOCKED = -1;
/** First error code of {@link execUpdateReadBegin}; a token is above it. */
const FIRST_ERROR = -2;

/** True if a token is an error to be passed on (-EINTR, or would-block): nothing is held. */
export function isExecUpdateError(token: number): boolean {
  return token <= FIRST_ERROR;
}

/**
 * Starts a read section (exec_update_read_begin_or_killable): speculates, or takes the lock.
 * @param lock true to take the lock at once: the second try, or the path in its previous form
 * @returns a token: the sequence seen (no lock held), or EXEC_UPDATE_LOCKED; or an error, see {@link isExecUpdateError}
 */
export function execUpdateReadBegin(k: Kernel, path: PathId, signal: Ptr, lock: boolean): number {
  // Who has already begun to wait for the lock, and was parked meanwhile, is after the lock.
  if (!lock && !waitGoesOn(k, path) && !pathIsLocked(k, path)) {
    const sequence = seqcountTryBegin(k.m, signal + SIGNAL.execUpdateSeq);
    if (sequence >= 0) {
      countEvent(k, path, Event.speculated);
      return sequence;
    }
  }
  return lockForRead(k, path, signal);
}

function lockForRead(k: Kernel, path: PathId, signal: Ptr): number {
  countOnWayToLock(k, path, Event.fellBack);
  const error = downReadCounted(k, path, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);
  return error === 0 ? EXEC_UPDATE_LOCKED : error;
}

/**
 * exec_update_read_needs_retry: true if a writer spoilt the section, which is over then: drop what was read, begin again
 * with `lock`.
 */
export function execUpdateReadNeedsRetry(k: Kernel, path: PathId, signal: Ptr, token: number): boolean {
  if (token === EXEC_UPDATE_LOCKED) return false;
  if (!seqcountRetry(k.m, signal + SIGNAL.execUpdateSeq, token)) return false;
  countEvent(k, path, Event.retried);
  return true;
}

/** Ends a read section that needs no retry (exec_update_read_done). */
export function execUpdateReadDone(k: Kernel, signal: Ptr, token: number): void {
  if (token === EXEC_UPDATE_LOCKED) upRead(k.t, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);
}

/** The write side: exec and TSYNC. Readers retry or wait until {@link execUpdateWriteEnd}. */
export function execUpdateWriteBegin(k: Kernel, signal: Ptr): void {
  downWrite(k.t, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);
  writeSeqcountBegin(k.m, signal + SIGNAL.execUpdateSeq);
}

export function execUpdateWriteEnd(k: Kernel, signal: Ptr): void {
  writeSeqcountEnd(k.m, signal + SIGNAL.execUpdateSeq);
  upWrite(k.t, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);
}
