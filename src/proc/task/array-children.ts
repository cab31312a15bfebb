/** /proc/<pid>/task/<tid>/children: the processes whose parent is this thread (children_seq_ops, fs/proc/array.c). */
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { isLeader } from "../../kernel/task.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import type { Text } from "../text.ts";

/** All children of a process belong to its first thread here. */
function start(c: Context, cursor: SeqCursor): number {
  const { m } = c.k;
  cursor.entry = isLeader(c.k, c.task) ? m.load(m.load(c.task + TASK.signal) + SIGNAL.childFirst) : 0;
  for (let skip = cursor.index; skip > 0 && cursor.entry !== 0; skip--) {
    cursor.entry = m.load(cursor.entry + SIGNAL.siblingNext);
  }
  return cursor.entry === 0 ? 0 : 1;
}

function next(c: Context, cursor: SeqCursor): number {
  cursor.index++;
  cursor.entry = c.k.m.load(cursor.entry + SIGNAL.siblingNext);
  return cursor.entry === 0 ? 0 : 1;
}

/** Nothing is held but RCU, which lasts as long as the request. */
function stop(_c: Context, cursor: SeqCursor): void {
  cursor.entry = 0;
}

function show(c: Context, cursor: SeqCursor, out: Text): number {
  out.dec(c.k.m.load(cursor.entry + SIGNAL.tgid)).byte(32);
  return 0;
}

/** The iterator of children; the position is a child's place in the list, oldest first. */
export const childrenSeq: SeqOperations = { start, next, stop, show };
