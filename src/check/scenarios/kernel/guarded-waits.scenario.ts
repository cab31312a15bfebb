/** Guarded reads that wait for the lock: who may not wait, and whose process is gone when the wait is over. */
import { ESRCH } from "../../../kernel/errno.ts";
import { exitGroup, reap } from "../../../kernel/exit.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../../kernel/knobs.ts";
import { endWait } from "../../../kernel/lock-wait.ts";
import { MM, SIGNAL, TASK } from "../../../kernel/layout.ts";
import { tsyncBegin, tsyncFinish } from "../../../kernel/tsync.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import { countIs, execsAreOver, keepMm, makeOwned, ownsAlone } from "./exec-images.ts";
import type { Read } from "./guarded-reads.ts";
import {
  FILE_ANSWERS,
  LIST_ANSWERS,
  MM_ANSWERS,
  STACK_ANSWERS,
  fileOf,
  listOf,
  mmOf,
  stackOf,
} from "./guarded-reads.ts";

function refused(path: PathId, read: Read): Scenario {
  return scenario({
    name: `${PATH_NAMES[path] as string}/refused`,
    about:
      "who has been killed, or must not sleep, doesn't wait for a writer that stays: it gives up and holds nothing",
    paths: [path],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k);
      const flight = tsyncBegin(k, owned.task);
      k.t.lockdep.handOff([LockClass.execUpdate]);
      const killed = words(k, 1);
      k.m.store(killed, 1);
      return { owned, flight, killed };
    },
    threads: {
      victim: (k, { owned, killed }): number => {
        k.t.interruptWord = killed;
        return read(k, owned.pid);
      },
      server: (k, { owned }): number => {
        k.t.maySleep = false;
        const answer = read(k, owned.pid);
        endWait(k);
        k.t.maySleep = true;
        return answer;
      },
    },
    check: (k, { owned, flight }, { victim, server }) => {
      if (victim !== WAIT_EINTR || server !== WAIT_WOULD_BLOCK) return `the answers are ${victim} and ${server}`;
      k.t.lockdep.takeOver([LockClass.execUpdate]);
      tsyncFinish(k, flight);
      return execsAreOver(k, owned, 1) ?? ownsAlone(k, owned.task);
    },
  });
}

/** @param answer about a process that lives */
function reaped(path: PathId, read: Read, answer: number): Scenario {
  return scenario({
    name: `${PATH_NAMES[path] as string}/reaped`,
    about:
      "a reader that waits for a writer, and a process that is reaped as soon as that is over: what it reads stays",
    paths: [path],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k);
      return { owned, kept: keepMm(k, owned.task) };
    },
    threads: {
      reader: (k, { owned: { pid } }): number => read(k, pid),
      process: (k, { owned: { task } }): number => {
        tsyncFinish(k, tsyncBegin(k, task));
        exitGroup(k, task, 0);
        return reap(k, task);
      },
    },
    check: (k, { owned, kept }, { reader, process }) => {
      if (process !== 0) return `the process was not reaped: ${process}`;
      if (reader !== answer && reader !== -ESRCH) return `the reader got ${reader}`;
      return (
        execsAreOver(k, owned, 1) ??
        countIs(k, "the task", owned.task + TASK.usage, 0) ??
        countIs(k, "the process", owned.signal + SIGNAL.sigcnt, 0) ??
        countIs(k, "the address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

export const stackRefused = refused(Path.stack, stackOf);
export const mmAccessRefused = refused(Path.mm_access, mmOf);
export const pidfdGetfdRefused = refused(Path.pidfd_getfd, fileOf);
export const robustListRefused = refused(Path.get_robust_list, listOf);

export const stackReaped = reaped(Path.stack, stackOf, STACK_ANSWERS[0]);
export const mmAccessReaped = reaped(Path.mm_access, mmOf, MM_ANSWERS[0]);
export const pidfdGetfdReaped = reaped(Path.pidfd_getfd, fileOf, FILE_ANSWERS[0]);
export const robustListReaped = reaped(Path.get_robust_list, listOf, LIST_ANSWERS[0]);
