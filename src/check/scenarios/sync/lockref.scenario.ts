/** The lockref by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import {
  lockrefCount,
  lockrefGetNotDead,
  lockrefLock,
  lockrefMarkDead,
  lockrefPut,
  lockrefUnlock,
} from "../../../sync/lockref.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

interface Plan {
  readonly ref: Ptr;
  /** 1 once the object is gone. */
  readonly gone: Ptr;
}

/** An object with so many references. */
function withReferences(k: Kernel, count: number): Plan {
  const ref = words(k, 1);
  k.m.store(ref, count);
  return { ref, gone: words(k, 1) };
}

/** Looks at the object with a reference of its own. @returns whether it was gone; null if it was dead */
function lookAt(k: Kernel, { ref, gone }: Plan): number | null {
  if (!lockrefGetNotDead(k.t, ref, LockClass.dentry)) return null;
  const seen = k.m.load(gone);
  lockrefPut(k.t, ref);
  return seen;
}

/** Does away with the object unless somebody uses it. @returns true if it's gone */
function remove(k: Kernel, { ref, gone }: Plan): boolean {
  lockrefLock(k.t, ref, LockClass.dentry);
  const unused = lockrefCount(k.t, ref) === 0;
  if (unused) {
    lockrefMarkDead(k.t, ref);
    k.m.store(gone, 1);
  }
  lockrefUnlock(k.t, ref, LockClass.dentry);
  return unused;
}

/** Counts in the object's word, which needs the lock. */
function raiseLocked(k: Kernel, { ref, gone }: Plan): void {
  lockrefLock(k.t, ref, LockClass.dentry);
  k.m.store(gone, k.m.load(gone) + 1);
  lockrefUnlock(k.t, ref, LockClass.dentry);
}

export const getOrDead = scenario({
  name: "lockref/get-or-dead",
  about: "who takes references races who does away with the object: nobody has one of a dead object",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 0),
  threads: {
    reader: (k, plan): (number | null)[] => [lookAt(k, plan), lookAt(k, plan)],
    remover: remove,
  },
  check: (k, { ref }, { reader, remover }) => {
    if (reader.includes(1)) return "the reader had a reference of an object that was gone";
    if (reader[0] === null && reader[1] !== null) return "the object has come back";
    if (lockrefGetNotDead(k.t, ref, LockClass.dentry) === remover) return "dead and removed are not the same";
    return remover || lockrefCount(k.t, ref) === 1 ? null : `${lockrefCount(k.t, ref)} references are left`;
  },
});

export const steady = scenario({
  name: "lockref/steady-count",
  about: "while one holds the lock, the count stays as it is, whoever comes or goes",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 1),
  threads: {
    holder: (k, { ref }): [number, number] => {
      lockrefLock(k.t, ref, LockClass.dentry);
      const counts: [number, number] = [lockrefCount(k.t, ref), lockrefCount(k.t, ref)];
      lockrefUnlock(k.t, ref, LockClass.dentry);
      return counts;
    },
    comer: (k, { ref }): boolean => lockrefGetNotDead(k.t, ref, LockClass.dentry),
    goer: (k, { ref }): number => lockrefPut(k.t, ref),
  },
  check: (k, { ref }, { holder: [first, second], comer, goer }) => {
    if (first !== second) return `the count was ${first}, then ${second}`;
    if (!comer || goer < 0 || goer > 1) return `${comer} for a reference, ${goer} left after a put`;
    return lockrefCount(k.t, ref) === 1 ? null : `${lockrefCount(k.t, ref)} references are left`;
  },
});

export const lock = scenario({
  name: "lockref/lock",
  about: "two threads hold the lock one after the other, while a third takes and drops references",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 0),
  threads: {
    first: raiseLocked,
    second: raiseLocked,
    reader: (k, plan): number | null => lookAt(k, plan),
  },
  check: (k, { ref, gone }, { reader }) => {
    if (reader === null) return "the reader got no reference of an object that nobody has done away with";
    return k.m.load(gone) === 2 && k.m.load(ref) === 0
      ? null
      : `counted ${k.m.load(gone)}, the word is ${k.m.load(ref)}`;
  },
});

export const lockedDead = scenario({
  name: "lockref/locked-dead",
  about: "who does away with an object holds its lock until it gives it back",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 0),
  threads: {
    remover: (k, { ref, gone }): void => {
      lockrefLock(k.t, ref, LockClass.dentry);
      lockrefMarkDead(k.t, ref);
      k.m.store(gone, k.m.load(gone) + 1);
      lockrefUnlock(k.t, ref, LockClass.dentry);
    },
    other: raiseLocked,
  },
  check: (k, { ref, gone }) => {
    if (lockrefGetNotDead(k.t, ref, LockClass.dentry)) return "the object has come back";
    return k.m.load(gone) === 2 ? null : `counted ${k.m.load(gone)}`;
  },
});
