/**
 * What a kernel does between a system call and a file system: path walks, symbolic links inside of /proc, the second try
 * after ESTALE, and file offsets. No dentry cache: each walk looks every name up.
 */
import { EACCES, EINVAL, ENOTDIR, ESTALE } from "../../src/kernel/errno.ts";
import type { Caller, FileSystem } from "../../src/proc/vfs.ts";
import { Attr, OpenFile } from "../../src/proc/vfs.ts";

export interface Entry {
  name: string;
  ino: number;
  type: number;
  next: number;
}

export class ErrnoError extends Error {
  readonly errno: number;
  /** At which step of a longer operation it happened, if that was noted. */
  stage?: string;

  constructor(errno: number, what: string) {
    super(`${what}: errno ${errno}`);
    this.errno = errno;
  }
}

function check(result: number, what: string): number {
  if (result < 0) throw new ErrnoError(-result, what);
  return result;
}

/** The errno that `body` fails with, or 0. */
export function errnoOf(body: () => unknown): number {
  try {
    body();
  } catch (error) {
    if (error instanceof ErrnoError) return error.errno;
    throw error;
  }
  return 0;
}

const ROOT = { hi: 0, lo: 1 };
type Node = typeof ROOT;

export function inodeOf(attr: Attr): number {
  return attr.inoHi * 4294967296 + attr.inoLo;
}

/** An open file with its offset. */
export class OpenedFile {
  readonly client: VfsClient;
  readonly node: Node;
  readonly handle: number;
  private offset = 0;

  constructor(client: VfsClient, node: Node, handle: number) {
    this.client = client;
    this.node = node;
    this.handle = handle;
  }

  /** One read(2). */
  read(size: number): Buffer {
    const got = this.pread(size, this.offset);
    this.offset += got.length;
    return got;
  }

  pread(size: number, offset: number): Buffer {
    const { fs, caller } = this.client;
    const dest = Buffer.alloc(size);
    const count = check(fs.read(this.node.hi, this.node.lo, this.handle, offset, dest, caller), "read");
    return dest.subarray(0, count);
  }

  /** Reads until a read returns nothing, at most so many times. */
  readAll(size = 65536, most = Infinity): string {
    const parts: Buffer[] = [];
    for (let part = this.read(size); part.length > 0 && parts.length < most; part = this.read(size)) parts.push(part);
    return Buffer.concat(parts).toString("latin1");
  }

  write(text: string, offset = 0): number {
    const { fs, caller } = this.client;
    const data = Buffer.from(text, "latin1");
    return check(fs.write(this.node.hi, this.node.lo, this.handle, offset, data, caller), "write");
  }

  /** fstat(2): the kernel sends no handle along. */
  stat(): Attr {
    const out = new Attr();
    check(this.client.fs.getattr(this.node.hi, this.node.lo, 0, this.client.caller, out), "fstat");
    return out;
  }

  close(): void {
    this.client.fs.release(this.handle);
  }
}

export class OpenedDirectory extends OpenedFile {
  /** One getdents(2) of at most `most` entries, from an offset on. */
  list(offset = 0, most = Infinity, plus = false): Entry[] {
    const { fs, caller } = this.client;
    const out: Entry[] = [];
    const sink = (name: string, hi: number, lo: number, type: number, next: number): boolean => {
      if (out.length >= most) return false;
      out.push({ name, ino: hi * 4294967296 + lo, type, next });
      return true;
    };
    check(fs.readdir(this.node.hi, this.node.lo, this.handle, offset, plus, caller, sink), "getdents");
    return out;
  }

  /** openat(2) */
  openAt(name: string, flags = 0): OpenedFile {
    const attr = new Attr();
    check(this.client.fs.lookup(this.node.hi, this.node.lo, name, this.client.caller, attr), `lookup ${name}`);
    return this.client.openNode({ hi: attr.nodeHi, lo: attr.nodeLo }, flags);
  }
}

export class VfsClient {
  readonly fs: FileSystem;
  readonly caller: Caller;

  constructor(fs: FileSystem, caller: Caller) {
    this.fs = fs;
    this.caller = caller;
  }

