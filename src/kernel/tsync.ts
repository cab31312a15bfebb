/** seccomp's TSYNC: one policy for all threads at once, the second writer of exec_update_lock besides exec. */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downWrite, upWrite } from "../sync/rwsem.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "./exec-update.ts";
import type { Kernel } from "./kernel.ts";
import { SIGNAL, TASK } from "./layout.ts";
import { firstThread, isZombie, nextThread } from "./task.ts";

/** SECCOMP_MODE_FILTER */
const SECCOMP_FILTER = 2;

/**
 * Puts a filter on every live thread of a process (seccomp_sync_threads). Takes the locks in exec's order.
 * @pre the caller acts as the process
 */
export function tsync(k: Kernel, task: Ptr): void {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  downWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
  execUpdateWriteBegin(k, signal);
  for (let thread = firstThread(k, task); thread !== 0; thread = nextThread(k, thread)) {
    if (isZombie(k, thread)) continue;
    m.store(thread + TASK.noNewPrivs, 1);
    m.store(thread + TASK.seccomp, SECCOMP_FILTER);
  }
  execUpdateWriteEnd(k, signal);
  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
}
