/** /proc/<pid>/{comm,exe,cwd,root,cgroup,cpuset,loginuid,sessionid,attr}: what a task is and where it is. */
import { EACCES, EINVAL, ENOENT, EPERM } from "../../kernel/errno.ts";
import { PF_KTHREAD, PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { FS, MM, TASK } from "../../kernel/layout.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { setTaskComm, taskName } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { commRaw } from "./array-format.ts";
import { parseInteger } from "./base-parse.ts";
import { pathName } from "../escape.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

/** Shows /proc/<pid>/comm (comm_show). */
export function showComm(c: Context, out: Text): number {
  const { comm } = c.scratch;
  comm.length = taskName(c.k, c.task, comm.bytes);
  commRaw(out, comm);
  out.byte(10);
  return 0;
}

/**
 * Renames a thread (comm_write). The kernel lets only the process itself do so; nobody here is a simulated process, so
 * whoever may open the file for writing, its owner or root, acts for it.
 */
export function writeComm(c: Context, _offset: number, data: Uint8Array): number {
  setTaskComm(c.k, c.task, data);
  return data.length;
}

/** Target of /proc/<pid>/exe: -EACCES without ptrace access, -ENOENT without a program. */
export function targetExe(c: Context, out: Text): number {
  const { m } = c.k;
  if (!mayFollow(c)) return -EACCES;
  const mm = m.load(c.task + TASK.mm);
  const kernelThread = (m.load(c.task + TASK.flags) & PF_KTHREAD) !== 0;
  return target(c, mm === 0 || kernelThread ? 0 : m.load(mm + MM.exeFile), out);
}

/** Target of /proc/<pid>/cwd: -EACCES without ptrace access, -ENOENT after exit. */
export function targetCwd(c: Context, out: Text): number {
  if (!mayFollow(c)) return -EACCES;
  const fs = c.k.m.load(c.task + TASK.fs);
  return target(c, fs === 0 ? 0 : c.k.m.load(fs + FS.pwd), out);
}

/** Target of /proc/<pid>/root: -EACCES without ptrace access, -ENOENT after exit. */
export function targetRoot(c: Context, out: Text): number {
  if (!mayFollow(c)) return -EACCES;
  const fs = c.k.m.load(c.task + TASK.fs);
  return target(c, fs === 0 ? 0 : c.k.m.load(fs + FS.root), out);
}

/** proc_fd_access_allowed. */
function mayFollow(c: Context): boolean {
  return ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject);
}

function target(c: Context, path: Ptr, out: Text): number {
  if (path === 0) return -ENOENT;
  pathName(c.k.m, out, path, "");
  return 0;
}

/** Shows /proc/<pid>/cgroup (proc_cgroup_show): a line for each hierarchy. */
export function showCgroup(c: Context, out: Text): number {
  out.str(cgroupLines(c)).byte(10);
  return 0;
}

/** Shows /proc/<pid>/cpuset (proc_cpuset_show): the path in the cpuset hierarchy, or else in the unified one. */
export function showCpuset(c: Context, out: Text): number {
  const lines = cgroupLines(c).split("\n");
  const line =
    lines.find((text) => controllersOf(text).includes("cpuset")) ?? lines.find((text) => text.startsWith("0::"));
  out.str(line === undefined ? "/" : line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1)).byte(10);
  return 0;
}

function cgroupLines(c: Context): string {
  return c.k.config.cgroups[c.k.m.load(c.task + TASK.cgroup)] ?? "0::/";
}

function controllersOf(line: string): string[] {
  return (line.split(":")[1] ?? "").split(",");
}

/** Shows /proc/<pid>/loginuid: no newline (proc_loginuid_read). */
export function showLoginuid(c: Context, out: Text): number {
  out.dec(c.k.m.loadU32(c.task + TASK.loginuid));
  return 0;
}

/** Only a task itself may set its login uid, and the caller is another one: -EPERM (proc_loginuid_write). */
export function writeLoginuid(c: Context, offset: number, data: Uint8Array): number {
  if (c.subject.tgid() !== c.k.m.load(c.task + TASK.pid)) return -EPERM;
  if (offset !== 0) return -EINVAL;
  const { parsed } = c.scratch;
  parseInteger(data, 0, 0xffffffff, parsed);
  if (parsed.error !== 0) return parsed.error;
  c.k.m.store(c.task + TASK.loginuid, parsed.value | 0);
  return data.length;
}

/** Shows /proc/<pid>/sessionid: no newline (proc_sessionid_read). */
export function showSessionid(c: Context, out: Text): number {
  out.dec(c.k.m.loadU32(c.task + TASK.sessionid));
  return 0;
}

/** /proc/<pid>/attr/*: no security module is active, so there is nothing to read (proc_pid_attr_read). */
export function showAttr(_c: Context, _out: Text): number {
  return -EINVAL;
}

/** Only a task itself may set its attributes (proc_pid_attr_write): -EPERM; -EINVAL without a security module. */
export function writeAttr(c: Context, _offset: number, _data: Uint8Array): number {
  return c.subject.tgid() === c.k.m.load(c.task + TASK.pid) ? -EINVAL : -EPERM;
}
