/** Open files of processes: files_struct, its table, and struct file. Readers look descriptors up under RCU. */
import { bytesPut } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { refcountDecAndTest, refcountInc, refcountIncNotZero } from "../sync/refcount.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { Cache, FDTABLE_SIZES, FIRST_FDTABLE_CACHE } from "./caches.ts";
import { EBADF, EINVAL, EMFILE } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import type { FileKindId } from "./layout.ts";
import { FDTABLE, FILE, FILES, TASK } from "./layout.ts";
import { nextInode, pathPut } from "./path.ts";

/** Words of one slot of a descriptor table: the file, and its close-on-exec flag. */
const SLOT = 2;
const CLOSE_ON_EXEC = 1;
/** Mount ids that fdinfo shows for files without a path of their own, as on this kernel. */
const MNT_ID = { socket: 10, pipe: 16, anon: 17, path: 44 } as const;

/** What a new open file is told. */
export interface FileSpec {
  readonly kind: FileKindId;
  /** O_* flags. */
  readonly flags: number;
  /** A PATH, of which the file takes over a reference; 0 for kinds without one. */
  readonly path?: Ptr;
  /** Inode of a socket or pipe; the next free one if absent. */
  readonly ino?: number;
  readonly pos?: number;
  readonly mntId?: number;
  readonly data?: number;
  /** Extra fdinfo lines of a captured file: a BYTES object, whose reference the file takes over. */
  readonly extra?: Ptr;
}

/** A new open file with one reference. */
export function fileNew(k: Kernel, spec: FileSpec): Ptr {
  const { m } = k;
  const file = k.slab.alloc(Cache.file);
  const path = spec.path ?? 0;
  m.plainStore(file + FILE.count, 1);
  m.plainStore(file + FILE.kind, spec.kind);
  m.plainStore(file + FILE.flags, spec.flags);
  m.plainStore(file + FILE.path, path);
  m.plainStore64(file + FILE.ino, spec.ino ?? (path === 0 ? nextInode(k) : 0));
  m.plainStore64(file + FILE.pos, spec.pos ?? 0);
  m.plainStore(file + FILE.mntId, spec.mntId ?? defaultMntId(spec.kind));
  m.plainStore64(file + FILE.data, spec.data ?? 0);
  m.plainStore(file + FILE.extra, spec.extra ?? 0);
  return file;
}

function defaultMntId(kind: FileKindId): number {
  if (kind <= 2) return MNT_ID.path;
  if (kind === 3) return MNT_ID.pipe;
  return kind === 4 ? MNT_ID.socket : MNT_ID.anon;
}

/** Drops a reference (fput). */
export function filePut(k: Kernel, file: Ptr): void {
  if (!refcountDecAndTest(k.m, file + FILE.count)) return;
  pathPut(k, k.m.load(file + FILE.path));
  bytesPut(k.m, k.slab, k.m.load(file + FILE.extra));
  k.slab.freeRcu(file);
}

/** A new, empty files_struct with one reference. */
export function filesNew(k: Kernel): Ptr {
  const files = k.slab.alloc(Cache.files);
  k.m.plainStore(files + FILES.count, 1);
  k.m.plainStore(files + FILES.fdt, fdtableNew(k, 0));
  return files;
}

/** Makes sure that {@link dupFiles} finds memory; false if it would not. */
export function reserveDupFiles(k: Kernel, files: Ptr): boolean {
  const table = FIRST_FDTABLE_CACHE + sizeClass(k.m.load(files + FILES.nextFd));
  return k.slab.reserve(Cache.files, 1) && k.slab.reserve(table, 1);
}

/** A copy for fork (dup_fd): the same open files. @throws ArenaFullError; nothing has changed then */
export function dupFiles(k: Kernel, old: Ptr): Ptr {
  spinLock(k.t, old + FILES.fileLock, LockClass.files);
  try {
    return dupFilesLocked(k, old);
  } finally {
    spinUnlock(k.t, old + FILES.fileLock, LockClass.files);
  }
}

/** @pre fileLock held */
function dupFilesLocked(k: Kernel, old: Ptr): Ptr {
  const { m } = k;
  const oldTable = m.load(old + FILES.fdt);
  const used = m.load(old + FILES.nextFd);
  // First what may find no memory, where others have opened more since it was reserved.
  const table = fdtableNew(k, sizeClass(used));
  const files = k.slab.alloc(Cache.files);
  for (let fd = 0; fd < used; fd++) {
    const file = m.load(slotOf(oldTable, fd));
    if (file === 0) continue;
    refcountInc(m, file + FILE.count);
    m.plainStore(slotOf(table, fd), file);
    m.plainStore(slotOf(table, fd) + 1, m.load(slotOf(oldTable, fd) + 1));
  }
  m.plainStore(files + FILES.count, 1);
  m.plainStore(files + FILES.fdt, table);
  m.plainStore(files + FILES.nextFd, used);
  m.plainStore(files + FILES.openFds, m.load(old + FILES.openFds));
  return files;
}

