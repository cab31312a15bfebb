/** Path walks into directories of processes whose pids are used again and again; what they do: see pid-lives.ts. */
import type { Ids, PidState } from "../../src/check/oracles/revalidate.ts";
import {
  ANY_LIFE,
  judgeFileOwner,
  judgeLink,
  judgeProcess,
  judgeThread,
  judgeUid,
} from "../../src/check/oracles/revalidate.ts";
import { ENOENT, ESRCH, ESTALE } from "../../src/kernel/errno.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { NodeId, decodeNode } from "../../src/proc/fs/node-id.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import type { Caller, FileSystem } from "../../src/proc/vfs.ts";
import { Attr, OpenFile, WOULD_WAIT } from "../../src/proc/vfs.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { RevalidatePlan } from "./pid-lives.ts";
import {
  FD,
  MAP_PAGES,
  PIDS,
  TID_OFFSET,
  WORDS,
  WRITERS,
  Word,
  Writer,
  decode,
  pidOf,
  rangeName,
  setup,
  teardown,
} from "./pid-lives.ts";
import type { StressThread, World } from "./world.ts";

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
