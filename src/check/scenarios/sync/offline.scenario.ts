/** What sleeping on a word means for others than the sleeper: grace periods, and those who have no requests to park. */
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST } from "../../../kernel/layout.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuPoll, rcuStart } from "../../../sync/rcu.ts";
import { Thread } from "../../../sync/thread.ts";
import { sleepOn, wakeAll } from "../../../sync/waitqueue.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

interface Plan {
  /** A word to sleep on, 0 until the sleeper may go on. */
  readonly gate: Ptr;
  /** Where the sleeper says by which word it tells that it holds no pointers. */
  readonly sleeper: Ptr;
}

/** Milliseconds: a safety net only. */
const NAP_MS = 1;

function plan(k: Kernel): Plan {
  return { gate: words(k, 1), sleeper: words(k, 1) };
}

/** @returns true if the thread is online for RCU afterwards */
function sleepAtGate(k: Kernel, { gate, sleeper }: Plan): boolean {
  k.m.store(sleeper, k.t.rcuWord);
  while (k.m.load(gate) === 0) sleepOn(k.t, gate, 0);
  return k.m.load(k.t.rcuWord) !== 0;
}

function openGate(k: Kernel, { gate }: Plan): void {
  k.m.store(gate, 1);
  wakeAll(k.t, gate);
}

/** Waits until a grace period is over (synchronize_rcu), for which only the sleeper has yet to let go. */
function synchronize(k: Kernel, { sleeper }: Plan): void {
  while (k.m.load(sleeper) === NULL) k.m.nap(sleeper, NULL, NAP_MS);
  const word = k.m.load(sleeper);
  const number = rcuStart(k.m, HOST.rcu);
  k.quiescent();
  for (let seen = k.m.load(word); !rcuPoll(k.m, HOST.rcu, number); seen = k.m.load(word)) k.m.nap(word, seen, NAP_MS);
}

export const gracePeriod = scenario({
  name: "waitqueue/grace-period",
  about: "a sleeper is woken only after a grace period: that is over though the sleeper still sleeps",
  quick: true,
  together: true,
  setup: plan,
  threads: {
    sleeper: sleepAtGate,
    waker: (k, plan): void => {
      synchronize(k, plan);
      openGate(k, plan);
    },
  },
  check: (_k, _plan, { sleeper }) => (sleeper ? null : "the sleeper is offline after its sleep"),
});

export const nowhereToPark = scenario({
  name: "waitqueue/nowhere-to-park",
  about: "a sleeper is woken by a thread that knows of no parked requests",
  quick: true,
  together: true,
  setup: plan,
  threads: {
    sleeper: sleepAtGate,
    waker: (k, { gate }): void => {
      const t = new Thread(k.m, k.t.slot, k.t.rcuWord, NULL, true);
      k.m.store(gate, 1);
      wakeAll(t, gate);
    },
  },
  check: (k, _plan, { sleeper }) => {
    if (k.m.load(NULL) !== 0) return "somebody has written where nothing is";
    return sleeper ? null : "the sleeper is offline after its sleep";
  },
});
