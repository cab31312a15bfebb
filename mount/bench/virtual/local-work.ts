/**
 * What readers do besides the protocols: measured on the real /proc of this machine, with nobody in the way, before virtual
 * CPUs are given as much to do.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "simple-statistics";

/** The kinds of work; nanoseconds of each. */
export const WORK_NAMES = [
  /** A path walk of `ps -fe`, with all that ps does for it. */
  "walk",
  /** Opening, reading and closing a small file. */
  "read",
  /** A system call. */
  "call",
  /** One record of each of these. */
  "maps",
  "smaps",
  "smaps_rollup",
  "numa_maps",
  "timers",
] as const;
export type WorkName = (typeof WORK_NAMES)[number];

export type LocalWork = Readonly<Partial<Record<WorkName, number>>>;

/** What running the real ps has shown. */
export interface PsMeasurement {
  readonly command: string;
  /** Path walks into directories of processes, of one run. */
  readonly walks: number;
  /** Nanoseconds of CPU time, user and system, of one run. */
  readonly cpuNs: number;
  /** The same of a run that looks at no process: what starting it costs. */
  readonly startWalks: number;
  readonly startCpuNs: number;
}

/** Thrown if something can't be measured here. */
export class LocalWorkError extends Error {
  override readonly name = "LocalWorkError";
}

const PS_RUNS = 100;
const REPEATS = 201;
const NS_PER_MS = 1e6;
/** As the published test had it: the time zone is not looked up again for each process. */
const PS_ENVIRONMENT = { ...process.env, TZ: "/etc/localtime", LC_ALL: "C" };
const ALL = "ps -fe";
const NONE = "ps --version";

/** Runs `ps -fe` under strace, to count its walks, and without, to time it. @throws LocalWorkError */
export function measurePs(): PsMeasurement {
  return {
    command: ALL,
    walks: countWalks(ALL),
    cpuNs: cpuTime(ALL),
    startWalks: countWalks(NONE),
    startCpuNs: cpuTime(NONE),
  };
}

/** What one more walk costs. */
export function walkNs({ walks, cpuNs, startWalks, startCpuNs }: PsMeasurement): number {
  return Math.round((cpuNs - startCpuNs) / (walks - startWalks));
}

/** Path walks below a process's directory: names in the arguments of system calls that take some. */
function countWalks(command: string): number {
  const dir = mkdtempSync(join(tmpdir(), "synthproc-ps-"));
  try {
    const output = join(dir, "strace");
    run("strace", ["-f", "-qq", "-e", "trace=%file", "-e", "signal=none", "-o", output, ...command.split(" ")]);
    return readFileSync(output, "utf8").match(/"\/proc\/\d+/g)?.length ?? 0;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** CPU time of one of many runs: the shell's account of its children. */
function cpuTime(command: string): number {
  const script = `i=0; while [ $i -lt ${PS_RUNS} ]; do ${command} >/dev/null; i=$((i+1)); done; times`;
  const children = run("sh", ["-c", script]).trim().split("\n").at(-1) ?? "";
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => 60 * +minutes! + +seconds!);
  if (times.length !== 2) throw new LocalWorkError(`sh: times says "${children}"`);
  return Math.round(((times[0]! + times[1]!) / PS_RUNS) * 1e9);
}

function run(program: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: PS_ENVIRONMENT });
  if (error !== undefined) throw new LocalWorkError(`${program} can't be run: ${error.message}`);
  if (status !== 0) throw new LocalWorkError(`${program} failed: ${stderr.trim()}`);
  return stdout;
}

/** Measures what is asked for, except walks. */
export function measureReads(names: ReadonlySet<WorkName>): LocalWork {
  const work: Partial<Record<WorkName, number>> = {};
  const small = medianNs(() => readWhole("io"));
  if (names.has("read")) work.read = small;
  if (names.has("call")) work.call = medianNs(() => process.kill(process.pid, 0));
  for (const name of ["maps", "smaps", "smaps_rollup", "numa_maps"] as const) {
    if (names.has(name)) work[name] = perRecord(name, small);
  }
  // Nothing here has timers; a record is as much text as one of maps.
  if (names.has("timers")) work.timers = work.maps ?? perRecord("maps", small);
  return work;
}

/** What a record costs beyond opening and closing: nanoseconds. */
function perRecord(file: string, small: number): number {
  const records = readFileSync("/proc/self/maps", "latin1").trim().split("\n").length;
  return Math.max(1, Math.round((medianNs(() => readWhole(file)) - small) / records));
}

const buffer = new Uint8Array(65536);

function readWhole(name: string): void {
  const fd = openSync(`/proc/self/${name}`, "r");
  while (readSync(fd, buffer) > 0);
  closeSync(fd);
}

function medianNs(body: () => void): number {
  const times: number[] = [];
  const end = performance.now() + MOST_MS;
  for (let i = 0; i < REPEATS && (i < 3 || performance.now() < end); i++) {
    const start = performance.now();
    body();
    times.push((performance.now() - start) * NS_PER_MS);
  }
  return Math.round(median(times));
}

/** Milliseconds for the repetitions of one measurement. */
const MOST_MS = 500;
