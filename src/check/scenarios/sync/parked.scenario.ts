/** Guarded reads by threads that must not sleep: who finds the lock taken gives up, holds nothing, and has seen nothing. */
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../../kernel/knobs.ts";
import { endWait } from "../../../kernel/lock-wait.ts";
import { MM } from "../../../kernel/layout.ts";
import { WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import { countIs, execsAreOver, keepMm, makeOwned, ownsAlone, prepareExec, takeOver } from "../kernel/exec-images.ts";
import type { Read } from "../kernel/guarded-reads.ts";
import {
  FILE_ANSWERS,
  LIST_ANSWERS,
  MM_ANSWERS,
  STACK_ANSWERS,
  fileOf,
  listOf,
  mmOf,
  stackOf,
} from "../kernel/guarded-reads.ts";

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

export const stackParked = parked(Path.stack, stackOf, STACK_ANSWERS);
export const mmAccessParked = parked(Path.mm_access, mmOf, MM_ANSWERS);
export const pidfdGetfdParked = parked(Path.pidfd_getfd, fileOf, FILE_ANSWERS);
export const robustListParked = parked(Path.get_robust_list, listOf, LIST_ANSWERS);
