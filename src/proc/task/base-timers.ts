/** /proc/<pid>/timers: the POSIX timers of a process (timers_start and its companions, fs/proc/base.c). */
import { readTimer } from "../../time/posix-timers.ts";
import { formatTimer } from "./base-format.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import { SEQ_SKIP } from "../row.ts";
import type { Text } from "../text.ts";

function start(c: Context, cursor: SeqCursor): number {
  const first = c.scratch.timersWalk.start(c.k, c.task, cursor.index);
  if (first <= 0) return first;
  cursor.entry = first;
  return 1;
}

function next(c: Context, cursor: SeqCursor): number {
  cursor.index++;
  cursor.entry = c.scratch.timersWalk.next(c.k, cursor.entry);
  return cursor.entry === 0 ? 0 : 1;
}

function stop(c: Context, cursor: SeqCursor): void {
  c.scratch.timersWalk.stop(c.k);
  cursor.entry = 0;
}

/** A timer that has been deleted meanwhile is left out. */
function show(c: Context, cursor: SeqCursor, out: Text): number {
  const { timer } = c.scratch;
  if (!readTimer(c.k, cursor.entry, timer)) return SEQ_SKIP;
  formatTimer(timer, out);
  return 0;
}

/** The iterator of /proc/<pid>/timers; the position is a timer's place in the list. */
export const timersSeq: SeqOperations = { start, next, stop, show };
