/**
 * The tables of /proc/<pid> and /proc/<pid>/task/<tid> (tgid_base_stuff and tid_base_stuff, fs/proc/base.c): one row a
 * file, in the order of readdir. A row names the functions that serve it; the framework does the rest.
 */
import { EINVAL } from "../kernel/errno.ts";
import { isZombie } from "../kernel/task.ts";
import { childrenSeq } from "./task/array-children.ts";
import { showStat, showStatm } from "./task/array-stat.ts";
import { showStatus } from "./task/array-status.ts";
import {
  showAttr,
  showCgroup,
  showComm,
  showCpuset,
  showLoginuid,
  showSessionid,
  targetCwd,
  targetExe,
  targetRoot,
  writeAttr,
  writeComm,
  writeLoginuid,
} from "./task/base-identity.ts";
import {
  openMaps,
  openMmAttach,
  openMmRead,
  readAuxv,
  readClearRefs,
  readCmdline,
  readEnviron,
  readMem,
  releaseMm,
  showCoredumpFilter,
  writeClearRefs,
  writeCoredumpFilter,
  writeMem,
} from "./task/base-mem.ts";
import { mountinfoSeq, mountsSeq, mountstatsSeq, openMounts } from "./task/base-mounts.ts";
import {
  openSetgroups,
  showArchStatus,
  showIdMap,
  showKsmMergingPages,
  showKsmStat,
  showLimits,
  showSetgroups,
  showTimensOffsets,
  writeIdMap,
  writeSetgroups,
  writeTimensOffsets,
} from "./task/base-namespaces.ts";
import { showOomAdj, showOomScore, showOomScoreAdj, writeOomAdj, writeOomScoreAdj } from "./task/base-oom.ts";
import {
  showAutogroup,
  showSched,
  showSchedstat,
  showTimerslack,
  writeAutogroup,
  writeSched,
  writeTimerslack,
} from "./task/base-sched.ts";
import { timersSeq } from "./task/base-timers.ts";
import { openTimers, showIo, showPersonality, showStack, showSyscall, showWchan } from "./task/base-trace.ts";
import type { Tables } from "./fs/entries.ts";
import { FDINFO_DIRECTORY, FD_DIRECTORY, fdinfoPermission } from "./task/fd.ts";
import type { HostView } from "./host-view.ts";
import { MAP_FILES_DIRECTORY } from "./task/map-files.ts";
import { NS_ROW } from "./task/ns.ts";
import { pidPermission } from "./fs/permission.ts";
import { netRows } from "./net/rows.ts";
import { rootRows } from "./root/rows.ts";
import type { Context, DirRow, OneRow, Row, SeqOperations, SmallRow } from "./row.ts";
import { MOUNTS_ROW, NET_LINK_ROW } from "./fs/self.ts";
import { readPagemap } from "./task/task-mmu-pagemap.ts";
import { mapsSeq, numaMapsSeq, showSmapsRollup, smapsSeq } from "./task/task-mmu.ts";
import { TASK_DIRECTORY } from "./task/task-dir.ts";

type Show = OneRow["show"];
type Write = NonNullable<Row["write"]>;

function one(name: string, mode: number, doc: string, show: Show, more: Partial<OneRow> = {}): Row {
  return { type: "one", name, mode, doc, show, ...more };
}

function small(name: string, mode: number, doc: string, show: Show, write: Write): SmallRow {
  return { type: "small", name, mode, doc, show, write };
}

/** A file of the address space, which stays attached to it; which of its mappings there still are is another matter. */
function maps(name: string, doc: string, seq: SeqOperations): Row {
  return { type: "seq", name, mode: 0o444, doc, seq, open: openMaps, release: releaseMm };
}

function mounts(name: string, mode: number, doc: string, seq: SeqOperations): Row {
  return { type: "seq", name, mode, doc, seq, open: openMounts, pinned: true };
}

function idMap(name: string): Row {
  const doc = "ids of the user namespace and what they are outside of it; proc_uid_map_operations";
  return one(name, 0o644, doc, showIdMap, { write: writeIdMap, pinned: true });
}

function attribute(name: string, mode: number): Row {
  return small(
    name,
    mode,
    "label of a security module, of which there is none; proc_pid_attr_read",
    showAttr,
    writeAttr,
  );
}

const ATTR: DirRow = {
  type: "dir",
  name: "attr",
  mode: 0o555,
  doc: "labels of security modules; attr_dir_stuff",
  rows: [
    attribute("current", 0o666),
    attribute("prev", 0o444),
    attribute("exec", 0o666),
    attribute("fscreate", 0o666),
    attribute("keycreate", 0o666),
    attribute("sockcreate", 0o666),
  ],
};

