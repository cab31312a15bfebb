/** /proc/<pid>/fd and fdinfo: what is said of descriptors while they are opened, duplicated and closed. */
import { Event, eventCount } from "../../../kernel/counters.ts";
import { EACCES, ENOENT, ESTALE } from "../../../kernel/errno.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { closeFd, dupFd, fileNew, installFd, installFdAt } from "../../../kernel/files.ts";
import type { FileSpec } from "../../../kernel/files.ts";
import { CLONE_FILES, CLONE_PTHREAD } from "../../../kernel/flags.ts";
import { setDumpable } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { FileKind, TASK } from "../../../kernel/layout.ts";
import { configPath, pathGet } from "../../../kernel/path.ts";
import type { Attr } from "../../../proc/vfs.ts";
import { DT_LNK, DT_REG } from "../../../proc/vfs.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import type { Listed, Listing, Told } from "./directory-requests.ts";
import { Asker, DirectoryRequests, found } from "./directory-requests.ts";
import { prepareExec, takeOver } from "../kernel/exec-images.ts";
import { reapZombie, start, taskOfPid } from "../kernel/pid-kit.ts";
import { PID, TID, firstLife, idsOf, startOf } from "./revalidate-lives.ts";

const [READ, WRITE, BOTH, NEITHER, O_PATH] = [0, 1, 2, 3, 0o10000000];

/** What the descriptors 0, 1, … of a process are, the modes of their links as measured, and the texts of these. */
const DESCRIPTORS: readonly { readonly spec: FileSpec; readonly mode: number; readonly text: string }[] = [
  { spec: { kind: FileKind.pipe, flags: READ, ino: 7 }, mode: 0o120500, text: "pipe:[7]" },
  { spec: { kind: FileKind.pipe, flags: WRITE, ino: 8 }, mode: 0o120300, text: "pipe:[8]" },
  { spec: { kind: FileKind.socket, flags: BOTH, ino: 9, pos: 5 }, mode: 0o120700, text: "socket:[9]" },
  { spec: { kind: FileKind.eventfd, flags: NEITHER, ino: 10 }, mode: 0o120000, text: "anon_inode:[eventfd]" },
];
/** A descriptor of a file with a name, opened with O_PATH. */
const NAMED = DESCRIPTORS.length;
const NAME = "/bin/prog";

interface FdPlan {
  readonly task: Ptr;
}

/** A process of user 1 with these descriptors. */
function setupDescriptors(k: Kernel): FdPlan {
  firstLife(k);
  const task = taskOfPid(k, PID);
  const files = k.m.load(task + TASK.files);
  for (const { spec } of DESCRIPTORS) installFd(k, files, fileNew(k, spec));
  const path = pathGet(k, configPath(k, 0));
  installFd(k, files, fileNew(k, { kind: FileKind.regular, flags: O_PATH, path }));
  return { task };
}

/** What is wrong with what is told of an entry. @param mode with its type. @param uid of the owner; the group likewise */
function judgeEntry(what: string, told: Told, mode: number, owner: { uid: number; gid: number }): string | null {
  if (typeof told === "number") return `${what} was answered with ${told}`;
  const size = (mode & 0o170000) === 0o120000 ? 64 : 0;
  const { timeSec, timeNsec } = told;
  const is = [told.mode, told.size, told.nlink, told.uid, told.gid, told.rdev, told.entryValid, timeSec, timeNsec];
  const expected = [mode, size, 1, owner.uid, owner.gid, 0, 0, AT_BOOT, startOf(1)];
  return is.join() === expected.join() ? null : `${what} has ${is.join(" ")}, not ${expected.join(" ")}`;
}

const AT_BOOT = 1_700_000_000;

/** All that one thread is told of the entries of some directory, by the path of each. */
interface Survey {
  readonly entries: Readonly<Record<string, Told>>;
  /** The same once more, by the node. */
  readonly again: Readonly<Record<string, Told>>;
  readonly texts: Readonly<Record<string, string | number>>;
  readonly listing: Listing;
  readonly plus: Listing;
  readonly size: number;
}

/** Looks at a directory in each way. @param names that are asked for */
function survey(requests: DirectoryRequests, path: string, names: readonly string[]): Survey {
  const directory = found(requests.walk(path));
  const entries: Record<string, Told> = {};
  const again: Record<string, Told> = {};
  const texts: Record<string, string | number> = {};
  for (const name of names) {
    const told = requests.name(directory, name);
    entries[name] = told;
    if (typeof told === "number") continue;
    again[name] = requests.again(told);
    texts[name] = requests.read(told);
  }
  const listing = requests.list(directory, 0, false);
  return { entries, again, texts, listing, plus: requests.list(directory, 0, true), size: directory.size };
}

