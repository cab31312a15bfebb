/** kcmp: two tasks, each of which may exec meanwhile. */
import { ESRCH } from "../../../kernel/errno.ts";
import type { ExecPrepared } from "../../../kernel/exec.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup, reap } from "../../../kernel/exit.ts";
import { closeFd, fdLookup, fileNew, installFdAt } from "../../../kernel/files.ts";
import { CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_VM } from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import { KcmpType } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { CRED, FILE, FILES, FileKind, MM, SIGHAND, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { endWait } from "../../../kernel/lock-wait.ts";
import { findTask } from "../../../kernel/pid.ts";
import { tsyncBegin, tsyncFinish } from "../../../kernel/tsync.ts";
import { WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { CLOSED, OPEN } from "../../oracles/access.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Change } from "./exec-images.ts";
import { compare, judgeAnswers, makePair, pairIsWhole, statesOf } from "./kcmp-pair.ts";
import { countIs, execsAreOver, keepMm, makeOwned, prepareExec, state, takeOver } from "./exec-images.ts";

function finishExec(k: Kernel, exec: ExecPrepared): boolean {
  return execFinish(k, execCommit(k, takeOver(k, exec)));
}

/** One comparison of address spaces, and an exec of the first or the second task. */
function againstExec(name: string, about: string, which: "a" | "b", change: Change): Scenario {
  return scenario({
    name: `kcmp/${name}`,
    about,
    paths: [Path.kcmp],
    quick: true,
    setup: (k) => {
      const pair = makePair(k, CLONE_VM);
      return { pair, exec: prepareExec(k, pair[which].task, change) };
    },
    threads: {
      reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.VM),
      exec: (k, { exec }): boolean => finishExec(k, exec),
    },
    check: (k, { pair, exec }, { reader }) => {
      const first = statesOf(pair.kept, which === "a" ? change : null, exec.mm);
      const second = statesOf(pair.kept, which === "b" ? change : null, exec.mm);
      return (
        judgeAnswers([{ result: reader, first, second }]) ??
        pairIsWhole(k, pair, which === "a" ? [1, 0] : [0, 1]) ??
        countIs(k, "the new address space", exec.mm + MM.mmUsers, 1)
      );
    },
  });
}

const NEVER = "the owner never compares with what he may not see";

export const execFirst = againstExec(
  "exec-first",
  `a comparison and a set-user-ID exec of the first task: ${NEVER}`,
  "a",
  { setuid: true },
);

export const execSecond = againstExec(
  "exec-second",
  `a comparison and a set-user-ID exec of the second task: ${NEVER}`,
  "b",
  { setuid: true },
);

export const execOrdinary = againstExec("exec-ordinary", "a comparison and an exec of the first task", "a", {});

export const execOpens = scenario({
  name: "kcmp/exec-opens",
  about: "a comparison with what the owner may not see, and an exec that lets him: nothing of the old image shows",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => {
    const pair = makePair(k, CLONE_FILES);
    k.m.store(pair.kept + MM.dumpable, 0);
    return { pair, old: k.m.load(pair.a.task + TASK.files), exec: prepareExec(k, pair.a.task) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.FILES),
    exec: (k, { exec }): boolean => finishExec(k, exec),
  },
  check: (k, { pair, old }, { reader }) => {
    const next = k.m.load(pair.a.task + TASK.files);
    if (next === old) return "the descriptors are still shared";
    // The first task gets a table of its own before the write section begins.
    const first = [...statesOf(old, { opens: true }, next), state(CLOSED, 1, next)];
    return (
      judgeAnswers([{ result: reader, first, second: statesOf(old, null, 0) }]) ??
      pairIsWhole(k, pair, [1, 0]) ??
      countIs(k, "the old descriptors", old + FILES.count, 1) ??
      countIs(k, "the new descriptors", next + FILES.count, 1)
    );
  },
});

export const execBoth = scenario({
  name: "kcmp/exec-both",
  about: `a comparison, a set-user-ID exec of one task and an exec of the other: ${NEVER}`,
  paths: [Path.kcmp],
  setup: (k) => {
    const pair = makePair(k, CLONE_VM);
    const first = prepareExec(k, pair.a.task, { setuid: true });
    return { pair, first, second: prepareExec(k, pair.b.task, {}, 3) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.VM),
    first: (k, { first }): boolean => finishExec(k, first),
    second: (k, { second }): boolean => finishExec(k, second),
  },
  check: (k, { pair, first, second }, { reader }) =>
    judgeAnswers([
      {
        result: reader,
        first: statesOf(pair.kept, { setuid: true }, first.mm),
        second: statesOf(pair.kept, {}, second.mm),
      },
    ]) ?? pairIsWhole(k, pair, [1, 1]),
});

export const opposite = scenario({
  name: "kcmp/opposite",
  about: "two comparisons of the same tasks the other way round, and a writer at each: nobody waits for good",
  paths: [Path.kcmp],
  // Four threads that contend for two locks: what is to be found needs two preemptions.
  extent: { kind: "bounded", preemptions: 2 },
  setup: (k) => ({ pair: makePair(k, CLONE_VM) }),
  threads: {
    forth: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.VM),
    back: (k, { pair: { a, b } }): number => compare(k, b, a, KcmpType.VM),
    first: (k, { pair: { a } }): boolean => tsyncFinish(k, tsyncBegin(k, a.task)),
    second: (k, { pair: { b } }): boolean => tsyncFinish(k, tsyncBegin(k, b.task)),
  },
  check: (k, { pair }, { forth, back }) =>
    (forth === 0 && back === 0 ? null : `the answers are ${forth} and ${back}`) ??
    pairIsWhole(k, pair, [1, 1]) ??
    countIs(k, "the credentials", k.m.load(pair.a.task + TASK.cred) + CRED.usage, 1),
});

