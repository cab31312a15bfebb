/** Operations on descriptors. */
import {
  closeFd,
  descriptorOf,
  fdLookup,
  fileNew,
  filePut,
  installFd,
  installFdAt,
  nextFd,
} from "../../kernel/files.ts";
import type { FileSpec } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { FILE, FileKind, PATH, TASK } from "../../kernel/layout.ts";
import { nextInode, pathNew } from "../../kernel/path.ts";
import { bytesPut, bytesText, latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Operation } from "./operations.ts";
import { packPipe, pipeEnds } from "./operations.ts";

type FileOperation = Extract<Operation, { kind: "open" | "close" | "reopen" }>;

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
/** The inode that all anonymous files share. */
const ANONYMOUS_INODE = 1038;

export function applyFile(k: Kernel, task: Ptr, operation: FileOperation): number {
  const files = k.m.load(task + TASK.files);
  switch (operation.kind) {
    case "open":
      return open(k, files, operation);
    case "close":
      return close(k, files, operation);
    case "reopen":
      return reopen(k, task, files, operation);
  }
}

function open(k: Kernel, files: Ptr, { what, path }: Extract<Operation, { kind: "open" }>): number {
  switch (what) {
    case "file":
      return install(k, files, { kind: FileKind.regular, flags: O_RDWR, path: pathNew(k, { name: path }) });
    case "socket":
      return install(k, files, { kind: FileKind.socket, flags: O_RDWR | O_NONBLOCK });
    case "eventfd":
      return install(k, files, { kind: FileKind.eventfd, flags: O_RDWR, ino: ANONYMOUS_INODE });
    case "pipe":
      return openPipe(k, files);
  }
}

function openPipe(k: Kernel, files: Ptr): number {
  const ino = nextInode(k);
  const read = install(k, files, { kind: FileKind.pipe, flags: O_RDONLY, ino });
  if (read < 0) return read;
  const write = install(k, files, { kind: FileKind.pipe, flags: O_WRONLY, ino });
  if (write >= 0) return packPipe(read, write);
  closeFd(k, files, read);
  return write;
}

function install(k: Kernel, files: Ptr, spec: FileSpec): number {
  const file = fileNew(k, spec);
  const fd = installFd(k, files, file);
  if (fd < 0) filePut(k, file);
  return fd;
}

function close(k: Kernel, files: Ptr, { what, fd }: Extract<Operation, { kind: "close" }>): number {
  if (what !== "pipe") return closeFd(k, files, fd);
  const [read, write] = pipeEnds(fd);
  const error = closeFd(k, files, read);
  return closeFd(k, files, write) || error;
}

/** The log has been renamed, and each process that writes it opens the new one. @returns how many were reopened */
function reopen(k: Kernel, task: Ptr, files: Ptr, operation: Extract<Operation, { kind: "reopen" }>): number {
  let count = 0;
  for (let fd = nextFd(k, task, 0); fd >= 0; fd = nextFd(k, task, fd + 1)) {
    const file = fdLookup(k, task, fd);
    const path = k.m.load(file + FILE.path);
    if (path === 0) continue;
    const name = bytesText(k.m, k.m.load(path + PATH.name));
    if (name !== operation.path && name !== operation.rotated) continue;
    if (k.m.load64(path + PATH.ino) === operation.ino) continue;
    if (name === operation.path) rename(k, path, operation.rotated);
    replace(k, task, files, fd, file, operation);
    count++;
  }
  return count;
}

/** All who have the file open see its new name. Readers copy the old one under RCU. */
function rename(k: Kernel, path: Ptr, name: string): void {
  bytesPut(k.m, k.slab, k.m.exchange(path + PATH.name, k.bytes(latin1Bytes(name))));
}

function replace(
  k: Kernel,
  task: Ptr,
  files: Ptr,
  fd: number,
  file: Ptr,
  { path, ino }: Extract<Operation, { kind: "reopen" }>,
): void {
  const { m } = k;
  const old = m.load(file + FILE.path);
  const dev = m.load(old + PATH.dev);
  const fresh = pathNew(k, {
    name: path,
    ino,
    devMajor: dev >>> 20,
    devMinor: dev & 0xfffff,
    mode: m.load(old + PATH.mode),
  });
  const flags = m.load(file + FILE.flags);
  const spec: FileSpec = { kind: FileKind.regular, flags, path: fresh, mntId: m.load(file + FILE.mntId) };
  const { closeOnExec } = descriptorOf(k, task, fd);
  const opened = fileNew(k, spec);
  closeFd(k, files, fd);
  if (installFdAt(k, files, fd, opened, closeOnExec) < 0) filePut(k, opened);
}
