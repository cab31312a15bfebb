/** Who may do what with a node: owners, permission bits, hidepid. */
import { EACCES, ENOENT, EPERM } from "../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS, SUID_DUMP_USER } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { CRED, HOST, MM, TASK } from "../../kernel/layout.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import type { Subject } from "../../kernel/subject.ts";
import { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH } from "../../kernel/subject.ts";
import { isKernelThread } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { MAY_EXEC, MAY_READ, MAY_WRITE } from "../row.ts";

/** File types of st_mode. */
const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFIFO = 0o010000;

/** Directories with this mode keep the owner of an undumpable process. */
const OPEN_DIRECTORY = S_IFDIR | 0o555;

/** hidepid= of the mount (linux/proc_fs.h). */
export const HIDEPID_OFF = 0;
const HIDEPID_NO_ACCESS = 1;
export const HIDEPID_INVISIBLE = 2;
const HIDEPID_NOT_PTRACEABLE = 4;

/** Where an owner goes. */
export interface Owner {
  uid: number;
  gid: number;
}

/** Root's, whoever the task is. */
export function rootOwner(out: Owner): void {
  out.uid = 0;
  out.gid = 0;
}

/**
 * Owner of an entry of a process directory (task_dump_owner): the effective ids, but root for kernel threads, and for
 * processes that can't be dumped or have no memory, except for directories with mode 0555. @pre RCU
 */
export function taskDumpOwner(k: Kernel, task: Ptr, mode: number, out: Owner): void {
  const { m } = k;
  if (isKernelThread(k, task)) {
    rootOwner(out);
    return;
  }
  // Credentials are replaced as a whole: both ids belong to one moment. They come first, as who gains privileges stops
  // being dumpable before: new ones are never taken for those of a process that is dumpable still.
  const cred = m.load(task + TASK.cred);
  if (mode !== OPEN_DIRECTORY) {
    const mm = m.load(task + TASK.mm);
    if (mm === 0 || m.load(mm + MM.dumpable) !== SUID_DUMP_USER) {
      rootOwner(out);
      return;
    }
  }
  out.uid = m.loadU32(cred + CRED.euid);
  out.gid = m.loadU32(cred + CRED.egid);
}

/** generic_permission: @param mode st_mode. @param mask MAY_*. @returns 0 or -EACCES */
export function genericPermission(subject: Subject, mode: number, owner: Owner, mask: number): number {
  if ((mask & ~(mode >>> classShift(subject, mode, owner))) === 0) return 0;
  if ((mode & S_IFMT) === S_IFDIR) {
    if ((mask & MAY_WRITE) === 0 && subject.capable(CAP_DAC_READ_SEARCH)) return 0;
    return subject.capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if (mask === MAY_READ && subject.capable(CAP_DAC_READ_SEARCH)) return 0;
  const mayRun = (mask & MAY_EXEC) === 0 || (mode & 0o111) !== 0;
  return mayRun && subject.capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
}

/** Which three bits count: the owner's, the group's or the others'. */
function classShift(subject: Subject, mode: number, owner: Owner): number {
  if (subject.uid === owner.uid) return 6;
  return groupDiffers(mode) && subject.inGroup(owner.gid) ? 3 : 0;
}

/** Membership is only asked for if it matters. */
function groupDiffers(mode: number): boolean {
  return ((mode >>> 3) & 7) !== (mode & 7);
}

/** As sysctls check it (sysctl_perm): root has the owner's bits, and no capability overrides them. */
export function strictPermission(subject: Subject, mode: number, mask: number): number {
  const shift = subject.uid === 0 ? 6 : groupDiffers(mode) && subject.inGroup(0) ? 3 : 0;
  return (mask & ~(mode >>> shift)) === 0 ? 0 : -EACCES;
}

/** May the caller see the process, where hidepid is at least `minimum`? (has_pid_permissions) @pre RCU */
export function hasPidPermissions(k: Kernel, task: Ptr, minimum: number, subject: Subject): boolean {
  const hidepid = k.m.load(HOST.hidepid);
  if (hidepid === HIDEPID_OFF) return true;
  if (hidepid !== HIDEPID_NOT_PTRACEABLE) {
    if (hidepid < minimum) return true;
    if (subject.inGroup(k.m.loadU32(HOST.hidepidGid))) return true;
  }
  return ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject);
}

/** May the caller go into /proc/<pid>? (proc_pid_permission) @returns 0, -EPERM or -ENOENT. @pre RCU */
export function pidPermission(k: Kernel, task: Ptr, subject: Subject): number {
  if (k.m.load(HOST.hidepid) === HIDEPID_OFF) return 0;
  if (hasPidPermissions(k, task, HIDEPID_NO_ACCESS, subject)) return 0;
  return k.m.load(HOST.hidepid) === HIDEPID_INVISIBLE ? -ENOENT : -EPERM;
}
