/**
 * System calls that look into other processes, as transaction files: the caller's own credentials count, and the errno is
 * the call's. Processes are found whatever hidepid says, as by the system calls.
 */
import { EBADF, EFAULT, EINTR, EINVAL, ENOENT, EPERM, ESRCH } from "../../kernel/errno.ts";
import { filePut } from "../../kernel/files.ts";
import type { EpollSlot } from "../../kernel/kcmp.ts";
import { KcmpType, kcmp } from "../../kernel/kcmp.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { findTask } from "../../kernel/pid.ts";
import { pidfdGetfd } from "../../kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../kernel/robust-list.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { WAIT_WOULD_BLOCK } from "../../sync/thread.ts";
import { fileText } from "../fs/target.ts";
import type { Context } from "../row.ts";
import { showOpenFile } from "../task/fdinfo.ts";
import { Text } from "../text.ts";
import { WOULD_WAIT } from "../vfs.ts";
import type { Answer } from "./answer.ts";
import type { Transaction } from "./transaction.ts";
import { ArgumentError } from "./transaction.ts";

/** In the order of the listing. */
export const CALLS: readonly Transaction[] = [
  {
    name: "kcmp",
    usage: "PID1 PID2 TYPE [IDX1 IDX2]",
    doc: "do two tasks share a resource: 0 equal, 1 less, 2 greater; kcmp(2)",
    run: runKcmp,
  },
  {
    name: "get_robust_list",
    usage: "PID",
    doc: "address and length of the head of a thread's list of robust futexes; get_robust_list(2)",
    run: runGetRobustList,
  },
  {
    name: "pidfd_getfd",
    usage: "PID FD [FLAGS]",
    doc: "what the caller would get as a copy of another process's descriptor; pidfd_getfd(2)",
    run: runPidfdGetfd,
  },
];

const INT_MIN = -2147483648;
const INT_MAX = 2147483647;
const UINT_MAX = 4294967295;

/** The arguments of kcmp(2). */
export interface KcmpArguments {
  readonly pid1: number;
  readonly pid2: number;
  readonly type: number;
  readonly idx1: number;
  readonly idx2: number | EpollSlot;
}

/** Takes PID1 PID2 TYPE [IDX1 IDX2]. @throws ArgumentError */
export function parseKcmp(words: readonly string[]): KcmpArguments {
  expectWords(words, 3, 5);
  const pid1 = integer(words[0], "PID1");
  const pid2 = integer(words[1], "PID2");
  const type = kcmpType(words[2] as string);
  if (!comparesFiles(type)) return { pid1, pid2, type, idx1: 0, idx2: 0 };
  const idx1 = index(words[3], "IDX1");
  return { pid1, pid2, type, idx1, idx2: type === KcmpType.FILE ? index(words[4], "IDX2") : slot(words[4]) };
}

function runKcmp(c: Context, words: readonly string[]): Answer {
  const { pid1, pid2, type, idx1, idx2 } = parseKcmp(words);
  const result = kcmp(c.k, pid1, pid2, type, idx1, idx2, c.subject);
  if (result >= 0) return { errno: 0, text: String(result) };
  return failure(result, result === -ESRCH ? nobody(c.k, [pid1, pid2]) : kcmpReason(result, type));
}

/** True for the types that need IDX1 and IDX2; others take no notice of them. */
function comparesFiles(type: number): boolean {
  return type === KcmpType.FILE || type === KcmpType.EPOLL_TFD;
}

function kcmpReason(error: number, type: number): string {
  switch (-error) {
    case EPERM:
      return "the caller may not look into both";
    case EBADF:
      return "no such descriptor";
    case ENOENT:
      return "the epoll file doesn't watch that";
    case EINVAL:
      return type === KcmpType.EPOLL_TFD ? "EFD is no epoll file" : `there is no type ${type}`;
    default:
      return commonReason(error);
  }
}

function runGetRobustList(c: Context, words: readonly string[]): Answer {
  expectWords(words, 1, 1);
  const pid = integer(words[0], "PID");
  const list = new RobustList();
  const error = getRobustList(c.k, pid, c.subject, list);
  if (error === 0) return { errno: 0, text: `0x${list.head.toString(16)} ${list.length}` };
  if (error !== -ESRCH)
    return failure(error, error === -EPERM ? "the caller may not look into it" : commonReason(error));
  return failure(error, pid === 0 ? "0 is the caller, who is no process of the simulation" : nobody(c.k, [pid]));
}

