/** The spinlock by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { SPINLOCK_WORDS, spinLock, spinTryLock, spinUnlock } from "../../../sync/spinlock.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

interface Plan {
  readonly lock: Ptr;
  readonly count: Ptr;
}

function plan(k: Kernel): Plan {
  return { lock: words(k, SPINLOCK_WORDS), count: words(k, 1) };
}

/** Not atomic: needs the lock. */
function raise(k: Kernel, { count }: Plan): void {
  k.m.store(count, k.m.load(count) + 1);
}

function raiseLocked(k: Kernel, plan: Plan): void {
  spinLock(k.t, plan.lock, LockClass.registry);
  raise(k, plan);
  spinUnlock(k.t, plan.lock, LockClass.registry);
}

/** The lock is free, and so many have had it. */
function judge(k: Kernel, { lock, count }: Plan, times: number): string | null {
  if (k.m.load(lock) !== 0) return `the lock is left as ${k.m.load(lock)}`;
  return k.m.load(count) === times ? null : `counted ${k.m.load(count)}, not ${times}`;
}

export const exclusion = scenario({
  name: "spinlock/exclusion",
  about: "two threads hold the lock one after the other, twice each",
  quick: true,
  setup: plan,
  threads: {
    first: (k, plan): void => {
      raiseLocked(k, plan);
      raiseLocked(k, plan);
    },
    second: (k, plan): void => {
      raiseLocked(k, plan);
      raiseLocked(k, plan);
    },
  },
  check: (k, plan) => judge(k, plan, 4),
});

export const handOver = scenario({
  name: "spinlock/hand-over",
  about: "of three threads two nap for the lock: an unlock wakes one, and that one's unlock the other",
  quick: true,
  setup: plan,
  threads: { first: raiseLocked, second: raiseLocked, third: raiseLocked },
  check: (k, plan) => judge(k, plan, 3),
});

export const tryLock = scenario({
  name: "spinlock/try",
  about: "who only tries gets the lock if it is free, and wakes who came meanwhile",
  quick: true,
  setup: plan,
  threads: {
    trier: (k, plan): number => {
      if (!spinTryLock(k.t, plan.lock, LockClass.registry)) return 0;
      raise(k, plan);
      spinUnlock(k.t, plan.lock, LockClass.registry);
      return 1;
    },
    first: raiseLocked,
    second: raiseLocked,
  },
  check: (k, plan, { trier }) => judge(k, plan, 2 + trier),
});

/** Held, and somebody naps for it: its unlock makes a notification. */
const CONTENDED = 2;

/** @returns true if the lock's unlock will wake somebody */
function wakes(k: Kernel, plan: Plan): boolean {
  spinLock(k.t, plan.lock, LockClass.registry);
  const contended = k.m.load(plan.lock) === CONTENDED;
  raise(k, plan);
  spinUnlock(k.t, plan.lock, LockClass.registry);
  return contended;
}

export const alone = scenario({
  name: "spinlock/alone",
  about: "who finds the lock free and is alone with it wakes nobody",
  quick: true,
  setup: (k) => [plan(k), plan(k)] as const,
  threads: { first: (k, [plan]) => wakes(k, plan), second: (k, [, plan]) => wakes(k, plan) },
  check: (k, plans, { first, second }) => {
    if (first || second) return "an unlock has woken somebody, where there is nobody";
    return judge(k, plans[0], 1) ?? judge(k, plans[1], 1);
  },
});
