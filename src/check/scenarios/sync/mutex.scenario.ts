/** The mutex by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { MUTEX_WORDS, mutexLockKillable, mutexUnlock } from "../../../sync/mutex.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { parkUntil } from "./parking.ts";

interface Plan {
  readonly lock: Ptr;
  readonly count: Ptr;
  /** Not 0 once the waiter has been killed. */
  readonly killed: Ptr;
}

function plan(k: Kernel): Plan {
  return { lock: words(k, MUTEX_WORDS), count: words(k, 1), killed: words(k, 1) };
}

/** Raises the count under the lock. @returns what the wait for it gave */
function raiseLocked(k: Kernel, { lock, count }: Plan): number {
  const result = mutexLockKillable(k.t, lock, LockClass.openFile);
  if (result !== WAIT_OK) return result;
  k.m.store(count, k.m.load(count) + 1);
  mutexUnlock(k.t, lock, LockClass.openFile);
  return result;
}

/** The same by one who can be killed. */
function raiseKilled(k: Kernel, plan: Plan): number {
  k.t.interruptWord = plan.killed;
  return raiseLocked(k, plan);
}

/** The same by one who must not sleep. */
function raiseServing(k: Kernel, plan: Plan): number {
  k.t.maySleep = false;
  return raiseLocked(k, plan);
}

/** The lock is free, and so many have had it. */
function judge(k: Kernel, { lock, count }: Plan, times: number): string | null {
  if (k.m.load(lock) !== 0) return `the lock is left as ${k.m.load(lock)}`;
  return k.m.load(count) === times ? null : `counted ${k.m.load(count)}, not ${times}`;
}

/** What the wait of one who may be killed can give. */
function taken(result: number, refusal: number): number {
  if (result === WAIT_OK) return 1;
  if (result === refusal) return 0;
  throw new Error(`a wait gave ${result}`);
}

export const exclusion = scenario({
  name: "mutex/exclusion",
  about: "three threads hold the lock one after another: none sleeps on",
  quick: true,
  setup: plan,
  threads: { first: raiseLocked, second: raiseLocked, third: raiseLocked },
  check: (k, plan) => judge(k, plan, 3),
});

export const kill = scenario({
  name: "mutex/kill",
  about: "a waiter is killed while the lock is given back: it has it or not, and nobody else sleeps on",
  setup: plan,
  timeouts: 1,
  threads: {
    holder: raiseLocked,
    victim: raiseKilled,
    other: raiseLocked,
    killer: (k, { killed }): void => k.m.store(killed, 1),
  },
  check: (k, plan, { victim }) => judge(k, plan, 2 + taken(victim, WAIT_EINTR)),
});

export const refused = scenario({
  name: "mutex/refused",
  about: "who has been killed, or must not sleep, doesn't wait for a lock that nobody gives back",
  quick: true,
  setup: (k: Kernel) => {
    const made = plan(k);
    if (mutexLockKillable(k.t, made.lock, LockClass.openFile) !== WAIT_OK) throw new Error("the lock was not free");
    k.t.lockdep.handOff([LockClass.openFile]);
    k.m.store(made.killed, 1);
    return made;
  },
  threads: { victim: raiseKilled, server: raiseServing },
  check: (k, plan, { victim, server }) => {
    if (victim !== WAIT_EINTR || server !== WAIT_WOULD_BLOCK) return `the waits gave ${victim} and ${server}`;
    k.t.lockdep.takeOver([LockClass.openFile]);
    mutexUnlock(k.t, plan.lock, LockClass.openFile);
    return judge(k, plan, 0);
  },
});

export const wouldBlock = scenario({
  name: "mutex/would-block",
  about: "a thread that must not sleep is sent away, and nobody sleeps on for that",
  quick: true,
  setup: plan,
  threads: {
    server: raiseServing,
    first: raiseLocked,
    second: raiseLocked,
  },
  check: (k, plan, { server }) => judge(k, plan, 2 + taken(server, WAIT_WOULD_BLOCK)),
});

export const parked = scenario({
  name: "mutex/parked",
  about: "a request that had to wait for the lock is tried again when it is free",
  quick: true,
  setup: plan,
  threads: {
    server: (k, plan): void => {
      k.t.maySleep = false;
      parkUntil(k, () => raiseLocked(k, plan) === WAIT_OK);
    },
    holder: raiseLocked,
    other: raiseLocked,
  },
  check: (k, plan) => judge(k, plan, 3),
});

/** Held, and somebody may be waiting: its unlock wakes all who are. */
const CONTENDED = 2;

/** @returns true if the lock's unlock will wake somebody */
function wakes(k: Kernel, plan: Plan): boolean {
  if (mutexLockKillable(k.t, plan.lock, LockClass.openFile) !== WAIT_OK) throw new Error("the lock was not free");
  const contended = k.m.load(plan.lock) === CONTENDED;
  k.m.store(plan.count, k.m.load(plan.count) + 1);
  mutexUnlock(k.t, plan.lock, LockClass.openFile);
  return contended;
}

export const alone = scenario({
  name: "mutex/alone",
  about: "who finds the lock free and is alone with it wakes nobody",
  quick: true,
  setup: (k) => [plan(k), plan(k)] as const,
  threads: { first: (k, [plan]) => wakes(k, plan), second: (k, [, plan]) => wakes(k, plan) },
  check: (k, plans, { first, second }) => {
    if (first || second) return "an unlock has woken somebody, where there is nobody";
    return judge(k, plans[0], 1) ?? judge(k, plans[1], 1);
  },
});
