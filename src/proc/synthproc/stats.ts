/**
 * /proc/synthproc/stats: counters of the read paths, and what the arena holds. Lines `name value`, after a legend whose
 * lines begin with #.
 */
import { cacheName } from "../../kernel/caches.ts";
import type { PathCounts, ThreadCounts } from "../../kernel/counters.ts";
import { EVENT_LABELS, EVENT_MEANINGS, eventLabel, readCounters, totalCounts } from "../../kernel/counters.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PATH_NAMES } from "../../kernel/knobs.ts";
import { HOST } from "../../kernel/layout.ts";
import { MAX_CACHES } from "../../shm/slab.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

/** What is shown of the waits of a path: the name of the line, and what it says. */
const WAIT_MEANINGS = {
  waited_ns: "time of all waits that are over: until the lock was taken, or the reader interrupted",
  longest_wait_ns: "time of the longest of them",
} as const;

/** What the threads of the lines are. */
const THREAD_MEANINGS: Readonly<Record<string, string>> = {
  "worker<n>": "serves requests",
  slow: "answers requests that had to wait; a wait's time is counted where it ends",
  "mutator<n>": "changes the table",
  reaped: "hears of what was reaped",
  main: "built the table",
  "thread<n>": "said nothing about itself",
  ended: "threads that have left",
};

/** What the lines mean. */
const LEGEND = [
  "Counts since the mount, by path; sys/synthproc/<path> switches between its lockfree and its locked form.",
  ...Object.entries(EVENT_MEANINGS).map(([name, meaning]) => `<path>.${eventLabel(name)}: ${meaning}`),
  ...Object.entries(WAIT_MEANINGS).map(([name, meaning]) => `<path>.${name}: ${meaning}`),
  "revalidate.<...>: rcu_walk and ref_walk count walks; the others how names in map_files are looked up, as maps does it",
  "<thread>.<path>.<...>: the same of one thread",
  ...Object.entries(THREAD_MEANINGS).map(([name, meaning]) => `<thread> ${name}: ${meaning}`),
  "waiting: requests that wait for a lock now (transport dev)",
  "tasks, processes: alive now, threads included and not; forks: since boot, those before the mount included",
  "arena.used_bytes, slab.<cache>: shared memory handed out, and objects in use by kind",
  "Times (_ns) are in nanoseconds. What is zero is left out.",
];

/** All that the file shows, as numbers. */
export interface Stats {
  /** Every thread there is, and those that have left. */
  readonly threads: readonly ThreadCounts[];
  /** All threads together, by path id. */
  readonly paths: readonly PathCounts[];
  /** Requests that wait for a lock now. */
  readonly waiting: number;
  readonly tasks: number;
  readonly processes: number;
  /** Since boot. */
  readonly forks: number;
  /** Bytes. */
  readonly arenaUsed: number;
  /** Objects in use, by the name of their cache; empty ones left out. */
  readonly slabs: readonly { readonly name: string; readonly live: number }[];
}

/** Takes all numbers now. */
export function readStats(k: Kernel): Stats {
  const threads = readCounters(k);
  const slabs: { name: string; live: number }[] = [];
  for (let cache = 0; cache < MAX_CACHES; cache++) {
    const live = k.slab.live(cache);
    if (live !== 0) slabs.push({ name: cacheName(cache), live });
  }
  return {
    threads,
    paths: totalCounts(threads),
    waiting: k.m.load(HOST.parkWord + 1),
    tasks: k.m.load(HOST.nrThreads),
    processes: k.m.load(HOST.nrProcesses),
    forks: k.m.load64(HOST.totalForks),
    arenaUsed: k.slab.usedBytes(),
    slabs,
  };
}

/** The file: see {@link LEGEND}. */
export function showCounters(c: Context, out: Text): number {
  formatStats(readStats(c.k), out);
  return 0;
}

function formatStats(stats: Stats, out: Text): void {
  for (const text of LEGEND) out.str("# ").str(text).str("\n");
  pathLines(out, "", stats.paths);
  for (const { name, paths } of stats.threads) pathLines(out, `${name}.`, paths);
  if (stats.waiting !== 0) line(out, "waiting", stats.waiting);
  line(out, "tasks", stats.tasks);
  line(out, "processes", stats.processes);
  line(out, "forks", stats.forks);
  line(out, "arena.used_bytes", stats.arenaUsed);
  for (const { name, live } of stats.slabs) line(out, `slab.${name}`, live);
}

function pathLines(out: Text, prefix: string, paths: readonly PathCounts[]): void {
  for (let path = 0; path < paths.length; path++) {
    const { events, waitedNs, longestWaitNs } = paths[path] as PathCounts;
    const name = `${prefix}${PATH_NAMES[path] as string}.`;
    for (let event = 0; event < events.length; event++) {
      const count = events[event] as number;
      if (count !== 0) line(out, `${name}${EVENT_LABELS[event] as string}`, count);
    }
    if (waitedNs !== 0) line(out, `${name}waited_ns`, waitedNs);
    if (longestWaitNs !== 0) line(out, `${name}longest_wait_ns`, longestWaitNs);
  }
}

function line(out: Text, name: string, value: number): void {
  out.str(name).str(" ").dec(value).str("\n");
}
