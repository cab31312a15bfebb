/**
 * What the files of a process directory answer, by kind of process and by caller, as measured on a real /proc.
 *
 * Results: `data`, `EOF`; `open E`, `read E`, `readdir E`; for directories `ok` or `empty`; for links `ok` or the errno
 * of readlink. `-` was not measured.
 */

/** Columns of {@link MATRIX}: kind of process, and who asks. */
export const COLUMNS = [
  "ordinary/root",
  "ordinary/owner",
  "ordinary/other",
  "undumpable/owner",
  "zombie/root",
  "zombie/other",
  "kthread/root",
  "kthread/other",
  "thread/root",
  "deadleader/root",
] as const;
export type Column = (typeof COLUMNS)[number];

/** name type mode where | one result for each column | errno of opening for writing as root/owner */
const TEXT = [
  "arch_status f 0444 both | data | data | data | data | data | data | EOF | EOF | data | data | ok/EACCES",
  "attr d 0555 both | ok | ok | ok | ok | ok | ok | ok | ok | ok | ok | -",
  "autogroup f 0644 process | data | data | data | data | data | data | EOF | EOF | data | data | ok/ok",
  "auxv f 0400 both | data | data | open EACCES | open EACCES | open ESRCH | open EACCES | open ESRCH | open EACCES | data | open ESRCH | ok/EACCES",
  "cgroup f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "clear_refs f 0200 both | read EINVAL | open EACCES | open EACCES | open EACCES | read EINVAL | open EACCES | read EINVAL | open EACCES | read EINVAL | read EINVAL | ok/ok",
  "cmdline f 0444 both | data | data | data | data | EOF | EOF | EOF | EOF | data | EOF | ok/EACCES",
  "comm f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "coredump_filter f 0644 process | data | data | data | data | EOF | EOF | EOF | EOF | data | EOF | ok/ok",
  "cpuset f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "cwd l 0777 both | ok | ok | EACCES | EACCES | ENOENT | EACCES | ok | EACCES | ok | ENOENT | -",
  "environ f 0400 both | data | data | open EACCES | open EACCES | open ESRCH | open EACCES | open ESRCH | open EACCES | - | open ESRCH | ok/EACCES",
  "exe l 0777 both | ok | ok | EACCES | EACCES | ENOENT | EACCES | ENOENT | EACCES | ok | ENOENT | -",
  "fd d 0500 both | ok | ok | open EACCES | open EACCES | empty | open EACCES | empty | open EACCES | ok | empty | -",
  "fdinfo d 0555 both | ok | ok | open EACCES | open EACCES | empty | open EACCES | empty | open EACCES | ok | empty | -",
  "gid_map f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "io f 0400 both | data | data | open EACCES | open EACCES | data | open EACCES | data | open EACCES | data | data | ok/EACCES",
  "ksm_merging_pages f 0400 both | data | data | open EACCES | open EACCES | EOF | open EACCES | EOF | open EACCES | data | EOF | ok/EACCES",
  "ksm_stat f 0400 both | data | data | open EACCES | open EACCES | EOF | open EACCES | EOF | open EACCES | data | EOF | ok/EACCES",
  "limits f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "loginuid f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "map_files d 0500 process | ok | ok | open EACCES | open EACCES | empty | open EACCES | empty | open EACCES | ok | empty | -",
  "maps f 0444 both | data | data | open EACCES | open EACCES | EOF | EOF | EOF | EOF | data | EOF | ok/EACCES",
  "mem f 0600 both | read EIO | read EIO | open EACCES | open EACCES | open ESRCH | open EACCES | open ESRCH | open EACCES | read EIO | open ESRCH | ok/ok",
  "mountinfo f 0444 both | data | data | data | data | open EINVAL | open EINVAL | data | data | data | open EINVAL | ok/EACCES",
  "mounts f 0444 both | data | data | data | data | open EINVAL | open EINVAL | data | data | data | open EINVAL | ok/EACCES",
  "mountstats f 0400 process | data | data | open EACCES | open EACCES | open EINVAL | open EACCES | data | open EACCES | data | open EINVAL | ok/EACCES",
  "ns d 0511 both | ok | ok | open EACCES | open EACCES | ok | open EACCES | ok | open EACCES | ok | ok | -",
  "numa_maps f 0444 both | data | data | open EACCES | open EACCES | EOF | EOF | EOF | EOF | data | EOF | ok/EACCES",
  "oom_adj f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "oom_score f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "oom_score_adj f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "pagemap f 0400 both | data | data | open EACCES | open EACCES | open ESRCH | open EACCES | open ESRCH | open EACCES | data | open ESRCH | ok/EACCES",
  "personality f 0400 both | data | data | open EACCES | open EACCES | data | open EACCES | data | open EACCES | data | data | ok/EACCES",
  "projid_map f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "root l 0777 both | ok | ok | EACCES | EACCES | ENOENT | EACCES | ok | EACCES | ok | ENOENT | -",
  "sched f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "schedstat f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "sessionid f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "setgroups f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "smaps f 0444 both | data | data | open EACCES | open EACCES | EOF | EOF | EOF | EOF | data | EOF | ok/EACCES",
  "smaps_rollup f 0444 both | data | data | open EACCES | open EACCES | open ESRCH | open ESRCH | open ESRCH | open ESRCH | data | open ESRCH | ok/EACCES",
  "stack f 0400 both | data | read EACCES | open EACCES | open EACCES | EOF | open EACCES | data | open EACCES | data | EOF | ok/EACCES",
  "stat f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "statm f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "status f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "syscall f 0400 both | data | data | open EACCES | open EACCES | data | open EACCES | data | open EACCES | data | data | ok/EACCES",
  "timens_offsets f 0644 process | data | data | data | data | EOF | EOF | data | data | data | EOF | ok/ok",
  "timers f 0444 process | EOF | EOF | open EACCES | open EACCES | EOF | open EACCES | EOF | open EACCES | EOF | EOF | ok/EACCES",
  "timerslack_ns f 0666 process | data | read EPERM | read EPERM | read EPERM | data | read EPERM | data | read EPERM | data | data | ok/ok",
  "uid_map f 0644 both | data | data | data | data | data | data | data | data | data | data | ok/ok",
  "wchan f 0444 both | data | data | data | data | data | data | data | data | data | data | ok/EACCES",
  "task d 0555 process | ok | ok | ok | - | - | - | ok | ok | ok | ok | -",
  "net d 0555 both | ok | ok | ok | - | - | - | ok | ok | - | readdir EINVAL | -",
];

