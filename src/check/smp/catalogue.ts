/** What virtual CPUs can measure: one entry for each path, and `ps`. */
import type { PathId } from "../../kernel/knobs.ts";
import { Path } from "../../kernel/knobs.ts";
import type { ReadKind, WriteKind } from "./kinds.ts";

/** Whose cost, measured on a real machine, is a reader's work between two reads. */
export type WorkKind =
  /** A path walk of `ps -fe`, with all that ps does for it. */
  | "walk"
  /** Opening, reading and closing a small file of /proc. */
  | "read"
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
  /** True if each record that is read is work of its own, while the list is locked. */
  readonly records: boolean;
  /** Nanoseconds that the writer rests after an operation. */
  readonly pause: number;
}

const EXEC_PAUSE = 50_000;
const CHANGE_PAUSE = 10_000;

type PathName = ReadKind & keyof typeof Path;

function guarded(name: PathName, write: WriteKind, work: WorkKind): Workload {
  return { name, path: Path[name], read: name, write, work, records: false, pause: EXEC_PAUSE };
}

function recorded(name: PathName, write: WriteKind): Workload {
  return { name, path: Path[name], read: name, write, work: "read", records: true, pause: CHANGE_PAUSE };
}

/** In the order in which they are measured. */
export const WORKLOADS: readonly Workload[] = [
  guarded("io", "exec-threads", "read"),
  guarded("stack", "tsync", "read"),
  guarded("syscall", "tsync", "read"),
  guarded("personality", "tsync", "read"),
  guarded("mm_access", "exec", "read"),
  recorded("maps", "mappings"),
  recorded("smaps", "mappings"),
  recorded("smaps_rollup", "mappings"),
  recorded("numa_maps", "mappings"),
  recorded("timers", "timers"),
  guarded("revalidate", "processes", "walk"),
  guarded("kcmp", "exec", "call"),
  guarded("pidfd_getfd", "tsync", "call"),
  guarded("get_robust_list", "tsync", "call"),
  { name: "ps", path: Path.revalidate, read: "ps", write: null, work: "walk", records: false, pause: 0 },
];
