/**
 * Path walks into directories of processes that are born, change their user, start and end a thread, exec from it, open,
 * map, die and are reaped, a few pids again and again. A writer has pids of his own.
 *
 * What a state looks like in the history: see {@link Word}. All that shows follows from it.
 */
import type { SharedHistory, State } from "../../src/check/history.ts";
import type { Ids, Life, Link, PidState } from "../../src/check/oracles/revalidate.ts";
import {
  ANY_LIFE,
  judgeFileOwner,
  judgeLink,
  judgeProcess,
  judgeThread,
  judgeUid,
} from "../../src/check/oracles/revalidate.ts";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { ENOENT, ESRCH, ESTALE } from "../../src/kernel/errno.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup, exitThread, reap } from "../../src/kernel/exit.ts";
import { closeFd, fileNew, installFdAt } from "../../src/kernel/files.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setDumpable, setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { FileKind, HOST, TASK } from "../../src/kernel/layout.ts";
import { pathNew, pathPut } from "../../src/kernel/path.ts";
import { findTask, pidGeneration } from "../../src/kernel/pid.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../src/mm/flags.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { NodeId, decodeNode } from "../../src/proc/fs/node-id.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import type { Caller, FileSystem } from "../../src/proc/vfs.ts";
import { Attr, OpenFile, WOULD_WAIT } from "../../src/proc/vfs.ts";
import { lockrefCount } from "../../src/sync/lockref.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import { execSpec } from "../support/processes.ts";
import type { StressThread, World } from "./world.ts";

const WRITERS = 4;
/** Pids of each writer; each is a track of its own. */
const PIDS = 2;
const FIRST_PID = 5000;
/** The thread of process P has tid P + this. */
const TID_OFFSET = 100;
const FD = 7;
const PAGE = 4096;
const MAP_START = 0x10000000;
const MAP_PAGES = 4;

/** Words of a state. */
const Word = {
  /** 0: the pid is free. 1: alive. 2: the leader is a zombie. */
  kind: 0,
  /** Generation of the pid, and number of the life. */
  generation: 1,
  life: 2,
  /** Number of the user; 0 is root. */
  user: 3,
  dumpable: 4,
  /** Generation of the thread's tid, 0 if there is none; its user. */
  thread: 5,
  threadUser: 6,
  /** Number of the open file; 0 for none. A dead leader shows none, whatever its thread has open. */
  file: 7,
  /** Index in MAPPED; likewise, as for `dumpable`. */
  mapped: 8,
  /** Generation of the tid that the leader had as a thread; 0 if it never was one. */
  ledBy: 9,
} as const;
const WORDS = 10;
const [FREE, ALIVE, ZOMBIE] = [0, 1, 2];

/** What can be mapped: for each of the files, or for none, the borders of the mappings in pages. */
const MAPPED: readonly { readonly file: number; readonly borders: readonly number[] }[] = [
  { file: 0, borders: [0] },
  { file: 0, borders: [0, MAP_PAGES] },
  { file: 1, borders: [0, MAP_PAGES] },
  { file: 0, borders: [0, 2, MAP_PAGES] },
];
const FILES = ["/first", "/second"];

interface RevalidatePlan {
  readonly files: readonly number[];
  readonly tracks: number;
}

function pidOf(track: number): number {
  return FIRST_PID + track;
}

function idsOf(user: number): Ids {
  return user === 0 ? { uid: 0, gid: 0 } : { uid: 1000 + user, gid: 2_000_000 + user };
}

/** Nanoseconds; no life starts at boot. */
function startOf(life: number): number {
  return life * 1000;
}

function setup(k: Kernel, history: SharedHistory, writers: number): RevalidatePlan {
  const tracks = writers * PIDS;
  for (let track = 0; track < tracks; track++) {
    history.publish(track, history.begin(), Array<number>(WORDS).fill(0));
    history.end(track);
  }
  return { files: FILES.map((name) => pathNew(k, { name })), tracks };
}

