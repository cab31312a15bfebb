/** kcmp and writers that stay: who may not wait, whose task is gone when the wait is over, and what is counted. */
import { Event, eventCount } from "../../../kernel/counters.ts";
import { ESRCH } from "../../../kernel/errno.ts";
import { exitGroup, reap } from "../../../kernel/exit.ts";
import { CLONE_VM } from "../../../kernel/flags.ts";
import { KcmpType } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { endWait } from "../../../kernel/lock-wait.ts";
import { MM, SIGNAL, TASK } from "../../../kernel/layout.ts";
import type { TsyncInFlight } from "../../../kernel/tsync.ts";
import { tsyncBegin, tsyncFinish } from "../../../kernel/tsync.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { OPEN } from "../../oracles/access.ts";
import type { Scenario } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "./exec-images.ts";
import { countIs, execsAreOver, makeOwned, makeThread, state } from "./exec-images.ts";
import type { Pair } from "./kcmp-pair.ts";
import { compare, judgeAnswers, makePair, pairIsWhole, statesOf } from "./kcmp-pair.ts";

/** Two tasks, and a writer that stays at one of them. */
interface Held {
  readonly pair: Pair;
  readonly flight: TsyncInFlight;
}

function hold(k: Kernel, which: "a" | "b"): Held {
  const pair = makePair(k, CLONE_VM);
  const flight = tsyncBegin(k, pair[which].task);
  k.t.lockdep.handOff([LockClass.execUpdate]);
  return { pair, flight };
}

/** The writer goes, and nothing is left of the waits for it. */
function release(k: Kernel, { pair, flight }: Held, which: "a" | "b"): string | null {
  k.t.lockdep.takeOver([LockClass.execUpdate]);
  tsyncFinish(k, flight);
  return pairIsWhole(k, pair, which === "a" ? [1, 0] : [0, 1]);
}

/** What a thread is told that must not sleep. */
function tryToCompare(k: Kernel, one: Owned, other: Owned): number {
  k.t.maySleep = false;
  const result = compare(k, one, other, KcmpType.VM);
  endWait(k);
  k.t.maySleep = true;
  return result;
}

function refused(which: "a" | "b", name: string): Scenario {
  return scenario({
    name: `kcmp/refused-${name}`,
    about: `who has been killed, or must not sleep, compares nothing while a writer stays at the ${name} task`,
    paths: [Path.kcmp],
    quick: true,
    setup: (k) => {
      const killed = words(k, 1);
      k.m.store(killed, 1);
      return { held: hold(k, which), killed };
    },
    threads: {
      victim: (k, { held: { pair }, killed }): number => {
        k.t.interruptWord = killed;
        return compare(k, pair.a, pair.b, KcmpType.VM);
      },
      server: (k, { held: { pair } }): number => tryToCompare(k, pair.a, pair.b),
    },
    check: (k, { held }, { victim, server }) =>
      victim === WAIT_EINTR && server === WAIT_WOULD_BLOCK
        ? release(k, held, which)
        : `the answers are ${victim} and ${server}`,
  });
}

export const refusedFirst = refused("a", "first");
export const refusedSecond = refused("b", "second");

/** How often parked requests have been told to try again, of which this thread pretends to have one. */
function wakeUps(k: Kernel, action: () => void): number {
  const { m, t } = k;
  m.add(t.parkWord + 1, 1);
  const before = m.load(t.parkWord);
  action();
  const after = m.load(t.parkWord);
  m.add(t.parkWord + 1, -1);
  return after - before;
}

function wakesNobody(which: "a" | "b", name: string): Scenario {
  return scenario({
    name: `kcmp/wakes-nobody-${name}`,
    about: `who must not sleep, and gives up since a writer stays at the ${name} task, has nobody tried again in vain`,
    paths: [Path.kcmp],
    quick: true,
    setup: (k) => hold(k, which),
    threads: {
      forth: (k, { pair: { a, b } }): number => wakeUps(k, () => tryToCompare(k, a, b)),
      back: (k, { pair: { a, b } }): number => wakeUps(k, () => tryToCompare(k, b, a)),
    },
    check: (k, held, { forth, back }) =>
      forth === 0 && back === 0 ? release(k, held, which) : `requests were woken ${forth} and ${back} times`,
  });
}

export const wakesNobodyFirst = wakesNobody("a", "first");
export const wakesNobodySecond = wakesNobody("b", "second");

