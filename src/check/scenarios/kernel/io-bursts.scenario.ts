/** /proc/<pid>/task/<tid>/io of a thread that does I/O again and again, and the sum of every kind of it. */
import { IoSnapshot, accountIo, doIoAccounting } from "../../../kernel/io-accounting.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import type { State } from "../../history.ts";
import { OPEN } from "../../oracles/access.ts";
import type { IoRead } from "../../oracles/io.ts";
import { imageCounters, judgeIo } from "../../oracles/io.ts";
import { scenario } from "../../scenario.ts";
import { OWNER, caller, execsAreOver, makeOwned, ownsAlone, state } from "./exec-images.ts";

/** What the owner reads. @param whole the group, not the thread alone */
function read(k: Kernel, task: Ptr, whole: boolean): IoRead {
  const s = new IoSnapshot();
  const error = doIoAccounting(k, task, whole, caller(OWNER), s);
  const counters = [s.rchar, s.wchar, s.syscr, s.syscw, s.readBytes, s.writeBytes, s.cancelledWriteBytes] as const;
  return { who: "owner", error, counters };
}

/** A burst that shows in the first counter that is read, and in the last one that is written. */
const BURST = { rchar: 1, wchar: 0, syscr: 0, syscw: 0, readBytes: 0, writeBytes: 1 };

function afterBursts(count: number): State {
  return state(OPEN, count, 0, 0, 0, 0, count, 0);
}

export const bursts = scenario({
  name: "io/bursts",
  about: "a reader of a thread that reads and writes twice: it sees bursts whole, also with stats_lock",
  paths: [Path.io],
  quick: true,
  setup: (k) => makeOwned(k),
  threads: {
    reader: (k, { task }): IoRead => read(k, task, false),
    writer: (k, { task }): void => {
      accountIo(k, task, BURST);
      accountIo(k, task, BURST);
    },
  },
  check: (k, owned, { reader }) =>
    judgeIo(reader, [afterBursts(0), afterBursts(1), afterBursts(2)]) ??
    execsAreOver(k, owned, 0) ??
    ownsAlone(k, owned.task),
});

/** Adds to each counter what the oracle can tell from the others. */
function accountAll(k: Kernel, task: Ptr): void {
  const [rchar, wchar, syscr, syscw, readBytes, writeBytes] = imageCounters(1);
  accountIo(k, task, { rchar, wchar, syscr, syscw, readBytes, writeBytes });
}

export const kinds = scenario({
  name: "io/kinds",
  about: "two threads do I/O of every kind: each counter of a thread, and of both together, has all of it",
  paths: [Path.io],
  quick: true,
  setup: (k) => makeOwned(k),
  threads: {
    first: (k, { task }): void => accountAll(k, task),
    second: (k, { task }): void => accountAll(k, task),
  },
  check: (k, owned) =>
    judgeIo(read(k, owned.task, false), [state(OPEN, ...imageCounters(2))]) ??
    judgeIo(read(k, owned.task, true), [state(OPEN, ...imageCounters(2))]) ??
    execsAreOver(k, owned, 0) ??
    ownsAlone(k, owned.task),
});