const NUMBERS = [...DESCRIPTORS.keys(), NAMED].map(String);
/** Names that a listing of five descriptors doesn't have, and no look-up finds: as measured. */
const NO_NAMES = ["5", "01", "+1", "x", "", "1048576", "99999999999", "1 "];
/** Names of what links lead to, if not a path, with the types of these. */
const TARGETS: readonly (readonly [name: string, mode: number])[] = [
  ["pipe:[7]", 0o010600],
  ["pipe:[8]", 0o010600],
  ["socket:[9]", 0o140777],
  ["anon_inode:[eventfd]", 0o100600],
];
const NO_TARGETS = ["pipe:[", "pipe:[9]", "pipe:[7]]", "socket:[7]", "anon_inode:[eventpoll]", NAME];

/** What is wrong with a survey of fd or fdinfo. */
function judgeSurvey(what: string, seen: Survey, links: boolean, owner: { uid: number; gid: number }): string | null {
  for (const [fd, name] of NUMBERS.entries()) {
    const link = fd === NAMED ? 0o120000 : (DESCRIPTORS[fd]?.mode ?? 0);
    const told = seen.entries[name] as Told;
    const wrong = judgeEntry(`${what}/${name}`, told, links ? link : 0o100444, owner);
    if (wrong !== null) return wrong;
    if (JSON.stringify(seen.again[name]) !== JSON.stringify(told))
      return `${what}/${name} is another one the second time`;
    const text = seen.texts[name];
    const expected = links ? (DESCRIPTORS[fd]?.text ?? NAME) : fdinfoText(fd);
    if (text !== expected) return `${what}/${name} reads ${text}, not ${expected}`;
  }
  for (const name of NO_NAMES) {
    if (seen.entries[name] !== -ENOENT) return `${what}/${name} was found: ${JSON.stringify(seen.entries[name])}`;
  }
  if (seen.size !== (links ? NUMBERS.length : 0)) return `${what} has size ${seen.size}`;
  return judgeListing(what, seen, links ? DT_LNK : DT_REG);
}

/** What its fdinfo has to say, with the mounts as measured. */
function fdinfoText(fd: number): string {
  const {
    flags,
    ino = 0,
    pos = 0,
    kind,
  } = DESCRIPTORS[fd]?.spec ?? { flags: O_PATH, ino: 1001, kind: FileKind.regular };
  const mount = { [FileKind.pipe]: 16, [FileKind.socket]: 10, [FileKind.eventfd]: 17 }[kind as number] ?? 44;
  const text = `pos:\t${pos}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mount}\nino:\t${ino}\n`;
  return kind === FileKind.eventfd
    ? `${text}eventfd-count:                0\neventfd-id: ${ino}\neventfd-semaphore: 0\n`
    : text;
}

/** Slots of a small table, as the kernel has it: where a listing is at its end. */
const SLOTS = 64;
const FIRST = 2;

/** The listing has the same entries as the look-ups, in order, each with where the next one is. */
function judgeListing(what: string, { entries, listing, plus }: Survey, type: number): string | null {
  for (const { result, entries: all } of [listing, plus]) {
    const names = all.map(({ name }) => name).join();
    if (result !== 0 || names !== [".", "..", ...NUMBERS].join()) return `${what} was listed as ${names} (${result})`;
  }
  for (const [i, name] of NUMBERS.entries()) {
    const told = entries[name] as Readonly<Attr>;
    const next = i === NUMBERS.length - 1 ? SLOTS + FIRST : i + 1 + FIRST;
    const expected = JSON.stringify({ name, ino: `${told.inoHi}:${told.inoLo}`, type, next, attr: null });
    const [bare, full] = [listing.entries[i + FIRST], plus.entries[i + FIRST]];
    if (JSON.stringify(bare) !== expected) return `${what} was listed with ${JSON.stringify(bare)}, not ${expected}`;
    if (JSON.stringify({ ...full, attr: null }) !== expected) return `${what} with attributes is another listing`;
    if (JSON.stringify(full?.attr) !== JSON.stringify(told)) return `${what}/${name} was listed with other attributes`;
  }
  return null;
}

