/** A schedule that is given. */
import type { Machine } from "../machine/machine.ts";
import { LOG_TIMEOUT, Op } from "../machine/operation.ts";
import { ScheduleError } from "../schedule.ts";
import type { Strategy } from "./search.ts";
import { lowest } from "./search.ts";

/** Follows the threads of a schedule, step by step. Where it ends, it stops, or goes on with as few switches as can be. */
export class Follow implements Strategy {
  readonly prefix = 0;
  /** Why the schedule can't be followed. */
  error: ScheduleError | null = null;
  private readonly threads: ArrayLike<number>;
  private readonly goesOn: boolean;

  /**
   * @param threads the thread of each step, LOG_TIMEOUT added if a sleep has to run out of time
   * @param goesOn to the end of the run
   */
  constructor(threads: ArrayLike<number>, goesOn = false) {
    this.threads = threads;
    this.goesOn = goesOn;
  }

  choose(machine: Machine): number {
    const i = machine.steps.count;
    this.error = null;
    if (i >= this.threads.length) return this.goesOn ? onwards(machine) : -1;
    const thread = this.threads[i] & ~LOG_TIMEOUT;
    const { enabled, ready } = machine.threads;
    const able = (this.threads[i] & LOG_TIMEOUT) !== 0 ? enabled & ~ready : ready;
    if (((able >>> thread) & 1) !== 0) return thread;
    const { name } = machine.subject.threads[thread];
    this.error = new ScheduleError(`the schedule does not fit: ${name} cannot make access ${i + 1}`);
    return -1;
  }

  stepped(): void {
    // What a step does changes nothing here.
  }
}

/** The thread that made the last step if it can go on, else the first one that can. */
function onwards({ steps, threads }: Machine): number {
  const { enabled, ready } = threads;
  const last = steps.count === 0 ? 0 : steps.thread[steps.count - 1];
  if (((ready >>> last) & 1) !== 0) return last;
  const able = ready !== 0 ? ready : enabled;
  return lowest(able);
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