function teardown(k: Kernel, { files, tracks }: RevalidatePlan): void {
  for (let track = 0; track < tracks; track++) {
    const task = findTask(k, pidOf(track));
    if (task === 0) continue;
    exitGroup(k, task, 0);
    if (reap(k, task) !== 0) throw new Error(`process ${pidOf(track)} could not be reaped`);
  }
  for (const file of files) pathPut(k, file);
  const references = lockrefCount(k.t, HOST.rootDentry);
  if (references !== 1) throw new Error(`${references - 1} references to the dentry of /proc are left`);
}

function changed(words: readonly number[], changes: Partial<Record<number, number>>): number[] {
  return words.map((word, index) => changes[index] ?? word);
}

/** Changes one pid. */
class Writer {
  private readonly c: StressThread<RevalidatePlan>;
  private readonly track: number;
  private lives = 0;
  private users = 0;
  private opened = 0;

  constructor(c: StressThread<RevalidatePlan>, track: number) {
    this.c = c;
    this.track = track;
  }

  step(): void {
    const { history, random } = this.c;
    const old = [...history.newest(this.track)];
    if (old[Word.kind] === FREE) return this.fork();
    if (old[Word.kind] === ZOMBIE) return old[Word.thread] === 0 ? this.reap(old) : this.withDeadLeader(old);
    switch (random.below(16)) {
      case 0:
        return this.exit(old);
      case 1:
        return this.exec(old);
      case 2:
        return this.dump(old);
      case 3:
      case 4:
      case 5:
        return this.thread(old);
      case 6:
      case 7:
      case 8:
        return this.descriptor(old);
      case 9:
      case 10:
      case 11:
        return this.map(old);
      default:
        return this.identity(old);
    }
  }

  /** Publishes the old state with changes, and makes them. */
  private change(
    name: string,
    old: readonly number[],
    changes: Partial<Record<number, number>>,
    act: () => number,
  ): void {
    const { c, track } = this;
    const words = changed(old, changes);
    c.history.publish(track, c.history.begin(), words);
    const result = act();
    c.history.end(track);
    if (result < 0) throw new Error(`${name} of process ${pidOf(track)}: ${result}`);
    c.count(name);
  }

  private task(): number {
    return findTask(this.c.k, pidOf(this.track));
  }

  private fork(): void {
    const { k } = this.c;
    const pid = pidOf(this.track);
    const life = ++this.lives;
    const words = Array<number>(WORDS).fill(0);
    const born = {
      [Word.kind]: ALIVE,
      [Word.generation]: pidGeneration(k, pid) + 1,
      [Word.life]: life,
      [Word.dumpable]: 1,
    };
    const init = actBegin(k, 1);
    this.change("fork", words, born, () => copyProcess(k, init, 0, { pid, startTime: startOf(life) }));
    actEnd(k, init);
  }

  private exit(old: readonly number[]): void {
    const { k } = this.c;
    const changes = { [Word.kind]: ZOMBIE, [Word.dumpable]: 0, [Word.thread]: 0, [Word.file]: 0, [Word.mapped]: 0 };
    this.change("exit", old, changes, () => {
      exitGroup(k, this.task(), 0);
      return 0;
    });
  }

  private reap(old: readonly number[]): void {
    const { k } = this.c;
    this.change(
      "reap",
      old.map(() => 0),
      {},
      () => reap(k, this.task()),
    );
  }

  /** The leader alone dies if there is another thread, which execs next, or dies as well. */
  private exec(old: readonly number[]): void {
    const { k } = this.c;
    if (old[Word.thread] === 0) return this.execFrom("exec", old, this.task(), old[Word.user] as number);
    this.change("exit of a leader", old, { [Word.kind]: ZOMBIE }, () => {
      exitThread(k, this.task(), 0);
      return 0;
    });
  }

