/**
 * One table of all FUSE opcodes: what they are called, what they must at least contain, who handles them, and whether
 * the kernel waits for a reply. Dispatch, validation and the debug format derive from it.
 */
import * as abi from "./abi.ts";
import type { Handler } from "./handlers.ts";
import * as handlers from "./handlers.ts";
import { WOULD_WAIT } from "../src/proc/vfs.ts";
import type { Session } from "./session.ts";

export interface OpcodeRow {
  readonly name: string;
  readonly handler: Handler;
  /** Bytes of the fixed body after the header. */
  readonly body: number;
  /** NUL-terminated names after the fixed body. */
  readonly names: number;
  /** True if the kernel waits for an answer. */
  readonly reply: boolean;
}

function row(name: string, handler: Handler, body = 0, names = 0): OpcodeRow {
  return { name, handler, body, names, reply: true };
}

function silent(name: string, handler: Handler, body: number): OpcodeRow {
  return { name, handler, body, names: 0, reply: false };
}

/** Rows by opcode; an opcode without a row is answered with ENOSYS. */
export const OPCODES: readonly (OpcodeRow | undefined)[] = table();

function table(): (OpcodeRow | undefined)[] {
  const rows = new Array<OpcodeRow | undefined>(abi.OPCODE_LIMIT).fill(undefined);
  rows[abi.LOOKUP] = row("LOOKUP", handlers.lookup, 0, 1);
  rows[abi.FORGET] = silent("FORGET", handlers.forget, 8);
  rows[abi.GETATTR] = row("GETATTR", handlers.getattr, 16);
  rows[abi.SETATTR] = row("SETATTR", handlers.setattr, 88);
  rows[abi.READLINK] = row("READLINK", handlers.readlink);
  rows[abi.SYMLINK] = row("SYMLINK", handlers.symlink, 0, 2);
  rows[abi.MKNOD] = row("MKNOD", handlers.mknod, 16, 1);
  rows[abi.MKDIR] = row("MKDIR", handlers.mkdir, 8, 1);
  rows[abi.UNLINK] = row("UNLINK", handlers.unlink, 0, 1);
  rows[abi.RMDIR] = row("RMDIR", handlers.rmdir, 0, 1);
  rows[abi.RENAME] = row("RENAME", handlers.rename, 8, 2);
  rows[abi.LINK] = row("LINK", handlers.link, 8, 1);
  rows[abi.OPEN] = row("OPEN", handlers.open, 8);
  rows[abi.READ] = row("READ", handlers.read, 40);
  rows[abi.WRITE] = row("WRITE", handlers.write, 40);
  rows[abi.STATFS] = row("STATFS", handlers.statfs);
  rows[abi.RELEASE] = row("RELEASE", handlers.release, 24);
  rows[abi.FSYNC] = row("FSYNC", handlers.invalid, 16);
  // ENOSYS reaches the caller as ENOTSUP, which is what procfs says, and the kernel never asks again.
  rows[abi.SETXATTR] = row("SETXATTR", handlers.unimplemented, 8);
  rows[abi.GETXATTR] = row("GETXATTR", handlers.unimplemented, 8, 1);
  rows[abi.LISTXATTR] = row("LISTXATTR", handlers.listxattr, 8);
  rows[abi.REMOVEXATTR] = row("REMOVEXATTR", handlers.unimplemented, 0, 1);
  // Answered once: the kernel never sends FLUSH again, which saves one message on every close.
  rows[abi.FLUSH] = row("FLUSH", handlers.unimplemented, 24);
  rows[abi.INIT] = row("INIT", handlers.init, 8);
  rows[abi.OPENDIR] = row("OPENDIR", handlers.opendir, 8);
  rows[abi.READDIR] = row("READDIR", handlers.readdir, 40);
  rows[abi.RELEASEDIR] = row("RELEASEDIR", handlers.releasedir, 24);
  rows[abi.FSYNCDIR] = row("FSYNCDIR", handlers.invalid, 16);
  rows[abi.ACCESS] = row("ACCESS", handlers.access, 8);
  rows[abi.CREATE] = row("CREATE", handlers.create, 16, 1);
  rows[abi.INTERRUPT] = silent("INTERRUPT", handlers.interrupt, 8);
  rows[abi.DESTROY] = row("DESTROY", handlers.destroy);
  rows[abi.IOCTL] = row("IOCTL", handlers.ioctl, 32);
  // The kernel then reports every file as always ready, as procfs does.
  rows[abi.POLL] = row("POLL", handlers.unimplemented, 24);
  rows[abi.NOTIFY_REPLY] = silent("NOTIFY_REPLY", handlers.forget, 0);
  rows[abi.BATCH_FORGET] = silent("BATCH_FORGET", handlers.forget, 8);
  rows[abi.READDIRPLUS] = row("READDIRPLUS", handlers.readdirplus, 40);
  rows[abi.RENAME2] = row("RENAME2", handlers.rename, 16, 2);
  rows[abi.LSEEK] = row("LSEEK", handlers.invalid, 24);
  rows[abi.STATX] = row("STATX", handlers.unimplemented, 0);
  return rows;
}

