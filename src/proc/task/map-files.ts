/** /proc/<pid>/map_files (fs/proc/base.c: proc_map_files_*): a link for each mapping of a file, named by its range. */
import { EACCES, ENOENT } from "../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { VMA } from "../../kernel/layout.ts";
import { getTaskMm } from "../../kernel/mm-access.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { mmapReadLockKillable, mmapReadUnlock } from "../../mm/lock.ts";
import { mmput } from "../../mm/mm.ts";
import { findVma } from "../../mm/vma-tree.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillTimes } from "../fs/attr.ts";
import type { RequestContext } from "../fs/context.ts";
import { pathName } from "../escape.ts";
import { LINK_SIZE } from "./fd.ts";
import { mapInode } from "../fs/inode.ts";
import { MAP_LIMIT, encodeMap } from "../fs/node-id.ts";
import { S_IFLNK, taskDumpOwner } from "../fs/permission.ts";
import type { Context, DynamicDirectory, LinkRow } from "../row.ts";
import type { Text } from "../text.ts";
import type { Attr, DirSink } from "../vfs.ts";
import { DT_LNK } from "../vfs.ts";

const FIRST = 2;
/** Mappings are made from files that were opened for reading. */
const LINK_BITS = 0o400;
/** `start-end` in lower-case hexadecimal without leading zeros. */
const RANGE = /^(0|[1-9a-f][0-9a-f]{0,12})-([1-9a-f][0-9a-f]{0,12})$/;

/**
 * Runs `body` on the task's address space with mmap_lock held for read.
 * @returns what it returns, `without` if the task has no address space, -EINTR or would-block
 */
function withMm(c: Context, without: number, body: (mm: Ptr) => number): number {
  const mm = getTaskMm(c.k, c.task);
  if (mm === NULL) return without;
  let result = mmapReadLockKillable(c.k, mm);
  if (result === 0) {
    result = body(mm);
    mmapReadUnlock(c.k, mm);
  }
  mmput(c.k, mm);
  return result;
}

/** The mapping of a file that starts at an address, or NULL. @pre mmap_lock */
function fileMapping(c: Context, mm: Ptr, start: number): Ptr {
  const { m } = c.k;
  const vma = findVma(c.k, mm, start);
  if (vma === NULL || m.load64(vma + VMA.vmStart) !== start || m.load(vma + VMA.vmFile) === NULL) return NULL;
  return vma;
}

/** Fills in everything about the link whose mapping starts at `c.index`. @returns 0, -ENOENT, or the lock's error */
export function fillMapLink(c: RequestContext, out: Attr): number {
  return withMm(c, -ENOENT, (mm) => {
    if (fileMapping(c, mm, c.index) === NULL) return -ENOENT;
    fillLink(c, c.index, out);
    return 0;
  });
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
  target: (c, out) =>
    withMm(c, -ENOENT, (mm) => {
      const vma = fileMapping(c, mm, c.index);
      if (vma === NULL) return -ENOENT;
      pathName(c.k.m, out, c.k.m.load(vma + VMA.vmFile), "");
      return 0;
    }),
};

/** /proc/<pid>/map_files */
export const MAP_FILES_DIRECTORY: DynamicDirectory = {
  lookup: (c, name, out) => {
    if (!mayLook(c)) return -EACCES;
    const range = RANGE.exec(name);
    const end = range === null ? MAP_LIMIT : parseInt(range[2] as string, 16);
    if (range === null || end >= MAP_LIMIT) return -ENOENT;
    c.index = parseInt(range[1] as string, 16);
    return withMm(c, -ENOENT, (mm) => {
      const vma = fileMapping(c, mm, c.index);
      if (vma === NULL || c.k.m.load64(vma + VMA.vmEnd) !== end) return -ENOENT;
      fillLink(c, c.index, out);
      return 0;
    });
  },
  iterate: (c, offset, plus, sink) => {
    if (!mayLook(c)) return -EACCES;
    return withMm(c, 0, (mm) => list(c, mm, offset, plus, sink));
  },
  describe: () => undefined,
};

function mayLook(c: Context): boolean {
  return ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject);
}

/** The cursor counts mappings of files. @pre mmap_lock */
function list(c: RequestContext, mm: Ptr, offset: number, plus: Attr | null, sink: DirSink): number {
  const { m } = c.k;
  let at = FIRST;
  for (let vma = findVma(c.k, mm, 0); vma !== NULL; vma = findVma(c.k, mm, m.load64(vma + VMA.vmEnd))) {
    if (m.load(vma + VMA.vmFile) === NULL) continue;
    if (at >= offset) {
      const start = m.load64(vma + VMA.vmStart);
      if (plus !== null) fillLink(c, start, plus);
      mapInode(c.inode, start, c.tid);
      const name = rangeName(c.text, start, m.load64(vma + VMA.vmEnd));
      if (!sink(name, c.inode.inoHi, c.inode.inoLo, DT_LNK, at + 1, plus)) return 0;
    }
    at++;
  }
  return 0;
}

function rangeName(text: Text, start: number, end: number): string {
  text.clear();
  return text.hex(start).str("-").hex(end).toString();
}
