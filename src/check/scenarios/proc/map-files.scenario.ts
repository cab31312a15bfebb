/** /proc/<pid>/map_files: its links while mappings are split, unmapped and mapped anew, and their process execs or ends. */
import { EACCES, ENOENT, ESTALE } from "../../../kernel/errno.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { MM, PATH, TASK } from "../../../kernel/layout.ts";
import { configPath, pathNew, pathPut } from "../../../kernel/path.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../../mm/flags.ts";
import { mmap, munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import { MAP_LIMIT } from "../../../proc/fs/node-id.ts";
import type { Attr } from "../../../proc/vfs.ts";
import { DT_LNK, WOULD_WAIT } from "../../../proc/vfs.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import type { Listing, Told } from "./directory-requests.ts";
import { Asker, DirectoryRequests, found } from "./directory-requests.ts";
import { countIs, prepareExec, takeOver } from "../kernel/exec-images.ts";
import { reapZombie, taskOfPid } from "../kernel/pid-kit.ts";
import { PID, firstLife, idsOf, judgeReferences, startOf } from "./revalidate-lives.ts";

const PATHS = [Path.revalidate];

const PAGE = 4096;
const START = 0x10000000;
const NAME = "/bin/prog";

function rangeName(from: number, to: number): string {
  return `${(START + from * PAGE).toString(16)}-${(START + to * PAGE).toString(16)}`;
}

/** Pages of the first mapping, of anonymous memory behind it, and of the last mapping. */
const [FIRST, ANONYMOUS, LAST] = [
  [0, 4],
  [4, 6],
  [8, 9],
] as const;
const MIDDLE = 2;
const [WHOLE, END] = [rangeName(...FIRST), rangeName(...LAST)];
const [LOWER, UPPER] = [rangeName(0, MIDDLE), rangeName(MIDDLE, FIRST[1])];

interface MapPlan {
  readonly task: Ptr;
  readonly mm: Ptr;
  readonly directory: Readonly<Attr>;
  /** The link of the first mapping. */
  readonly link: Readonly<Attr>;
}

/** Maps a file at some pages, or anonymous memory. */
function map(k: Kernel, mm: Ptr, [from, to]: readonly [number, number], file: Ptr): void {
  const result = mmap(k, mm, START + from * PAGE, (to - from) * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
  if (result < 0) throw new Error(`a mapping could not be made: ${result}`);
}

/** A process of user 1 with nothing but these mappings. */
function setupMappings(k: Kernel): MapPlan {
  firstLife(k);
  const task = taskOfPid(k, PID);
  const mm = k.m.load(task + TASK.mm);
  munmap(k, mm, 0, MAP_LIMIT - PAGE);
  map(k, mm, FIRST, configPath(k, 0));
  map(k, mm, ANONYMOUS, NULL);
  map(k, mm, LAST, configPath(k, 0));
  return { task, mm, ...nodesOf(k, WHOLE) };
}

function nodesOf(k: Kernel, name: string): { readonly directory: Readonly<Attr>; readonly link: Readonly<Attr> } {
  const requests = new DirectoryRequests(k);
  const directory = found(requests.walk(`${PID}/map_files`));
  return { directory, link: found(requests.name(directory, name)) };
}

/** Nobody refers to the process, its address space, or /proc any more. */
function judgeRest(k: Kernel, { task }: { readonly task: Ptr }): string | null {
  return countIs(k, "the address space", k.m.load(task + TASK.mm) + MM.mmUsers, 1) ?? judgeReferences(k, task, true);
}

/** What is told of a link, in short; or an errno. */
function brief(told: Told): string {
  if (typeof told === "number") return String(told);
  const { mode, size, nlink, uid, gid, rdev, entryValid, timeNsec } = told;
  return [mode.toString(8), size, nlink, uid, gid, rdev, entryValid, timeNsec].join(" ");
}

const OWNED = `120400 64 1 ${idsOf(1).uid} ${idsOf(1).gid} 0 0 ${startOf(1)}`;

function judgeTexts(what: string, texts: readonly string[], expected: readonly string[]): string | null {
  const [is, should] = [texts.join("; "), expected.join("; ")];
  return is === should ? null : `${what}: ${is}, not ${should}`;
}

/** Names in a listing. */
function namesIn({ result, entries }: Listing): string {
  return [result, ...entries.map(({ name }) => name)].join(" ");
}

/** Names that lead nowhere: of other ranges, none of a file, beyond all memory, none of a range. */
const NO_NAMES = [
  ...[rangeName(0, 3), rangeName(1, 4), rangeName(...ANONYMOUS), rangeName(0, 9), rangeName(6, 7)],
  ...[
    "800000000000-800000001000",
    `0${WHOLE}`,
    `${WHOLE}0`,
    "10000000",
    "",
    "0-0",
    WHOLE.toUpperCase().replace("0", "A"),
  ],
];

/** All that one is told of the links. */
interface Look {
  readonly names: readonly string[];
  readonly nowhere: readonly string[];
  readonly nodes: readonly string[];
  readonly texts: readonly string[];
  readonly bare: Listing;
  readonly plus: Listing;
  /** The same, an entry at a time. */
  readonly pieces: readonly Listing[];
}

function look(k: Kernel, { directory }: MapPlan, uid: number): Look {
  const requests = new DirectoryRequests(k, uid);
  const [names, nowhere, nodes, texts]: string[][] = [[], [], [], []];
  for (const name of [WHOLE, END]) {
    const told = requests.name(directory, name);
    names?.push(brief(told));
    if (typeof told === "number") continue;
    nodes?.push(`${told.nodeHi}:${told.nodeLo} ${told.inoHi}:${told.inoLo}`, brief(requests.again(told)));
    texts?.push(String(requests.read(told)));
  }
  for (const name of NO_NAMES) nowhere?.push(brief(requests.name(directory, name)));
  const [bare, plus] = [requests.list(directory, 0, false), requests.list(directory, 0, true)];
  const pieces: Listing[] = [];
  for (const offset of [2, 3, 4]) pieces.push(requests.list(directory, offset, false, 1));
  return { names, nowhere, nodes, texts, bare, plus, pieces } as Look;
}

/** What may be known of the links is the same whichever way one asks. */
function judgeLook(seen: Look): string | null {
  const [first, firstAgain, last, lastAgain] = seen.nodes as [string, string, string, string];
  if (first === last) return `both links are ${first}`;
  const listed = (one: string, name: string, next: number): string =>
    JSON.stringify({ name, ino: one.slice(one.indexOf(" ") + 1), type: DT_LNK, next, attr: null });
  const entries = seen.bare.entries.slice(2).map((entry) => JSON.stringify(entry));
  const attributes = seen.plus.entries.slice(2).map(({ attr }) => attr);
  const full = attributes.map((attr) => attr && `${attr.nodeHi}:${attr.nodeLo} ${attr.inoHi}:${attr.inoLo}`);
  return (
    judgeTexts("links", [...seen.names, firstAgain, lastAgain], [OWNED, OWNED, OWNED, OWNED]) ??
    judgeTexts("texts", seen.texts, [NAME, NAME]) ??
    judgeTexts("no links", seen.nowhere, Array<string>(NO_NAMES.length).fill(String(-ENOENT))) ??
    judgeTexts("the listing", entries, [listed(first, WHOLE, 3), listed(last, END, 4)]) ??
    judgeTexts(
      "attributes in the listing",
      attributes.map((attr) => brief(attr ?? 0)),
      [OWNED, OWNED],
    ) ??
    judgeTexts("nodes in the listing", full.map(String), [first, last]) ??
    judgeTexts("pieces", seen.pieces.map(namesIn), [`0 ${WHOLE}`, `0 ${END}`, "0"]) ??
    judgeTexts("names with attributes", [namesIn(seen.plus)], [`0 . .. ${WHOLE} ${END}`])
  );
}

export const answers = scenario({
  name: "map_files/answers",
  about: "names, nodes, texts and listings say the same; who may not look into the process is refused whatever he asks",
  paths: PATHS,
  extent: { kind: "bounded", preemptions: 0 },
  quick: true,
  setup: setupMappings,
  threads: {
    root: (k, plan): Look => look(k, plan, Asker.root),
    backup: (k, plan): Look => look(k, plan, Asker.backup),
  },
  check: (k, plan, { root, backup }) => {
    const refused = [...backup.names, ...backup.nowhere, ...backup.pieces.map(namesIn)];
    const expected = refused.map(() => String(-EACCES));
    return judgeLook(root) ?? judgeTexts("what is refused", refused, expected) ?? judgeRest(k, plan);
  },
});

/** A file that only its mapping has. */
const OTHER = "/data";

/** What one is told, of the link and as its text, of a node whose mapping comes and goes. */
function followLink(requests: DirectoryRequests, link: Readonly<Attr>): string[] {
  return [brief(requests.again(link)), String(requests.read(link)), String(requests.read(link))];
}

export const remapped = scenario({
  name: "map_files/link-remapped",
  about: "a link is followed while its mapping is replaced by one of another file, which goes with it",
  paths: PATHS,
  extent: { kind: "bounded", preemptions: 1 },
  setup: (k) => {
    const plan = setupMappings(k);
    return { ...plan, file: pathNew(k, { name: OTHER }) };
  },
  threads: {
    reader: (k, { link }): string[] => followLink(new DirectoryRequests(k), link),
    writer: (k, { mm, file }): void => {
      munmap(k, mm, START, MIDDLE * PAGE);
      map(k, mm, [0, MIDDLE], file);
      pathPut(k, file);
      munmap(k, mm, START, MIDDLE * PAGE);
    },
  },
  check: (k, plan, { reader: [told, ...texts] }) => {
    const gone = String(-ENOENT);
    if (told !== OWNED && told !== gone) return `the link was ${told}`;
    const inTurn = [NAME, gone, OTHER, gone];
    const at = inTurn.indexOf(texts[0] as string);
    const possible = inTurn.slice(at);
    if (at < 0 || !possible.includes(texts[1] as string)) return `the link led to ${texts.join(", then ")}`;
    return countIs(k, "the other file", plan.file + PATH.usage, 0) ?? judgeRest(k, plan);
  },
});

export const listedWhileSplit = scenario({
  name: "map_files/listing-split",
  about: "the links are listed while a mapping is split and a part of it unmapped: each was there when it was listed",
  paths: PATHS,
  extent: { kind: "bounded", preemptions: 2 },
  setup: setupMappings,
  threads: {
    lister: (k, { directory }): Listing => new DirectoryRequests(k).list(directory, 2, true),
    writer: (k, { mm }): void => {
      mprotect(k, mm, START + MIDDLE * PAGE, (FIRST[1] - MIDDLE) * PAGE, PROT_READ | PROT_EXEC);
      munmap(k, mm, START, MIDDLE * PAGE);
    },
  },
  check: (k, plan, { lister }) => {
    const names = namesIn(lister);
    const possible = [`0 ${WHOLE} ${END}`, `0 ${LOWER} ${UPPER} ${END}`, `0 ${UPPER} ${END}`];
    const cursors = lister.entries.every(
      ({ next, attr }, i) => next === i + 3 && attr !== null && brief(attr) === OWNED,
    );
    if (!possible.includes(names) || !cursors) return `listed: ${JSON.stringify(lister)}`;
    return judgeRest(k, plan);
  },
});

/** An exec whose image is where the old one was. */
const SAME_ADDRESSES = 1;

export const execed = scenario({
  name: "map_files/exec",
  about: "links are listed and followed while an exec puts the same program at the same place: they are always there",
  paths: PATHS,
  extent: { kind: "bounded", preemptions: 2 },
  setup: (k) => {
    firstLife(k);
    const task = taskOfPid(k, PID);
    const directory = found(new DirectoryRequests(k).walk(`${PID}/map_files`));
    const names = namesIn(new DirectoryRequests(k).list(directory, 2, false));
    const nodes = nodesOf(k, names.split(" ")[1] as string);
    return { task, ...nodes, names, exec: prepareExec(k, task, {}, SAME_ADDRESSES) };
  },
  threads: {
    reader: (k, { link, directory }): string[] => {
      const requests = new DirectoryRequests(k);
      return [namesIn(requests.list(directory, 2, false)), String(requests.read(link))];
    },
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, plan, { reader, exec }) => {
    if (!exec) return "the exec failed";
    return judgeTexts("the links", reader, [plan.names, NAME]) ?? judgeRest(k, plan);
  },
});

export const parked = scenario({
  name: "map_files/parked",
  about: "one who must not sleep asks for a mapping beside one that changes: he gets it, or has to come again",
  paths: PATHS,
  setup: (k) => {
    const plan = setupMappings(k);
    return { ...plan, link: nodesOf(k, END).link };
  },
  threads: {
    reader: (k, { link, directory }): string[] => {
      k.t.maySleep = false;
      const requests = new DirectoryRequests(k);
      const told = [brief(requests.again(link)), String(requests.read(link)), brief(requests.name(directory, END))];
      return [...told, namesIn(requests.list(directory, 2, false))];
    },
    writer: (k, { mm }): void => {
      mprotect(k, mm, START, (FIRST[1] - FIRST[0]) * PAGE, PROT_READ | PROT_EXEC);
    },
  },
  check: (k, plan, { reader }, form) => {
    const expected = [OWNED, NAME, OWNED, `0 ${WHOLE} ${END}`];
    // Lock-free, only the listing comes across the mapping that changes.
    const waits = (i: number): boolean => form === "locked" || i === expected.length - 1;
    const wait = String(WOULD_WAIT);
    const strange = reader.findIndex((said, i) => said !== expected[i] && !(said === wait && waits(i)));
    return strange < 0 ? judgeRest(k, plan) : `answer ${strange}: ${reader[strange]}, not ${expected[strange]}`;
  },
});

/** What one is told who has the nodes of a process already. */
function comeBack(k: Kernel, { link, directory }: MapPlan, uid: number): string[] {
  const requests = new DirectoryRequests(k, uid);
  const followed = [brief(requests.again(link)), String(requests.read(link))];
  const names = [brief(requests.name(directory, WHOLE)), brief(requests.name(directory, "x"))];
  return [...followed, ...names, namesIn(requests.list(directory, 2, false))];
}

export const ended = scenario({
  name: "map_files/exit",
  about: "links are listed, found and followed while the process ends: as they were, or gone; then it is reaped",
  paths: PATHS,
  extent: { kind: "bounded", preemptions: 1 },
  quick: true,
  setup: setupMappings,
  threads: {
    reader: (k, plan): string[] => comeBack(k, plan, Asker.root),
    ends: (k, { task }): void => exitGroup(k, task, 0),
  },
  check: (k, plan, { reader }) => {
    const gone = String(-ENOENT);
    const before = [OWNED, NAME, OWNED, gone, `0 ${WHOLE} ${END}`];
    const dead = [gone, gone, gone, gone, "0"];
    // Owner and mappings are asked for one after the other: the entry of one that ends may be root's already.
    const roots = OWNED.replace(`${idsOf(1).uid} ${idsOf(1).gid}`, "0 0");
    const strange = reader.findIndex(
      (said, i) => ![before[i], dead[i], before[i]?.replace(OWNED, roots)].includes(said),
    );
    if (strange >= 0) return `answer ${strange}: ${reader[strange]}`;
    const zombie =
      judgeTexts("of the dead", comeBack(k, plan, Asker.root), dead) ??
      judgeTexts("of the dead, who may not look", comeBack(k, plan, Asker.backup).slice(2), [
        ...[String(-EACCES), String(-EACCES), String(-EACCES)],
      ]);
    reapZombie(k, PID);
    const stale = String(-ESTALE);
    return zombie ?? judgeTexts("of who is gone", comeBack(k, plan, Asker.root), [stale, stale, stale, stale, gone]);
  },
});
