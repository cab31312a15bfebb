/** What tests see of a process: fields of the model, without /proc. */
import { IO, CRED, MM, RLIM_INFINITY, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { IoSnapshot } from "../../src/kernel/io-accounting.ts";
import { RLIMIT_NOFILE, rlimit } from "../../src/kernel/limits.ts";
import { TimerSnapshot, readTimer, timersNext, timersStart } from "../../src/time/posix-timers.ts";
import { taskOf, tidsOf } from "./world.ts";
import type { World } from "./world.ts";

/** Nanoseconds of CPU time of all threads, dead ones included. */
export function cpuTimes(w: World, pid: number): { user: number; system: number } {
  const { m } = w.k;
  const signal = m.load(taskOf(w, pid) + TASK.signal);
  const sum = { user: m.load64(signal + SIGNAL.utime), system: m.load64(signal + SIGNAL.stime) };
  for (const tid of tidsOf(w, pid)) {
    sum.user += m.load64(taskOf(w, tid) + TASK.utime);
    sum.system += m.load64(taskOf(w, tid) + TASK.stime);
  }
  return sum;
}

/** I/O counters of all threads, dead ones included. */
export function readIo(w: World, pid: number): IoSnapshot {
  const { m } = w.k;
  const out = new IoSnapshot();
  const places = [m.load(taskOf(w, pid) + TASK.signal) + SIGNAL.ioac];
  for (const tid of tidsOf(w, pid)) places.push(taskOf(w, tid) + TASK.ioac);
  for (const at of places) {
    out.rchar += m.load64(at + IO.rchar);
    out.wchar += m.load64(at + IO.wchar);
    out.syscr += m.load64(at + IO.syscr);
    out.syscw += m.load64(at + IO.syscw);
    out.readBytes += m.load64(at + IO.readBytes);
    out.writeBytes += m.load64(at + IO.writeBytes);
  }
  return out;
}

function mmOf(w: World, pid: number): number {
  return w.k.m.load(taskOf(w, pid) + TASK.mm);
}

/** Pages mapped and resident. */
export function vmSize(w: World, pid: number): { pages: number; resident: number } {
  const { m } = w.k;
  const mm = mmOf(w, pid);
  const resident = m.load(mm + MM.rssAnon) + m.load(mm + MM.rssFile) + m.load(mm + MM.rssShmem);
  return { pages: m.load64(mm + MM.totalVm), resident };
}

export function vmaCount(w: World, pid: number): number {
  return w.k.m.load(mmOf(w, pid) + MM.mapCount);
}

export function dumpableOf(w: World, pid: number): number {
  return w.k.m.load(mmOf(w, pid) + MM.dumpable);
}

export function uidOf(w: World, pid: number): { uid: number; euid: number } {
  const { m } = w.k;
  const cred = m.load(taskOf(w, pid) + TASK.cred);
  return { uid: m.loadU32(cred + CRED.uid), euid: m.loadU32(cred + CRED.euid) };
}

/** Soft limit of open files. */
export function openLimit(w: World, pid: number): number {
  const limit = rlimit(w.k, w.k.m.load(taskOf(w, pid) + TASK.signal), RLIMIT_NOFILE, false);
  return limit === RLIM_INFINITY ? Infinity : limit;
}

export function timersOf(w: World, pid: number): { id: number; signo: number; clock: number }[] {
  const timers: { id: number; signo: number; clock: number }[] = [];
  const snapshot = new TimerSnapshot();
  for (let timer = timersStart(w.k, taskOf(w, pid), 0); timer !== 0; timer = timersNext(w.k, timer)) {
    if (!readTimer(w.k, timer, snapshot)) continue;
    timers.push({ id: snapshot.id, signo: snapshot.signo, clock: snapshot.clock });
  }
  return timers;
}