/** Nodes and inodes of all that there is at the same time differ. */
function judgeDistinct(surveys: readonly Survey[]): string | null {
  const nodes = new Set<string>();
  const inodes = new Set<string>();
  for (const { entries } of surveys) {
    for (const name of NUMBERS) {
      const { nodeHi, nodeLo, inoHi, inoLo } = entries[name] as Readonly<Attr>;
      nodes.add(`${nodeHi}:${nodeLo}`);
      inodes.add(`${inoHi}:${inoLo}`);
    }
  }
  const all = surveys.length * NUMBERS.length;
  return nodes.size === all && inodes.size === all
    ? null
    : `${all} entries: ${nodes.size} nodes, ${inodes.size} inodes`;
}

interface Answers {
  readonly fd: Survey;
  readonly fdinfo: Survey;
}

function surveyBoth(k: Kernel, path: string): Answers {
  const requests = new DirectoryRequests(k);
  const targets = TARGETS.map(([name]) => name);
  const fd = survey(requests, `${path}/fd`, [...NUMBERS, ...NO_NAMES, ...targets, ...NO_TARGETS]);
  return { fd, fdinfo: survey(requests, `${path}/fdinfo`, [...NUMBERS, ...NO_NAMES, ...targets]) };
}

/** Names of targets lead to these in fd, and nowhere in fdinfo. */
function judgeTargets({ fd, fdinfo }: Answers): string | null {
  for (const [name, mode] of TARGETS) {
    const told = fd.entries[name] as Told;
    if (typeof told === "number" || told.mode !== mode) return `fd/${name} is ${JSON.stringify(told)}`;
    if (fdinfo.entries[name] !== -ENOENT) return `fdinfo has ${name}`;
  }
  for (const name of NO_TARGETS) if (fd.entries[name] !== -ENOENT) return `fd has ${name}`;
  return null;
}

/** A name that is no number is no walk to a descriptor: only the one to the directory counts. */
function judgeWalks(k: Kernel): string | null {
  const requests = new DirectoryRequests(k);
  const directory = found(requests.walk(`${PID}/fd`));
  const counts = [walksSoFar(k)];
  for (const name of ["2", "x"]) {
    requests.name(directory, name);
    counts.push(walksSoFar(k));
  }
  const [before = 0, afterNumber = 0, afterName = 0] = counts;
  if (afterNumber - before === 2 && afterName - afterNumber === 1) return null;
  return `a number took ${afterNumber - before} walks, another name ${afterName - afterNumber}`;
}

function walksSoFar(k: Kernel): number {
  return eventCount(k, Path.revalidate, Event.rcuWalk) + eventCount(k, Path.revalidate, Event.refWalk);
}

export const answers = scenario({
  name: "fd/answers",
  about: "fd and fdinfo of a process and of its thread: names, nodes, links, texts and listings say the same",
  paths: [Path.revalidate],
  extent: { kind: "bounded", preemptions: 0 },
  quick: true,
  setup: (k) => {
    const plan = setupDescriptors(k);
    start(k, PID, CLONE_PTHREAD, { pid: TID, startTime: startOf(1) });
    return plan;
  },
  threads: {
    process: (k): Answers => surveyBoth(k, String(PID)),
    thread: (k): Answers => surveyBoth(k, `${PID}/task/${TID}`),
  },
  check: (k, _plan, { process, thread }) =>
    judgeSurvey("fd", process.fd, true, idsOf(1)) ??
    judgeSurvey("fdinfo", process.fdinfo, false, idsOf(1)) ??
    judgeSurvey("fd of the thread", thread.fd, true, idsOf(1)) ??
    judgeSurvey("fdinfo of the thread", thread.fdinfo, false, idsOf(1)) ??
    judgeTargets(process) ??
    judgeTargets(thread) ??
    judgeWalks(k) ??
    judgeDistinct([process.fd, process.fdinfo, thread.fd, thread.fdinfo]),
});

/** What is told of an entry, in short: mode, owner and time of birth; or an errno. */
function brief(told: Told): string {
  return typeof told === "number" ? String(told) : `${told.mode.toString(8)} ${told.uid}:${told.gid} ${told.timeNsec}`;
}