/** The namespace is left at exit: a dead process has no network. */
function netUnreadable(c: Context): number {
  return isZombie(c.k, c.task) ? -EINVAL : 0;
}

/** Network files show the namespace, not the process: they outlive it. */
function pinned(rows: readonly Row[]): Row[] {
  return rows.map((row): Row => (row.type === "dir" ? { ...row, rows: pinned(row.rows) } : { ...row, pinned: true }));
}

function netRow(host: HostView): DirRow {
  return {
    type: "dir",
    name: "net",
    mode: 0o555,
    doc: "the network namespace; proc_tgid_net_lookup",
    rows: pinned(netRows(host)),
    rootOwned: true,
    unreadable: netUnreadable,
  };
}

type Where = "both" | "process" | "thread";

/** Every row, and which of the two directories has it. */
function processRows(net: DirRow): readonly (readonly [Where, Row])[] {
  return [
    [
      "process",
      {
        type: "dynamic",
        name: "task",
        mode: 0o555,
        doc: "the threads; proc_task_readdir",
        directory: TASK_DIRECTORY,
        permission: (c) => pidPermission(c.k, c.task, c.subject),
      },
    ],
    [
      "both",
      { type: "dynamic", name: "fd", mode: 0o500, doc: "open descriptors; proc_readfd", directory: FD_DIRECTORY },
    ],
    [
      "process",
      {
        type: "dynamic",
        name: "map_files",
        mode: 0o500,
        doc: "mapped files; proc_map_files_readdir",
        directory: MAP_FILES_DIRECTORY,
      },
    ],
    [
      "both",
      {
        type: "dynamic",
        name: "fdinfo",
        mode: 0o555,
        doc: "details of open descriptors; proc_readfdinfo",
        directory: FDINFO_DIRECTORY,
        permission: fdinfoPermission,
      },
    ],
    ["both", NS_ROW],
    ["both", net],
    [
      "both",
      {
        type: "raw",
        name: "environ",
        mode: 0o400,
        doc: "the initial environment; environ_read",
        read: readEnviron,
        open: openMmRead,
        release: releaseMm,
        pinned: true,
      },
    ],
    [
      "both",
      {
        type: "raw",
        name: "auxv",
        mode: 0o400,
        doc: "what the kernel told the dynamic linker; auxv_read",
        read: readAuxv,
        open: openMmRead,
        release: releaseMm,
        pinned: true,
      },
    ],
    ["both", one("status", 0o444, "the task in words; proc_pid_status", showStatus)],
    ["both", one("personality", 0o400, "execution domain; proc_pid_personality", showPersonality)],
    ["both", one("limits", 0o444, "resource limits; proc_pid_limits", showLimits)],
    ["both", one("sched", 0o644, "scheduler statistics; proc_sched_show_task", showSched, { write: writeSched })],
    [
      "process",
      one("autogroup", 0o644, "scheduling group of the session; proc_sched_autogroup_show_task", showAutogroup, {
        write: writeAutogroup,
      }),
    ],
    [
      "process",
      one("timens_offsets", 0o644, "clock offsets; proc_timens_show_offsets", showTimensOffsets, {
        write: writeTimensOffsets,
      }),
    ],
    ["both", one("comm", 0o644, "name of the thread; comm_show", showComm, { write: writeComm })],
    ["both", one("syscall", 0o400, "system call it is in; proc_pid_syscall", showSyscall)],
    ["both", { type: "raw", name: "cmdline", mode: 0o444, doc: "arguments; proc_pid_cmdline_read", read: readCmdline }],
    ["both", one("stat", 0o444, "the task in numbers; do_task_stat", showStat)],
    ["both", one("statm", 0o444, "memory in pages; proc_pid_statm", showStatm)],
    ["both", maps("maps", "mappings; show_map_vma", mapsSeq)],
    ["thread", { type: "seq", name: "children", mode: 0o444, doc: "children; children_seq_show", seq: childrenSeq }],
    ["both", maps("numa_maps", "mappings by memory node; show_numa_map", numaMapsSeq)],
    [
      "both",
      {
        type: "raw",
        name: "mem",
        mode: 0o600,
        doc: "memory, of which nothing is simulated; mem_rw",
        read: readMem,
        write: writeMem,
        open: openMmAttach,
        release: releaseMm,
        pinned: true,
      },
    ],
    ["both", { type: "link", name: "cwd", mode: 0o777, doc: "working directory; proc_cwd_link", target: targetCwd }],
    ["both", { type: "link", name: "root", mode: 0o777, doc: "root directory; proc_root_link", target: targetRoot }],
    ["both", { type: "link", name: "exe", mode: 0o777, doc: "executable; proc_exe_link", target: targetExe }],
    ["both", mounts("mounts", 0o444, "mount table; show_vfsmnt", mountsSeq)],
    ["both", mounts("mountinfo", 0o444, "mount table with ids; show_mountinfo", mountinfoSeq)],
    ["process", mounts("mountstats", 0o400, "mount table with statistics; show_vfsstat", mountstatsSeq)],
    [
      "both",
      {
        type: "raw",
        name: "clear_refs",
        mode: 0o200,
        doc: "resets referenced bits; clear_refs_write",
        read: readClearRefs,
        write: writeClearRefs,
        pinned: true,
      },
    ],
    ["both", maps("smaps", "mappings with their memory; show_smap", smapsSeq)],
    [
      "both",
      one("smaps_rollup", 0o444, "memory of all mappings; show_smaps_rollup", showSmapsRollup, {
        open: openMmRead,
        release: releaseMm,
      }),
    ],
    [
      "both",
      {
        type: "raw",
        name: "pagemap",
        mode: 0o400,
        doc: "page by page; pagemap_read",
        read: readPagemap,
        open: openMmRead,
        release: releaseMm,
        pinned: true,
      },
    ],
    ["both", ATTR],
    ["both", one("wchan", 0o444, "where it sleeps; proc_pid_wchan", showWchan)],
    ["both", one("stack", 0o400, "kernel stack; proc_pid_stack", showStack)],
    ["both", one("schedstat", 0o444, "time on CPU and waiting; proc_pid_schedstat", showSchedstat)],
    ["both", one("cpuset", 0o444, "cpuset; proc_cpuset_show", showCpuset)],
    ["both", one("cgroup", 0o444, "control groups; proc_cgroup_show", showCgroup)],
    ["both", one("oom_score", 0o444, "badness; proc_oom_score", showOomScore)],
    ["both", small("oom_adj", 0o644, "old form of oom_score_adj; oom_adj_read", showOomAdj, writeOomAdj)],
    [
      "both",
      small("oom_score_adj", 0o644, "adjustment of the badness; oom_score_adj_read", showOomScoreAdj, writeOomScoreAdj),
    ],
    ["both", small("loginuid", 0o644, "who logged in; proc_loginuid_read", showLoginuid, writeLoginuid)],
    [
      "both",
      { type: "small", name: "sessionid", mode: 0o444, doc: "audit session; proc_sessionid_read", show: showSessionid },
    ],
    [
      "process",
      small(
        "coredump_filter",
        0o644,
        "what is dumped; proc_coredump_filter_read",
        showCoredumpFilter,
        writeCoredumpFilter,
      ),
    ],
    ["both", one("io", 0o400, "bytes read and written; do_io_accounting", showIo)],
    ["both", idMap("uid_map")],
    ["both", idMap("gid_map")],
    ["both", idMap("projid_map")],
    [
      "both",
      one("setgroups", 0o644, "whether setgroups is allowed; proc_setgroups_show", showSetgroups, {
        write: writeSetgroups,
        open: openSetgroups,
        pinned: true,
      }),
    ],
    [
      "process",
      { type: "seq", name: "timers", mode: 0o444, doc: "POSIX timers; show_timer", seq: timersSeq, open: openTimers },
    ],
    [
      "process",
      one("timerslack_ns", 0o666, "slack of timers; timerslack_ns_show", showTimerslack, { write: writeTimerslack }),
    ],
    ["both", one("arch_status", 0o444, "time since AVX-512 use; proc_pid_arch_status", showArchStatus)],
    ["both", one("ksm_merging_pages", 0o400, "merged pages; proc_pid_ksm_merging_pages", showKsmMergingPages)],
    ["both", one("ksm_stat", 0o400, "page merging; proc_pid_ksm_stat", showKsmStat)],
  ];
}

/** All tables of a host. */
export function tablesOf(host: HostView): Tables {
  const rows = processRows(netRow(host));
  return {
    root: [...rootRows(host), MOUNTS_ROW, NET_LINK_ROW],
    process: rows.filter(([where]) => where !== "thread").map(([, row]) => row),
    thread: rows.filter(([where]) => where !== "process").map(([, row]) => row),
  };
}
