/** What links of descriptors and namespaces lead to: their texts, and all that is told of each. */
import { fileNew } from "../../../kernel/files.ts";
import { setDumpable, setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { FileKind } from "../../../kernel/layout.ts";
import { pathNew, pathUnlink } from "../../../kernel/path.ts";
import { CallerSubject, RequestContext } from "../../../proc/fs/context.ts";
import { Entries } from "../../../proc/fs/entries.ts";
import { NodeId, Tag, decodeNode } from "../../../proc/fs/node-id.ts";
import { Target, fileText, fillTarget, targetInode, targetKind } from "../../../proc/fs/target.ts";
import { Text } from "../../../proc/text.ts";
import { Attr } from "../../../proc/vfs.ts";
import { latin1Text } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { HOST_VIEW } from "./lookup-requests.ts";
import type { Facts } from "../kernel/machine-kit.ts";
import { firstDifference } from "../kernel/machine-kit.ts";
import { start, taskOfPid } from "../kernel/pid-kit.ts";

const PID = 40;
const [UID, GID] = [1000, 2000];
/** Nanoseconds of boot time. */
const STARTED = 3_000_000_007;

/** The inode that all anonymous files share, as measured. */
const ANONYMOUS = 1038;
const LARGE = 0xfffffffe;

/** Open files of each kind, the texts of their links, and what these say. */
interface Kind {
  readonly kind: (typeof FileKind)[keyof typeof FileKind];
  readonly path?: string;
  readonly deleted?: boolean;
  readonly ino?: number;
  readonly text: string;
  readonly target: (typeof Target)[keyof typeof Target];
  readonly inode: number;
}

function anonymous(kind: Kind["kind"], text: string): Kind {
  return { kind, ino: 7, text, target: Target.anonymous, inode: ANONYMOUS };
}

function named(kind: Kind["kind"], path: string, deleted = false): Kind {
  const text = deleted ? `${path} (deleted)` : path;
  return { kind, path, deleted, text, target: Target.none, inode: ANONYMOUS };
}

/** As links of a real machine say it. */
const KINDS: readonly Kind[] = [
  { kind: FileKind.socket, ino: 123, text: "socket:[123]", target: Target.socket, inode: 123 },
  { kind: FileKind.socket, ino: LARGE, text: `socket:[${LARGE}]`, target: Target.socket, inode: LARGE },
  { kind: FileKind.pipe, ino: 9, text: "pipe:[9]", target: Target.pipe, inode: 9 },
  anonymous(FileKind.eventfd, "anon_inode:[eventfd]"),
  anonymous(FileKind.eventpoll, "anon_inode:[eventpoll]"),
  anonymous(FileKind.timerfd, "anon_inode:[timerfd]"),
  anonymous(FileKind.signalfd, "anon_inode:[signalfd]"),
  anonymous(FileKind.inotify, "anon_inode:inotify"),
  anonymous(FileKind.pidfd, "anon_inode:[pidfd]"),
  anonymous(FileKind.anon, "anon_inode:[anon]"),
  named(FileKind.regular, "/etc/one:two[3]"),
  named(FileKind.regular, "/tmp/gone", true),
  named(FileKind.memfd, "/memfd:name", true),
  named(FileKind.pipe, "/run/fifo"),
  named(FileKind.socket, "/run/a b"),
];

function open(k: Kernel, { kind, path, deleted, ino }: Kind): Ptr {
  if (path === undefined) return fileNew(k, { kind, flags: 2, ...(ino === undefined ? {} : { ino }) });
  const named = pathNew(k, { name: path });
  if (deleted === true) pathUnlink(k, named);
  return fileNew(k, { kind, flags: 2, path: named });
}

/** @returns the texts of all kinds */
function textsOf(k: Kernel): string[] {
  const texts: string[] = [];
  const out = new Text();
  for (const kind of KINDS) {
    out.clear();
    fileText(k, open(k, kind), out);
    texts.push(latin1Text(out.bytes.subarray(0, out.length)));
  }
  return texts;
}

function judgeTexts(texts: readonly string[]): string | null {
  for (const [i, { text, target, inode }] of KINDS.entries()) {
    if (texts[i] !== text) return `a link says ${texts[i]}, not ${text}`;
    if (targetKind(text) !== target) return `${text} leads to kind ${targetKind(text)}`;
    if (target !== Target.none && targetInode(text) !== inode) return `${text} leads to ${targetInode(text)}`;
  }
  if (targetKind("plain name") !== Target.none) return "a name leads somewhere";
  return null;
}

export const texts = scenario({
  name: "target/texts",
  about: "open files of each kind, with and without a path: the texts of their links, and what those lead to",
  quick: true,
  setup: () => null,
  threads: { reader: (k): string[] => textsOf(k) },
  check: (_k, _plan, { reader }) => judgeTexts(reader),
});

const FACTS = {
  ...{ tgid: () => 0, descends: () => false, groups: () => [] },
  ...{ effective: () => [0, 0] as const, permitted: () => [0, 0] as const },
};

const INODE = 4026531833;
/** What a fill must not leave as it was. */
const STALE = 99;

/** All that is told of a target, on something stale, or nothing. */
function told(k: Kernel, task: Ptr, kind: number): Record<string, number> | null {
  const c = new RequestContext(
    k,
    HOST_VIEW,
    new CallerSubject(FACTS),
    new Entries({ root: [], process: [], thread: [] }),
  );
  c.task = task;
  c.tid = PID;
  const attr = new Attr();
  for (const field of Object.keys(attr) as (keyof Attr)[]) attr[field] = STALE;
  if (!fillTarget(c, kind, INODE, attr)) return null;
  const id = new NodeId();
  if (!decodeNode(attr.nodeHi, attr.nodeLo, id)) return {};
  const { tag, row, tid, index } = id;
  return { ...attr, nodeHi: 0, nodeLo: 0, tag, row, tid, index };
}

/** Kinds of targets and their modes; of others nothing is told. */
const MODES: readonly (readonly [kind: number, mode: number | null])[] = [
  [Target.none, null],
  [Target.socket, 0o140777],
  [Target.pipe, 0o010600],
  [Target.anonymous, 0o100600],
  [Target.namespace, 0o100444],
  [5, null],
  [15, null],
];

/** Whose process it is: one that can be dumped, one that can't, one that is gone. */
const OWNERS = ["dumpable", "closed", "gone"] as const;
type Owner = (typeof OWNERS)[number];

type Told = Record<string, number> | null;

/** By owner, then by kind. */
function tellAll(k: Kernel): Told[][] {
  start(k, 1, 0, { pid: PID, startTime: STARTED });
  const task = taskOfPid(k, PID);
  setIdentity(k, task, UID, GID, []);
  const all: Told[][] = [];
  for (const owner of OWNERS) {
    setDumpable(k, task, owner === "dumpable" ? 1 : 0);
    const kinds: Told[] = [];
    for (const [kind] of MODES) kinds.push(told(k, owner === "gone" ? 0 : task, kind));
    all.push(kinds);
  }
  return all;
}

function expectedOf(k: Kernel, owner: Owner, kind: number, mode: number): Facts {
  const own = owner === "dumpable" && kind !== Target.namespace;
  const time = owner === "gone" ? [0, 0] : [Math.floor(STARTED / 1e9), STARTED % 1e9];
  return {
    ...{ tag: Tag.target, row: kind, tid: PID, index: INODE, inoLo: INODE, mode, nlink: 1 },
    ...(own ? { uid: UID, gid: GID } : {}),
    ...{ timeSec: k.config.realtimeAtBoot + (time[0] as number), timeNsec: time[1] as number },
  };
}

export const attributes = scenario({
  name: "target/attributes",
  about: "all that is told of targets of each kind, of processes that can be dumped, that can't, and that are gone",
  quick: true,
  setup: () => null,
  threads: { reader: (k): Told[][] => tellAll(k) },
  check: (k, _plan, { reader }) => {
    for (const [i, owner] of OWNERS.entries()) {
      for (const [j, [kind, mode]] of MODES.entries()) {
        const seen = reader[i]?.[j] ?? null;
        if ((seen === null) !== (mode === null)) return `a target of kind ${kind} is ${seen === null ? "none" : "one"}`;
        const what = `kind ${kind} of a ${owner} process`;
        const wrong = seen && firstDifference(what, seen, expectedOf(k, owner, kind, mode as number));
        if (wrong !== null) return wrong;
      }
    }
    return null;
  },
});
