/**
 * Thread bodies of timers.test.ts. The writer keeps two timers for good, the first and one in the middle, and creates and
 * deletes others around them. Every timer's value, signal and clock follow from its id, so a reader can tell a torn or
 * reused one; and no walk may miss the two that stay.
 */
import { findTask } from "../../src/kernel/pid.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { TimerSnapshot, TimersWalk, readTimer, timerCreate, timerDelete } from "../../src/time/posix-timers.ts";
import { joinKernel } from "../support/kernel.ts";

export interface TimerJob {
  buffer: SharedArrayBuffer;
  pid: number;
  milliseconds: number;
  role: "writer" | "reader";
}

export interface TimerResult {
  reads: number;
  writes: number;
  violations: string[];
}

const STAYS = [0, 5];

export function run(job: TimerJob): TimerResult {
  const k = joinKernel(job.buffer);
  const result: TimerResult = { reads: 0, writes: 0, violations: [] };
  const end = performance.now() + job.milliseconds;
  const writer = new Writer(k, findTask(k, job.pid));
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) {
      if (job.role === "writer") result.writes += writer.step();
      else result.reads += read(k, findTask(k, job.pid), result.violations);
      k.quiescent();
      k.slab.reclaim();
    }
  }
  k.slab.flush();
  k.idle();
  return result;
}

class Writer {
  private readonly k: Kernel;
  private readonly task: number;
  private readonly ids: number[] = [];
  private next = 0;

  constructor(k: Kernel, task: number) {
    this.k = k;
    this.task = task;
  }

  step(): number {
    if (this.ids.length < 8) {
      const id = this.next++;
      const made = timerCreate(this.k, this.task, {
        clock: id % 10,
        signo: 1 + (id % 60),
        value: id * 3,
        notify: 0,
        notifyPid: id + 1,
      });
      if (made !== id) throw new Error(`timer ${id} got id ${made}`);
      if (!STAYS.includes(id)) this.ids.push(id);
    } else {
      timerDelete(this.k, this.task, this.ids.splice((this.next * 7) % this.ids.length, 1)[0] as number);
    }
    return 1;
  }
}

const snapshot = new TimerSnapshot();
const walk = new TimersWalk();
let sawAll = false;

function read(k: Kernel, task: number, violations: string[]): number {
  const seen: number[] = [];
  for (let timer = walk.start(k, task, 0); timer !== 0; timer = walk.next(k, timer)) {
    if (!readTimer(k, timer, snapshot)) continue;
    const { id, clock, signo, valueLow, pid } = snapshot;
    if (clock !== id % 10 || signo !== 1 + (id % 60) || valueLow !== id * 3 || pid !== id + 1) {
      violations.push(`torn timer ${JSON.stringify(snapshot)}`);
    }
    seen.push(id);
  }
  walk.stop(k);
  const both = STAYS.every((id) => seen.includes(id));
  if (sawAll && !both) violations.push(`missed one that stays: ${seen.join(" ")}`);
  sawAll ||= both;
  return 1;
}
