/** The simulated clock: nanoseconds since boot, moved once a tick by one thread. Wall time = boot's wall time + that. */
import { readSeqcountBegin, seqcountRetry, writeSeqcountBegin, writeSeqcountEnd } from "../sync/seqcount.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { HOST } from "../kernel/layout.ts";

/** Nanoseconds of a second. */
export const NSEC_PER_SEC = 1_000_000_000;

/** Nanoseconds since boot (CLOCK_BOOTTIME, and CLOCK_MONOTONIC: the simulated machine never sleeps). */
export function bootTimeNs(k: Kernel): number {
  for (;;) {
    const sequence = readSeqcountBegin(k.m, HOST.clockSeq);
    const now = k.m.load64(HOST.bootTime);
    if (!seqcountRetry(k.m, HOST.clockSeq, sequence)) return now;
  }
}

/** Wall time at boot in seconds since the epoch (btime of /proc/stat). */
export function realtimeAtBoot(k: Kernel): number {
  return k.m.load64(HOST.realtimeAtBoot);
}

/** Ticks since the simulation started. */
export function tickCount(k: Kernel): number {
  return k.m.load64(HOST.tick);
}

/** Moves the clock on. Only one thread may do so. */
export function advanceClock(k: Kernel, nanoseconds: number): void {
  writeSeqcountBegin(k.m, HOST.clockSeq);
  k.m.add64(HOST.bootTime, nanoseconds);
  k.m.add64(HOST.tick, 1);
  writeSeqcountEnd(k.m, HOST.clockSeq);
}
