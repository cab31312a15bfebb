/**
 * The file system: turns requests about nodes into calls of the tables' rows. One per thread; whatever outlives a
 * request lies in the arena, so that any thread can take up where another left off.
 *
 * A request by path walks to its process first (see revalidate.ts). A node whose process is gone, or whose pid has been
 * given out again, answers -ESTALE there: the kernel then looks the path up anew, and the client gets a clean ENOENT, or
 * the new process. Requests that come through an open file answer what the file held open would (-ESRCH for most).
 */
import {
  EACCES,
  EBADF,
  EINVAL,
  EIO,
  EISDIR,
  ENOENT,
  ENOMEM,
  ENOTDIR,
  ENOTTY,
  ENXIO,
  EPERM,
  ESRCH,
  ESTALE,
} from "../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../kernel/flags.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { endWait, keepWait } from "../kernel/lock-wait.ts";
import { ptraceMayAccess } from "../kernel/ptrace.ts";
import { CAP_CHOWN, CAP_FOWNER } from "../kernel/subject.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import type { LockWait } from "../sync/thread.ts";
import { fillEntry } from "./fs/attr.ts";
import { CallerSubject, RequestContext } from "./fs/context.ts";
import type { SynthprocFiles } from "./synthproc/control.ts";
import { synthprocRow } from "./synthproc/control.ts";
import type { Entry, FileEntry, Tables } from "./fs/entries.ts";
import { Entries, Scope } from "./fs/entries.ts";
import { FDINFO_FILE, FD_LINK, fillFdLink, fillFdinfo } from "./task/fd.ts";
import type { HostView } from "./host-view.ts";
import { lookupIn } from "./fs/lookup.ts";
import { MAP_LINK, fillMapLink } from "./task/map-files.ts";
import { Tag } from "./fs/node-id.ts";
import type { EntryNotifier } from "./fs/notify.ts";
import { invalidateReaped } from "./fs/notify.ts";
import { isOpenFile, mayBeOpen, openFileFree, openFileNew, openFileNode, wasToldStale } from "./fs/open-files.ts";
import { HIDEPID_INVISIBLE, hasPidPermissions } from "./fs/permission.ts";
import { listDirectory } from "./fs/readdir.ts";
import { MAY_EXEC, MAY_READ, MAY_WRITE } from "./row.ts";
import { SELF_OFFSET, fillOwn, ownTarget, selfRows } from "./fs/self.ts";
import { SeqReader, seqRelease } from "./fs/seq-file.ts";
import { Target, fillTarget } from "./fs/target.ts";
import { Text } from "./text.ts";
import type { Caller, CallerFacts, DirSink, FileSystem, OpenFile } from "./vfs.ts";
import { Attr } from "./vfs.ts";
import type { Templates } from "./fs/walk.ts";
import { Walker } from "./fs/walk.ts";

/** What a file system is made of. */
export interface ProcFsOptions {
  readonly kernel: Kernel;
  readonly host: HostView;
  readonly facts: CallerFacts;
  readonly tables: Tables;
  /** The contents of /proc/synthproc. */
  readonly synthproc: SynthprocFiles;
}

/** open(2) flags. */
const O_ACCMODE = 3;
const O_WRONLY = 1;
const O_TRUNC = 0o1000;
const O_DIRECT = 0o40000;

/** FATTR_* bits of SETATTR. */
const FATTR_MODE = 1;
const FATTR_UID = 2;
const FATTR_GID = 4;
const FATTR_SIZE = 8;
const FATTR_ATIME = 16;
const FATTR_MTIME = 32;
const FATTR_FH = 64;
const FATTR_ATIME_NOW = 128;

/** ioctl type of the NS_GET_* commands (linux/nsfs.h). */
const NSIO = 0xb7;

/**
 * The file system of one thread. The thread's kernel handle must be busy() while a request is served, and not sleep in
 * between; a handle with `maySleep` (none of a FUSE worker's) may wait for locks instead of answering WOULD_WAIT.
 */
export class ProcFs implements FileSystem {
  readonly wait: LockWait;
  private readonly c: RequestContext;
  private readonly walker: Walker;
  private readonly seq = new SeqReader();
  private readonly text = new Text();
  private readonly plus = new Attr();

  constructor(options: ProcFsOptions) {
    const { kernel, host, facts, tables } = options;
    const subject = new CallerSubject(facts);
    const root = [...tables.root, synthprocRow(options.synthproc)].sort(byLengthThenName);
    const entries = new Entries({ ...tables, root: [...root, ...selfRows(subject)] });
    if (entries.root.listed.length + 2 > SELF_OFFSET) throw new RangeError("too many rows at the root");
    this.wait = kernel.t.wait;
    this.c = new RequestContext(kernel, host, subject, entries);
    this.walker = new Walker(this.c, templatesOf(entries));
  }

