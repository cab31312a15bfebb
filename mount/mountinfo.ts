/** What the kernel says about mounts: /proc/self/mountinfo, parsed, and the FUSE connection behind a mount. */
import { readFileSync } from "node:fs";

/** One line of mountinfo. */
export interface MountRecord {
  /** "major:minor" of the file system; for FUSE, the minor number names the connection. */
  device: string;
  /** Absolute path of the mount point, unescaped. */
  mountPoint: string;
  type: string;
  source: string;
}

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Parses mountinfo text (one byte a character); lines that do not look like it are left out. */
export function parseMountInfo(text: string): MountRecord[] {
  const records: MountRecord[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    if (left === undefined || right === undefined) continue;
    const fields = left.split(" ");
    const [type, source] = right.split(" ");
    if (fields[2] === undefined || fields[4] === undefined || type === undefined) continue;
    records.push({ device: fields[2], mountPoint: unescape(fields[4]), type, source: unescape(source ?? "") });
  }
  return records;
}

/**
 * The topmost mount on exactly this path, or null.
 * @param path absolute, without symbolic links
 * @param procRoot where the real proc is mounted
 */
export function mountAt(path: string, procRoot = "/proc"): MountRecord | null {
  // Names are bytes to the kernel; compare them as such.
  const wanted = Buffer.from(path, "utf8").toString("latin1");
  let found: MountRecord | null = null;
  for (const record of parseMountInfo(readFileSync(`${procRoot}/self/mountinfo`, "latin1"))) {
    if (record.mountPoint === wanted) found = record;
  }
  return found;
}

export function isFuse(record: MountRecord): boolean {
  return record.type === "fuse" || record.type.startsWith("fuse.");
}

/** Number of the FUSE connection behind a mount, as in /sys/fs/fuse/connections. */
export function connectionOf(record: MountRecord): number {
  return Number(record.device.split(":")[1]);
}
