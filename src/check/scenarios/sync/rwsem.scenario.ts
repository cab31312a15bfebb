/** The reader/writer semaphore by itself. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { LockClass } from "../../../sync/lockdep.ts";
import {
  RWSEM_WORDS,
  downRead,
  downReadKillable,
  downReadTrylock,
  downWrite,
  downWriteKillable,
  downWriteTrylock,
  rwsemInitHeld,
  rwsemIsContended,
  rwsemIsLocked,
  upRead,
  upWrite,
} from "../../../sync/rwsem.ts";
import { WAIT_EINTR, WAIT_OK, WAIT_WOULD_BLOCK } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { parkUntil } from "./parking.ts";

const { mmap } = LockClass;

/** A lock, and two words that writers keep equal. */
interface Plan {
  readonly sem: Ptr;
  readonly data: Ptr;
  /** Not 0 once the waiter has been killed. */
  readonly killed: Ptr;
}

type Pair = [number, number];

function plan(k: Kernel): Plan {
  return { sem: words(k, RWSEM_WORDS), data: words(k, 2), killed: words(k, 1) };
}

/** A lock that is held for read, by nobody in particular. */
function heldForRead(k: Kernel): Plan {
  const made = plan(k);
  downRead(k.t, made.sem, mmap);
  k.t.lockdep.handOff([mmap]);
  return made;
}

/** Gives back what {@link heldForRead} took. */
function release(k: Kernel, { sem }: Plan): void {
  k.t.lockdep.takeOver([mmap]);
  upRead(k.t, sem, mmap);
}

function look(k: Kernel, { data }: Plan): Pair {
  return [k.m.load(data), k.m.load(data + 1)];
}

/** Raises both words by one. @pre the lock is held for write */
function raise(k: Kernel, { data }: Plan): void {
  k.m.store(data, k.m.load(data) + 1);
  k.m.store(data + 1, k.m.load(data + 1) + 1);
}

function read(k: Kernel, plan: Plan): Pair {
  downRead(k.t, plan.sem, mmap);
  const pair = look(k, plan);
  upRead(k.t, plan.sem, mmap);
  return pair;
}

function write(k: Kernel, plan: Plan): void {
  downWrite(k.t, plan.sem, mmap);
  raise(k, plan);
  upWrite(k.t, plan.sem, mmap);
}

/** Reads, if the lock can be had. @returns what the wait gave, if not */
function readKillable(k: Kernel, plan: Plan): Pair | number {
  const result = downReadKillable(k.t, plan.sem, mmap);
  if (result !== WAIT_OK) return result;
  const pair = look(k, plan);
  upRead(k.t, plan.sem, mmap);
  return pair;
}

/** Writes, if the lock can be had. @returns what the wait gave */
function writeKillable(k: Kernel, plan: Plan): number {
  const result = downWriteKillable(k.t, plan.sem, mmap);
  if (result !== WAIT_OK) return result;
  raise(k, plan);
  upWrite(k.t, plan.sem, mmap);
  return result;
}

function kill(k: Kernel, { killed }: Plan): void {
  k.m.store(killed, 1);
}

/** What readers have seen is whole. @param seen numbers are waits that gave no lock, of which `refusal` is the right one */
function judgeReads(seen: readonly (Pair | number)[], refusal = WAIT_OK): string | null {
  for (const one of seen) {
    if (typeof one === "number" ? one !== refusal : one[0] !== one[1]) return `a reader got ${String(one)}`;
  }
  return null;
}

/** Nobody has the lock or wants it, and so many have written. */
function judgeRest(k: Kernel, { sem, data }: Plan, writes: number): string | null {
  if (rwsemIsLocked(k.t, sem)) return "the lock is still held";
  if (rwsemIsContended(k.t, sem)) return "somebody is still counted as a sleeper";
  if (!downReadTrylock(k.t, sem, mmap)) return "somebody is still counted as a waiting writer";
  upRead(k.t, sem, mmap);
  const [low, high] = [k.m.load(data), k.m.load(data + 1)];
  return low === writes && high === writes ? null : `the words are ${low} and ${high} after ${writes} writes`;
}

