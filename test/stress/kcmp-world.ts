/**
 * kcmp among pairs of processes: the two of a pair share everything until one execs; the second one also ends, is reaped,
 * and is made again under its old pid. All readers but one are threads that may sleep: two of them could wait for
 * each other.
 */
import type { State } from "../../src/check/history.ts";
import { CLOSED, OPEN } from "../../src/check/oracles/access.ts";
import { FIRST_OBJECT, KnownOrder, UNKNOWN, judgeKcmp } from "../../src/check/oracles/kcmp.ts";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { execBegin, execFinish } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { closeFd, fdLookup, fileNew, installFdAt } from "../../src/kernel/files.ts";
import { CLONE_FILES, CLONE_FS, CLONE_IO, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_VM } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { FILES, FileKind, SIGHAND, TASK, TOKEN } from "../../src/kernel/layout.ts";
import { findTask, pidGeneration } from "../../src/kernel/pid.ts";
import { execSpec } from "../support/processes.ts";
import { attempt, prepare } from "./attempt.ts";
import { OWNER, callers, endProcesses, makeOwned } from "./images.ts";
import type { Caller } from "./images.ts";
import { execUpdateEvents } from "./world.ts";
import type { StressThread, World } from "./world.ts";

const PAIRS = 2;
/** A descriptor that each image opens anew. */
const FD = 3;
const SHARE_ALL = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_IO | CLONE_SYSVSEM;

/** What is compared: the type, and the field that holds the object; the file of a descriptor has none. */
const OBJECTS = [
  { type: KcmpType.VM, field: TASK.mm },
  { type: KcmpType.FILES, field: TASK.files },
  { type: KcmpType.FS, field: TASK.fs },
  { type: KcmpType.SIGHAND, field: TASK.sighand },
  { type: KcmpType.IO, field: TASK.ioContext },
  { type: KcmpType.SYSVSEM, field: TASK.sysvsemUndo },
  { type: KcmpType.FILE, field: 0 },
] as const;
const FILES_OBJECT = 1;
const SIGHAND_OBJECT = 3;
const FILE_OBJECT = 6;
const WORDS = FIRST_OBJECT + OBJECTS.length;

/** The first process of a pair is `pids[2 * pair]`, the second the one after it; tracks have the same numbers. */
interface KcmpPlan {
  readonly pids: readonly number[];
}

type History = StressThread<KcmpPlan>["history"];

/** A task as it is, all objects known. */
function stateOf(k: Kernel, task: number, access: number): number[] {
  const objects = OBJECTS.map(({ field }) => (field === 0 ? fdLookup(k, task, FD) : k.m.load(task + field)));
  return [access, 1, ...objects];
}

/** A state of a task that holds nothing any more. */
function gone(exists: 0 | 1, sighand: number): number[] {
  const words = [OPEN, exists, ...Array<number>(OBJECTS.length).fill(0)];
  words[FIRST_OBJECT + SIGHAND_OBJECT] = sighand;
  return words;
}

/** Says what holds from now on, where nothing changes but what is known. */
function note(history: History, track: number, words: readonly number[]): void {
  history.publish(track, history.begin(), words);
  history.end(track);
}

function setup(k: Kernel, history: History): KcmpPlan {
  const pids: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const task = makeOwned(k);
    const token = k.slab.alloc(Cache.token);
    k.m.store(token + TOKEN.count, 1);
    k.m.store(task + TASK.ioContext, token);
    openFile(k, task);
    const pid = copyProcess(k, task, SHARE_ALL);
    note(history, 2 * pair, stateOf(k, task, OPEN));
    note(history, 2 * pair + 1, stateOf(k, findTask(k, pid), OPEN));
    pids.push(k.m.load(task + TASK.pid), pid);
  }
  return { pids };
}

function openFile(k: Kernel, task: number): void {
  const files = k.m.load(task + TASK.files);
  closeFd(k, files, FD);
  const file = fileNew(k, { kind: FileKind.socket, flags: 2 });
  if (installFdAt(k, files, FD, file) !== FD) throw new Error("the file could not be opened");
}

/** Who acts as the first process of a pair acts for both. */
function writer(c: StressThread<KcmpPlan>): () => void {
  const { k, plan, history, random } = c;
  return () => {
    const pair = 2 * random.below(PAIRS);
    const first = actBegin(k, plan.pids[pair] as number);
    if (first < 0) throw new Error(`nobody can act as process ${plan.pids[pair]}: ${first}`);
    const bothOpen = [pair, pair + 1].every((track) => history.newest(track)[0] === OPEN);
    const privileged = random.below(2) === 0;
    if (!bothOpen || random.below(2) === 0) exec(c, pair + random.below(2), privileged);
    else makeAgain(c, pair, first);
    actEnd(k, first);
  };
}

