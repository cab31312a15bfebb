/** The machine: values of a scenario's `host`, and what an unremarkable server would have. */
import type { Cursor } from "../cursor.ts";
import { parseMount, DEFAULT_MOUNTS } from "./mounts.ts";
import type { Disk, Host, Mount, NetworkInterface, User } from "../scenario-types.ts";
import { parseSize } from "../units.ts";

const GIB = 2 ** 30;

/** Users that every Debian system has. */
const BASE_USERS: Record<string, number> = {
  root: 0,
  daemon: 1,
  bin: 2,
  sys: 3,
  sync: 4,
  games: 5,
  man: 6,
  lp: 7,
  mail: 8,
  news: 9,
  uucp: 10,
  proxy: 13,
  "www-data": 33,
  backup: 34,
  list: 38,
  irc: 39,
  _apt: 42,
  nobody: 65534,
};

export function normaliseHost(host: Cursor): Host {
  const kernel = host.get("kernel");
  return {
    cpus: host.get("cpus").number(4),
    cpuModel: host.get("cpu_model").bytes("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"),
    memory: host.get("memory").size(8 * GIB),
    swap: host.get("swap").size(2 * GIB),
    cached: host.get("cached").fraction(0.3),
    buffers: host.get("buffers").fraction(0.01),
    slab: host.get("slab").fraction(0.03),
    uptimeMs: host.get("uptime").duration(86_400_000),
    bootTime: bootTime(host.get("boot_time")),
    hostname: host.get("hostname").bytes("synthproc"),
    domainname: host.get("domainname").bytes("(none)"),
    kernel: {
      release: kernel.get("release").bytes("6.18.0-synthproc"),
      version: kernel.get("version").bytes("#1 SMP PREEMPT_DYNAMIC Sun Nov 30 22:42:10 UTC 2025"),
      cmdline: kernel.get("cmdline").bytes("BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet"),
    },
    pidMax: host.get("pid_max").number(4194304),
    threadsMax: host.get("threads_max").exists() ? host.get("threads_max").number(0) : null,
    users: users(host.get("users")),
    mounts: mounts(host.get("mounts")),
    network: network(host.get("network")),
    disks: disks(host.get("disks")),
    files: Object.fromEntries(host.get("files").entries().map(file)),
  };
}

function bootTime(cursor: Cursor): number | null {
  if (!cursor.exists() || cursor.isNumber()) {
    return cursor.exists() ? cursor.number(0) : null;
  }
  const text = cursor.text("");
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?Z?)?$/.exec(text);
  if (match === null) {
    throw cursor.error(`"boot_time": ${JSON.stringify(text)} is not a date in UTC like "2026-03-01T08:00:00Z"`);
  }
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  if (month! < 1 || month! > 12 || day! < 1 || day! > 31 || hour! > 23 || minute! > 59 || second! > 59) {
    throw cursor.error(`"boot_time": ${JSON.stringify(text)} is not a date`);
  }
  return daysFromEpoch(year!, month!, day!) * 86_400 + hour! * 3600 + minute! * 60 + second!;
}

/** Days since 1970-01-01 of a date in the Gregorian calendar, counted in years that begin in March. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}

function users(cursor: Cursor): User[] {
  const all = new Map<string, User>();
  for (const [name, uid] of Object.entries(BASE_USERS)) {
    all.set(name, { name, uid, gid: uid, groups: [] });
  }
  for (const [name, entry] of cursor.entries()) {
    const uid = entry.isNumber() ? entry.number(0) : entry.get("uid").number(0);
    const gid = entry.get("gid").number(uid);
    const groups = entry.get("groups").items();
    all.set(name, { name, uid, gid, groups: groups.map((group) => group.number(0)) });
  }
  return [...all.values()];
}

function mounts(cursor: Cursor): Mount[] {
  if (!cursor.exists()) {
    return DEFAULT_MOUNTS.map((mount) => ({ ...mount }));
  }
  const all: Mount[] = [];
  for (const item of cursor.items()) {
    all.push(parseMount(item, all));
  }
  return all;
}

function network(cursor: Cursor): NetworkInterface[] {
  const given = cursor.exists() ? cursor.items().map(networkInterface) : [interfaceNamed("eth0", 4e9, 1e9)];
  return given.some((one) => one.name === "lo") ? given : [interfaceNamed("lo", 1e7, 1e7), ...given];
}

function networkInterface(cursor: Cursor): NetworkInterface {
  const base = interfaceNamed(cursor.isMap() ? cursor.get("name").bytes("") : cursor.bytes(""), 0, 0);
  if (!cursor.isMap()) {
    return base;
  }
  const rxBytes = cursor.get("rx_bytes").size(0);
  const txBytes = cursor.get("tx_bytes").size(0);
  return {
    name: base.name,
    rxBytes,
    rxPackets: cursor.get("rx_packets").number(packets(rxBytes)),
    txBytes,
    txPackets: cursor.get("tx_packets").number(packets(txBytes)),
    rxRate: cursor.get("rx_rate").parse((value) => (value === undefined ? 0 : parseByteRate(value))),
    txRate: cursor.get("tx_rate").parse((value) => (value === undefined ? 0 : parseByteRate(value))),
  };
}

/** `10M/s` or `10M`: bytes a second. */
function parseByteRate(value: number | string): number {
  return parseSize(typeof value === "string" ? value.replace(/\s*\/\s*s$/, "") : value);
}

function interfaceNamed(name: string, rxBytes: number, txBytes: number): NetworkInterface {
  const counted = { rxBytes, rxPackets: packets(rxBytes), txBytes, txPackets: packets(txBytes) };
  return { name, ...counted, rxRate: 0, txRate: 0 };
}

/** A usual mixture of full and small packets. */
function packets(bytes: number): number {
  return Math.ceil(bytes / 700);
}

function disks(cursor: Cursor): Disk[] {
  const root = { name: "vda1", minor: 1, size: 39 * GIB };
  const standard = { name: "vda", major: 254, minor: 0, size: 40 * GIB, readBytes: 2 * GIB, writtenBytes: 5 * GIB };
  return cursor.exists() ? cursor.items().map(disk) : [{ ...standard, partitions: [root] }];
}

function disk(cursor: Cursor, index: number): Disk {
  const name = cursor.isMap() ? cursor.get("name").bytes("") : cursor.bytes("");
  const [major, minor] = cursor
    .get("dev")
    .text(`254:${index * 16}`)
    .split(":")
    .map(Number);
  const separator = /\d$/.test(name) ? "p" : "";
  const partitions = cursor.get("partitions").items();
  return {
    name,
    major: major!,
    minor: minor!,
    size: cursor.get("size").size(40 * GIB),
    partitions: partitions.map((size, i) => ({
      name: `${name}${separator}${i + 1}`,
      minor: minor! + i + 1,
      size: size.size(0),
    })),
    readBytes: cursor.get("read").size(0),
    writtenBytes: cursor.get("written").size(0),
  };
}

function file([path, text]: [string, Cursor]): [string, string] {
  if (path.startsWith("/") || path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw text.error(`"${path}" must be a path below /proc without a leading slash`, "ESCENARIO_VALUE", true);
  }
  return [path, text.bytes("")];
}
