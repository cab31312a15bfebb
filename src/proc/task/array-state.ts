/** Task states and priorities as /proc shows them (task_state_array, get_task_state, task_prio). */
import { TASK_IDLE } from "../../kernel/flags.ts";

const REPORTED = 0x7f;
const REPORTED_IDLE = 0x80;

const LETTERS = "RSDTtXZPI";

const NAMES = [
  "R (running)",
  "S (sleeping)",
  "D (disk sleep)",
  "T (stopped)",
  "t (tracing stop)",
  "X (dead)",
  "Z (zombie)",
  "P (parked)",
  "I (idle)",
] as const;

/** Index of a task state in the tables (task_state_index): the highest state bit that is reported. */
export function stateIndex(state: number): number {
  const reported = (state & TASK_IDLE) === TASK_IDLE ? REPORTED_IDLE : state & REPORTED;
  return 32 - Math.clz32(reported);
}

/** Character code of a state's letter. */
export function stateLetter(index: number): number {
  return LETTERS.charCodeAt(index);
}

/** The text of status' State line. */
export function stateName(index: number): string {
  return NAMES[index] as string;
}

/** Priority of the first real-time level (MAX_RT_PRIO is subtracted): -1 - rt_priority; deadline tasks are below all. */
const DEADLINE_PRIORITY = -101;
const SCHED_FIFO = 1;
const SCHED_RR = 2;
const SCHED_DEADLINE = 6;
const DEFAULT_PRIORITY = 20;

/** task_prio: 0…39 for normal tasks, below 0 for real-time ones. */
export function taskPriority(policy: number, rtPriority: number, nice: number): number {
  if (policy === SCHED_DEADLINE) return DEADLINE_PRIORITY;
  if (policy === SCHED_FIFO || policy === SCHED_RR) return -1 - rtPriority;
  return DEFAULT_PRIORITY + nice;
}
