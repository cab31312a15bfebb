/** What the files at the root show of the machine: the scenario's host in the form that they read. */
import type { KernelConfig } from "../../kernel/config.ts";
import { Random } from "../../kernel/random.ts";
import type { HostDisk, HostInterface, HostView } from "../../proc/host-view.ts";
import type { Disk, IoBehaviour, Mount, NetworkInterface, Scenario, Spread } from "../scenario-types.ts";
import { processCounts } from "./census.ts";
import { SocketPlan } from "./sockets.ts";

/** What the transport knows. */
export interface HostViewOptions {
  /** Where the real /proc can be reached from the mount's clients. */
  readonly realProc: string;
  /** Target of /proc/net: "self", or a simulated pid. */
  readonly netOf: string;
  /** Target of /proc/mounts: "self", or a simulated pid. */
  readonly mountsOf: string;
}

const BOOT_ID_STREAM = 0xb007;
const DEFAULT_MHZ = 2000;
const DEFAULT_ADDRESS = "10.0.0.5";
/** Fraction of a disk's traffic that goes to its largest partition; the others share the rest. */
const MAIN_PARTITION = 0.97;

/** The view of a scenario's host. */
export function hostView(scenario: Scenario, config: KernelConfig, options: HostViewOptions): HostView {
  const { host } = scenario;
  const { release, version, cmdline } = host.kernel;
  return {
    hostname: host.hostname,
    domainname: host.domainname,
    release,
    version,
    versionText: `Linux version ${release} (build@synthproc) (gcc (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) ${version}`,
    bootId: bootId(config.seed),
    commandLine: cmdline,
    cpuModel: host.cpuModel,
    cpuMhz: megahertz(host.cpuModel),
    cpus: host.cpus,
    mountinfo: host.mounts.map(mountinfoLine),
    interfaces: host.network.map((one) => networkInterface(one, scenario)),
    disks: disks(scenario),
    memory: { cached: host.cached, buffers: host.buffers, slab: host.slab },
    sockets: new SocketPlan(scenario).named(),
    rawFiles: host.files,
    realProc: options.realProc,
    netOf: options.netOf,
    mountsOf: options.mountsOf,
  };
}

/** A random (version 4) UUID that belongs to the seed. */
function bootId(seed: number): string {
  const random = new Random(seed, BOOT_ID_STREAM);
  let digits = "";
  for (let i = 0; i < 4; i++) digits += random.u32().toString(16).padStart(8, "0");
  const variant = (8 + random.below(4)).toString(16);
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`];
  return [...parts, `${variant}${digits.slice(17, 20)}`, digits.slice(20, 32)].join("-");
}

function megahertz(model: string): number {
  const match = /@ ([\d.]+)GHz/.exec(model);
  return match === null ? DEFAULT_MHZ : Number(match[1]) * 1000;
}

/** A line of mountinfo; blanks become octal escapes, as the kernel writes them. */
function mountinfoLine(mount: Mount): string {
  const optional = mount.propagation === "" ? "" : `${mount.propagation} `;
  const where = `${escape(mount.root)} ${escape(mount.target)} ${mount.options} ${optional}`;
  const what = `${mount.type} ${escape(mount.source)} ${mount.superOptions}`;
  return `${mount.id} ${mount.parent} ${mount.major}:${mount.minor} ${where}- ${what}`;
}

function escape(text: string): string {
  return text.replace(/[ \t\n]/g, (blank) => `\\0${blank.charCodeAt(0).toString(8).padStart(2, "0")}`);
}

function networkInterface(one: NetworkInterface, scenario: Scenario): HostInterface {
  return { ...one, address: one.name === "lo" ? "127.0.0.1" : ownAddress(scenario) };
}

/** The first address other than loopback that a process of the scenario uses itself. */
function ownAddress(scenario: Scenario): string {
  for (const group of scenario.groups) {
    for (const fd of group.fds) {
      const local = fd.kind === "socket" ? /^(\d+\.\d+\.\d+\.\d+):/.exec(fd.local)?.[1] : undefined;
      if (local !== undefined && !/^(0\.|127\.)/.test(local)) return local;
    }
  }
  return DEFAULT_ADDRESS;
}

/** Disks with their partitions behind them, as in diskstats. The first disk has the traffic of the processes. */
function disks(scenario: Scenario): HostDisk[] {
  const traffic = diskTraffic(scenario);
  return scenario.host.disks.flatMap((disk, index) => oneDisk(disk, index === 0 ? traffic : { read: 0, write: 0 }));
}

interface Traffic {
  /** Bytes a second. */
  read: number;
  write: number;
}

function oneDisk(disk: Disk, traffic: Traffic): HostDisk[] {
  const largest = Math.max(0, ...disk.partitions.map(({ size }) => size));
  const rows = [diskRow(disk.major, disk.minor, disk.name, disk.size, disk, traffic, 1)];
  let mainSeen = false;
  for (const { name, minor, size } of disk.partitions) {
    const main: boolean = size === largest && !mainSeen;
    mainSeen ||= main;
    const others = (1 - MAIN_PARTITION) / Math.max(1, disk.partitions.length - 1);
    rows.push(diskRow(disk.major, minor, name, size, disk, traffic, main ? MAIN_PARTITION : others));
  }
  return rows;
}

function diskRow(
  major: number,
  minor: number,
  name: string,
  size: number,
  disk: Disk,
  traffic: Traffic,
  share: number,
): HostDisk {
  return {
    major,
    minor,
    name,
    blocks: Math.floor(size / 1024),
    readBytes: Math.floor(disk.readBytes * share),
    writtenBytes: Math.floor(disk.writtenBytes * share),
    readRate: traffic.read * share,
    writeRate: traffic.write * share,
  };
}

/** What the io behaviours of all processes amount to. */
function diskTraffic(scenario: Scenario): Traffic {
  const counts = processCounts(scenario);
  const traffic = { read: 0, write: 0 };
  for (const group of scenario.groups) {
    for (const behaviour of group.behaviours) {
      if (behaviour.kind === "io") addTraffic(traffic, behaviour, counts[group.index] as number);
    }
  }
  return traffic;
}

function addTraffic(traffic: Traffic, io: IoBehaviour, count: number): void {
  const events = io.per === "group" ? io.rate : io.rate * count;
  traffic.read += events * mean(io.read) * (1 - io.cached);
  traffic.write += events * mean(io.write);
}

function mean({ min, max }: Spread): number {
  return (min + max) / 2;
}
