/** What virtual CPUs can measure: one entry for each path, and `ps`. */
import type { PathId } from "../../kernel/knobs.ts";
import { Path } from "../../kernel/knobs.ts";
import type { ReadKind, WriteKind } from "./kinds.ts";

/** Whose cost, measured on the real /proc of the machine, is a reader's work between two reads. */
export type WorkKind =
  /** A path walk of `ps -fe`, with all that ps does for it. */
  | "walk"
  /** Opening, reading and closing a file. */
  | "file"
  /** A system call. */
  | "call";

export interface Workload {
  readonly name: string;
  /** Whose form is compared. */
  readonly path: PathId;
  readonly read: ReadKind;
  /** Nobody writes if null. */
  readonly write: WriteKind | null;
  readonly work: WorkKind;
  /** For "file": which of /proc/self it is. */
  readonly file?: string;
  /** True if each record of the file is work of its own, while it's locked. */
  readonly records?: boolean;
  /** Nanoseconds that the writer rests after an operation. */
  readonly pause: number;
}

const EXEC_PAUSE = 50_000;
const CHANGE_PAUSE = 10_000;

function guarded(name: ReadKind & keyof typeof Path, write: WriteKind, work: WorkKind, file?: string): Workload {
  const base = { name, path: Path[name], read: name, write, work, pause: EXEC_PAUSE };
  return file === undefined ? base : { ...base, file };
}

function records(name: ReadKind & keyof typeof Path, write: WriteKind): Workload {
  return {
    name,
    path: Path[name],
    read: name,
    write,
    work: "file",
    file: name,
    records: true,
    pause: CHANGE_PAUSE,
  };
}

/** In the order in which they are measured. */
export const WORKLOADS: readonly Workload[] = [
  guarded("io", "exec-threads", "file", "io"),
  guarded("stack", "tsync", "file", "stack"),
  guarded("syscall", "tsync", "file", "syscall"),
  guarded("personality", "tsync", "file", "personality"),
  guarded("mm_access", "exec", "file", "auxv"),
  records("maps", "mappings"),
  records("smaps", "mappings"),
  records("smaps_rollup", "mappings"),
  records("numa_maps", "mappings"),
  records("timers", "timers"),
  guarded("revalidate", "processes", "walk"),
  guarded("kcmp", "exec", "call"),
  guarded("pidfd_getfd", "tsync", "call"),
  guarded("get_robust_list", "tsync", "call"),
  { name: "ps", path: Path.revalidate, read: "ps", write: null, work: "walk", pause: 0 },
];