  as(uid: number, gid = uid, pid = 0): VfsClient {
    return new VfsClient(this.fs, { uid, gid, pid });
  }

  lstat(path: string): Attr {
    return this.retry((again) => this.walk(path, false, again));
  }

  stat(path: string): Attr {
    return this.retry((again) => this.walk(path, true, again));
  }

  readlink(path: string): string {
    return this.retry(() => this.readlinkNode(this.walk(path, false)));
  }

  open(path: string, flags = 0): OpenedFile {
    return this.retry(() => this.openNode(nodeOf(this.walk(path, true)), flags));
  }

  opendir(path: string): OpenedDirectory {
    return this.retry(() => {
      const node = nodeOf(this.walk(path, true));
      const opened = new OpenFile();
      check(this.fs.opendir(node.hi, node.lo, this.caller, opened), `opendir ${path}`);
      return new OpenedDirectory(this, node, opened.handle);
    });
  }

  access(path: string, mask: number): void {
    const attr = this.stat(path);
    check(this.fs.access(attr.nodeHi, attr.nodeLo, mask, this.caller), `access ${path}`);
  }

  /** open, read to the end, close */
  cat(path: string, size = 65536): string {
    const file = this.open(path);
    try {
      return file.readAll(size);
    } finally {
      file.close();
    }
  }

  /** open, write, close */
  echo(text: string, path: string): void {
    const file = this.open(path, 1);
    try {
      file.write(text);
    } finally {
      file.close();
    }
  }

  /** Names in a directory, without the dots. */
  ls(path: string): string[] {
    const directory = this.opendir(path);
    try {
      return directory.list().flatMap((entry) => (entry.name === "." || entry.name === ".." ? [] : [entry.name]));
    } finally {
      directory.close();
    }
  }

  setattr(path: string, valid: number): void {
    const attr = this.stat(path);
    check(this.fs.setattr(attr.nodeHi, attr.nodeLo, valid, this.caller, new Attr()), `setattr ${path}`);
  }

  openNode(node: Node, flags: number): OpenedFile {
    const opened = new OpenFile();
    check(this.fs.open(node.hi, node.lo, flags, this.caller, opened), "open");
    return new OpenedFile(this, node, opened.handle);
  }

  private readlinkNode(attr: Attr): string {
    if ((attr.mode & 0o170000) !== 0o120000) throw new ErrnoError(EINVAL, "readlink");
    const dest = Buffer.alloc(4095);
    const count = check(this.fs.readlink(attr.nodeHi, attr.nodeLo, this.caller, dest), "readlink");
    return dest.toString("latin1", 0, count);
  }

  private retry<T>(body: (again: boolean) => T): T {
    try {
      return body(false);
    } catch (error) {
      if (error instanceof ErrnoError && error.errno === ESTALE) return body(true);
      throw error;
    }
  }

  /** A path relative to /proc, to its attributes. */
  private walk(path: string, follow: boolean, again = false): Attr {
    let attr = new Attr();
    check(this.fs.getattr(ROOT.hi, ROOT.lo, 0, this.caller, attr), "getattr");
    let rest = path.split("/").filter((name) => name !== "");
    for (let links = 0; rest.length > 0;) {
      const name = rest.shift() as string;
      if ((attr.mode & 0o170000) !== 0o040000) throw new ErrnoError(ENOTDIR, path);
      const next = new Attr();
      check(this.fs.lookup(attr.nodeHi, attr.nodeLo, name, this.caller, next), path);
      const link = (next.mode & 0o170000) === 0o120000;
      if (link && (follow || rest.length > 0)) {
        const target = this.readlinkNode(next);
        if (target.startsWith("/") || ++links > 40) throw new ErrnoError(EACCES, `${path} leads out, to ${target}`);
        rest = [...target.split("/"), ...rest];
        continue;
      }
      attr = next;
    }
    const fresh = new Attr();
    check(this.fs.getattr(attr.nodeHi, attr.nodeLo, 0, this.caller, fresh), again ? `${path} again` : path);
    return fresh;
  }
}

function nodeOf(attr: Attr): Node {
  return { hi: attr.nodeHi, lo: attr.nodeLo };
}
