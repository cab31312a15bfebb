/**
 * Execs that take their time: held between their two halves until a moment of simulated time, by nobody in particular.
 *
 * Who began one hands it off and goes on with other work; whichever thread looks after that moment finishes it. The
 * process's actor lock, cred_guard_mutex and exec_update_lock stay held meanwhile.
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { actEnd } from "./actor.ts";
import type { ExecInFlight } from "./exec.ts";
import { execFinish } from "./exec.ts";
import type { Kernel } from "./kernel.ts";
import { HELD_EXEC, HELD_EXECS, HOST } from "./layout.ts";
import { TASK_COMM_LEN } from "./task.ts";

const FREE = 0;
const CLAIMED = 1;
const WAITING = 2;

/** What an exec in flight holds, in the order in which it was taken. */
const HELD_CLASSES = [LockClass.actor, LockClass.credGuard, LockClass.execUpdate] as const;

function recordOf(index: number): Ptr {
  return HOST.heldExecs + index * HELD_EXEC.words;
}

/**
 * Leaves an exec in flight, and the right to act as its process, until boot time `untilNs`. The caller has nothing more
 * to do with the process; it must not call actEnd.
 * @returns false if too many are held already: the caller still has everything, and should finish at once
 * @pre the caller acts as the process, and as no other
 */
export function holdExec(k: Kernel, exec: ExecInFlight, untilNs: number): boolean {
  const { m } = k;
  const at = claimRecord(k);
  if (at === 0) return false;
  m.store(at + HELD_EXEC.task, exec.task);
  m.store(at + HELD_EXEC.oldMm, exec.oldMm);
  m.store64(at + HELD_EXEC.until, untilNs);
  m.store(at + HELD_EXEC.setuid, exec.setuid);
  m.store(at + HELD_EXEC.nonDumpable, exec.nonDumpable ? 1 : 0);
  storeComm(k, at + HELD_EXEC.comm, exec.comm);
  k.t.lockdep.handOff(HELD_CLASSES);
  m.store(at + HELD_EXEC.state, WAITING);
  m.add(HOST.heldExecCount, 1);
  return true;
}

/**
 * Finishes the execs whose moment is before or at `nowNs`. Any thread may call it; one load if there are none.
 * @returns how many were finished
 * @pre RCU online, no lock held
 */
export function finishHeldExecs(k: Kernel, nowNs: number): number {
  const { m } = k;
  if (m.load(HOST.heldExecCount) === 0) return 0;
  let finished = 0;
  for (let i = 0; i < HELD_EXECS; i++) {
    const at = recordOf(i);
    if (m.load(at + HELD_EXEC.state) !== WAITING) continue;
    if (m.compareExchange(at + HELD_EXEC.state, WAITING, CLAIMED) !== WAITING) continue;
    if (m.load64(at + HELD_EXEC.until) > nowNs) {
      m.store(at + HELD_EXEC.state, WAITING);
      continue;
    }
    finish(k, at);
    finished++;
  }
  return finished;
}

/** Execs that are held at the moment. */
export function heldExecs(k: Kernel): number {
  return k.m.load(HOST.heldExecCount);
}

function finish(k: Kernel, at: Ptr): void {
  const { m } = k;
  const exec: ExecInFlight = {
    task: m.load(at + HELD_EXEC.task),
    oldMm: m.load(at + HELD_EXEC.oldMm),
    comm: loadComm(k, at + HELD_EXEC.comm),
    setuid: m.load(at + HELD_EXEC.setuid),
    nonDumpable: m.load(at + HELD_EXEC.nonDumpable) !== 0,
  };
  m.add(HOST.heldExecCount, -1);
  m.store(at + HELD_EXEC.state, FREE);
  k.t.lockdep.takeOver(HELD_CLASSES);
  execFinish(k, exec);
  actEnd(k, exec.task);
}

/** A free record, or NULL. */
function claimRecord(k: Kernel): Ptr {
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
