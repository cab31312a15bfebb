/**
 * A scenario in its normalised form: what `parseScenario` returns, with every default filled in.
 *
 * Units: bytes, milliseconds, events a second; a fraction lies between 0 and 1. `null` means that the builder of the
 * simulation chooses.
 */
import type { Behaviour } from "./behaviour-types.ts";
import type { Exact } from "./captured-types.ts";

export type * from "./behaviour-types.ts";
export type * from "./captured-types.ts";

/** Text that ends up in a /proc file: one byte a character (latin1), since names and arguments are bytes. */
export type ByteString = string;

/** A uniformly distributed quantity; `min` equals `max` for a fixed one. */
export interface Spread {
  min: number;
  max: number;
}

export interface Scenario {
  name: string;
  description: string;
  /** Length of one mutator tick of simulated time. */
  tickMs: number;
  host: Host;
  /** The process tree, flat: a parent comes before its children. */
  groups: Group[];
  phases: Phase[];
  faults: Faults;
}

export interface Host {
  cpus: number;
  cpuModel: ByteString;
  memory: number;
  swap: number;
  /** Fractions of `memory` that nobody's resident set explains. */
  cached: number;
  buffers: number;
  slab: number;
  /** Simulated uptime at the start. */
  uptimeMs: number;
  /** Seconds since the epoch; null: now minus the uptime. */
  bootTime: number | null;
  hostname: ByteString;
  domainname: ByteString;
  kernel: { release: ByteString; version: ByteString; cmdline: ByteString };
  pidMax: number;
  threadsMax: number | null;
  users: User[];
  mounts: Mount[];
  network: NetworkInterface[];
  disks: Disk[];
  /** Text of root files that overrides the computed one, by path below /proc (`version`, `sys/vm/swappiness`). */
  files: Record<string, ByteString>;
}

/** Names are only for reading a scenario: /proc shows numbers. */
export interface User {
  name: string;
  uid: number;
  gid: number;
  groups: number[];
}

/** One line of mountinfo. */
export interface Mount {
  id: number;
  parent: number;
  major: number;
  minor: number;
  root: ByteString;
  target: ByteString;
  options: ByteString;
  /** Optional fields, as `shared:1`. */
  propagation: ByteString;
  type: ByteString;
  source: ByteString;
  superOptions: ByteString;
}

/** Counters at the start, and how fast they grow. */
export interface NetworkInterface {
  name: ByteString;
  rxBytes: number;
  rxPackets: number;
  txBytes: number;
  txPackets: number;
  /** Bytes a second. */
  rxRate: number;
  txRate: number;
}

export interface Disk {
  name: ByteString;
  major: number;
  minor: number;
  size: number;
  partitions: { name: ByteString; minor: number; size: number }[];
  /** Bytes moved since boot. */
  readBytes: number;
  writtenBytes: number;
}

export type StateLetter = "R" | "S" | "D" | "T" | "t" | "Z" | "I";

/** A set of alike processes: `count` of them under *each* process of the parent group. */
export interface Group {
  /** Index in `Scenario.groups`. */
  index: number;
  /** Index of the parent group; -1: child of pid 0 (pid 1 and kthreadd). */
  parent: number;
  /** What phases call it; need not be unique, a phase then means all of them. */
  name: string;
  count: number;
  /** Pid of the first process; null: the next free one. */
  pid: number | null;

  kernel: boolean;
  /** Templates: `{i}` is the index within the group, `{n}` the pid. Cut to 15 bytes. */
  comm: ByteString;
  /** Absolute path; empty for kernel threads. */
  exe: ByteString;
  args: ByteString[];
  /** `NAME=value`. */
  env: ByteString[];

  /** Real, effective, saved, file system. */
  uids: [number, number, number, number];
  gids: [number, number, number, number];
  groups: number[];
  caps: CapabilitySets;
  dumpable: 0 | 1 | 2;
  noNewPrivs: boolean;
  /** 0 disabled, 1 strict, 2 filter. */
  seccomp: 0 | 1 | 2;
  umask: number;

  /** Threads besides the main one. */
  threads: ThreadSpec[];
  /** Clone flags: what is shared with the parent process. */
  shares: ("vm" | "files" | "fs" | "sighand" | "io" | "sysvsem")[];

  state: StateLetter;
  nice: number;
  /** As in sched(7); `priority` counts for fifo and rr. */
  policy: "other" | "batch" | "idle" | "fifo" | "rr";
  priority: number;
  /** CPUs it may use; null: all. */
  cpusAllowed: number[] | null;

  /** Starts a session; otherwise it belongs to its parent's. */
  sessionLeader: boolean;
  /** Starts a process group. */
  groupLeader: boolean;
  tty: Tty | null;

  cwd: ByteString;
  root: ByteString;
  cgroup: ByteString;
  /** Label by kind (`net`, `mnt`, ...): equal labels are one namespace; a missing kind means the initial one. */
  namespaces: Record<string, string>;
  loginuid: number;
  sessionid: number;

  memory: Memory;
  fds: Fd[];
  timers: PosixTimer[];
  limits: Limits;
  oomScoreAdj: number;

  /** Start after boot; null: spread over the boot or, for processes with a tty, the last hours. */
  startMs: number | null;
  /** CPU time used before the simulation starts. */
  cpuTimeMs: { user: number; system: number };
  /** Bytes read and written before the simulation starts. */
  ioBytes: { read: number; written: number };

  /** At most one of each kind. */
  behaviours: Behaviour[];
  /** Values of a captured process, to be shown as they are; its `count` is 1 and its `pid` is fixed. */
  exact: Exact | null;
}

