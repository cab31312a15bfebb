/**
 * Thread bodies of kcmp.test.ts.
 *
 * The oracle: processes that belong to user 1000 turn privileged by exec, have a secret descriptor and a secret list of
 * robust futexes while they are, and are user 1000's again after another exec, which leaves neither. A reader who is that
 * user must be refused, or find no such descriptor, and never learn an address of a privileged image.
 */
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { EBADF, EPERM } from "../../src/kernel/errno.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { closeFd, fdLookup, fileNew, filePut, installFdAt } from "../../src/kernel/files.ts";
import { PTRACE_MODE_READ_REALCREDS } from "../../src/kernel/flags.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path, pathIsLocked } from "../../src/kernel/knobs.ts";
import { FileKind, HOST, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { ptraceMayAccess } from "../../src/kernel/ptrace.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import { joinKernel, subject } from "../support/kernel.ts";
import { execSpec } from "../support/processes.ts";

/** The descriptor that only privileged images have. */
const SECRET = 7;
export const USER = 1000;
export const PATHS = [Path.kcmp, Path.pidfd_getfd, Path.get_robust_list];

export interface CallJob {
  buffer: SharedArrayBuffer;
  /** "writer" execs as process `a`; "reader" asks about both; "careless" checks and looks without looking again. */
  role: "writer" | "reader" | "careless";
  a: number;
  b: number;
}

export interface CallResult {
  /** Execs, or calls that were answered with something else than a refusal. */
  done: number;
  /** Secrets that were found. */
  violations: number;
  /** Addresses that were of another image than the one that was checked. */
  strangers: number;
  /** Addresses of the lists: of the privileged images, or all that a reader was told. */
  heads: number[];
}

/** The least and the most time that a reader takes, in milliseconds; writers go on until they are told to stop. */
const LEAST_MS = 1000;
const MOST_MS = 20_000;

/** Readers end once they have seen what they are there for. */
export function run(job: CallJob): CallResult {
  const k = joinKernel(job.buffer);
  const result: CallResult = { done: 0, violations: 0, strangers: 0, heads: [] };
  const heads = new Set<number>();
  const start = performance.now();
  while (!isOver(k, job, result, performance.now() - start)) {
    for (let i = 0; i < 20; i++) {
      if (job.role === "writer") execTwice(k, job.a, result, heads);
      else if (job.role === "reader") askAll(k, job.a, job.b, result, heads);
      else askCarelessly(k, job.a, result);
      k.quiescent();
      k.slab.reclaim();
    }
  }
  k.idle();
  k.detach();
  return { ...result, heads: [...heads] };
}

function isOver(k: Kernel, { role }: CallJob, { violations, strangers }: CallResult, ms: number): boolean {
  if (role === "writer") return k.m.load(HOST.mutatorStop) !== 0;
  if (ms < LEAST_MS) return false;
  if (ms > MOST_MS) return true;
  return role === "reader" ? wasSpoilt(k) : violations > 0 && strangers > 0;
}

/** True once an exec has come between in a call of each kind, or that can't happen. */
function wasSpoilt(k: Kernel): boolean {
  return PATHS.every((path) => pathIsLocked(k, path) || eventCount(k, path, Event.retried) > 0);
}

/** Privileged, with secrets; then again what it was. */
function execTwice(k: Kernel, pid: number, result: CallResult, heads: Set<number>): void {
  const task = actBegin(k, pid);
  if (task < 0) throw new Error(`can't act as ${pid}: ${task}`);
  const seed = 2 * (pid * 1_000_000 + result.done);
  execTask(k, task, execSpec(k, 1, seed));
  const files = k.m.load(task + TASK.files);
  const file = fileNew(k, { kind: FileKind.pipe, flags: 0 });
  if (installFdAt(k, files, SECRET, file) !== SECRET) throw new Error("the secret descriptor is taken");
  heads.add(k.m.load64(task + TASK.robustList));
  closeFd(k, files, SECRET);
  setIdentity(k, task, USER, USER, []);
  execTask(k, task, execSpec(k, 0, seed + 1));
  actEnd(k, task);
  result.done += 2;
}

const list = new RobustList();

/** Comparisons both ways round, and the other two calls. */
function askAll(k: Kernel, a: number, b: number, result: CallResult, heads: Set<number>): void {
  const who = subject(USER);
  expectNoSecret(kcmp(k, a, b, KcmpType.FILE, SECRET, SECRET, who), result);
  expectNoSecret(kcmp(k, a, a, KcmpType.FILE, SECRET, SECRET, who), result);
  const file = pidfdGetfd(k, a, SECRET, 0, who);
  expectNoSecret(file, result);
  if (file > 0) filePut(k, file);
  if (getRobustList(k, a, who, list) === 0) heads.add(list.head);
}

function expectNoSecret(answer: number, result: CallResult): void {
  if (answer === -EBADF) result.done++;
  else if (answer !== -EPERM) result.violations++;
}

/** What a reader would see who doesn't look at the sequence count again. */
function askCarelessly(k: Kernel, pid: number, result: CallResult): void {
  const task = findTask(k, pid);
  const head = k.m.load64(task + TASK.robustList);
  if (!ptraceMayAccess(k, task, PTRACE_MODE_READ_REALCREDS, subject(USER))) return;
  result.done++;
  for (let i = 0; i < 2000; i++) {
    if (fdLookup(k, task, SECRET) === 0) continue;
    result.violations++;
    break;
  }
  if (k.m.load64(task + TASK.robustList) !== head) result.strangers++;
}
