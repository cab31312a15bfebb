/** The load average (kernel/sched/loadavg.c): exponentially damped, sampled every five seconds of simulated time. */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST } from "../../kernel/layout.ts";

/** 1.0 in the fixed-point form of avenrun: 11 bits of fraction. */
const FIXED_1 = 2048;
/** What is left of an old sample after five seconds, for 1, 5 and 15 minutes. */
const DECAY = [1884, 2014, 2037] as const;
/** LOAD_FREQ */
export const LOAD_INTERVAL_NS = 5e9;

/** One step of one average: `active` tasks now. Rounds up while it rises, as the kernel does. */
export function nextLoad(load: number, decay: number, active: number): number {
  const target = active * FIXED_1;
  const sum = load * decay + target * (FIXED_1 - decay) + (target >= load ? FIXED_1 - 1 : 0);
  return Math.floor(sum / FIXED_1);
}

/** Takes a sample: tasks in R and in D state. Only one thread may do so. */
export function sampleLoad(k: Kernel): void {
  const { m } = k;
  const active = Math.max(0, m.load(HOST.nrRunning) + m.load(HOST.nrUninterruptible));
  for (let i = 0; i < DECAY.length; i++) {
    const at = HOST.loadAverage + i;
    m.store(at, nextLoad(m.loadU32(at), DECAY[i] as number, active));
  }
}
