/** Grace periods: what readers look at is not freed before they have let go of it, however they come and go. */
import { Cache } from "../../../kernel/caches.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, TOKEN } from "../../../kernel/layout.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import {
  RCU_WORDS,
  rcuClaim,
  rcuInit,
  rcuOffline,
  rcuOnline,
  rcuPoll,
  rcuQuiescent,
  rcuReadLock,
  rcuReadUnlock,
  rcuStart,
  rcuWordOf,
} from "../../../sync/rcu.ts";
import { LockdepError } from "../../../sync/lockdep.ts";
import { Thread } from "../../../sync/thread.ts";
import { sleepOn, wakeAll } from "../../../sync/waitqueue.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { reclaimNow } from "../kernel/pid-kit.ts";

/** Words that lead to a token each, whose number is that of the publication, from 1. */
interface Published {
  readonly at: readonly Ptr[];
  /** A word to sleep on, 0 until the sleeper may go on. */
  readonly gate: Ptr;
}

function published(k: Kernel, count: number): Published {
  const first = words(k, count + 1);
  const at: Ptr[] = [];
  for (let i = 0; i < count; i++) {
    at.push(first + i);
    k.m.store(first + i, tokenOf(k, 1));
  }
  return { at, gate: first + count };
}

function tokenOf(k: Kernel, number: number): Ptr {
  const token = k.slab.alloc(Cache.token);
  k.m.plainStore(token + TOKEN.count, number);
  return token;
}

/** Puts a new token in the place of the old one, which readers may still look at. */
function replace(k: Kernel, { at }: Published, which: number, number: number): void {
  k.slab.freeRcu(k.m.exchange(at[which] as Ptr, tokenOf(k, number)));
}

/** The number of the token that is there now. */
function look(k: Kernel, { at }: Published, which: number): number {
  rcuReadLock(k.t);
  const token = k.m.load(at[which] as Ptr);
  const number = k.m.load(token + TOKEN.count);
  rcuReadUnlock(k.t);
  return number;
}

/** Waits until the gate is open. */
function sleepAtGate(k: Kernel, { gate }: Published): void {
  while (k.m.load(gate) === 0) sleepOn(k.t, gate, 0);
}

function openGate(k: Kernel, { gate }: Published): void {
  k.m.store(gate, 1);
  wakeAll(k.t, gate);
}

/** Publications are seen in order. @param seen what a thread saw of each word, in order */
function judgeSeen(seen: readonly number[], newest: number): string | null {
  const inOrder = seen.every((number, i) => number >= (seen[i - 1] ?? 1) && number <= newest);
  return inOrder ? null : `a reader saw ${seen.join(", ")}`;
}

/** A grace period that begins now waits for nobody but this thread, as all others have ended. */
function judgeGracePeriod(k: Kernel): string | null {
  const number = rcuStart(k.m, HOST.rcu);
  if (rcuPoll(k.m, HOST.rcu, number)) return "a grace period is over, though not everybody has let go";
  k.quiescent();
  return rcuPoll(k.m, HOST.rcu, number) ? null : "a grace period waits for somebody who has ended";
}

/** One token for each word is in use, and as many as are still in the hands of their grace period. */
function judgeLive(k: Kernel, plan: Published, retired: number): string | null {
  const live = k.slab.live(Cache.token) - plan.at.length;
  if (live < 0 || live > retired) return `${live} tokens beside the published ones are in use`;
  return judgeGracePeriod(k);
}

export const replaced = scenario({
  name: "rcu/replace",
  about: "a reader looks, lets go and looks again, while what it looks at is replaced, freed and used again",
  quick: true,
  setup: (k) => published(k, 1),
  threads: {
    reader: (k, plan): number[] => {
      const first = look(k, plan, 0);
      k.quiescent();
      return [first, look(k, plan, 0)];
    },
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
      replace(k, plan, 0, 3);
    },
  },
  check: (k, plan, { reader }) => judgeSeen(reader, 3) ?? judgeLive(k, plan, 2),
});

export const online = scenario({
  name: "rcu/online",
  about: "a reader goes offline and comes online in the middle of a grace period",
  quick: true,
  setup: (k) => published(k, 1),
  threads: {
    reader: (k, plan): number[] => {
      k.idle();
      k.busy();
      const first = look(k, plan, 0);
      k.idle();
      k.busy();
      return [first, look(k, plan, 0)];
    },
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
      replace(k, plan, 0, 3);
    },
  },
  check: (k, plan, { reader }) => judgeSeen(reader, 3) ?? judgeLive(k, plan, 2),
});

export const sleeper = scenario({
  name: "rcu/sleeper",
  together: true,
  about: "a reader sleeps, offline meanwhile: no grace period waits for it, and what it finds afterwards is good",
  setup: (k) => published(k, 1),
  threads: {
    reader: (k, plan): number[] => {
      const first = look(k, plan, 0);
      sleepAtGate(k, plan);
      return [first, look(k, plan, 0)];
    },
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
      openGate(k, plan);
      replace(k, plan, 0, 3);
      reclaimNow(k);
    },
  },
  check: (k, plan, { reader }) => judgeSeen(reader, 3) ?? judgeLive(k, plan, 2),
});

