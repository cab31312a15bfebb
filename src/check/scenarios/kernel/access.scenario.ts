/** The small files that exec_update_lock guarded: stack, syscall, personality. */
import { EPERM, ESRCH } from "../../../kernel/errno.ts";
import type { ExecPrepared } from "../../../kernel/exec.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { TraceSnapshot, readPersonality, readStack, readSyscall } from "../../../kernel/guarded.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../../kernel/knobs.ts";
import { MM, TASK } from "../../../kernel/layout.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { CLOSED, OPEN } from "../../oracles/access.ts";
import type { ImageRead } from "../../oracles/identity.ts";
import { judgeImage } from "../../oracles/identity.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Change } from "./exec-images.ts";
import {
  OWNER,
  accessAround,
  caller,
  countIs,
  execsAreOver,
  keepMm,
  makeOwned,
  makeThread,
  ownsAlone,
  prepareExec,
  state,
  takeOver,
} from "./exec-images.ts";
import { taskOfPid } from "./pid-kit.ts";

/** Sets what personality shows, which in the simulation is the new image's own affair. */
const NEW_PERSONALITY = 7;

/** Words of a state, behind access. */
function wordsOf(k: Kernel, mm: Ptr, personality: number): number[] {
  return [personality, k.m.load64(mm + MM.startStack), k.m.load64(mm + MM.mmapBase)];
}

/** What the owner reads of a process. */
function readTrace(k: Kernel, path: PathId, pid: number): ImageRead {
  const out = new TraceSnapshot();
  const task = taskOfPid(k, pid);
  const owner = caller(OWNER);
  let error: number;
  if (path === Path.stack) error = readStack(k, task, owner, out);
  else if (path === Path.syscall) error = readSyscall(k, task, owner, out);
  else error = readPersonality(k, task, owner, out);
  const seen = [undefined, out.personality, out.startStack, out.mmapBase];
  return { path: PATH_NAMES[path] as string, who: "owner", error, refusal: -EPERM, seen };
}

/** An exec whose image has another personality from a moment before its credentials are there. */
function execWithPersonality(k: Kernel, prepared: ExecPrepared): void {
  const exec = execCommit(k, takeOver(k, prepared));
  k.m.store(exec.task + TASK.personality, NEW_PERSONALITY);
  execFinish(k, exec);
}

function againstExec(path: PathId, name: string, about: string, change: Change): Scenario {
  return scenario({
    name: `${PATH_NAMES[path]}/${name}`,
    about,
    paths: [path],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k, change);
      const exec = prepareExec(k, owned.task, change);
      const kept = keepMm(k, owned.task);
      return { owned, exec, kept, before: wordsOf(k, kept, 0), after: wordsOf(k, exec.mm, NEW_PERSONALITY) };
    },
    threads: {
      reader: (k, { owned }): ImageRead => readTrace(k, path, owned.pid),
      exec: (k, { exec }): void => execWithPersonality(k, exec),
    },
    check: (k, { owned, kept, before, after }, { reader }) => {
      const [first, second] = accessAround(change);
      return (
        judgeImage(reader, [state(first, ...before), state(second, ...after)]) ??
        execsAreOver(k, owned, 1) ??
        ownsAlone(k, owned.task) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

const SETUID = "a reader who may see the old image, and a set-user-ID exec: nothing of the new one shows";
const ORDINARY = "a reader and an exec: all that it sees is of one image";
const NON_DUMPABLE = "a reader and an exec whose file may not be read: nothing of the new image shows";
const OPENS = "a reader who may not see the old image, and an exec: nothing of the old one shows";

export const stackExec = againstExec(Path.stack, "exec", ORDINARY, {});
export const stackExecSetuid = againstExec(Path.stack, "exec-setuid", SETUID, { setuid: true });
export const stackExecNonDumpable = againstExec(Path.stack, "exec-nondumpable", NON_DUMPABLE, { nonDumpable: true });
export const stackExecOpens = againstExec(Path.stack, "exec-opens", OPENS, { opens: true });
export const syscallExecSetuid = againstExec(Path.syscall, "exec-setuid", SETUID, { setuid: true });
export const personalityExecSetuid = againstExec(Path.personality, "exec-setuid", SETUID, { setuid: true });

export const stackExecFromThread = scenario({
  name: "stack/exec-from-thread",
  about: "a reader of a process, and a set-user-ID exec of another thread than its leader",
  paths: [Path.stack],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const thread = makeThread(k, owned);
    const exec = prepareExec(k, thread, { setuid: true });
    const kept = keepMm(k, thread);
    return { owned, thread, exec, kept, before: wordsOf(k, kept, 0), after: wordsOf(k, exec.mm, NEW_PERSONALITY) };
  },
  threads: {
    reader: (k, { owned }): ImageRead => readTrace(k, Path.stack, owned.pid),
    exec: (k, { exec }): void => execWithPersonality(k, exec),
  },
  check: (k, { owned, thread, kept, before, after }, { reader }) => {
    // The old leader loses its address space as it dies, and keeps its credentials.
    const dead = state(OPEN, 0, 0, 0);
    const states = [state(OPEN, ...before), dead, state(CLOSED, ...after)];
    return (
      (reader.error === -ESRCH ? null : judgeImage(reader, states)) ??
      execsAreOver(k, owned, 1) ??
      ownsAlone(k, thread) ??
      countIs(k, "the old leader", owned.task + TASK.usage, 0) ??
      countIs(k, "the old address space", kept + MM.mmUsers, 1)
    );
  },
});

export const twice = scenario({
  name: "stack/twice",
  about: "a reader who looks twice, and a set-user-ID exec: once refused, he isn't shown the old image again",
  paths: [Path.stack],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const exec = prepareExec(k, owned.task, { setuid: true });
    const kept = keepMm(k, owned.task);
    return { owned, exec, kept, before: wordsOf(k, kept, 0), after: wordsOf(k, exec.mm, NEW_PERSONALITY) };
  },
  threads: {
    reader: (k, { owned }): [ImageRead, ImageRead] => [
      readTrace(k, Path.stack, owned.pid),
      readTrace(k, Path.stack, owned.pid),
    ],
    exec: (k, { exec }): void => execWithPersonality(k, exec),
  },
  check: (k, { owned, kept, before, after }, { reader: [first, second] }) => {
    const states = [state(OPEN, ...before), state(CLOSED, ...after)];
    return (
      judgeImage(first, states) ??
      judgeImage(second, first.error === 0 ? states : states.slice(1)) ??
      execsAreOver(k, owned, 1) ??
      ownsAlone(k, owned.task) ??
      countIs(k, "the old address space", kept + MM.mmUsers, 1)
    );
  },
});

export const exit = scenario({
  name: "stack/exit",
  about: "a reader and the exit of the process: he sees its address space, or that there is none",
  paths: [Path.stack],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const kept = keepMm(k, owned.task);
    return { owned, kept, before: wordsOf(k, kept, 0) };
  },
  threads: {
    reader: (k, { owned }): ImageRead => readTrace(k, Path.stack, owned.pid),
    exit: (k, { owned }): void => exitGroup(k, owned.task, 0),
  },
  check: (k, { owned, kept, before }, { reader }) =>
    judgeImage(reader, [state(OPEN, ...before), state(OPEN, 0, 0, 0)]) ??
    execsAreOver(k, owned, 0) ??
    countIs(k, "the task", owned.task + TASK.usage, 1) ??
    countIs(k, "the address space", kept + MM.mmUsers, 1),
});
