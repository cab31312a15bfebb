/** What the writing CPU does. */
import { actEnd } from "../../../kernel/actor.ts";
import { execTask } from "../../../kernel/exec.ts";
import { setuid } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { PAGE_SIZE } from "../../../kernel/layout.ts";
import type { Random } from "../../../kernel/random.ts";
import { tsync } from "../../../kernel/tsync.ts";
import { PROT_EXEC, PROT_READ } from "../../../mm/flags.ts";
import { munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import { timerDelete } from "../../../time/posix-timers.ts";
import { ORDINARY, programSpec } from "../../model.ts";
import type { WriteKind } from "../kinds.ts";
import type { Table } from "./table.ts";
import {
  act,
  addThreads,
  addTimer,
  AREA,
  AREA_BLOCK,
  AREA_PAGES,
  endChild,
  forkFromInit,
  mapPages,
  must,
  protectionOf,
} from "./table.ts";

/** How far the writer has come. */
export interface Progress {
  /** Operations done. */
  step: number;
  /** The page that is being changed, and the child that has been made. */
  page: number;
  child: number;
}

/** One operation. */
export function write(k: Kernel, kind: WriteKind, table: Table, progress: Progress, random: Random): void {
  const { step } = progress;
  switch (kind) {
    case "exec":
    case "exec-threads":
      execOnce(k, table.pid, step);
      break;
    case "tsync":
      tsyncOnce(k, table.pid);
      break;
    case "mappings":
      changeMappings(k, table, progress, random);
      break;
    case "timers":
      changeTimers(k, table.pid, step);
      break;
    case "processes":
      changeProcesses(k, table.pid, progress);
  }
  progress.step++;
}

/** What has to be put right after an operation, and what has been given up is freed once nobody looks at it. */
export function afterWrite(k: Kernel, kind: WriteKind, table: Table): void {
  if (kind === "exec-threads") {
    const task = act(k, table.pid);
    addThreads(k, task);
    actEnd(k, task);
  }
  k.quiescent();
  k.slab.reclaim();
}

function execOnce(k: Kernel, pid: number, step: number): void {
  const task = act(k, pid);
  if (!execTask(k, task, programSpec(ORDINARY, step + 1))) throw new Error("exec failed");
  actEnd(k, task);
}

function tsyncOnce(k: Kernel, pid: number): void {
  const task = act(k, pid);
  tsync(k, task);
  actEnd(k, task);
}

/** Splits and merges, takes away and gives back, so that the area stays alike all the time. */
function changeMappings(k: Kernel, { mm }: Table, progress: Progress, random: Random): void {
  const { step } = progress;
  // Two pages of one block: both ends stay in it.
  if (step % 4 === 0) progress.page = random.below(AREA_PAGES / AREA_BLOCK) * AREA_BLOCK + 1;
  const { page } = progress;
  const address = AREA + page * PAGE_SIZE;
  if (step % 4 === 0) must(mprotect(k, mm, address, PAGE_SIZE, PROT_READ | PROT_EXEC), "mprotect");
  else if (step % 4 === 1) must(mprotect(k, mm, address, PAGE_SIZE, protectionOf(page)), "mprotect");
  else if (step % 4 === 2) must(munmap(k, mm, address, 2 * PAGE_SIZE), "munmap");
  else mapPages(k, mm, page, 2);
}

/** Deletes the oldest timer, creates another. */
function changeTimers(k: Kernel, pid: number, step: number): void {
  const task = act(k, pid);
  if (step % 2 === 0) must(timerDelete(k, task, step / 2), "timer_delete");
  else addTimer(k, task);
  actEnd(k, task);
}

/** Processes come and go, and the one that is read changes its owner. */
function changeProcesses(k: Kernel, pid: number, progress: Progress): void {
  const { step } = progress;
  if (step % 3 === 0) {
    progress.child = forkFromInit(k);
    return;
  }
  if (step % 3 === 2) {
    endChild(k, progress.child);
    return;
  }
  const task = act(k, pid);
  setuid(k, task, step % 2 === 0 ? 0 : 1000);
  actEnd(k, task);
}
