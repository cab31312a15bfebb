/** Links whose target depends on who asks: self, thread-self, and the caller's own pid. */
import { ENOENT } from "../../kernel/errno.ts";
import type { CallerSubject, RequestContext } from "./context.ts";
import { FIRST_STATIC_INODE } from "./inode.ts";
import { encodeOwn } from "./node-id.ts";
import { S_IFLNK } from "./permission.ts";
import type { LinkRow } from "../row.ts";
import type { Text } from "../text.ts";
import { realtimeAtBoot } from "../../time/clock.ts";
import type { Attr } from "../vfs.ts";

/** Cursors of self and thread-self: behind the static entries, before the pids. */
export const SELF_OFFSET = 256;
export const THREAD_SELF_OFFSET = 257;

/** self and thread-self (fs/proc/self.c, thread_self.c), which readdir lists behind the table. */
export function selfRows(subject: CallerSubject): readonly LinkRow[] {
  return [
    {
      type: "link",
      name: "self",
      mode: 0o777,
      inode: FIRST_STATIC_INODE,
      hidden: true,
      doc: "the caller's own process; proc_self_get_link",
      target: (_c, out) => {
        const tgid = subject.tgid();
        if (tgid === 0) return -ENOENT;
        out.dec(tgid);
        return 0;
      },
    },
    {
      type: "link",
      name: "thread-self",
      mode: 0o777,
      inode: FIRST_STATIC_INODE + 1,
      hidden: true,
      doc: "the caller's own thread; proc_thread_self_get_link",
      target: (_c, out) => {
        const tgid = subject.tgid();
        if (tgid === 0) return -ENOENT;
        out.dec(tgid).str("/task/").dec(subject.tid());
        return 0;
      },
    },
  ];
}

/** /proc/mounts and /proc/net: links into a process directory. */
export const MOUNTS_ROW: LinkRow = {
  type: "link",
  name: "mounts",
  mode: 0o777,
  inode: FIRST_STATIC_INODE + 2,
  sized: true,
  doc: "link to the mount table of the caller's process; proc_symlink",
  target: (c, out) => {
    out.str(c.host.mountsOf).str("/mounts");
    return 0;
  },
};

export const NET_LINK_ROW: LinkRow = {
  type: "link",
  name: "net",
  mode: 0o777,
  inode: FIRST_STATIC_INODE + 3,
  sized: true,
  doc: "link to the network files of the caller's process; proc_symlink",
  target: (c, out) => {
    out.str(c.host.netOf).str("/net");
    return 0;
  },
};

/** True if a pid is the caller's own, as process or as thread, or an ancestor's: what a script's `$$` is to its commands. */
export function isOwn(c: RequestContext, pid: number): boolean {
  return pid === c.subject.tid() || pid === c.subject.tgid() || c.subject.descendsFrom(pid);
}

/** Fills in everything about the link that the caller's own pid is. */
export function fillOwn(c: RequestContext, pid: number, out: Attr): void {
  encodeOwn(out, pid);
  out.inoHi = 1;
  out.inoLo = pid;
  out.mode = S_IFLNK | 0o777;
  out.nlink = 1;
  out.uid = c.subject.uid;
  out.gid = c.subject.gid;
  out.size = 0;
  out.rdev = 0;
  out.timeSec = realtimeAtBoot(c.k);
  out.timeNsec = 0;
  out.entryValid = 0;
}

/** Where it leads: the real /proc. */
export function ownTarget(c: RequestContext, pid: number, out: Text): void {
  out.str(c.host.realProc).str("/").dec(pid);
}