/** What one is told of a descriptor whose nodes were found before: of the link, its text, fdinfo, its text, both lists. */
function lookAgain(requests: DirectoryRequests, nodes: Nodes): string[] {
  const seen: string[] = [];
  for (const name of ["fd/2", "fdinfo/2"]) {
    const node = nodes[name] as Readonly<Attr>;
    seen.push(brief(requests.again(node)), brief(requests.opened(node)), String(requests.read(node)));
  }
  for (const name of ["fd", "fdinfo"]) {
    const { result, entries } = requests.list(nodes[name] as Readonly<Attr>, FIRST, false);
    seen.push(`${result} ${entries.map((entry) => entry.name).join()}`.trim());
  }
  return seen;
}

type Nodes = Readonly<Record<string, Readonly<Attr>>>;

function nodesOf(k: Kernel): Nodes {
  const requests = new DirectoryRequests(k);
  const nodes: Record<string, Readonly<Attr>> = {};
  for (const path of ["fd", "fdinfo", "fd/2", "fdinfo/2"]) nodes[path] = found(requests.walk(`${PID}/${path}`));
  return nodes;
}

function judgeLook(what: string, seen: readonly string[], expected: readonly string[]): string | null {
  const [is, should] = [seen.join("; "), expected.join("; ")];
  return is === should ? null : `${what}: ${is}, not ${should}`;
}

const OWNED = `${idsOf(1).uid}:${idsOf(1).gid} ${startOf(1)}`;
const LISTED = `0 ${NUMBERS.join()}`;
const ALIVE = [
  ...[`120700 ${OWNED}`, `120700 ${OWNED}`, "socket:[9]"],
  ...[`100444 ${OWNED}`, `100444 ${OWNED}`, fdinfoText(2), LISTED, LISTED],
];
/** Of a process that nobody has waited for yet: it has no descriptors, and belongs to root. */
const ROOTS = `0:0 ${startOf(1)}`;
const ZOMBIE = [
  ...[String(-ENOENT), String(-ENOENT), String(-ENOENT)],
  ...[`100444 ${ROOTS}`, `100444 ${ROOTS}`, String(-ENOENT), "0", "0"],
];
/** Of one that is gone: who has its fdinfo open is told something still. */
const GONE = [
  ...[String(-ESTALE), String(-ESTALE), String(-ESTALE)],
  ...[String(-ESTALE), "100444 0:0 0", String(-ENOENT), String(-ENOENT), String(-ENOENT)],
];

export const ended = scenario({
  name: "fd/exit",
  about: "a descriptor and its fdinfo are looked at while the process ends: as they were, or gone",
  extent: { kind: "bounded", preemptions: 2 },
  quick: true,
  setup: (k) => ({ ...setupDescriptors(k), nodes: nodesOf(k) }),
  threads: {
    reader: (k, { nodes }): string[] => {
      k.t.maySleep = false;
      return lookAgain(new DirectoryRequests(k), nodes);
    },
    ends: (k, { task }): void => exitGroup(k, task, 0),
  },
  check: (k, { nodes }, { reader }) => {
    const requests = new DirectoryRequests(k);
    for (const [i, said] of reader.entries()) {
      const is = [ALIVE[i] as string, ZOMBIE[i] as string];
      // A listing of a process that ends comes to its end at once.
      const short = i >= ALIVE.length - 2 && (ALIVE[i] as string).startsWith(said);
      // Its memory goes before its descriptors: the entries belong to root then.
      const roots = said === ALIVE[i]?.replace(OWNED, ROOTS);
      if (!is.includes(said) && !short && !roots) return `answer ${i}: ${said}, possible: ${is.join(", ")}`;
    }
    const name = requests.walk(`${PID}/fd/2`);
    if (name !== -ENOENT) return `a dead process has descriptor 2: ${brief(name)}`;
    return judgeLook("of the dead", lookAgain(requests, nodes), ZOMBIE);
  },
});

export const reaped = scenario({
  name: "fd/reaped",
  about: "who has nodes of a dead process's descriptors looks at them while it is reaped: what fdinfo was, stays open",
  extent: { kind: "bounded", preemptions: 2 },
  quick: true,
  setup: (k) => {
    const { task } = setupDescriptors(k);
    const nodes = nodesOf(k);
    exitGroup(k, task, 0);
    return { nodes };
  },
  threads: {
    reader: (k, { nodes }): string[] => lookAgain(new DirectoryRequests(k), nodes),
    reaps: (k): void => reapZombie(k, PID),
  },
  check: (k, { nodes }, { reader }) => {
    const first = reader.findIndex((said, i) => said !== ZOMBIE[i]);
    const from = first < 0 ? reader.length : first;
    const expected = [...ZOMBIE.slice(0, from), ...GONE.slice(from)];
    return (
      judgeLook("of one that goes", reader, expected) ??
      judgeLook("of who is gone", lookAgain(new DirectoryRequests(k), nodes), GONE)
    );
  },
});

