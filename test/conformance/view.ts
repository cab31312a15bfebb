/**
 * A /proc to be examined: the real one, a mount, or the file system in this process. The same checks run on each, so
 * that what the simulation claims about the real thing is itself under test.
 */

/** Kinds of processes that the checks need. */
export type Kind = "ordinary" | "undumpable" | "zombie" | "kthread" | "deadleader";
export type Who = "root" | "owner" | "other";

export interface Stat {
  /** st_mode */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly size: number;
  readonly ino: number;
}

/** Results are values, or the name of an errno. */
export type Result<T> = { readonly value: T } | { readonly errno: string };

/** Operations on paths below /proc, as one caller. */
export interface Hands {
  lstat(path: string): Result<Stat>;
  /** Opens (O_RDONLY unless flags are given), reads to the end, closes. `at` says which of it failed. */
  cat(path: string): Result<string> & { at?: "open" | "read" };
  open(path: string, flags: number): Result<null>;
  write(path: string, text: string): Result<number> & { at?: "open" | "write" };
  readlink(path: string): Result<string>;
  ls(path: string): Result<string[]> & { at?: "open" | "read" };
  access(path: string, mask: number): Result<null>;
}

export interface View {
  readonly name: string;
  /** The pid of a process of this kind, or 0 if this view has none. */
  pid(kind: Kind): number;
  /** A thread of the ordinary process that is not its leader, or 0. */
  readonly thread: number;
  as(who: Who): Hands;
  /** Owner of the ordinary, undumpable and zombie processes. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

export function errnoName(result: Result<unknown>): string {
  return "errno" in result ? result.errno : "ok";
}
