/** Task states as /proc shows them (task_state_array, get_task_state). */
import { TASK_IDLE } from "../kernel/flags.ts";

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