/** What somebody is told who walks to a descriptor by name. */
function walks(k: Kernel, uid: number, gid = uid): string[] {
  const requests = new DirectoryRequests(k, uid, gid);
  return [brief(requests.walk(`${PID}/fd/2`)), brief(requests.walk(`${PID}/fdinfo/2`))];
}

const REFUSED = [String(-EACCES), String(-EACCES)];

export const permission = scenario({
  name: "fd/permission",
  about: "the owner, a stranger, and who may go everywhere but look into nobody walk to a descriptor",
  paths: [Path.revalidate],
  extent: { kind: "bounded", preemptions: 0 },
  quick: true,
  setup: setupDescriptors,
  threads: {
    owner: (k): string[] => walks(k, idsOf(1).uid, idsOf(1).gid),
    stranger: (k): string[] => walks(k, STRANGER),
    backup: (k): string[] => walks(k, Asker.backup),
  },
  check: (k, { task }, { owner, stranger, backup }) => {
    const [link, info] = [ALIVE[0] as string, ALIVE[3] as string];
    setDumpable(k, task, 0);
    return (
      judgeLook("the owner", owner, [link, info]) ??
      judgeLook("a stranger", stranger, REFUSED) ??
      judgeLook("who may go everywhere", backup, [link, String(-EACCES)]) ??
      judgeLook("the owner of an undumpable process", walks(k, idsOf(1).uid, idsOf(1).gid), REFUSED) ??
      judgeLook("root", walks(k, Asker.root), [`120700 ${ROOTS}`, `100444 ${ROOTS}`])
    );
  },
});

/** Neither the owner nor anybody else. */
const STRANGER = 5;

/** What fdinfo says of a descriptor: its flags and inode; null if it is not open. */
function flagsAndInode(text: string | number): string | null {
  if (typeof text === "number") return text === -ENOENT ? null : String(text);
  const lines = text.split("\n");
  return [lines[1], lines[3]].join(" ");
}

const O_CLOEXEC = 0o2000000;

export const reopened = scenario({
  name: "fd/fdinfo-reopened",
  about:
    "fdinfo is read while the descriptor is closed, and opened on another file that exec closes: it is one of both",
  quick: true,
  setup: (k) => {
    const { task } = setupDescriptors(k);
    return { files: k.m.load(task + TASK.files), node: nodesOf(k)["fdinfo/2"] as Readonly<Attr> };
  },
  threads: {
    reader: (k, { node }): string | number => {
      k.t.maySleep = false;
      return new DirectoryRequests(k).read(node);
    },
    writer: (k, { files }): number[] => {
      const closed = closeFd(k, files, 2);
      const file = fileNew(k, { kind: FileKind.socket, flags: READ, ino: 11 });
      return [closed, installFdAt(k, files, 2, file, true)];
    },
  },
  check: (_k, _plan, { reader, writer }) => {
    if (writer.join() !== "0,2") return `who closes and opens was told ${writer.join()}`;
    const said = flagsAndInode(reader);
    const possible = ["flags:\t02 ino:\t9", `flags:\t0${(READ | O_CLOEXEC).toString(8)} ino:\t11`, null];
    return possible.includes(said) ? null : `fdinfo said ${said}, possible: ${possible.join(", ")}`;
  },
});

/** Names and attributes of a listing, in short: `2 120700`, and without a mode if the descriptor was gone by then. */
function listedModes({ entries }: Listing): string[] {
  return entries.map(({ name, attr }) => (attr === null ? name : `${name} ${attr.mode.toString(8)}`));
}

/** What each entry says of the next one is true: that is where the listing goes on. */
function judgeCursors({ result, entries }: Listing): string | null {
  if (result !== 0) return `a listing was answered with ${result}`;
  for (const [i, { name, next }] of entries.entries()) {
    const following = entries[i + 1];
    const expected = FIRST + (following === undefined ? SLOTS : Number(following.name));
    if (next !== expected) return `behind ${name} the listing goes on at ${next}, not ${expected}`;
  }
  return null;
}

