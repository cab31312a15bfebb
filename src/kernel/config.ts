/** What a simulation is told when it is created and never changes after: every thread gets a copy. */

/** A way in which a task waits, or runs: what wchan, syscall and stack show. See wait-kinds.ts for the built-in ones. */
export interface WaitKind {
  readonly name: string;
  /** Symbol of /proc/<pid>/wchan; empty while running. */
  readonly wchan: string;
  /** System call number, or -1 (not in a system call). */
  readonly syscall: number;
  /** Symbols with offsets of /proc/<pid>/stack, innermost first, such as "do_epoll_wait+0x698/0x7d0". */
  readonly stack: readonly string[];
}

/** One mapping of a program or library. */
export interface ImageSegment {
  /** Bytes, a multiple of the page size. */
  readonly size: number;
  /** As in /proc/<pid>/maps: "r-xp". */
  readonly perms: string;
  /** Offset in the file, in bytes. */
  readonly offset: number;
}

/** A file that is mapped or executed. */
export interface ImageFile {
  readonly path: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly ino: number;
  readonly mode: number;
  readonly size: number;
  /** The program's or library's segments in order; empty for data files. */
  readonly segments: readonly ImageSegment[];
}

/** A program that can be executed. */
export interface Program {
  readonly path: string;
  /** Index of the program's own file in {@link KernelConfig.files}. */
  readonly file: number;
  /** The file itself, if it was added later (addFile) and the configuration doesn't know it. */
  readonly image?: ImageFile;
  /** Indexes of its libraries, the dynamic linker last; empty for static programs. */
  readonly libraries: readonly number[];
  /** Bytes of anonymous data after the program (bss), of heap, and of anonymous mappings at start. */
  readonly bss: number;
  readonly heap: number;
  readonly anonymous: readonly number[];
  /** Set-user-ID: the owner whose identity exec takes on, or -1. */
  readonly setuid: number;
}

export interface KernelConfig {
  readonly seed: number;
  readonly pidMax: number;
  /** Pids [low, high) that are never handed out by themselves. */
  readonly pidAvoid: readonly [number, number];
  readonly threadsMax: number;
  /** CLOCK_REALTIME at boot, in seconds. */
  readonly realtimeAtBoot: number;
  /** Bytes of memory and swap. */
  readonly memTotal: number;
  readonly swapTotal: number;
  readonly cpus: number;
  /** Wait kinds beyond the built-in ones; their ids follow on. */
  readonly waitKinds: readonly WaitKind[];
  readonly files: readonly ImageFile[];
  readonly programs: readonly Program[];
  /** Paths of cgroups, by index: the lines of /proc/<pid>/cgroup without the trailing newline. */
  readonly cgroups: readonly string[];
}
