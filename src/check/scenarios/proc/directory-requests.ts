/**
 * Requests about what directories of processes make up (fd, fdinfo, map_files): names, nodes, links, texts and listings,
 * as the file system serves them, on tables that have nothing else.
 */
import { ENOENT, ENOTDIR, ESTALE } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH } from "../../../kernel/subject.ts";
import { fillEntry } from "../../../proc/fs/attr.ts";
import { CallerSubject, RequestContext } from "../../../proc/fs/context.ts";
import type { Entry, Tables } from "../../../proc/fs/entries.ts";
import { Entries, Scope } from "../../../proc/fs/entries.ts";
import { lookupIn } from "../../../proc/fs/lookup.ts";
import { Tag } from "../../../proc/fs/node-id.ts";
import { listDirectory } from "../../../proc/fs/readdir.ts";
import { Walker } from "../../../proc/fs/walk.ts";
import type { Row } from "../../../proc/row.ts";
import { MAY_EXEC } from "../../../proc/row.ts";
import { FDINFO_DIRECTORY, FDINFO_FILE, FD_DIRECTORY, FD_LINK } from "../../../proc/task/fd.ts";
import { fdinfoPermission, fillFdLink, fillFdinfo } from "../../../proc/task/fd.ts";
import { MAP_FILES_DIRECTORY, MAP_LINK, fillMapLink } from "../../../proc/task/map-files.ts";
import { TASK_DIRECTORY } from "../../../proc/task/task-dir.ts";
import { Text } from "../../../proc/text.ts";
import type { Caller, CallerFacts } from "../../../proc/vfs.ts";
import { Attr } from "../../../proc/vfs.ts";
import { NULL } from "../../../sync/atomics.ts";
import { HOST_VIEW } from "./lookup-requests.ts";

const DESCRIPTOR_ROWS: readonly Row[] = [
  { type: "dynamic", name: "fd", mode: 0o500, doc: "", directory: FD_DIRECTORY },
  {
    ...{ type: "dynamic", name: "fdinfo", mode: 0o555, doc: "", directory: FDINFO_DIRECTORY },
    permission: fdinfoPermission,
  },
];
const PROCESS_ROWS: readonly Row[] = [
  { type: "dynamic", name: "task", mode: 0o555, doc: "", directory: TASK_DIRECTORY },
  { type: "dynamic", name: "map_files", mode: 0o500, doc: "", directory: MAP_FILES_DIRECTORY },
  ...DESCRIPTOR_ROWS,
];
const TABLES: Tables = { root: [], process: PROCESS_ROWS, thread: DESCRIPTOR_ROWS };

/** Who asks. */
export const Asker = {
  /** Has all capabilities. */
  root: 0,
  /** May go through all directories, and has no other right: a backup, say. */
  backup: 7,
} as const;

const ALL_LOW = 0xffffffff;
const ALL_HIGH = 0x1ff;
const ANY_DIRECTORY = (1 << CAP_DAC_READ_SEARCH) | (1 << CAP_DAC_OVERRIDE);

function capabilities(uid: number): readonly [number, number] {
  if (uid === Asker.root) return [ALL_LOW, ALL_HIGH];
  return [uid === Asker.backup ? ANY_DIRECTORY : 0, 0];
}

const FACTS: CallerFacts = {
  tgid: () => 0,
  descends: () => false,
  effective: ({ uid }) => capabilities(uid),
  permitted: ({ uid }) => capabilities(uid),
  groups: () => [],
};

/** What is told of a node, or a negated errno. */
export type Told = Readonly<Attr> | number;

/** An entry of a listing. */
export interface Listed {
  readonly name: string;
  readonly ino: string;
  readonly type: number;
  /** From where a later listing goes on. */
  readonly next: number;
  readonly attr: Readonly<Attr> | null;
}

export interface Listing {
  readonly result: number;
  readonly entries: readonly Listed[];
}

/** A value that no field is left with. */
const UNTOUCHED = -12345;

/** The requests of one thread, for one caller. */
export class DirectoryRequests {
  private readonly c: RequestContext;
  private readonly walker: Walker;
  private readonly caller: Caller;
  private readonly text = new Text();

  /** @param uid a member of Asker, or a user without capabilities */
  constructor(k: Kernel, uid: number = Asker.root, gid = uid) {
    const entries = new Entries(TABLES);
    this.caller = { uid, gid, pid: 0 };
    this.c = new RequestContext(k, HOST_VIEW, new CallerSubject(FACTS), entries);
    const templates: Entry[] = [];
    templates[Tag.fd] = entries.template(FD_LINK, Scope.process);
    templates[Tag.fdOfThread] = entries.template(FD_LINK, Scope.thread);
    templates[Tag.fdinfo] = entries.template(FDINFO_FILE, Scope.process);
    templates[Tag.fdinfoOfThread] = entries.template(FDINFO_FILE, Scope.thread);
    templates[Tag.map] = entries.template(MAP_LINK, Scope.process);
    this.walker = new Walker(this.c, templates);
  }

