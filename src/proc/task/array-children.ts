/** /proc/<pid>/task/<tid>/children: the processes whose parent is this thread (children_seq_ops, fs/proc/array.c). */
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { isLeader } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import type { Text } from "../text.ts";

/** All children of a process belong to its first thread here. */
function start(c: Context, cursor: SeqCursor): number {
  const { m } = c.k;
  cursor.entry = isLeader(c.k, c.task) ? childAt(c, m.load(c.task + TASK.signal) + SIGNAL.childFirst) : NULL;
  for (let skip = cursor.index; skip > 0 && cursor.entry !== NULL; skip--) {
    cursor.entry = childAt(c, cursor.entry + SIGNAL.siblingNext);
  }
  return cursor.entry === NULL ? 0 : 1;
}

function next(c: Context, cursor: SeqCursor): number {
  cursor.index++;
  cursor.entry = childAt(c, cursor.entry + SIGNAL.siblingNext);
  return cursor.entry === NULL ? 0 : 1;
}

/** Where a link leads. A child that the process has left to another stands in that one's list, which ends this one. */
function childAt(c: Context, link: Ptr): Ptr {
  const { m } = c.k;
  const child = m.load(link);
  if (child === NULL || m.load(child + SIGNAL.parent) === m.load(c.task + TASK.signal)) return child;
  return NULL;
}

/** Nothing is held but RCU, which lasts as long as the request. */
function stop(_c: Context, cursor: SeqCursor): void {
  cursor.entry = NULL;
}

function show(c: Context, cursor: SeqCursor, out: Text): number {
  out.dec(c.k.m.load(cursor.entry + SIGNAL.tgid)).byte(32);
  return 0;
}

/** The iterator of children; the position is a child's place in the list, oldest first. */
export const childrenSeq: SeqOperations = { start, next, stop, show };
