/** The operations of fuse-native, which name files by path, in terms of a FileSystem, which names them by node. */
import { EBADF, EINTR, EINVAL, EIO, ENOENT } from "../../src/kernel/errno.ts";
import type { Caller, FileSystem } from "../../src/proc/vfs.ts";
import { Attr, OpenFile, WOULD_WAIT } from "../../src/proc/vfs.ts";
import { LockWait } from "../../src/sync/thread.ts";
import * as abi from "../abi.ts";
import type { Done, Operations, Signal } from "./native-binding.ts";

const TWO_32 = 4294967296;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 32;
const FATTR = { mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32 };

/** An open file: fuse-native hands back 32 bits, and a path that may mean something else by then. */
interface Open {
  hi: number;
  lo: number;
  handle: number;
}

interface Node {
  hi: number;
  lo: number;
}

type Call = () => number;

/** struct stat as fuse-native takes it: 18 unsigned words, times in milliseconds. */
function statWords(attr: Attr): Uint32Array {
  const words = new Uint32Array(18);
  const put = (at: number, value: number): void => {
    words[at] = value % TWO_32;
    words[at + 1] = value / TWO_32;
  };
  words[0] = attr.mode;
  words[1] = attr.uid;
  words[2] = attr.gid;
  put(3, attr.size);
  words[6] = attr.nlink;
  words[7] = attr.inoLo;
  words[8] = attr.rdev;
  words[9] = 1024;
  const milliseconds = attr.timeSec * 1000 + Math.floor(attr.timeNsec / 1e6);
  for (let at = 12; at < 18; at += 2) put(at, milliseconds);
  return words;
}

export class NativeOperations {
  private readonly fileSystem: FileSystem;
  private readonly caller: Caller;
  /** Whom the call that follows a walk is made for. */
  private asker: Caller;
  private readonly isRealPid: (pid: number) => boolean;
  private readonly complain: (sentence: string) => void;
  private readonly opens = new Map<number, Open>();
  private lastFd = 0;
  private closed = false;

  /**
   * @param caller whoever is assumed to ask: the transport cannot know
   * @param isRealPid whether this machine has such a process or thread
   */
  constructor(
    fileSystem: FileSystem,
    caller: Caller,
    isRealPid: (pid: number) => boolean,
    complain: (sentence: string) => void,
  ) {
    this.fileSystem = fileSystem;
    this.caller = caller;
    this.asker = caller;
    this.isRealPid = isRealPid;
    this.complain = complain;
  }

  /** The table that fuse-native is given. What is missing is answered with ENOSYS by libfuse. */
  table(): Operations {
    const refuse = (kind: Parameters<FileSystem["refuse"]>[0]) => {
      return (...args: unknown[]): void => this.attempt(args.at(-1) as Done, () => this.fileSystem.refuse(kind));
    };
    return {
      getattr: (path: string, done: Done) => this.getattr(path, done),
      // Present so that libfuse asks by handle; NativeMount._op_fgetattr answers.
      fgetattr: (_path: string, _fd: number, done: Done) => done(-EBADF),
      access: (path: string, mask: number, done: Done) =>
        this.onNode(path, done, ({ hi, lo }) => this.fileSystem.access(hi, lo, mask, this.caller)),
      statfs: (_path: string, done: Done) =>
        done(0, { bsize: abi.PAGE_SIZE, frsize: abi.PAGE_SIZE, namemax: abi.NAME_MAX }),
      readlink: (path: string, done: Done) => this.readlink(path, done),
      open: (path: string, flags: number, done: Done) => this.open(path, flags, done),
      opendir: (path: string, _flags: number, done: Done) => this.open(path, null, done),
      read: (_path: string, fd: number, into: Buffer, length: number, offset: number, done: Done) =>
        this.onOpen(fd, done, (file) =>
          this.fileSystem.read(file.hi, file.lo, file.handle, offset, into.subarray(0, length), this.caller),
        ),
      write: (_path: string, fd: number, from: Buffer, length: number, offset: number, done: Done) =>
        this.onOpen(fd, done, (file) =>
          this.fileSystem.write(file.hi, file.lo, file.handle, offset, from.subarray(0, length), this.caller),
        ),
      readdir: (path: string, done: Done) => this.readdir(path, done),
      release: (_path: string, fd: number, done: Done) => this.release(fd, false, done),
      releasedir: (_path: string, fd: number, done: Done) => this.release(fd, true, done),
      truncate: (path: string, _size: number, done: Done) => this.setattr(path, FATTR.size, done),
      ftruncate: (path: string, _fd: number, _size: number, done: Done) => this.setattr(path, FATTR.size, done),
      chmod: (path: string, _mode: number, done: Done) => this.setattr(path, FATTR.mode, done),
      chown: (path: string, _uid: number, _gid: number, done: Done) => this.setattr(path, FATTR.uid | FATTR.gid, done),
      utimens: (path: string, _atime: number, _mtime: number, done: Done) =>
        this.setattr(path, FATTR.atime | FATTR.mtime, done),
      fsync: (_path: string, _dataOnly: number, _fd: number, done: Done) => done(-EINVAL),
      fsyncdir: (_path: string, _dataOnly: number, _fd: number, done: Done) => done(-EINVAL),
      create: refuse("create"),
      mknod: refuse("mknod"),
      mkdir: refuse("mkdir"),
      unlink: refuse("unlink"),
      rmdir: refuse("rmdir"),
      rename: refuse("rename"),
      link: refuse("link"),
      symlink: refuse("symlink"),
    };
  }