export const antisymmetric = scenario({
  name: "kcmp/antisymmetric",
  about: "two tasks are compared both ways while one execs: what is less one way is greater the other",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => {
    const pair = makePair(k, CLONE_VM);
    return { pair, exec: prepareExec(k, pair.a.task) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): [number, number] => [compare(k, a, b, KcmpType.VM), compare(k, b, a, KcmpType.VM)],
    exec: (k, { exec }): boolean => finishExec(k, exec),
  },
  check: (k, { pair, exec }, { reader: [forth, back] }) => {
    const { a, b, kept } = pair;
    const states = [statesOf(kept, {}, exec.mm), statesOf(kept, null, 0)] as const;
    const after = [[state(OPEN, 1, exec.mm)], [state(OPEN, 1, kept)]] as const;
    if (forth !== 0 && back === 0) return "the tasks were different, and are the same again";
    return (
      judgeAnswers([
        { result: compare(k, a, b, KcmpType.VM), first: after[0], second: after[1] },
        { result: compare(k, b, a, KcmpType.VM), first: after[1], second: after[0] },
        { result: forth, first: forth === 0 ? states[0] : after[0], second: after[1] },
        { result: back, first: after[1], second: back === 0 ? states[0] : after[0] },
      ]) ?? pairIsWhole(k, pair, [1, 0])
    );
  },
});

const FD = 3;

export const file = scenario({
  name: "kcmp/file",
  about: "a comparison of files, and a set-user-ID exec that closes one of them and opens another",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => {
    const a = makeOwned(k);
    const files = k.m.load(a.task + TASK.files);
    const old = fileNew(k, { kind: FileKind.socket, flags: 2, ino: 100 });
    if (installFdAt(k, files, FD, old, true) !== FD) throw new Error("the file could not be opened");
    const pid = copyProcess(k, a.task, 0);
    const task = findTask(k, pid);
    const b = { pid, task, signal: k.m.load(task + TASK.signal), sequence: 0 };
    return { pair: { a, b, kept: keepMm(k, a.task) }, old, exec: prepareExec(k, a.task, { setuid: true }) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.FILE, FD),
    exec: (k, { pair: { a }, exec }): void => {
      const flight = execCommit(k, takeOver(k, exec));
      const files = k.m.load(a.task + TASK.files);
      closeFd(k, files, FD);
      installFdAt(k, files, FD, fileNew(k, { kind: FileKind.socket, flags: 2, ino: 200 }));
      execFinish(k, flight);
    },
  },
  check: (k, { pair, old }, { reader }) => {
    const next = fdLookup(k, pair.a.task, FD);
    return (
      judgeAnswers(
        [{ result: reader, first: statesOf(old, { setuid: true }, next), second: statesOf(old, null, 0) }],
        true,
      ) ??
      pairIsWhole(k, pair, [1, 0]) ??
      countIs(k, "the old file", old + FILE.count, 1) ??
      countIs(k, "the new file", next + FILE.count, 1)
    );
  },
});

