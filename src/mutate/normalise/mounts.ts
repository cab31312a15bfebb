/** Mounts, from one line in the manner of mount(8) or from details. */
import type { Cursor } from "../cursor.ts";
import type { Mount } from "../scenario-types.ts";

const LINE = /^(\S+) on (\S+) type (\S+)(?: \(([^)]*)\))?$/;

/** What belongs to the mount; anything else belongs to the file system. */
const PER_MOUNT = new Set([
  "ro",
  "rw",
  "nosuid",
  "nodev",
  "noexec",
  "noatime",
  "nodiratime",
  "relatime",
  "nosymfollow",
]);

/** File systems on a block device; the others get anonymous device numbers (major 0). */
const ON_DISK = /^(ext[234]|xfs|btrfs|vfat|iso9660|squashfs)$/;

const FIRST_ID = 22;

interface Draft {
  source: string;
  target: string;
  type: string;
  options: string[];
}

/**
 * One mount; `earlier` decides its id, its device number and, by the longest target that contains it, its parent.
 *
 * @throws ScenarioError for a line that isn't of the form `SOURCE on TARGET type TYPE (OPTIONS)`.
 */
export function parseMount(cursor: Cursor, earlier: readonly Mount[]): Mount {
  if (cursor.isText()) {
    const match = LINE.exec(cursor.bytes(""));
    if (match === null) {
      throw cursor.error('a mount must read "SOURCE on TARGET type TYPE (OPTIONS)"');
    }
    const options = (match[4] ?? "rw,relatime").split(",");
    return complete({ source: match[1]!, target: match[2]!, type: match[3]!, options }, earlier);
  }
  const type = cursor.get("type").bytes("");
  const options = cursor.get("options").bytes("rw,relatime").split(",");
  const target = cursor.get("target").bytes("");
  return withDetails(cursor, complete({ source: cursor.get("source").bytes(type), target, type, options }, earlier));
}

function withDetails(cursor: Cursor, mount: Mount): Mount {
  const [major, minor] = cursor.get("dev").text(`${mount.major}:${mount.minor}`).split(":").map(Number);
  return {
    ...mount,
    id: cursor.get("id").number(mount.id),
    parent: cursor.get("parent").number(mount.parent),
    major: major!,
    minor: minor!,
    root: cursor.get("root").bytes(mount.root),
    options: cursor.get("options").bytes(mount.options),
    propagation: cursor.get("propagation").bytes(mount.propagation),
    superOptions: cursor.get("super_options").bytes(mount.superOptions),
  };
}

function complete(draft: Draft, earlier: readonly Mount[]): Mount {
  const own = draft.options.filter((option) => PER_MOUNT.has(option));
  const others = draft.options.filter((option) => !PER_MOUNT.has(option));
  const onDisk = ON_DISK.test(draft.type);
  const mode = draft.options.includes("ro") ? "ro" : "rw";
  const sameKind = earlier.filter((mount) => (mount.major === 0) !== onDisk).length;
  return {
    id: earlier.reduce((id, mount) => Math.max(id, mount.id + 1), FIRST_ID),
    parent: parentOf(draft.target, earlier),
    major: onDisk ? 254 : 0,
    minor: onDisk ? sameKind + 1 : sameKind + 5,
    root: "/",
    target: draft.target,
    options: own.join(",") || "rw",
    propagation: `shared:${earlier.length + 1}`,
    type: draft.type,
    source: draft.source,
    superOptions: [mode, ...others].join(","),
  };
}

function parentOf(target: string, earlier: readonly Mount[]): number {
  let parent = 1;
  let longest = -1;
  for (const mount of earlier) {
    const below = mount.target === "/" ? target !== "/" : target.startsWith(`${mount.target}/`);
    if (below && mount.target.length >= longest) {
      parent = mount.id;
      longest = mount.target.length;
    }
  }
  return parent;
}

/** What an ordinary Debian server mounts. */
export const DEFAULT_MOUNTS: readonly Mount[] = defaults([
  ["/dev/vda1", "/", "ext4", "rw,relatime,errors=remount-ro"],
  ["sysfs", "/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime"],
  ["proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime"],
  ["udev", "/dev", "devtmpfs", "rw,nosuid,relatime,size=4014596k,nr_inodes=1003649,mode=755,inode64"],
  ["devpts", "/dev/pts", "devpts", "rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000"],
  ["tmpfs", "/run", "tmpfs", "rw,nosuid,nodev,noexec,relatime,size=806872k,mode=755,inode64"],
  ["tmpfs", "/dev/shm", "tmpfs", "rw,nosuid,nodev,inode64"],
  ["tmpfs", "/run/lock", "tmpfs", "rw,nosuid,nodev,noexec,relatime,size=5120k,inode64"],
  ["cgroup2", "/sys/fs/cgroup", "cgroup2", "rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot"],
]);

function defaults(rows: readonly (readonly [string, string, string, string])[]): Mount[] {
  const all: Mount[] = [];
  for (const [source, target, type, options] of rows) {
    all.push(complete({ source, target, type, options: options.split(",") }, all));
  }
  return all;
}