export const readerWriter = scenario({
  name: "rwsem/reader-writer",
  about: "a reader sees each write whole, twice",
  quick: true,
  setup: plan,
  threads: { reader: (k, plan): Pair[] => [read(k, plan), read(k, plan)], writer: write },
  check: (k, plan, { reader }) => judgeReads(reader) ?? judgeRest(k, plan, 1),
});

export const readersWriter = scenario({
  name: "rwsem/readers-writer",
  about: "two readers and a writer: nobody sleeps on, whoever comes when",
  quick: true,
  setup: plan,
  threads: { reader: read, other: read, writer: write },
  check: (k, plan, { reader, other }) => judgeReads([reader, other]) ?? judgeRest(k, plan, 1),
});

export const writers = scenario({
  name: "rwsem/writers",
  about: "two writers exclude each other, beside a reader",
  quick: true,
  setup: plan,
  threads: { first: write, second: write, reader: read },
  check: (k, plan, { reader }) => judgeReads([reader]) ?? judgeRest(k, plan, 2),
});

export const preference = scenario({
  name: "rwsem/writer-first",
  about: "while a writer waits for readers to go, no reader comes in",
  quick: true,
  together: true,
  setup: heldForRead,
  threads: {
    writer: write,
    newcomer: (k, plan): boolean => {
      const waiting = rwsemIsContended(k.t, plan.sem);
      const entered = downReadTrylock(k.t, plan.sem, mmap);
      if (entered) upRead(k.t, plan.sem, mmap);
      release(k, plan);
      return waiting && entered;
    },
  },
  check: (k, plan, { newcomer }) => (newcomer ? "a reader overtook a waiting writer" : judgeRest(k, plan, 1)),
});

export const tries = scenario({
  name: "rwsem/try",
  about: "who only tries for read or write gets the lock or not, and wakes who came meanwhile",
  quick: true,
  setup: plan,
  threads: {
    reader: (k, plan): Pair => {
      if (!downReadTrylock(k.t, plan.sem, mmap)) return [0, 0];
      const pair = look(k, plan);
      upRead(k.t, plan.sem, mmap);
      return pair;
    },
    trier: (k, plan): number => {
      if (!downWriteTrylock(k.t, plan.sem, mmap)) return 0;
      raise(k, plan);
      upWrite(k.t, plan.sem, mmap);
      return 1;
    },
    writer: write,
  },
  check: (k, plan, { reader, trier }) => judgeReads([reader]) ?? judgeRest(k, plan, 1 + trier),
});

export const readerKilled = scenario({
  name: "rwsem/kill-reader",
  about: "a reader is killed while the writer that it waits for lets go: it has the lock or not, and nobody sleeps on",
  quick: true,
  timeouts: 1,
  setup: plan,
  threads: {
    reader: (k, plan): Pair | number => {
      k.t.interruptWord = plan.killed;
      return readKillable(k, plan);
    },
    writer: write,
    killer: kill,
  },
  check: (k, plan, { reader }) => judgeReads([reader], WAIT_EINTR) ?? judgeRest(k, plan, 1),
});

export const writerKilled = scenario({
  name: "rwsem/kill-writer",
  about: "a writer is killed while the reader that it waits for lets go: it has the lock or not, and nobody sleeps on",
  quick: true,
  timeouts: 1,
  setup: plan,
  threads: {
    reader: read,
    writer: (k, plan): number => {
      k.t.interruptWord = plan.killed;
      return writeKillable(k, plan);
    },
    killer: kill,
  },
  check: (k, plan, { reader, writer }) => {
    if (writer !== WAIT_OK && writer !== WAIT_EINTR) return `the writer's wait gave ${writer}`;
    return judgeReads([reader]) ?? judgeRest(k, plan, writer === WAIT_OK ? 1 : 0);
  },
});

