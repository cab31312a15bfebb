/**
 * Schedules as text: runs of accesses, separated by dots, each a thread's letter (`a` is the first thread) and a number.
 * `a12.b3.a1` lets the first thread make 12 accesses to shared memory, the second 3, and the first one more. A capital
 * letter is one access: a sleep of that thread runs out of time.
 *
 * All accesses count that the transform can delay, whether threads contend for the word or not, so a schedule means the
 * same without knowing what an exploration knew.
 */
import { LOG_TIMEOUT, MAX_THREADS } from "./machine/operation.ts";

const FIRST = "a".charCodeAt(0);
const FIRST_CAPITAL = "A".charCodeAt(0);
const RUN = /^(?:([a-h])([1-9][0-9]{0,8})|([A-H]))$/;

/** Accesses of a schedule, at most: more than any run has that ends. */
const LONGEST = 1_000_000;

/** Thrown for a schedule that can't be read, or that a scenario can't follow. */
export class ScheduleError extends Error {
  readonly code = "ESYNTH_SCHEDULE";
}

/** @param log threads by access; see Machine.log */
export function encodeSchedule(log: readonly number[]): string {
  const runs: string[] = [];
  for (let i = 0; i < log.length;) {
    const entry = log[i];
    if ((entry & LOG_TIMEOUT) !== 0) {
      runs.push(String.fromCharCode(FIRST_CAPITAL + (entry & ~LOG_TIMEOUT)));
      i++;
      continue;
    }
    let end = i;
    while (end < log.length && log[end] === entry) end++;
    runs.push(`${String.fromCharCode(FIRST + entry)}${end - i}`);
    i = end;
  }
  return runs.join(".");
}

/** @throws ScheduleError */
export function decodeSchedule(text: string, threads: number): number[] {
  const log: number[] = [];
  if (text === "") return log;
  text.split(".").forEach((run, i) => {
    const match = RUN.exec(run);
    if (match === null) {
      throw new ScheduleError(`run ${i + 1} of the schedule, "${run}", is not a letter from a to h and a number`);
    }
    const thread = (match[1] ?? match[3].toLowerCase()).charCodeAt(0) - FIRST;
    if (thread >= threads) {
      const last = String.fromCharCode(FIRST + Math.min(threads, MAX_THREADS) - 1);
      throw new ScheduleError(`run ${i + 1} of the schedule, "${run}": the last thread is ${last}`);
    }
    if (log.length + Number(match[2] ?? 1) > LONGEST) {
      throw new ScheduleError(`run ${i + 1} of the schedule, "${run}": a schedule has at most ${LONGEST} accesses`);
    }
    if (match[1] === undefined) log.push(thread | LOG_TIMEOUT);
    else for (let left = Number(match[2]); left > 0; left--) log.push(thread);
  });
  return log;
}
