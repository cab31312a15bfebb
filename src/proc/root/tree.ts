/**
 * Tables of system-wide files: a flat list of paths and rows, from which the directories follow. Rows are built once per
 * thread from the host's description, since interfaces, disks and captured files decide what exists.
 */
import { baseName } from "../../kernel/path.ts";
import type { Context, DirRow, OneRow, Row, SeqOperations, SeqRow } from "../row.ts";
import type { Text } from "../text.ts";

/** A row and its place below /proc, without a leading slash; the row's name is the last component. */
export interface Leaf {
  readonly path: string;
  readonly row: Row;
}

/** The records of a file whose number of records is known at each moment. */
export interface Records {
  /** Called when a read starts, for what all its records are made from. */
  begin?(c: Context): void;
  count(c: Context): number;
  show(c: Context, index: number, out: Text): void;
}

/** What a file may differ in from the usual. */
export interface LeafOptions {
  readonly write?: Row["write"];
  readonly strictMode?: boolean;
}

/** A file shown in one piece (proc_create_single). */
export function one(
  path: string,
  mode: number,
  doc: string,
  show: (c: Context, out: Text) => void,
  options: LeafOptions = {},
): Leaf {
  const row: OneRow = {
    type: "one",
    name: baseName(path),
    mode,
    doc,
    show: (c, out) => {
      show(c, out);
      return 0;
    },
    ...options,
  };
  return { path, row };
}

/** A file of records (proc_create_seq), of which a read returns as many as fit a page. */
export function records(path: string, mode: number, doc: string, source: Records, options: LeafOptions = {}): Leaf {
  const row: SeqRow = { type: "seq", name: baseName(path), mode, doc, seq: indexed(source), ...options };
  return { path, row };
}

/** A file whose text never changes; each line is a record. */
export function fixed(path: string, mode: number, doc: string, text: string, options: LeafOptions = {}): Leaf {
  return records(path, mode, doc, linesOf(text), options);
}

/** A directory that may be empty; its own mode counts, the others' is 0555. */
export function directory(path: string, mode: number, doc: string): Leaf {
  return { path, row: { type: "dir", name: baseName(path), mode, doc, rows: [] } };
}

/** The lines of a text, as records. */
function linesOf(text: string): Records {
  const lines = text.split(/(?<=\n)/).filter((line) => line !== "");
  return {
    count: () => lines.length,
    show: (_c, index, out) => {
      out.str(lines[index] as string);
    },
  };
}

function indexed(source: Records): SeqOperations {
  return {
    start: (c, cursor) => {
      source.begin?.(c);
      return cursor.index < source.count(c) ? 1 : 0;
    },
    next: (c, cursor) => {
      cursor.index++;
      return cursor.index < source.count(c) ? 1 : 0;
    },
    stop: () => {},
    show: (c, cursor, out) => {
      source.show(c, cursor.index, out);
      return 0;
    },
  };
}

export type NameOrder = (a: string, b: string) => number;

/** The order of proc_dir_entry: shorter names first, then byte by byte (proc_match). */
export function shortestFirst(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return alphabetically(a, b);
}

/** The order of sysctl tables (namecmp). */
export function alphabetically(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Replaces leaves of which the host has a captured text, and adds the files that only the capture has. */
export function withCaptured(leaves: readonly Leaf[], captured: ReadonlyMap<string, string>): Leaf[] {
  const result: Leaf[] = [];
  const seen = new Set<string>();
  for (const leaf of leaves) {
    const text = captured.get(leaf.path);
    seen.add(leaf.path);
    result.push(text === undefined || leaf.row.type === "dir" ? leaf : replaced(leaf, text));
  }
  for (const [path, text] of captured) {
    if (!seen.has(path)) result.push(fixed(path, 0o444, "As captured.", text));
  }
  return result;
}

function replaced(leaf: Leaf, text: string): Leaf {
  const { mode, doc, write, strictMode } = leaf.row;
  return fixed(leaf.path, mode, doc, text, { write, strictMode });
}

interface Folder {
  row: DirRow | null;
  readonly folders: Map<string, Folder>;
  readonly files: Row[];
}

/**
 * Nests leaves into directories; `prefix` ("net/") is cut off.
 * @returns the rows at the top, in readdir order
 * @throws RangeError if a path is a file and a directory at once, as a captured path may make it
 */
export function tree(leaves: readonly Leaf[], prefix: string, order: NameOrder): Row[] {
  const top = newFolder();
  for (const leaf of leaves) place(top, leaf.path.slice(prefix.length).split("/"), leaf.row);
  return rowsOf(top, order);
}

function newFolder(): Folder {
  return { row: null, folders: new Map(), files: [] };
}

function place(top: Folder, parts: readonly string[], row: Row): void {
  let folder = top;
  const parents = row.type === "dir" ? parts : parts.slice(0, -1);
  for (const part of parents) {
    const inner = folder.folders.get(part) ?? newFolder();
    folder.folders.set(part, inner);
    folder = inner;
  }
  if (row.type === "dir") folder.row = row;
  else folder.files.push(row);
}

function rowsOf(folder: Folder, order: NameOrder): Row[] {
  const rows: Row[] = [...folder.files];
  for (const [name, inner] of folder.folders) {
    if (folder.files.some((row) => row.name === name))
      throw new RangeError(`${name} is a file and a directory at once`);
    rows.push(dirRow(name, inner, order));
  }
  return rows.sort((a, b) => order(a.name, b.name));
}

function dirRow(name: string, folder: Folder, order: NameOrder): DirRow {
  const mode = folder.row?.mode ?? 0o555;
  const doc = folder.row?.doc ?? "A directory.";
  return { type: "dir", name, mode, doc, rows: rowsOf(folder, order), strictMode: folder.row?.strictMode };
}
