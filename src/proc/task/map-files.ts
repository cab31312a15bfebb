/** /proc/<pid>/map_files (fs/proc/base.c: proc_map_files_*): a link for each mapping of a file, named by its range. */
import { EACCES, ENOENT, ESRCH } from "../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { Path } from "../../kernel/knobs.ts";
import { getTaskMm, mmAccess } from "../../kernel/mm-access.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { mmput } from "../../mm/mm.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillTimes } from "../fs/attr.ts";
import type { RequestContext } from "../fs/context.ts";
import { pathName } from "../escape.ts";
import { LINK_SIZE } from "./fd.ts";
import { mapInode } from "../fs/inode.ts";
import { MAP_LIMIT, encodeMap } from "../fs/node-id.ts";
import { S_IFLNK, taskDumpOwner } from "../fs/permission.ts";
import { walkBegin, walkEnd } from "../fs/revalidate.ts";
import type { Context, DynamicDirectory, LinkRow } from "../row.ts";
import type { Text } from "../text.ts";
import type { Attr, DirSink } from "../vfs.ts";
import { DT_LNK } from "../vfs.ts";

const FIRST = 2;
/** Mappings are made from files that were opened for reading. */
const LINK_BITS = 0o400;
/** `start-end` in lower-case hexadecimal without leading zeros. */
const RANGE = /^(0|[1-9a-f][0-9a-f]{0,12})-([1-9a-f][0-9a-f]{0,12})$/;

/** Any end will do: a node id says only where its mapping starts. */
const ANY_END = 0;

/**
 * Finds a mapping of a file (find_exact_vma), as maps does: under its own lock, or under mmap_lock if path walks are in
 * their locked form. To be followed by `walk.stop` in any case.
 * @param mm with a user
 * @returns 0 with the mapping in `walk.vma`, locked; -ENOENT, -EINTR or would-block
 */
function findExactVma(c: Context, mm: Ptr, start: number, end: number): number {
  const { walk } = c.scratch;
  const found = walk.start(c.k, mm, Path.revalidate, start, start);
  if (found < 0) return found;
  const { vma } = walk;
  const exact = found > 0 && vma.start === start && (end === ANY_END || vma.end === end);
  return exact && vma.path !== NULL ? 0 : -ENOENT;
}

/** As {@link findExactVma}, of the mapping at `c.index` of whatever address space the task has now; `stop` must follow. */
function findMapping(c: Context): number {
  const mm = getTaskMm(c.k, c.task);
  if (mm === NULL) return -ENOENT;
  const found = findExactVma(c, mm, c.index, ANY_END);
  // The walk has a user of its own.
  mmput(c.k, mm);
  return found;
}

/** Fills in everything about the link whose mapping starts at `c.index`. @returns 0, -ENOENT, or the lock's error */
export function fillMapLink(c: RequestContext, out: Attr): number {
  const found = findMapping(c);
  c.scratch.walk.stop(c.k);
  if (found === 0) fillLink(c, c.index, out);
  return found;
}

function fillLink(c: RequestContext, start: number, out: Attr): void {
  encodeMap(out, start, c.tid, c.generation);
  mapInode(out, start, c.tid);
  out.mode = S_IFLNK | LINK_BITS;
  out.nlink = 1;
  out.size = LINK_SIZE;
  out.rdev = 0;
  out.entryValid = 0;
  fillTimes(c, c.task, out);
  taskDumpOwner(c.k, c.task, out.mode, out);
}

/** The link that each entry is. */
export const MAP_LINK: LinkRow = {
  type: "link",
  name: "map_files/A-B",
  mode: 0o777,
  doc: "the file that is mapped there; map_files_get_link",
  target: (c, out) => {
    const { walk } = c.scratch;
    const found = findMapping(c);
    if (found === 0) pathName(c.k.m, out, walk.vma.path, "");
    walk.stop(c.k);
    return found;
  },
};

/** /proc/<pid>/map_files */
export const MAP_FILES_DIRECTORY: DynamicDirectory = {
  lookup: (c, name, out) => {
    const range = RANGE.exec(name);
    const end = range === null ? MAP_LIMIT : parseInt(range[2] as string, 16);
    if (range === null || end >= MAP_LIMIT) return withoutMapping(c);
    c.index = parseInt(range[1] as string, 16);
    const referenced = walkBegin(c.k);
    const result = revalidate(c, c.index, end);
    walkEnd(c.k, referenced);
    if (result === 0) fillLink(c, c.index, out);
    return result;
  },
  iterate: (c, offset, plus, sink) => {
    if (!mayLook(c)) return -EACCES;
    const mm = getTaskMm(c.k, c.task);
    if (mm === NULL) return 0;
    const result = list(c, mm, offset, plus, sink);
    mmput(c.k, mm);
    return result;
  },
  describe: () => undefined,
};

/**
 * Is there such a mapping, and may the caller know? (proc_map_files_lookup; map_files_d_revalidate, which takes mm_access
 * for both: as the mount never keeps these names, each walk comes here.)
 * @returns 0, -ENOENT, -EACCES, or a lock's error
 */
function revalidate(c: Context, start: number, end: number): number {
  const { k } = c;
  const mm = mmAccess(k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject);
  if (mm === -ESRCH) return withoutMapping(c);
  if (mm < 0) return mm;
  const found = findExactVma(c, mm, start, end);
  c.scratch.walk.stop(k);
  mmput(k, mm);
  return found;
}

/** What is said of a name that can't be there: the refusal comes first. */
function withoutMapping(c: Context): number {
  return mayLook(c) ? -ENOENT : -EACCES;
}

function mayLook(c: Context): boolean {
  return ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject);
}

/**
 * The cursor counts mappings of files. A listing is as true as maps: each entry was there when it was listed.
 * @returns 0, or a lock's error
 */
function list(c: RequestContext, mm: Ptr, offset: number, plus: Attr | null, sink: DirSink): number {
  const { walk } = c.scratch;
  const { vma } = walk;
  let at = FIRST;
  let found = walk.start(c.k, mm, Path.revalidate, 0, 0);
  for (; found > 0; found = walk.next(c.k)) {
    if (vma.path === NULL) continue;
    if (at >= offset && !listMapping(c, vma.start, vma.end, at + 1, plus, sink)) break;
    at++;
  }
  walk.stop(c.k);
  return Math.min(found, 0);
}

/** @returns false if the listing is full */
function listMapping(
  c: RequestContext,
  start: number,
  end: number,
  next: number,
  plus: Attr | null,
  sink: DirSink,
): boolean {
  if (plus !== null) fillLink(c, start, plus);
  mapInode(c.inode, start, c.tid);
  return sink(rangeName(c.text, start, end), c.inode.inoHi, c.inode.inoLo, DT_LNK, next, plus);
}

function rangeName(text: Text, start: number, end: number): string {
  text.clear();
  return text.hex(start).str("-").hex(end).toString();
}
