/** TSYNC: one thread gives new credentials to all threads of its process. */
import { Cache } from "../../../kernel/caches.ts";
import { exitThread } from "../../../kernel/exit.ts";
import { setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { CRED, HOST, MM, TASK } from "../../../kernel/layout.ts";
import { isZombie } from "../../../kernel/task.ts";
import { setNoNewPrivs, tsync, tsyncBegin, tsyncFinish } from "../../../kernel/tsync.ts";
import { ArenaFullError } from "../../../shm/slab.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "./exec-images.ts";
import { OWNER, countIs, execsAreOver, makeOwned, makeThread } from "./exec-images.ts";
import { stackOf } from "./guarded-reads.ts";

/** User of the thread that has credentials of its own. */
const LONER = 2000;

/** A process whose leader has died. */
interface Group {
  readonly owned: Owned;
  /** The thread that calls. */
  readonly caller: Ptr;
  /** One with the same credentials, and one with other ones. */
  readonly sibling: Ptr;
  readonly loner: Ptr;
  /** The credentials that the dead leader, the caller and its sibling have; and those of the other one. */
  readonly shared: Ptr;
  readonly own: Ptr;
}

function makeGroup(k: Kernel): Group {
  const { m } = k;
  const owned = makeOwned(k);
  const [caller, sibling, loner] = [makeThread(k, owned), makeThread(k, owned), makeThread(k, owned)];
  setIdentity(k, loner, LONER, LONER, []);
  m.store(m.load(caller + TASK.mm) + MM.dumpable, 1);
  exitThread(k, owned.task, 0);
  const [shared, own] = [m.load(caller + TASK.cred), m.load(loner + TASK.cred)];
  return { owned, caller, sibling, loner, shared, own };
}

/** What is wrong with a thread's credentials: whose they are, and how many threads have them. */
function credIs(k: Kernel, what: string, task: Ptr, uid: number, threads: number): string | null {
  const cred = k.m.load(task + TASK.cred);
  const found = k.m.load(cred + CRED.uid);
  return found === uid ? countIs(k, what, cred + CRED.usage, threads) : `${what} are those of user ${found}`;
}

function privilegesAre(k: Kernel, tasks: readonly Ptr[], expected: number): string | null {
  for (let i = 0; i < tasks.length; i++) {
    const found = k.m.load((tasks[i] as Ptr) + TASK.noNewPrivs);
    if (found !== expected) return `no_new_privs of thread ${i} is ${found}, not ${expected}`;
  }
  return null;
}

/** All threads but the dead one have new credentials, the same as before where they were. */
function allHaveNew(k: Kernel, { owned, caller, sibling, loner, shared, own }: Group): string | null {
  const { m } = k;
  const credentials = m.load(caller + TASK.cred);
  if (credentials === shared || m.load(loner + TASK.cred) === own) return "a thread has its old credentials";
  if (m.load(sibling + TASK.cred) !== credentials) return "who had the caller's credentials has others now";
  if (m.load(owned.task + TASK.cred) !== shared) return "the dead leader has new credentials";
  return (
    credIs(k, "the caller's credentials", caller, OWNER, 2) ??
    credIs(k, "the loner's credentials", loner, LONER, 1) ??
    credIs(k, "the dead leader's credentials", owned.task, OWNER, 1) ??
    countIs(k, "the loner's old credentials", own + CRED.usage, 0)
  );
}

/** @param restricted the caller has no_new_privs */
function ofAll(name: string, about: string, restricted: boolean): Scenario {
  return scenario({
    name: `tsync/${name}`,
    about,
    paths: [Path.stack],
    quick: true,
    setup: (k) => {
      const group = makeGroup(k);
      if (restricted) setNoNewPrivs(k, group.caller);
      return group;
    },
    threads: {
      caller: (k, { caller }): void => tsync(k, caller),
      reader: (k, { sibling }): number => stackOf(k, k.m.load(sibling + TASK.pid)),
    },
    check: (k, group, { reader }) => {
      if (reader !== 0) return `the reader got ${reader}`;
      const { owned, caller, sibling, loner } = group;
      return (
        allHaveNew(k, group) ??
        privilegesAre(k, [caller, sibling, loner], restricted ? 1 : 0) ??
        privilegesAre(k, [owned.task], 0) ??
        execsAreOver(k, owned, 1)
      );
    },
  });
}

export const plain = ofAll(
  "plain",
  "all living threads get new credentials, each with its own ids, and no more",
  false,
);

export const restricted = ofAll(
  "restricted",
  "a thread with no_new_privs gives all living threads new credentials, and no_new_privs too",
  true,
);

/** Takes whatever credentials there is memory for. @returns how to give it back */
function exhaust(k: Kernel): () => void {
  const { m, slab } = k;
  const end = m.exchange(HOST.breakAt, m.load(HOST.limit));
  const taken: Ptr[] = [];
  while (slab.reserve(Cache.cred, 1)) taken.push(slab.allocDirty(Cache.cred));
  return () => {
    for (let i = 0; i < taken.length; i++) slab.free(taken[i] as Ptr);
    m.store(HOST.breakAt, end);
  };
}

export const noMemory = scenario({
  name: "tsync/no-memory",
  about: "there is no memory for the credentials of a thread that has its own: then no thread gets any",
  paths: [Path.stack],
  quick: true,
  setup: (k) => {
    const group = makeGroup(k);
    setNoNewPrivs(k, group.caller);
    return group;
  },
  threads: {
    caller: (k, { caller }): { done: boolean; cred: Ptr } => {
      const flight = tsyncBegin(k, caller);
      const giveBack = exhaust(k);
      const done = tsyncFinish(k, flight);
      giveBack();
      return { done, cred: flight.cred };
    },
    reader: (k, { sibling }): number => stackOf(k, k.m.load(sibling + TASK.pid)),
  },
  check: (k, { owned, caller, sibling, loner, shared, own }, { caller: { done, cred }, reader }) => {
    if (done || reader !== 0) return `TSYNC has ${done ? "worked" : "failed"}, the reader got ${reader}`;
    for (const task of [owned.task, caller, sibling, loner]) {
      if (k.m.load(task + TASK.cred) !== (task === loner ? own : shared)) return "a thread has other credentials";
    }
    if (isZombie(k, caller)) return "the caller has died";
    return (
      credIs(k, "the caller's credentials", caller, OWNER, 3) ??
      credIs(k, "the loner's credentials", loner, LONER, 1) ??
      countIs(k, "the new credentials", cred + CRED.usage, 0) ??
      privilegesAre(k, [sibling, loner], 0) ??
      execsAreOver(k, owned, 1)
    );
  },
});

/** A TSYNC when all memory is taken. @returns true if it says so */
function beginInVain(k: Kernel, caller: Ptr): boolean {
  const giveBack = exhaust(k);
  try {
    tsyncBegin(k, caller);
    return false;
  } catch (error) {
    if (!(error instanceof ArenaFullError)) throw error;
    return true;
  } finally {
    giveBack();
  }
}

export const refused = scenario({
  name: "tsync/refused",
  about: "there is no memory for the caller's own credentials: it is told so, and nothing is locked or changed",
  paths: [Path.stack],
  quick: true,
  setup: makeGroup,
  threads: {
    caller: (k, { caller }): boolean => beginInVain(k, caller),
    reader: (k, { sibling }): number => stackOf(k, k.m.load(sibling + TASK.pid)),
  },
  check: (k, { owned, caller, loner }, { caller: told, reader }) => {
    if (!told || reader !== 0) return `the caller was told ${told}, the reader got ${reader}`;
    return (
      credIs(k, "the caller's credentials", caller, OWNER, 3) ??
      credIs(k, "the loner's credentials", loner, LONER, 1) ??
      execsAreOver(k, owned, 0)
    );
  },
});
