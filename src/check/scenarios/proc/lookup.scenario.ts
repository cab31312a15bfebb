/** Names in process directories: what they lead to while processes, threads, descriptors and mappings come and go. */
import { closeFd, fileNew, installFd } from "../../../kernel/files.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { FileKind, MM, TASK } from "../../../kernel/layout.ts";
import { configPath } from "../../../kernel/path.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../../mm/flags.ts";
import { mmap, munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { Life, SeenProcess } from "../../oracles/revalidate.ts";
import { ANY_LIFE, judgeLink, judgeProcess, judgeThread } from "../../oracles/revalidate.ts";
import { scenario } from "../../scenario.ts";
import type { SeenNode } from "./lookup-requests.ts";
import { Requests } from "./lookup-requests.ts";
import { endAndReap, reclaimNow, start, taskOfPid } from "../kernel/pid-kit.ts";
import { hasReached, mayReach, newestState, oldestState } from "../sync/progress.ts";
import type { LifePlan, Seen } from "./revalidate-lives.ts";
import {
  HEIR_LIVES,
  PID,
  TID,
  become,
  execHeir,
  firstLife,
  heirLife,
  idsOf,
  judgeReferences,
  life,
  startOf,
  statesIn,
} from "./revalidate-lives.ts";

const PATHS = [Path.revalidate];

/** A thread that serves requests: it never sleeps, and takes no references. */
function server(k: Kernel): Requests {
  k.t.maySleep = false;
  return new Requests(k);
}

/** Looks a name of /proc up. */
function byName(k: Kernel, requests: Requests, { progress }: LifePlan): Seen<SeenNode> {
  const oldest = oldestState(k, progress);
  const seen = requests.process(String(PID));
  return { seen, span: { oldest, newest: newestState(k, progress) } };
}

/** Asks again about the node of an earlier look-up, as a file that is kept open or a working directory does. */
function again(k: Kernel, requests: Requests, { progress }: LifePlan, node: SeenNode): Seen<SeenNode> {
  const oldest = oldestState(k, progress);
  const seen = requests.again(node);
  return { seen, span: { oldest, newest: newestState(k, progress) } };
}

/** By name, and then the node. */
function nameThenNode(k: Kernel, requests: Requests, plan: LifePlan): Seen<SeenNode>[] {
  const first = byName(k, requests, plan);
  k.quiescent();
  return first.seen === null ? [first] : [first, again(k, requests, plan, first.seen)];
}

/** A directory of the process, where names are looked up. */
interface DirectoryPlan extends LifePlan {
  readonly directory: SeenNode;
}

/** One that is there. */
function directoryNamed(k: Kernel, name: string): SeenNode {
  const requests = new Requests(k);
  const process = requests.process(String(PID));
  const directory = process && requests.within(process, name);
  if (directory === null) throw new Error(`the process has no ${name}`);
  return directory;
}

/** Looks a name of a directory of the process up. */
function within(k: Kernel, requests: Requests, { progress, directory }: DirectoryPlan, name: string): Seen<SeenNode> {
  const oldest = oldestState(k, progress);
  const seen = requests.within(directory, name);
  return { seen, span: { oldest, newest: newestState(k, progress) } };
}

function judgeNames([name, node]: readonly Seen<SeenNode>[], lives: readonly (Life | null)[]): string | null {
  if (name === undefined) return "nothing was looked up";
  const wrong = judgeProcess(processOf(name), ANY_LIFE, statesIn(lives, name.span));
  if (wrong !== null || node === undefined || name.seen === null) return wrong;
  return judgeProcess(processOf(node), name.seen.generation, statesIn(lives, node.span));
}

function processOf({ seen }: Seen<SeenNode>): SeenProcess | null {
  if (seen === null) return null;
  const { generation, start: since, uid, gid } = seen;
  return { generation, start: since, uid, gid };
}

const REUSE = [life(), life({ dumpable: false }), null, life({ generation: 2, start: startOf(2), uid: 0, gid: 0 })];

function endAndStartAgain(k: Kernel, { progress }: LifePlan): void {
  mayReach(k, progress, 2);
  endAndReap(k, PID);
  hasReached(k, progress, 2);
  reclaimNow(k);
  mayReach(k, progress, 3);
  start(k, 1, 0, { pid: PID, startTime: startOf(2) });
  hasReached(k, progress, 3);
}

export const reused = scenario({
  name: "lookup/reuse",
  about: "a process is looked up by name, then by its node, while its pid is given out again",
  paths: PATHS,
  setup: (k) => firstLife(k),
  threads: {
    reader: (k, plan): Seen<SeenNode>[] => nameThenNode(k, server(k), plan),
    writer: (k, plan): void => endAndStartAgain(k, plan),
  },
  check: (k, _plan, { reader }) => judgeNames(reader, REUSE) ?? judgeReferences(k, taskOfPid(k, PID), true),
});

export const reusedUnderSleeper = scenario({
  name: "lookup/reuse-referenced",
  about: "the same by a thread that may sleep, which keeps the task by a reference",
  paths: PATHS,
  setup: (k) => firstLife(k),
  threads: {
    reader: (k, plan): Seen<SeenNode>[] => nameThenNode(k, new Requests(k), plan),
    writer: (k, plan): void => endAndStartAgain(k, plan),
  },
  check: (k, _plan, { reader }) => judgeNames(reader, REUSE) ?? judgeReferences(k, taskOfPid(k, PID), true),
});

const REAPED = [life(), life({ dumpable: false }), null];
export const opened = scenario({
  name: "lookup/open-file",
  about: "one who may sleep keeps the process of an open file over a quiescent state, while it is reaped",
  paths: PATHS,
  setup: (k) => {
    const plan = firstLife(k);
    const node = new Requests(k).process(String(PID));
    if (node === null) throw new Error("the process isn't found");
    return { ...plan, node, task: taskOfPid(k, PID) };
  },
  threads: {
    reader: (k, { node, progress }): Seen<SeenNode> => {
      const requests = new Requests(k);
      const oldest = oldestState(k, progress);
      const seen = requests.opened(node);
      return { seen, span: { oldest, newest: newestState(k, progress) } };
    },
    writer: (k, { progress }): void => {
      mayReach(k, progress, 2);
      endAndReap(k, PID);
      hasReached(k, progress, 2);
      reclaimNow(k);
    },
  },
  check: (k, { task }, { reader }) =>
    judgeProcess(processOf(reader), 1, statesIn(REAPED, reader.span)) ?? judgeReferences(k, task, false),
});

const OWNERS = [life(), life({ ...idsOf(2), dumpable: false }), life({ ...idsOf(3), dumpable: false })];
export const owner = scenario({
  name: "lookup/setuid",
  about: "a process changes its identity twice while it is looked up: user and group that are told are of one moment",
  paths: PATHS,
  quick: true,
  setup: (k) => firstLife(k),
  threads: {
    reader: (k, plan): Seen<SeenNode>[] => nameThenNode(k, server(k), plan),
    writer: (k, { progress }): void => {
      mayReach(k, progress, 1);
      become(k, PID, 2);
      hasReached(k, progress, 1);
      reclaimNow(k);
      mayReach(k, progress, 2);
      become(k, PID, 3);
      hasReached(k, progress, 2);
    },
  },
  check: (k, _plan, { reader }) => judgeNames(reader, OWNERS) ?? judgeReferences(k, taskOfPid(k, PID), true),
});

export const heirByName = scenario({
  name: "lookup/exec-of-thread",
  about: "a thread execs and takes over its dead leader's pid: the name leads to the one process all along",
  paths: PATHS,
  quick: true,
  setup: (k) => heirLife(k),
  threads: {
    reader: (k, plan): Seen<SeenNode>[] => [byName(k, server(k), plan)],
    writer: (k, plan): void => execHeir(k, plan),
  },
  check: (k, plan, { reader }) => judgeNames(reader, HEIR_LIVES) ?? judgeReferences(k, plan.heir, true),
});

export const threadByName = scenario({
  name: "lookup/thread-that-execs",
  about: "the same by the name of the thread in task, which goes when it becomes the leader",
  paths: PATHS,
  setup: (k) => ({ ...heirLife(k), directory: directoryNamed(k, "task") }),
  threads: {
    reader: (k, plan): Seen<SeenNode> => within(k, server(k), plan, String(TID)),
    writer: (k, plan): void => execHeir(k, plan),
  },
  check: (k, plan, { reader: { seen, span } }) =>
    judgeThread(seen, 1, ANY_LIFE, statesIn(HEIR_LIVES, span)) ?? judgeReferences(k, plan.heir, true),
});

/** Modes of a descriptor's link, by what it was opened for. */
const FD_MODES = [0o120500, 0o120300, 0o120700];
const PIPES = ["pipe:[7]", "pipe:[8]"];
/** How a descriptor is opened. */
const [READ, WRITE] = [0, 1];

function descriptor(which: number): Life["links"] {
  return new Map([["fd/0", { text: PIPES[which] as string, mode: FD_MODES[which] as number }]]);
}

function openPipe(k: Kernel, task: Ptr, flags: number): void {
  installFd(k, k.m.load(task + TASK.files), fileNew(k, { kind: FileKind.pipe, flags, ino: 7 + flags }));
}

interface FdPlan extends DirectoryPlan {
  readonly task: Ptr;
}

function setupDescriptor(k: Kernel): FdPlan {
  const plan = firstLife(k);
  openPipe(k, taskOfPid(k, PID), READ);
  return { ...plan, task: taskOfPid(k, PID), directory: directoryNamed(k, "fd") };
}

/** The descriptor is closed, and becomes another file's. */
function reopen(k: Kernel, { task, progress }: FdPlan): void {
  mayReach(k, progress, 1);
  closeFd(k, k.m.load(task + TASK.files), 0);
  hasReached(k, progress, 1);
  reclaimNow(k);
  mayReach(k, progress, 2);
  openPipe(k, task, WRITE);
  hasReached(k, progress, 2);
}

const DESCRIPTORS = [life({ links: descriptor(READ) }), life(), life({ links: descriptor(WRITE) })];
export const descriptors = scenario({
  name: "lookup/fd",
  about: "a descriptor is closed and becomes another file's while its name is looked up: the link has the mode of one",
  paths: PATHS,
  setup: setupDescriptor,
  threads: {
    reader: (k, plan): Seen<SeenNode> => within(k, server(k), plan, "0"),
    writer: (k, plan): void => reopen(k, plan),
  },
  check: (k, { task }, { reader }) => judgeEntry("fd/0", reader, DESCRIPTORS) ?? judgeReferences(k, task, true),
});

/** The target of the first file, as the link's text names it: a pipe. */
const TARGET = { text: "", mode: 0o010600 };
const TARGETS = [life({ links: new Map([[`fd/${PIPES[READ]}`, TARGET]]) }), life(), life()];
export const target = scenario({
  name: "lookup/fd-target",
  about: "what a descriptor leads to is looked up by its text, while it is closed and another file opened",
  paths: PATHS,
  setup: setupDescriptor,
  threads: {
    reader: (k, plan): Seen<SeenNode> => within(k, server(k), plan, PIPES[READ] as string),
    writer: (k, plan): void => reopen(k, plan),
  },
  check: (k, { task }, { reader }) =>
    judgeEntry(`fd/${PIPES[READ]}`, reader, TARGETS) ?? judgeReferences(k, task, true),
});

/** Of an entry the mode alone is told. */
function judgeEntry(name: string, { seen, span }: Seen<SeenNode>, lives: readonly Life[]): string | null {
  return judgeLink(name, seen && { mode: seen.mode }, 1, statesIn(lives, span));
}

const PAGE = 4096;
const MAP_START = 0x10000000;
/** Pages of the mapping, and where it is split. */
const [PAGES, MIDDLE] = [4, 2];

function rangeName(from: number, to: number): string {
  return `${(MAP_START + from * PAGE).toString(16)}-${(MAP_START + to * PAGE).toString(16)}`;
}

const WHOLE = rangeName(0, PAGES);
const FIRST_HALF = rangeName(0, MIDDLE);
const SECOND_HALF = rangeName(MIDDLE, PAGES);

/** @param ranges those that are mapped */
function mapped(...ranges: readonly string[]): Life {
  return life({ links: new Map(ranges.map((range) => [`map_files/${range}`, { text: "/bin/prog", mode: 0o120400 }])) });
}

interface MapPlan extends DirectoryPlan {
  readonly task: Ptr;
  readonly mm: Ptr;
}

function setupMap(k: Kernel): MapPlan {
  const plan = firstLife(k);
  const task = taskOfPid(k, PID);
  const mm = k.m.load(task + TASK.mm);
  mmap(k, mm, MAP_START, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, configPath(k, 0), 0);
  return { ...plan, task, mm, directory: directoryNamed(k, "map_files") };
}

function splitMap(k: Kernel, { mm, progress }: MapPlan): void {
  mayReach(k, progress, 1);
  mprotect(k, mm, MAP_START + MIDDLE * PAGE, (PAGES - MIDDLE) * PAGE, PROT_READ | PROT_EXEC);
  hasReached(k, progress, 1);
}

/** Nothing is left behind in the process or its address space. */
function judgeMapped(k: Kernel, { mm, task }: MapPlan): string | null {
  const users = k.m.load(mm + MM.mmUsers);
  return users === 1 ? judgeReferences(k, task, true) : `the address space has ${users} users`;
}

const SPLIT = [mapped(WHOLE), mapped(FIRST_HALF, SECOND_HALF)];
export const splitMapping = scenario({
  name: "lookup/map-files-split",
  about: "a mapping is split while the name of the whole is looked up in map_files",
  paths: PATHS,
  setup: setupMap,
  threads: {
    reader: (k, plan): Seen<SeenNode> => within(k, new Requests(k), plan, WHOLE),
    writer: (k, plan): void => splitMap(k, plan),
  },
  check: (k, plan, { reader }) => judgeEntry(`map_files/${WHOLE}`, reader, SPLIT) ?? judgeMapped(k, plan),
});

const UNMAPPED = [mapped(WHOLE), mapped(FIRST_HALF, SECOND_HALF), mapped(SECOND_HALF)];
export const unmapped = scenario({
  name: "lookup/map-files-unmap",
  about: "a mapping is split and one part unmapped, whose name is looked up: it is there in between alone",
  paths: PATHS,
  setup: setupMap,
  threads: {
    reader: (k, plan): Seen<SeenNode> => within(k, new Requests(k), plan, FIRST_HALF),
    writer: (k, plan): void => {
      const { mm, progress } = plan;
      splitMap(k, plan);
      mayReach(k, progress, 2);
      munmap(k, mm, MAP_START, MIDDLE * PAGE);
      hasReached(k, progress, 2);
    },
  },
  check: (k, plan, { reader }) => judgeEntry(`map_files/${FIRST_HALF}`, reader, UNMAPPED) ?? judgeMapped(k, plan),
});
