/** What the writer thread does: the operations whose latency is measured, in-process and over the mount alike. */
import { execTask } from "../../src/kernel/exec.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setuid } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { PAGE_SIZE, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Random } from "../../src/kernel/random.ts";
import { tsync } from "../../src/kernel/tsync.ts";
import { PROT_EXEC, PROT_READ } from "../../src/mm/flags.ts";
import { munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { timerDelete } from "../../src/time/posix-timers.ts";
import type { WriterKind } from "./catalogue.ts";
import type { Subjects } from "./table.ts";
import {
  acting,
  addThreads,
  addTimer,
  AREA,
  AREA_BLOCK,
  AREA_PAGES,
  endProcess,
  mapPages,
  must,
  protectionOf,
  REMAP_BLOCK,
  REMAP_PAGES,
  subjectProgram,
} from "./table.ts";

/** What a writer is told. */
export interface WriterJob extends Subjects {
  readonly kind: WriterKind;
  readonly seed: number;
}

/** One operation after another. */
export interface Writer {
  /** The next operation. @throws Error if it fails */
  operation(): void;
  /** What has to be put right after it; not measured. */
  settle?(): void;
  /** True after operations that a pause follows. */
  pauses(): boolean;
}

const INIT = 1;
const ALWAYS = (): boolean => true;

/** The writer of a job. @pre RCU online while it is used */
export function makeWriter(k: Kernel, job: WriterJob): Writer {
  switch (job.kind) {
    case "exec":
      return execWriter(k, job);
    case "exec-threads":
      return { ...execWriter(k, job), settle: () => acting(k, job.pid, (task) => addThreads(k, task)) };
    case "tsync":
      return { operation: () => acting(k, job.pid, (task) => tsync(k, task)), pauses: ALWAYS };
    case "mappings":
      return mappingsWriter(k, job);
    case "remap":
      return remapWriter(k, job);
    case "timers":
      return timersWriter(k, job);
    case "processes":
      return processesWriter(k, job);
  }
}

function execWriter(k: Kernel, { pid, seed }: WriterJob): Writer {
  let round = seed;
  const operation = (): void => {
    if (!acting(k, pid, (task) => execTask(k, task, subjectProgram(k, round++)))) throw new Error("exec failed");
  };
  return { operation, pauses: ALWAYS };
}

function mmOf(k: Kernel, pid: number): number {
  return k.m.load(findTask(k, pid) + TASK.mm);
}

/** Splits and merges, takes away and gives back, so that the area stays alike all the time. */
function mappingsWriter(k: Kernel, { pid, seed }: WriterJob): Writer {
  const random = new Random(seed, 1);
  const mm = mmOf(k, pid);
  let page = 0;
  let step = 0;
  const at = (): number => AREA + page * PAGE_SIZE;
  const steps = [
    () => must(mprotect(k, mm, at(), PAGE_SIZE, PROT_READ | PROT_EXEC), "mprotect"),
    () => must(mprotect(k, mm, at(), PAGE_SIZE, protectionOf(page, AREA_BLOCK)), "mprotect"),
    () => must(munmap(k, mm, at(), 2 * PAGE_SIZE), "munmap"),
    () => mapPages(k, mm, page, 2, AREA_BLOCK),
  ];
  const operation = (): void => {
    // Two pages of one block: both ends stay in it.
    if (step === 0) page = random.below(AREA_PAGES / AREA_BLOCK) * AREA_BLOCK + 1;
    steps[step]?.();
    step = (step + 1) % steps.length;
  };
  return { operation, pauses: ALWAYS };
}

/** As the published test: a random page of a large region is unmapped and mapped again, then there is a pause. */
function remapWriter(k: Kernel, { pid, seed }: WriterJob): Writer {
  const random = new Random(seed, 2);
  const mm = mmOf(k, pid);
  let page = -1;
  const operation = (): void => {
    if (page < 0) {
      page = random.below(REMAP_PAGES);
      must(munmap(k, mm, AREA + page * PAGE_SIZE, PAGE_SIZE), "munmap");
    } else {
      mapPages(k, mm, page, 1, REMAP_BLOCK);
      page = -1;
    }
  };
  return { operation, pauses: () => page < 0 };
}

/** Deletes the oldest timer, creates another. */
function timersWriter(k: Kernel, { pid }: WriterJob): Writer {
  let oldest = 0;
  let creating = false;
  const operation = (): void => {
    acting(k, pid, (task) => {
      if (creating) addTimer(k, task);
      else must(timerDelete(k, task, oldest++), "timer_delete");
    });
    creating = !creating;
  };
  return { operation, pauses: ALWAYS };
}

/** Processes come and go, and the one that is read changes its owner. */
function processesWriter(k: Kernel, { pid }: WriterJob): Writer {
  let step = 0;
  let child = 0;
  let uid = 0;
  const steps = [
    () => (child = acting(k, INIT, (task) => must(copyProcess(k, task, 0), "fork"))),
    () => acting(k, pid, (task) => setuid(k, task, (uid = 1000 - uid))),
    () => endProcess(k, child),
  ];
  const operation = (): void => {
    steps[step]?.();
    step = (step + 1) % steps.length;
  };
  return { operation, pauses: ALWAYS };
}
