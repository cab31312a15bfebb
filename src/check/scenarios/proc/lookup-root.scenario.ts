/** Names in /proc itself, one after the other: rows, processes, the caller's own pid, and who may see whom. */
import { EACCES, ENOENT } from "../../../kernel/errno.ts";
import { CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { Event, eventCount } from "../../../kernel/counters.ts";
import { setDumpable } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST } from "../../../kernel/layout.ts";
import { CallerSubject, RequestContext } from "../../../proc/fs/context.ts";
import type { DirEntry, DynamicEntry, Tables } from "../../../proc/fs/entries.ts";
import { Entries } from "../../../proc/fs/entries.ts";
import { lookupIn } from "../../../proc/fs/lookup.ts";
import { NodeId, Tag, decodeNode } from "../../../proc/fs/node-id.ts";
import type { DirRow, OneRow } from "../../../proc/row.ts";
import { NS_ROW } from "../../../proc/task/ns.ts";
import { TASK_DIRECTORY } from "../../../proc/task/task-dir.ts";
import type { Caller, CallerFacts } from "../../../proc/vfs.ts";
import { Attr } from "../../../proc/vfs.ts";
import { scenario } from "../../scenario.ts";
import { HOST_VIEW } from "./lookup-requests.ts";
import type { Facts } from "../kernel/machine-kit.ts";
import { firstDifference } from "../kernel/machine-kit.ts";
import { endAndReap, start, taskOfPid } from "../kernel/pid-kit.ts";
import { become, idsOf } from "./revalidate-lives.ts";

/** A process, its thread, and one that has ended. */
const [PID, TID, ENDED] = [40, 41, 42];
/** Pids that nobody in the simulation has: the caller's process, one that it descends from, and another. */
const [CALLER_PROCESS, CALLER_THREAD, ANCESTOR, NOBODY] = [50, 51, 52, 53];
/** Nanoseconds of boot time. */
const STARTED = 5_000_000_009;

const show = (): number => 0;

function file(name: string, separate = false): OneRow {
  return { type: "one", name, mode: 0o444, doc: "", show, separate };
}

function directory(name: string, rows: DirRow["rows"]): DirRow {
  return { type: "dir", name, mode: 0o555, doc: "", rows };
}

const TABLES: Tables = {
  root: [
    file("version"),
    file("ctl", true),
    directory("sys", [file("inside")]),
    { ...directory("closed", [file("inside")]), unreadable: () => -EACCES },
    { ...directory("open", [file("inside")]), unreadable: () => 0 },
  ],
  process: [{ type: "dynamic", name: "task", mode: 0o555, doc: "", directory: TASK_DIRECTORY }, NS_ROW],
  thread: [],
};

/** A group whose members see everybody. */
const SEEING_GROUP = 77;

const FACTS: CallerFacts = {
  tgid: (pid) => (pid === CALLER_THREAD ? CALLER_PROCESS : pid),
  descends: (pid, from) => pid === CALLER_THREAD && from === ANCESTOR,
  effective: () => [0, 0],
  permitted: () => [0, 0],
  groups: ({ uid }) => (uid === idsOf(3).uid ? [SEEING_GROUP] : []),
};

/** What a look-up told: its node and all attributes; or a negated errno as `error`. */
type Told = Record<string, number>;

/** What a fill must not leave as it was. */
const STALE = 99;

class Names {
  readonly c: RequestContext;

  constructor(k: Kernel) {
    this.c = new RequestContext(k, HOST_VIEW, new CallerSubject(FACTS), new Entries(TABLES));
  }

  /** @param where names of directories that lead to it, from /proc or a process */
  look(caller: Caller, where: DirEntry | DynamicEntry, name: string): Told {
    const attr = new Attr();
    for (const field of Object.keys(attr) as (keyof Attr)[]) attr[field] = STALE;
    this.c.subject.begin(caller);
    const error = lookupIn(this.c, where, name, attr);
    if (error !== 0) return { error };
    const id = new NodeId();
    if (!decodeNode(attr.nodeHi, attr.nodeLo, id)) throw new Error(`node ${attr.nodeHi}:${attr.nodeLo} is none`);
    const { tag, row, tid, generation, index } = id;
    return { ...attr, nodeHi: 0, nodeLo: 0, tag, row, tid, generation, index };
  }

