/** What the files at the root show of the machine, beside what the tasks add up to: the scenario's host, normalised. */
export interface HostView {
  readonly hostname: string;
  readonly domainname: string;
  /** As in /proc/sys/kernel/{osrelease,version} and /proc/version. */
  readonly release: string;
  readonly version: string;
  readonly versionText: string;
  readonly bootId: string;
  readonly commandLine: string;
  readonly cpuModel: string;
  readonly cpuMhz: number;
  readonly cpus: number;
  /** Mount table, as /proc/<pid>/mountinfo lines without the newline. */
  readonly mountinfo: readonly string[];
  readonly interfaces: readonly HostInterface[];
  readonly disks: readonly HostDisk[];
  /** How much of the memory is used by what no process maps; absent: a usual share of each. */
  readonly memory?: HostMemory;
  /** Sockets that net/tcp, net/unix and the like list; absent: none. */
  readonly sockets?: readonly HostSocket[];
  /** Captured text of root files: path below /proc, without a leading slash → content. Wins over what is computed. */
  readonly rawFiles: Readonly<Record<string, string>>;
  /** Where the real /proc can be reached from the mount's clients: a caller's own pid is a link into it. */
  readonly realProc: string;
  /** Target of /proc/net: "self", or a simulated pid whose network everybody sees. */
  readonly netOf: string;
  /** Target of /proc/mounts: "self" where callers have a process of their own here, else a simulated pid. */
  readonly mountsOf: string;
}

export interface HostInterface {
  readonly name: string;
  /** Counters at boot and growth per second: receive and transmit bytes. Packets follow from them. */
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxRate: number;
  readonly txRate: number;
  /** Packets at boot; absent: what the bytes amount to. They grow with the bytes, in the same proportion. */
  readonly rxPackets?: number;
  readonly txPackets?: number;
  /** Dotted quad, or empty. */
  readonly address: string;
}

/** Fractions of the machine's memory, each between 0 and 1. */
export interface HostMemory {
  readonly cached: number;
  readonly buffers: number;
  readonly slab: number;
}

export interface HostSocket {
  readonly family: "unix" | "tcp" | "tcp6" | "udp" | "udp6" | "raw" | "raw6" | "netlink" | "packet";
  /** `ADDRESS:PORT` (IPv6 addresses in brackets), the path of a unix socket, the protocol number of netlink. */
  readonly local: string;
  readonly remote: string;
  readonly state: "listen" | "established" | "close_wait" | "time_wait" | "none";
  readonly uid: number;
  readonly inode: number;
}

export interface HostDisk {
  readonly major: number;
  readonly minor: number;
  readonly name: string;
  /** 1 KiB blocks, as in /proc/partitions. */
  readonly blocks: number;
  /** Bytes moved when the simulation starts at boot time 0, and growth per second; absent: 0. */
  readonly readBytes?: number;
  readonly writtenBytes?: number;
  readonly readRate?: number;
  readonly writeRate?: number;
}
