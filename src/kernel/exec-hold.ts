/**
 * Writers of exec_update_lock that take their time: execs and TSYNCs, held between their two halves until a moment of
 * simulated time, by nobody in particular.
 *
 * Who began one hands it off and goes on with other work; whichever thread looks after that moment finishes it. The
 * process's actor lock, exec_update_lock and (exec) cred_guard_mutex stay held meanwhile. Simulated time decides alone:
 * while it is paused, a held writer stays held. When it ends, all are finished, and none can be held any more.
 */
import type { Ptr } from "../sync/atomics.ts";
import type { LockClassId } from "../sync/lockdep.ts";
import { LockClass } from "../sync/lockdep.ts";
import { actEnd } from "./actor.ts";
import type { ExecInFlight } from "./exec.ts";
import { execFinish } from "./exec.ts";
import { reapIfInits } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import { HELD_EXEC, HELD_EXECS, HOST, TASK } from "./layout.ts";
import { TASK_COMM_LEN } from "./task.ts";
import type { TsyncInFlight } from "./tsync.ts";
import { tsyncFinish } from "./tsync.ts";

/** States of a record. */
const FREE = 0;
const CLAIMED = 1;
const WAITING = 2;

/** Kinds of writers. */
const EXEC = 0;
const TSYNC = 1;

/** What each kind holds, in the order in which it was taken. */
const HELD_CLASSES: readonly (readonly LockClassId[])[] = [
  [LockClass.actor, LockClass.credGuard, LockClass.execUpdate],
  [LockClass.actor, LockClass.execUpdate],
];

function recordOf(index: number): Ptr {
  return HOST.heldExecs + index * HELD_EXEC.words;
}

/**
 * Leaves an exec in flight, and the right to act as its process, until boot time `untilNs`. The caller has nothing more
 * to do with the process; it must not call actEnd.
 * @returns false if it can't be held, as too many are, or simulated time has ended: the caller still has everything, and
 *   should finish at once
 * @pre the caller acts as the process, and as no other
 */
export function holdExec(k: Kernel, exec: ExecInFlight, untilNs: number): boolean {
  const { m } = k;
  const at = claimRecord(k);
  if (at === 0) return false;
  m.store(at + HELD_EXEC.task, exec.task);
  m.store(at + HELD_EXEC.cred, exec.cred);
  m.store(at + HELD_EXEC.nonDumpable, exec.nonDumpable ? 1 : 0);
  m.store(at + HELD_EXEC.fails, exec.fails ? 1 : 0);
  storeComm(k, at + HELD_EXEC.comm, exec.comm);
  publish(k, at, EXEC, untilNs);
  return true;
}

/** As {@link holdExec}, for a TSYNC. */
export function holdTsync(k: Kernel, flight: TsyncInFlight, untilNs: number): boolean {
  const { m } = k;
  const at = claimRecord(k);
  if (at === 0) return false;
  m.store(at + HELD_EXEC.task, flight.task);
  m.store(at + HELD_EXEC.cred, flight.cred);
  publish(k, at, TSYNC, untilNs);
  return true;
}

/**
 * Finishes the writers whose moment is before or at `nowNs`. Any thread may call it; one load if there are none.
 * @returns how many were finished
 * @pre RCU online, no lock held
 */
export function finishHeldExecs(k: Kernel, nowNs: number): number {
  const { m } = k;
  if (m.load(HOST.heldExecCount) === 0) return 0;
  let finished = 0;
  for (let i = 0; i < HELD_EXECS; i++) {
    const at = recordOf(i);
    if (m.load(at + HELD_EXEC.state) !== WAITING || !reclaim(k, at)) continue;
    if (m.load64(at + HELD_EXEC.until) > nowNs) {
      m.store(at + HELD_EXEC.state, WAITING);
      // Who ended the clock meanwhile found this record claimed.
      if (m.load(HOST.clockEnded) === 0 || !reclaim(k, at)) continue;
    }
    finish(k, at);
    finished++;
  }
  return finished;
}

