/** What executables and libraries look like when they are mapped: derived from path and size, so always the same. */
import type { ImageFile, ImageSegment } from "../../kernel/config.ts";
import { PAGE_SIZE } from "../../kernel/layout.ts";
import { baseName } from "../../kernel/path.ts";
import type { Host } from "../scenario-types.ts";
import { hashBetween } from "./hash.ts";

const KIB = 1024;
const FIRST_INODE = 131_072;
const LAST_INODE = 2_621_440;
const S_IFREG_0755 = 0o100755;
const S_IFREG_4755 = 0o104755;
const S_IFREG_0644 = 0o100644;

/** Bytes of each segment of well-known libraries: headers, code, constants, relocated data, data. */
const KNOWN: Record<string, readonly [number, number, number, number, number]> = {
  "libc.so.6": [152 * KIB, 1364 * KIB, 332 * KIB, 16 * KIB, 8 * KIB],
  "ld-linux-x86-64.so.2": [4 * KIB, 148 * KIB, 40 * KIB, 8 * KIB, 8 * KIB],
  "libm.so.6": [64 * KIB, 460 * KIB, 364 * KIB, 4 * KIB, 4 * KIB],
  "libz.so.1": [12 * KIB, 72 * KIB, 28 * KIB, 4 * KIB, 4 * KIB],
  "libpthread.so.0": [4 * KIB, 4 * KIB, 4 * KIB, 4 * KIB, 4 * KIB],
  "libjvm.so": [2460 * KIB, 11264 * KIB, 2888 * KIB, 768 * KIB, 228 * KIB],
};

/** Programs that run as their owner, root. */
const SETUID = new Set(["chfn", "chsh", "gpasswd", "mount", "newgrp", "passwd", "pkexec", "su", "sudo", "umount"]);

/** The device and mount of a path: the mount with the longest target above it. */
export function mountOf(host: Host, path: string): { id: number; major: number; minor: number } {
  let best = { id: 1, major: 254, minor: 0, length: -1 };
  for (const { id, major, minor, target } of host.mounts) {
    const above = target === "/" || path === target || path.startsWith(`${target}/`);
    if (above && target.length >= best.length) best = { id, major, minor, length: target.length };
  }
  return best;
}

/** The inode number of a path on disk. */
export function inodeOf(path: string): number {
  return hashBetween(path, FIRST_INODE, LAST_INODE);
}

/** The user that an executable runs as, or -1. */
export function setuidOf(path: string): number {
  return SETUID.has(baseName(path)) ? 0 : -1;
}

/** An executable whose segments take `size` bytes together. */
export function executable(host: Host, path: string, size: number): ImageFile {
  const total = Math.max(roundUp(size), 5 * PAGE_SIZE);
  const headers = part(total, 0.05);
  const constants = part(total, 0.22);
  const relocated = part(total, 0.02);
  const data = part(total, 0.03);
  const code = Math.max(PAGE_SIZE, total - headers - constants - relocated - data);
  const mode = setuidOf(path) >= 0 ? S_IFREG_4755 : S_IFREG_0755;
  return image(host, path, mode, [headers, code, constants, relocated, data]);
}

/** A shared library. */
export function library(host: Host, path: string): ImageFile {
  const name = baseName(path);
  const known = KNOWN[name];
  if (known !== undefined) return image(host, path, S_IFREG_0755, known);
  const total = roundUp(hashBetween(`${name} size`, 40 * KIB, 900 * KIB));
  const headers = part(total, 0.12);
  const constants = part(total, 0.2);
  const code = Math.max(PAGE_SIZE, total - headers - constants - 2 * PAGE_SIZE);
  return image(host, path, S_IFREG_0644, [headers, code, constants, PAGE_SIZE, PAGE_SIZE]);
}

/** A file that is mapped as data. */
export function dataFile(host: Host, path: string, size: number): ImageFile {
  const { major, minor } = mountOf(host, path);
  return { path, devMajor: major, devMinor: minor, ino: inodeOf(path), mode: S_IFREG_0644, size, segments: [] };
}

const PERMS = ["r--p", "r-xp", "r--p", "r--p", "rw-p"] as const;

/** The last two segments come from one page-aligned part of the file, as the linker lays them out. */
function image(host: Host, path: string, mode: number, sizes: readonly number[]): ImageFile {
  const segments: ImageSegment[] = [];
  let offset = 0;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] as number;
    segments.push({ size, perms: PERMS[i] as string, offset });
    offset += size;
  }
  const { major, minor } = mountOf(host, path);
  const size = offset - hashBetween(`${path} tail`, 0, PAGE_SIZE);
  return { path, devMajor: major, devMinor: minor, ino: inodeOf(path), mode, size, segments };
}

function part(total: number, fraction: number): number {
  return Math.max(PAGE_SIZE, Math.floor((total * fraction) / PAGE_SIZE) * PAGE_SIZE);
}

/** The next multiple of the page size. */
export function roundUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}