  /** Walks from /proc, name by name. */
  walk(path: string): Told {
    let told: Told = { ...new Attr(), nodeHi: 0, nodeLo: 1 };
    for (const name of path.split("/")) {
      if (typeof told === "number") break;
      told = this.name(told, name);
    }
    return told;
  }

  /** One name in a directory. */
  name({ nodeHi, nodeLo }: Readonly<Attr>, name: string): Told {
    const out = untouched();
    this.walker.begin(this.caller);
    const result = this.walker.end(this.find(nodeHi, nodeLo, name, out));
    return result === 0 ? out : result;
  }

  /** What is told now of a node that has been found before (getattr). */
  again({ nodeHi, nodeLo }: Readonly<Attr>): Told {
    const out = untouched();
    this.walker.begin(this.caller);
    const found = this.walker.byPath(nodeHi, nodeLo);
    const result = this.walker.end(found === 0 ? this.fill(out) : found);
    return result === 0 ? out : result;
  }

  /** What is told of a file that is kept open (fstat), whether its process is still there or not. */
  opened({ nodeHi, nodeLo }: Readonly<Attr>): Told {
    const out = untouched();
    this.walker.begin(this.caller);
    const entry = this.walker.byHandle(nodeHi, nodeLo);
    // A link has nothing to keep open without its process.
    const gone = entry === null || (entry.kind === "link" && this.c.task === NULL);
    const result = this.walker.end(gone ? -ESTALE : this.fill(out));
    return result === 0 ? out : result;
  }

  /** The text of a link, or of an open file, from its beginning to its end; or a negated errno. */
  read({ nodeHi, nodeLo }: Readonly<Attr>): string | number {
    const { c, walker, text } = this;
    walker.begin(this.caller);
    text.clear();
    const entry = walker.byHandle(nodeHi, nodeLo);
    let result: number = -ESTALE;
    if (entry?.kind === "link" && c.task !== NULL) result = entry.row.target(c, text);
    else if (entry?.kind === "seq" && entry.row.type === "one") result = entry.row.show(c, text);
    walker.end(0);
    return result === 0 ? text.toString() : result;
  }

  /** Lists an open directory. @param most entries, after which the reader has no room */
  list({ nodeHi, nodeLo }: Readonly<Attr>, offset: number, plus: boolean, most = Infinity): Listing {
    const { c, walker } = this;
    const entries: Listed[] = [];
    walker.begin(this.caller);
    const entry = walker.byHandle(nodeHi, nodeLo);
    if (entry === null || (entry.kind !== "dir" && entry.kind !== "dynamic")) {
      return { result: walker.end(-ENOTDIR), entries };
    }
    const result = listDirectory(c, entry, offset, plus ? untouched() : null, (name, hi, lo, type, next, attr) => {
      if (entries.length === most) return false;
      entries.push({ name, ino: `${hi}:${lo}`, type, next, attr: attr && { ...attr } });
      return true;
    });
    return { result: walker.end(result), entries };
  }

  private find(hi: number, lo: number, name: string, out: Attr): number {
    const { c, walker } = this;
    const found = walker.byPath(hi, lo);
    if (found !== 0) return found;
    const { entry } = walker;
    if (entry === null || (entry.kind !== "dir" && entry.kind !== "dynamic")) return -ENOTDIR;
    const refused = walker.may(entry, MAY_EXEC);
    return refused !== 0 ? refused : lookupIn(c, entry, name, out);
  }

  private fill(out: Attr): number {
    const { c } = this;
    const { node, entry } = this.walker;
    if (node.tag === Tag.fd || node.tag === Tag.fdOfThread) return fillFdLink(c, out);
    if (node.tag === Tag.map) return fillMapLink(c, out);
    if (entry === null) return -ENOENT;
    if (node.tag === Tag.row) fillEntry(c, entry, out);
    else fillFdinfo(c, out);
    return 0;
  }
}

/** Attributes none of which has been told yet. */
function untouched(): Attr {
  const attr = new Attr();
  for (const field of Object.keys(attr) as (keyof Attr)[]) attr[field] = UNTOUCHED;
  return attr;
}

/** What was found; fails if it was not. */
export function found(told: Told): Readonly<Attr> {
  if (typeof told === "number") throw new Error(`a request was answered with ${told}`);
  return told;
}