/** Smallest body in bytes, by opcode. */
export const MINIMUM_BODY: Int32Array = Int32Array.from(OPCODES, (entry) => entry?.body ?? 0);
/** Number of names that follow the body, by opcode. */
export const NAMES: Int32Array = Int32Array.from(OPCODES, (entry) => entry?.names ?? 0);

/** True unless the opcode is one that the kernel sends without waiting. Unknown ones are answered. */
export function wantsReply(opcode: number): boolean {
  return OPCODES[opcode]?.reply ?? true;
}

export function opcodeName(opcode: number): string {
  return OPCODES[opcode]?.name ?? `OPCODE_${opcode}`;
}

/**
 * One line about a request and its answer, for debugging:
 *
 *     #<unique> <NAME> node=<hi>:<lo> uid=<uid> gid=<gid> pid=<tid> [<details>] -> <n bytes | -errno | waits | no reply>
 *
 * Details: `name="…"` where a name follows; `size= offset=` for reads, writes and listings; `flags=0x…` for opens.
 * @param result what Session.handle() is about to return
 */
export function describe(session: Session, result: number): string {
  const { request } = session;
  const opcode = request.opcode();
  const unique = request.handle(abi.W_UNIQUE);
  const { uid, gid, pid } = request.caller;
  const node = `${request.nodeHi()}:${request.nodeLo()}`;
  const head = `#${unique} ${opcodeName(opcode)} node=${node} uid=${uid} gid=${gid} pid=${pid}`;
  return `${head}${details(session, opcode)} -> ${outcome(session, result)}`;
}

function details(session: Session, opcode: number): string {
  const { request } = session;
  const entry = OPCODES[opcode];
  if (entry === undefined || request.problem !== "") return "";
  if (entry.names > 0) return ` name=${JSON.stringify(request.name(abi.IN_HEADER_SIZE + entry.body))}`;
  if (opcode === abi.OPEN) return ` flags=0x${request.u32(abi.W_BODY).toString(16)}`;
  if (opcode === abi.INTERRUPT) return ` of=#${request.handle(abi.W_BODY)}`;
  if (opcode === abi.READ || opcode === abi.WRITE || opcode === abi.READDIR || opcode === abi.READDIRPLUS) {
    return ` size=${request.u32(abi.W_BODY + 4)} offset=${request.offset(abi.W_BODY + 2)}`;
  }
  return "";
}

function outcome(session: Session, result: number): string {
  if (result === WOULD_WAIT) return "waits";
  if (result === 0) return "no reply";
  const error = session.reply.words[abi.W_OUT_ERROR] as number;
  return error < 0 ? `${error}` : `${result - abi.OUT_HEADER_SIZE} bytes`;
}
