/** The file system in this process, as a view: the checks without any FUSE in between. */
import { constants } from "node:os";
import type { Attr } from "../../src/proc/vfs.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import { ErrnoError, inodeOf } from "../proc/vfs-client.ts";
import type { Hands, Result, Stat } from "./view.ts";

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
// ENOTSUP and EOPNOTSUPP, EAGAIN and EWOULDBLOCK are one each.
NAMES.set(constants.errno.EAGAIN, "EAGAIN");

/** pagemap is as long as the address space. */
const MOST_READS = 64;

function attempt<T>(at: string, body: () => T): Result<T> & { at?: never } {
  try {
    return { value: body() };
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    const errno = NAMES.get(error.errno) ?? String(error.errno);
    return { errno, at: error.stage ?? at } as unknown as Result<T> & { at?: never };
  }
}

function marked<T>(stage: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof ErrnoError) error.stage = stage;
    throw error;
  }
}

function statOf(attr: Attr): Stat {
  const { mode, uid, gid, nlink, size } = attr;
  return { mode, uid, gid, nlink, size, ino: inodeOf(attr) };
}

/** Operations of a client. */
export function handsOf(client: VfsClient): Hands {
  return {
    lstat: (path) => attempt("open", () => statOf(client.lstat(path))),
    cat: (path) =>
      attempt("open", () => using(client.open(path), (file) => marked("read", () => file.readAll(65536, MOST_READS)))),
    open: (path, flags) => attempt("open", () => using(client.open(path, flags), () => null)),
    write: (path, text) =>
      attempt("open", () => using(client.open(path, 1), (file) => marked("write", () => file.write(text)))),
    readlink: (path) => attempt("open", () => client.readlink(path)),
    ls: (path) =>
      attempt("open", () =>
        using(client.opendir(path), (directory) =>
          marked("read", () => directory.list().flatMap(({ name }) => (name === "." || name === ".." ? [] : [name]))),
        ),
      ),
    access: (path, mask) =>
      attempt("open", () => {
        client.access(path, mask);
        return null;
      }),
  };
}

function using<F extends { close(): void }, T>(file: F, body: (file: F) => T): T {
  try {
    return body(file);
  } finally {
    file.close();
  }
}