export const unkilled = scenario({
  name: "rwsem/unkilled",
  about: "a reader and two writers could be killed, but nobody is: each waits until it has the lock",
  quick: true,
  setup: plan,
  threads: {
    reader: (k, plan): Pair | number => {
      k.t.interruptWord = plan.killed;
      return readKillable(k, plan);
    },
    first: writeKillable,
    second: (k, plan): number => {
      k.t.interruptWord = plan.killed;
      return writeKillable(k, plan);
    },
  },
  check: (k, plan, { reader, first, second }) => {
    if (first !== WAIT_OK || second !== WAIT_OK) return `the writers' waits gave ${first} and ${second}`;
    return judgeReads([reader]) ?? judgeRest(k, plan, 2);
  },
});

/** Tries to read, then to write. @returns what the waits gave */
function readThenWrite(k: Kernel, plan: Plan): [Pair | number, number] {
  return [readKillable(k, plan), writeKillable(k, plan)];
}

export const refused = scenario({
  name: "rwsem/refused",
  about: "who has been killed, or must not sleep, doesn't wait for a lock that nobody gives back",
  quick: true,
  setup: (k: Kernel) => {
    const made = plan(k);
    downWrite(k.t, made.sem, mmap);
    k.t.lockdep.handOff([mmap]);
    kill(k, made);
    return made;
  },
  threads: {
    victim: (k, plan) => {
      k.t.interruptWord = plan.killed;
      return readThenWrite(k, plan);
    },
    server: (k, plan) => {
      k.t.maySleep = false;
      return readThenWrite(k, plan);
    },
  },
  check: (k, plan, { victim, server }) => {
    const waits = [...victim, ...server];
    if (waits.join() !== [WAIT_EINTR, WAIT_EINTR, WAIT_WOULD_BLOCK, WAIT_WOULD_BLOCK].join()) {
      return `the waits gave ${waits.join(", ")}`;
    }
    k.t.lockdep.takeOver([mmap]);
    upWrite(k.t, plan.sem, mmap);
    return judgeRest(k, plan, 0);
  },
});

export const behindKilled = scenario({
  name: "rwsem/behind-killed-writer",
  about: "a reader stepped back for a writer that is killed: it comes in beside the one that holds the lock",
  quick: true,
  setup: (k: Kernel) => {
    const held = heldForRead(k);
    kill(k, held);
    return held;
  },
  threads: {
    writer: (k, plan): number => {
      k.t.interruptWord = plan.killed;
      return writeKillable(k, plan);
    },
    // Only when it has had the lock does the one go that kept the writer out.
    reader: (k, plan): Pair => {
      const pair = read(k, plan);
      release(k, plan);
      return pair;
    },
  },
  check: (k, plan, { writer, reader }) => judgeReads([reader]) ?? judgeRest(k, plan, writer === WAIT_OK ? 1 : 0),
});

export const recheck = scenario({
  name: "rwsem/recheck",
  about: "sleepers look again by themselves while the lock changes hands: none is taken for another",
  timeouts: 1,
  setup: plan,
  threads: { reader: read, other: read, writer: write },
  check: (k, plan, { reader, other }) => judgeReads([reader, other]) ?? judgeRest(k, plan, 1),
});

export const wouldBlock = scenario({
  name: "rwsem/would-block",
  about: "a reader that must not sleep is sent away, and leaves no trace for those who do",
  quick: true,
  setup: plan,
  threads: {
    server: (k, plan): Pair | number => {
      k.t.maySleep = false;
      return readKillable(k, plan);
    },
    reader: read,
    writer: write,
  },
  check: (k, plan, { server, reader }) =>
    judgeReads([reader]) ?? judgeReads([server], WAIT_WOULD_BLOCK) ?? judgeRest(k, plan, 1),
});

