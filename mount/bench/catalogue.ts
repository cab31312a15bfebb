/** What there is to be measured: one entry per name that `synthproc bench` takes. */
import { Path } from "../../src/kernel/knobs.ts";
import type { PathId } from "../../src/kernel/knobs.ts";

/** How a reader thread reads in-process; see readers.ts. */
export type ReaderKind =
  | "io"
  | "stack"
  | "syscall"
  | "personality"
  | "mm_access"
  | "file"
  | "revalidate"
  | "kcmp"
  | "pidfd_getfd"
  | "get_robust_list";

/** What the writer does; see writers.ts. */
export type WriterKind = "exec" | "exec-threads" | "tsync" | "mappings" | "remap" | "timers" | "processes";

/** How a client process reads over the mount: a file whole, its attributes, or a question and its answer. */
export type ClientMode = "read" | "stat" | "ask";

/** The nice value of readers that shall not get in the way. */
export const LOWEST_PRIORITY = 19;

export interface Bench {
  readonly name: string;
  /** Whose knob is switched, and whose counters are reported. */
  readonly path: PathId;
  readonly reader: ReaderKind;
  readonly writer: WriterKind;
  /** What readers read in-process. */
  readonly reads: string;
  /** The file below /proc that clients read; `PID` and `OTHER` stand for the two processes. */
  readonly file: string;
  readonly mode: ClientMode;
  /** For "ask": what is written. */
  readonly question?: string;
  /** Readers run at {@link LOWEST_PRIORITY}, as in the published test. */
  readonly lowPriority?: boolean;
  /** A sentence that readers of the numbers should know. */
  readonly note?: string;
}

/** What one operation of each writer is, as reports say it. */
export const OPERATIONS: Readonly<Record<WriterKind, string>> = {
  exec: "exec",
  "exec-threads": "exec of a process with four threads",
  tsync: "TSYNC (new credentials for four threads)",
  mappings: "mprotect, munmap or mmap of a few pages",
  remap: "munmap or mmap of one page",
  timers: "timer_create or timer_delete",
  processes: "fork, setuid, or exit and reap",
};

/** Milliseconds that each writer rests after an operation; the timer of the system adds some 0.05. */
export const PAUSE_MS: Readonly<Record<WriterKind, number>> = {
  exec: 0.05,
  "exec-threads": 0.05,
  tsync: 0.05,
  mappings: 0.01,
  remap: 0.01,
  timers: 0.01,
  processes: 0.05,
};

const CALL = "one call of the function behind it";
const WHOLE = "the whole file, 4096 bytes at a time";

function file(name: string, path: PathId, writer: WriterKind, more: Partial<Bench> = {}): Bench {
  return { name, path, reader: "file", writer, reads: WHOLE, file: `PID/${name}`, mode: "read", ...more };
}

function traced(name: "stack" | "syscall" | "personality", path: PathId): Bench {
  return { name, path, reader: name, writer: "tsync", reads: CALL, file: `PID/${name}`, mode: "read" };
}

/** A path that is asked through a file of /proc/synthproc. */
function asked(name: "kcmp" | "pidfd_getfd" | "get_robust_list", path: PathId, question: string): Bench {
  const writer = name === "kcmp" ? "exec" : "tsync";
  return { name, path, reader: name, writer, reads: CALL, file: `synthproc/${name}`, mode: "ask", question };
}

/** Every comparison there is, in the order in which they are measured. */
export const BENCHES: readonly Bench[] = [
  { name: "io", path: Path.io, reader: "io", writer: "exec-threads", reads: CALL, file: "PID/io", mode: "read" },
  traced("stack", Path.stack),
  traced("syscall", Path.syscall),
  traced("personality", Path.personality),
  {
    name: "mm_access",
    path: Path.mm_access,
    reader: "mm_access",
    writer: "exec",
    reads: CALL,
    file: "PID/auxv",
    mode: "read",
  },
  file("maps", Path.maps, "mappings"),
  file("smaps", Path.smaps, "mappings"),
  file("smaps_rollup", Path.smaps_rollup, "mappings"),
  file("numa_maps", Path.numa_maps, "mappings"),
  file("timers", Path.timers, "timers", {
    note: "The locked form holds a spinlock, as in the kernel; but here its holder can lose its CPU, and who waits for it naps for up to 1 ms at a time.",
  }),
  {
    name: "revalidate",
    path: Path.revalidate,
    reader: "revalidate",
    writer: "processes",
    reads: "one walk to a process, and its owner",
    file: "PID/status",
    mode: "stat",
  },
  asked("kcmp", Path.kcmp, "PID OTHER VM"),
  asked("pidfd_getfd", Path.pidfd_getfd, "PID 0"),
  asked("get_robust_list", Path.get_robust_list, "PID"),
  file("maps-remap", Path.maps, "remap", { file: "PID/maps", lowPriority: true }),
  file("smaps_rollup-remap", Path.smaps_rollup, "remap", { file: "PID/smaps_rollup", lowPriority: true }),
];

/** The name of the measurement with many `ps -fe`. */
export const PS = "ps";

/** Every name that can be asked for. */
export const BENCH_NAMES: readonly string[] = [...BENCHES.map((bench) => bench.name), PS];

/** One line on each name, for `--list`. */
export function describeBench(name: string): string {
  if (name === PS) return "many `ps -fe` at a time, on a mount: path walks (revalidate)";
  const bench = BENCHES.find((candidate) => candidate.name === name) as Bench;
  return `/proc/${bench.file} while another thread does ${OPERATIONS[bench.writer]}`;
}
