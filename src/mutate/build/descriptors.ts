/** Open files of the processes of a group. */
import { fileNew, filePut, installFd, installFdAt } from "../../kernel/files.ts";
import type { FileSpec } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FILE, FileKind } from "../../kernel/layout.ts";
import { pathNew } from "../../kernel/path.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { refcountInc } from "../../sync/refcount.ts";
import type { Fd, Group, Host } from "../scenario-types.ts";
import { mountOf } from "./images.ts";
import type { SharedPaths } from "./shared-paths.ts";
import { isDevice } from "./shared-paths.ts";
import type { SocketFd, SocketPlan } from "./sockets.ts";
import { listenerKey } from "./sockets.ts";

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
/** The inode that all anonymous files share. */
const ANONYMOUS_INODE = 1038;
const ANONYMOUS_PREFIX = "anon_inode:";
const MEMFD_MODE = 0o100777;

/** Kinds of file by the link text of a captured descriptor. */
const ANONYMOUS_KINDS: Record<string, FileSpec["kind"]> = {
  "[eventpoll]": FileKind.eventpoll,
  "[eventfd]": FileKind.eventfd,
  "[timerfd]": FileKind.timerfd,
  "[signalfd]": FileKind.signalfd,
  inotify: FileKind.inotify,
  "[pidfd]": FileKind.pidfd,
};

interface Place {
  readonly kind: FileSpec["kind"];
  readonly mntId: number;
}

/** What descriptors are made of; listeners are shared by all who have them. */
export class DescriptorMaker {
  private readonly k: Kernel;
  private readonly host: Host;
  private readonly paths: SharedPaths;
  private readonly sockets: SocketPlan;
  private readonly listeners = new Map<string, Ptr>();
  private readonly places = new Map<string, Place>();

  constructor(k: Kernel, host: Host, paths: SharedPaths, sockets: SocketPlan) {
    this.k = k;
    this.host = host;
    this.paths = paths;
    this.sockets = sockets;
  }

  /**
   * Opens what a group's processes have open.
   * @param member index of the process in its group
   * @throws RangeError if a descriptor is above the largest table, or named twice
   */
  open(files: Ptr, group: Group, member: number): void {
    for (let index = 0; index < group.fds.length; index++) {
      const fd = group.fds[index] as Fd;
      for (let repeat = 0; repeat < fd.count; repeat++) {
        const file = this.file(fd, group, index, member, repeat);
        this.install(files, fd, repeat, file);
      }
    }
  }

  /** Drops the references that this object itself holds. */
  release(): void {
    for (const file of this.listeners.values()) filePut(this.k, file);
    this.listeners.clear();
  }

  private install(files: Ptr, fd: Fd, repeat: number, file: Ptr): void {
    const { k } = this;
    const flags = fd.kind === "raw" ? fdinfoField(fd.fdinfo, "flags", 8) : fd.flags;
    const closeOnExec = (flags & O_CLOEXEC) !== 0;
    const fixed = fd.fd !== null && repeat === 0;
    const result = fixed
      ? installFdAt(k, files, fd.fd as number, file, closeOnExec)
      : installFd(k, files, file, fd.fd ?? 0, closeOnExec);
    if (result >= 0) return;
    filePut(k, file);
    throw new RangeError(`descriptor ${fd.fd ?? ""} can't be opened: it is taken, or beyond the largest table`);
  }

  private file(fd: Fd, group: Group, index: number, member: number, repeat: number): Ptr {
    const { k } = this;
    const flags = fd.flags & ~O_CLOEXEC;
    switch (fd.kind) {
      case "file":
        return this.named(fd.path, flags, fd.pos, fd.inode);
      case "socket":
        return this.socket(fd, flags, this.sockets.inode(group, index, member, repeat));
      case "pipe":
        return fileNew(k, { kind: FileKind.pipe, flags, ...(fd.inode === null ? {} : { ino: fd.inode }) });
      case "eventfd":
        return this.anonymous(FileKind.eventfd, flags, fd.value);
      case "eventpoll":
        return this.anonymous(FileKind.eventpoll, flags, fd.targets.length === 0 ? 0 : (fd.targets[0] as number) + 1);
      case "timerfd":
        return this.anonymous(FileKind.timerfd, flags, fd.clock);
      case "signalfd":
        return this.signalfd(flags, fd.mask);
      case "inotify":
        return this.anonymous(FileKind.inotify, flags, fd.watches);
      case "memfd":
        return this.memfd(fd.name, flags, fd.size);
      case "anon":
        return this.otherAnonymous(fd.name, flags);
      case "raw":
        return this.captured(fd.link, fd.fdinfo);
    }
  }

  private named(path: string, flags: number, pos: number, inode: number | null): Ptr {
    const { kind, mntId } = this.placeOf(path, flags);
    if (inode !== null) {
      const { major, minor } = mountOf(this.host, path);
      const own = pathNew(this.k, { name: path, ino: inode, devMajor: major, devMinor: minor });
      return fileNew(this.k, { kind, flags, path: own, pos, mntId });
    }
    const shared = kind === FileKind.directory ? this.paths.directory(path) : this.paths.file(path);
    return fileNew(this.k, { kind, flags, path: shared, pos, mntId });
  }

