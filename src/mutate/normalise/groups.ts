/** The process tree: flattens it and fills in what an ordinary service, child or kernel thread has. */
import { toBytes } from "../bytes.ts";
import { baseName } from "../../kernel/path.ts";
import { splitCommandLine } from "../command-line.ts";
import type { Cursor } from "../cursor.ts";
import { behaviours } from "./behaviours.ts";
import { exact, stateLetter } from "./exact.ts";
import { fds, standardFds, timers } from "./fds.ts";
import { capabilities, defaultCapabilities, four } from "./identity.ts";
import type { Users } from "./identity.ts";
import { defaultLimits, limits } from "./limits.ts";
import { memory } from "./memory.ts";
import type { Group, Host, ThreadSpec, Tty } from "../scenario-types.ts";
import { parseDuration, parseSize } from "../units.ts";

const COMM_BYTES = 15;
/** Kernel threads may have longer names. */
const KERNEL_NAME_BYTES = 63;
const NO_ID = 4294967295;
const DEFAULT_ENV = ["LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/** What all groups of a scenario have in common while they are read. */
export interface GroupContext {
  host: Host;
  users: Users;
  /** Takes the finished groups, parents first. */
  groups: Group[];
  /** Fixed pids that are taken. */
  pids: Set<number>;
}

/** Adds the group and those below it. `parent` is null for an orphan of pid 0. */
export function addGroup(cursor: Cursor, parent: Group | null, context: GroupContext): Group {
  const group = oneGroup(cursor, parent, context);
  context.groups.push(group);
  for (const child of cursor.isMap() ? cursor.get("children").items() : []) {
    if (child.isMap() && child.get("ppid").exists()) {
      throw child.get("ppid").error('"ppid" belongs to flat lists, not to "children"');
    }
    addGroup(child, group, context);
  }
  return group;
}

interface Program {
  comm: string;
  exe: string;
  args: string[];
}

function oneGroup(short: Cursor, parent: Group | null, context: GroupContext): Group {
  const cursor = short.isMap() ? short : short.none();
  const program = programOf(short, parent);
  const captured = exact(cursor.get("exact"));
  const kernel = cursor.get("kernel").flag(false);
  const terminal = tty(cursor.get("tty"), parent);
  const leads = cursor.get("session").flag(!kernel && terminal === null && isInit(parent));
  const fixedPid = pid(cursor, context);
  const plain = kernel || captured !== null;
  const process = {
    index: context.groups.length,
    parent: parent?.index ?? -1,
    name: cursor.get("name").text(program.comm),
    count: cursor.get("count").number(1),
    pid: fixedPid,
    kernel,
    ...program,
    env: kernel ? [] : environment(cursor.get("env")),
    threads: threads(cursor.get("threads")),
    shares: cursor
      .get("shares")
      .items()
      .map((item) => item.text("")) as Group["shares"],
    sessionLeader: leads,
    groupLeader: cursor.get("group_leader").flag(leads),
    tty: terminal,
    memory: memory(cursor.get("memory"), kernel),
    fds: fds(cursor.get("fds"), plain ? [] : standardFds(terminal)),
    timers: timers(cursor.get("timers")),
    behaviours: behaviours(cursor.get("rates"), context.users),
    exact: captured,
  };
  checkCapture(cursor, process);
  return {
    ...process,
    ...identity(cursor, parent, context),
    ...scheduling(cursor, context),
    ...place(cursor, parent, program),
    ...account(cursor),
  };
}

/** A captured process is one process with a known pid. */
function checkCapture(cursor: Cursor, group: Pick<Group, "exact" | "pid" | "count">): void {
  if (group.exact !== null && (group.pid === null || group.count !== 1)) {
    throw cursor.get("exact").error('"exact" needs a "pid" and describes one process', "ESCENARIO_VALUE", true);
  }
}

function programOf(short: Cursor, parent: Group | null): Program {
  if (!short.isMap()) {
    return fromCommandLine(short);
  }
  const command = short.get("command");
  if (!["name", "comm", "exe", "command"].some((key) => short.get(key).exists())) {
    throw short.error('a process needs a "name", an "exe" or a "command"', "ESCENARIO_MISSING_KEY");
  }
  const base = command.exists() ? fromCommandLine(command) : { comm: "", exe: "", args: [] };
  const name = short.get("name").text("");
  const kernel = short.get("kernel").flag(false);
  const exe = short.get("exe").bytes(base.exe || (kernel || isInit(parent) ? "" : (parent?.exe ?? "")));
  if (!kernel && !short.get("exact").exists()) {
    checkExecutable(exe, short);
  }
  const comm = short
    .get("comm")
    .bytes(toBytes(name) || baseName(exe))
    .slice(0, kernel ? KERNEL_NAME_BYTES : COMM_BYTES);
  return { comm, exe, args: argumentsOf(short.get("args"), base.args, kernel ? [] : [exe]) };
}

function checkExecutable(exe: string, place: Cursor): void {
  if (!exe.startsWith("/")) {
    const reason = exe === "" ? 'a process needs an "exe" or a "command"' : `"${exe}" is not an absolute path`;
    throw place.error(reason, exe === "" ? "ESCENARIO_MISSING_KEY" : "ESCENARIO_VALUE");
  }
}

/** The text must begin with a path; programs that set their title need `exe` and `args`. */
function fromCommandLine(cursor: Cursor): Program {
  const args = cursor.parse((line) => splitCommandLine(String(line))).map(toBytes);
  const exe = args[0]!;
  checkExecutable(exe, cursor);
  return { comm: baseName(exe).slice(0, COMM_BYTES), exe, args };
}

function argumentsOf(cursor: Cursor, fromCommand: string[], fallback: string[]): string[] {
  if (cursor.isList()) {
    return cursor.items().map((item) => item.bytes(""));
  }
  if (cursor.exists()) {
    return [cursor.bytes("")];
  }
  return fromCommand.length > 0 ? fromCommand : fallback;
}

function pid(cursor: Cursor, context: GroupContext): number | null {
  const given = cursor.get("pid");
  if (!given.exists()) {
    return null;
  }
  const value = given.number(0);
  if (value >= context.host.pidMax) {
    throw given.error(`pid ${value} is not below pid_max (${context.host.pidMax})`);
  }
  if (context.pids.has(value)) {
    throw given.error(`pid ${value} is used twice`);
  }
  context.pids.add(value);
  return value;
}

function isInit(group: Group | null): boolean {
  return group !== null && group.pid === 1;
}

function environment(cursor: Cursor): string[] {
  if (!cursor.exists()) {
    return [...DEFAULT_ENV];
  }
  if (cursor.isMap()) {
    return cursor.entries().map(([name, value]) => `${toBytes(name)}=${value.bytes("")}`);
  }
  return cursor.items().map((item) => item.bytes(""));
}

function threads(cursor: Cursor): ThreadSpec[] {
  if (cursor.isNumber()) {
    const others = cursor.number(1) - 1;
    return others > 0 ? [{ name: "", count: others }] : [];
  }
  if (cursor.isMap()) {
    return cursor.entries().map(([name, count]) => ({ name: cut(toBytes(name)), count: count.number(1) }));
  }
  return cursor.items().map((name) => ({ name: cut(name.bytes("")), count: 1 }));
}

/** A template may be longer than what becomes of it. */
function cut(name: string): string {
  return name.includes("{") ? name : name.slice(0, COMM_BYTES);
}

const MINOR_OF_TTYS = 64;

function tty(cursor: Cursor, parent: Group | null): Tty | null {
  if (!cursor.exists()) {
    return parent?.tty ?? null;
  }
  const name = cursor.text("");
  if (name === "none") {
    return null;
  }
  const match = /^(pts\/|tty|ttyS)(\d+)$/.exec(name);
  if (match === null) {
    throw cursor.error(`"${name}" is no terminal (like "pts/0", "tty1" or "ttyS0")`);
  }
  const number = Number(match[2]);
  if (match[1] === "pts/") {
    return { name, major: 136 + Math.floor(number / 256), minor: number % 256 };
  }
  return { name, major: 4, minor: match[1] === "tty" ? number : MINOR_OF_TTYS + number };
}

function identity(cursor: Cursor, parent: Group | null, context: GroupContext) {
  const user = cursor.get("user");
  const uids = context.users.ids(user, parent?.uids ?? four(0), "uid");
  const ownGids = user.exists() && !user.isList() ? four(context.users.find(user).gid) : (parent?.gids ?? four(0));
  const ownGroups = user.exists() && !user.isList() ? context.users.find(user).groups : (parent?.groups ?? []);
  const groups = cursor.get("groups");
  const changed = parent === null || user.exists();
  return {
    uids,
    gids: context.users.ids(cursor.get("group"), ownGids, "gid"),
    groups: groups.exists() ? groups.items().map((item) => item.number(0)) : ownGroups,
    caps: capabilities(cursor.get("caps"), changed ? defaultCapabilities(uids[1]) : parent.caps),
    dumpable: cursor.get("dumpable").number(1) as Group["dumpable"],
    noNewPrivs: cursor.get("no_new_privs").flag(parent?.noNewPrivs ?? false),
    seccomp: cursor.get("seccomp").number(parent?.seccomp ?? 0) as Group["seccomp"],
    umask: parseInt(cursor.get("umask").text("022"), 8),
    loginuid: cursor.get("loginuid").number(parent?.loginuid ?? NO_ID),
    sessionid: cursor.get("sessionid").number(parent?.sessionid ?? NO_ID),
    limits: limits(cursor.get("limits"), parent?.limits ?? defaultLimits(threadsMax(context.host))),
    oomScoreAdj: cursor.get("oom_score_adj").number(parent?.pid === 1 ? 0 : (parent?.oomScoreAdj ?? 0)),
  };
}

/** The kernel allows threads on an eighth of the memory, 16 KiB of stack each. */
function threadsMax(host: Host): number {
  return host.threadsMax ?? Math.floor(host.memory / 8 / 16384);
}

function scheduling(cursor: Cursor, context: GroupContext) {
  const cpus = cursor.get("cpus");
  const allowed = cpus.exists() ? cpus.items().map((item) => item.number(0)) : null;
  if (allowed !== null && allowed.some((cpu) => cpu >= context.host.cpus)) {
    throw cpus.error(`"cpus" names a CPU that the host doesn't have (it has ${context.host.cpus})`);
  }
  const kernel = cursor.get("kernel").flag(false);
  return {
    state: stateLetter(cursor.get("state"), kernel ? "I" : "S"),
    nice: cursor.get("nice").number(0),
    policy: cursor.get("policy").text("other") as Group["policy"],
    priority: cursor.get("priority").number(0),
    cpusAllowed: allowed,
  };
}

function place(cursor: Cursor, parent: Group | null, program: Program) {
  const kernel = cursor.get("kernel").flag(false);
  const namespaces = cursor
    .get("namespaces")
    .entries()
    .map(([kind, label]) => [kind, label.text("")]);
  return {
    cwd: cursor.get("cwd").bytes(isInit(parent) ? "/" : (parent?.cwd ?? "/")),
    root: cursor.get("root").bytes(parent?.root ?? "/"),
    cgroup: cursor.get("cgroup").bytes(kernel ? "/" : cgroup(parent, program)),
    namespaces: { ...parent?.namespaces, ...Object.fromEntries(namespaces) } as Record<string, string>,
  };
}

/** Children of init are services; others stay where their parent is. */
function cgroup(parent: Group | null, program: Program): string {
  if (parent === null) {
    return "/init.scope";
  }
  return isInit(parent) ? `/system.slice/${program.comm.replace(/[^\w.@:-]/g, "_")}.service` : parent.cgroup;
}

function account(cursor: Cursor) {
  const start = cursor.get("start");
  const time = cursor.get("cpu_time");
  const bytes = cursor.get("io_bytes");
  const total = time.isScalar() ? time.parse(parseDuration) : 0;
  return {
    startMs: start.exists() ? start.parse(parseDuration) : null,
    cpuTimeMs: {
      user: time.isMap() ? time.get("user").duration(0) : total * 0.8,
      system: time.isMap() ? time.get("system").duration(0) : total * 0.2,
    },
    ioBytes: {
      read: bytes.get("read").exists() ? bytes.get("read").parse(parseSize) : 0,
      written: bytes.get("written").exists() ? bytes.get("written").parse(parseSize) : 0,
    },
  };
}
