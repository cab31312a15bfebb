/**
 * Processes whose image changes all the time: the writer of the exec_update family's worlds.
 *
 * Their owner is uid 1000. An image is open to the owner, or closed: set-user-ID root by exec, or not dumpable. What an
 * image looks like follows from its number: personality and wait kind, environment, an open file, a timer, and addresses of
 * its memory, so that a reader can tell which image it has seen. Whatever changes, the process also does a unit of I/O in
 * the same step, so that its counters tell one state from the next.
 */
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import type { ExecSpec } from "../../src/kernel/exec.ts";
import { execBegin, execFinish, execTask } from "../../src/kernel/exec.ts";
import { closeFd, fileNew, installFdAt } from "../../src/kernel/files.ts";
import { PF_EXITING, TASK_INTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { accountIo } from "../../src/kernel/io-accounting.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FileKind, HOST, MM, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { setRobustList } from "../../src/kernel/robust-list.ts";
import { setTaskState } from "../../src/kernel/task.ts";
import { tsync } from "../../src/kernel/tsync.ts";
import { Wait } from "../../src/kernel/wait-kinds.ts";
import { timerCreate } from "../../src/time/posix-timers.ts";
import type { Who } from "../../src/check/oracles/access.ts";
import { CLOSED, OPEN } from "../../src/check/oracles/access.ts";
import { IO_LEADER, IO_WHOLE, imageCounters } from "../../src/check/oracles/io.ts";
import type { SharedHistory } from "../../src/check/history.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { subject } from "../support/kernel.ts";
import { cloneThread, execSpec, fork } from "../support/processes.ts";
import type { StressThread } from "./world.ts";

/** Who owns the processes. */
export const OWNER = 1000;
/** Somebody else. */
export const STRANGER = 2000;
const ORDINARY = 0;
const SETUID_ROOT = 1;

/** Words of an image's state; the first three are those that the io oracle knows. */
export const Word = {
  access: 0,
  amount: IO_WHOLE,
  ofLeader: IO_LEADER,
  /** Number of the image. */
  image: 3,
  /** Two halves each. */
  startStack: 4,
  mmapBase: 6,
  robustList: 8,
  startBrk: 10,
} as const;
export const IMAGE_WORDS = 12;

/** What a read shows of an image; what it doesn't show is absent. */
export interface Seen {
  readonly amount?: number;
  readonly image?: number;
  readonly startStack?: number;
  readonly mmapBase?: number;
  readonly robustList?: number;
  readonly startBrk?: number;
}

/** What was seen, as words of a state. */
export function seenWords(seen: Seen): (number | undefined)[] {
  const words = Array<number | undefined>(IMAGE_WORDS).fill(undefined);
  words[Word.amount] = seen.amount;
  words[Word.image] = seen.image;
  for (const field of ["startStack", "mmapBase", "robustList", "startBrk"] as const) {
    const address = seen[field];
    if (address !== undefined) [words[Word[field]], words[Word[field] + 1]] = halves(address);
  }
  return words;
}

/** What the process of an image waits for; one that has just been forked runs. */
export function waitKindOf(image: number): number {
  return image === 0 ? Wait.running : ([Wait.disk, Wait.select, Wait.signal][image % 3] as number);
}

/** A descriptor that each image opens anew: the inode of its file is the number of the image. */
export const IMAGE_FD = 3;

export interface ImagePlan {
  /** Processes, one for each track from 0. */
  readonly pids: readonly number[];
}

/** The low and the high half of an address, as a state has them. */
export function halves(address: number): [number, number] {
  return [address | 0, Math.floor(address / 2 ** 32) | 0];
}

/** A process of the owner, a child of init. @returns its task */
export function makeOwned(k: Kernel): number {
  const task = fork(k, findTask(k, 1));
  setIdentity(k, task, OWNER, OWNER, []);
  execTask(k, task, execSpec(k, ORDINARY));
  return task;
}

/** A process of the owner whose copies are image 0. @returns its task */
export function makeFresh(k: Kernel): number {
  const task = makeOwned(k);
  execTask(k, task, imageSpec(k, 0));
  openFile(k, task, 0);
  return task;
}

/** Makes processes of the owner, in their first state. */
export function makeImages(k: Kernel, history: SharedHistory, count: number): ImagePlan {
  const pids: number[] = [];
  for (let track = 0; track < count; track++) {
    const task = makeOwned(k);
    changeImage(k, history, track, task, { program: ORDINARY });
    pids.push(k.m.load(task + TASK.pid));
  }
  return { pids };
}

/** Ends and reaps processes. */
export function endProcesses(k: Kernel, pids: readonly number[]): void {
  for (const pid of pids) {
    const task = findTask(k, pid);
    exitGroup(k, task, 0);
    if (reap(k, task) !== 0) throw new Error(`process ${pid} could not be reaped`);
  }
}

interface Change {
  readonly program: typeof ORDINARY | typeof SETUID_ROOT;
  readonly nonDumpable?: boolean;
  /** Another thread than the leader execs, and takes its place. */
  readonly fromThread?: boolean;
}

/** An exec that makes an image. */
export function imageSpec(k: Kernel, image: number, change: Change = { program: ORDINARY }): ExecSpec {
  const spec = execSpec(k, change.program, image);
  return { ...spec, envp: new TextEncoder().encode(`IMAGE=${image}\0`), nonDumpable: change.nonDumpable === true };
}

/**
 * One exec. A process that was set-user-ID becomes its owner again first: that makes it undumpable, so that it stays closed
 * until the exec is over. @pre the caller acts as the process, or nobody else can
 */
function changeImage(k: Kernel, history: SharedHistory, track: number, leader: number, change: Change): void {
  const [, amount = 0, ofLeader = 0, image = 0] = isFirst(k, leader) ? [] : history.newest(track);
  const next = image + 1;
  const task = change.fromThread === true ? newLeader(k, history, track, leader) : leader;
  if (change.program === ORDINARY) setIdentity(k, task, OWNER, OWNER, []);
  const begun = history.begin();
  const exec = execBegin(k, task, imageSpec(k, next, change));
  if (task !== leader) history.end(track);
  k.m.store(task + TASK.personality, next);
  setTaskState(k, task, TASK_INTERRUPTIBLE, waitKindOf(next));
  setRobustList(k, task);
  openFile(k, task, next);
  account(k, task);
  const access = change.program === ORDINARY && change.nonDumpable !== true ? OPEN : CLOSED;
  const own = task === leader ? ofLeader + 1 : 1;
  history.publish(track, begun, [access, amount + 1, own, next, ...addressesOf(k, task)]);
  if (next % SLOW_EXECS === 0) k.m.wait(HOST.parkWord, k.m.load(HOST.parkWord), SLOW_MS);
  execFinish(k, exec);
  if (timerCreate(k, task, { clock: 0, signo: 14, value: next, notify: 0, notifyPid: 1 }) < 0) throw new Error("timer");
  history.end(track);
}

/**
 * A thread that is going to exec: it leads the process from some moment before the write section on, when all it has of its
 * own is its I/O and its list of robust futexes. The change ends when the old leader is gone.
 */
function newLeader(k: Kernel, history: SharedHistory, track: number, leader: number): number {
  const begun = history.begin();
  const [access, amount, , image] = history.newest(track) as [number, number, number, number];
  const thread = cloneThread(k, leader);
  setTaskState(k, thread, TASK_INTERRUPTIBLE, waitKindOf(image));
  history.publish(track, begun, [access, amount, 0, image, ...addressesOf(k, thread)]);
  return thread;
}

/** One of so many execs takes its time while readers wait. */
const SLOW_EXECS = 50;
const SLOW_MS = 2;

/** The words of a task's addresses, in the order of a state. */
export function addressesOf(k: Kernel, task: number): number[] {
  const { m } = k;
  const mm = m.load(task + TASK.mm);
  const ofMm = [m.load64(mm + MM.startStack), m.load64(mm + MM.mmapBase)];
  const addresses = [...ofMm, m.load64(task + TASK.robustList), m.load64(mm + MM.startBrk)];
  return addresses.flatMap((address) => halves(address));
}

/** Opens the file that shows a task's image. */
export function openFile(k: Kernel, task: number, image: number): void {
  const files = k.m.load(task + TASK.files);
  closeFd(k, files, IMAGE_FD);
  const file = fileNew(k, { kind: FileKind.socket, flags: 2, ino: image });
  if (installFdAt(k, files, IMAGE_FD, file) !== IMAGE_FD) throw new Error("the image's file could not be opened");
}

/** True for a process that has not exec'ed yet: it has no state. */
function isFirst(k: Kernel, task: number): boolean {
  return k.m.load(task + TASK.personality) === 0;
}

function account(k: Kernel, task: number): void {
  const [rchar, wchar, syscr, syscw, readBytes, writeBytes] = imageCounters(1);
  accountIo(k, task, { rchar, wchar, syscr, syscw, readBytes, writeBytes });
}

/**
 * True if the task that a reader found still leads its process and lives: while another thread execs, the old leader dies
 * before it is replaced, and what it shows then is a dead task's.
 */
export function stillLeads(k: Kernel, pid: number, task: number): boolean {
  return findTask(k, pid) === task && (k.m.load(task + TASK.flags) & PF_EXITING) === 0;
}

/** A writer's step: acts as one of the processes. */
export function imageWriter(c: StressThread<ImagePlan>): () => void {
  const { k, plan, history, random } = c;
  return () => {
    const track = random.below(plan.pids.length);
    const task = actBegin(k, plan.pids[track] as number);
    if (task < 0) throw new Error(`nobody can act as process ${plan.pids[track]}: ${task}`);
    act(c, history, track, task);
    actEnd(k, task);
  };
}

function act(c: StressThread<ImagePlan>, history: SharedHistory, track: number, task: number): void {
  const { k, random } = c;
  const closed = history.newest(track)[Word.access] === CLOSED;
  switch (random.below(8)) {
    case 0:
      return tsync(k, task);
    case 1:
    case 2:
      return accountOnly(k, history, track, task);
    case 3:
      return changeImage(k, history, track, task, { program: ORDINARY, nonDumpable: true });
    case 4:
      return changeImage(k, history, track, task, { program: ORDINARY, fromThread: true });
    default:
      return changeImage(k, history, track, task, {
        program: closed ? ORDINARY : SETUID_ROOT,
        fromThread: random.below(4) === 0,
      });
  }
}

/** I/O and nothing else. */
function accountOnly(k: Kernel, history: SharedHistory, track: number, task: number): void {
  const begun = history.begin();
  const [access, amount, ofLeader, ...image] = history.newest(track) as [number, number, number, ...number[]];
  history.publish(track, begun, [access, amount + 1, ofLeader + 1, ...image]);
  account(k, task);
  history.end(track);
}

/**
 * A caller whose credentials sometimes take a while to be had, as those of a real caller do: access checks lie between the
 * two looks at a sequence count, so that a writer often comes between.
 */
class SlowSubject implements Subject {
  readonly gid: number;
  private readonly c: StressThread<unknown>;
  private readonly ids: Subject;

  constructor(c: StressThread<unknown>, uid: number) {
    this.c = c;
    this.ids = subject(uid);
    this.gid = uid;
  }

  get uid(): number {
    const { k, random } = this.c;
    if (random.below(8) === 0) for (let i = random.below(20_000); i > 0; i--) k.m.load(0);
    return this.ids.uid;
  }

  tgid(): number {
    return 0;
  }

  capable(capability: number): boolean {
    return this.ids.capable(capability);
  }

  inGroup(gid: number): boolean {
    return this.ids.inGroup(gid);
  }

  covers(low: number, high: number, effective: boolean): boolean {
    return this.ids.covers(low, high, effective);
  }
}

export interface Caller {
  readonly who: Who;
  readonly subject: Subject;
}

/** Who reads, in a thread: mostly the owner, whose answer changes. */
export function callers(c: StressThread<unknown>): () => Caller {
  const owner: Caller = { who: "owner", subject: new SlowSubject(c, OWNER) };
  const stranger: Caller = { who: "stranger", subject: new SlowSubject(c, STRANGER) };
  const root: Caller = { who: "root", subject: new SlowSubject(c, 0) };
  return () => [stranger, root][c.random.below(16)] ?? owner;
}
