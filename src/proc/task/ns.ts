/** /proc/<pid>/ns (fs/proc/namespaces.c, fs/nsfs.c): a link for each namespace, its text the kind and inode number. */
import { ENOENT } from "../../kernel/errno.ts";
import { NSPROXY, TASK } from "../../kernel/layout.ts";
import { isZombie } from "../../kernel/task.ts";
import { NULL } from "../../sync/atomics.ts";
import type { RequestContext } from "../fs/context.ts";
import { nameToInt } from "../fs/names.ts";
import type { Context, DirRow, LinkRow } from "../row.ts";
import { Target, fillTarget } from "../fs/target.ts";
import type { Attr } from "../vfs.ts";

interface Namespace {
  readonly name: string;
  /** Kind in the link's text. */
  readonly kind: string;
  /** Offset in NSPROXY. */
  readonly field: number;
  /** Not reached through nsproxy: a zombie has it still. */
  readonly survives: boolean;
}

function namespace(name: string, field: number, survives = false): Namespace {
  const kind = name.endsWith("_for_children") ? name.slice(0, -"_for_children".length) : name;
  return { name, kind, field, survives };
}

const NAMESPACES: readonly Namespace[] = [
  namespace("net", NSPROXY.net),
  namespace("uts", NSPROXY.uts),
  namespace("ipc", NSPROXY.ipc),
  namespace("pid", NSPROXY.pid, true),
  namespace("pid_for_children", NSPROXY.pidForChildren),
  namespace("user", NSPROXY.user, true),
  namespace("mnt", NSPROXY.mnt),
  namespace("cgroup", NSPROXY.cgroup),
  namespace("time", NSPROXY.time),
  namespace("time_for_children", NSPROXY.timeForChildren),
];

/** Inode number of a task's namespace, or 0 if the task has left it. @pre RCU */
function namespaceInode(c: Context, ns: Namespace): number {
  const { m } = c.k;
  if (c.task === NULL || (!ns.survives && isZombie(c.k, c.task))) return 0;
  return m.loadU32(m.load(c.task + TASK.nsproxy) + ns.field);
}

function linkRow(ns: Namespace): LinkRow {
  return {
    type: "link",
    name: ns.name,
    mode: 0o777,
    doc: `the ${ns.kind} namespace; proc_ns_readlink`,
    target: (c, out) => {
      const inode = namespaceInode(c, ns);
      if (inode === 0) return -ENOENT;
      out.str(ns.kind).str(":[").dec(inode).str("]");
      return 0;
    },
  };
}

/** A link's text as a name: there as long as the task is in that namespace. */
function lookupTarget(c: RequestContext, name: string, out: Attr): number {
  const colon = name.indexOf(":[");
  if (colon < 0 || !name.endsWith("]")) return -ENOENT;
  const kind = name.slice(0, colon);
  const inode = nameToInt(name, colon + 2, name.length - 1);
  for (const ns of NAMESPACES) {
    if (ns.kind !== kind || inode <= 0 || namespaceInode(c, ns) !== inode) continue;
    return fillTarget(c, Target.namespace, inode, out) ? 0 : -ENOENT;
  }
  return -ENOENT;
}

/** /proc/<pid>/ns */
export const NS_ROW: DirRow = {
  type: "dir",
  name: "ns",
  mode: 0o511,
  doc: "the namespaces that the process is in",
  rows: NAMESPACES.map(linkRow),
  nlink: 2,
  lookupHidden: lookupTarget,
};
