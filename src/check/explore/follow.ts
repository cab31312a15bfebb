/** A schedule that is given. */
import type { Machine, Strategy } from "./machine.ts";
import { LOG_TIMEOUT, Op } from "./operation.ts";
import { ScheduleError } from "./schedule.ts";

/** Follows the threads of a schedule, step by step, and stops where it ends. */
export class Follow implements Strategy {
  readonly prefix = 0;
  /** Why the schedule can't be followed. */
  error: ScheduleError | null = null;
  private readonly threads: ArrayLike<number>;

  /** @param threads the thread of each step, LOG_TIMEOUT added if a sleep has to run out of time */
  constructor(threads: ArrayLike<number>) {
    this.threads = threads;
  }

  choose(machine: Machine): number {
    const i = machine.steps.count;
    this.error = null;
    if (i >= this.threads.length) return -1;
    const thread = this.threads[i] & ~LOG_TIMEOUT;
    const able = (this.threads[i] & LOG_TIMEOUT) !== 0 ? machine.enabled & ~machine.ready : machine.ready;
    if (((able >>> thread) & 1) !== 0) return thread;
    const { name } = machine.subject.threads[thread];
    this.error = new ScheduleError(`the schedule does not fit: ${name} cannot make access ${i + 1}`);
    return -1;
  }

  stepped(): void {
    // What a step does changes nothing here.
  }
}

/** The steps of a machine's last execution, for {@link Follow}. */
export function scheduleOf(machine: Machine): number[] {
  const { steps } = machine;
  const threads: number[] = [];
  for (let i = 0; i < steps.count; i++) {
    threads.push(steps.op[i] === Op.timeout ? steps.thread[i] | LOG_TIMEOUT : steps.thread[i]);
  }
  return threads;
}
