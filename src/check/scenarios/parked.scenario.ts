/** Guarded reads by threads that must not sleep: who finds the lock taken gives up, holds nothing, and has seen nothing. */
import { EACCES, EBADF, EPERM } from "../../kernel/errno.ts";
import { execCommit, execFinish } from "../../kernel/exec.ts";
import { TraceSnapshot, readStack } from "../../kernel/guarded.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { PathId } from "../../kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../kernel/knobs.ts";
import { endWait } from "../../kernel/lock-wait.ts";
import { MM } from "../../kernel/layout.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../kernel/flags.ts";
import { mmAccess } from "../../kernel/mm-access.ts";
import { pidfdGetfd } from "../../kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../kernel/robust-list.ts";
import { mmput } from "../../mm/mm.ts";
import { WAIT_WOULD_BLOCK } from "../../sync/thread.ts";
import type { Scenario } from "../scenario.ts";
import { scenario } from "../scenario.ts";
import {
  OWNER,
  caller,
  countIs,
  execsAreOver,
  keepMm,
  makeOwned,
  ownsAlone,
  prepareExec,
  takeOver,
} from "./exec-images.ts";
import { taskOfPid } from "./pid-kit.ts";

/** A descriptor that no process has. */
const NONE = 3;

/** A read that holds nothing when it is over. @returns 0 or what it answered */
type Read = (k: Kernel, pid: number) => number;

function parked(path: PathId, read: Read, answers: readonly number[]): Scenario {
  const name = PATH_NAMES[path] as string;
  return scenario({
    name: `${name}/parked`,
    about: "a reader that must not sleep, and a set-user-ID exec: it gives up and holds nothing, or is answered",
    paths: [path],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k);
      return { owned, exec: prepareExec(k, owned.task, { setuid: true }), kept: keepMm(k, owned.task) };
    },
    threads: {
      reader: (k, { owned }): number => {
        k.t.maySleep = false;
        const answer = read(k, owned.pid);
        endWait(k);
        k.t.maySleep = true;
        return answer;
      },
      exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    },
    check: (k, { owned, kept }, { reader }) => {
      const possible = [...answers, WAIT_WOULD_BLOCK];
      if (!possible.includes(reader)) return `${name}: ${reader}, possible: ${possible.join(" ")}`;
      return (
        execsAreOver(k, owned, 1) ??
        ownsAlone(k, owned.task) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

function openMm(k: Kernel, pid: number): number {
  const mm = mmAccess(k, taskOfPid(k, pid), PTRACE_MODE_READ_FSCREDS, caller(OWNER));
  if (mm <= 0) return mm;
  mmput(k, mm);
  return 0;
}

const stackOf: Read = (k, pid) => readStack(k, taskOfPid(k, pid), caller(OWNER), new TraceSnapshot());
const fileOf: Read = (k, pid) => pidfdGetfd(k, pid, NONE, 0, caller(OWNER));
const listOf: Read = (k, pid) => getRobustList(k, pid, caller(OWNER), new RobustList());

export const stackParked = parked(Path.stack, stackOf, [0, -EPERM]);
export const mmAccessParked = parked(Path.mm_access, openMm, [0, -EACCES]);
export const pidfdGetfdParked = parked(Path.pidfd_getfd, fileOf, [-EBADF, -EPERM]);
export const robustListParked = parked(Path.get_robust_list, listOf, [0, -EPERM]);
