/** Thread bodies of lock-wait.test.ts. */
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { countEvent, countWait, Event } from "../../src/kernel/counters.ts";
import { TraceSnapshot, readStack } from "../../src/kernel/guarded.ts";
import { doIoAccounting, IoSnapshot } from "../../src/kernel/io-accounting.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { mmAccess } from "../../src/kernel/mm-access.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { mmput } from "../../src/mm/mm.ts";
import { TimersWalk } from "../../src/time/posix-timers.ts";
import { rcuReadLock, rcuReadUnlock } from "../../src/sync/rcu.ts";
import { TEST_CONFIG, joinKernel, subject } from "../support/kernel.ts";

/** One read of process 1 by each path that can wait. @returns 0 or more, WAIT_EINTR or WAIT_WOULD_BLOCK */
export const READS = {
  io: (k: Kernel) => doIoAccounting(k, findTask(k, 1), true, subject(0), new IoSnapshot()),
  stack: (k: Kernel) => readStack(k, findTask(k, 1), subject(0), new TraceSnapshot()),
  mm_access: (k: Kernel) => {
    const mm = mmAccess(k, findTask(k, 1), PTRACE_MODE_READ_FSCREDS, subject(0));
    if (mm > 0) mmput(k, mm);
    return Math.min(mm, 0);
  },
  kcmp: (k: Kernel) => kcmp(k, 1, 1, KcmpType.VM, 0, 0, subject(0)),
  maps: (k: Kernel) => {
    const walk = new MapsWalk();
    const found = walk.start(k, k.m.load(findTask(k, 1) + TASK.mm), Path.maps, 0, 0);
    walk.stop(k);
    return Math.min(found, 0);
  },
  timers: (k: Kernel) => {
    const walk = new TimersWalk();
    rcuReadLock(k.t);
    const found = walk.start(k, findTask(k, 1), 0);
    walk.stop(k);
    rcuReadUnlock(k.t);
    return Math.min(found, 0);
  },
} as const satisfies Record<string, (k: Kernel) => number>;

export type Readable = keyof typeof READS;

export interface SleeperJob {
  buffer: SharedArrayBuffer;
  path: Readable;
  /** A word that interrupts the read. */
  interruptWord: number;
}

/** Reads once, and sleeps if it has to. @returns what the read gave */
export function sleeper(job: SleeperJob): number {
  const k = joinKernel(job.buffer);
  k.t.interruptWord = job.interruptWord;
  const result = READS[job.path](k);
  k.idle();
  return result;
}

export interface LeaverJob {
  buffer: SharedArrayBuffer;
  rounds: number;
}

/** Joins, counts ten events and a wait of 3 ns, and leaves; again and again. @returns how many events it has counted */
export function leaver(job: LeaverJob): number {
  for (let round = 0; round < job.rounds; round++) {
    const k = Kernel.attach(job.buffer, TEST_CONFIG, { debug: true, role: 1 + (round % 5) });
    for (let i = 0; i < 10; i++) countEvent(k, Path.io, Event.speculated);
    countWait(k, Path.io, 3);
    k.detach();
  }
  return job.rounds * 10;
}
