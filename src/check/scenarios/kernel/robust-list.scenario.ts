/** get_robust_list: where a task's list of robust futexes begins. */
import { EPERM } from "../../../kernel/errno.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { MM, TASK } from "../../../kernel/layout.ts";
import { RobustList, getRobustList, setRobustList } from "../../../kernel/robust-list.ts";
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
  ownsAlone,
  prepareExec,
  state,
  takeOver,
} from "./exec-images.ts";

function readList(k: Kernel, pid: number): ImageRead {
  const out = new RobustList();
  const error = getRobustList(k, pid, caller(OWNER), out);
  return { path: "get_robust_list", who: "owner", error, refusal: -EPERM, seen: [undefined, out.head] };
}

function againstExec(name: string, about: string, change: Change): Scenario {
  return scenario({
    name: `get_robust_list/${name}`,
    about,
    paths: [Path.get_robust_list],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k, change);
      setRobustList(k, owned.task);
      const kept = keepMm(k, owned.task);
      return { owned, exec: prepareExec(k, owned.task, change), kept, head: k.m.load64(owned.task + TASK.robustList) };
    },
    threads: {
      reader: (k, { owned }): ImageRead => readList(k, owned.pid),
      exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    },
    check: (k, { owned, kept, head }, { reader }) => {
      const newHead = k.m.load64(owned.task + TASK.robustList);
      if (newHead === head || newHead === 0) return `the new list begins at ${newHead}, the old one at ${head}`;
      // The list is dropped before the write section begins.
      const [before, after] = accessAround(change);
      const states = [state(before, head), state(before, 0), state(after, newHead)];
      const later = readList(k, owned.pid);
      return (
        judgeImage(reader, states) ??
        judgeImage(later, [state(after, newHead)]) ??
        execsAreOver(k, owned, 1) ??
        ownsAlone(k, owned.task) ??
        countIs(k, "the old address space", kept + MM.mmUsers, 1)
      );
    },
  });
}

export const exec = againstExec("exec", "a reader and an exec: the address is one image's, whole, or none", {});

export const execSetuid = againstExec(
  "exec-setuid",
  "a reader who may see the old image, and a set-user-ID exec: he never sees the new one's list",
  { setuid: true },
);

export const execOpens = againstExec(
  "exec-opens",
  "a reader who may not see the old image, and an exec: he never sees the old one's list",
  { opens: true },
);
