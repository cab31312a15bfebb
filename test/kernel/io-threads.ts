/**
 * Thread bodies of io-protocol.test.ts.
 *
 * The oracle: a process turns privileged by exec, counts odd numbers of bytes while it is, and is unprivileged again
 * after another exec, which also sets its counters back to even numbers. A reader without privilege must be refused or
 * see seven equal, even counters: one moment, of an image that it may look at.
 */
import { execBegin, execFinish } from "../../src/kernel/exec.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { accountIo, doIoAccounting, IoSnapshot } from "../../src/kernel/io-accounting.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { IO, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { ptraceMayAccess } from "../../src/kernel/ptrace.ts";
import { joinKernel, subject } from "../support/kernel.ts";
import { execSpec } from "../support/processes.ts";

export interface IoJob {
  buffer: SharedArrayBuffer;
  pid: number;
  milliseconds: number;
  /** "writer" execs; "reader" reads by the protocol; "careless" checks and reads without looking again. */
  role: "writer" | "reader" | "careless";
}

export interface IoResult {
  allowed: number;
  refused: number;
  violations: number;
  execs: number;
}

export function run(job: IoJob): IoResult {
  const k = joinKernel(job.buffer);
  const result = { allowed: 0, refused: 0, violations: 0, execs: 0 };
  const end = performance.now() + job.milliseconds;
  let round = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 50; i++) {
      if (job.role === "writer") execTwice(k, job.pid, round++, result);
      else read(k, job.pid, job.role === "careless", result);
      k.quiescent();
      k.slab.reclaim();
    }
  }
  k.slab.flush();
  k.idle();
  return result;
}

function execTwice(k: Kernel, pid: number, round: number, result: IoResult): void {
  const task = findTask(k, pid);
  execFinish(k, execBegin(k, task, execSpec(k, 1, round)));
  addToAll(k, task, 1);
  // Not dumpable from here on, until the next image is there.
  setIdentity(k, task, 1000, 1000, []);
  const down = execBegin(k, task, execSpec(k, 0, round));
  addToAll(k, task, 1);
  execFinish(k, down);
  result.execs += 2;
}

function addToAll(k: Kernel, task: number, bytes: number): void {
  accountIo(k, task, {
    rchar: bytes,
    wchar: bytes,
    syscr: bytes,
    syscw: bytes,
    readBytes: bytes,
    writeBytes: bytes,
  });
}

const snapshot = new IoSnapshot();

function read(k: Kernel, pid: number, careless: boolean, result: IoResult): void {
  const task = findTask(k, pid);
  const error = careless ? readCarelessly(k, task) : doIoAccounting(k, task, true, subject(1000), snapshot);
  if (error !== 0) {
    result.refused++;
    return;
  }
  result.allowed++;
  const { rchar, wchar, syscr, syscw, readBytes, writeBytes } = snapshot;
  const equal = [wchar, syscr, syscw, readBytes, writeBytes].every((value) => value === rchar);
  if (!equal || rchar % 2 !== 0) result.violations++;
}

/** What the protocol would be without its second look. */
function readCarelessly(k: Kernel, task: number): number {
  if (!ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject(1000))) return -13;
  snapshot.rchar = k.m.load64(task + TASK.ioac + IO.rchar);
  snapshot.wchar = k.m.load64(task + TASK.ioac + IO.wchar);
  snapshot.syscr = k.m.load64(task + TASK.ioac + IO.syscr);
  snapshot.syscw = k.m.load64(task + TASK.ioac + IO.syscw);
  snapshot.readBytes = k.m.load64(task + TASK.ioac + IO.readBytes);
  snapshot.writeBytes = k.m.load64(task + TASK.ioac + IO.writeBytes);
  return 0;
}