export interface ThreadSpec {
  /** Template: `{t}` is the index among the threads with this entry; empty: the name of the process. */
  name: ByteString;
  count: number;
}

export interface Tty {
  /** As in /dev, without it: `pts/0`, `tty1`. */
  name: ByteString;
  major: number;
  minor: number;
}

/** 64 bits as two halves: `[low, high]`. */
export type CapabilitySet = readonly [number, number];

export interface CapabilitySets {
  inheritable: CapabilitySet;
  permitted: CapabilitySet;
  effective: CapabilitySet;
  bounding: CapabilitySet;
  ambient: CapabilitySet;
}

/** Size of the address space; all in bytes. The layout that reaches these targets is the builder's. */
export interface Memory {
  /** Resident set. */
  rss: number;
  /** Part of `rss` that is shared memory (shmem). */
  shmem: number;
  /** Least number of VMAs. */
  vmas: number;
  /** Text, data and bss of the executable together. */
  exeSize: number;
  /** Mapped shared libraries. */
  libs: ByteString[];
  heap: number;
  stack: number;
  /** Further mapped files. */
  files: { path: ByteString; size: number; perms: string; shared: boolean }[];
  /** Anonymous mappings besides heap and stack. */
  anon: number;
  swapped: number;
  locked: number;
}

interface FdCommon {
  /** Number; null: the lowest free one. */
  fd: number | null;
  /** Descriptors of this kind; each object has its own inode. */
  count: number;
  /** open(2) flags as a number, as `flags:` of fdinfo shows them in octal. */
  flags: number;
}

export type Fd = FdCommon &
  (
    | { kind: "file"; path: ByteString; pos: number; inode: number | null }
    | {
        kind: "socket";
        family: "unix" | "tcp" | "tcp6" | "udp" | "udp6" | "netlink" | "packet";
        local: ByteString;
        remote: ByteString;
        state: "listen" | "established" | "close_wait" | "time_wait" | "none";
        inode: number | null;
      }
    | { kind: "pipe"; inode: number | null }
    | { kind: "eventfd"; value: number }
    | { kind: "eventpoll"; targets: number[] }
    | { kind: "timerfd"; clock: number; intervalMs: number }
    | { kind: "signalfd"; mask: string }
    | { kind: "inotify"; watches: number }
    | { kind: "memfd"; name: ByteString; size: number }
    | { kind: "anon"; name: ByteString }
    /** Captured: link text, permission bits of the link and text of fdinfo as they were. */
    | { kind: "raw"; link: ByteString; mode: number; fdinfo: ByteString }
  );

export interface PosixTimer {
  count: number;
  /** Null: counted up from 0. */
  id: number | null;
  signal: number;
  /** `sigev_value` as lower-case hexadecimal digits without leading zeros. */
  value: string;
  notify: "signal" | "none" | "thread";
  /** True: notifies one thread (SIGEV_THREAD_ID); false: the process. */
  toThread: boolean;
  /** Captured: the id that is notified; null: the process or its main thread. */
  target: number | null;
  /** Number as in the `ClockID:` line. */
  clock: number;
  intervalMs: number;
}

export type LimitName =
  | "cpu"
  | "fsize"
  | "data"
  | "stack"
  | "core"
  | "rss"
  | "nproc"
  | "nofile"
  | "memlock"
  | "as"
  | "locks"
  | "sigpending"
  | "msgqueue"
  | "nice"
  | "rtprio"
  | "rttime";

/** `Infinity` is unlimited. */
export type Limits = Record<LimitName, { soft: number; hard: number }>;

/** Something that happens to groups at a moment. */
export interface Phase {
  /** First moment after the start. */
  atMs: number;
  /** Repetition; 0: once. */
  everyMs: number;
  /** For `set`: how long it lasts; 0: for good. */
  forMs: number;
  actions: PhaseAction[];
}

/** `groups` are indices into `Scenario.groups`. */
export type PhaseAction =
  /** All processes of the groups end, and start again after `downMs`. */
  | { kind: "restart"; groups: number[]; downMs: number }
  | { kind: "stop"; groups: number[] }
  | { kind: "start"; groups: number[] }
  /** Replaces behaviours of the same kind; a rate of 0 ends one. */
  | { kind: "set"; groups: number[]; behaviours: Behaviour[] }
  /** Reopens the descriptors of a log: the old file becomes `PATH.1`, a new inode takes the path. */
  | { kind: "rotate_log"; groups: number[]; path: ByteString }
  | { kind: "signal"; groups: number[]; signal: number };

/** A fault happens on an occasion with `chance`, but never more often than `maxPerSecond` on the whole machine. */
export interface Fault {
  /** Fraction; 0: never. */
  chance: number;
  /** `Infinity`: no bound. */
  maxPerSecond: number;
}

export interface Faults {
  /** The process listed by a readdir ends before it is opened. */
  exitBeforeOpen: Fault;
  /** ... ends between the open of one of its files and the first read. */
  exitBeforeRead: Fault;
  /** ... ends between two reads of one open file. */
  exitDuringRead: Fault;
  /** A fork takes the pid that was freed last. */
  pidReuse: Fault;
  /** The process executes another program between two reads. */
  execDuringRead: Fault;
  /** An exec takes `slowExecMs` while it holds the exec lock. */
  slowExec: Fault;
  slowExecMs: Spread;
  /** A read returns less than was asked for and is there. */
  shortRead: Fault;
  /** An open or read answers EINTR. */
  eintr: Fault;
  /** An open of a process's file answers EACCES. */
  eacces: Fault;
  /** The mount option: 0 off, 1 noaccess, 2 invisible, 4 ptraceable. */
  hidepid: 0 | 1 | 2 | 4;
}
