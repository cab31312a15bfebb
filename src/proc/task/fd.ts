/** /proc/<pid>/fd and fdinfo (fs/proc/fd.c): entries are the open descriptors, cursors are descriptor + 2. */
import { EACCES, ENOENT } from "../../kernel/errno.ts";
import { fdLookup, fdTableSize, nextFd, openFdCount } from "../../kernel/files.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { FILE } from "../../kernel/layout.ts";
import { ptraceMayAccess } from "../../kernel/ptrace.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillTimes } from "../fs/attr.ts";
import type { RequestContext } from "../fs/context.ts";
import { showFdinfo } from "./fdinfo.ts";
import { fdInode } from "../fs/inode.ts";
import { nameToInt } from "../fs/names.ts";
import type { TagId } from "../fs/node-id.ts";
import { MAX_FD, Tag, encodeFd } from "../fs/node-id.ts";
import { S_IFLNK, S_IFREG, rootOwner, taskDumpOwner } from "../fs/permission.ts";
import { NOT_OPEN, walkToFd } from "../fs/revalidate.ts";
import type { Context, DynamicDirectory, LinkRow, OneRow } from "../row.ts";
import { Target, fileText, fillTarget, targetInode, targetKind } from "../fs/target.ts";
import type { Text } from "../text.ts";
import type { Attr, DirSink } from "../vfs.ts";
import { DT_LNK, DT_REG } from "../vfs.ts";

const O_ACCMODE = 3;
const O_PATH = 0o10000000;
/** Permission bits of a link by the access mode of the file. */
const LINK_BITS = [0o500, 0o300, 0o700, 0] as const;
/** st_size of a link of fd and map_files, whatever its text. */
export const LINK_SIZE = 64;
/** Cursor of descriptor 0. */
const FIRST = 2;

/** Fills in everything about the link fd/<c.index>. @returns 0 or -ENOENT if the descriptor isn't open. @pre RCU */
export function fillFdLink(c: RequestContext, out: Attr): number {
  const file = fdLookup(c.k, c.task, c.index);
  if (file === NULL) return -ENOENT;
  fillLink(c, c.k.m.load(file + FILE.flags), out);
  return 0;
}

function fillLink(c: RequestContext, flags: number, out: Attr): void {
  out.mode = S_IFLNK | linkBits(flags);
  out.size = LINK_SIZE;
  fillDescriptor(c, c.whole ? Tag.fd : Tag.fdOfThread, out);
}

/** Fills in everything about the file fdinfo/<c.index>, whether the descriptor is open or not. @pre RCU */
export function fillFdinfo(c: RequestContext, out: Attr): void {
  out.mode = S_IFREG | 0o444;
  out.size = 0;
  fillDescriptor(c, c.whole ? Tag.fdinfo : Tag.fdinfoOfThread, out);
}

/** Of a descriptor that is listed, though it may have been closed a moment ago. */
function fillListedFdinfo(c: RequestContext, out: Attr): number {
  fillFdinfo(c, out);
  return 0;
}

function fillDescriptor(c: RequestContext, tag: TagId, out: Attr): void {
  encodeFd(out, tag, c.index, c.tid, c.generation);
  fdInode(out, c.index, c.tid, tag - Tag.fd);
  out.nlink = 1;
  out.rdev = 0;
  out.entryValid = 0;
  fillTimes(c, c.task, out);
  if (c.task === NULL) rootOwner(out);
  else taskDumpOwner(c.k, c.task, out.mode, out);
}

/** Permission bits of fd/N: what the descriptor was opened for. */
function linkBits(flags: number): number {
  return (flags & O_PATH) !== 0 ? 0 : (LINK_BITS[flags & O_ACCMODE] as number);
}

/** The link that each entry of fd/ is. */
export const FD_LINK: LinkRow = {
  type: "link",
  name: "fd/N",
  mode: 0o777,
  doc: "what a descriptor is open on; proc_fd_link",
  target: (c, out) => {
    const file = fdLookup(c.k, c.task, c.index);
    if (file === NULL) return -ENOENT;
    fileText(c.k, file, out);
    return 0;
  },
};

