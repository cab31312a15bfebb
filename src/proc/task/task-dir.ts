/**
 * /proc/<pid>/task (fs/proc/base.c: proc_task_readdir, proc_task_lookup). Cursors count threads; so that one that exits
 * doesn't make the listing skip another, the open directory remembers which thread comes at the offset it stopped at.
 */
import { ENOENT } from "../../kernel/errno.ts";
import { SIGNAL, TASK } from "../../kernel/layout.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { NO_GENERATION, findTask, generationOf } from "../../kernel/pid.ts";
import { firstThread, nextThread, threadCount } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillProcess } from "../fs/attr.ts";
import type { RequestContext } from "../fs/context.ts";
import { processInode } from "../fs/inode.ts";
import { nameToPid } from "../fs/names.ts";
import type { DynamicDirectory } from "../row.ts";
import type { Attr, DirSink } from "../vfs.ts";
import { DT_DIR } from "../vfs.ts";

const FIRST = 2;

/** /proc/<pid>/task */
export const TASK_DIRECTORY: DynamicDirectory = {
  lookup: (c, name, out) => {
    const tid = nameToPid(name);
    for (;;) {
      const thread = tid < 0 ? NULL : findTask(c.k, tid);
      if (thread === NULL || !sameGroup(c, thread)) return -ENOENT;
      if (fillThread(c, thread, tid, out)) return 0;
    }
  },
  iterate: (c, offset, plus, sink) => iterate(c, offset, plus, sink),
  describe: (c, out) => {
    out.nlink = threadCount(c.k, c.task) + 2;
  },
};

function sameGroup(c: RequestContext, thread: Ptr): boolean {
  return c.k.m.load(thread + TASK.signal) === c.k.m.load(c.task + TASK.signal);
}

/** Fills in everything about task/<tid>. @returns false if the tid is no longer that of the thread */
function fillThread(c: RequestContext, thread: Ptr, threadTid: number, out: Attr): boolean {
  const found = generationOf(c.k, threadTid, thread);
  if (found === NO_GENERATION) return false;
  const { task, tid, generation } = c;
  c.task = thread;
  c.tid = threadTid;
  c.generation = found;
  fillProcess(c, c.entries.thread, out);
  c.task = task;
  c.tid = tid;
  c.generation = generation;
  return true;
}

function iterate(c: RequestContext, offset: number, plus: Attr | null, sink: DirSink): number {
  const { m } = c.k;
  const own = c.entries.thread.inode;
  let thread = firstFrom(c, offset);
  for (let at = offset; thread !== NULL; at++) {
    const tid = m.load(thread + TASK.pid);
    // A thread that has just gone is still listed, without attributes.
    const attr = plus !== null && fillThread(c, thread, tid, plus) ? plus : null;
    processInode(c.inode, own, tid);
    if (!sink(String(tid), c.inode.inoHi, c.inode.inoLo, DT_DIR, at + 1, attr)) {
      remember(c, at, tid);
      return 0;
    }
    thread = nextThread(c.k, thread);
  }
  return 0;
}

/** The thread at an offset (first_tid): the one remembered, else by counting. */
function firstFrom(c: RequestContext, offset: number): Ptr {
  const { m } = c.k;
  if (offset > FIRST && c.file !== NULL && m.load64(c.file + OPEN_FILE.index) === offset) {
    const thread = findTask(c.k, m.load(c.file + OPEN_FILE.nextTid));
    if (thread !== NULL && sameGroup(c, thread)) return thread;
  }
  if (offset - FIRST >= m.load(m.load(c.task + TASK.signal) + SIGNAL.nrThreads)) return NULL;
  let thread = firstThread(c.k, c.task);
  for (let skip = offset - FIRST; skip > 0 && thread !== NULL; skip--) thread = nextThread(c.k, thread);
  return thread;
}

function remember(c: RequestContext, offset: number, tid: number): void {
  if (c.file === NULL) return;
  c.k.m.store64(c.file + OPEN_FILE.index, offset);
  c.k.m.store(c.file + OPEN_FILE.nextTid, tid);
}
