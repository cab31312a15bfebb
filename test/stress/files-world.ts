/**
 * The files of a process that turns privileged by exec and back, read by other users through the whole file system: path
 * walk, permissions, open, read. What a reader sees, and what it is refused, belongs to credentials of a moment of its
 * read. Even readers are threads that may sleep, odd ones serve requests and must not.
 */
import type { State } from "../../src/check/history.ts";
import type { Who } from "../../src/check/oracles/access.ts";
import { describeStates, mayLook } from "../../src/check/oracles/access.ts";
import { judgeImage } from "../../src/check/oracles/identity.ts";
import { imageCounters } from "../../src/check/oracles/io.ts";
import { EACCES, EPERM } from "../../src/kernel/errno.ts";
import { Path } from "../../src/kernel/knobs.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { getTask, putTask } from "../../src/kernel/task.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import { ErrnoError } from "../proc/vfs-client.ts";
import { attempt, prepare } from "./attempt.ts";
import type { ImagePlan, Seen } from "./images.ts";
import {
  IMAGE_WORDS,
  OWNER,
  STRANGER,
  Word,
  endProcesses,
  imageWriter,
  makeImages,
  stillLeads,
  seenWords,
} from "./images.ts";
import { execUpdateEvents } from "./world.ts";
import type { StressThread, World } from "./world.ts";

const IMAGES = 2;

/** A file, and what its text shows of an image; nothing at all for one whose image was gone before it was read. */
interface FileReader {
  readonly name: string;
  /** Errors that are a refusal: by mode and owner at the open, or by ptrace access. */
  readonly refusals: readonly number[];
  /** True if even the owner of an open image may not read it. */
  readonly rootOnly?: boolean;
  shown(text: string, pid: number): Seen;
}

/** What is between a system call's stack pointer and the start of the stack; see base-trace.ts. */
const FRAME = 0x1a8;

function matched(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`${pattern.source} is not in ${JSON.stringify(text)}`);
  return found;
}

function shownByIo(text: string): Seen {
  const counters = [...text.matchAll(/^\w+: (\d+)$/gm)].map(([, count]) => Number(count));
  const [amount = -1] = counters;
  const whole = counters.join(" ") === imageCounters(amount).join(" ");
  return { amount: whole ? amount : -1 };
}

function shownBySyscall(text: string, pid: number): Seen {
  const stackPointer = Number(matched(text, / (0x[0-9a-f]+) 0x[0-9a-f]+\n$/));
  return { startStack: stackPointer + FRAME + (pid & 0xf) * 16 };
}

function shownByMaps(text: string): Seen {
  const heap = /^([0-9a-f]+)-[0-9a-f]+ .*\[heap\]$/m.exec(text)?.[1];
  return heap === undefined ? {} : { startBrk: parseInt(heap, 16) };
}

function shownByEnviron(text: string): Seen {
  return text === "" ? {} : { image: Number(matched(text, /^IMAGE=(\d+)\0$/)) };
}

function shownByTimers(text: string): Seen {
  return text === "" ? {} : { image: parseInt(matched(text, /^signal: \d+\/([0-9a-f]+)$/m), 16) };
}

const FILES: readonly FileReader[] = [
  { name: "io", refusals: [EACCES], shown: shownByIo },
  { name: "maps", refusals: [EACCES], shown: shownByMaps },
  { name: "environ", refusals: [EACCES], shown: shownByEnviron },
  { name: "stack", refusals: [EACCES, EPERM], rootOnly: true, shown: () => ({}) },
  { name: "syscall", refusals: [EACCES, EPERM], shown: shownBySyscall },
  {
    name: "personality",
    refusals: [EACCES, EPERM],
    shown: (text) => ({ image: parseInt(matched(text, /^([0-9a-f]{8})\n$/), 16) }),
  },
  { name: "timers", refusals: [EACCES], shown: shownByTimers },
];

interface FileRead {
  readonly file: FileReader;
  readonly who: Who;
  /** 0, or a negative errno. */
  readonly error: number;
  readonly seen: readonly (number | undefined)[];
}

