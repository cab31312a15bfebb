/**
 * The process table that is measured: a small machine at rest, and for each comparison a process of its own, which its
 * readers read and its writer changes. Lock checks are off.
 */
import type { PrivatePlaces } from "../private-proc.ts";
import type { FileSystemData } from "../file-system.ts";
import { createKernel, REAL_PIDS } from "../simulation.ts";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { eventCount, EVENT_NAMES } from "../../src/kernel/counters.ts";
import type { EventId } from "../../src/kernel/counters.ts";
import type { ExecSpec } from "../../src/kernel/exec.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { fileNew, installFd } from "../../src/kernel/files.ts";
import { CLONE_PTHREAD, TASK_INTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE } from "../../src/kernel/knobs.ts";
import { FileKind, HOST, PAGE_SIZE, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Random } from "../../src/kernel/random.ts";
import { setTaskState } from "../../src/kernel/task.ts";
import { Wait } from "../../src/kernel/wait-kinds.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../src/mm/flags.ts";
import { mmap } from "../../src/mm/mmap.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { hostView } from "../../src/mutate/build/host.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import { latin1Bytes } from "../../src/shm/bytes.ts";
import { timerCreate } from "../../src/time/posix-timers.ts";
import type { Bench } from "./catalogue.ts";
import type { Form } from "./result.ts";

const INIT = 1;
const PROGRAM = "/usr/bin/subject";
/** Threads of a process whose exec has to end some. */
const FURTHER_THREADS = 3;
/** Timers of the process that the timers comparison reads. */
export const TIMERS = 64;
/** Where the mappings that writers change lie. */
export const AREA = 0x10000000;
/** Pages of that area, for the mappings and the published shape of the test: 128 MiB. */
export const AREA_PAGES = 512;
export const REMAP_PAGES = 32768;
/** Pages of neighbouring mappings, which differ in protection so that they stay apart. */
export const AREA_BLOCK = 4;
export const REMAP_BLOCK = 32;

const SCENARIO = JSON.stringify({
  name: "bench",
  description: "a small machine at rest",
  host: { cpus: 4, memory: "8G", hostname: "bench", pid_max: 4_194_304, kernel_threads: false },
  processes: [
    { name: "worker", exe: "/usr/bin/worker", count: 24, threads: 2 },
    { name: "subject", exe: PROGRAM, count: 1 },
  ],
});

/** A program that processes of a comparison execute. */
export function subjectProgram(k: Kernel, seed: number): ExecSpec {
  const program = k.config.programs.find((one) => one.path === PROGRAM);
  if (program === undefined) throw new Error(`no program ${PROGRAM} in the table`);
  const text = (words: string): Uint8Array => latin1Bytes(words);
  return { program, argv: text(`${PROGRAM}\0--measured\0`), envp: text("HOME=/root\0"), random: new Random(seed) };
}

/** The protection of a page of the area: blocks of pages alternate. */
export function protectionOf(page: number, block: number): number {
  return Math.floor(page / block) % 2 === 0 ? PROT_READ : PROT_READ | PROT_WRITE;
}

/** Processes of one comparison: the one that is read, and another for questions about two. */
export interface Subjects {
  readonly pid: number;
  readonly other: number;
}

export class BenchTable {
  readonly kernel: Kernel;
  readonly fileSystem: FileSystemData;
  private readonly seed: number;

  constructor(seed: number, places: PrivatePlaces) {
    const scenario = parseScenario(SCENARIO, "bench");
    const config = kernelConfig(scenario, { seed, now: Math.floor(Date.now() / 1000), pidAvoid: REAL_PIDS });
    this.kernel = createKernel(config, false);
    const built = buildScenario(this.kernel, scenario);
    publishMembers(this.kernel, built);
    this.kernel.idle();
    this.seed = seed;
    this.fileSystem = {
      arena: this.kernel.m.buffer,
      config,
      scenario,
      host: hostView(scenario, config, { realProc: places.real, netOf: String(INIT), mountsOf: "self" }),
      scenarioText: SCENARIO,
      lockdep: false,
      threads: 1,
    };
  }

  /** Switches a path. */
  setForm(path: number, form: Form): void {
    this.kernel.m.store(HOST.pathMode + path, form === "locked" ? LOCKED : LOCKFREE);
  }

