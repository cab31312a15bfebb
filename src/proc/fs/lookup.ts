/** Names: from a directory that the caller may search to the entry of that name. */
import { ENOENT } from "../../kernel/errno.ts";
import { HOST } from "../../kernel/layout.ts";
import { NO_GENERATION, generationOf } from "../../kernel/pid.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import { fillEntry, fillProcess } from "./attr.ts";
import type { RequestContext } from "./context.ts";
import type { DirEntry, Entry } from "./entries.ts";
import { nameToPid } from "./names.ts";
import { HIDEPID_INVISIBLE, HIDEPID_OFF, hasPidPermissions } from "./permission.ts";
import { ANY_GENERATION, walkToTask } from "./revalidate.ts";
import { fillOwn, isOwn } from "./self.ts";
import type { Attr } from "../vfs.ts";

/** Finds a name; fills `out` completely. @returns 0 or a negated errno. @pre RCU */
export function lookupIn(
  c: RequestContext,
  directory: Entry & { kind: "dir" | "dynamic" },
  name: string,
  out: Attr,
): number {
  if (directory.kind === "dynamic") return directory.row.directory.lookup(c, name, out);
  const entry = directory.byName.get(name);
  if (entry === undefined)
    return directory === c.entries.root ? lookupPid(c, name, out) : lookupHidden(c, directory, name, out);
  if (directory.row.unreadable !== undefined && directory.row.unreadable(c) !== 0) return -ENOENT;
  if (entry.row.separate === true) c.generation = c.k.m.add(HOST.separateNodes, 1);
  fillEntry(c, entry, out);
  return 0;
}

function lookupHidden(c: RequestContext, directory: DirEntry, name: string, out: Attr): number {
  const find = directory.row.lookupHidden;
  return find === undefined ? -ENOENT : find(c, name, out);
}

/** Whatever has the pid now; its generation goes to `c.generation`. */
function walkToPid(c: RequestContext, pid: number): Ptr {
  for (;;) {
    const task = walkToTask(c.k, pid, 0, ANY_GENERATION);
    if (task === NULL) return NULL;
    c.generation = generationOf(c.k, pid, task);
    if (c.generation !== NO_GENERATION) return task;
  }
}

/** A process, a thread (found, though never listed), or the caller itself (proc_pid_lookup). */
function lookupPid(c: RequestContext, name: string, out: Attr): number {
  const pid = nameToPid(name);
  if (pid < 0) return -ENOENT;
  const { k } = c;
  const task = walkToPid(c, pid);
  // Should a simulated process have the caller's own pid, the caller still finds itself: tools give up otherwise.
  if (pid === c.subject.tid() || task === NULL) {
    if (!isOwn(c, pid)) return -ENOENT;
    fillOwn(c, pid, out);
    return 0;
  }
  const hidden = k.m.load(HOST.hidepid) !== HIDEPID_OFF;
  if (hidden && !hasPidPermissions(k, task, HIDEPID_INVISIBLE, c.subject)) return -ENOENT;
  c.task = task;
  c.tid = pid;
  fillProcess(c, c.entries.process, out);
  return 0;
}