function judge(read: FileRead, states: readonly State[]): string | null {
  const { file, who, error, seen } = read;
  if (file.rootOnly === true && who !== "root") return file.refusals.includes(-error) ? null : `${file.name}: ${error}`;
  if (file.name === "timers" && error === 0) return judgeTimers(read, states);
  const refusal = file.refusals.includes(-error) ? error : -EACCES;
  return judgeImage({ path: file.name, who, error, refusal, seen }, states);
}

/**
 * Whether timers may be shown is asked when the file is opened, and outside of any section: what is read afterwards is
 * what there is then, as in the kernel.
 */
function judgeTimers({ who, seen }: FileRead, states: readonly State[]): string | null {
  const opened = states.some(({ words }) => mayLook(who, words[Word.access] as number));
  const image = seen[Word.image];
  const there = image === undefined || states.some(({ words }) => words[Word.image] === image);
  return opened && there ? null : `timers: ${who} saw ${image ?? "none"}, possible: ${describeStates(states)}`;
}

function reader(c: StressThread<ImagePlan>): () => void {
  prepare(c, c.index % 2 === 0);
  const { client } = fileSystem(c.k, tablesOf(TEST_HOST));
  const clients: Record<Who, VfsClient> = { owner: client.as(OWNER), stranger: client.as(STRANGER), root: client };
  return () => {
    const who = (["root", "stranger"] as const)[c.random.below(16)] ?? "owner";
    readFile(c, clients[who], who);
  };
}

/** The leader of a process, kept: over the many requests of a read, another one could get the memory of one that is gone. */
class Pinned {
  private readonly k: Kernel;
  private readonly pid: number;
  private task = 0;

  constructor(k: Kernel, pid: number) {
    this.k = k;
    this.pid = pid;
  }

  /** Takes the leader that there is now, in place of one taken before. */
  take(): void {
    this.drop();
    const task = findTask(this.k, this.pid);
    if (getTask(this.k, task)) this.task = task;
  }

  /** @returns true if it has been the leader all the time */
  release(): boolean {
    const same = stillLeads(this.k, this.pid, this.task);
    this.drop();
    return same;
  }

  private drop(): void {
    if (this.task !== 0) putTask(this.k, this.task);
    this.task = 0;
  }
}

function readFile(c: StressThread<ImagePlan>, client: VfsClient, who: Who): void {
  const { plan, history, random } = c;
  const file = FILES[random.below(FILES.length)] as FileReader;
  const track = random.below(plan.pids.length);
  const pid = plan.pids[track] as number;
  let from = 0;
  let text = "";
  const leader = new Pinned(c.k, pid);
  const error = attempt(c, () => {
    from = history.now();
    leader.take();
    try {
      text = client.cat(`${pid}/${file.name}`);
      return 0;
    } catch (failure) {
      if (failure instanceof ErrnoError) return -failure.errno;
      throw failure;
    }
  });
  const to = history.now();
  const sameLeader = leader.release();
  if (error === null) return;
  if (!sameLeader) return c.count("another leader");
  c.count(`${file.name} ${error === 0 ? "allowed" : "denied"}`);
  const seen = error === 0 ? seenWords(file.shown(text, pid)) : [];
  c.judge(history.possible(track, from, to), (states) => judge({ file, who, error, seen }, states));
}

const NAMES = FILES.map(({ name }) => name);

export const filesWorld: World<ImagePlan> = {
  paths: [Path.io, Path.mm_access, Path.stack, Path.syscall, Path.personality, Path.maps, Path.timers, Path.revalidate],
  history: { tracks: IMAGES, words: IMAGE_WORDS, depth: 4096 },
  readers: 3,
  writers: 2,
  expected: (form) => [
    ...NAMES.flatMap((name) => [`${name} allowed`, `${name} denied`]),
    ...execUpdateEvents(["io", "mm_access"], form).filter((event) => !event.endsWith("retried")),
  ],
  setup: (k, history) => makeImages(k, history, IMAGES),
  reader,
  writer: imageWriter,
  teardown: (k, plan) => endProcesses(k, plan.pids),
};