  lookup(parentHi: number, parentLo: number, name: string, caller: Caller, out: Attr): number {
    this.walker.begin(caller);
    return this.walker.end(this.findName(parentHi, parentLo, name, out));
  }

  getattr(hi: number, lo: number, handle: number, caller: Caller, out: Attr): number {
    this.walker.begin(caller);
    return this.walker.end(this.attributes(hi, lo, handle, out));
  }

  setattr(hi: number, lo: number, valid: number, caller: Caller, out: Attr): number {
    this.walker.begin(caller);
    const found = this.reach(hi, lo);
    const refused = found !== 0 ? found : this.mayChange(valid);
    return this.walker.end(refused !== 0 ? refused : this.fill(out));
  }

  readlink(hi: number, lo: number, caller: Caller, dest: Uint8Array): number {
    this.walker.begin(caller);
    const found = this.reach(hi, lo);
    return this.walker.end(found !== 0 ? found : this.linkText(dest));
  }

  access(hi: number, lo: number, mask: number, caller: Caller): number {
    this.walker.begin(caller);
    const found = this.reach(hi, lo);
    const { entry } = this.walker;
    const checked = found === 0 && entry !== null && entry.kind !== "link";
    return this.walker.end(checked ? this.walker.may(entry, mask & (MAY_READ | MAY_WRITE | MAY_EXEC)) : found);
  }

  open(hi: number, lo: number, flags: number, caller: Caller, out: OpenFile): number {
    this.walker.begin(caller);
    return this.walker.end(this.openFile(hi, lo, flags, out));
  }

  read(hi: number, lo: number, handle: number, offset: number, dest: Uint8Array, caller: Caller): number {
    this.walker.begin(caller);
    return this.walker.end(this.readFile(hi, lo, handle, offset, dest));
  }

  write(hi: number, lo: number, handle: number, offset: number, data: Uint8Array, caller: Caller): number {
    this.walker.begin(caller);
    return this.walker.end(this.writeFile(hi, lo, handle, offset, data));
  }

  release(handle: number): void {
    const { c, walker } = this;
    walker.begin(NOBODY);
    if (!openFileNode(c, handle, this.plus)) return;
    const entry = walker.byHandle(this.plus.nodeHi, this.plus.nodeLo);
    c.file = handle;
    entry?.row.release?.(c);
    seqRelease(c);
    openFileFree(c, handle);
    walker.end(0);
  }

  opendir(hi: number, lo: number, caller: Caller, out: OpenFile): number {
    this.walker.begin(caller);
    return this.walker.end(this.openDirectory(hi, lo, out));
  }

  readdir(
    hi: number,
    lo: number,
    handle: number,
    offset: number,
    plus: boolean,
    caller: Caller,
    sink: DirSink,
  ): number {
    const { c, walker } = this;
    walker.begin(caller);
    const entry = isOpenFile(c, handle, hi, lo) ? walker.byHandle(hi, lo) : null;
    if (entry === null) return walker.end(-EBADF);
    if (entry.kind !== "dir" && entry.kind !== "dynamic") return walker.end(-ENOTDIR);
    c.file = handle;
    return walker.end(listDirectory(c, entry, offset, plus ? this.plus : null, sink));
  }

  releasedir(handle: number): void {
    this.release(handle);
  }

  refuse(operation: Parameters<FileSystem["refuse"]>[0]): number {
    // Looking up a new name fails before the operation is even refused; only what exists can be refused to be removed.
    return operation === "unlink" || operation === "rmdir" ? -EPERM : -ENOENT;
  }

  ioctl(hi: number, lo: number, _handle: number, command: number, caller: Caller): number {
    const { walker } = this;
    walker.begin(caller);
    const found = walker.byPath(hi, lo);
    const namespace = found === 0 && walker.node.tag === Tag.target && walker.node.row === Target.namespace;
    return walker.end(namespace && ((command >>> 8) & 0xff) === NSIO ? -EPERM : -ENOTTY);
  }

  keepWait(): void {
    keepWait(this.c.k);
  }

  endWait(): void {
    endWait(this.c.k);
  }

  idle(): void {
    this.c.k.idle();
  }

  busy(): void {
    this.c.k.busy();
  }

  /** This thread's handle on the kernel. */
  kernel(): Kernel {
    return this.c.k;
  }

  /** Tells of the names of a reaped task; see notify.ts. For a thread that serves no requests. */
  invalidateReaped(tgid: number, pid: number, notifier: EntryNotifier): void {
    invalidateReaped(this.c.k, this.c.entries.process, tgid, pid, notifier);
  }

  /** Walks to a node by path. Whose working directory is gone with its process is told so, not sent to look again. */
  private reach(hi: number, lo: number): number {
    const found = this.walker.byPath(hi, lo);
    const { entry } = this.walker;
    return found === -ESTALE && entry !== null && wasToldStale(this.c, hi, lo) ? insideGone(entry) : found;
  }

