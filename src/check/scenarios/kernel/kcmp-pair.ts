/** Two processes of one owner that are compared, and the verdict on the answers: what the scenarios of kcmp share. */
import { copyProcess } from "../../../kernel/fork.ts";
import { kcmp } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { MM, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { findTask } from "../../../kernel/pid.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { State } from "../../history.ts";
import { OPEN } from "../../oracles/access.ts";
import { KnownOrder, judgeKcmp } from "../../oracles/kcmp.ts";
import type { Change, Owned } from "./exec-images.ts";
import { OWNER, accessAround, caller, countIs, execsAreOver, keepMm, makeOwned, state } from "./exec-images.ts";

/** Two processes of one owner. */
export interface Pair {
  readonly a: Owned;
  readonly b: Owned;
  /** The address space that they share, which has one more user. */
  readonly kept: Ptr;
}

/** A process and its child. @param flags CLONE_*: what they share */
export function makePair(k: Kernel, flags: number): Pair {
  const a = makeOwned(k);
  const pid = copyProcess(k, a.task, flags);
  const task = findTask(k, pid);
  const signal = k.m.load(task + TASK.signal);
  const b = { pid, task, signal, sequence: k.m.load(signal + SIGNAL.execUpdateSeq) };
  return { a, b, kept: keepMm(k, a.task) };
}

/** What the owner is told. */
export function compare(k: Kernel, one: Owned, other: Owned, type: number, fd = 0): number {
  return kcmp(k, one.pid, other.pid, type, fd, fd, caller(OWNER));
}

/** A task with its object, before it execs and, if it does, afterwards. */
export function statesOf(object: number, change: Change | null, next: number): State[] {
  if (change === null) return [state(OPEN, 1, object)];
  const [before, after] = accessAround(change);
  return [state(before, 1, object), state(after, 1, next)];
}

/** An answer about two tasks, and about which ones it was. */
interface Answer {
  readonly result: number;
  readonly first: readonly State[];
  readonly second: readonly State[];
}

/** Judges answers that must go together. */
export function judgeAnswers(answers: readonly Answer[], isFile = false): string | null {
  const order = new KnownOrder();
  for (const { result, first, second } of answers) {
    const wrong = judgeKcmp({ who: "owner", object: 0, isFile, result }, first, second, order);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Nothing that two tasks have has been lost or kept, and their execs are over. */
export function pairIsWhole(k: Kernel, { a, b, kept }: Pair, execs: readonly [number, number]): string | null {
  const { m } = k;
  const users = 1 + (m.load(a.task + TASK.mm) === kept ? 1 : 0) + (m.load(b.task + TASK.mm) === kept ? 1 : 0);
  return (
    execsAreOver(k, a, execs[0]) ??
    execsAreOver(k, b, execs[1]) ??
    countIs(k, "the first task", a.task + TASK.usage, 1) ??
    countIs(k, "the second task", b.task + TASK.usage, 1) ??
    countIs(k, "the shared address space", kept + MM.mmUsers, users)
  );
}
