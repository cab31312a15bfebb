/**
 * A policy for all threads of a process at once: landlock_restrict_self with LANDLOCK_RESTRICT_SELF_TSYNC, the second
 * writer of exec_update_lock besides exec (landlock_restrict_sibling_threads, security/landlock/tsync.c).
 *
 * Every thread gets new credentials, with the same ids, and no_new_privs if the calling thread has that; the calling
 * thread gets its own after the others and outside of the lock. In the kernel each thread does so itself, between two
 * barriers; that the caller waits for them is the time between {@link tsyncBegin} and {@link tsyncFinish}. The kernel only
 * tries exec_update_lock, and starts the call again if it is taken, lest two callers wait for each other's threads; here
 * it is waited for, as the process has one actor. That the caller must have no_new_privs or CAP_SYS_ADMIN is not checked.
 */
import type { Ptr } from "../sync/atomics.ts";
import { Cache } from "./caches.ts";
import { commitCreds, getCred, prepareCreds, putCred } from "./cred.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "./exec-update.ts";
import type { Kernel } from "./kernel.ts";
import { TASK } from "./layout.ts";
import { firstThread, isZombie, nextThread, threadCount } from "./task.ts";

/** A TSYNC between its two halves. */
export interface TsyncInFlight {
  /** The thread that calls. */
  readonly task: Ptr;
  /** Its new credentials; a reference. */
  readonly cred: Ptr;
}

/** From now on no exec of this thread gives it privileges (PR_SET_NO_NEW_PRIVS). */
export function setNoNewPrivs(k: Kernel, task: Ptr): void {
  k.m.store(task + TASK.noNewPrivs, 1);
}

/**
 * Gives all threads of a process new credentials, and no_new_privs if the caller has it.
 * @throws ArenaFullError; nothing has happened then
 * @pre the caller acts as the process
 */
export function tsync(k: Kernel, task: Ptr): void {
  tsyncFinish(k, tsyncBegin(k, task));
}

/**
 * The first half: takes exec_update_lock for write, and waits until all threads are ready.
 * @throws ArenaFullError; nothing has happened then
 */
export function tsyncBegin(k: Kernel, task: Ptr): TsyncInFlight {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  execUpdateWriteBegin(k, k.m.load(task + TASK.signal));
  return { task, cred };
}

/**
 * The second half: all threads commit.
 * @returns false if there was no memory for that: then none has, as none may stay behind
 */
export function tsyncFinish(k: Kernel, { task, cred }: TsyncInFlight): boolean {
  const { m } = k;
  // Threads that don't share the caller's credentials need some of their own.
  const enough = k.slab.reserve(Cache.cred, threadCount(k, task));
  const old = m.load(task + TASK.cred);
  const noNewPrivs = m.load(task + TASK.noNewPrivs) !== 0;
  if (enough) {
    for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
      if (thread === task || isZombie(k, thread)) continue;
      if (noNewPrivs) setNoNewPrivs(k, thread);
      restrictThread(k, thread, old, cred);
    }
  }
  execUpdateWriteEnd(k, m.load(task + TASK.signal));
  if (enough) commitCreds(k, task, cred);
  else putCred(k, cred);
  return enough;
}

/** restrict_one_thread */
function restrictThread(k: Kernel, thread: Ptr, callersOld: Ptr, callersNew: Ptr): void {
  const own = k.m.load(thread + TASK.cred);
  commitCreds(k, thread, own === callersOld ? getCred(k, callersNew) : prepareCreds(k, own));
}
