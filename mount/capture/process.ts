/** One process of a real /proc as an entry of a scenario. */
import { parseLimits, parseLines, parseNumbers, parseSmaps, parseStat, parseTimers, ttyName } from "./parse.ts";
import type { ParsedStat } from "./parse.ts";
import type { ProcFolder } from "./read.ts";
import { fromBuffer, fromLatin1 } from "./text.ts";

/** An entry of `processes` in the scenario language. */
export type Entry = Record<string, unknown>;

const PF_KTHREAD = 0x200000;
const PF_EXITING = 0x4;
const MS_PER_TICK = 10;
const POLICIES: Record<number, string> = { 0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle" };
const SECCOMP = ["Seccomp", "NoNewPrivs"];
const CAPABILITIES = {
  inheritable: "CapInh",
  permitted: "CapPrm",
  effective: "CapEff",
  bounding: "CapBnd",
  ambient: "CapAmb",
};

/** Lines of status that the model can't compute from the rest. */
const PROCESS_LINES =
  "FDSize SigQ ShdPnd SigIgn SigCgt VmPeak VmSize VmLck VmPin VmHWM RssAnon RssFile RssShmem VmStk VmPTE".split(" ");
const THREAD_LINES = [
  "SigPnd",
  "SigBlk",
  "Cpus_allowed",
  "voluntary_ctxt_switches",
  "nonvoluntary_ctxt_switches",
  ...SECCOMP,
];
/** Fields of stat that belong to a thread, and to a process. */
const THREAD_FIELDS = "flags minflt majflt utime stime nice starttime processor rt_priority policy exit_code".split(
  " ",
);
const PROCESS_FIELDS = (
  "tpgid cminflt cmajflt cutime cstime minflt majflt utime stime startcode endcode startstack start_data end_data " +
  "start_brk arg_start arg_end env_start env_end exit_code"
).split(" ");
/** Further files that are kept as they are. */
const KEPT_FILES = ["wchan", "syscall", "stack", "personality", "autogroup", "timerslack_ns", "coredump_filter"];

export interface ProcessOptions {
  /** False leaves the environment out. */
  environ: boolean;
  /** Takes one sentence about something that could not be captured. */
  note: (sentence: string) => void;
}

/**
 * Reads a process.
 * @param folder /proc/PID
 * @throws GoneError if it ends meanwhile
 */
export function captureProcess(pid: number, folder: ProcFolder, options: ProcessOptions): Entry {
  const stat = parseStat(folder.text("stat"));
  const status = parseLines(folder.text("status"));
  const kernel = (stat.fields["flags"]! & PF_KTHREAD) !== 0;
  const exe = kernel ? null : folder.maybeLink("exe");
  return {
    name: printable(stat.comm) || `pid ${pid}`,
    pid,
    ppid: stat.fields["ppid"],
    comm: fromLatin1(stat.comm),
    ...(kernel ? { kernel: true } : {}),
    ...(exe === null ? {} : { exe: fromBuffer(exe) }),
    state: stat.state === "X" ? "Z" : stat.state,
    ...identity(folder, status, stat, options),
    ...place(folder),
    ...scheduling(stat),
    limits: parseLimits(folder.text("limits")),
    fds: descriptors(folder),
    timers: parseTimers(folder.maybeText("timers") ?? ""),
    start: `${stat.fields["starttime"]! * MS_PER_TICK}ms`,
    exact: exact(pid, folder, stat, status, options),
  };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}

function identity(folder: ProcFolder, status: Map<string, string>, stat: ParsedStat, options: ProcessOptions): Entry {
  const ids = (name: string): number[] => numbers(status.get(name) ?? "0\t0\t0\t0");
  const uids = ids("Uid");
  const tty = stat.fields["tty_nr"]!;
  const terminal = ttyName(tty);
  if (tty !== 0 && terminal === null) options.note(`process ${folder.path}: terminal ${tty} is of no known kind`);
  const capabilities = Object.entries(CAPABILITIES).map(([set, line]) => [set, `0x${status.get(line) ?? "0"}`]);
  return {
    user: uids,
    group: ids("Gid"),
    groups: numbers(status.get("Groups") ?? ""),
    caps: Object.fromEntries(capabilities),
    dumpable: isDumpable(folder, uids[1]!, stat) ? 1 : 0,
    no_new_privs: status.get("NoNewPrivs") === "1",
    seccomp: Number(status.get("Seccomp") ?? 0),
    umask: status.get("Umask") ?? "022",
    session: false,
    group_leader: false,
    tty: tty === 0 || terminal === null ? "none" : terminal,
    ...audit(folder),
    oom_score_adj: Number(folder.text("oom_score_adj")),
  };
}

function audit(folder: ProcFolder): Entry {
  const loginuid = folder.maybeText("loginuid");
  const sessionid = folder.maybeText("sessionid");
  return {
    ...(loginuid === null ? {} : { loginuid: Number(loginuid) }),
    ...(sessionid === null ? {} : { sessionid: Number(sessionid) }),
  };
}

/** Files of a process that may not be dumped belong to root; of root's own processes it can't be told. */
function isDumpable(folder: ProcFolder, euid: number, stat: ParsedStat): boolean {
  const dead = (stat.fields["flags"]! & PF_EXITING) !== 0;
  return dead || (folder.maybeStat("status")?.uid ?? euid) === euid;
}

function numbers(text: string): number[] {
  return text.split(/\s+/).filter(Boolean).map(Number);
}

function place(folder: ProcFolder): Entry {
  const cwd = folder.maybeLink("cwd");
  const root = folder.maybeLink("root");
  const cgroup = /^0::(.*)$/m.exec(folder.maybeText("cgroup") ?? "");
  return {
    ...(cwd === null ? {} : { cwd: fromBuffer(cwd) }),
    ...(root === null ? {} : { root: fromBuffer(root) }),
    ...(cgroup === null ? {} : { cgroup: fromLatin1(cgroup[1]!) }),
  };
}

function scheduling({ fields }: ParsedStat): Entry {
  const priority = fields["rt_priority"]!;
  return {
    nice: fields["nice"],
    policy: POLICIES[fields["policy"]!] ?? "other",
    ...(priority > 0 ? { priority } : {}),
  };
}

function descriptors(folder: ProcFolder): Entry[] {
  const all: Entry[] = [];
  for (const fd of folder.list("fd")) {
    const link = folder.maybeLink(`fd/${fd}`);
    const fdinfo = folder.maybeText(`fdinfo/${fd}`);
    const mode = folder.maybeStat(`fd/${fd}`)?.mode;
    // Closed meanwhile.
    if (link === null || fdinfo === null || mode === undefined) continue;
    all.push({
      kind: "raw",
      fd: Number(fd),
      link: fromBuffer(link),
      mode: (mode & 0o777).toString(8).padStart(3, "0"),
      fdinfo: fromLatin1(fdinfo),
    });
  }
  return all.sort((a, b) => Number(a["fd"]) - Number(b["fd"]));
}

function exact(
  pid: number,
  folder: ProcFolder,
  stat: ParsedStat,
  status: Map<string, string>,
  options: ProcessOptions,
): Entry {
  const environ = options.environ && status.has("VmSize") ? folder.maybeBytes("environ") : null;
  const auxv = status.has("VmSize") ? folder.maybeBytes("auxv") : null;
  const maps = mappings(folder, status);
  const io = folder.maybeText("io");
  return {
    cmdline: fromBuffer(folder.bytes("cmdline")),
    ...(environ === null ? {} : { environ: fromBuffer(environ) }),
    ...(auxv === null ? {} : { auxv: { base64: auxv.toString("base64") } }),
    ...(maps === null ? {} : { maps }),
    stat: pick(stat.fields, PROCESS_FIELDS),
    status: pick(Object.fromEntries(status), PROCESS_LINES),
    ...(io === null ? {} : { io: parseNumbers(io) }),
    threads: threads(pid, folder),
    ns: namespaces(folder),
    pgrp: Math.max(0, stat.fields["pgrp"]!),
    session: Math.max(0, stat.fields["session"]!),
    files: keptFiles(folder),
  };
}

/** smaps if it can be read, else maps; null for what has no address space. */
function mappings(folder: ProcFolder, status: Map<string, string>): Entry[] | null {
  if (!status.has("VmSize")) return null;
  const text = folder.maybeText("smaps") ?? folder.maybeText("maps");
  if (text === null) return null;
  return parseSmaps(text).map(({ vma, smaps, flags }) => ({
    vma: fromLatin1(vma),
    ...(Object.keys(smaps).length > 0 ? { smaps } : {}),
    ...(flags === "" ? {} : { flags }),
  }));
}

function pick<T>(from: Record<string, T>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name] as T]));
}

