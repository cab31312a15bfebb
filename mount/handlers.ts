/**
 * What each kind of message does: read the fields, call the file system, encode the result. Each handler returns the
 * reply's length, NO_REPLY, or WOULD_WAIT. Field positions follow the structs named in each comment.
 */
import { EAGAIN, EINTR, EINVAL, EIO, ENOSYS } from "../src/kernel/errno.ts";
import { WOULD_WAIT } from "../src/proc/vfs.ts";
import * as abi from "./abi.ts";
import { NOT_PARKED, TAKEN_OUT } from "./parking.ts";
import { NEGATIVE_OFFSET } from "./request.ts";
import type { Session } from "./session.ts";

const NO_REPLY = 0;
/** EPROTO is no errno of the simulation: only the protocol itself fails with it. */
const EPROTO = 71;
/** Longest link text: a page without its NUL, as readlink on procfs. */
const LINK_MAX = abi.PAGE_SIZE - 1;
const BODY = abi.W_BODY;

export type Handler = (session: Session) => number;

/** A negative result of the file system becomes an error reply, or the wish to wait. */
function failed(session: Session, result: number): number {
  return result === WOULD_WAIT ? WOULD_WAIT : session.reply.status(result);
}

export function lookup(session: Session): number {
  const { request, attr } = session;
  const name = request.name(abi.IN_HEADER_SIZE);
  const result = session.fileSystem.lookup(request.nodeHi(), request.nodeLo(), name, request.caller, attr);
  return result < 0 ? failed(session, result) : session.reply.entry(attr);
}

/** Node ids are stateless, so there is nothing to forget. */
export function forget(): number {
  return NO_REPLY;
}

/** struct fuse_getattr_in: flags, dummy, fh */
export function getattr(session: Session): number {
  const { request, attr } = session;
  const handle = request.u32(BODY) & abi.GETATTR_FH ? request.handle(BODY + 2) : 0;
  const result = session.fileSystem.getattr(request.nodeHi(), request.nodeLo(), handle, request.caller, attr);
  return result < 0 ? failed(session, result) : session.reply.attributes(attr);
}

/** struct fuse_setattr_in: valid, padding, fh, size, ... */
export function setattr(session: Session): number {
  const { request, attr } = session;
  const valid = request.u32(BODY);
  const result = session.fileSystem.setattr(request.nodeHi(), request.nodeLo(), valid, request.caller, attr);
  return result < 0 ? failed(session, result) : session.reply.attributes(attr);
}

export function readlink(session: Session): number {
  const { request, reply } = session;
  const target = reply.window(LINK_MAX);
  const result = session.fileSystem.readlink(request.nodeHi(), request.nodeLo(), request.caller, target);
  return result < 0 ? failed(session, result) : reply.data(result);
}

/** struct fuse_open_in: flags, open_flags */
export function open(session: Session): number {
  const { request, opened } = session;
  opened.handle = 0;
  opened.directIo = true;
  opened.nonSeekable = false;
  const flags = request.u32(BODY);
  const result = session.fileSystem.open(request.nodeHi(), request.nodeLo(), flags, request.caller, opened);
  return result < 0 ? failed(session, result) : session.reply.open(opened, true);
}

export function opendir(session: Session): number {
  const { request, opened } = session;
  opened.handle = 0;
  opened.nonSeekable = false;
  const result = session.fileSystem.opendir(request.nodeHi(), request.nodeLo(), request.caller, opened);
  return result < 0 ? failed(session, result) : session.reply.open(opened, false);
}

/** struct fuse_read_in: fh, offset, size, ... */
export function read(session: Session): number {
  const { request, reply } = session;
  const offset = request.offset(BODY + 2);
  if (offset === NEGATIVE_OFFSET) return reply.status(-EINVAL);
  const asked = request.u32(BODY + 4);
  const target = reply.window(asked < abi.MAX_READ ? asked : abi.MAX_READ);
  const result = session.fileSystem.read(
    request.nodeHi(),
    request.nodeLo(),
    request.handle(BODY),
    offset,
    target,
    request.caller,
  );
  return result < 0 ? failed(session, result) : reply.data(result);
}

/** struct fuse_write_in: fh, offset, size, write_flags, lock_owner, flags, padding; then the data */
export function write(session: Session): number {
  const { request, reply } = session;
  const offset = request.offset(BODY + 2);
  if (offset === NEGATIVE_OFFSET) return reply.status(-EINVAL);
  const size = request.u32(BODY + 4);
  const start = abi.IN_HEADER_SIZE + 40;
  if (size > request.length - start) return reply.status(-EINVAL);
  const data = request.bytes.subarray(start, start + size);
  const handle = request.handle(BODY);
  const result = session.fileSystem.write(request.nodeHi(), request.nodeLo(), handle, offset, data, request.caller);
  return result < 0 ? failed(session, result) : reply.written(result);
}

/** struct fuse_read_in, as READ; the offset is a directory cookie */
function list(session: Session, plus: boolean): number {
  const { request, reply } = session;
  const offset = request.offset(BODY + 2);
  if (offset === NEGATIVE_OFFSET) return reply.status(-EINVAL);
  const asked = request.u32(BODY + 4);
  reply.beginEntries(asked < abi.MAX_READ ? asked : abi.MAX_READ);
  session.plus = plus;
  session.full = false;
  const result = session.fileSystem.readdir(
    request.nodeHi(),
    request.nodeLo(),
    request.handle(BODY),
    offset,
    plus,
    request.caller,
    session.sink,
  );
  if (result < 0) return failed(session, result);
  // An empty answer would say that the directory ends here; a buffer too small for one entry must say so instead.
  if (session.full && reply.entriesEmpty()) return reply.status(-EINVAL);
  return reply.endEntries();
}