type Fill = (c: RequestContext, out: Attr) => number;

/** proc_readfd_common; one entry for each open descriptor. */
function iterate(
  c: RequestContext,
  offset: number,
  plus: Attr | null,
  sink: DirSink,
  fill: Fill,
  type: number,
): number {
  const { k, task } = c;
  let fd = nextFd(k, task, offset - FIRST);
  while (fd >= 0) {
    const following = nextFd(k, task, fd + 1);
    const next = FIRST + (following >= 0 ? following : fdTableSize(k, task));
    c.index = fd;
    // A link of a descriptor that was closed a moment ago is still listed, without attributes.
    const attr = plus !== null && fill(c, plus) === 0 ? plus : null;
    const kind = (c.whole ? 0 : 1) + (type === DT_LNK ? 0 : Tag.fdinfo - Tag.fd);
    fdInode(c.inode, fd, c.tid, kind);
    if (!sink(String(fd), c.inode.inoHi, c.inode.inoLo, type, next, attr)) return 0;
    fd = following;
  }
  return 0;
}

/**
 * Walks to a name (proc_lookupfd_common, tid_fd_revalidate: as the mount never keeps these names, each walk comes here).
 * @returns the flags of the open file of that number, which is then `c.index`; or NOT_OPEN
 */
function walkToName(c: RequestContext, name: string): number {
  const fd = nameToInt(name);
  if (fd < 0 || fd >= MAX_FD) return NOT_OPEN;
  c.index = fd;
  return walkToFd(c.k, c.task, fd);
}

/** /proc/<pid>/fd */
export const FD_DIRECTORY: DynamicDirectory = {
  lookup: (c, name, out) => {
    const flags = walkToName(c, name);
    if (flags === NOT_OPEN) return targetKind(name) === Target.none ? -ENOENT : lookupTarget(c, name, out);
    fillLink(c, flags, out);
    return 0;
  },
  iterate: (c, offset, plus, sink) => iterate(c, offset, plus, sink, fillFdLink, DT_LNK),
  describe: (c, out) => {
    out.size = openFdCount(c.k, c.task);
  },
};

/** /proc/<pid>/fdinfo */
export const FDINFO_DIRECTORY: DynamicDirectory = {
  lookup: (c, name, out) => {
    if (walkToName(c, name) === NOT_OPEN) return -ENOENT;
    fillFdinfo(c, out);
    return 0;
  },
  iterate: (c, offset, plus, sink) => iterate(c, offset, plus, sink, fillListedFdinfo, DT_REG),
  describe: () => undefined,
};

/** A link text as a name: there as long as some descriptor leads to it. */
function lookupTarget(c: RequestContext, name: string, out: Attr): number {
  const { k, task, text } = c;
  for (let fd = nextFd(k, task, 0); fd >= 0; fd = nextFd(k, task, fd + 1)) {
    const file = fdLookup(k, task, fd);
    if (file === NULL) continue;
    text.clear();
    fileText(k, file, text);
    if (equals(text, name)) return fillTarget(c, targetKind(name), targetInode(name), out) ? 0 : -ENOENT;
  }
  return -ENOENT;
}

function equals(text: Text, name: string): boolean {
  if (text.length !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (text.bytes[i] !== name.charCodeAt(i)) return false;
  return true;
}

/** fdinfo may only be entered by who may look into the process (proc_fdinfo_permission). */
export function fdinfoPermission(c: Context): number {
  return ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject) ? 0 : -EACCES;
}

/** The file that each entry of fdinfo/ is. A descriptor, or a process, that is gone makes its reads fail with ENOENT. */
export const FDINFO_FILE: OneRow = {
  type: "one",
  name: "fdinfo/N",
  mode: 0o444,
  doc: "position, flags and kind of a descriptor; seq_show of fs/proc/fd.c",
  pinned: true,
  show: (c, out) => (c.task === NULL ? -ENOENT : showFdinfo(c, out)),
};
