/** News of reaped tasks: a ring that many put into and one takes out of. */
import { drainReaped, noteReaped, waitReaped } from "../../../kernel/exit-events.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { REAPED_ENTRIES } from "../../../kernel/layout.ts";
import { scenario } from "../../scenario.ts";

/** As long as nothing happens; nobody waits for it to run out. */
const FOR_EVER = 1e9;
/** More than there are. */
const ALL = 2 * REAPED_ENTRIES;

interface News {
  readonly pids: readonly number[];
  /** True if the reader was told that some were lost. */
  readonly lost: boolean;
}

/** A thread has been reaped, whose process's id follows from its own. */
function note(k: Kernel, pid: number): void {
  noteReaped(k, -pid, pid);
}

function take(pids: number[], tgid: number, pid: number): void {
  if (tgid !== -pid) throw new Error(`process ${tgid} and thread ${pid} are of different news`);
  pids.push(pid);
}

/** All that is there now. */
function drain(k: Kernel): News {
  const pids: number[] = [];
  const count = drainReaped(k, (tgid, pid) => take(pids, tgid, pid), ALL);
  return { pids, lost: count < 0 };
}

/** Sleeps and takes until there have been so many. */
function drainUntil(k: Kernel, wanted: number): number[] {
  k.idle();
  const all: number[] = [];
  while (all.length < wanted) {
    const { pids, lost } = drain(k);
    if (lost) throw new Error("news were lost from a ring with room");
    for (const pid of pids) all.push(pid);
    if (pids.length === 0) waitReaped(k, FOR_EVER);
  }
  return all;
}

export const told = scenario({
  name: "pid/news",
  about: "two threads reap while a third waits for the news: it is woken, and is told of each once",
  together: true,
  setup: () => null,
  threads: {
    reader: (k): number[] => drainUntil(k, 2),
    first: (k): void => note(k, 40),
    second: (k): void => note(k, 50),
  },
  check: (k, _plan, { reader }) => {
    const pids = [...reader, ...drain(k).pids].sort((a, b) => a - b);
    return pids.join(" ") === "40 50" ? null : `the reader was told of ${pids.join(", ")}`;
  },
});

export const full = scenario({
  name: "pid/news-full",
  about: "the ring has room for one, while two put in and one takes out: what does not fit is said to be lost",
  setup: (k) => {
    for (let pid = 1; pid < REAPED_ENTRIES; pid++) note(k, pid);
    return null;
  },
  threads: {
    reader: (k): News => drain(k),
    first: (k): void => note(k, 40_000),
    second: (k): void => note(k, 50_000),
  },
  check: (k, _plan, { reader }) => {
    const rest = drain(k);
    // There is room again.
    note(k, 60_000);
    const last = drain(k);
    if (last.lost || last.pids.join(" ") !== "60000") return `afterwards the news were ${last.pids.join(" ")}`;
    const pids = [...reader.pids, ...rest.pids];
    const old = pids.filter((pid) => pid < 40_000);
    if (!old.every((pid, i) => pid === i + 1) || old.length !== REAPED_ENTRIES - 1) return "old news are not in order";
    const fresh = pids.slice(old.length).sort((a, b) => a - b);
    const lost = reader.lost || rest.lost;
    const expected = lost ? 1 : 2;
    return fresh.length === expected && new Set(fresh).size === expected
      ? null
      : `the new news are ${fresh.join(", ")}, ${lost ? "some" : "none"} lost`;
  },
});