export function readdir(session: Session): number {
  return list(session, false);
}

export function readdirplus(session: Session): number {
  return list(session, true);
}

/** struct fuse_release_in: fh, ... */
export function release(session: Session): number {
  session.fileSystem.release(session.request.handle(BODY));
  return session.reply.status(0);
}

export function releasedir(session: Session): number {
  session.fileSystem.releasedir(session.request.handle(BODY));
  return session.reply.status(0);
}

/** struct fuse_access_in: mask, padding */
export function access(session: Session): number {
  const { request } = session;
  const mask = request.u32(BODY);
  const result = session.fileSystem.access(request.nodeHi(), request.nodeLo(), mask, request.caller);
  return failed(session, result);
}

export function statfs(session: Session): number {
  return session.reply.statfs();
}

/** struct fuse_ioctl_in: fh, flags, cmd, arg, in_size, out_size */
export function ioctl(session: Session): number {
  const { request } = session;
  const result = session.fileSystem.ioctl(
    request.nodeHi(),
    request.nodeLo(),
    request.handle(BODY),
    request.u32(BODY + 3),
    request.caller,
  );
  return result < 0 ? failed(session, result) : session.reply.ioctl(result);
}

/** struct fuse_getxattr_in: size, padding. Nothing on procfs has extended attributes: the list is empty. */
export function listxattr(session: Session): number {
  return session.reply.noXattrs(session.request.u32(BODY) === 0);
}

/** fsync(2) on procfs, and SEEK_DATA and SEEK_HOLE on its seq files. */
export function invalid(session: Session): number {
  return session.reply.status(-EINVAL);
}

/** The kernel then does without, and does not ask again. */
export function unimplemented(session: Session): number {
  return session.reply.status(-ENOSYS);
}

export function create(session: Session): number {
  return failed(session, session.fileSystem.refuse("create"));
}

export function mkdir(session: Session): number {
  return failed(session, session.fileSystem.refuse("mkdir"));
}

export function mknod(session: Session): number {
  return failed(session, session.fileSystem.refuse("mknod"));
}

export function symlink(session: Session): number {
  return failed(session, session.fileSystem.refuse("symlink"));
}

export function link(session: Session): number {
  return failed(session, session.fileSystem.refuse("link"));
}

export function rename(session: Session): number {
  return failed(session, session.fileSystem.refuse("rename"));
}

export function unlink(session: Session): number {
  return failed(session, session.fileSystem.refuse("unlink"));
}

export function rmdir(session: Session): number {
  return failed(session, session.fileSystem.refuse("rmdir"));
}

export function destroy(session: Session): number {
  return session.reply.status(0);
}

/**
 * struct fuse_interrupt_in: unique of the request meant. If this thread takes that request out of the parking lot, the
 * reply is the *request's* (EINTR); an INTERRUPT itself is only answered to have the kernel send it again (EAGAIN).
 */
export function interrupt(session: Session): number {
  const { request, reply, options } = session;
  const low = request.words[BODY] as number;
  const high = request.words[BODY + 1] as number;
  const outcome = options.interrupt === undefined ? NOT_PARKED : options.interrupt(low, high, session.fileSystem.wait);
  if (outcome === NOT_PARKED) return reply.status(-EAGAIN);
  if (outcome !== TAKEN_OUT) return NO_REPLY;
  reply.address(low, high);
  return reply.status(-EINTR);
}

/** struct fuse_init_in: major, minor, max_readahead, flags, ... */
export function init(session: Session): number {
  const { request, reply, options } = session;
  const major = request.u32(BODY);
  const kernelMinor = request.u32(BODY + 1);
  // A newer kernel learns our major version from the reply and sends INIT again.
  if (major > abi.FUSE_MAJOR) return reply.init(abi.FUSE_MINOR, 0, 0);
  if (major < abi.FUSE_MAJOR || kernelMinor < abi.FUSE_OLDEST_MINOR) return reply.status(-EPROTO);
  if (request.length < abi.IN_HEADER_SIZE + 16) return reply.status(-EIO);
  const minor = Math.min(kernelMinor, abi.FUSE_MINOR);
  const flags = request.u32(BODY + 3) & wishes(options.readdirPlus ?? "auto");
  options.onInit?.({ kernelMinor, minor, flags });
  return reply.init(minor, request.u32(BODY + 2), flags);
}

function wishes(readdirPlus: "never" | "auto" | "always"): number {
  let flags =
    abi.INIT_ASYNC_READ |
    abi.INIT_ATOMIC_O_TRUNC |
    abi.INIT_BIG_WRITES |
    abi.INIT_PARALLEL_DIROPS |
    abi.INIT_ABORT_ERROR |
    abi.INIT_MAX_PAGES;
  if (readdirPlus !== "never") flags |= abi.INIT_DO_READDIRPLUS;
  if (readdirPlus === "auto") flags |= abi.INIT_READDIRPLUS_AUTO;
  return flags;
}
