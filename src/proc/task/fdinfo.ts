/** /proc/<pid>/fdinfo/<fd> (seq_show, fs/proc/fd.c, and the show_fdinfo of each kind of file). */
import { ENOENT } from "../../kernel/errno.ts";
import { descriptorOf, fdLookup } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FILE, FileKind, PATH } from "../../kernel/layout.ts";
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { BYTES, bytesLength } from "../../shm/bytes.ts";
import type { Context } from "../row.ts";
import type { FdinfoSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

const O_CLOEXEC = 0o2000000;
/** Device numbers, as the kernel's inodes have them (major << 20 | minor), of pipes, sockets and anonymous inodes. */
const DEV_PIPE = 0xf;
const DEV_SOCKET = 0x9;
const DEV_ANON = 0x10;
/** EPOLLIN | EPOLLERR | EPOLLHUP: what a target is usually watched for. */
const EPOLL_EVENTS = 0x19;
/** The device of inotify's inodes, and IN_CREATE. */
const INOTIFY_DEV = 0xfe00000;
const INOTIFY_MASK = 0x100;
/** "pos:": a captured text that is shown in place of everything else. */
const POS = [112, 111, 115, 58] as const;

/** Shows /proc/<pid>/fdinfo/<fd> of descriptor `c.index`. @returns 0, or -ENOENT if it is not open @pre RCU */
export function showFdinfo(c: Context, out: Text): number {
  const { k } = c;
  const { file, closeOnExec } = descriptorOf(k, c.task, c.index);
  if (file === 0) return -ENOENT;
  const extra = k.m.load(file + FILE.extra);
  if (isWhole(k.m, extra)) {
    raw(k.m, extra, out);
    return 0;
  }
  showOpenFile(c, file, closeOnExec, out);
  if (extra !== 0) raw(k.m, extra, out);
  else showKind(c, c.scratch.fdinfo, out);
  return 0;
}

/** Shows what every kind of file has: position, flags, mount, inode. @pre RCU, or a reference */
export function showOpenFile(c: Context, file: Ptr, closeOnExec: boolean, out: Text): void {
  gatherFdinfo(c.k, file, closeOnExec, c.scratch.fdinfo);
  formatFdinfo(c.scratch.fdinfo, out);
}

function isWhole(m: Memory, extra: Ptr): boolean {
  if (bytesLength(m, extra) < POS.length) return false;
  for (let i = 0; i < POS.length; i++) if (m.byteAt(extra + BYTES.words, i) !== POS[i]) return false;
  return true;
}

function raw(m: Memory, bytes: Ptr, out: Text): void {
  const length = bytesLength(m, bytes);
  for (let i = 0; i < length; i++) out.byte(m.byteAt(bytes + BYTES.words, i));
}

function gatherFdinfo(k: Kernel, file: Ptr, closeOnExec: boolean, s: FdinfoSnapshot): void {
  const { m } = k;
  const path = m.load(file + FILE.path);
  s.kind = m.load(file + FILE.kind);
  s.pos = m.load64(file + FILE.pos);
  s.flags = (m.load(file + FILE.flags) & ~O_CLOEXEC) | (closeOnExec ? O_CLOEXEC : 0);
  s.mntId = m.load(file + FILE.mntId);
  s.ino = path === 0 ? m.load64(file + FILE.ino) : m.load64(path + PATH.ino);
  s.dataLow = m.loadU32(file + FILE.data);
  s.dataHigh = m.loadU32(file + FILE.data + 1);
}

/** What every kind of file shows. */
export function formatFdinfo(s: FdinfoSnapshot, out: Text): void {
  out.str("pos:\t").dec(s.pos);
  out.str("\nflags:\t0").oct(s.flags);
  out.str("\nmnt_id:\t").dec(s.mntId);
  out.str("\nino:\t").dec(s.ino).byte(10);
}

/** What a kind of file shows of itself, from the one number that is kept of it (FILE.data). */
function showKind(c: Context, s: FdinfoSnapshot, out: Text): void {
  if (s.kind === FileKind.eventpoll) showEpollTarget(c, s, out);
  else formatKind(s, s.ino, out);
}

/** Lines of eventfd (count), timerfd (clock), signalfd (mask), inotify (watches), pidfd (pid). */
export function formatKind(s: FdinfoSnapshot, id: number, out: Text): void {
  switch (s.kind) {
    case FileKind.eventfd:
      hexPadded(out.str("eventfd-count: "), s, 16);
      out.str("\neventfd-id: ").dec(id).str("\neventfd-semaphore: 0\n");
      return;
    case FileKind.timerfd:
      out.str("clockid: ").dec(s.dataLow);
      out.str("\nticks: 0\nsettime flags: 00\nit_value: (0, 0)\nit_interval: (0, 0)\n");
      return;
    case FileKind.signalfd:
      out.str("sigmask:\t").hex64(s.dataLow, s.dataHigh).byte(10);
      return;
    case FileKind.inotify:
      for (let wd = 1; wd <= s.dataLow; wd++) inotifyLine(s.ino + wd, wd, out);
      return;
    case FileKind.pidfd:
      out.str("Pid:\t").dec(s.dataLow).str("\nNSpid:\t").dec(s.dataLow).byte(10);
      return;
  }
}

/** %16llx: hexadecimal, padded with blanks. */
function hexPadded(out: Text, s: FdinfoSnapshot, width: number): void {
  const value = s.dataHigh * 4294967296 + s.dataLow;
  let digits = 1;
  for (let rest = value; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  for (let i = digits; i < width; i++) out.byte(32);
  out.hex(value);
}

function inotifyLine(ino: number, wd: number, out: Text): void {
  out.str("inotify wd:").hex(wd).str(" ino:").hex(ino).str(" sdev:").hex(INOTIFY_DEV);
  out.str(" mask:").hex(INOTIFY_MASK).str(" ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:");
  for (let byte = 0; byte < 4; byte++) out.hex((ino >>> (8 * byte)) & 0xff, 2);
  out.str("00000000\n");
}

/** The watched descriptor of an epoll file: FILE.data is its number + 1, or 0 if nothing is watched. */
function showEpollTarget(c: Context, s: FdinfoSnapshot, out: Text): void {
  const { m } = c.k;
  const fd = s.dataLow - 1;
  const target = fd < 0 ? 0 : fdLookup(c.k, c.task, fd);
  if (target === 0) return;
  const path = m.load(target + FILE.path);
  const ino = path === 0 ? m.load64(target + FILE.ino) : m.load64(path + PATH.ino);
  const dev = path === 0 ? deviceOf(m.load(target + FILE.kind)) : m.load(path + PATH.dev);
  formatEpollTarget(fd, m.load64(target + FILE.pos), ino, dev >>> 0, out);
}

/** One target of an epoll file (ep_show_fdinfo); its user data is the descriptor. */
export function formatEpollTarget(fd: number, pos: number, ino: number, dev: number, out: Text): void {
  out.str("tfd: ").dec(fd, 8).str(" events: ");
  out.str("      ").hex(EPOLL_EVENTS).str(" data: ");
  const digits = fd.toString(16).length;
  for (let i = digits; i < 16; i++) out.byte(32);
  out.hex(fd).str("  pos:").dec(pos).str(" ino:").hex(ino).str(" sdev:").hex(dev).byte(10);
}

function deviceOf(kind: number): number {
  if (kind === FileKind.pipe) return DEV_PIPE;
  return kind === FileKind.socket ? DEV_SOCKET : DEV_ANON;
}