  private findName(hi: number, lo: number, name: string, out: Attr): number {
    const { walker } = this;
    const found = walker.byPath(hi, lo);
    const { entry } = walker;
    if (entry === null) return found !== 0 ? found : -ENOTDIR;
    if (entry.kind !== "dir" && entry.kind !== "dynamic") return found !== 0 ? found : -ENOTDIR;
    if (found === -ESTALE) return insideGone(entry);
    if (found !== 0) return found;
    const refused = walker.may(entry, MAY_EXEC);
    return refused !== 0 ? refused : lookupIn(this.c, entry, name, out);
  }

  private attributes(hi: number, lo: number, handle: number, out: Attr): number {
    const { c, walker } = this;
    const found = walker.byPath(hi, lo);
    const { entry } = walker;
    if (found === -ESTALE && entry !== null) return this.attributesOfGone(entry, hi, lo, handle, out);
    if (found !== 0) return found;
    if (entry === c.entries.process && !hasPidPermissions(c.k, c.task, HIDEPID_INVISIBLE, c.subject)) return -ENOENT;
    return this.fill(out);
  }

  /** Who has the file or directory open still gets its attributes (fstat), who comes by path is sent to look again. */
  private attributesOfGone(entry: Entry, hi: number, lo: number, handle: number, out: Attr): number {
    if (handle === 0 && !mayBeOpen(this.c, hi, lo) && !wasToldStale(this.c, hi, lo)) return -ESTALE;
    if (entry.row.name === "fd") return -ENOENT;
    if (this.walker.node.tag === Tag.row) fillEntry(this.c, entry, out);
    else if (entry.kind === "seq") fillFdinfo(this.c, out);
    else return -ESTALE;
    return 0;
  }

  /** Fills in everything about the node that was arrived at. */
  private fill(out: Attr): number {
    const { c } = this;
    const { node, entry } = this.walker;
    switch (node.tag) {
      case Tag.fd:
      case Tag.fdOfThread:
        return staleIfNone(fillFdLink(c, out));
      case Tag.fdinfo:
      case Tag.fdinfoOfThread:
        fillFdinfo(c, out);
        return 0;
      case Tag.map:
        return staleIfNone(fillMapLink(c, out));
      case Tag.target:
        return fillTarget(c, node.row, node.index, out) ? 0 : -ESTALE;
      case Tag.own:
        fillOwn(c, node.index, out);
        return 0;
      default:
        if (entry === null) return -ESTALE;
        fillEntry(c, entry, out);
        return 0;
    }
  }

  /** setattr_prepare, and proc_setattr's refusal of modes. */
  private mayChange(valid: number): number {
    const { c, walker } = this;
    const { entry } = walker;
    if ((valid & FATTR_MODE) !== 0 || entry === null) return -EPERM;
    if ((valid & (FATTR_UID | FATTR_GID)) !== 0 && !c.subject.capable(CAP_CHOWN)) return -EPERM;
    if ((valid & FATTR_SIZE) !== 0 && (valid & FATTR_FH) === 0) return walker.may(entry, MAY_WRITE);
    if ((valid & (FATTR_ATIME | FATTR_MTIME)) === 0) return 0;
    if (walker.owns(entry) || c.subject.capable(CAP_FOWNER)) return 0;
    return (valid & FATTR_ATIME_NOW) !== 0 ? walker.may(entry, MAY_WRITE) : -EPERM;
  }

  private linkText(dest: Uint8Array): number {
    const { c, text } = this;
    const { node, entry } = this.walker;
    text.clear();
    if (node.tag === Tag.own) {
      ownTarget(c, node.index, text);
    } else {
      if (entry === null || entry.kind !== "link") return -EINVAL;
      if (entry.scope !== Scope.root && !ptraceMayAccess(c.k, c.task, PTRACE_MODE_READ_FSCREDS, c.subject))
        return -EACCES;
      const result = entry.row.target(c, text);
      if (result !== 0) return result;
    }
    return copyText(text, 0, dest);
  }

  private openFile(hi: number, lo: number, flags: number, out: OpenFile): number {
    const { c, walker } = this;
    const found = this.reach(hi, lo);
    if (found !== 0) return found;
    const { entry, node } = walker;
    if (entry === null) return this.openTarget(node.row, hi, lo, flags, out);
    if (entry.kind === "dir" || entry.kind === "dynamic") return -EISDIR;
    if (entry.kind === "link") return -EINVAL;
    if ((flags & O_DIRECT) !== 0) return -EINVAL;
    const refused = walker.may(entry, openMask(flags));
    if (refused !== 0) return refused;
    c.file = openFileNew(c, hi, lo, flags);
    if (c.file === NULL) return -ENOMEM;
    const result = entry.row.open === undefined ? 0 : entry.row.open(c);
    if (result !== 0) {
      openFileFree(c, c.file);
      return result;
    }
    return this.opened(c.file, out);
  }

