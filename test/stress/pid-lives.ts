/**
 * Processes that are born, change their user, start and end a thread, exec from it, open, map, die and are reaped, a few
 * pids again and again: the writer of the world of path walks. A writer has pids of his own.
 *
 * What a state looks like in the history: see {@link Word}. All that shows follows from it.
 */
import type { SharedHistory, State } from "../../src/check/history.ts";
import type { Ids, Life, Link, PidState } from "../../src/check/oracles/revalidate.ts";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { execTask } from "../../src/kernel/exec.ts";
import { exitGroup, exitThread, reap } from "../../src/kernel/exit.ts";
import { closeFd, fileNew, installFdAt } from "../../src/kernel/files.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setDumpable, setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FileKind, HOST, TASK } from "../../src/kernel/layout.ts";
import { pathNew, pathPut } from "../../src/kernel/path.ts";
import { findTask, pidGeneration } from "../../src/kernel/pid.ts";
import { MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ } from "../../src/mm/flags.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { lockrefCount } from "../../src/sync/lockref.ts";
import { execSpec } from "../support/processes.ts";
import type { StressThread } from "./world.ts";

/** The most that a run can have. */
export const WRITERS = 4;
/** Pids of each writer; each is a track of its own. */
export const PIDS = 2;
const FIRST_PID = 5000;
/** The thread of process P has tid P + this. */
export const TID_OFFSET = 100;
export const FD = 7;
const PAGE = 4096;
const MAP_START = 0x10000000;
export const MAP_PAGES = 4;

/** Words of a state. */
export const Word = {
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
export const WORDS = 10;
const [FREE, ALIVE, ZOMBIE] = [0, 1, 2];

/** What can be mapped: for each of the files, or for none, the borders of the mappings in pages. */
const MAPPED: readonly { readonly file: number; readonly borders: readonly number[] }[] = [
  { file: 0, borders: [0] },
  { file: 0, borders: [0, MAP_PAGES] },
  { file: 1, borders: [0, MAP_PAGES] },
  { file: 0, borders: [0, 2, MAP_PAGES] },
];
const FILES = ["/first", "/second"];

export interface RevalidatePlan {
  readonly files: readonly number[];
  readonly tracks: number;
}

export function pidOf(track: number): number {
  return FIRST_PID + track;
}

function idsOf(user: number): Ids {
  return user === 0 ? { uid: 0, gid: 0 } : { uid: 1000 + user, gid: 2_000_000 + user };
}

/** Nanoseconds; no life starts at boot. */
function startOf(life: number): number {
  return life * 1000;
}

export function setup(k: Kernel, history: SharedHistory, writers: number): RevalidatePlan {
  const tracks = writers * PIDS;
  for (let track = 0; track < tracks; track++) {
    history.publish(track, history.begin(), Array<number>(WORDS).fill(0));
    history.end(track);
  }
  return { files: FILES.map((name) => pathNew(k, { name })), tracks };
}

export function teardown(k: Kernel, { files, tracks }: RevalidatePlan): void {
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
export class Writer {
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

export function rangeName(from: number, to: number): string {
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

/** What a state of the history says, for the oracle. */
export function decode({ from, until, words }: State): PidState {
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
