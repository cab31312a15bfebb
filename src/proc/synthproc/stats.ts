/**
 * /proc/synthproc/stats: counters of the read paths, and what the arena holds. Lines `name value`, after a legend whose
 * lines begin with #.
 */
import { cacheName } from "../../kernel/caches.ts";
import { EVENT_MEANINGS, EVENT_NAMES, PATHS, eventCount } from "../../kernel/counters.ts";
import type { EventId } from "../../kernel/counters.ts";
import { PATH_NAMES } from "../../kernel/knobs.ts";
import { HOST } from "../../kernel/layout.ts";
import { MAX_CACHES } from "../../shm/slab.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

/** What the lines mean. */
const LEGEND = [
  "Counts since the mount, by path; sys/synthproc/<path> switches between its lockfree and its locked form.",
  ...Object.entries(EVENT_MEANINGS).map(([event, meaning]) => `<path>.${event}: ${meaning}`),
  "tasks, processes: alive now, threads included and not; forks: since boot, those before the mount included",
  "arena.used_bytes, slab.<cache>: shared memory handed out, and objects in use by kind",
  "What is zero is left out.",
];

/** Lines `<path>.<event> <count>`, then `arena.used_bytes`, `tasks`, and `slab.<cache> <objects>`; zeros left out. */
export function showCounters(c: Context, out: Text): number {
  const { k } = c;
  for (const text of LEGEND) out.str("# ").str(text).str("\n");
  for (let path = 0; path < PATHS; path++) {
    for (let event = 0; event < EVENT_NAMES.length; event++) {
      const count = eventCount(k, path, event as EventId);
      if (count !== 0) line(out, `${PATH_NAMES[path] as string}.${EVENT_NAMES[event] as string}`, count);
    }
  }
  line(out, "tasks", k.m.load(HOST.nrThreads));
  line(out, "processes", k.m.load(HOST.nrProcesses));
  line(out, "forks", k.m.load64(HOST.totalForks));
  line(out, "arena.used_bytes", k.slab.usedBytes());
  for (let cache = 0; cache < MAX_CACHES; cache++) {
    const live = k.slab.live(cache);
    if (live !== 0) line(out, `slab.${cacheName(cache)}`, live);
  }
  return 0;
}

function line(out: Text, name: string, value: number): void {
  out.str(name).str(" ").dec(value).str("\n");
}