  private withDeadLeader(old: readonly number[]): void {
    const { k, random } = this.c;
    if (random.below(4) === 0) return this.thread(old);
    const thread = findTask(k, pidOf(this.track) + TID_OFFSET);
    const [user, threadUser] = [old[Word.user] as number, old[Word.threadUser] as number];
    // On the way the process is led by the thread already, with the old memory, and the dead leader has the thread's tid.
    const led = changed(old, { [Word.kind]: ALIVE, [Word.user]: threadUser, [Word.threadUser]: user });
    led[Word.ledBy] = old[Word.thread] as number;
    const released = changed(led, { [Word.thread]: 0 });
    this.execFrom("exec of a thread", released, thread, threadUser, [led, released]);
  }

  /** What execs leads the process afterwards, with the credentials that it has. */
  private execFrom(name: string, old: readonly number[], task: number, user: number, onTheWay: number[][] = []): void {
    const { k, history } = this.c;
    for (const words of onTheWay) history.publish(this.track, history.begin(), words);
    const changes = { [Word.kind]: ALIVE, [Word.user]: user, [Word.dumpable]: 1, [Word.thread]: 0, [Word.mapped]: 0 };
    this.change(name, old, changes, () => {
      execTask(k, task, execSpec(k));
      return 0;
    });
  }

  private dump(old: readonly number[]): void {
    const dumpable = 1 - (old[Word.dumpable] as number);
    this.change("prctl", old, { [Word.dumpable]: dumpable }, () => setDumpable(this.c.k, this.task(), dumpable));
  }

  private identity(old: readonly number[]): void {
    const { k } = this.c;
    const user = ++this.users;
    const { uid, gid } = idsOf(user);
    this.change("setuid", old, { [Word.user]: user, [Word.dumpable]: 0 }, () => {
      setIdentity(k, this.task(), uid, gid, []);
      return 0;
    });
  }

  private thread(old: readonly number[]): void {
    const { k } = this.c;
    const tid = pidOf(this.track) + TID_OFFSET;
    if (old[Word.thread] !== 0) {
      return this.change("exit of a thread", old, { [Word.thread]: 0 }, () => {
        exitThread(k, findTask(k, tid), 0);
        return 0;
      });
    }
    const changes = { [Word.thread]: pidGeneration(k, tid) + 1, [Word.threadUser]: old[Word.user] as number };
    this.change("clone", old, changes, () =>
      copyProcess(k, this.task(), CLONE_PTHREAD, { pid: tid, startTime: startOf(1) }),
    );
  }

  private descriptor(old: readonly number[]): void {
    const { k } = this.c;
    const files = k.m.load(this.task() + TASK.files);
    if (old[Word.file] !== 0) return this.change("close", old, { [Word.file]: 0 }, () => closeFd(k, files, FD));
    const number = ++this.opened;
    const file = fileNew(k, { kind: FileKind.pipe, flags: accessOf(number), ino: inodeOf(number) });
    this.change("open", old, { [Word.file]: number }, () => installFdAt(k, files, FD, file));
  }