export const handlers = scenario({
  name: "kcmp/handlers",
  about: "a comparison of signal handlers, which an exec stops to share inside of its write section",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => {
    const pair = makePair(k, CLONE_VM | CLONE_SIGHAND | CLONE_FS);
    return { pair, old: k.m.load(pair.a.task + TASK.sighand), exec: prepareExec(k, pair.b.task, { setuid: true }) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.SIGHAND),
    exec: (k, { exec }): boolean => finishExec(k, exec),
  },
  check: (k, { pair, old }, { reader }) => {
    const next = k.m.load(pair.b.task + TASK.sighand);
    return (
      judgeAnswers([
        { result: reader, first: statesOf(old, null, 0), second: statesOf(old, { setuid: true }, next) },
      ]) ??
      pairIsWhole(k, pair, [0, 1]) ??
      countIs(k, "the old handlers", old + SIGHAND.count, 1) ??
      countIs(k, "the new handlers", next + SIGHAND.count, 1)
    );
  },
});

export const parked = scenario({
  name: "kcmp/parked",
  about: "a comparison by a thread that must not sleep, and execs of both tasks: it gives up and holds nothing",
  paths: [Path.kcmp],
  setup: (k) => {
    const pair = makePair(k, CLONE_VM);
    const first = prepareExec(k, pair.a.task, { setuid: true });
    return { pair, first, second: prepareExec(k, pair.b.task, { setuid: true }, 3) };
  },
  threads: {
    reader: (k, { pair: { a, b } }): number => {
      k.t.maySleep = false;
      const result = compare(k, a, b, KcmpType.VM);
      endWait(k);
      k.t.maySleep = true;
      return result;
    },
    first: (k, { first }): boolean => finishExec(k, first),
    second: (k, { second }): boolean => finishExec(k, second),
  },
  check: (k, { pair, first, second }, { reader }) => {
    const change = { setuid: true };
    const states = [statesOf(pair.kept, change, first.mm), statesOf(pair.kept, change, second.mm)] as const;
    const parks = reader === WAIT_WOULD_BLOCK;
    return (
      (parks ? null : judgeAnswers([{ result: reader, first: states[0], second: states[1] }])) ??
      pairIsWhole(k, pair, [1, 1])
    );
  },
});

export const exit = scenario({
  name: "kcmp/exit",
  about: "a comparison of two tasks, the second of which ends and is reaped",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => ({ pair: makePair(k, CLONE_VM) }),
  threads: {
    reader: (k, { pair: { a, b } }): number => compare(k, a, b, KcmpType.VM),
    exit: (k, { pair: { b } }): number => {
      exitGroup(k, b.task, 0);
      return reap(k, b.task);
    },
  },
  check: (k, { pair: { a, b, kept } }, { reader, exit: reaped }) => {
    if (reaped !== 0) return `the process was not reaped: ${reaped}`;
    const second = [state(OPEN, 1, kept), state(OPEN, 1, 0)];
    return (
      (reader === -ESRCH ? null : judgeAnswers([{ result: reader, first: statesOf(kept, null, 0), second }])) ??
      execsAreOver(k, a, 0) ??
      countIs(k, "the first task", a.task + TASK.usage, 1) ??
      countIs(k, "the second task", b.task + TASK.usage, 0) ??
      countIs(k, "the second process", b.signal + SIGNAL.sigcnt, 0) ??
      countIs(k, "the address space", kept + MM.mmUsers, 2)
    );
  },
});
