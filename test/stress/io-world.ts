/**
 * /proc/<pid>/io: processes that exec, and groups in which writers start threads, do I/O in them and end them. Even
 * readers are threads that may sleep, odd ones serve requests and must not.
 */
import {
  IO_LEADER,
  IO_WHOLE,
  judgeGroupIo,
  judgeImageIo,
  GROUP_WRITERS,
  groupCounters,
} from "../../src/check/oracles/io.ts";
import type { Counters } from "../../src/check/oracles/io.ts";
import type { State } from "../../src/check/history.ts";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { ESRCH } from "../../src/kernel/errno.ts";
import { exitThread } from "../../src/kernel/exit.ts";
import { CLONE_PTHREAD } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { IoSnapshot, accountIo, doIoAccounting } from "../../src/kernel/io-accounting.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { subject } from "../support/kernel.ts";
import { attempt, prepare } from "./attempt.ts";
import type { Caller, ImagePlan } from "./images.ts";
import { IMAGE_WORDS, OWNER, endProcesses, makeOwned, imageWriter, makeImages, stillLeads, callers } from "./images.ts";
import { execUpdateEvents } from "./world.ts";
import type { StressThread, World } from "./world.ts";

const IMAGES = 2;

interface IoPlan extends ImagePlan {
  /** A process whose threads the writers start and end. */
  readonly group: number;
  readonly writers: number;
}

/** The track of a writer's share in the group. */
function shareTrack(writer: number): number {
  return IMAGES + writer;
}

/** A share's state: the units that the writer has counted; the other words mean nothing. */
function shareState(amount: number): number[] {
  return [amount, ...Array<number>(IMAGE_WORDS - 1).fill(0)];
}

function setup(k: Kernel, history: StressThread<IoPlan>["history"], writers: number): IoPlan {
  const images = makeImages(k, history, IMAGES);
  const group = makeOwned(k);
  for (let writer = 0; writer < writers; writer++) {
    history.publish(shareTrack(writer), history.begin(), shareState(0));
    history.end(shareTrack(writer));
  }
  return { ...images, group: k.m.load(group + TASK.pid), writers };
}

/** Threads of this writer in the group, and how the group's I/O goes on. */
class Share {
  private readonly c: StressThread<IoPlan>;
  private thread = 0;
  private amount = 0;

  constructor(c: StressThread<IoPlan>) {
    this.c = c;
  }

  step(): void {
    const { c } = this;
    if (this.thread === 0) this.start();
    for (let i = c.random.below(4); i >= 0; i--) this.account();
    if (c.random.below(3) === 0) this.end();
  }

  /** The thread lives until this writer ends it, so its I/O needs no right to act. */
  private account(): void {
    const { k, history, index } = this.c;
    const units = 1 + this.c.random.below(3);
    const [rchar, wchar, syscr, syscw, readBytes, writeBytes] = groupCounters(index).map((one) => one * units) as [
      ...Counters,
    ];
    const track = shareTrack(index);
    history.publish(track, history.begin(), shareState((this.amount += units)));
    accountIo(k, findTask(k, this.thread), { rchar, wchar, syscr, syscw, readBytes, writeBytes });
    history.end(track);
  }

  private start(): void {
    this.act((task) => {
      this.thread = copyProcess(this.c.k, task, CLONE_PTHREAD);
      if (this.thread < 0) throw new Error(`clone: ${this.thread}`);
    });
  }

  /** The sum stays what it was. */
  private end(): void {
    this.act(() => exitThread(this.c.k, findTask(this.c.k, this.thread), 0));
    this.thread = 0;
  }

  private act(what: (task: number) => void): void {
    const { k, plan } = this.c;
    const task = actBegin(k, plan.group);
    if (task < 0) throw new Error(`nobody can act as the group: ${task}`);
    what(task);
    actEnd(k, task);
  }
}

function writer(c: StressThread<IoPlan>): () => void {
  const change = imageWriter(c);
  const share = new Share(c);
  return () => {
    change();
    share.step();
  };
}

function countersOf(s: IoSnapshot): Counters {
  return [s.rchar, s.wchar, s.syscr, s.syscw, s.readBytes, s.writeBytes, s.cancelledWriteBytes];
}

function reader(c: StressThread<IoPlan>): () => void {
  prepare(c, c.index % 2 === 0);
  const out = new IoSnapshot();
  const someone = callers(c);
  const owner = subject(OWNER);
  return () => {
    readImage(c, someone(), out);
    readGroup(c, owner, out);
  };
}

function readImage(c: StressThread<IoPlan>, { who, subject }: Caller, out: IoSnapshot): void {
  const { k, plan, history, random } = c;
  const track = random.below(plan.pids.length);
  const whole = random.below(2) === 0;
  const pid = plan.pids[track] as number;
  let from = 0;
  let task = 0;
  const error = attempt(c, () => {
    from = history.now();
    task = findTask(k, pid);
    return doIoAccounting(k, task, whole, subject, out);
  });
  const to = history.now();
  if (error === null) return;
  if (!stillLeads(k, pid, task) && (!whole || error === -ESRCH)) return c.count("another leader");
  c.count(error === 0 ? "allowed" : "denied");
  const read = { who, error, counters: countersOf(out) };
  c.judge(history.possible(track, from, to), (states) => judgeImageIo(read, whole ? IO_WHOLE : IO_LEADER, states));
}

function readGroup(c: StressThread<IoPlan>, owner: Subject, out: IoSnapshot): void {
  const { k, plan, history } = c;
  let from = 0;
  const error = attempt(c, () => {
    from = history.now();
    return doIoAccounting(k, findTask(k, plan.group), true, owner, out);
  });
  const to = history.now();
  if (error === null) return;
  c.count("groups");
  const tracks: State[][] = [];
  for (let writer = 0; writer < plan.writers; writer++) {
    const states = history.possible(shareTrack(writer), from, to);
    if (states === null) return c.judge(null, () => null);
    tracks.push(states);
  }
  c.judge([], () => judgeGroupIo({ who: "owner", error, counters: countersOf(out) }, tracks));
}

export const ioWorld: World<IoPlan> = {
  paths: [Path.io],
  history: { tracks: IMAGES + GROUP_WRITERS, words: IMAGE_WORDS, depth: 4096 },
  readers: 3,
  writers: 2,
  expected: (form) => ["allowed", "denied", "groups", ...execUpdateEvents(["io"], form)],
  setup,
  reader,
  writer,
  teardown: (k, plan) => endProcesses(k, [plan.group, ...plan.pids]),
};
