/** The processes that virtual CPUs read and change. */
import { actBegin, actEnd } from "../../../kernel/actor.ts";
import { exitGroup, reap } from "../../../kernel/exit.ts";
import { fileNew, installFd } from "../../../kernel/files.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import { Kernel } from "../../../kernel/kernel.ts";
import { FileKind, PAGE_SIZE, TASK } from "../../../kernel/layout.ts";
import { findTask, pidGeneration } from "../../../kernel/pid.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../mm/flags.ts";
import { mmap } from "../../../mm/mmap.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { timerCreate } from "../../../time/posix-timers.ts";
import { MODEL_CONFIG } from "../../model.ts";
import type { ReadKind, WriteKind } from "../kinds.ts";

const INIT = 1;
/** Threads of a process beside the first, where the writer has to do with threads. */
const FURTHER_THREADS = 3;
/** Processes that ps goes through. */
const PS_PROCESSES = 256;
const TIMERS = 64;
/** Where the mappings lie that are written, and how many pages they have: neighbours differ, so that they stay apart. */
export const AREA = 0x10000000;
export const AREA_PAGES = 192;
export const AREA_BLOCK = 4;

/** What there is to read and to write. */
export interface Table {
  readonly pid: number;
  /** The address space of that process as it is at first, and the use of its pid. */
  readonly mm: Ptr;
  readonly generation: number;
  /** For questions about two. */
  readonly other: number;
  /** All that ps goes through. */
  readonly pids: readonly number[];
}

/** Makes the processes for what is read and written. */
export function makeTable(k: Kernel, read: ReadKind, write: WriteKind | null): Table {
  const pid = newProcess(k);
  const other = newProcess(k);
  equip(k, pid, write);
  const pids: number[] = [];
  if (read === "ps") for (let i = 0; i < PS_PROCESSES; i++) pids.push(newProcess(k));
  const task = findTask(k, pid);
  return { pid, mm: k.m.load(task + TASK.mm), generation: pidGeneration(k, pid), other, pids };
}

/** A CPU joins. @param debug check the order of locks */
export function joinCpu(buffer: SharedArrayBuffer, debug: boolean): Kernel {
  const k = Kernel.attach(buffer, MODEL_CONFIG, { debug });
  k.busy();
  return k;
}

/** A child of init. @returns its pid */
function newProcess(k: Kernel): number {
  const pid = copyProcess(k, findTask(k, INIT), 0);
  if (pid < 0) throw new Error(`fork: errno ${-pid}`);
  return pid;
}

function equip(k: Kernel, pid: number, write: WriteKind | null): void {
  const task = act(k, pid);
  installFd(k, k.m.load(task + TASK.files), fileNew(k, { kind: FileKind.eventfd, flags: 2 }));
  if (write === "exec-threads" || write === "tsync") addThreads(k, task);
  if (write === "timers") for (let i = 0; i < TIMERS; i++) addTimer(k, task);
  if (write === "mappings") {
    const mm = k.m.load(task + TASK.mm);
    for (let page = 0; page < AREA_PAGES; page += AREA_BLOCK) mapPages(k, mm, page, AREA_BLOCK);
  }
  actEnd(k, task);
}

/** Acts as a process, until actEnd. @returns its task */
export function act(k: Kernel, pid: number): Ptr {
  const task = actBegin(k, pid);
  if (task < 0) throw new Error(`process ${pid}: errno ${-task}`);
  return task;
}

/** Gives a process more threads. @pre the caller acts as it */
export function addThreads(k: Kernel, task: Ptr): void {
  for (let i = 0; i < FURTHER_THREADS; i++) must(copyProcess(k, task, CLONE_PTHREAD), "clone");
}

/** @pre the caller acts as the process */
export function addTimer(k: Kernel, task: Ptr): void {
  const notifyPid = k.m.load(task + TASK.pid);
  must(timerCreate(k, task, { clock: 1, signo: 34, value: 0x1000, notify: 0, notifyPid }), "timer_create");
}

/** The protection of a page of the area. */
export function protectionOf(page: number): number {
  return Math.floor(page / AREA_BLOCK) % 2 === 0 ? PROT_READ : PROT_READ | PROT_WRITE;
}

/** Maps pages of the area, with the protection that belongs to the first. */
export function mapPages(k: Kernel, mm: Ptr, page: number, count: number): void {
  const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS;
  must(mmap(k, mm, AREA + page * PAGE_SIZE, count * PAGE_SIZE, protectionOf(page), flags, 0, 0), "mmap");
}

/** A child of init comes. @returns its pid */
export function forkFromInit(k: Kernel): number {
  const init = act(k, INIT);
  const pid = copyProcess(k, init, 0);
  actEnd(k, init);
  must(pid, "fork");
  return pid;
}

/** A child of init goes, and is reaped. */
export function endChild(k: Kernel, pid: number): void {
  const task = act(k, pid);
  exitGroup(k, task, 0);
  actEnd(k, task);
  const init = act(k, INIT);
  must(reap(k, task), "reap");
  actEnd(k, init);
}

/** @throws Error for a negated errno */
export function must(result: number, what: string): void {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
}