  private map(old: readonly number[]): void {
    const { k, random, plan } = this.c;
    const mm = k.m.load(this.task() + TASK.mm);
    const from = old[Word.mapped] as number;
    // A split needs the whole first; the next step makes the whole again.
    const to = from === 1 && random.below(2) === 0 ? 3 : random.below(3);
    if (to === from) return;
    this.change("map", old, { [Word.mapped]: to }, () => {
      if (to === 0) return munmap(k, mm, MAP_START, MAP_PAGES * PAGE);
      if (to === 3) return mprotect(k, mm, MAP_START + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC);
      const file = plan.files[MAPPED[to]?.file ?? 0] as number;
      return mmap(k, mm, MAP_START, MAP_PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
    });
  }
}

/** O_RDONLY, O_WRONLY, O_RDWR; the mode of the link follows from it. */
function accessOf(file: number): number {
  return file % 3;
}

function inodeOf(file: number): number {
  return 1_000_000 + file;
}

const S_IFLNK = 0o120000;
const FD_MODES = [0o500, 0o300, 0o700];
const MAP_MODE = 0o400;

function rangeName(from: number, to: number): string {
  return `${(MAP_START + from * PAGE).toString(16)}-${(MAP_START + to * PAGE).toString(16)}`;
}

function linksOf(file: number, mapped: number): Map<string, Link> {
  const links = new Map<string, Link>();
  if (file !== 0) {
    links.set(`fd/${FD}`, { text: `pipe:[${inodeOf(file)}]`, mode: S_IFLNK | (FD_MODES[accessOf(file)] as number) });
  }
  const { file: which, borders } = MAPPED[mapped] as (typeof MAPPED)[number];
  for (let i = 1; i < borders.length; i++) {
    const name = `map_files/${rangeName(borders[i - 1] as number, borders[i] as number)}`;
    links.set(name, { text: FILES[which] as string, mode: S_IFLNK | MAP_MODE });
  }
  return links;
}

function decode({ from, until, words }: State): PidState {
  const word = (index: number): number => words[index] as number;
  if (word(Word.kind) === FREE) return { from, until, life: null };
  const generation = word(Word.thread);
  const life: Life = {
    generation: word(Word.generation),
    start: startOf(word(Word.life)),
    ...idsOf(word(Word.user)),
    dumpable: word(Word.kind) === ALIVE && word(Word.dumpable) === 1,
    ledBy: word(Word.ledBy) === 0 ? null : word(Word.ledBy),
    thread: generation === 0 ? null : { generation, ...idsOf(word(Word.threadUser)) },
    links: word(Word.kind) === ALIVE ? linksOf(word(Word.file), word(Word.mapped)) : new Map(),
  };
  return { from, until, life };
}

/** A node that was found, and the life that it is of. */
interface Node {
  readonly hi: number;
  readonly lo: number;
  readonly generation: number;
}

/** What a reader keeps of a pid, perhaps long after it has been given out again. */
interface Kept {
  process: Node | null;
  thread: (Node & { readonly process: number }) | null;
  descriptor: Node | null;
}

const ROOT: Node = { hi: 0, lo: 1, generation: 0 };
const CALLER: Caller = { uid: 0, gid: 0, pid: 0 };
const GONE = [-ENOENT, -ESRCH, -ESTALE];
/** A node of map_files has room for 3 bits of the generation: it tells this many lives apart. */
const MAP_GENERATIONS = 8;

type Oracle = (states: readonly PidState[]) => string | null;

class Reader {
  private readonly c: StressThread<RevalidatePlan>;
  private readonly fs: FileSystem;
  private readonly attr = new Attr();
  private readonly opened = new OpenFile();
  private readonly id = new NodeId();
  private readonly text = Buffer.alloc(4096);
  private readonly kept: Kept[] = [];
  private readonly startAtBoot: number;
  private from = 0;
  private track = 0;

  constructor(c: StressThread<RevalidatePlan>) {
    this.c = c;
    this.fs = fileSystem(c.k, tablesOf(TEST_HOST)).fs;
    this.startAtBoot = c.k.config.realtimeAtBoot;
    for (let track = 0; track < c.plan.tracks; track++)
      this.kept.push({ process: null, thread: null, descriptor: null });
  }

  step(): void {
    const { random, plan } = this.c;
    this.track = random.below(plan.tracks);
    const kept = this.kept[this.track] as Kept;
    if (kept.process === null || random.below(4) === 0) kept.process = this.findProcess();
    const { process } = kept;
    if (process === null) return;
    switch (random.below(6)) {
      case 0:
        return this.lookAgain(process);
      case 1:
        return this.status(process);
      case 2:
        return this.descriptor(process, kept);
      case 3:
        return this.mapping(process);
      case 4:
        return this.thread(process, kept);
      default:
        return this.keptNodes(kept);
    }
  }

  /** One request: true if it was answered by success, false if by "gone", null if it would have to wait. */
  private ask(request: () => number): boolean | null {
    const { c, fs } = this;
    c.k.quiescent();
    this.from = c.history.now();
    const result = request();
    if (result === WOULD_WAIT) {
      fs.endWait();
      c.count("parked");
      return null;
    }
    if (result >= 0) return true;
    if (!GONE.includes(result)) c.violation(`a request ended with ${result}`);
    return false;
  }