  /** Namespace files can be opened, and do nothing; what sockets and anonymous files are can't be opened by name. */
  private openTarget(kind: number, hi: number, lo: number, flags: number, out: OpenFile): number {
    if (kind !== Target.namespace) return -ENXIO;
    if ((openMask(flags) & MAY_WRITE) !== 0) return -EACCES;
    return this.opened(openFileNew(this.c, hi, lo, flags), out);
  }

  private openDirectory(hi: number, lo: number, out: OpenFile): number {
    const { c, walker } = this;
    const found = this.reach(hi, lo);
    if (found !== 0) return found;
    const { entry } = walker;
    if (entry === null || (entry.kind !== "dir" && entry.kind !== "dynamic")) return -ENOTDIR;
    const refused = walker.may(entry, MAY_READ);
    if (refused !== 0) return refused;
    return this.opened(openFileNew(c, hi, lo, 0), out);
  }

  private opened(file: Ptr, out: OpenFile): number {
    if (file === NULL) return -ENOMEM;
    out.handle = file;
    out.directIo = true;
    out.nonSeekable = false;
    return 0;
  }

  private readFile(hi: number, lo: number, handle: number, offset: number, dest: Uint8Array): number {
    const { c, walker } = this;
    if (!isOpenFile(c, handle, hi, lo)) return -EBADF;
    const entry = walker.byHandle(hi, lo);
    if (entry === null) return -EINVAL;
    c.file = handle;
    if (entry.kind === "seq") return this.seq.read(c, entry.ops, offset, dest);
    if (entry.kind !== "raw" && entry.kind !== "small") return -EISDIR;
    if (isGone(c, entry)) return -ESRCH;
    if (entry.kind === "raw") return entry.row.read(c, offset, dest);
    this.text.clear();
    const result = entry.row.show(c, this.text);
    return result < 0 ? result : copyText(this.text, offset, dest);
  }

  private writeFile(hi: number, lo: number, handle: number, offset: number, data: Uint8Array): number {
    const { c, walker } = this;
    if (!isOpenFile(c, handle, hi, lo)) return -EBADF;
    const entry = walker.byHandle(hi, lo);
    if (entry === null || entry.row.write === undefined) {
      return entry !== null && entry.scope === Scope.root ? -EIO : -EINVAL;
    }
    c.file = handle;
    return isGone(c, entry as FileEntry) ? -ESRCH : entry.row.write(c, offset, data);
  }
}

const NOBODY: Caller = { uid: 0xfffe, gid: 0xfffe, pid: 0 };

/** Order of static entries at the root: they live in a tree that compares lengths first (proc_match). */
function byLengthThenName(a: { name: string }, b: { name: string }): number {
  if (a.name.length !== b.name.length) return a.name.length - b.name.length;
  return a.name < b.name ? -1 : 1;
}

function templatesOf(entries: Entries): Templates {
  const templates: Entry[] = [];
  templates[Tag.fd] = entries.template(FD_LINK, Scope.process);
  templates[Tag.fdOfThread] = entries.template(FD_LINK, Scope.thread);
  templates[Tag.fdinfo] = entries.template(FDINFO_FILE, Scope.process);
  templates[Tag.fdinfoOfThread] = entries.template(FDINFO_FILE, Scope.thread);
  templates[Tag.map] = entries.template(MAP_LINK, Scope.process);
  return templates;
}

/** MAY_* of open(2) flags (ACC_MODE). */
function openMask(flags: number): number {
  const mode = flags & O_ACCMODE;
  const access = mode === 0 ? MAY_READ : mode === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  return (flags & O_TRUNC) !== 0 ? access | MAY_WRITE : access;
}

/** A link that isn't there any more: the path has to be looked up again. */
function staleIfNone(result: number): number {
  return result === -ENOENT ? -ESTALE : result;
}

/** Within a directory whose process is gone: a permission check that finds no task says ESRCH, a lookup ENOENT. */
function insideGone(entry: Entry): number {
  const checked = (entry.kind === "dir" || entry.kind === "dynamic") && entry.row.permission !== undefined;
  return checked ? -ESRCH : -ENOENT;
}

/** True if what the file needs was reaped with its process. */
function isGone(c: RequestContext, entry: Entry): boolean {
  return entry.scope !== Scope.root && c.task === NULL && entry.row.pinned !== true;
}

/** Copies a text from `offset` on; @returns how many bytes. */
function copyText(text: Text, offset: number, dest: Uint8Array): number {
  const count = Math.max(0, Math.min(dest.length, text.length - offset));
  dest.set(text.bytes.subarray(offset, offset + count));
  return count;
}
