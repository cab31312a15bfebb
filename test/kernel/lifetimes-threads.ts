/** Thread bodies of lifetimes.test.ts. */
import { execTask } from "../../src/kernel/exec.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { findTask, findTaskOf } from "../../src/kernel/pid.ts";
import { taskOf } from "../../src/proc/fs/revalidate.ts";
import { sleepOn } from "../../src/sync/waitqueue.ts";
import { joinKernel } from "../support/kernel.ts";
import { execSpec } from "../support/processes.ts";

export interface ExecJob {
  buffer: SharedArrayBuffer;
  role: "writer" | "reader";
  pid: number;
  generation: number;
  milliseconds: number;
}

/** What a thread has seen: execs or looks, and how often the living process could not be found. */
export interface ExecResult {
  rounds: number;
  missing: number;
}

/** A process of which another thread than the leader execs again and again, and readers that look it up. */
export function handOver(job: ExecJob): ExecResult {
  const k = joinKernel(job.buffer);
  const result = { rounds: 0, missing: 0 };
  const end = performance.now() + job.milliseconds;
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++, result.rounds++) {
      if (job.role === "writer") {
        const leader = findTask(k, job.pid);
        execTask(k, findTask(k, copyProcess(k, leader, CLONE_PTHREAD)), execSpec(k, 0, result.rounds));
        k.quiescent();
        k.slab.reclaim();
      } else {
        const found = i % 2 === 0 ? findTaskOf(k, job.pid, job.generation) : taskOf(k, job.pid, job.generation, 0xffff);
        if (found === 0 || k.m.load(found + TASK.tgid) !== job.pid) result.missing++;
      }
    }
    k.quiescent();
  }
  k.slab.flush();
  k.idle();
  return result;
}

export interface NapJob {
  buffer: SharedArrayBuffer;
  /** Three words: raised when the thread is about to sleep, what it sleeps on, and whether it may. */
  at: number;
}

/** Waits until the second word is raised, in the midst of a unit of work. */
export function nap({ buffer, at }: NapJob): boolean {
  const k = joinKernel(buffer);
  k.t.maySleep = k.m.load(at + 2) !== 0;
  k.m.store(at, 1);
  k.m.notify(at, 1);
  while (k.m.load(at + 1) === 0) sleepOn(k.t, at + 1, 0);
  k.idle();
  return true;
}
