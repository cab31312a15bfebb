/**
 * What the links of fd/ and ns/ lead to. Their texts are names like `socket:[123]`, which a kernel's procfs follows by
 * itself. Here the text is looked up as a name in the directory of the link, and found there as a hidden entry with the
 * type and inode number of the real thing, so that stat, lsof and lsns work. `absolute` texts lead out of /proc.
 */
import { FILE, FileKind } from "../../kernel/layout.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillTimes } from "./attr.ts";
import type { RequestContext } from "./context.ts";
import { pathName } from "../escape.ts";
import { nameToInt } from "./names.ts";
import { encodeTarget } from "./node-id.ts";
import { S_IFIFO, S_IFREG, S_IFSOCK, rootOwner, taskDumpOwner } from "./permission.ts";
import type { Text } from "../text.ts";
import type { Attr } from "../vfs.ts";

/** Kinds of targets, as node ids hold them. */
export const Target = { none: 0, socket: 1, pipe: 2, anonymous: 3, namespace: 4 } as const;
export type TargetId = (typeof Target)[keyof typeof Target];

/** st_mode by kind. A real anonymous inode has no type bits, which FUSE doesn't accept. */
const MODES = [0, S_IFSOCK | 0o777, S_IFIFO | 0o600, S_IFREG | 0o600, S_IFREG | 0o444] as const;

/** The inode that all anonymous files share, as measured. */
const ANONYMOUS_INODE = 1038;

/** Texts of anonymous files by FileKind. */
const ANONYMOUS_NAMES: { readonly [kind: number]: string } = {
  [FileKind.eventfd]: "anon_inode:[eventfd]",
  [FileKind.eventpoll]: "anon_inode:[eventpoll]",
  [FileKind.timerfd]: "anon_inode:[timerfd]",
  [FileKind.signalfd]: "anon_inode:[signalfd]",
  [FileKind.inotify]: "anon_inode:inotify",
  [FileKind.pidfd]: "anon_inode:[pidfd]",
  [FileKind.anon]: "anon_inode:[anon]",
};

/** Fills in everything about a target. False if there is no such kind. */
export function fillTarget(c: RequestContext, kind: number, inode: number, out: Attr): boolean {
  const mode = MODES[kind];
  if (mode === undefined || mode === 0) return false;
  encodeTarget(out, kind, inode, c.tid);
  out.inoHi = 0;
  out.inoLo = inode;
  out.mode = mode;
  out.nlink = 1;
  out.size = 0;
  out.rdev = 0;
  out.entryValid = 0;
  rootOwner(out);
  fillTimes(c, c.task, out);
  if (kind < Target.namespace && c.task !== NULL) taskDumpOwner(c.k, c.task, mode, out);
  return true;
}

/** Appends the link text of an open file (d_path of file->f_path). @pre RCU */
export function fileText(k: Kernel, file: Ptr, out: Text): void {
  const kind = k.m.load(file + FILE.kind);
  const path = k.m.load(file + FILE.path);
  if (path !== NULL) {
    pathName(k.m, out, path, "");
  } else if (kind === FileKind.socket || kind === FileKind.pipe) {
    out.str(kind === FileKind.socket ? "socket:[" : "pipe:[").dec(k.m.load64(file + FILE.ino));
    out.str("]");
  } else {
    out.str(ANONYMOUS_NAMES[kind] ?? "anon_inode:[anon]");
  }
}

/** The kind of thing that a link text leads to, if that isn't a path. */
export function targetKind(text: string): TargetId {
  if (text.startsWith("socket:[")) return Target.socket;
  if (text.startsWith("pipe:[")) return Target.pipe;
  return text.startsWith("/") || !text.includes(":") ? Target.none : Target.anonymous;
}

/** The inode number in a link text: what stands between the brackets, or the one that anonymous files share. */
export function targetInode(text: string): number {
  const number = nameToInt(text, text.indexOf("[") + 1, text.length - 1);
  return number < 0 ? ANONYMOUS_INODE : number;
}