/** Drops a reference; the last one closes all files. */
export function putFiles(k: Kernel, files: Ptr): void {
  const { m } = k;
  if (!refcountDecAndTest(m, files + FILES.count)) return;
  const table = m.load(files + FILES.fdt);
  const used = m.load(files + FILES.nextFd);
  for (let fd = 0; fd < used; fd++) {
    const file = m.load(slotOf(table, fd));
    if (file !== 0) filePut(k, file);
  }
  k.slab.freeRcu(table);
  k.slab.freeRcu(files);
}

/**
 * Puts a file under the lowest free descriptor ≥ `from` (fd_install); takes over the reference.
 * @returns the descriptor, or -EMFILE above the largest table
 */
export function installFd(k: Kernel, files: Ptr, file: Ptr, from = 0, closeOnExec = false): number {
  spinLock(k.t, files + FILES.fileLock, LockClass.files);
  try {
    return place(k, files, lowestFree(k, files, from), file, closeOnExec);
  } finally {
    spinUnlock(k.t, files + FILES.fileLock, LockClass.files);
  }
}

/** Puts a file under this very descriptor, which must be free (captured processes). @returns it, -EINVAL or -EMFILE */
export function installFdAt(k: Kernel, files: Ptr, fd: number, file: Ptr, closeOnExec = false): number {
  spinLock(k.t, files + FILES.fileLock, LockClass.files);
  try {
    const taken = fd < 0 || fdInFiles(k, files, fd) !== 0;
    return taken ? -EINVAL : place(k, files, fd, file, closeOnExec);
  } finally {
    spinUnlock(k.t, files + FILES.fileLock, LockClass.files);
  }
}

/** Makes a table as large as one for `slots` descriptors, or the largest there is (expand_files). */
export function reserveFds(k: Kernel, files: Ptr, slots: number): void {
  const { t, m } = k;
  const size = sizeClass(slots);
  const wanted = size < 0 ? FDTABLE_SIZES.length - 1 : size;
  spinLock(t, files + FILES.fileLock, LockClass.files);
  try {
    if (m.load(m.load(files + FILES.fdt) + FDTABLE.maxFds) < (FDTABLE_SIZES[wanted] as number)) {
      growTable(k, files, wanted);
    }
  } finally {
    spinUnlock(t, files + FILES.fileLock, LockClass.files);
  }
}

/** Closes a descriptor (close_fd). @returns 0 or -EBADF */
export function closeFd(k: Kernel, files: Ptr, fd: number): number {
  const { t, m } = k;
  spinLock(t, files + FILES.fileLock, LockClass.files);
  const file = fdInFiles(k, files, fd);
  if (file !== 0) {
    m.store(slotOf(m.load(files + FILES.fdt), fd), 0);
    m.add(files + FILES.openFds, -1);
  }
  spinUnlock(t, files + FILES.fileLock, LockClass.files);
  if (file === 0) return -EBADF;
  filePut(k, file);
  return 0;
}

/** Duplicates a descriptor to the lowest free one ≥ `from` (dup, F_DUPFD). @returns it, -EBADF or -EMFILE */
export function dupFd(k: Kernel, files: Ptr, fd: number, from = 0): number {
  const file = fdInFiles(k, files, fd);
  if (file === 0 || !refcountIncNotZero(k.m, file + FILE.count)) return -EBADF;
  const copy = installFd(k, files, file, from);
  if (copy < 0) filePut(k, file);
  return copy;
}

/** Closes what is marked close-on-exec (do_close_on_exec). */
export function closeOnExec(k: Kernel, files: Ptr): void {
  const { m } = k;
  const used = m.load(files + FILES.nextFd);
  for (let fd = 0; fd < used; fd++) {
    const slot = slotOf(m.load(files + FILES.fdt), fd);
    if (m.load(slot) !== 0 && (m.load(slot + 1) & CLOSE_ON_EXEC) !== 0) closeFd(k, files, fd);
  }
}

/** The open file of a descriptor, or NULL. @pre RCU; take a reference with refcountIncNotZero to keep it */
export function fdLookup(k: Kernel, task: Ptr, fd: number): Ptr {
  const files = k.m.load(task + TASK.files);
  return files === 0 ? 0 : fdInFiles(k, files, fd);
}

/**
 * The open file of a descriptor with a reference more, or NULL (fget_task, which locks the task). To be given back with
 * {@link filePut}.
 * @pre RCU
 */
export function fgetTaskLocked(k: Kernel, task: Ptr, fd: number): Ptr {
  spinLock(k.t, task + TASK.allocLock, LockClass.taskAlloc);
  const file = fgetTask(k, task, fd);
  spinUnlock(k.t, task + TASK.allocLock, LockClass.taskAlloc);
  return file;
}

/**
 * As {@link fgetTaskLocked}, but without a lock: the table stays under RCU. A file that has lost its last reference is
 * about to leave it, or has been replaced already.
 * @param fd 32 bits count
 * @pre RCU
 */
