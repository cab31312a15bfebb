/** Thread bodies of threads.test.ts: mutators, and readers that use the model's own reads without any formatter. */
import type { KernelConfig } from "../../src/kernel/config.ts";
import { ESRCH } from "../../src/kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { IoSnapshot, doIoAccounting } from "../../src/kernel/io-accounting.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { mmAccess } from "../../src/kernel/mm-access.ts";
import { findTask, nextTgid, pidGeneration } from "../../src/kernel/pid.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { mmput } from "../../src/mm/mm.ts";
import type { Built } from "../../src/mutate/built.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import { mutatorsStopped, runClock, runFollower } from "../../src/mutate/run/pace.ts";
import type { Scenario } from "../../src/mutate/scenario.ts";
import { TimerSnapshot, readTimer, timersNext, timersStart } from "../../src/time/posix-timers.ts";
import { subject } from "../support/kernel.ts";

export interface MutatorJob {
  role: "mutator" | "reader";
  buffer: SharedArrayBuffer;
  config: KernelConfig;
  scenario: Scenario;
  built: Built;
  index: number;
  count: number;
}

export interface MutatorResult {
  /** Ticks of a mutator, processes read by a reader. */
  done: number;
  io: number;
  timers: number;
  vmas: number;
  violations: string[];
}

export function run(job: MutatorJob): MutatorResult {
  const k = Kernel.attach(job.buffer, job.config, { debug: true });
  const result: MutatorResult = { done: 0, io: 0, timers: 0, vmas: 0, violations: [] };
  if (job.role === "mutator") mutate(k, job, result);
  else read(k, result);
  k.detach();
  return result;
}

function mutate(k: Kernel, { scenario, built, index, count }: MutatorJob, result: MutatorResult): void {
  const mutator = new Mutator(k, scenario, built, { index, count, seed: 11 });
  const options = { clock: () => performance.now(), tickNs: scenario.tickMs * 1e6, realtime: true, ticks: Infinity };
  result.done = index === 0 ? runClock(k, mutator, options) : runFollower(k, mutator, options);
  mutator.end();
}

/** Reads of one process at a time, with the positions and counters of its last visit. */
class Reader {
  private readonly io = new IoSnapshot();
  private readonly timer = new TimerSnapshot();
  private readonly walk = new MapsWalk();
  private readonly root = subject(0);
  /** Bytes read so far by process, as seen last; keyed by pid and its generation. */
  private readonly seen = new Map<string, number>();
  private readonly k: Kernel;
  private readonly result: MutatorResult;

  constructor(k: Kernel, result: MutatorResult) {
    this.k = k;
    this.result = result;
  }

  /** Each read looks the process up again, as a request does. */
  visit(pid: number): void {
    this.readIo(pid);
    this.k.quiescent();
    this.readTimers(pid);
    this.k.quiescent();
    this.readMaps(pid);
    this.k.quiescent();
  }

  private readIo(pid: number): void {
    const { k, io, result } = this;
    const task = findTask(k, pid);
    if (task === 0) return;
    const key = `${pid} ${pidGeneration(k, pid)}`;
    const error = doIoAccounting(k, task, true, this.root, io);
    if (error === -ESRCH) return;
    if (error !== 0) return void result.violations.push(`io of ${pid}: ${error}`);
    result.io++;
    const before = this.seen.get(key) ?? 0;
    if (io.rchar < before) result.violations.push(`io of ${key} went back from ${before} to ${io.rchar}`);
    this.seen.set(key, io.rchar);
  }

  private readTimers(pid: number): void {
    const { k, timer, result } = this;
    const task = findTask(k, pid);
    if (task === 0) return;
    for (let at = timersStart(k, task, 0); at !== 0; at = timersNext(k, at)) {
      if (!readTimer(k, at, timer)) continue;
      result.timers++;
      if (timer.signo < 1 || timer.signo > 64 || timer.clock > 11)
        result.violations.push(`timer ${timer.id} of ${pid}`);
    }
  }

  private readMaps(pid: number): void {
    const { k, walk, result } = this;
    const task = findTask(k, pid);
    if (task === 0) return;
    const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, this.root);
    // Gone, or a kernel thread: -ESRCH.
    if (mm < 0) return;
    let end = 0;
    let got = walk.start(k, mm, Path.maps, 0, 0);
    for (; got === 1 && walk.vma.start < 2 ** 48; got = walk.next(k)) {
      result.vmas++;
      // One that has grown since it was seen may come again; but the walk never goes back.
      if (walk.vma.end <= end || walk.vma.end <= walk.vma.start) {
        result.violations.push(`maps of ${pid}: ${walk.vma.start}-${walk.vma.end} after ${end}`);
      }
      end = walk.vma.end;
    }
    if (got < 0) result.violations.push(`maps of ${pid}: ${got}`);
    walk.stop(k);
    mmput(k, mm);
  }
}

function read(k: Kernel, result: MutatorResult): void {
  const reader = new Reader(k, result);
  while (!mutatorsStopped(k)) {
    k.busy();
    for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) {
      reader.visit(pid);
      result.done++;
    }
    k.slab.reclaim();
    k.idle();
  }
}