  /** Which form a path has at the moment. */
  formOf(path: number): Form {
    return this.kernel.m.load(HOST.pathMode + path) === LOCKED ? "locked" : "lockfree";
  }

  /** Counters of a path, in the order of EVENT_NAMES. */
  events(path: number): number[] {
    return EVENT_NAMES.map((_, event) => eventCount(this.kernel, path, event as EventId));
  }

  /**
   * Makes the processes of a comparison, and ends them after it. A comparison that fails ends the whole run: what it left
   * half done goes with the table.
   */
  async withSubjects<T>(bench: Bench, body: (subjects: Subjects) => Promise<T>): Promise<T> {
    const subjects = this.working((k) => newSubjects(k, this.seed, bench));
    const result = await body(subjects);
    this.working((k) => {
      endProcess(k, subjects.pid);
      endProcess(k, subjects.other);
    });
    return result;
  }

  private working<T>(body: (k: Kernel) => T): T {
    const k = this.kernel;
    k.busy();
    const result = body(k);
    k.slab.reclaim();
    k.idle();
    return result;
  }
}

function newSubjects(k: Kernel, seed: number, bench: Bench): Subjects {
  const subjects = { pid: newProcess(k, seed), other: newProcess(k, seed + 1) };
  equip(k, subjects.pid, bench);
  return subjects;
}

/** Acts as a thread. @throws Error if it is gone */
export function acting<T>(k: Kernel, pid: number, body: (task: number) => T): T {
  const task = actBegin(k, pid);
  if (task < 0) throw new Error(`process ${pid} of the benchmark: errno ${-task}`);
  try {
    return body(task);
  } finally {
    actEnd(k, task);
  }
}

/** @returns `result` @throws Error if it is a negated errno */
export function must(result: number, what: string): number {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

/** A child of init that sleeps. @returns its pid */
function newProcess(k: Kernel, seed: number): number {
  const pid = acting(k, INIT, (task) => must(copyProcess(k, task, 0), "fork"));
  acting(k, pid, (task) => {
    execTask(k, task, subjectProgram(k, seed));
    setTaskState(k, task, TASK_INTERRUPTIBLE, Wait.poll);
  });
  return pid;
}

/** Ends a process and has it reaped. */
export function endProcess(k: Kernel, pid: number): void {
  const leader = findTask(k, pid);
  acting(k, pid, (task) => exitGroup(k, task, 0));
  acting(k, INIT, () => must(reap(k, leader), "reap"));
}

/** Gives a process more threads. @pre the caller acts as it */
export function addThreads(k: Kernel, task: number): void {
  for (let i = 0; i < FURTHER_THREADS; i++) must(copyProcess(k, task, CLONE_PTHREAD), "clone");
}

/** What the writer of the comparison will change. */
function equip(k: Kernel, pid: number, { writer }: Bench): void {
  acting(k, pid, (task) => {
    installFd(k, k.m.load(task + TASK.files), fileNew(k, { kind: FileKind.eventfd, flags: 2 }));
    if (writer === "exec-threads" || writer === "tsync") addThreads(k, task);
    if (writer === "mappings") mapBlocks(k, task, AREA_PAGES, AREA_BLOCK);
    if (writer === "remap") mapBlocks(k, task, REMAP_PAGES, REMAP_BLOCK);
    if (writer === "timers") for (let i = 0; i < TIMERS; i++) addTimer(k, task);
  });
}

function mapBlocks(k: Kernel, task: number, pages: number, block: number): void {
  for (let page = 0; page < pages; page += block) mapPages(k, k.m.load(task + TASK.mm), page, block, block);
}

/** Maps pages of the area, with the protection that belongs to the first. */
export function mapPages(k: Kernel, mm: number, page: number, count: number, block: number): void {
  const address = AREA + page * PAGE_SIZE;
  const flags = MAP_PRIVATE | MAP_FIXED;
  must(mmap(k, mm, address, count * PAGE_SIZE, protectionOf(page, block), flags, 0, 0), "mmap");
}

/** @returns the timer's id @pre the caller acts as the process */
export function addTimer(k: Kernel, task: number): number {
  const notifyPid = k.m.load(task + TASK.pid);
  return must(timerCreate(k, task, { clock: 1, signo: 34, value: 0x1000, notify: 0, notifyPid }), "timer_create");
}
