/** mm_access: the address space that the opens of maps, environ, auxv, mem and their kin get. */
import { EACCES, ESRCH } from "../../../kernel/errno.ts";
import { execCommit, execFinish } from "../../../kernel/exec.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../../kernel/flags.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { MM, TASK } from "../../../kernel/layout.ts";
import { getTaskMm, mmAccess } from "../../../kernel/mm-access.ts";
import { mmget, mmput } from "../../../mm/mm.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { OPEN } from "../../oracles/access.ts";
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
import { taskOfPid } from "./pid-kit.ts";

/** Shown in the place of an address space that has no users any more. */
const OVER = -1;

/** The owner gets the address space, looks whether it is alive, and gives it back. */
function openMm(k: Kernel, pid: number): ImageRead {
  const mm = mmAccess(k, taskOfPid(k, pid), PTRACE_MODE_READ_FSCREDS, caller(OWNER));
  const read = { path: "mm_access", who: "owner", refusal: -EACCES } as const;
  if (mm < 0) return { ...read, error: mm, seen: [] };
  return { ...read, error: 0, seen: [undefined, giveBack(k, mm)] };
}

/** @returns the address space if it is alive; else it has no user that could be given back */
function giveBack(k: Kernel, mm: Ptr): number {
  // What exit_mmap leaves of an address space has no mappings.
  if (k.m.load(mm + MM.mapCount) === 0) return OVER;
  mmput(k, mm);
  return mm;
}

/** @param kept the old address space has another user, and stays */
function againstExec(name: string, about: string, change: Change, kept: boolean): Scenario {
  return scenario({
    name: `mm_access/${name}`,
    about,
    paths: [Path.mm_access],
    quick: true,
    setup: (k) => {
      const owned = makeOwned(k, change);
      const old = kept ? keepMm(k, owned.task) : k.m.load(owned.task + TASK.mm);
      return { owned, old, exec: prepareExec(k, owned.task, change) };
    },
    threads: {
      reader: (k, { owned }): ImageRead => openMm(k, owned.pid),
      exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
    },
    check: (k, { owned, old, exec: { mm } }, { reader }) => {
      const [before, after] = accessAround(change);
      return (
        judgeImage(reader, [state(before, old), state(after, mm)]) ??
        execsAreOver(k, owned, 1) ??
        ownsAlone(k, owned.task) ??
        countIs(k, "the old address space", old + MM.mmUsers, kept ? 1 : 0) ??
        countIs(k, "what is left of the old address space", old + MM.mmCount, kept ? 1 : 0)
      );
    },
  });
}

export const exec = againstExec("exec", "a reader and an exec: it gets one of the two address spaces", {}, true);

export const execSetuid = againstExec(
  "exec-setuid",
  "a reader who may see the old image, and a set-user-ID exec: he never gets the new address space",
  { setuid: true },
  true,
);

export const execNonDumpable = againstExec(
  "exec-nondumpable",
  "a reader and an exec whose file may not be read: he never gets the new address space",
  { nonDumpable: true },
  true,
);

export const execOpens = againstExec(
  "exec-opens",
  "a reader who may not see the old image, and an exec: he never gets the old address space",
  { opens: true },
  true,
);

export const execLast = againstExec(
  "exec-last-user",
  "a reader and an exec by which the old address space ends: he gets one that lives, and gives it back",
  {},
  false,
);

export const exit = scenario({
  name: "mm_access/exit",
  about: "a reader and the exit of the process: he gets an address space that lives, or none",
  paths: [Path.mm_access],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, mm: k.m.load(owned.task + TASK.mm) };
  },
  threads: {
    reader: (k, { owned }): ImageRead => openMm(k, owned.pid),
    exit: (k, { owned }): void => exitGroup(k, owned.task, 0),
  },
  check: (k, { owned, mm }, { reader }) =>
    (reader.error === -ESRCH ? null : judgeImage(reader, [state(OPEN, mm)])) ??
    execsAreOver(k, owned, 0) ??
    countIs(k, "the task", owned.task + TASK.usage, 1) ??
    countIs(k, "the address space", mm + MM.mmUsers, 0) ??
    countIs(k, "what is left of the address space", mm + MM.mmCount, 0),
});

export const execFails = scenario({
  name: "mm_access/exec-fails",
  about: "a reader and an exec that fails halfway: he gets an address space that lives, or there is none any more",
  paths: [Path.mm_access],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const old = keepMm(k, owned.task);
    const exec = prepareExec(k, owned.task, { setuid: true, failsHalfway: true });
    // Who ends the new one shows in mm_access/exit.
    mmget(k, exec.mm);
    return { owned, old, exec };
  },
  threads: {
    reader: (k, { owned }): ImageRead => openMm(k, owned.pid),
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { owned, old, exec: { mm } }, { reader, exec }) => {
    if (exec) return "the exec has worked";
    return (
      (reader.error === -ESRCH ? null : judgeImage(reader, [state(OPEN, old), state(OPEN, mm)])) ??
      execsAreOver(k, owned, 1) ??
      countIs(k, "the task", owned.task + TASK.usage, 1) ??
      countIs(k, "the old address space", old + MM.mmUsers, 1) ??
      countIs(k, "the new address space", mm + MM.mmUsers, 1)
    );
  },
});

export const unguarded = scenario({
  name: "mm_access/unguarded",
  about:
    "an exec by which the old address space ends, and who gets one without a check: it lives, and is never missing",
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, old: k.m.load(owned.task + TASK.mm), exec: prepareExec(k, owned.task) };
  },
  threads: {
    reader: (k, { owned }): number => {
      const mm = getTaskMm(k, owned.task);
      return mm === 0 ? 0 : giveBack(k, mm);
    },
    exec: (k, { exec }): boolean => execFinish(k, execCommit(k, takeOver(k, exec))),
  },
  check: (k, { owned, old, exec: { mm } }, { reader }) => {
    if (reader !== old && reader !== mm) return `the reader got ${reader}, possible: ${old} or ${mm}`;
    return (
      execsAreOver(k, owned, 1) ??
      ownsAlone(k, owned.task) ??
      countIs(k, "the old address space", old + MM.mmUsers, 0) ??
      countIs(k, "what is left of the old address space", old + MM.mmCount, 0)
    );
  },
});
