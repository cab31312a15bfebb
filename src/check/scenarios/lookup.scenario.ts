/** Names in process directories: what they lead to while processes, threads, descriptors and mappings come and go. */
import { closeFd, fileNew, installFd } from "../../kernel/files.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Path } from "../../kernel/knobs.ts";
import { FileKind, MM, TASK } from "../../kernel/layout.ts";
import { configPath } from "../../kernel/path.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../mm/flags.ts";
import { mmap, munmap } from "../../mm/mmap.ts";
import { mprotect } from "../../mm/mprotect.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Life, Link, SeenProcess } from "../oracles/revalidate.ts";
import { ANY_LIFE, judgeLink, judgeProcess, judgeThread } from "../oracles/revalidate.ts";
import { scenario } from "../scenario.ts";
import type { SeenNode } from "./lookup-requests.ts";
import { Requests } from "./lookup-requests.ts";
import { endAndReap, reclaimNow, start, taskOfPid } from "./pid-kit.ts";
import { hasReached, mayReach, newestState, oldestState } from "./progress.ts";
import type { LifePlan, Seen } from "./revalidate-lives.ts";
import {
  HEIR_LIVES,
  PID,
  TID,
  execHeir,
  firstLife,
  heirLife,
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

/** By name, and then twice the same node. */
function nameThenNode(k: Kernel, requests: Requests, plan: LifePlan): Seen<SeenNode>[] {
  const first = byName(k, requests, plan);
  k.quiescent();
  return first.seen === null ? [first] : [first, again(k, requests, plan, first.seen)];
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

export const heirByName = scenario({
  name: "lookup/exec-of-thread",
  about: "a thread execs and takes over its dead leader's pid: the name leads to the one process all along",
  paths: PATHS,
  quick: true,
  setup: (k) => heirLife(k),
  threads: {
    reader: (k, plan): Seen<SeenNode>[] => nameThenNode(k, server(k), plan),
    writer: (k, plan): void => execHeir(k, plan),
  },
  check: (k, plan, { reader }) => judgeNames(reader, HEIR_LIVES) ?? judgeReferences(k, plan.heir, true),
});

export const threadByName = scenario({
  name: "lookup/thread-that-execs",
  about: "the same by the name of the thread in task, which goes when it becomes the leader",
  paths: PATHS,
  setup: (k) => heirLife(k),
  threads: {
    reader: (k, { progress }): Seen<SeenNode> => {
      const requests = server(k);
      const process = requests.process(String(PID)) as SeenNode;
      const tasks = requests.within(process, "task") as SeenNode;
      const oldest = oldestState(k, progress);
      const seen = requests.within(tasks, String(TID));
      return { seen, span: { oldest, newest: newestState(k, progress) } };
    },
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

const DESCRIPTORS = [life({ links: descriptor(READ) }), life(), life({ links: descriptor(WRITE) })];
export const descriptors = scenario({
  name: "lookup/fd",
  about: "a descriptor is closed and becomes another file's while its name is looked up: the link has the mode of one",
  paths: PATHS,
  setup: (k) => {
    const plan = firstLife(k);
    openPipe(k, taskOfPid(k, PID), READ);
    return { ...plan, task: taskOfPid(k, PID) };
  },
  threads: {
    reader: (k, { progress }): Seen<Partial<Link>> => {
      const requests = server(k);
      const directory = requests.within(requests.process(String(PID)) as SeenNode, "fd") as SeenNode;
      const oldest = oldestState(k, progress);
      const found = requests.within(directory, "0");
      return { seen: found && { mode: found.mode }, span: { oldest, newest: newestState(k, progress) } };
    },
    writer: (k, { task, progress }): void => {
      mayReach(k, progress, 1);
      closeFd(k, k.m.load(task + TASK.files), 0);
      hasReached(k, progress, 1);
      reclaimNow(k);
      mayReach(k, progress, 2);
      openPipe(k, task, WRITE);
      hasReached(k, progress, 2);
    },
  },
  check: (k, { task }, { reader: { seen, span } }) =>
    judgeLink("fd/0", seen, 1, statesIn(DESCRIPTORS, span)) ?? judgeReferences(k, task, true),
});

const PAGE = 4096;
const MAP_START = 0x10000000;
/** Pages of the mapping, and where it is split. */
const [PAGES, MIDDLE] = [4, 2];

function rangeName(from: number, to: number): string {
  return `${(MAP_START + from * PAGE).toString(16)}-${(MAP_START + to * PAGE).toString(16)}`;
}

const WHOLE = rangeName(0, PAGES);
const HALF = rangeName(0, MIDDLE);

/** @param ranges those that are mapped */
function mapped(...ranges: readonly string[]): Life {
  return life({ links: new Map(ranges.map((range) => [`map_files/${range}`, { text: "/bin/prog", mode: 0o120400 }])) });
}

const MAPPED = [mapped(WHOLE), mapped(HALF, rangeName(MIDDLE, PAGES)), mapped(rangeName(MIDDLE, PAGES))];

/** The reader of one name of map_files. */
function lookUpRange(k: Kernel, { progress }: LifePlan, name: string): Seen<Partial<Link>> {
  const requests = new Requests(k);
  const directory = requests.within(requests.process(String(PID)) as SeenNode, "map_files") as SeenNode;
  k.quiescent();
  const oldest = oldestState(k, progress);
  const found = requests.within(directory, name);
  return { seen: found && { mode: found.mode }, span: { oldest, newest: newestState(k, progress) } };
}

export const mapFiles = scenario({
  name: "lookup/map-files",
  about: "a mapping is split and then partly unmapped: a name of map_files is that of a mapping as it was or became",
  paths: PATHS,
  setup: (k) => {
    const plan = firstLife(k);
    const task = taskOfPid(k, PID);
    const mm = k.m.load(task + TASK.mm);
    mmap(k, mm, MAP_START, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, configPath(k, 0), 0);
    return { ...plan, task, mm, users: k.m.load(mm + MM.mmUsers) };
  },
  threads: {
    whole: (k, plan): Seen<Partial<Link>> => lookUpRange(k, plan, WHOLE),
    half: (k, plan): Seen<Partial<Link>> => lookUpRange(k, plan, HALF),
    writer: (k, { mm, progress }): void => {
      mayReach(k, progress, 1);
      mprotect(k, mm, MAP_START + MIDDLE * PAGE, (PAGES - MIDDLE) * PAGE, PROT_READ | PROT_EXEC);
      hasReached(k, progress, 1);
      mayReach(k, progress, 2);
      munmap(k, mm, MAP_START, MIDDLE * PAGE);
      hasReached(k, progress, 2);
    },
  },
  check: (k, { task, mm, users }, { whole, half }) => {
    const left = k.m.load(mm + MM.mmUsers) - users;
    if (left !== 0) return `${left} users of the address space are left`;
    return (
      judgeLink(`map_files/${WHOLE}`, whole.seen, 1, statesIn(MAPPED, whole.span)) ??
      judgeLink(`map_files/${HALF}`, half.seen, 1, statesIn(MAPPED, half.span)) ??
      judgeReferences(k, task, true)
    );
  },
});