export const server = scenario({
  name: "rcu/server",
  together: true,
  about: "a thread that serves requests stays online while it sleeps, and keeps what it has found",
  setup: (k) => published(k, 1),
  threads: {
    reader: (k, { at, gate }): number[] => {
      k.t.maySleep = false;
      const token = k.m.load(at[0] as Ptr);
      sleepAtGate(k, { at, gate });
      return [k.m.load(token + TOKEN.count)];
    },
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
      openGate(k, plan);
      replace(k, plan, 0, 3);
    },
  },
  check: (k, plan, { reader }) => judgeSeen(reader, 3) ?? judgeLive(k, plan, 2),
});

export const abandoned = scenario({
  name: "rcu/abandon",
  about: "a thread dies with what it has found: it holds up no grace period, and others go on",
  setup: (k) => published(k, 1),
  threads: {
    mortal: (k, plan): number[] => {
      const seen = [look(k, plan, 0)];
      k.abandon();
      return seen;
    },
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
      replace(k, plan, 0, 3);
    },
  },
  check: (k, plan, { mortal }) => judgeSeen(mortal, 3) ?? judgeLive(k, plan, 2),
});

export const twoWriters = scenario({
  name: "rcu/two-writers",
  about: "two writers free what they have replaced at once, each a part of it, while a reader looks at both",
  setup: (k) => published(k, 2),
  threads: {
    reader: (k, plan): number[] => [look(k, plan, 0), look(k, plan, 1)],
    first: (k, plan): void => {
      replace(k, plan, 0, 2);
      reclaimNow(k);
    },
    second: (k, plan): void => {
      replace(k, plan, 1, 2);
      reclaimNow(k);
    },
  },
  check: (k, plan, { reader: [first = 0, second = 0] }) =>
    judgeSeen([first], 2) ?? judgeSeen([second], 2) ?? judgeLive(k, plan, 2),
});

export const leaver = scenario({
  name: "rcu/leave",
  about: "a writer leaves in the middle of a grace period: what it had in hand waits for a new one",
  setup: (k) => published(k, 1),
  threads: {
    reader: (k, plan): number[] => [look(k, plan, 0)],
    writer: (k, plan): void => {
      replace(k, plan, 0, 2);
      k.slab.reclaim();
      k.slab.flush();
    },
    other: (k): void => reclaimNow(k),
  },
  check: (k, plan, { reader }) => {
    const wrong = judgeSeen(reader, 2) ?? judgeLive(k, plan, 1);
    // What the one left behind is free at last, unless the other still waits with it.
    if (wrong !== null) return wrong;
    reclaimNow(k);
    return judgeLive(k, plan, 1);
  },
});

interface JoinPlan extends Published {
  /** An RCU area of its own, which nobody has joined. */
  readonly area: Ptr;
}

/** A thread joins and looks. */
function join(k: Kernel, plan: JoinPlan, slot: number): number {
  rcuClaim(k.m, plan.area, slot);
  const t = new Thread(k.m, slot, rcuWordOf(plan.area, slot), NULL, true);
  rcuOnline(t, plan.area);
  const seen = look(k, plan, 0);
  rcuOffline(t);
  return seen;
}

export const joined = scenario({
  name: "rcu/join",
  about: "two threads join while a grace period is polled: it is over only if it has waited for who may look",
  setup: (k): JoinPlan => {
    const area = words(k, RCU_WORDS);
    rcuInit(k.m, area);
    return { ...published(k, 1), area };
  },
  threads: {
    low: (k, plan): number => join(k, plan, 3),
    high: (k, plan): number => join(k, plan, 5),
    writer: (k, { at, area }): boolean => {
      const old = k.m.exchange(at[0] as Ptr, tokenOf(k, 2));
      const over = rcuPoll(k.m, area, rcuStart(k.m, area));
      if (over) k.slab.free(old);
      return over;
    },
  },
  check: (k, plan, { low, high, writer }) =>
    judgeSeen([low], 2) ?? judgeSeen([high], 2) ?? judgeLive(k, plan, writer ? 0 : 1),
});

/** True if something is refused, as it must be inside of a read-side section. */
function refused(act: () => void): boolean {
  try {
    act();
  } catch (error) {
    if (error instanceof LockdepError) return true;
    throw error;
  }
  return false;
}

/** What must not be done inside of a section, tried there. @returns what was refused */
function misuse(k: Kernel, word: Ptr): boolean[] {
  rcuReadLock(k.t);
  const inside = [
    refused(() => rcuQuiescent(k.t, HOST.rcu)),
    refused(() => rcuOffline(k.t)),
    refused(() => sleepOn(k.t, word, 1)),
  ];
  rcuReadUnlock(k.t);
  return [...inside, refused(() => rcuReadUnlock(k.t))];
}

export const misused = scenario({
  name: "rcu/misuse",
  about:
    "who is in a section may not be quiescent, go offline or sleep, and is told so; nor can who is in none leave it",
  quick: true,
  setup: (k) => ({ word: words(k, 1) }),
  threads: { first: (k, { word }) => misuse(k, word), second: (k, { word }) => misuse(k, word) },
  check: (k, _plan, { first, second }) => {
    const accepted = [...first, ...second].filter((one) => !one).length;
    return accepted === 0 ? judgeGracePeriod(k) : `${accepted} of 8 mistakes were accepted`;
  },
});