export function fgetTask(k: Kernel, task: Ptr, fd: number): Ptr {
  for (;;) {
    const file = fdLookup(k, task, fd >>> 0);
    if (file === 0) return 0;
    if (refcountIncNotZero(k.m, file + FILE.count)) return file;
  }
}

/** The smallest open descriptor ≥ `from`, or -1. @pre RCU */
export function nextFd(k: Kernel, task: Ptr, from: number): number {
  const { m } = k;
  const files = m.load(task + TASK.files);
  if (files === 0) return -1;
  const table = m.load(files + FILES.fdt);
  const used = Math.min(m.load(files + FILES.nextFd), m.load(table + FDTABLE.maxFds));
  for (let fd = Math.max(from, 0); fd < used; fd++) {
    if (m.load(slotOf(table, fd)) !== 0) return fd;
  }
  return -1;
}

/** Number of open descriptors. @pre RCU */
export function openFdCount(k: Kernel, task: Ptr): number {
  const files = k.m.load(task + TASK.files);
  return files === 0 ? 0 : k.m.load(files + FILES.openFds);
}

/** Slots of a task's table, as status shows it (FDSize); 0 without files. @pre RCU */
export function fdTableSize(k: Kernel, task: Ptr): number {
  const files = k.m.load(task + TASK.files);
  if (files === 0) return 0;
  return Math.max(64, k.m.load(k.m.load(files + FILES.fdt) + FDTABLE.maxFds));
}

/** What a descriptor is. */
export interface Descriptor {
  /** NULL if it isn't open. */
  readonly file: Ptr;
  readonly closeOnExec: boolean;
}

/** What a descriptor is at one moment (seq_show of fs/proc/fd.c, which holds file_lock for it as well). @pre RCU */
export function descriptorOf(k: Kernel, task: Ptr, fd: number): Descriptor {
  const { t, m } = k;
  const files = m.load(task + TASK.files);
  if (files === 0) return { file: 0, closeOnExec: false };
  spinLock(t, files + FILES.fileLock, LockClass.files);
  const file = fdInFiles(k, files, fd);
  const closeOnExec = file !== 0 && (m.load(slotOf(m.load(files + FILES.fdt), fd) + 1) & CLOSE_ON_EXEC) !== 0;
  spinUnlock(t, files + FILES.fileLock, LockClass.files);
  return { file, closeOnExec };
}

function fdInFiles(k: Kernel, files: Ptr, fd: number): Ptr {
  const table = k.m.load(files + FILES.fdt);
  if (fd < 0 || fd >= k.m.load(table + FDTABLE.maxFds)) return 0;
  return k.m.load(slotOf(table, fd));
}

function slotOf(table: Ptr, fd: number): Ptr {
  return table + FDTABLE.slots + SLOT * fd;
}

/** The lowest free descriptor ≥ `from`, which may be beyond the largest table. @pre fileLock held */
function lowestFree(k: Kernel, files: Ptr, from: number): number {
  const { m } = k;
  const used = m.load(files + FILES.nextFd);
  const table = m.load(files + FILES.fdt);
  for (let fd = from; fd < used; fd++) if (m.load(slotOf(table, fd)) === 0) return fd;
  return Math.max(from, used);
}

/** @returns `fd`, or -EMFILE if it is beyond the largest table. @pre fileLock held; `fd` is free */
function place(k: Kernel, files: Ptr, fd: number, file: Ptr, cloexec: boolean): number {
  const { m } = k;
  const size = sizeClass(fd + 1);
  if (size < 0) return -EMFILE;
  if (fd >= m.load(m.load(files + FILES.fdt) + FDTABLE.maxFds)) growTable(k, files, size);
  const slot = slotOf(m.load(files + FILES.fdt), fd);
  m.store(slot + 1, cloexec ? CLOSE_ON_EXEC : 0);
  m.store(slot, file);
  // nextFd is one above the highest descriptor ever used.
  if (fd >= m.load(files + FILES.nextFd)) m.store(files + FILES.nextFd, fd + 1);
  m.add(files + FILES.openFds, 1);
  return fd;
}

/** @pre fileLock held */
function growTable(k: Kernel, files: Ptr, size: number): void {
  const { m } = k;
  const old = m.load(files + FILES.fdt);
  const table = fdtableNew(k, size);
  const words = SLOT * m.load(old + FDTABLE.maxFds);
  for (let i = 0; i < words; i++) m.plainStore(table + FDTABLE.slots + i, m.load(old + FDTABLE.slots + i));
  m.store(files + FILES.fdt, table);
  k.slab.freeRcu(old);
}

/** A new table of size class `size`. */
function fdtableNew(k: Kernel, size: number): Ptr {
  const table = k.slab.alloc(FIRST_FDTABLE_CACHE + size);
  k.m.plainStore(table + FDTABLE.maxFds, FDTABLE_SIZES[size] as number);
  return table;
}

/** The smallest size class that holds `slots` descriptors, or -1. */
function sizeClass(slots: number): number {
  for (let size = 0; size < FDTABLE_SIZES.length; size++) if ((FDTABLE_SIZES[size] as number) >= slots) return size;
  return -1;
}