export const counted = scenario({
  name: "kcmp/counted",
  about: "one comparison that nothing is in the way of, and one beside a writer that stays: the counters say just that",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => ({ held: hold(k, "a"), other: makeOwned(k) }),
  threads: {
    free: (k, { held, other }): number => compare(k, held.pair.b, other, KcmpType.VM),
    server: (k, { held: { pair } }): number => tryToCompare(k, pair.a, pair.b),
  },
  check: (k, { held, other }, { free, server }, form) => {
    if (free <= 0 || server !== WAIT_WOULD_BLOCK) return `the answers are ${free} and ${server}`;
    const counts: number[] = [];
    for (const event of [Event.speculated, Event.retried, Event.fellBack, Event.waited]) {
      counts.push(eventCount(k, Path.kcmp, event));
    }
    // Who must not sleep, and won't come again, has not waited.
    const expected = form === "lockfree" ? "1 0 1 0" : "0 0 2 0";
    if (counts.join(" ") !== expected) return `the counts are ${counts.join(" ")}, not ${expected}`;
    return release(k, held, "a") ?? execsAreOver(k, other, 0);
  },
});

/** A comparison, and the end of one of the tasks while a writer is at the other one. */
function reapedWhileWaiting(which: "a" | "b", name: string): Scenario {
  return scenario({
    name: `kcmp/reaped-${name}`,
    about: `the ${name} task is reaped while a comparison waits for a writer at the other one: what it looks at stays`,
    paths: [Path.kcmp],
    quick: true,
    setup: (k) => makePair(k, CLONE_VM),
    threads: {
      reader: (k, { a, b }): number => compare(k, a, b, KcmpType.VM),
      writer: (k, pair): number => {
        const flight = tsyncBegin(k, pair[which === "a" ? "b" : "a"].task);
        const { task } = pair[which];
        exitGroup(k, task, 0);
        const error = reap(k, task);
        tsyncFinish(k, flight);
        return error;
      },
    },
    check: (k, pair, { reader, writer }) => {
      if (writer !== 0) return `the process was not reaped: ${writer}`;
      const { kept } = pair;
      const dead = pair[which];
      const living = pair[which === "a" ? "b" : "a"];
      const ends = [state(OPEN, 1, kept), state(OPEN, 1, 0)];
      const stays = statesOf(kept, null, 0);
      const states = which === "a" ? { first: ends, second: stays } : { first: stays, second: ends };
      return (
        (reader === -ESRCH ? null : judgeAnswers([{ result: reader, ...states }])) ??
        execsAreOver(k, living, 1) ??
        countIs(k, "the living task", living.task + TASK.usage, 1) ??
        countIs(k, "the dead task", dead.task + TASK.usage, 0) ??
        countIs(k, "the dead process", dead.signal + SIGNAL.sigcnt, 0) ??
        countIs(k, "the address space", kept + MM.mmUsers, 2)
      );
    },
  });
}

export const reapedFirst = reapedWhileWaiting("a", "first");
export const reapedSecond = reapedWhileWaiting("b", "second");

/** Each comparison ends without a lock, begun once and not spoilt, or is one that fell back. */
function comparisonsAre(k: Kernel, expected: number): string | null {
  const speculated = eventCount(k, Path.kcmp, Event.speculated);
  const retried = eventCount(k, Path.kcmp, Event.retried);
  const fellBack = eventCount(k, Path.kcmp, Event.fellBack);
  if (speculated - retried + fellBack === expected) return null;
  return `${expected} comparisons were counted as ${speculated} begun, ${retried} of them spoilt, and ${fellBack} with locks`;
}

/** A thread, as if it were a process of its own. */
function ownedThread(k: Kernel, { signal, sequence }: Owned, task: Ptr): Owned {
  return { pid: k.m.load(task + TASK.pid), task, signal, sequence };
}

export const oneProcess = scenario({
  name: "kcmp/one-process",
  about: "two threads of one process are compared, and a writer comes: the lock that both have is taken once",
  paths: [Path.kcmp],
  quick: true,
  setup: (k) => {
    const owned = makeOwned(k);
    return { owned, thread: ownedThread(k, owned, makeThread(k, owned)) };
  },
  threads: {
    reader: (k, { owned, thread }): number => compare(k, owned, thread, KcmpType.VM),
    writer: (k, { owned }): boolean => tsyncFinish(k, tsyncBegin(k, owned.task)),
  },
  check: (k, { owned, thread }, { reader }) =>
    (reader === 0 ? null : `the answer is ${reader}`) ??
    comparisonsAre(k, 1) ??
    execsAreOver(k, owned, 1) ??
    countIs(k, "the leader", owned.task + TASK.usage, 1) ??
    countIs(k, "the thread", thread.task + TASK.usage, 1),
});
