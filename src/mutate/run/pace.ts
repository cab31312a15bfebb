/** The loop of a mutator thread: ticks in real time, at the speed that the knobs say, until it is told to stop. */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MAX_MUTATORS } from "../../kernel/layout.ts";
import type { Mutator } from "./mutator.ts";

export interface PaceOptions {
  /** A real clock that never goes back, in milliseconds. */
  readonly clock: () => number;
  /** Simulated time that one tick stands for, in nanoseconds: the scenario's. */
  readonly tickNs: number;
  /** False: as fast as possible, for simulated time that need not keep step with real time. */
  readonly realtime: boolean;
  /** Ends after so many ticks; Infinity: only when it is told to. */
  readonly ticks: number;
}

/** Ticks that are caught up at once after the thread has been kept from running; what is missing beyond is dropped. */
const MOST_AT_ONCE = 8;
/** Longest sleep without a look at the stop word and the knobs, in milliseconds. */
const LONGEST_SLEEP_MS = 50;
const ALL = 0x7fffffff;
const NS_PER_MS = 1e6;

/** True once the mutators have been told to stop. */
export function mutatorsStopped(k: Kernel): boolean {
  return k.m.load(HOST.mutatorStop) !== 0;
}

/** Tells all mutators to end, and wakes them. Any thread may call it. */
export function stopMutators(k: Kernel): void {
  k.m.store(HOST.mutatorStop, 1);
  k.m.notify(HOST.mutatorStop, ALL);
  k.m.notify(HOST.tick, ALL);
}

/** Operations that all mutators together have carried out; wraps around at 2^32. */
export function mutatorOperations(k: Kernel): number {
  let sum = 0;
  for (let i = 0; i < MAX_MUTATORS; i++) sum += k.m.loadU32(HOST.mutatorOperations + i);
  return sum;
}

/**
 * Runs mutator 0, which moves the clock, and with it wakes the others.
 * @returns the ticks done
 */
export function runClock(k: Kernel, mutator: Mutator, options: PaceOptions): number {
  const tickMs = options.tickNs / NS_PER_MS;
  let done = 0;
  let last = options.clock();
  /** Simulated milliseconds that are due. */
  let due = 0;
  while (!mutatorsStopped(k) && done < options.ticks) {
    const now = options.clock();
    const paused = k.m.load(HOST.mutatorPaused) !== 0;
    const speed = k.m.load(HOST.mutatorSpeed) / 100;
    if (!paused) due = Math.min(due + (now - last) * speed, MOST_AT_ONCE * tickMs);
    last = now;
    if (paused) {
      k.m.wait(HOST.mutatorStop, 0, LONGEST_SLEEP_MS);
    } else if (due >= tickMs || !options.realtime) {
      mutator.tick(options.tickNs);
      k.m.notify(HOST.tick, ALL);
      due -= options.realtime ? tickMs : due;
      done++;
    } else {
      k.m.wait(HOST.mutatorStop, 0, Math.min(LONGEST_SLEEP_MS, (tickMs - due) / Math.max(speed, 0.01)));
    }
  }
  return done;
}

/**
 * Runs any other mutator: a tick of its own after each tick of the clock.
 * @returns the ticks done
 */
export function runFollower(k: Kernel, mutator: Mutator, options: Pick<PaceOptions, "ticks">): number {
  let done = 0;
  let seen = k.m.load(HOST.tick);
  while (!mutatorsStopped(k) && done < options.ticks) {
    k.m.wait(HOST.tick, seen, LONGEST_SLEEP_MS);
    const tick = k.m.load(HOST.tick);
    if (tick === seen) continue;
    seen = tick;
    mutator.tick(0);
    done++;
  }
  return done;
}
