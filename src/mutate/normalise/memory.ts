/** Sizes of an address space. */
import type { Cursor } from "../cursor.ts";
import type { Memory } from "../scenario-types.ts";
import { parseSize } from "../units.ts";

const KIB = 1024;
const SMALLEST_HEAP = 132 * KIB;
const STACK = 132 * KIB;
const LIBRARIES = ["/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"];

const NOTHING: Memory = {
  rss: 0,
  shmem: 0,
  vmas: 0,
  exeSize: 0,
  libs: [],
  heap: 0,
  stack: 0,
  files: [],
  anon: 0,
  swapped: 0,
  locked: 0,
};

/** `120M` is a resident size; a quarter of it is heap, and the rest fits into anonymous memory. */
export function memory(cursor: Cursor, kernel: boolean): Memory {
  if (kernel) {
    return { ...NOTHING };
  }
  const details = cursor.isMap() ? cursor : cursor.none();
  const rss = cursor.isScalar() ? cursor.parse(parseSize) : details.get("rss").size(4096 * KIB);
  const shmem = details.get("shmem").size(0);
  if (shmem > rss) {
    throw details.get("shmem").error('"shmem" is a part of "rss" and can\'t exceed it');
  }
  const libs = details.get("libs");
  return {
    rss,
    shmem,
    vmas: details.get("vmas").number(0),
    exeSize: details.get("exe_size").size(1024 * KIB),
    libs: libs.exists() ? libs.items().map((item) => item.bytes("")) : [...LIBRARIES],
    heap: details.get("heap").size(Math.max(SMALLEST_HEAP, pages(rss / 4))),
    stack: details.get("stack").size(STACK),
    files: details.get("files").items().map(mappedFile),
    anon: details.get("anon").size(pages(rss - shmem)),
    swapped: details.get("swapped").size(0),
    locked: details.get("locked").size(0),
  };
}

function mappedFile(cursor: Cursor): Memory["files"][number] {
  const details = cursor.isMap() ? cursor : cursor.none();
  return {
    path: cursor.isMap() ? details.get("path").bytes("") : cursor.bytes(""),
    size: details.get("size").size(64 * KIB),
    perms: details.get("perms").text("r--"),
    shared: details.get("shared").flag(true),
  };
}

function pages(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}