  /** The mount is gone: what still waits waits for nothing. */
  close(): void {
    this.closed = true;
  }

  /** fstat(2): by handle, so that it also works when the path is gone. */
  fgetattr(signal: Signal, fd: number): void {
    const attr = new Attr();
    this.onOpen(
      fd,
      (result) => signal(result < 0 ? result : 0, statWords(attr)),
      (file) => this.fileSystem.getattr(file.hi, file.lo, file.handle, this.caller, attr),
    );
  }

  private getattr(path: string, done: Done): void {
    const attr = new Attr();
    const call = ({ hi, lo }: Node): number => this.fileSystem.getattr(hi, lo, 0, this.asker, attr);
    this.onNode(path, (result) => done(result < 0 ? result : 0, statOf(attr)), call);
  }

  private setattr(path: string, valid: number, done: Done): void {
    const attr = new Attr();
    this.onNode(path, done, ({ hi, lo }) => Math.min(0, this.fileSystem.setattr(hi, lo, valid, this.caller, attr)));
  }

  private readlink(path: string, done: Done): void {
    const text = Buffer.alloc(abi.PAGE_SIZE);
    this.onNode(
      path,
      (result) => (result < 0 ? done(result) : done(0, text.toString("utf8", 0, result))),
      ({ hi, lo }) => this.fileSystem.readlink(hi, lo, this.asker, text),
    );
  }

  /** `flags` null opens a directory. */
  private open(path: string, flags: number | null, done: Done): void {
    const opened = new OpenFile();
    let node: Node = { hi: 0, lo: 0 };
    const call = (found: Node): number => {
      node = found;
      if (flags === null) return this.fileSystem.opendir(found.hi, found.lo, this.caller, opened);
      return this.fileSystem.open(found.hi, found.lo, flags, this.caller, opened);
    };
    this.onNode(path, (result) => (result < 0 ? done(result) : done(0, this.remember(node, opened))), call);
  }

  private remember(node: Node, opened: OpenFile): number {
    do this.lastFd = (this.lastFd % 0x7fffffff) + 1;
    while (this.opens.has(this.lastFd));
    this.opens.set(this.lastFd, { ...node, handle: opened.handle });
    return this.lastFd;
  }

  private release(fd: number, directory: boolean, done: Done): void {
    const file = this.opens.get(fd);
    if (file === undefined) {
      done(-EBADF);
      return;
    }
    this.opens.delete(fd);
    this.attempt(done, () => {
      if (directory) this.fileSystem.releasedir(file.handle);
      else this.fileSystem.release(file.handle);
      return 0;
    });
  }

  /** The whole directory at once: libfuse 2 has no other way through fuse-native. */
  private readdir(path: string, done: Done): void {
    const names: string[] = [];
    this.onNode(
      path,
      (result) => (result < 0 ? done(result) : done(0, names)),
      (node) => this.listAll(node, names),
    );
  }

