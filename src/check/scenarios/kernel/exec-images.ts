/**
 * Processes that exec, and who looks at them: what the scenarios of the exec_update family share.
 *
 * A process has one owner, and begins with an image that is open to the owner, unless the exec is to open it. Its exec is prepared by the scenario's setup,
 * up to the point of no return, so that the threads run what others can see of it.
 */
import { execPrepare } from "../../../kernel/exec.ts";
import type { ExecPrepared } from "../../../kernel/exec.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { CRED, MM, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Subject } from "../../../kernel/subject.ts";
import { mmget } from "../../../mm/mm.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { RWSEM_WORDS } from "../../../sync/rwsem.ts";
import type { State } from "../../history.ts";
import { ORDINARY, SETUID_ROOT, programSpec } from "../../model.ts";
import { CLOSED, OPEN } from "../../oracles/access.ts";

/** Who owns the processes. */
export const OWNER = 1000;

/** A caller of which only the ids count; 0 has all capabilities. */
export function caller(uid: number): Subject {
  return {
    uid,
    gid: uid,
    tgid: () => 0,
    capable: () => uid === 0,
    inGroup: (gid) => gid === uid,
    covers: () => uid === 0,
  };
}

/** A process as setup made it. */
export interface Owned {
  readonly pid: number;
  readonly task: Ptr;
  readonly signal: Ptr;
  /** exec_update_seq before the threads start. */
  readonly sequence: number;
}

/** What kind of exec it is. */
export interface Change {
  /** The old image may not be dumped: it is the exec that lets the owner look. */
  readonly opens?: boolean;
  /** The new image has root's rights. */
  readonly setuid?: boolean;
  readonly nonDumpable?: boolean;
  readonly failsHalfway?: boolean;
}

/** Whether the owner may look at the image that was there before an exec, and at the one that it makes. */
export function accessAround({ opens, setuid, nonDumpable, failsHalfway }: Change): readonly [number, number] {
  const closes = nonDumpable === true || (setuid === true && failsHalfway !== true);
  return [opens === true ? CLOSED : OPEN, closes ? CLOSED : OPEN];
}

/** A process of the owner, a child of init, with the address space that it got by fork. @param change its exec */
export function makeOwned(k: Kernel, { opens }: Change = {}): Owned {
  const parent = findTask(k, 1);
  const pid = copyProcess(k, parent, 0);
  const task = findTask(k, pid);
  setIdentity(k, task, OWNER, OWNER, []);
  // A change of ids has made it undumpable.
  if (opens !== true) k.m.store(k.m.load(task + TASK.mm) + MM.dumpable, 1);
  const signal = k.m.load(task + TASK.signal);
  return { pid, task, signal, sequence: k.m.load(signal + SIGNAL.execUpdateSeq) };
}

/** A further thread of a process. */
export function makeThread(k: Kernel, { task }: Owned): Ptr {
  return findTask(k, copyProcess(k, task, CLONE_PTHREAD));
}

/**
 * An exec up to its point of no return, for a thread that goes on by {@link takeOver}.
 * @param seed of the new image's addresses
 */
export function prepareExec(k: Kernel, task: Ptr, change: Change = {}, seed = 2): ExecPrepared {
  const { setuid, nonDumpable = false, failsHalfway = false } = change;
  const spec = programSpec(setuid === true ? SETUID_ROOT : ORDINARY, seed);
  const exec = execPrepare(k, task, { ...spec, nonDumpable, failsHalfway });
  k.t.lockdep.handOff([LockClass.credGuard]);
  return exec;
}

/** The calling thread goes on with an exec that setup has prepared. @returns its argument */
export function takeOver(k: Kernel, exec: ExecPrepared): ExecPrepared {
  k.t.lockdep.takeOver([LockClass.credGuard]);
  return exec;
}

/** Another user of a task's address space, so that it outlives an exec. @returns the address space */
export function keepMm(k: Kernel, task: Ptr): Ptr {
  const mm = k.m.load(task + TASK.mm);
  mmget(k, mm);
  return mm;
}

/** A state that a scenario's oracle allows at any time. */
export function state(...words: readonly number[]): State {
  return { index: 0, from: 0, until: Infinity, words };
}

/**
 * What is wrong with a process when its execs (and TSYNCs) are over: all locks are free, the count is even and has gone on
 * by two for each.
 */
export function execsAreOver(k: Kernel, { signal, sequence }: Owned, execs: number): string | null {
  const { m } = k;
  for (const lock of [SIGNAL.credGuardMutex, SIGNAL.execUpdateLock]) {
    for (let i = 0; i < RWSEM_WORDS; i++) {
      // The generation goes on for good.
      const word = m.load(signal + lock + i);
      if (i !== GENERATION && word !== 0) return `word ${i} of the lock at ${lock} is ${word} at the end`;
    }
  }
  const count = m.load(signal + SIGNAL.execUpdateSeq);
  if (count !== sequence + 2 * execs) return `exec_update_seq is ${count} at the end, not ${sequence + 2 * execs}`;
  const stats = [m.load(signal + SIGNAL.statsLock) & 1, m.load(signal + SIGNAL.statsLock + 2)];
  return stats[0] === 0 && stats[1] === 0 ? null : `stats_lock is ${stats.join(" ")} at the end`;
}

/** Word of a rwsem: see rwsem.ts. */
const GENERATION = 2;

/** What is wrong with a reference count at the end. */
export function countIs(k: Kernel, what: string, at: Ptr, expected: number): string | null {
  const count = k.m.load(at);
  return count === expected ? null : `${what} has ${count} references at the end, not ${expected}`;
}

/** What is wrong with the references to a living task with credentials and an address space of its own. */
export function ownsAlone(k: Kernel, task: Ptr): string | null {
  const { m } = k;
  return (
    countIs(k, "the task", task + TASK.usage, 1) ??
    countIs(k, "its address space", m.load(task + TASK.mm) + MM.mmUsers, 1) ??
    countIs(k, "its credentials", m.load(task + TASK.cred) + CRED.usage, 1)
  );
}
