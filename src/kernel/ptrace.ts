/** May the caller look into a task? (__ptrace_may_access, kernel/ptrace.c, with the commoncap check behind it.) */
import type { Ptr } from "../sync/atomics.ts";
import { PTRACE_MODE_FSCREDS, PTRACE_MODE_REALCREDS, SUID_DUMP_USER } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { CRED, MM, TASK } from "./layout.ts";
import type { Subject } from "./subject.ts";
import { CAP_SYS_PTRACE } from "./subject.ts";

/**
 * @param mode PTRACE_MODE_*
 * @pre RCU
 */
export function ptraceMayAccess(k: Kernel, task: Ptr, mode: number, subject: Subject): boolean {
  const { m } = k;
  const cred = m.load(task + TASK.cred);
  if (!sameIds(k, cred, mode, subject) && !subject.capable(CAP_SYS_PTRACE)) return false;
  if (!stillDumpable(k, task) && !subject.capable(CAP_SYS_PTRACE)) return false;
  return coversCapabilities(k, cred, mode, subject);
}

/** task_still_dumpable: after its exit a task is what its memory was last; kernel threads never are. */
function stillDumpable(k: Kernel, task: Ptr): boolean {
  const { m } = k;
  const mm = m.load(task + TASK.mm);
  return mm === 0 ? m.load(task + TASK.userDumpable) !== 0 : m.load(mm + MM.dumpable) === SUID_DUMP_USER;
}

/** cap_ptrace_access_check (security/commoncap.c): the task must not have more capabilities than the caller. */
function coversCapabilities(k: Kernel, cred: Ptr, mode: number, subject: Subject): boolean {
  const low = k.m.load(cred + CRED.capPermitted);
  const high = k.m.load(cred + CRED.capPermitted + 1);
  if ((low | high) === 0) return true;
  return subject.covers(low, high, (mode & PTRACE_MODE_FSCREDS) !== 0) || subject.capable(CAP_SYS_PTRACE);
}

/** The caller's ids, real or of the file system, are all three user ids and all three group ids of the task. */
function sameIds(k: Kernel, cred: Ptr, mode: number, subject: Subject): boolean {
  if ((mode & PTRACE_MODE_REALCREDS) === 0 || subject.realIds === undefined) {
    return allIdsAre(k, cred, subject.uid, subject.gid);
  }
  const [uid, gid] = subject.realIds();
  return allIdsAre(k, cred, uid, gid);
}

function allIdsAre(k: Kernel, cred: Ptr, uid: number, gid: number): boolean {
  const { m } = k;
  return (
    m.loadU32(cred + CRED.euid) === uid &&
    m.loadU32(cred + CRED.suid) === uid &&
    m.loadU32(cred + CRED.uid) === uid &&
    m.loadU32(cred + CRED.egid) === gid &&
    m.loadU32(cred + CRED.sgid) === gid &&
    m.loadU32(cred + CRED.gid) === gid
  );
}
