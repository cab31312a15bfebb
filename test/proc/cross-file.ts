/** Do the files of one process, and of the whole machine, tell the same story? Read through the file system alone. */
import type { VfsClient } from "./vfs-client.ts";

const PAGE = 4096;
const KIB_PER_PAGE = 4;

/** Lines `Key: value` as a map from key to the value's text. */
export function fields(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) out.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return out;
}

/** Sum of `Key:  N kB` over all mappings of smaps. */
function sumOf(smaps: string, key: string): number {
  let sum = 0;
  for (const match of smaps.matchAll(new RegExp(`^${key}: +(\\d+) kB$`, "gm"))) sum += Number(match[1]);
  return sum;
}

/** Bytes mapped, the gate area left out. */
function mappedBytes(maps: string): number {
  let sum = 0;
  for (const match of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) .*$/gm)) {
    if (match[0].endsWith("[vsyscall]")) continue;
    sum += Number.parseInt(match[2] as string, 16) - Number.parseInt(match[1] as string, 16);
  }
  return sum;
}

/** Fields of stat after the name, from the state on: index 0 is the state. */
export function statFields(stat: string): string[] {
  return stat
    .slice(stat.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
}

export interface Finding {
  what: string;
  left: number | string;
  right: number | string;
}

class Comparison {
  readonly findings: Finding[] = [];

  same(what: string, left: number | string, right: number | string): void {
    if (left !== right) this.findings.push({ what, left, right });
  }
}

/**
 * What contradicts itself in the files of process `pid`; empty if all is well.
 * @throws ErrnoError if the process is in the middle of a slow exec: its files would have to be waited for
 * @pre nothing changes meanwhile
 */
export function contradictions(client: VfsClient, pid: number): Finding[] {
  const check = new Comparison();
  const read = (name: string): string => client.cat(`${pid}/${name}`);
  const status = fields(read("status"));
  const stat = statFields(read("stat"));
  const threads = client.opendir(`${pid}/task`).list().length - 2;
  check.same("Threads and entries of task/", Number(status.get("Threads")), threads);
  check.same("num_threads and entries of task/", Number(stat[17]), threads);
  check.same("PPid and field 4 of stat", Number(status.get("PPid")), Number(stat[1]));
  check.same("state", (status.get("State") as string)[0] as string, stat[0] as string);
  check.same("nlink of task/", client.stat(`${pid}/task`).nlink, threads + 2);
  const parent = Number(stat[1]);
  if (parent !== 0) {
    const children = client.cat(`${parent}/task/${parent}/children`).trim().split(" ");
    check.same(`children of ${parent} hold ${pid}`, children.includes(String(pid)) ? 1 : 0, 1);
  }
  if (status.has("VmSize")) compareMemory(check, read, status, stat);
  return check.findings;
}

/** As {@link contradictions}, for the files that describe the address space alone. */
export function memoryContradictions(client: VfsClient, pid: number): Finding[] {
  const check = new Comparison();
  const read = (name: string): string => client.cat(`${pid}/${name}`);
  const status = fields(read("status"));
  if (status.has("VmSize")) compareMemory(check, read, status, statFields(read("stat")));
  return check.findings;
}

function compareMemory(
  check: Comparison,
  read: (name: string) => string,
  status: Map<string, string>,
  stat: string[],
): void {
  const kib = (key: string): number => Number.parseInt(status.get(key) as string, 10);
  const [size, resident, shared, , , data] = read("statm").trim().split(" ").map(Number) as number[];
  const smaps = read("smaps");
  const rollup = read("smaps_rollup");
  check.same("statm size and VmSize", (size as number) * KIB_PER_PAGE, kib("VmSize"));
  check.same("statm size and vsize of stat", (size as number) * PAGE, Number(stat[20]));
  check.same("statm size and the sum over maps", (size as number) * PAGE, mappedBytes(read("maps")));
  check.same("statm resident and VmRSS", (resident as number) * KIB_PER_PAGE, kib("VmRSS"));
  check.same("statm resident and rss of stat", resident as number, Number(stat[21]));
  check.same("VmRSS and its parts", kib("VmRSS"), kib("RssAnon") + kib("RssFile") + kib("RssShmem"));
  check.same(
    "statm shared and RssFile + RssShmem",
    (shared as number) * KIB_PER_PAGE,
    kib("RssFile") + kib("RssShmem"),
  );
  check.same("statm data and VmData + VmStk", (data as number) * KIB_PER_PAGE, kib("VmData") + kib("VmStk"));
  check.same("VmRSS and the sum of Rss over smaps", kib("VmRSS"), sumOf(smaps, "Rss"));
  check.same("VmSwap and the sum of Swap over smaps", kib("VmSwap"), sumOf(smaps, "Swap"));
  check.same("smaps_rollup and the sum of Rss over smaps", sumOf(rollup, "Rss"), sumOf(smaps, "Rss"));
  check.same("Anonymous and RssAnon", sumOf(rollup, "Anonymous"), kib("RssAnon"));
  check.same("VmHWM is at least VmRSS", kib("VmHWM") >= kib("VmRSS") ? 1 : 0, 1);
  check.same("VmPeak is at least VmSize", kib("VmPeak") >= kib("VmSize") ? 1 : 0, 1);
}

/** What the files at the root say that the processes contradict. @pre nothing changes meanwhile */
export function machineContradictions(client: VfsClient): Finding[] {
  const check = new Comparison();
  const pids = processIds(client);
  let threads = 0;
  let running = 0;
  for (const pid of pids) {
    for (const entry of client.opendir(`${pid}/task`).list().slice(2)) {
      threads++;
      if (statFields(client.cat(`${pid}/task/${entry.name}/stat`))[0] === "R") running++;
    }
  }
  const stat = client.cat("stat");
  const loadavg = client.cat("loadavg").split(" ")[3] as string;
  const subdirectories = client
    .opendir("")
    .list()
    .filter((entry) => entry.type === 4 && !/^\d|^\./.test(entry.name));
  // Who reads /proc is running: a real machine never says 0.
  const atLeast = Math.max(1, running);
  check.same("procs_running and threads in state R", Number(/^procs_running (\d+)$/m.exec(stat)?.[1]), atLeast);
  check.same("loadavg and threads", loadavg, `${atLeast}/${threads}`);
  check.same("nlink of /proc", client.stat("").nlink, 2 + subdirectories.length + pids.length);
  const memory = fields(client.cat("meminfo"));
  const kib = (key: string): number => Number.parseInt(memory.get(key) as string, 10);
  check.same(
    "memory free and available fit the total",
    kib("MemFree") <= kib("MemAvailable") && kib("MemAvailable") <= kib("MemTotal") ? 1 : 0,
    1,
  );
  return check.findings;
}

/** The processes that readdir of /proc lists. */
export function processIds(client: VfsClient): number[] {
  return client
    .opendir("")
    .list()
    .map((entry) => Number(entry.name))
    .filter((pid) => pid > 0);
}
