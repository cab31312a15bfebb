/** Workloads in words. */
import type { Workload } from "../../../src/check/smp/catalogue.ts";
import type { WriteKind } from "../../../src/check/smp/kinds.ts";

const WRITES: Readonly<Record<WriteKind, string>> = {
  exec: "exec",
  "exec-threads": "exec of a process with four threads",
  tsync: "TSYNC of a process with four threads",
  mappings: "mprotect, munmap or mmap of one or two pages of 192, in 48 mappings",
  timers: "timer_create or timer_delete of a process with 64 timers",
  processes: "fork, setuid, or exit and reap",
};

/** What the writer does. */
export function writesText({ write }: Workload): string | null {
  return write === null ? null : WRITES[write];
}

/** What each reader reads. */
export function readsText({ read, records }: Workload): string {
  if (read === "ps") return "path walks to one of 256 processes after the other, as ps -fe makes them";
  if (read === "revalidate") return "path walks to one process";
  if (records) return `the records of ${read}, as many at a time as fit into 4096 bytes`;
  return `one call of the function behind ${read}, for the same process`;
}
