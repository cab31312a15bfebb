/**
 * The tables, made ready: every row of every table becomes an {@link Entry} with a number, a full mode and its place in
 * the tree. Entries say what a row is; whose process it belongs to comes with the node id.
 */
import { FIRST_STATIC_INODE, MAX_PROCESS_ROWS, ROOT_INODE } from "./inode.ts";
import { MAX_ROWS, ROOT_ROW } from "./node-id.ts";
import { S_IFDIR, S_IFLNK, S_IFREG, pidPermission } from "./permission.ts";
import type {
  Context,
  DirRow,
  DynamicDirRow,
  LinkRow,
  OneRow,
  RawRow,
  Row,
  SeqOperations,
  SeqRow,
  SmallRow,
} from "../row.ts";
import { SEQ_SKIP } from "../row.ts";
import { ESRCH } from "../../kernel/errno.ts";
import { NULL } from "../../sync/atomics.ts";
import { DT_DIR, DT_LNK, DT_REG } from "../vfs.ts";

/** Whose an entry is. */
export const Scope = { root: 0, process: 1, thread: 2 } as const;
export type ScopeId = (typeof Scope)[keyof typeof Scope];

/** The three tables that everything derives from. */
export interface Tables {
  /** /proc, without pids, self and thread-self; in the order of readdir. */
  readonly root: readonly Row[];
  /** /proc/<pid> */
  readonly process: readonly Row[];
  /** /proc/<pid>/task/<tid> */
  readonly thread: readonly Row[];
}

/** Seconds for which a name may be kept that only goes when its process does, of which the mount is told. */
const KEEP_NAME = 3600;

/** The first static inode numbers belong to fixed rows: self, thread-self, mounts, net. */
const FIXED_INODES = 4;

interface AnyEntry {
  /** Index in {@link Entries.all}. */
  readonly number: number;
  readonly scope: ScopeId;
  readonly parent: DirEntry | null;
  /** st_mode. */
  readonly mode: number;
  /** d_type. */
  readonly type: number;
  readonly nlink: number;
  /** st_ino of rows at the root; the row's share of it in process directories. */
  readonly inode: number;
  /** Seconds for which the kernel may keep the name. */
  readonly keep: number;
  /** True if it belongs to root, whoever the process is. */
  readonly rootOwned: boolean;
}

export interface DirEntry extends AnyEntry {
  readonly kind: "dir";
  readonly row: DirRow;
  /** What listing shows, in order. */
  readonly listed: readonly Entry[];
  readonly byName: ReadonlyMap<string, Entry>;
}

export interface DynamicEntry extends AnyEntry {
  readonly kind: "dynamic";
  readonly row: DynamicDirRow;
}

export interface LinkEntry extends AnyEntry {
  readonly kind: "link";
  readonly row: LinkRow;
}

export interface SeqEntry extends AnyEntry {
  readonly kind: "seq";
  readonly row: OneRow | SeqRow;
  readonly ops: SeqOperations;
}

export interface RawEntry extends AnyEntry {
  readonly kind: "raw";
  readonly row: RawRow;
}

export interface SmallEntry extends AnyEntry {
  readonly kind: "small";
  readonly row: SmallRow;
}

export type FileEntry = SeqEntry | RawEntry | SmallEntry;
export type Entry = DirEntry | DynamicEntry | LinkEntry | FileEntry;

/** All entries; immutable after construction. */
export class Entries {
  readonly all: Entry[] = [];
  /** /proc */
  readonly root: DirEntry;
  /** /proc/<pid> and /proc/<pid>/task/<tid> */
  readonly process: DirEntry;
  readonly thread: DirEntry;
  private processRows = 0;
  private staticInode = FIRST_STATIC_INODE + FIXED_INODES;

  /** @throws RangeError if there are more rows than node ids can name, or two rows of one name */
  constructor(tables: Tables) {
    this.root = this.directory(baseDirectory("/", tables.root), Scope.root, null);
    const process: DirRow = { ...baseDirectory("<pid>", tables.process), permission: mayEnterProcess };
    this.process = this.directory(process, Scope.process, null);
    this.thread = this.directory(baseDirectory("<tid>", tables.thread), Scope.thread, null);
    if (this.all.length > MAX_ROWS) throw new RangeError(`${this.all.length} rows are more than ${MAX_ROWS}`);
    if (this.processRows > MAX_PROCESS_ROWS) throw new RangeError(`${this.processRows} rows in process directories`);
  }

  /** An entry outside of the tables, for what directories make up as they go: it shares a table's place. */
  template(row: LinkRow | OneRow, scope: ScopeId): Entry {
    return this.add(row, scope, null);
  }