/** What is shared with others before an exec gets another address somewhere on the way. */
function exec(c: StressThread<KcmpPlan>, track: number, privileged: boolean): void {
  const { k, plan, history } = c;
  const task = findTask(k, plan.pids[track] as number);
  const ordinary = history.newest(track)[0] === CLOSED || !privileged;
  if (ordinary) setIdentity(k, task, OWNER, OWNER, []);
  const sharedSighand = k.m.load(k.m.load(task + TASK.sighand) + SIGHAND.count) > 1;
  if (k.m.load(k.m.load(task + TASK.files) + FILES.count) > 1) {
    const words = [...history.newest(track)];
    words[FIRST_OBJECT + FILES_OBJECT] = UNKNOWN;
    note(history, track, words);
  }
  const begun = history.begin();
  const inFlight = execBegin(k, task, execSpec(k, ordinary ? 0 : 1, begun));
  openFile(k, task);
  const words = stateOf(k, task, ordinary ? OPEN : CLOSED);
  if (sharedSighand) words[FIRST_OBJECT + SIGHAND_OBJECT] = UNKNOWN;
  history.publish(track, begun, words);
  execFinish(k, inFlight);
  history.end(track);
  note(history, track, stateOf(k, task, ordinary ? OPEN : CLOSED));
}

/** The second process of a pair ends, is reaped, and starts again with all that the first one has. */
function makeAgain(c: StressThread<KcmpPlan>, pair: number, first: number): void {
  const { k, plan, history } = c;
  const track = pair + 1;
  const pid = plan.pids[track] as number;
  const task = findTask(k, pid);
  let begun = history.begin();
  history.publish(track, begun, gone(1, k.m.load(task + TASK.sighand)));
  exitGroup(k, task, 0);
  history.end(track);
  begun = history.begin();
  history.publish(track, begun, gone(0, 0));
  if (reap(k, task) !== 0) throw new Error(`process ${pid} could not be reaped`);
  history.end(track);
  begun = history.begin();
  history.publish(track, begun, stateOf(k, first, OPEN));
  if (copyProcess(k, first, SHARE_ALL, { pid }) !== pid) throw new Error(`process ${pid} could not be made again`);
  history.end(track);
}

function partnerOf(track: number): number {
  return track % 2 === 0 ? track + 1 : track - 1;
}

function reader(c: StressThread<KcmpPlan>): () => void {
  prepare(c, c.index !== 1);
  const someone = callers(c);
  const order = new KnownOrder();
  return () => {
    const a = c.random.below(2 * PAIRS);
    const other = (a + 1 + c.random.below(2 * PAIRS - 1)) % (2 * PAIRS);
    compare(c, a, c.random.below(2) === 0 ? partnerOf(a) : other, someone(), order);
  };
}

/** Of a process that was replaced, a reader may have held the old one all the time, which has nothing any more. */
const DEAD: State = { index: -1, from: 0, until: Infinity, words: gone(0, 0) };

function compare(c: StressThread<KcmpPlan>, a: number, b: number, { who, subject }: Caller, order: KnownOrder): void {
  const { k, plan, history, random } = c;
  const object = random.below(OBJECTS.length);
  const { type } = OBJECTS[object] as (typeof OBJECTS)[number];
  const [pid1, pid2] = [plan.pids[a] as number, plan.pids[b] as number];
  let from = 0;
  let before: readonly number[] = [];
  const generations = (): number[] => [pidGeneration(k, pid1), pidGeneration(k, pid2)];
  const result = attempt(c, () => {
    from = history.now();
    before = generations();
    return kcmp(k, pid1, pid2, type, FD, FD, subject);
  });
  const after = generations();
  const to = history.now();
  if (result === null) return;
  count(c, result);
  const first = history.possible(a, from, to);
  const second = history.possible(b, from, to);
  if (first === null || second === null) return c.judge(null, () => null);
  if (after[0] !== before[0]) first.push(DEAD);
  if (after[1] !== before[1]) second.push(DEAD);
  const read = { who, object, isFile: object === FILE_OBJECT, result };
  c.judge([], () => judgeKcmp(read, first, second, order));
}

function count(c: StressThread<unknown>, result: number): void {
  const names: Record<number, string> = {
    0: "equal",
    1: "less",
    2: "greater",
    [-1]: "denied",
    [-3]: "no task",
    [-9]: "no file",
  };
  c.count(names[result] ?? `errno ${-result}`);
}

export const kcmpWorld: World<KcmpPlan> = {
  paths: [Path.kcmp],
  history: { tracks: 2 * PAIRS, words: WORDS, depth: 4096 },
  readers: 4,
  writers: 2,
  expected: (form) => ["equal", "less", "greater", "denied", "no task", ...execUpdateEvents(["kcmp"], form)],
  setup,
  reader,
  writer,
  teardown: (k, { pids }) => endProcesses(k, pids.toReversed()),
};