  /** What kind of file a path is, and in which mount. */
  private placeOf(path: string, flags: number): Place {
    const directory = (flags & O_DIRECTORY) !== 0 || path.endsWith("/");
    const key = directory ? `${path}/` : path;
    let place = this.places.get(key);
    if (place === undefined) {
      const kind = isDevice(path) ? FileKind.charDevice : directory ? FileKind.directory : FileKind.regular;
      place = { kind, mntId: mountOf(this.host, path).id };
      this.places.set(key, place);
    }
    return place;
  }

  private socket(fd: SocketFd, flags: number, ino: number): Ptr {
    if (fd.state !== "listen") return fileNew(this.k, { kind: FileKind.socket, flags, ino });
    const key = listenerKey(fd);
    let file = this.listeners.get(key);
    if (file === undefined) {
      file = fileNew(this.k, { kind: FileKind.socket, flags, ino });
      this.listeners.set(key, file);
    }
    refcountInc(this.k.m, file + FILE.count);
    return file;
  }

  private anonymous(kind: FileSpec["kind"], flags: number, data: number): Ptr {
    return fileNew(this.k, { kind, flags, ino: ANONYMOUS_INODE, data });
  }

  /** The mask is a 64-bit set: two words. */
  private signalfd(flags: number, mask: string): Ptr {
    const file = this.anonymous(FileKind.signalfd, flags, 0);
    this.k.m.plainStore(file + FILE.data, Number.parseInt(mask.slice(8), 16) | 0);
    this.k.m.plainStore(file + FILE.data + 1, Number.parseInt(mask.slice(0, 8), 16) | 0);
    return file;
  }

  private memfd(name: string, flags: number, size: number): Ptr {
    const path = pathNew(this.k, {
      name: `/memfd:${name}`,
      devMajor: 0,
      devMinor: 1,
      mode: MEMFD_MODE,
      size,
      deleted: true,
    });
    return fileNew(this.k, { kind: FileKind.memfd, flags, path });
  }

  /** Kinds without a number of their own are told apart by the name of a PATH. */
  private otherAnonymous(name: string, flags: number): Ptr {
    const path = pathNew(this.k, {
      name: `${ANONYMOUS_PREFIX}${name}`,
      devMajor: 0,
      devMinor: 16,
      ino: ANONYMOUS_INODE,
      mode: 0o600,
    });
    return fileNew(this.k, { kind: FileKind.anon, flags, path });
  }

  /** A captured descriptor: the text of its fdinfo is shown as it was. */
  private captured(link: string, fdinfo: string): Ptr {
    const { k } = this;
    const flags = fdinfoField(fdinfo, "flags", 8) & ~O_CLOEXEC;
    const common = {
      flags,
      pos: fdinfoField(fdinfo, "pos", 10),
      mntId: fdinfoField(fdinfo, "mnt_id", 10),
      ino: fdinfoField(fdinfo, "ino", 10),
      ...(fdinfo === "" ? {} : { extra: k.bytes(latin1Bytes(fdinfo)) }),
    };
    const numbered = /^(socket|pipe):\[(\d+)\]$/.exec(link);
    if (numbered !== null) {
      const kind = numbered[1] === "socket" ? FileKind.socket : FileKind.pipe;
      return fileNew(k, { ...common, kind, ino: Number(numbered[2]) });
    }
    const anonymous = ANONYMOUS_KINDS[link.slice(ANONYMOUS_PREFIX.length)];
    if (link.startsWith(ANONYMOUS_PREFIX) && anonymous !== undefined) return fileNew(k, { ...common, kind: anonymous });
    return fileNew(k, { ...common, kind: this.capturedKind(link, flags), path: this.capturedPath(link, common.ino) });
  }

  private capturedKind(link: string, flags: number): FileSpec["kind"] {
    if (!link.startsWith("/")) return FileKind.anon;
    if (isDevice(link)) return FileKind.charDevice;
    if (link.startsWith("/memfd:")) return FileKind.memfd;
    return (flags & O_DIRECTORY) !== 0 && (flags & O_PATH) === 0 ? FileKind.directory : FileKind.regular;
  }

  private capturedPath(link: string, ino: number): Ptr {
    const deleted = link.endsWith(" (deleted)");
    const name = deleted ? link.slice(0, -" (deleted)".length) : link;
    const { major, minor } = mountOf(this.host, name);
    return pathNew(this.k, { name, ino, devMajor: major, devMinor: minor, deleted });
  }
}

/** A number in a text of fdinfo, or 0. */
function fdinfoField(text: string, name: string, base: number): number {
  const match = new RegExp(`^${name}:\\t(\\d+)$`, "m").exec(text);
  return match === null ? 0 : Number.parseInt(match[1] as string, base);
}
