/** Sleeping on a word by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { sleepOn, wakeAll, wakeParked } from "../../../sync/waitqueue.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { parkUntil } from "./parking.ts";

interface Plan {
  /** What is waited for: not 0. */
  readonly ready: Ptr;
  /** Raised with each wake-up. */
  readonly generation: Ptr;
  /** Not 0 once a sleeper has been killed. */
  readonly killed: Ptr;
}

function plan(k: Kernel): Plan {
  return { ready: words(k, 1), generation: words(k, 1), killed: words(k, 1) };
}

/** Sleeps until so much is ready. @returns false if the sleeper was killed before */
function sleepUntil(k: Kernel, { ready, generation }: Plan, much: number): boolean {
  for (;;) {
    const seen = k.m.load(generation);
    if (k.m.load(ready) >= much) return true;
    if (k.t.interrupted()) return false;
    sleepOn(k.t, generation, seen);
  }
}

/** One more is ready. */
function announce(k: Kernel, { ready, generation }: Plan): void {
  k.m.add(ready, 1);
  k.m.add(generation, 1);
  wakeAll(k.t, generation);
}

/** Waits for the first announcement. @returns the thread's word of RCU, before and after */
function sleeper(k: Kernel, plan: Plan): [number, number] {
  const before = k.m.load(k.t.rcuWord);
  sleepUntil(k, plan, 1);
  return [before, k.m.load(k.t.rcuWord)];
}

export const wake = scenario({
  name: "waitqueue/wake",
  about: "two wait for what a third announces: none sleeps on, and both are online for RCU afterwards as before",
  quick: true,
  together: true,
  setup: plan,
  threads: { first: sleeper, second: sleeper, waker: announce },
  check: (_k, _plan, { first, second }) => {
    const changed = [first, second].filter(([before, after]) => before === 0 || before !== after);
    return changed.length === 0 ? null : `a sleeper's word of RCU: ${changed[0]?.join(", then ")}`;
  },
});

export const turns = scenario({
  name: "waitqueue/turns",
  about: "two threads take turns, each waking the other",
  quick: true,
  together: true,
  setup: plan,
  threads: {
    first: (k, plan): void => {
      announce(k, plan);
      sleepUntil(k, plan, 2);
      announce(k, plan);
    },
    second: (k, plan): void => {
      sleepUntil(k, plan, 1);
      announce(k, plan);
      sleepUntil(k, plan, 3);
    },
  },
  check: (k, { ready }) => (k.m.load(ready) === 3 ? null : `${k.m.load(ready)} announcements`),
});

/** A sleeper that can be killed. @returns its word of RCU, before and after, and whether it had what it waited for */
function victim(k: Kernel, plan: Plan, much: number): [number, number, boolean] {
  k.t.interruptWord = plan.killed;
  const before = k.m.load(k.t.rcuWord);
  const had = sleepUntil(k, plan, much);
  return [before, k.m.load(k.t.rcuWord), had];
}

export const kill = scenario({
  name: "waitqueue/kill",
  about:
    "of two sleepers one waits for what never comes, and is killed, which wakes both: it goes, the other sleeps on",
  quick: true,
  together: true,
  setup: plan,
  threads: {
    victim: (k, plan) => victim(k, plan, 2),
    other: sleeper,
    killer: (k, plan): void => {
      k.m.store(plan.killed, 1);
      k.m.add(plan.generation, 1);
      wakeAll(k.t, plan.generation);
    },
    waker: announce,
  },
  check: (_k, _plan, { victim, other }) => {
    if (victim[2]) return "the victim had what never came";
    const changed = [victim, other].find(([before, after]) => before === 0 || before !== after);
    return changed === undefined ? null : `a sleeper's word of RCU: ${changed.join(", then ")}`;
  },
});

/** Nobody wakes it for that: it may find out when its time runs out, or is woken for something else. */
export const killUnwoken = scenario({
  name: "waitqueue/kill-unwoken",
  about: "a sleeper's time runs out while it is killed, or has what it waits for: it is online for RCU as before",
  quick: true,
  together: true,
  setup: plan,
  timeouts: 1,
  threads: {
    victim: (k, plan) => victim(k, plan, 1),
    killer: (k, { killed }): void => k.m.store(killed, 1),
    waker: announce,
  },
  check: (_k, _plan, { victim: [before, after] }) =>
    before !== 0 && before === after ? null : `the sleeper's word of RCU: ${before}, then ${after}`,
});

export const parked = scenario({
  name: "waitqueue/parked",
  about: "two requests are parked until something is ready: both are tried again when it is",
  quick: true,
  together: true,
  setup: plan,
  threads: { first: parkUntilReady, second: parkUntilReady, waker: readyForParked },
  check: (k) => (k.m.load(k.t.parkWord + 1) === 0 ? null : `${k.m.load(k.t.parkWord + 1)} requests are parked`),
});

function parkUntilReady(k: Kernel, { ready }: Plan): void {
  k.t.maySleep = false;
  parkUntil(k, () => k.m.load(ready) !== 0);
}

function readyForParked(k: Kernel, { ready }: Plan): void {
  k.m.store(ready, 1);
  wakeParked(k.t);
}