export const writerWouldBlock = scenario({
  name: "rwsem/writer-would-block",
  about: "a writer that must not sleep is sent away, and leaves no trace for those who do",
  quick: true,
  setup: plan,
  threads: {
    server: (k, plan): number => {
      k.t.maySleep = false;
      return writeKillable(k, plan);
    },
    reader: read,
    writer: write,
  },
  check: (k, plan, { server, reader }) => {
    if (server !== WAIT_OK && server !== WAIT_WOULD_BLOCK) return `the server's wait gave ${server}`;
    return judgeReads([reader]) ?? judgeRest(k, plan, server === WAIT_OK ? 2 : 1);
  },
});

export const parked = scenario({
  name: "rwsem/parked",
  about: "a request that had to wait for the lock is tried again when a writer, or one who gave up, is out of its way",
  quick: true,
  setup: (k: Kernel) => {
    const made = plan(k);
    kill(k, made);
    return made;
  },
  threads: {
    server: (k, plan): Pair[] => {
      k.t.maySleep = false;
      const seen: Pair[] = [];
      parkUntil(k, () => {
        const one = readKillable(k, plan);
        if (typeof one !== "number") seen.push(one);
        return typeof one !== "number";
      });
      return seen;
    },
    writer: write,
    victim: (k, plan): number => {
      k.t.interruptWord = plan.killed;
      return writeKillable(k, plan);
    },
  },
  check: (k, plan, { server, victim }) =>
    server.length === 1
      ? (judgeReads(server) ?? judgeRest(k, plan, victim === WAIT_OK ? 2 : 1))
      : `the request was answered ${server.length} times`,
});

export const parkedWriter = scenario({
  name: "rwsem/parked-writer",
  about: "a request that had to wait for the lock in order to write is tried again when a reader is out of its way",
  quick: true,
  setup: plan,
  threads: {
    server: (k, plan): void => {
      k.t.maySleep = false;
      parkUntil(k, () => writeKillable(k, plan) === WAIT_OK);
    },
    reader: read,
  },
  check: (k, plan, { reader }) => judgeReads([reader]) ?? judgeRest(k, plan, 1),
});

export const bornHeld = scenario({
  name: "rwsem/born-held",
  about: "a lock is published while its maker holds it for write: who finds it waits for its maker",
  quick: true,
  setup: (k: Kernel) => ({ ...plan(k), found: words(k, 1) }),
  threads: {
    maker: (k, plan): void => {
      rwsemInitHeld(k.t, plan.sem, mmap);
      k.m.store(plan.found, plan.sem);
      raise(k, plan);
      upWrite(k.t, plan.sem, mmap);
    },
    reader: (k, plan): Pair | null => (k.m.load(plan.found) === NULL ? null : read(k, plan)),
  },
  check: (k, plan, { reader }) => {
    if (reader !== null && (reader[0] !== 1 || reader[1] !== 1)) return `the reader got ${reader.join(" and ")}`;
    return judgeRest(k, plan, 1);
  },
});

/** Word of the lock that counts how often sleepers were woken. */
const GENERATION = 2;

/** Reads and writes, in each way. */
function readsAndWrites(k: Kernel, plan: Plan): (Pair | number)[] {
  const first = read(k, plan);
  write(k, plan);
  return [first, readKillable(k, plan), writeKillable(k, plan)];
}

export const alone = scenario({
  name: "rwsem/alone",
  about: "who is alone with a lock has it each time, and wakes nobody",
  quick: true,
  setup: (k) => [plan(k), plan(k)] as const,
  threads: { first: (k, [plan]) => readsAndWrites(k, plan), second: (k, [, plan]) => readsAndWrites(k, plan) },
  check: (k, plans, { first, second }) => {
    const waited = [...first, ...second].join(" ");
    if (waited !== "0,0 1,1 0 0,0 1,1 0") return `reads and writes gave ${waited}`;
    for (const plan of plans) {
      const woken = k.m.load(plan.sem + GENERATION);
      const wrong = judgeRest(k, plan, 2) ?? (woken === 0 ? null : `sleepers were woken ${woken} times`);
      if (wrong !== null) return wrong;
    }
    return null;
  },
});