  /** Judges the request that was made last. */
  private judge(name: string, oracle: Oracle): void {
    const { c } = this;
    const states = c.history.possible(this.track, this.from, c.history.now());
    c.count(name);
    c.judge(states, (possible) => oracle(possible.map(decode)));
  }

  private lookup(directory: Node, name: string): boolean | null {
    return this.ask(() => this.fs.lookup(directory.hi, directory.lo, name, CALLER, this.attr));
  }

  private getattr({ hi, lo }: Node): boolean | null {
    const answered = this.ask(() => this.fs.getattr(hi, lo, 0, CALLER, this.attr));
    // Who was told once that a node is gone is told what is left of it: nobody's, since boot.
    return answered === true && this.start() === 0 ? false : answered;
  }

  private readlink({ hi, lo }: Node): string | null | undefined {
    let length = 0;
    const answered = this.ask(() => (length = this.fs.readlink(hi, lo, CALLER, this.text)));
    if (answered === null) return undefined;
    return answered ? this.text.toString("latin1", 0, length) : null;
  }

  private node(): Node {
    const { nodeHi: hi, nodeLo: lo } = this.attr;
    decodeNode(hi, lo, this.id);
    return { hi, lo, generation: this.id.generation };
  }

  private start(): number {
    return (this.attr.timeSec - this.startAtBoot) * 1e9 + this.attr.timeNsec;
  }

  private ids(): Ids {
    return { uid: this.attr.uid, gid: this.attr.gid };
  }

  private findProcess(): Node | null {
    const found = this.lookup(ROOT, String(pidOf(this.track)));
    if (found === null) return null;
    const node = found ? this.node() : null;
    const seen = node === null ? null : { generation: node.generation, start: this.start(), ...this.ids() };
    this.judge(found ? "process found" : "no process", (states) => judgeProcess(seen, ANY_LIFE, states));
    return node;
  }

  private lookAgain(process: Node): void {
    const good = this.getattr(process);
    if (good === null) return;
    const { generation } = process;
    const seen = good ? { generation, start: this.start(), ...this.ids() } : null;
    this.judge(good ? "process still good" : "process gone", (states) => judgeProcess(seen, generation, states));
  }

  /** A file or directory of the process. */
  private entry(process: Node, name: string): Node | null {
    const found = this.lookup(process, name);
    if (found === null) return null;
    const seen = found ? this.ids() : null;
    const open = (this.attr.mode & 0o777) === 0o555;
    // The owner of an open directory doesn't depend on whether the process can be dumped.
    if (!found || !open) this.judge("file", (states) => judgeFileOwner(seen, process.generation, states));
    return found ? this.node() : null;
  }

  private status(process: Node): void {
    const { fs, opened, text } = this;
    const node = this.entry(process, "status");
    if (node === null) return;
    const { generation } = process;
    const open = this.ask(() => fs.open(node.hi, node.lo, 0, CALLER, opened));
    if (open === null) return;
    if (!open) return this.judge("open of what is gone", (states) => judgeUid(null, generation, states));
    let length = 0;
    const read = this.ask(() => (length = fs.read(node.hi, node.lo, opened.handle, 0, text, CALLER)));
    const uid = read === true ? Number(/^Uid:\t(\d+)/m.exec(text.toString("latin1", 0, length))?.[1]) : null;
    if (read !== null) this.judge(read ? "status" : "status gone", (states) => judgeUid(uid, generation, states));
    fs.release(opened.handle);
  }

  private descriptor(process: Node, kept: Kept): void {
    const directory = this.entry(process, "fd");
    if (directory === null) return;
    const found = this.lookup(directory, String(FD));
    if (found === null) return;
    const seen = found ? { mode: this.attr.mode } : null;
    const { generation } = process;
    const descriptor = found ? { ...this.node(), generation } : null;
    this.judge(found ? "fd" : "no fd", (states) => judgeLink(`fd/${FD}`, seen, generation, states));
    if (descriptor === null) return;
    kept.descriptor = descriptor;
    this.linkOf(descriptor, `fd/${FD}`);
  }

