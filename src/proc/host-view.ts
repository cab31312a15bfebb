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
  /** Captured text of root files: path below /proc, without a leading slash → content. Wins over what is computed. */
  readonly rawFiles: Readonly<Record<string, string>>;
  /** Where the real /proc can be reached from the mount's clients: a caller's own pid is a link into it. */
  readonly realProc: string;
  /** Target of /proc/net, /proc/mounts: "self" below `run`, a simulated pid in a plain mount. */
  readonly netOf: string;
}

export interface HostInterface {
  readonly name: string;
  /** Counters at boot and growth per second: receive and transmit bytes. Packets follow from them. */
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxRate: number;
  readonly txRate: number;
  /** Dotted quad, or empty. */
  readonly address: string;
}

export interface HostDisk {
  readonly major: number;
  readonly minor: number;
  readonly name: string;
  /** 1 KiB blocks, as in /proc/partitions. */
  readonly blocks: number;
}