/** Execs and TSYNCs that are held at the moment. */
export function heldExecs(k: Kernel): number {
  return k.m.load(HOST.heldExecCount);
}

/** Simulated time moves from now on, or again. */
export function startHolding(k: Kernel): void {
  k.m.store(HOST.clockEnded, 0);
}

/** Simulated time stands still for good: whatever is held is finished, and nothing is held any more. */
export function endHolding(k: Kernel): void {
  k.m.store(HOST.clockEnded, 1);
  finishHeldExecs(k, Infinity);
}

/** The record is complete. If the clock has just ended, nobody else may come to finish it. */
function publish(k: Kernel, at: Ptr, kind: number, untilNs: number): void {
  const { m } = k;
  m.store(at + HELD_EXEC.kind, kind);
  m.store64(at + HELD_EXEC.until, untilNs);
  k.t.lockdep.handOff(HELD_CLASSES[kind] as readonly LockClassId[]);
  m.add(HOST.heldExecCount, 1);
  m.store(at + HELD_EXEC.state, WAITING);
  if (m.load(HOST.clockEnded) !== 0 && reclaim(k, at)) finish(k, at);
}

/** Takes a record that waits; false if somebody else has. */
function reclaim(k: Kernel, at: Ptr): boolean {
  return k.m.compareExchange(at + HELD_EXEC.state, WAITING, CLAIMED) === WAITING;
}

/** @pre the record is claimed */
function finish(k: Kernel, at: Ptr): void {
  const { m } = k;
  const kind = m.load(at + HELD_EXEC.kind);
  const task = m.load(at + HELD_EXEC.task);
  const cred = m.load(at + HELD_EXEC.cred);
  const comm = loadComm(k, at + HELD_EXEC.comm);
  const nonDumpable = m.load(at + HELD_EXEC.nonDumpable) !== 0;
  const fails = m.load(at + HELD_EXEC.fails) !== 0;
  m.add(HOST.heldExecCount, -1);
  m.store(at + HELD_EXEC.state, FREE);
  k.t.lockdep.takeOver(HELD_CLASSES[kind] as readonly LockClassId[]);
  if (kind === TSYNC) {
    tsyncFinish(k, { task, cred });
    actEnd(k, task);
    return;
  }
  const tgid = m.load(task + TASK.tgid);
  const runs = execFinish(k, { task, cred, comm, nonDumpable, fails });
  actEnd(k, task);
  if (!runs) reapIfInits(k, tgid);
}

/** A free record, or NULL: all are taken, or the clock has ended. */
function claimRecord(k: Kernel): Ptr {
  if (k.m.load(HOST.clockEnded) !== 0) return 0;
  for (let i = 0; i < HELD_EXECS; i++) {
    const at = recordOf(i);
    if (k.m.compareExchange(at + HELD_EXEC.state, FREE, CLAIMED) === FREE) return at;
  }
  return 0;
}

function storeComm(k: Kernel, at: Ptr, comm: Uint8Array): void {
  for (let word = 0; word < TASK_COMM_LEN / 4; word++) {
    let value = 0;
    for (let byte = 0; byte < 4; byte++) {
      const i = word * 4 + byte;
      if (i < comm.length && i < TASK_COMM_LEN - 1) value |= (comm[i] as number) << (8 * byte);
    }
    k.m.store(at + word, value);
  }
}

function loadComm(k: Kernel, at: Ptr): Uint8Array {
  const out = new Uint8Array(TASK_COMM_LEN);
  let length = 0;
  for (let i = 0; i < TASK_COMM_LEN; i++) {
    const byte = (k.m.load(at + (i >> 2)) >>> (8 * (i & 3))) & 0xff;
    if (byte === 0) break;
    out[length++] = byte;
  }
  return out.slice(0, length);
}
