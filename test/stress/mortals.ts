/**
 * Processes that exec, fail halfway in it, end, are reaped and start again under the same pid: each is one writer's own.
 * Their images are open to their owner, and look as those of images.ts; image 0 is that of a process that has just been
 * forked. What a reader is told of one that is ending, or of another one than it has found first, is not to be judged.
 */
import { OPEN } from "../../src/check/oracles/access.ts";
import type { SharedHistory } from "../../src/check/history.ts";
import { execBegin, execFinish } from "../../src/kernel/exec.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { TASK_INTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { setRobustList } from "../../src/kernel/robust-list.ts";
import { setTaskState } from "../../src/kernel/task.ts";
import { addressesOf, endProcesses, imageSpec, makeFresh, openFile, waitKindOf } from "./images.ts";
import type { StressThread } from "./world.ts";

/** A process that dies again and again, and the one that starts it anew. */
export interface Mortal {
  readonly track: number;
  readonly pid: number;
  readonly parent: number;
}

/** Starts a process for each writer, on tracks from `first` on. */
export function makeMortals(k: Kernel, history: SharedHistory, first: number, writers: number): Mortal[] {
  const mortals: Mortal[] = [];
  for (let track = first; track < first + writers; track++) {
    const parent = makeFresh(k);
    const pid = start(k, history, track, parent, 0);
    mortals.push({ track, pid, parent: k.m.load(parent + TASK.pid) });
  }
  return mortals;
}

export function endMortals(k: Kernel, mortals: readonly Mortal[]): void {
  for (const { pid, parent } of mortals) endProcesses(k, [pid, parent]);
}

/** A copy of the parent. @param pid 0 for any */
function start(k: Kernel, history: SharedHistory, track: number, parent: number, pid: number): number {
  history.publish(track, history.begin(), [OPEN, 0, 0, 0, ...addressesOf(k, parent)]);
  const started = copyProcess(k, parent, 0, pid === 0 ? {} : { pid });
  history.end(track);
  if (started < 0) throw new Error(`a process could not be started: ${started}`);
  return started;
}

/** A writer's step. */
export function mortalWriter(c: StressThread<unknown>, { track, pid, parent }: Mortal): () => void {
  const { k, history, random } = c;
  let image = 0;
  const exec = (fails: boolean): boolean => {
    const task = findTask(k, pid);
    const begun = history.begin();
    const inFlight = execBegin(k, task, { ...imageSpec(k, ++image), failsHalfway: fails });
    k.m.store(task + TASK.personality, image);
    setTaskState(k, task, TASK_INTERRUPTIBLE, waitKindOf(image));
    setRobustList(k, task);
    openFile(k, task, image);
    history.publish(track, begun, [OPEN, 0, 0, image, ...addressesOf(k, task)]);
    const lives = execFinish(k, inFlight);
    history.end(track);
    return lives;
  };
  const again = (): void => {
    const task = findTask(k, pid);
    const count = k.m.load(k.m.load(task + TASK.signal) + SIGNAL.execUpdateSeq);
    if ((count & 1) !== 0) c.violation(`process ${pid} has ended inside of its write section: count ${count}`);
    if (reap(k, task) !== 0) throw new Error(`process ${pid} could not be reaped`);
    start(k, history, track, findTask(k, parent), pid);
  };
  return () => {
    switch (random.below(4)) {
      case 0:
        exitGroup(k, findTask(k, pid), 0);
        c.count("exit");
        return again();
      case 1:
        if (exec(true)) throw new Error(`process ${pid} has survived an exec that failed`);
        c.count("failed exec");
        return again();
      default:
        exec(false);
    }
  };
}
