/** Listings: of the root with its processes (fs/proc/root.c, proc_pid_readdir), and of directories of fixed rows. */
import { EINVAL, ENOENT } from "../../kernel/errno.ts";
import { PID_MAX_LIMIT } from "../../kernel/layout.ts";
import { NO_GENERATION, findTask, generationOf, nextTgid } from "../../kernel/pid.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillEntry, fillParentInode, fillProcess, fillStatic } from "./attr.ts";
import type { RequestContext } from "./context.ts";
import type { DirEntry, Entry } from "./entries.ts";
import { Scope } from "./entries.ts";
import { processInode } from "./inode.ts";
import { HIDEPID_INVISIBLE, hasPidPermissions } from "./permission.ts";
import { SELF_OFFSET, THREAD_SELF_OFFSET } from "./self.ts";
import type { Attr, DirSink } from "../vfs.ts";
import { DT_DIR } from "../vfs.ts";

/** Cursor of pid 0 (TGID_OFFSET): a reader goes on after processes came and went. */
const TGID_OFFSET = 258;
/** Cursor behind the last process there can be. */
const END_OFFSET = PID_MAX_LIMIT + TGID_OFFSET;
/** Cursor of the first entry after "." and "..". */
const FIRST = 2;

/** Lists a directory of the tables from `offset` on. @returns 0 or a negated errno. @pre RCU */
export function listDirectory(
  c: RequestContext,
  entry: Entry & { kind: "dir" | "dynamic" },
  offset: number,
  plus: Attr | null,
  sink: DirSink,
): number {
  const refused = refusesListing(c, entry);
  if (refused !== 0) return refused;
  if (!listDots(c, entry, offset, sink)) return 0;
  const from = Math.max(offset, FIRST);
  if (entry.kind === "dynamic") return entry.row.directory.iterate(c, from, plus, sink);
  if (entry === c.entries.root) listRoot(c, from, plus, sink);
  else listRows(c, entry, from, plus, sink);
  return 0;
}

function refusesListing(c: RequestContext, entry: Entry & { kind: "dir" | "dynamic" }): number {
  const gone = entry.scope !== Scope.root && c.task === NULL;
  if (entry.kind === "dir" && entry.row.unreadable !== undefined) return gone ? -EINVAL : entry.row.unreadable(c);
  return gone ? -ENOENT : 0;
}

/** dir_emit_dots. @returns false if the listing is full */
function listDots(c: RequestContext, entry: Entry, offset: number, sink: DirSink): boolean {
  if (offset < 1) {
    if (entry.scope === Scope.root) setInode(c, 0, entry.inode);
    else processInode(c.inode, entry.inode, c.tid);
    if (!sink(".", c.inode.inoHi, c.inode.inoLo, DT_DIR, 1, null)) return false;
  }
  if (offset >= FIRST) return true;
  fillParentInode(c, entry, c.inode);
  return sink("..", c.inode.inoHi, c.inode.inoLo, DT_DIR, FIRST, null);
}

function setInode(c: RequestContext, hi: number, lo: number): void {
  c.inode.inoHi = hi;
  c.inode.inoLo = lo;
}

/** Fixed rows: the cursor counts them. @returns false if the listing is full */
function listRows(c: RequestContext, entry: DirEntry, offset: number, plus: Attr | null, sink: DirSink): boolean {
  const { listed } = entry;
  for (let at = offset - FIRST; at < listed.length; at++) {
    const child = listed[at] as Entry;
    const last = entry === c.entries.root && at === listed.length - 1;
    if (plus !== null) fillEntry(c, child, plus);
    if (child.scope === Scope.root) setInode(c, 0, child.inode);
    else processInode(c.inode, child.inode, c.tid);
    const next = last ? SELF_OFFSET : at + FIRST + 1;
    if (!sink(child.row.name, c.inode.inoHi, c.inode.inoLo, child.type, next, plus)) return false;
  }
  return true;
}

function listRoot(c: RequestContext, offset: number, plus: Attr | null, sink: DirSink): void {
  const { root } = c.entries;
  if (offset < SELF_OFFSET && !listRows(c, root, offset, plus, sink)) return;
  if (offset <= SELF_OFFSET && !listSelf(c, "self", THREAD_SELF_OFFSET, plus, sink)) return;
  const firstPid = visibleTgid(c, Math.max(offset - TGID_OFFSET, 0));
  if (offset <= THREAD_SELF_OFFSET && !listSelf(c, "thread-self", cursorOf(firstPid), plus, sink)) return;
  listProcesses(c, firstPid, plus, sink);
}

function listSelf(c: RequestContext, name: string, next: number, plus: Attr | null, sink: DirSink): boolean {
  const entry = c.entries.child(c.entries.root, name);
  if (plus !== null) fillStatic(c, entry, plus);
  return sink(name, 0, entry.inode, entry.type, next, plus);
}

/** proc_pid_readdir: one entry for each process, in order of pid. */
function listProcesses(c: RequestContext, first: number, plus: Attr | null, sink: DirSink): void {
  const { inode } = c.entries.process;
  let pid = first;
  while (pid >= 0) {
    const attr = plus !== null && fillPid(c, pid, plus) ? plus : null;
    const following = visibleTgid(c, pid + 1);
    processInode(c.inode, inode, pid);
    if (!sink(String(pid), c.inode.inoHi, c.inode.inoLo, DT_DIR, cursorOf(following), attr)) return;
    pid = following;
  }
}

/** Fills in everything about /proc/<pid>. @returns false if it has just gone */
function fillPid(c: RequestContext, pid: number, out: Attr): boolean {
  do {
    c.task = findTask(c.k, pid);
    if (c.task === NULL) return false;
    c.generation = generationOf(c.k, pid, c.task);
  } while (c.generation === NO_GENERATION);
  c.tid = pid;
  fillProcess(c, c.entries.process, out);
  return true;
}

/** The first process from a pid on that the caller may see, or -1. */
function visibleTgid(c: RequestContext, from: number): number {
  let pid = nextTgid(c.k, from);
  while (pid >= 0) {
    const task = findTask(c.k, pid);
    if (task !== NULL && hasPidPermissions(c.k, task, HIDEPID_INVISIBLE, c.subject)) break;
    pid = nextTgid(c.k, pid + 1);
  }
  return pid;
}

function cursorOf(pid: number): number {
  return pid < 0 ? END_OFFSET : pid + TGID_OFFSET;
}