  /** The entry of a directory by its name. */
  child(directory: DirEntry, name: string): Entry {
    const entry = directory.byName.get(name);
    if (entry === undefined) throw new RangeError(`${directory.row.name} has no ${name}`);
    return entry;
  }

  private add(row: Row, scope: ScopeId, parent: DirEntry | null): Entry {
    if (row.type === "dir") return this.directory(row, scope, parent);
    const entry = fileEntry(row, this.next(scope, parent, row));
    this.all[entry.number] = entry;
    return entry;
  }

  private directory(row: DirRow, scope: ScopeId, parent: DirEntry | null): DirEntry {
    const common = this.next(scope, parent, row);
    const listed: Entry[] = [];
    const byName = new Map<string, Entry>();
    const subdirectories = row.rows.filter((child) => child.type === "dir" || child.type === "dynamic").length;
    const nlink = row.nlink ?? 2 + subdirectories;
    const entry: DirEntry = { ...common, nlink, kind: "dir", row, listed, byName };
    this.all[entry.number] = entry;
    for (const child of row.rows) {
      if (byName.has(child.name)) throw new RangeError(`two rows are called ${child.name}`);
      const added = this.add(child, scope, entry);
      byName.set(child.name, added);
      if (child.hidden !== true) listed.push(added);
    }
    return entry;
  }

  private next(scope: ScopeId, parent: DirEntry | null, row: Row): AnyEntry {
    const number = this.all.length;
    // Holds the place until the entry is complete: children take the numbers that follow.
    this.all.length = number + 1;
    const format = formatOf(row.type);
    return {
      number,
      scope,
      parent,
      mode: format | row.mode,
      type: format === S_IFDIR ? DT_DIR : format === S_IFLNK ? DT_LNK : DT_REG,
      nlink: format === S_IFDIR ? 2 : 1,
      inode: number === ROOT_ROW ? ROOT_INODE : (row.inode ?? this.nextInode(scope)),
      keep: row.separate === true ? 0 : KEEP_NAME,
      rootOwned: scope === Scope.root || (parent !== null && (parent.row.rootOwned === true || parent.rootOwned)),
    };
  }

  private nextInode(scope: ScopeId): number {
    return scope === Scope.root ? this.staticInode++ : this.processRows++;
  }
}

function formatOf(type: Row["type"]): number {
  if (type === "link") return S_IFLNK;
  return type === "dir" || type === "dynamic" ? S_IFDIR : S_IFREG;
}

function mayEnterProcess(c: Context): number {
  return pidPermission(c.k, c.task, c.subject);
}

function baseDirectory(name: string, rows: readonly Row[]): DirRow {
  return { type: "dir", name, mode: 0o555, doc: "", rows };
}

function fileEntry(row: Exclude<Row, DirRow>, common: AnyEntry): Entry {
  switch (row.type) {
    case "one":
      return { ...common, kind: "seq", row, ops: singleRecord(row, common.scope) };
    case "seq":
      return { ...common, kind: "seq", row, ops: common.scope === Scope.root ? row.seq : whileAlive(row) };
    case "raw":
      return { ...common, kind: "raw", row };
    case "small":
      return { ...common, kind: "small", row };
    case "link":
      // Where links at the root lead depends on the caller.
      return { ...common, kind: "link", row, keep: common.scope === Scope.root ? 0 : KEEP_NAME };
    case "dynamic":
      return { ...common, kind: "dynamic", row };
  }
}

/** single_open: one record, at position 0. Once it has been shown the file is at its end, whatever the process does. */
function singleRecord(row: OneRow, scope: ScopeId): SeqOperations {
  const needsTask = scope !== Scope.root && row.pinned !== true;
  return {
    start: (_c, cursor) => (cursor.index === 0 ? 1 : 0),
    next: (_c, cursor) => {
      cursor.index++;
      return 0;
    },
    stop: () => undefined,
    show: (c, _cursor, out) => {
      if (needsTask && c.task === NULL) return -ESRCH;
      const result = row.show(c, out);
      return result > 0 ? SEQ_SKIP : result;
    },
  };
}

/** Records of a process: none can be found once it was reaped, unless the file holds what it shows. */
function whileAlive(row: SeqRow): SeqOperations {
  const { seq } = row;
  if (row.pinned === true) return seq;
  return {
    start: (c, cursor) => (c.task === NULL ? -ESRCH : seq.start(c, cursor)),
    next: (c, cursor) => seq.next(c, cursor),
    stop: (c, cursor) => {
      if (c.task !== NULL) seq.stop(c, cursor);
    },
    show: (c, cursor, out) => seq.show(c, cursor, out),
  };
}