  private linkOf(node: Node, name: string): void {
    const text = this.readlink(node);
    if (text === undefined) return;
    const seen = text === null ? null : { text };
    this.judge(text === null ? "link gone" : "link", (states) => judgeLink(name, seen, node.generation, states));
  }

  private mapping(process: Node): void {
    const directory = this.entry(process, "map_files");
    if (directory === null) return;
    const { random, history } = this.c;
    const [from, to] = [
      [0, MAP_PAGES],
      [0, 2],
      [2, MAP_PAGES],
    ][random.below(3)] as [number, number];
    const name = rangeName(from, to);
    const begun = history.now();
    const found = this.lookup(directory, name);
    if (found === null) return;
    const seen = found ? { mode: this.attr.mode } : null;
    const { generation } = process;
    const node = { ...this.node(), generation };
    this.judge(found ? "mapping" : "no mapping", (states) => judgeLink(`map_files/${name}`, seen, generation, states));
    if (!found) return;
    const text = this.readlink(node);
    const states = history.possible(this.track, begun, history.now());
    const lives = new Set(states?.map(({ words }) => words[Word.generation]));
    if (text === undefined || states === null || lives.size >= MAP_GENERATIONS) return;
    const start = `map_files/${name.slice(0, name.indexOf("-") + 1)}`;
    const link = text === null ? null : { text };
    this.judge(text === null ? "mapping gone" : "mapped file", (possible) =>
      judgeLink(start, link, generation, possible),
    );
  }

  private thread(process: Node, kept: Kept): void {
    const directory = this.entry(process, "task");
    if (directory === null) return;
    const found = this.lookup(directory, String(pidOf(this.track) + TID_OFFSET));
    if (found === null) return;
    const node = found ? { ...this.node(), process: process.generation } : null;
    const seen = node === null ? null : { generation: node.generation, ...this.ids() };
    this.judge(found ? "thread" : "no thread", (states) => judgeThread(seen, process.generation, ANY_LIFE, states));
    if (node !== null) kept.thread = node;
  }

  /** Nodes that were found long ago. */
  private keptNodes({ thread, descriptor }: Kept): void {
    if (thread !== null) {
      const good = this.getattr(thread);
      const { generation, process } = thread;
      const seen = good === true ? { generation, ...this.ids() } : null;
      const name = good === true ? "thread still good" : "thread gone";
      if (good !== null) this.judge(name, (states) => judgeThread(seen, process, generation, states));
    }
    if (descriptor !== null) this.linkOf(descriptor, `fd/${FD}`);
  }
}

const OUTCOMES = [
  ...["process found", "no process", "process still good", "process gone", "file", "status", "thread", "no thread"],
  ...["thread still good", "thread gone", "fd", "no fd", "link", "link gone", "mapping", "no mapping", "mapped file"],
  ...[
    "fork",
    "exit",
    "reap",
    "exec",
    "exec of a thread",
    "exit of a leader",
    "prctl",
    "setuid",
    "clone",
    "exit of a thread",
  ],
  ...["open", "close", "map"],
];

export const revalidateWorld: World<RevalidatePlan> = {
  paths: [Path.revalidate],
  history: { tracks: WRITERS * PIDS, words: WORDS, depth: 4096 },
  readers: 2,
  writers: 2,
  expected: (form) => [
    ...OUTCOMES,
    ...(form === "locked" ? [] : ["revalidate.rcuWalk"]),
    ...(form === "lockfree" ? [] : ["revalidate.refWalk"]),
  ],
  setup,
  reader: (c) => {
    c.k.t.maySleep = c.index % 2 === 0;
    const reader = new Reader(c);
    return () => reader.step();
  },
  writer: (c) => {
    const own: Writer[] = [];
    for (let i = 0; i < PIDS; i++) own.push(new Writer(c, c.index * PIDS + i));
    return () => (own[c.random.below(PIDS)] as Writer).step();
  },
  teardown,
};