/** Lists a directory, one entry in each request. */
function listSingly(requests: DirectoryRequests, directory: Readonly<Attr>): Listing {
  const entries: Listed[] = [];
  for (let offset = FIRST; ;) {
    const piece = requests.list(directory, offset, true, 1);
    const [entry] = piece.entries;
    if (entry === undefined) return { result: piece.result, entries };
    entries.push(entry);
    offset = entry.next;
  }
}

/** Those of a listing that stay as they are, whatever happens; and what there may be besides. */
interface Listable {
  readonly always: readonly string[];
  readonly maybe: readonly string[];
}

function judgeModes(seen: Listing, { always, maybe }: Listable): string | null {
  const modes = listedModes(seen);
  const numbers = modes.map((mode) => parseInt(mode));
  const ascending = numbers.every((fd, i) => i === 0 || fd > (numbers[i - 1] as number));
  const missing = always.filter((mode) => !modes.includes(mode));
  const strange = modes.filter((mode) => !always.includes(mode) && !maybe.includes(mode));
  if (ascending && missing.length === 0 && strange.length === 0) return null;
  return `listed: ${modes.join(", ")}; always there: ${always.join(", ")}; perhaps: ${maybe.join(", ")}`;
}

export const dupAndClose = scenario({
  name: "fd/listing-dup-close",
  about: "fd is listed while descriptors are closed and duplicated: those that stay are there once, with their modes",
  setup: (k) => {
    const { task } = setupDescriptors(k);
    return { files: k.m.load(task + TASK.files), directory: nodesOf(k)["fd"] as Readonly<Attr> };
  },
  threads: {
    lister: (k, { directory }): Listing => new DirectoryRequests(k).list(directory, FIRST, true),
    writer: (k, { files }): number[] => [closeFd(k, files, 1), dupFd(k, files, 0, 1), closeFd(k, files, 3)],
  },
  check: (_k, _plan, { lister, writer }) => {
    if (writer.join() !== "0,1,0") return `who closes and duplicates was told ${writer.join()}`;
    const maybe = ["1", "1 120300", "1 120500", "3", "3 120000"];
    return judgeCursors(lister) ?? judgeModes(lister, { always: ["0 120500", "2 120700", "4 120000"], maybe });
  },
});

export const inPieces = scenario({
  name: "fd/listing-in-pieces",
  about: "fd is listed entry by entry while descriptors are closed and one is opened in a larger table",
  setup: (k) => {
    const { task } = setupDescriptors(k);
    return { files: k.m.load(task + TASK.files), directory: nodesOf(k)["fd"] as Readonly<Attr> };
  },
  threads: {
    lister: (k, { directory }): Listing => listSingly(new DirectoryRequests(k), directory),
    writer: (k, { files }): number[] => [closeFd(k, files, 1), dupFd(k, files, 2, 40), closeFd(k, files, 2)],
  },
  check: (_k, _plan, { lister, writer }) => {
    if (writer.join() !== "0,40,0") return `who closes and duplicates was told ${writer.join()}`;
    const maybe = ["1", "1 120300", "2", "2 120700", "40 120700"];
    return judgeModes(lister, { always: ["0 120500", "3 120000", "4 120000"], maybe });
  },
});

export const unshared = scenario({
  name: "fd/listing-exec",
  about: "fd is listed while an exec takes a table of its own and closes a descriptor, and who shared the old one ends",
  extent: { kind: "bounded", preemptions: 1 },
  setup: (k) => {
    const { task } = setupDescriptors(k);
    const files = k.m.load(task + TASK.files);
    installFdAt(k, files, 5, fileNew(k, { kind: FileKind.socket, flags: BOTH, ino: 12 }), true);
    start(k, PID, CLONE_FILES, { pid: TID });
    const directory = nodesOf(k)["fd"] as Readonly<Attr>;
    return { task, other: taskOfPid(k, TID), directory, exec: prepareExec(k, task) };
  },
  threads: {
    lister: (k, { directory }): Listing => new DirectoryRequests(k).list(directory, FIRST, true),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    other: (k, { other }): void => exitGroup(k, other, 0),
  },
  check: (k, { directory }, { lister, exec }) => {
    if (!exec) return "the exec failed";
    const always = ["0 120500", "1 120300", "2 120700", "3 120000", "4 120000"];
    const after = new DirectoryRequests(k).list(directory, FIRST, true);
    return (
      judgeCursors(lister) ??
      judgeModes(lister, { always, maybe: ["5", "5 120700"] }) ??
      judgeModes(after, { always, maybe: [] })
    );
  },
});
