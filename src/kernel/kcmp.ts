/**
 * Do two tasks share a resource? (kernel/kcmp.c, with "kcmp: take a lock-free exec_update_seq fast path", 6/8 of the
 * series in exec-update.ts.)
 */
import { bytesText } from "../shm/bytes.ts";
import type { Memory, Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { upRead } from "../sync/rwsem.ts";
import { seqcountRetry, seqcountTryBegin } from "../sync/seqcount.ts";
import { countEvent, Event } from "./counters.ts";
import { EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH } from "./errno.ts";
import { fgetTask, filePut } from "./files.ts";
import { PTRACE_MODE_READ_REALCREDS } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { pathIsLocked, Path } from "./knobs.ts";
import { FILE, FileKind, HOST, SIGNAL, TASK } from "./layout.ts";
import { countOnWayToLock, downReadCounted, waitGoesOn } from "./lock-wait.ts";
import { findTask } from "./pid.ts";
import { ptraceMayAccess } from "./ptrace.ts";
import { Random } from "./random.ts";
import type { Subject } from "./subject.ts";
import { pinTask, unpinTask } from "./task.ts";

/** What is compared (enum kcmp_type, linux/kcmp.h). */
export const KcmpType = {
  FILE: 0,
  VM: 1,
  FILES: 2,
  FS: 3,
  SIGHAND: 4,
  IO: 5,
  SYSVSEM: 6,
  EPOLL_TFD: 7,
} as const;

const KCMP_TYPES = 8;

/** Which file an epoll file watches (struct kcmp_epoll_slot). */
export interface EpollSlot {
  /** Descriptor of the epoll file. */
  readonly efd: number;
  /** The descriptor under which the watched file was added. */
  readonly tfd: number;
  /** Which of several that were added under the same number, from 0. */
  readonly toff: number;
}

/** What is asked about two tasks. */
interface Question {
  readonly type: number;
  readonly idx1: number;
  readonly idx2: number | EpollSlot;
}

/**
 * Compares a resource of two tasks (kcmp(2)), and leaves nothing behind whatever it answers.
 * @param pid1 a process or thread, also a dead one that has not been reaped
 * @param type KcmpType
 * @param idx1 FILE, EPOLL_TFD: a descriptor of the first task, of which 32 bits count
 * @param idx2 FILE: a descriptor of the second task; EPOLL_TFD: a slot of it
 * @returns 0 equal, 1 less, 2 greater, in an order that holds as long as the simulation does; the kernel keeps 3 for
 *   "not equal, and there is no order", which it never answers. Or -ESRCH (no such task), -EPERM (either may not be looked
 *   into), -EINVAL (no such type; not an epoll file), -EBADF (no such descriptor), -ENOENT (the epoll file doesn't watch
 *   that), -EFAULT (no slot), -EINTR, would-block
 * @pre RCU online, no section open
 */
export function kcmp(
  k: Kernel,
  pid1: number,
  pid2: number,
  type: number,
  idx1: number,
  idx2: number | EpollSlot,
  subject: Subject,
): number {
  const task1 = findTask(k, pid1);
  const task2 = findTask(k, pid2);
  if (task1 === 0 || task2 === 0) return -ESRCH;
  const question = { type, idx1, idx2 };
  if (!pinTask(k, task1)) return -ESRCH;
  const second = pinTask(k, task2);
  const result = second ? kcmpTasks(k, task1, task2, question, subject) : -ESRCH;
  unpinTask(k, task1);
  if (second) unpinTask(k, task2);
  return result;
}

/**
 * Snapshots both sequence counts, checks and compares, and looks at both again. If an exec or TSYNC of either task is
 * under way or came between, both locks are taken. The fast path takes none, and so needs no order.
 */
function kcmpTasks(k: Kernel, task1: Ptr, task2: Ptr, question: Question, subject: Subject): number {
  const { m } = k;
  const sig1 = m.load(task1 + TASK.signal);
  const sig2 = m.load(task2 + TASK.signal);
  // Who has already begun to wait for the locks, and was parked meanwhile, is after them.
  if (!waitGoesOn(k, Path.kcmp) && !pathIsLocked(k, Path.kcmp)) {
    const seq1 = execUpdateSpeculateTryBegin(m, sig1);
    const seq2 = seq1 < 0 ? -1 : execUpdateSpeculateTryBegin(m, sig2);
    if (seq2 >= 0) {
      countEvent(k, Path.kcmp, Event.speculated);
      const result = kcmpAccess(k, task1, task2, question, subject);
      if (!execUpdateSpeculateRetry(m, sig1, seq1) && !execUpdateSpeculateRetry(m, sig2, seq2)) return result;
      countEvent(k, Path.kcmp, Event.retried);
    }
  }
  const error = kcmpLock(k, sig1, sig2);
  if (error !== 0) return error;
  const result = kcmpAccess(k, task1, task2, question, subject);
  kcmpUnlock(k, sig1, sig2);
  return result;
}

/** @returns the even count, or -1 while a writer is inside */
function execUpdateSpeculateTryBegin(m: Memory, signal: Ptr): number {
  return seqcountTryBegin(m, signal + SIGNAL.execUpdateSeq);
}

/** True if a writer has been inside since `sequence` was taken: what was compared may be of two images. */
function execUpdateSpeculateRetry(m: Memory, signal: Ptr, sequence: number): boolean {
  return seqcountRetry(m, signal + SIGNAL.execUpdateSeq, sequence);
}

/**
 * Takes both exec_update_locks for read, that at the higher address first, and one that both tasks have once: two callers
 * with the tasks the other way round can't wait for each other.
 * @returns 0; or -EINTR or would-block, and nothing is held
 */
function kcmpLock(k: Kernel, sig1: Ptr, sig2: Ptr): number {
  const second = secondToLock(k, sig1, sig2);
  const first = second === sig1 ? sig2 : sig1;
  countOnWayToLock(k, Path.kcmp, Event.fellBack);
  const error = lockForRead(k, first, false);
  if (error !== 0 || first === second) return error;
  const nestedError = lockForRead(k, second, true);
  if (nestedError !== 0) upRead(k.t, first + SIGNAL.execUpdateLock, LockClass.execUpdate);
  return nestedError;
}

/**
 * Which of the two is locked last. Who never sleeps needs no order, and begins with the one that it won't get: if it gave
 * back the other, every parked request would be tried again, this one among them, for as long as the writer takes.
 */
function secondToLock(k: Kernel, sig1: Ptr, sig2: Ptr): Ptr {
  const high = Math.max(sig1, sig2);
  const low = Math.min(sig1, sig2);
  return !k.t.maySleep && execUpdateSpeculateTryBegin(k.m, low) < 0 ? high : low;
}

function lockForRead(k: Kernel, signal: Ptr, nested: boolean): number {
  return downReadCounted(k, Path.kcmp, signal + SIGNAL.execUpdateLock, LockClass.execUpdate, nested);
}

function kcmpUnlock(k: Kernel, sig1: Ptr, sig2: Ptr): void {
  if (sig2 !== sig1) upRead(k.t, sig2 + SIGNAL.execUpdateLock, LockClass.execUpdate);
  upRead(k.t, sig1 + SIGNAL.execUpdateLock, LockClass.execUpdate);
}

/** Checks access to both tasks, then compares. The caller sees to it that neither changes its image meanwhile. */
function kcmpAccess(k: Kernel, task1: Ptr, task2: Ptr, question: Question, subject: Subject): number {
  const allowed =
    ptraceMayAccess(k, task1, PTRACE_MODE_READ_REALCREDS, subject) &&
    ptraceMayAccess(k, task2, PTRACE_MODE_READ_REALCREDS, subject);
  if (!allowed) return -EPERM;
  switch (question.type) {
    case KcmpType.FILE:
      return kcmpFile(k, task1, task2, question);
    case KcmpType.VM:
      return kcmpField(k, task1, task2, TASK.mm, KcmpType.VM);
    case KcmpType.FILES:
      return kcmpField(k, task1, task2, TASK.files, KcmpType.FILES);
    case KcmpType.FS:
      return kcmpField(k, task1, task2, TASK.fs, KcmpType.FS);
    case KcmpType.SIGHAND:
      return kcmpField(k, task1, task2, TASK.sighand, KcmpType.SIGHAND);
    case KcmpType.IO:
      return kcmpField(k, task1, task2, TASK.ioContext, KcmpType.IO);
    case KcmpType.SYSVSEM:
      return kcmpField(k, task1, task2, TASK.sysvsemUndo, KcmpType.SYSVSEM);
    case KcmpType.EPOLL_TFD:
      return kcmpEpollTarget(k, task1, task2, question);
    default:
      return -EINVAL;
  }
}

/** Compares a pointer that each task has, or has not: who has none (any more) is equal to others without. */
function kcmpField(k: Kernel, task1: Ptr, task2: Ptr, field: number, type: number): number {
  return kcmpPtr(k.m, k.m.load(task1 + field), k.m.load(task2 + field), type);
}

function kcmpFile(k: Kernel, task1: Ptr, task2: Ptr, { idx1, idx2 }: Question): number {
  if (typeof idx2 !== "number") return -EBADF;
  const file1 = getFileRawPtr(k, task1, idx1);
  const file2 = getFileRawPtr(k, task2, idx2);
  return file1 === 0 || file2 === 0 ? -EBADF : kcmpPtr(k.m, file1, file2, KcmpType.FILE);
}

/** Is the first task's descriptor what the second one's epoll file watches? In the order of files. */
function kcmpEpollTarget(k: Kernel, task1: Ptr, task2: Ptr, { idx1, idx2 }: Question): number {
  if (typeof idx2 === "number") return -EFAULT;
  const file = getFileRawPtr(k, task1, idx1);
  if (file === 0) return -EBADF;
  const epoll = fgetTask(k, task2, idx2.efd);
  if (epoll === 0) return -EBADF;
  const target = getEpollTfileRawPtr(k, task2, epoll, idx2);
  filePut(k, epoll);
  return target < 0 ? target : kcmpPtr(k.m, file, target, KcmpType.FILE);
}

/**
 * The file that an epoll file watches, only to be compared. An epoll file remembers its targets by their descriptors, which
 * are looked up in the task's own table.
 * @returns the file, -EINVAL for one of another kind, -ENOENT
 */
function getEpollTfileRawPtr(k: Kernel, task: Ptr, epoll: Ptr, slot: EpollSlot): number {
  if (k.m.load(epoll + FILE.kind) !== FileKind.eventpoll) return -EINVAL;
  if (slot.toff >= timesWatched(k, epoll, slot.tfd)) return -ENOENT;
  const target = getFileRawPtr(k, task, slot.tfd);
  return target === 0 ? -ENOENT : target;
}

/** How often a descriptor was added to an epoll file: a captured one has the lines of its fdinfo, others one target. */
function timesWatched(k: Kernel, epoll: Ptr, fd: number): number {
  const { m } = k;
  const lines = bytesText(m, m.load(epoll + FILE.extra));
  if (lines === "") return m.loadU32(epoll + FILE.data) === fd + 1 ? 1 : 0;
  let times = 0;
  for (const [, tfd] of lines.matchAll(/^tfd: *(\d+) /gm)) if (Number(tfd) === fd) times++;
  return times;
}

/** A task's open file, only to be compared: a reference is taken and dropped, so that nothing leaks from who tries again. */
function getFileRawPtr(k: Kernel, task: Ptr, fd: number): Ptr {
  const file = fgetTask(k, task, fd);
  if (file !== 0) filePut(k, file);
  return file;
}

/** Orders two pointers without showing where they lie (kcmp_ptr): 0 equal, 1 less, 2 greater. */
function kcmpPtr(m: Memory, v1: Ptr, v2: Ptr, type: number): number {
  const t1 = kptrObfuscate(m, v1, type);
  const t2 = kptrObfuscate(m, v2, type);
  return (t1 < t2 ? 1 : 0) | (t1 > t2 ? 2 : 0);
}

/** A product with an odd number is as unique as its other factor. */
function kptrObfuscate(m: Memory, v: Ptr, type: number): number {
  const cookies = HOST.kcmpCookies + 2 * type;
  return Math.imul(v ^ m.load(cookies), m.load(cookies + 1));
}

/** Stream of the simulation's seed that the cookies come from. */
const COOKIE_STREAM = 0x6b636d70;

/** Chooses two numbers for each type, the second one large and odd (kcmp_cookies_init). @pre the arena is not published */
export function kcmpCookiesInit(m: Memory, seed: number): void {
  const random = new Random(seed, COOKIE_STREAM);
  for (let type = 0; type < KCMP_TYPES; type++) {
    m.plainStore(HOST.kcmpCookies + 2 * type, random.u32() | 0);
    m.plainStore(HOST.kcmpCookies + 2 * type + 1, random.u32() | 0x80000001 | 0);
  }
}