  /** A directory below /proc, or below a process. */
  directory(of: DirEntry, name: string): DirEntry | DynamicEntry {
    const entry = this.c.entries.child(of, name);
    if (entry.kind !== "dir" && entry.kind !== "dynamic") throw new Error(`${name} is no directory`);
    return entry;
  }

  /** In /proc. */
  root(name: string, caller: Caller = ROOT): Told {
    return this.look(caller, this.c.entries.root, name);
  }
}

function callerOf(user: number, pid = 0): Caller {
  return { ...idsOf(user), pid };
}

/** From outside of the simulation, in which his pid isn't known. */
const ROOT: Caller = { uid: 0, gid: 0, pid: 0 };
const NONE: Facts = { error: -ENOENT };

type Step = readonly [what: string, told: Told, expected: Facts];

function judge(steps: readonly Step[]): string | null {
  for (const [what, told, expected] of steps) {
    const wrong = firstDifference(what, told, expected);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** How many walks there have been. */
function walks(k: Kernel): number {
  return eventCount(k, Path.revalidate, Event.rcuWalk) + eventCount(k, Path.revalidate, Event.refWalk);
}

function setup(k: Kernel): null {
  start(k, 1, 0, { pid: PID, startTime: STARTED });
  become(k, PID, 1);
  start(k, PID, CLONE_PTHREAD, { pid: TID, startTime: STARTED });
  start(k, 1, 0, { pid: ENDED });
  endAndReap(k, ENDED);
  return null;
}

const DIRECTORY = 0o040555;
/** Seconds for which a name may be kept that goes with its process alone. */
const KEPT = 3600;

/** What is told of a process: its directories are the two of the table, and `.`. @param number of its row */
function processFacts(k: Kernel, number: number, inode: number): Facts {
  const time = { timeSec: k.config.realtimeAtBoot + Math.floor(STARTED / 1e9), timeNsec: STARTED % 1e9 };
  const node = { tag: Tag.row, row: number, tid: PID, generation: 1 };
  return { ...node, ...time, ...idsOf(1), inoLo: inode, mode: DIRECTORY, nlink: 4, entryValid: KEPT };
}

/** Rows of the tables. */
function lookUpRows(k: Kernel): Step[] {
  const names = new Names(k);
  const { root } = names.c.entries;
  const [version, again] = [names.root("version"), names.root("version")];
  const [first, second] = [names.root("ctl"), names.root("ctl")];
  const file = { tag: Tag.row, mode: 0o100444, nlink: 1, timeSec: k.config.realtimeAtBoot };
  const place = ({ row = 0, inoLo = 0 }: Told): Facts => ({ row, inoLo });
  const inside = (name: string): Told => names.look(ROOT, names.directory(root, name), "inside");
  const open = inside("open");
  return [
    ["a file", version, { ...file, ...place(version), entryValid: KEPT }],
    ["a file again", again, version],
    ["a file of which each look-up gives another", first, { ...file, ...place(first) }],
    ["the other one", second, { ...first, generation: 1 }],
    ["a file in a directory", inside("sys"), { ...file, ...place(inside("sys")), entryValid: KEPT }],
    ["a file in a directory that may be listed", open, { ...file, ...place(open), entryValid: KEPT }],
    ["a file in a directory that may not", inside("closed"), NONE],
    ["a pid in a directory", names.look(ROOT, names.directory(root, "sys"), String(PID)), NONE],
  ];
}

/** What is no pid, and who has none. */
function lookUpNobody(k: Kernel): Step[] {
  const names = new Names(k);
  const before = walks(k);
  const steps: Step[] = [];
  for (const name of ["nothing", "", "-1", "040", "40x", "4194304", "0"])
    steps.push([`"${name}"`, names.root(name), NONE]);
  steps.push(["walks to names that are no pids", { walks: walks(k) - before }, {}]);
  for (const pid of [ENDED, NOBODY]) steps.push([`pid ${pid}`, names.root(String(pid)), NONE]);
  steps.push(["walks to pids", { walks: walks(k) - before }, { walks: 2 }]);
  return steps;
}

/** Processes, their threads, and hidden names in their directories. */
function lookUpProcesses(k: Kernel): Step[] {
  const names = new Names(k);
  const { root, process } = names.c.entries;
  const told = names.root(String(PID));
  const number = process.number;
  const found = { task: names.c.task, tid: names.c.tid, generation: names.c.generation };
  const thread = names.root(String(TID));
  names.c.task = taskOfPid(k, PID);
  names.c.tid = PID;
  names.c.generation = 1;
  const ns = names.directory(process, "ns");
  const net = names.look(ROOT, ns, "net:[4026531833]");
  return [
    ["a process", told, processFacts(k, number, told["inoLo"] ?? 0)],
    ["what the request arrived at", found, { task: taskOfPid(k, PID), tid: PID, generation: 1 }],
    ["a thread", thread, { ...told, tid: TID, inoLo: thread["inoLo"] ?? 0 }],
    ["a hidden name", { tag: net["tag"] ?? 0, mode: net["mode"] ?? 0 }, { tag: Tag.target, mode: 0o100444 }],
    ["a hidden name that leads nowhere", names.look(ROOT, ns, "net:[1]"), NONE],
    ["a pid in a process", names.look(ROOT, ns, String(PID)), NONE],
    ["a hidden name in /proc", names.look(ROOT, root, "net:[4026531833]"), NONE],
  ];
}

/** The link that the caller's own pid is, in place of nobody, and of a process that has the same pid. */
function lookUpOwn(k: Kernel): Step[] {
  const names = new Names(k);
  const own = callerOf(2, CALLER_THREAD);
  const link = { tag: Tag.own, inoHi: 1, mode: 0o120777, nlink: 1, ...idsOf(2), timeSec: k.config.realtimeAtBoot };
  const steps: Step[] = [];
  for (const pid of [CALLER_THREAD, CALLER_PROCESS, ANCESTOR]) {
    steps.push([`own pid ${pid}`, names.root(String(pid), own), { ...link, index: pid, inoLo: pid }]);
  }
  const same = names.root(String(PID), callerOf(2, PID));
  const other = names.root(String(TID), callerOf(2, PID));
  return [
    ...steps,
    ["nobody's pid", names.root(String(NOBODY), own), NONE],
    ["a stranger's own pid", names.root(String(CALLER_THREAD), callerOf(2, NOBODY)), NONE],
    ["a process with the caller's pid", same, { ...link, index: PID, inoLo: PID }],
    ["another process", { tag: other["tag"] ?? 0, tid: other["tid"] ?? 0 }, { tag: Tag.row, tid: TID }],
  ];
}

/** hidepid=, and who finds the process of user 1 then: the user, another, another in the group that sees everybody. */
const HIDING: readonly (readonly [hidepid: number, owner: boolean, other: boolean, member: boolean])[] = [
  [0, true, true, true],
  [1, true, true, true],
  [2, true, false, true],
  [4, true, false, false],
];

function lookUpHidden(k: Kernel): Step[] {
  const names = new Names(k);
  const found = (user: number): number => (names.root(String(PID), callerOf(user))["error"] === undefined ? 1 : 0);
  const steps: Step[] = [];
  k.m.store(HOST.hidepidGid, SEEING_GROUP);
  // A change of user has made it undumpable: nobody but root may look into it.
  setDumpable(k, taskOfPid(k, PID), 1);
  for (const [hidepid, owner, other, member] of HIDING) {
    k.m.store(HOST.hidepid, hidepid);
    const told = { owner: found(1), other: found(2), member: found(3) };
    const expected = { owner: Number(owner), other: Number(other), member: Number(member) };
    steps.push([`with hidepid=${hidepid}`, told, expected]);
  }
  k.m.store(HOST.hidepid, 0);
  return steps;
}

const PATHS = [Path.revalidate];

export const names = scenario({
  name: "lookup/names",
  about: "names in /proc: rows, processes, threads, what is no pid, the caller's own pid; by whom processes are seen",
  paths: PATHS,
  quick: true,
  setup,
  threads: {
    reader: (k): string | null => {
      k.t.maySleep = false;
      const steps = [...lookUpRows(k), ...lookUpNobody(k), ...lookUpProcesses(k), ...lookUpOwn(k), ...lookUpHidden(k)];
      return judge(steps);
    },
  },
  check: (_k, _plan, { reader }) => reader,
});
