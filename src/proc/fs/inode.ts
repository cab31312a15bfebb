/**
 * Inode numbers (st_ino, d_ino). The root is 1 and rows outside of process directories count up from where the kernel's
 * dynamic numbers start, as measured; entries of process directories get numbers that follow from their place, and so
 * are stable, and differ for all that exists at the same time.
 */

/** /proc itself (PROC_ROOT_INO). */
export const ROOT_INODE = 1;
/** First number of the entries at the root (PROC_DYNAMIC_FIRST): self, thread-self, mounts, net, then the others. */
export const FIRST_STATIC_INODE = 4026531840;

/** Rows below a process directory, /proc/<pid> and task/<tid> together. */
export const MAX_PROCESS_ROWS = 512;

const MAP_PREFIX = 0x40000000;

/** Where a number goes, as two unsigned halves. */
export interface InodeHalves {
  inoHi: number;
  inoLo: number;
}

/** `row` counts from 0 within the rows of process directories. */
export function processInode(out: InodeHalves, row: number, tid: number): void {
  out.inoHi = 0;
  out.inoLo = tid * MAX_PROCESS_ROWS + row;
}

/** `kind` is 0 to 3: an entry of fd/ or fdinfo/, of a process or a thread. */
export function fdInode(out: InodeHalves, fd: number, tid: number, kind: number): void {
  out.inoHi = fd + 1;
  out.inoLo = tid * 4 + kind;
}

export function mapInode(out: InodeHalves, address: number, tid: number): void {
  const page = address / 4096;
  out.inoHi = MAP_PREFIX + tid * 8 + Math.floor(page / 4294967296);
  out.inoLo = page % 4294967296;
}
