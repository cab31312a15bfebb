/** The machine itself: sizes, names, mounts, network, disks, and files that are shown as they are. */
import { readFileSync } from "node:fs";
import { errorCode } from "../errors.ts";
import type { Entry } from "./process.ts";
import type { ProcFolder } from "./read.ts";
import { fromLatin1 } from "./text.ts";

const PASSWD = "/etc/passwd";
const LARGEST_PID_MAX = 4_194_304;
const SECTOR = 512;

/** Files at the root that no task changes. */
const KEPT_FILES =
  "cpuinfo version filesystems devices misc consoles crypto execdomains iomem ioports tty/drivers tty/ldiscs dma cgroups";

/**
 * The `host` of a scenario.
 * @param root /proc
 */
export function captureHost(root: ProcFolder): Entry {
  const text = (name: string): string => (root.maybeText(name) ?? "").trim();
  const meminfo = root.text("meminfo");
  const bytes = (name: string): number =>
    1024 * Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0);
  const memory = bytes("MemTotal");
  return {
    cpus: Math.max(1, root.text("stat").match(/^cpu\d+ /gm)?.length ?? 1),
    cpu_model: fromLatin1(/^model name\t: (.*)$/m.exec(text("cpuinfo"))?.[1] ?? "unknown"),
    memory,
    swap: bytes("SwapTotal"),
    cached: fraction(bytes("Cached"), memory),
    buffers: fraction(bytes("Buffers"), memory),
    slab: fraction(bytes("Slab"), memory),
    uptime: `${Math.round(Number(root.text("uptime").split(" ")[0]) * 1000)}ms`,
    boot_time: Number(/^btime (\d+)$/m.exec(root.text("stat"))?.[1] ?? 0),
    hostname: fromLatin1(text("sys/kernel/hostname")),
    domainname: fromLatin1(text("sys/kernel/domainname")),
    kernel: {
      release: fromLatin1(text("sys/kernel/osrelease")),
      version: fromLatin1(text("sys/kernel/version")),
      cmdline: fromLatin1(text("cmdline")),
    },
    pid_max: Math.min(LARGEST_PID_MAX, Number(text("sys/kernel/pid_max")) || LARGEST_PID_MAX),
    threads_max: Number(text("sys/kernel/threads-max")) || 100_000,
    kernel_threads: false,
    users: users(),
    mounts: mounts(root.maybeText("self/mountinfo") ?? ""),
    network: interfaces(root.maybeText("net/dev") ?? ""),
    disks: disks(root.maybeText("diskstats") ?? "", root.maybeText("partitions") ?? ""),
    files: keptFiles(root),
  };
}

function fraction(part: number, whole: number): number {
  return Math.min(1, Number((part / Math.max(1, whole)).toFixed(4)));
}

function keptFiles(root: ProcFolder): Entry {
  const files: Entry = {};
  for (const name of KEPT_FILES.split(" ")) {
    const text = root.maybeText(name);
    if (text !== null && text !== "") files[name] = fromLatin1(text);
  }
  return files;
}

/** Names are only for readers of the scenario; a machine without the file has none. */
function users(): Record<string, number> {
  let text = "";
  try {
    text = readFileSync(PASSWD, "latin1");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  const all: Record<string, number> = {};
  for (const match of text.matchAll(/^([a-z_][\w.-]*\$?):[^:]*:(\d+):/gm)) all[match[1]!] = Number(match[2]);
  return all;
}

const MOUNT = /^(\d+) (\d+) (\d+:\d+) (\S+) (\S+) (\S+) ((?:[\w-]+(?::\d+)? )*)- (\S+) (\S+) (\S+)$/gm;

/** Octal escapes stay as they are. */
function mounts(mountinfo: string): Entry[] {
  return [...mountinfo.matchAll(MOUNT)].map(
    ([, id, parent, dev, root, target, options, optional, type, source, superOptions]) => ({
      id: Number(id),
      parent: Number(parent),
      dev,
      root: fromLatin1(root!),
      target: fromLatin1(target!),
      options: fromLatin1(options!),
      propagation: fromLatin1(optional!.trim()),
      type: fromLatin1(type!),
      source: fromLatin1(source!),
      super_options: fromLatin1(superOptions!),
    }),
  );
}

function interfaces(text: string): Entry[] {
  const all: Entry[] = [];
  for (const match of text.matchAll(/^ *([^:\s]+): *(.*)$/gm)) {
    const [rxBytes, rxPackets, , , , , , , txBytes, txPackets] = match[2]!.trim().split(/ +/).map(Number);
    all.push({
      name: match[1],
      rx_bytes: rxBytes,
      rx_packets: rxPackets,
      tx_bytes: txBytes,
      tx_packets: txPackets,
    });
  }
  return all;
}

interface Row {
  major: number;
  minor: number;
  name: string;
  read: number;
  written: number;
}

/** Whole disks with the sizes of their partitions; what belongs to which is told by name. */
function disks(diskstats: string, partitions: string): Entry[] {
  const rows = [...diskstats.matchAll(/^ *(\d+) +(\d+) (\S+) \d+ \d+ (\d+) \d+ \d+ \d+ (\d+) /gm)].map(
    ([, major, minor, name, read, written]): Row => ({
      major: Number(major),
      minor: Number(minor),
      name: name!,
      read: Number(read) * SECTOR,
      written: Number(written) * SECTOR,
    }),
  );
  const sizes = new Map(
    [...partitions.matchAll(/^ *\d+ +\d+ +(\d+) (\S+)$/gm)].map((row) => [row[2]!, Number(row[1]) * 1024]),
  );
  const isPart = (part: string, disk: string): boolean => part !== disk && new RegExp(`^${disk}p?\\d+$`).test(part);
  const whole = rows.filter(({ name }) => sizes.has(name) && !rows.some((disk) => isPart(name, disk.name)));
  return whole.map((disk) => ({
    name: disk.name,
    dev: `${disk.major}:${disk.minor}`,
    size: sizes.get(disk.name),
    partitions: rows.filter(({ name }) => isPart(name, disk.name)).map(({ name }) => sizes.get(name) ?? 0),
    read: disk.read,
    written: disk.written,
  }));
}