/** The main thread comes first; threads that end meanwhile are left out. */
function threads(pid: number, folder: ProcFolder): Entry[] {
  const tids = folder.list("task").map(Number);
  const others = tids.filter((tid) => tid !== pid);
  return [pid, ...others].flatMap((tid) => thread(tid, folder.within(`task/${tid}`), tid === pid));
}

function thread(tid: number, folder: ProcFolder, main: boolean): Entry[] {
  const text = main ? folder.text("stat") : folder.maybeText("stat");
  const lines = folder.maybeText("status");
  if (text === null || lines === null) return [];
  const stat = parseStat(text);
  const status = Object.fromEntries(parseLines(lines));
  const io = folder.maybeText("io");
  return [
    {
      tid,
      comm: fromLatin1(stat.comm),
      state: stat.state === "X" ? "Z" : stat.state,
      stat: pick(stat.fields, THREAD_FIELDS),
      status: pick(status, THREAD_LINES),
      ...(io === null ? {} : { io: parseNumbers(io) }),
      schedstat: (folder.maybeText("schedstat") ?? "0 0 0").trim(),
    },
  ];
}

function namespaces(folder: ProcFolder): Record<string, string> {
  const links: Record<string, string> = {};
  for (const kind of folder.list("ns")) {
    const link = folder.maybeLink(`ns/${kind}`);
    if (link !== null) links[kind] = link.toString("latin1");
  }
  return links;
}

function keptFiles(folder: ProcFolder): Entry {
  const files: Entry = {};
  for (const name of KEPT_FILES) {
    const text = folder.maybeText(name);
    if (text !== null && text !== "") files[name] = fromLatin1(text);
  }
  const cgroup = folder.maybeText("cgroup") ?? "";
  if (!/^0::[^\n]*\n$/.test(cgroup) && cgroup !== "") files["cgroup"] = fromLatin1(cgroup);
  return files;
}