function runPidfdGetfd(c: Context, words: readonly string[]): Answer {
  expectWords(words, 2, 3);
  const pid = integer(words[0], "PID");
  const fd = integer(words[1], "FD");
  const flags = words.length > 2 ? integer(words[2], "FLAGS") : 0;
  const file = pidfdGetfd(c.k, pid, fd, flags, c.subject);
  if (file < 0) return failure(file, pidfdReason(c.k, file, pid));
  const text = describeFile(c, file);
  filePut(c.k, file);
  return { errno: 0, text };
}

function pidfdReason(k: Kernel, error: number, pid: number): string {
  switch (-error) {
    case EPERM:
      return "the caller may not attach to it";
    case EBADF:
      return "no such descriptor";
    case EINVAL:
      return "FLAGS are reserved: 0";
    case ESRCH:
      return findTask(k, pid) === 0 ? nobody(k, [pid]) : `${pid} is exiting`;
    default:
      return commonReason(error);
  }
}

/** What the link of the new descriptor would say, and its fdinfo: the copy is closed by exec. */
function describeFile(c: Context, file: Ptr): string {
  const out = new Text();
  out.str("link:\t");
  fileText(c.k, file, out);
  out.str("\n");
  showOpenFile(c, file, true, out);
  return out.toString().trimEnd();
}

/** @param error a negated errno, or would-block */
function failure(error: number, text: string): Answer {
  return error === WAIT_WOULD_BLOCK ? { errno: WOULD_WAIT, text: "" } : { errno: -error, text };
}

function commonReason(error: number): string {
  switch (-error) {
    case EINTR:
      return "interrupted";
    case EFAULT:
      return "IDX2 is no slot";
    default:
      return `error ${-error}`;
  }
}

/** Says who isn't there, as far as that is still true. */
function nobody(k: Kernel, pids: readonly number[]): string {
  const missing: number[] = [];
  for (const pid of pids) if (findTask(k, pid) === 0) missing.push(pid);
  return `there is no process or thread ${(missing.length > 0 ? missing : pids).join(" or ")}`;
}

function expectWords(words: readonly string[], least: number, most: number): void {
  if (words.length < least)
    throw new ArgumentError(words.length === 0 ? "nothing was written" : "something is missing");
  if (words.length > most) throw new ArgumentError(`"${words[most] as string}" is one word too many`);
}

function integer(word: string | undefined, what: string, low = INT_MIN, high = INT_MAX): number {
  if (word === undefined) throw new ArgumentError(`${what} is missing`);
  const value = /^-?\d{1,10}$/.test(word) ? Number(word) : NaN;
  if (!(value >= low && value <= high)) {
    throw new ArgumentError(`${what} is a number from ${low} to ${high}, not "${word}"`);
  }
  return value;
}

function index(word: string | undefined, what: string): number {
  return integer(word, what, INT_MIN, UINT_MAX);
}

/** A type by number or by name, with or without KCMP_. */
function kcmpType(word: string): number {
  const name = word.toUpperCase().replace(/^KCMP_/, "");
  const type = Object.entries(KcmpType).find(([known]) => known === name);
  if (type !== undefined) return type[1];
  if (!/^-?\d+$/.test(word)) {
    throw new ArgumentError(`TYPE is a number or one of ${Object.keys(KcmpType).join(", ")}, not "${word}"`);
  }
  return integer(word, "TYPE");
}

/** EFD:TFD:TOFF */
function slot(word: string | undefined): EpollSlot {
  if (word === undefined) throw new ArgumentError("IDX2 is missing");
  const parts = word.split(":");
  if (parts.length !== 3) throw new ArgumentError(`IDX2 is EFD:TFD:TOFF, not "${word}"`);
  const [efd, tfd, toff] = parts;
  return {
    efd: index(efd, "EFD"),
    tfd: index(tfd, "TFD"),
    toff: index(toff, "TOFF"),
  };
}
