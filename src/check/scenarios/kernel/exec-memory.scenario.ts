/** An exec that finds no memory: before its point of no return nothing has happened, behind it the process dies. */
import { Cache } from "../../../kernel/caches.ts";
import type { ExecSpec } from "../../../kernel/exec.ts";
import { execCommit, execFinish, execTask } from "../../../kernel/exec.ts";
import { CLONE_SIGHAND, CLONE_VM, PTRACE_MODE_READ_FSCREDS, SIGSEGV } from "../../../kernel/flags.ts";
import { copyProcess } from "../../../kernel/fork.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { CRED, HOST, MM, SIGHAND, TASK } from "../../../kernel/layout.ts";
import { mmAccess } from "../../../kernel/mm-access.ts";
import { findTask } from "../../../kernel/pid.ts";
import { isZombie } from "../../../kernel/task.ts";
import { mmput } from "../../../mm/mm.ts";
import { ArenaFullError } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { ORDINARY, programSpec } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "./exec-images.ts";
import { OWNER, caller, countIs, execsAreOver, makeOwned, ownsAlone, prepareExec, takeOver } from "./exec-images.ts";

/** Nothing can be carved off the arena any more: only what has been freed is left. */
function fillArena(k: Kernel): void {
  k.m.store(HOST.breakAt, k.m.load(HOST.limit));
}

/** Takes all objects of a cache that this thread could get. @pre the arena is full */
function takeAll(k: Kernel, cache: number): Ptr[] {
  const objects: Ptr[] = [];
  while (k.slab.reserve(cache, 1)) objects.push(k.slab.alloc(cache));
  return objects;
}

function giveBack(k: Kernel, objects: readonly Ptr[]): void {
  for (const object of objects) k.slab.free(object);
}

/** The owner opens the memory of the process. @returns the address space, or an error */
function openMm(k: Kernel, task: Ptr): number {
  const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, caller(OWNER));
  if (mm > 0) mmput(k, mm);
  return mm;
}

/** Bytes of a thread's stack, which is a mapping of its own, as is the guard page below. */
const STACK_BYTES = 2 ** 20;
/** More than a thread has objects in stock. */
const STACKS = 32;

/** A program with more mappings than a thread has memory for when the arena is full. */
function largeProgram(): ExecSpec {
  const spec = programSpec(ORDINARY);
  return { ...spec, program: { ...spec.program, anonymous: new Array<number>(STACKS).fill(STACK_BYTES) } };
}

/** @returns true if there was not enough memory */
function execInVain(k: Kernel, task: Ptr): boolean {
  fillArena(k);
  try {
    return !execTask(k, task, largeProgram());
  } catch (error) {
    if (error instanceof ArenaFullError) return true;
    throw error;
  }
}

export const refused = scenario({
  name: "exec/no-memory",
  about:
    "an exec that finds the arena full is refused: the process has what it had, and who looks at it notices nothing",
  paths: [Path.mm_access],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    const { m, slab } = k;
    const [mm, cred] = [m.load(owned.task + TASK.mm), m.load(owned.task + TASK.cred)];
    return { owned, mm, cred, mms: slab.live(Cache.mm), creds: slab.live(Cache.cred), vmas: slab.live(Cache.vma) };
  },
  threads: {
    reader: (k, { owned }): number => openMm(k, owned.task),
    exec: (k, { owned }): boolean => execInVain(k, owned.task),
  },
  check: (k, { owned, mm, cred, mms, creds, vmas }, { reader, exec }) => {
    if (!exec) return "the exec found memory";
    if (reader !== mm) return `the reader got ${reader}, not the address space ${mm}`;
    const { m, slab } = k;
    if (m.load(owned.task + TASK.mm) !== mm || m.load(owned.task + TASK.cred) !== cred) return "it is not as it was";
    const kept = [slab.live(Cache.mm) - mms, slab.live(Cache.cred) - creds, slab.live(Cache.vma) - vmas];
    if (kept.some((count) => count !== 0)) return `address spaces, credentials, mappings are left: ${kept.join(" ")}`;
    return execsAreOver(k, owned, 0) ?? ownsAlone(k, owned.task);
  },
});

interface SharedHandlers {
  readonly owned: Owned;
  /** Another process with the same handlers. */
  readonly other: Ptr;
  readonly sighand: Ptr;
}

function shareHandlers(k: Kernel): SharedHandlers {
  const owned = makeOwned(k);
  const other = findTask(k, copyProcess(k, owned.task, CLONE_VM | CLONE_SIGHAND));
  return { owned, other, sighand: k.m.load(owned.task + TASK.sighand) };
}

export const halfway = scenario({
  name: "exec/no-memory-halfway",
  about: "an exec finds no memory for handlers of its own: the process is dead, nothing is held or kept",
  paths: [Path.mm_access],
  quick: true,
  setup: (k) => {
    const shared = shareHandlers(k);
    return { shared, exec: prepareExec(k, shared.owned.task) };
  },
  threads: {
    reader: (k, { shared: { other } }): number => openMm(k, other),
    exec: (k, { exec }): boolean => {
      const inFlight = execCommit(k, takeOver(k, exec));
      fillArena(k);
      const taken = takeAll(k, Cache.sighand);
      const lives = execFinish(k, inFlight);
      giveBack(k, taken);
      return lives;
    },
  },
  check: (k, { shared: { owned, other, sighand }, exec }, { reader, exec: lives }) => {
    const { m } = k;
    if (lives || !isZombie(k, owned.task)) return "the process lives";
    if (m.load(owned.task + TASK.exitCode) !== SIGSEGV) return `it died of ${m.load(owned.task + TASK.exitCode)}`;
    if (reader !== m.load(other + TASK.mm)) return `who looked at the other process got ${reader}`;
    return (
      execsAreOver(k, owned, 1) ??
      countIs(k, "the other process", other + TASK.usage, 1) ??
      countIs(k, "its address space", m.load(other + TASK.mm) + MM.mmUsers, 1) ??
      countIs(k, "the new address space", exec.mm + MM.mmUsers, 0) ??
      countIs(k, "the new credentials", exec.cred + CRED.usage, 0) ??
      countIs(k, "the handlers", sighand + SIGHAND.count, 2)
    );
  },
});
