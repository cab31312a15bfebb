/** Attributes of the tables' files and directories (pid_getattr, proc_getattr and the inode setup behind them). */
import { HOST, TASK } from "../../kernel/layout.ts";
import { taskStartTime } from "../../kernel/task-time.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { NSEC_PER_SEC, realtimeAtBoot } from "../../time/clock.ts";
import type { RequestContext } from "./context.ts";
import type { Entry } from "./entries.ts";
import { Scope } from "./entries.ts";
import type { InodeHalves } from "./inode.ts";
import { ROOT_INODE, processInode } from "./inode.ts";
import { ROOT_ROW, encodeRow } from "./node-id.ts";
import { HIDEPID_OFF, rootOwner, taskDumpOwner } from "./permission.ts";
import type { Attr } from "../vfs.ts";

/** Seconds for which a name may be kept: not at all where it depends on who asks. */
function keepName(c: RequestContext, seconds: number): number {
  return c.k.m.load(HOST.hidepid) === HIDEPID_OFF ? seconds : 0;
}

/** Fills in everything about an entry at the root. Where look-ups give nodes of their own, `c.generation` says which. */
export function fillStatic(c: RequestContext, entry: Entry, out: Attr): void {
  encodeRow(out, entry.number, 0, entry.row.separate === true ? c.generation : 0);
  fillCommon(entry, out);
  out.inoHi = 0;
  out.inoLo = entry.inode;
  out.timeSec = realtimeAtBoot(c.k);
  out.timeNsec = 0;
  out.entryValid = entry.keep;
  if (entry.number === ROOT_ROW) out.nlink = entry.nlink + c.k.m.load(HOST.nrProcesses);
  if (entry.kind === "link" && entry.row.sized === true) out.size = linkLength(c, entry);
}

/**
 * Fills in everything about an entry of a process directory. `c.task` may be NULL, for files that are open still: it
 * then belongs to root. @pre RCU
 */
export function fillProcess(c: RequestContext, entry: Entry, out: Attr): void {
  const { k, task } = c;
  encodeRow(out, entry.number, c.tid, c.generation);
  fillCommon(entry, out);
  processInode(out, entry.inode, c.tid);
  fillTimes(c, task, out);
  out.entryValid = keepName(c, entry.keep);
  if (task === NULL) return;
  if (!entry.rootOwned) taskDumpOwner(k, task, entry.mode, out);
  if (entry.kind === "dynamic") entry.row.directory.describe(c, out);
}

/** Either of the two. */
export function fillEntry(c: RequestContext, entry: Entry, out: Attr): void {
  if (entry.scope === Scope.root) fillStatic(c, entry, out);
  else fillProcess(c, entry, out);
}

/** When a process entry's inode was made: the start of the task, or boot. */
export function fillTimes(c: RequestContext, task: Ptr, out: Attr): void {
  const start = task === NULL ? 0 : taskStartTime(c.k, task);
  const seconds = Math.floor(start / NSEC_PER_SEC);
  out.timeSec = realtimeAtBoot(c.k) + seconds;
  out.timeNsec = start - seconds * NSEC_PER_SEC;
}

/** Mode, nlink and size of a row, owned by root. */
function fillCommon(entry: Entry, out: Attr): void {
  out.mode = entry.mode;
  out.nlink = entry.nlink;
  out.size = entry.row.size ?? 0;
  out.rdev = 0;
  rootOwner(out);
}

function linkLength(c: RequestContext, entry: Entry & { kind: "link" }): number {
  c.text.clear();
  return entry.row.target(c, c.text) === 0 ? c.text.length : 0;
}

/** Inode number of the directory that an entry of the tables lies in, for "..". */
export function fillParentInode(c: RequestContext, entry: Entry, out: InodeHalves): void {
  out.inoHi = 0;
  out.inoLo = ROOT_INODE;
  if (entry.parent !== null && entry.parent.number !== ROOT_ROW) {
    if (entry.scope === Scope.root) out.inoLo = entry.parent.inode;
    else processInode(out, entry.parent.inode, c.tid);
  } else if (entry === c.entries.thread && c.task !== NULL) {
    const taskDirectory = c.entries.process.byName.get("task");
    if (taskDirectory !== undefined) processInode(out, taskDirectory.inode, c.k.m.load(c.task + TASK.tgid));
  }
}