  private listAll({ hi, lo }: Node, names: string[]): number {
    const opened = new OpenFile();
    const problem = this.fileSystem.opendir(hi, lo, this.caller, opened);
    if (problem < 0) return problem;
    names.length = 0;
    const sink = (name: string): boolean => {
      names.push(Buffer.from(name, "latin1").toString("utf8"));
      return true;
    };
    const result = this.fileSystem.readdir(hi, lo, opened.handle, 0, false, this.caller, sink);
    this.fileSystem.releasedir(opened.handle);
    return result;
  }

  private onNode(path: string, done: Done, call: (node: Node) => number): void {
    const attr = new Attr();
    this.attempt(done, () => {
      const result = this.walk(path, attr);
      return result < 0 ? result : call({ hi: attr.nodeHi, lo: attr.nodeLo });
    });
  }

  private onOpen(fd: number, done: Done, call: (file: Open) => number): void {
    const file = this.opens.get(fd);
    if (file === undefined) done(-EBADF);
    else this.attempt(done, () => call(file));
  }

  /** Looks up each component; leaves the last one's node in `attr`. */
  private walk(path: string, attr: Attr): number {
    this.asker = this.caller;
    attr.nodeHi = 0;
    attr.nodeLo = abi.ROOT_ID;
    for (const part of path.split("/")) {
      if (part === "") continue;
      const name = Buffer.from(part, "utf8").toString("latin1");
      const { nodeHi, nodeLo } = attr;
      const result = this.fileSystem.lookup(nodeHi, nodeLo, name, this.caller, attr);
      if (result < 0) return this.walkToReal(path, name, result, attr);
    }
    return 0;
  }

  /**
   * A pid that no simulated process has may be that of whoever asks, which nothing tells us. A process may see itself;
   * here, unlike with the other transport, so may the others.
   */
  private walkToReal(path: string, name: string, result: number, attr: Attr): number {
    if (result !== -ENOENT || path !== `/${name}` || !/^[1-9]\d{0,6}$/.test(name)) return result;
    if (!this.isRealPid(Number(name))) return result;
    this.asker = { ...this.caller, pid: Number(name) };
    return Math.min(0, this.fileSystem.lookup(0, abi.ROOT_ID, name, this.asker, attr));
  }

  /** Makes a call; one that would have to wait is made again later, while others are served. */
  private attempt(done: Done, call: Call): void {
    const result = this.guarded(call);
    if (result === WOULD_WAIT) this.attemptLater(done, call, FIRST_PAUSE_MS);
    else this.finish(done, result);
  }

  private attemptLater(done: Done, call: Call, pause: number): void {
    if (this.closed) {
      this.finish(done, -EINTR);
      return;
    }
    this.fileSystem.keepWait();
    const wait = new LockWait();
    wait.copy(this.fileSystem.wait);
    this.fileSystem.wait.clear();
    setTimeout(() => {
      this.fileSystem.wait.copy(wait);
      const result = this.guarded(call);
      if (result === WOULD_WAIT) this.attemptLater(done, call, Math.min(pause * 2, LONGEST_PAUSE_MS));
      else this.finish(done, result);
    }, pause);
  }

  private finish(done: Done, result: number): void {
    this.fileSystem.endWait();
    done(result);
  }

  private guarded(call: Call): number {
    this.fileSystem.busy();
    try {
      return call();
    } catch (error) {
      this.complain(`a request failed inside the file system: ${error instanceof Error ? error.stack : String(error)}`);
      return -EIO;
    } finally {
      this.fileSystem.idle();
    }
  }
}

/** Attributes as fuse-native's getattr takes them. */
function statOf(attr: Attr): Record<string, number> {
  const time = attr.timeSec * 1000 + Math.floor(attr.timeNsec / 1e6);
  const { mode, uid, gid, size, nlink, rdev } = attr;
  return {
    mode,
    uid,
    gid,
    size,
    nlink,
    rdev,
    ino: attr.inoLo,
    blksize: 1024,
    blocks: 0,
    atime: time,
    mtime: time,
    ctime: time,
  };
}
