/** /proc/<pid>/status: what proc_pid_status reads (fs/proc/array.c). */
import { bytesCopy, bytesLength } from "../../shm/bytes.ts";
import { fdTableSize } from "../../kernel/files.ts";
import { PF_KTHREAD } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { CRED, FS, MM, PAGE_SIZE, SIGHAND, SIGNAL, TASK } from "../../kernel/layout.ts";
import { RLIMIT_SIGPENDING, rlimit } from "../../kernel/limits.ts";
import { taskName } from "../../kernel/task.ts";
import type { MmStat } from "../../mm/stat.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { taskMmStat } from "./array-mm.ts";
import { stateIndex } from "./array-state.ts";
import { formatStatus } from "./array-status-format.ts";
import type { Context } from "../row.ts";
import type { Mask64, StatusMemory, StatusSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

const KB_PER_PAGE = PAGE_SIZE / 1024;
/** NGROUPS_MAX gids of four bytes. */
const GROUPS_MAX_BYTES = 65536 * 4;

/** Shows /proc/<pid>/status. */
export function showStatus(c: Context, out: Text): number {
  gatherStatus(c, c.scratch.status);
  formatStatus(c.scratch.status, out);
  return 0;
}

/** Fills every field of `out`. @pre RCU */
function gatherStatus(c: Context, out: StatusSnapshot): void {
  const { k, task } = c;
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  out.comm.length = taskName(k, task, out.comm.bytes);
  gatherIds(k, task, signal, out);
  gatherCred(k, m.load(task + TASK.cred), out);
  gatherMemory(k, task, c.scratch.mm, out);
  gatherSignals(k, task, signal, out);
  gatherPlacement(k, task, out);
}

function gatherIds(k: Kernel, task: Ptr, signal: Ptr, out: StatusSnapshot): void {
  const { m } = k;
  const fs = m.load(task + TASK.fs);
  const parent = m.load(signal + SIGNAL.parent);
  out.umask = fs === 0 ? -1 : m.load(fs + FS.umask);
  out.state = stateIndex(m.load(task + TASK.state));
  out.tgid = m.load(task + TASK.tgid);
  out.ngid = 0;
  out.pid = m.load(task + TASK.pid);
  // Once it has been released (pid_alive), its parent may be gone, too.
  const released = m.load(task + TASK.sighand) === 0;
  out.ppid = released || parent === 0 ? 0 : m.load(parent + SIGNAL.tgid);
  out.tracer = 0;
  out.fdSize = fdTableSize(k, task);
  out.pgrp = m.load(signal + SIGNAL.pgrp);
  out.session = m.load(signal + SIGNAL.session);
  out.kthread = (m.load(task + TASK.flags) & PF_KTHREAD) !== 0;
}

function gatherCred(k: Kernel, cred: Ptr, out: StatusSnapshot): void {
  const { m } = k;
  out.uid = m.loadU32(cred + CRED.uid);
  out.euid = m.loadU32(cred + CRED.euid);
  out.suid = m.loadU32(cred + CRED.suid);
  out.fsuid = m.loadU32(cred + CRED.fsuid);
  out.gid = m.loadU32(cred + CRED.gid);
  out.egid = m.loadU32(cred + CRED.egid);
  out.sgid = m.loadU32(cred + CRED.sgid);
  out.fsgid = m.loadU32(cred + CRED.fsgid);
  const groups = m.load(cred + CRED.groups);
  const length = bytesLength(m, groups);
  if (out.groups.length < length) out.groups = new Uint8Array(GROUPS_MAX_BYTES);
  if (length > 0) bytesCopy(m, groups, 0, out.groups, 0, length);
  out.groupCount = length / 4;
  readMask(k, cred + CRED.capInheritable, out.capInheritable);
  readMask(k, cred + CRED.capPermitted, out.capPermitted);
  readMask(k, cred + CRED.capEffective, out.capEffective);
  readMask(k, cred + CRED.capBset, out.capBounding);
  readMask(k, cred + CRED.capAmbient, out.capAmbient);
}

function gatherMemory(k: Kernel, task: Ptr, v: MmStat, out: StatusSnapshot): void {
  const mm = taskMmStat(k, task, v);
  out.hasMm = mm !== 0;
  out.coreDumping = false;
  out.thpEnabled = true;
  if (mm !== 0) fillMemory(k, mm, v, out.memory);
}

/** task_mem: pages become kB; the program's own code is told from that of libraries by its addresses. */
function fillMemory(k: Kernel, mm: Ptr, v: MmStat, out: StatusMemory): void {
  const { m } = k;
  const total = v.rssAnon + v.rssFile + v.rssShmem;
  const codeStart = Math.floor(m.load64(mm + MM.startCode) / PAGE_SIZE);
  const code = Math.ceil(m.load64(mm + MM.endCode) / PAGE_SIZE) - codeStart;
  const text = Math.min(code, v.execVm);
  out.peak = v.hiwaterVm * KB_PER_PAGE;
  out.size = v.totalVm * KB_PER_PAGE;
  out.locked = v.lockedVm * KB_PER_PAGE;
  out.pinned = v.pinnedVm * KB_PER_PAGE;
  out.hwm = v.hiwaterRss * KB_PER_PAGE;
  out.rss = total * KB_PER_PAGE;
  out.anon = v.rssAnon * KB_PER_PAGE;
  out.file = v.rssFile * KB_PER_PAGE;
  out.shmem = v.rssShmem * KB_PER_PAGE;
  out.data = v.dataVm * KB_PER_PAGE;
  out.stack = v.stackVm * KB_PER_PAGE;
  out.exe = text * KB_PER_PAGE;
  out.lib = (v.execVm - text) * KB_PER_PAGE;
  out.pageTables = Math.floor(v.pgtablesBytes / 1024);
  out.swap = v.swapEnts * KB_PER_PAGE;
  out.hugetlb = 0;
}

function gatherSignals(k: Kernel, task: Ptr, signal: Ptr, out: StatusSnapshot): void {
  const { m } = k;
  const sighand = m.load(task + TASK.sighand);
  out.threads = m.load(signal + SIGNAL.nrThreads);
  out.sigLimit = rlimit(k, signal, RLIMIT_SIGPENDING, false);
  readMask(k, task + TASK.pending, out.pending);
  readMask(k, signal + SIGNAL.sharedPending, out.sharedPending);
  readMask(k, task + TASK.blocked, out.blocked);
  clearMask(out.ignored);
  clearMask(out.caught);
  if (sighand !== 0) {
    readMask(k, sighand + SIGHAND.ignored, out.ignored);
    readMask(k, sighand + SIGHAND.caught, out.caught);
  }
  // The kernel counts what is queued for all of the user's processes; here it is what this process can see of that, and
  // what was queued elsewhere when it was captured.
  const elsewhere = m.load(m.load(task + TASK.cred) + CRED.sigQueued);
  out.sigQueued = elsewhere + bitCount(out.pending) + bitCount(out.sharedPending);
}

function gatherPlacement(k: Kernel, task: Ptr, out: StatusSnapshot): void {
  const { m } = k;
  out.noNewPrivs = m.load(task + TASK.noNewPrivs);
  out.seccomp = m.load(task + TASK.seccomp);
  out.seccompFilters = out.seccomp === SECCOMP_MODE_FILTER ? 1 : 0;
  out.cpus = k.config.cpus;
  readMask(k, task + TASK.cpusAllowed, out.cpusAllowed);
  out.voluntary = m.loadU32(task + TASK.nvcsw);
  out.nonvoluntary = m.loadU32(task + TASK.nivcsw);
}

const SECCOMP_MODE_FILTER = 2;

function readMask(k: Kernel, at: Ptr, out: Mask64): void {
  out.low = k.m.load(at);
  out.high = k.m.load(at + 1);
}

function clearMask(out: Mask64): void {
  out.low = 0;
  out.high = 0;
}

function bitCount(mask: Mask64): number {
  let count = 0;
  for (let bits = mask.low; bits !== 0; bits &= bits - 1) count++;
  for (let bits = mask.high; bits !== 0; bits &= bits - 1) count++;
  return count;
}
