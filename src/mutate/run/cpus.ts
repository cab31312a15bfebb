/**
 * The CPUs that a mutator's processes run on: each runs one burst after the other, so a busy machine makes tasks wait in
 * state R, and no CPU ever does more than the time that has passed.
 */

/** Where and when a burst runs. */
export interface Burst {
  cpu: number;
  /** Nanoseconds of boot time. */
  start: number;
  end: number;
  /** Nanoseconds that the CPU was idle right before. */
  idle: number;
}

/** One CPU, or the part of one that this mutator may use. */
interface Lane {
  readonly cpu: number;
  /** How much longer a burst takes here, since others use the same CPU. */
  readonly stretch: number;
  /** When it has nothing more to do. */
  freeAt: number;
}

/** A CPU that is booked this far ahead takes no more small charges. */
const MOST_BACKLOG_NS = 200e6;

export class Cpus {
  private readonly lanes: Lane[] = [];

  /** The share of mutator `index` of `count` in a machine with `cpus` CPUs. */
  constructor(cpus: number, index: number, count: number) {
    if (cpus >= count) {
      for (let cpu = index; cpu < cpus; cpu += count) this.lanes.push({ cpu, stretch: 1, freeAt: 0 });
    } else {
      const cpu = index % cpus;
      let sharers = 0;
      for (let other = cpu; other < count; other += cpus) sharers++;
      this.lanes.push({ cpu, stretch: sharers, freeAt: 0 });
    }
  }

  /** Books the CPU that is free first for `ns` of CPU time, from `now` on at the earliest. */
  book(now: number, ns: number): Burst {
    const lane = this.first();
    const start = Math.max(now, lane.freeAt);
    const idle = Math.max(0, now - lane.freeAt);
    lane.freeAt = start + ns * lane.stretch;
    return { cpu: lane.cpu, start, end: lane.freeAt, idle };
  }

  /**
   * Books a little time that nobody sees begin or end: a system call's.
   * @returns the CPU; or -1 if all are booked too far ahead, and it should not be counted
   */
  charge(now: number, ns: number): number {
    const lane = this.first();
    if (lane.freeAt > now + MOST_BACKLOG_NS) return -1;
    lane.freeAt = Math.max(now, lane.freeAt) + ns * lane.stretch;
    return lane.cpu;
  }

  private first(): Lane {
    const { lanes } = this;
    let best = lanes[0] as Lane;
    for (let i = 1; i < lanes.length; i++) {
      const lane = lanes[i] as Lane;
      if (lane.freeAt < best.freeAt) best = lane;
    }
    return best;
  }
}