export interface MatrixRow {
  readonly name: string;
  readonly type: "f" | "d" | "l";
  readonly mode: number;
  /** Also in task/<tid>. */
  readonly inThread: boolean;
  readonly results: Readonly<Record<Column, string>>;
  /** "ok", an errno's name, or "-", for root and for the owner. */
  readonly openForWriting: readonly [string, string];
}

export const MATRIX: readonly MatrixRow[] = TEXT.map((text) => {
  const [head, ...cells] = text.split("|").map((cell) => cell.trim()) as [string, ...string[]];
  const [name, type, mode, where] = head.split(" ") as [string, MatrixRow["type"], string, string];
  const results = Object.fromEntries(COLUMNS.map((column, i) => [column, cells[i] as string]));
  const [asRoot, asOwner] = (cells[COLUMNS.length] as string).split("/");
  return {
    name,
    type,
    mode: parseInt(mode, 8),
    inThread: where === "both",
    results: results as Record<Column, string>,
    openForWriting: [asRoot as string, asOwner ?? "-"],
  };
});

/** Order of /proc/<pid> and of /proc/<pid>/task/<tid>. */
export const PROCESS_ORDER =
  "task fd map_files fdinfo ns net environ auxv status personality limits sched autogroup timens_offsets comm syscall " +
  "cmdline stat statm maps numa_maps mem cwd root exe mounts mountinfo mountstats clear_refs smaps smaps_rollup " +
  "pagemap attr wchan stack schedstat cpuset cgroup oom_score oom_adj oom_score_adj loginuid sessionid " +
  "coredump_filter io uid_map gid_map projid_map setgroups timers timerslack_ns arch_status ksm_merging_pages ksm_stat";
export const THREAD_ORDER =
  "fd fdinfo ns net environ auxv status personality limits sched comm syscall cmdline stat statm maps children " +
  "numa_maps mem cwd root exe mounts mountinfo clear_refs smaps smaps_rollup pagemap attr wchan stack schedstat cpuset " +
  "cgroup oom_score oom_adj oom_score_adj loginuid sessionid io uid_map gid_map projid_map setgroups arch_status " +
  "ksm_merging_pages ksm_stat";
