/** From a scenario to what every thread of the simulation knows: files, programs, wait kinds, cgroups, sizes. */
import type { ImageFile, KernelConfig, Program } from "../../kernel/config.ts";
import { PAGE_SIZE } from "../../kernel/layout.ts";
import type { Behaviour, Group, Host, Scenario } from "../scenario-types.ts";
import { furtherLibraries } from "./libraries.ts";
import { dataFile, executable, library, roundUp, setuidOf } from "./images.ts";
import { scenarioWaitKinds } from "./wait-kinds.ts";

/** What the scenario leaves open. */
export interface ConfigOptions {
  /** Seed of everything that is left to chance. */
  readonly seed: number;
  /** Wall time now, in seconds since the epoch. */
  readonly now: number;
  /** Pids [low, high) that are never handed out by themselves; none if absent. */
  readonly pidAvoid?: readonly [number, number];
}

const KIB = 1024;
const DEFAULT_PROGRAM_SIZE = 140 * KIB;
const DEFAULT_HEAP = 132 * KIB;
const DEFAULT_BSS = 8 * KIB;
/** What the C library and the dynamic linker map for themselves. */
const START_ANONYMOUS = [12 * KIB, 8 * KIB];
/** A kernel stack of 16 KiB for each thread, on an eighth of the memory. */
const THREAD_SHARE = 8 * 16 * KIB;
const DEFAULT_LIBRARIES = ["/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"];

/** Programs that a control command or a fault may execute, whatever the scenario says. */
const USUAL_PROGRAMS = [
  "/bin/sh",
  "/bin/true",
  "/usr/bin/sleep",
  "/usr/bin/cat",
  "/usr/bin/env",
  "/usr/bin/passwd",
  "/usr/bin/sudo",
];

/** The configuration of a simulation of `scenario`. */
export function kernelConfig(scenario: Scenario, options: ConfigOptions): KernelConfig {
  const { host } = scenario;
  const files = new FileTable(host);
  const programs = collectPrograms(scenario, files);
  for (const group of scenario.groups) {
    for (const path of furtherLibraries(group)) files.addLibrary(path);
    for (const file of group.memory.files) files.add(dataFile(host, file.path, roundUp(file.size)));
  }
  return {
    seed: options.seed | 0,
    pidMax: host.pidMax,
    pidAvoid: options.pidAvoid ?? [0, 0],
    threadsMax: threadsMax(host),
    realtimeAtBoot: host.bootTime ?? Math.floor(options.now - host.uptimeMs / 1000),
    memTotal: host.memory,
    swapTotal: host.swap,
    cpus: host.cpus,
    waitKinds: scenarioWaitKinds(scenario),
    files: files.files,
    programs,
    cgroups: [...new Set(scenario.groups.map(cgroupText))],
  };
}

/** kernel.threads-max of a host. */
function threadsMax(host: Host): number {
  return host.threadsMax ?? Math.floor(host.memory / THREAD_SHARE);
}

/** The lines of /proc/<pid>/cgroup of a group's processes, without the last newline. */
export function cgroupText(group: Group): string {
  const captured = group.exact?.files["cgroup"];
  return captured === undefined ? `0::${group.cgroup}` : captured.replace(/\n$/, "");
}

/** Files by path; the first one to name a path decides what it is. */
class FileTable {
  readonly files: ImageFile[] = [];
  private readonly index = new Map<string, number>();
  private readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  add(file: ImageFile): number {
    const known = this.index.get(file.path);
    if (known !== undefined) return known;
    this.index.set(file.path, this.files.length);
    return this.files.push(file) - 1;
  }

  program(path: string, size: number): number {
    return this.add(executable(this.host, path, size));
  }

  addLibrary(path: string): number {
    return this.add(library(this.host, path));
  }
}

interface Wanted {
  size: number;
  libraries: readonly string[];
}

/** Every executable that the scenario names, with the largest size that a group gives it. */
function collectPrograms(scenario: Scenario, files: FileTable): Program[] {
  const wanted = new Map<string, Wanted>();
  for (const { exe, kernel, exact, memory } of scenario.groups) {
    if (kernel || exact !== null || exe === "") continue;
    const before = wanted.get(exe);
    if (before === undefined || before.size < memory.exeSize) {
      wanted.set(exe, { size: memory.exeSize, libraries: memory.libs });
    }
  }
  for (const path of [...executedPaths(scenario), ...USUAL_PROGRAMS]) {
    if (!wanted.has(path)) wanted.set(path, { size: DEFAULT_PROGRAM_SIZE, libraries: DEFAULT_LIBRARIES });
  }
  return [...wanted].map(([path, one]) => program(path, one, files));
}

function program(path: string, { size, libraries }: Wanted, files: FileTable): Program {
  return {
    path,
    file: files.program(path, size),
    libraries: libraries.map((name) => files.addLibrary(name)),
    bss: Math.max(DEFAULT_BSS, Math.floor(size / 32 / PAGE_SIZE) * PAGE_SIZE),
    heap: DEFAULT_HEAP,
    anonymous: START_ANONYMOUS,
    setuid: setuidOf(path),
  };
}

/** Paths that behaviours execute, in the order in which they stand. */
function executedPaths(scenario: Scenario): string[] {
  const paths: string[] = [];
  for (const group of scenario.groups) notePaths(group.behaviours, paths);
  for (const phase of scenario.phases) {
    for (const action of phase.actions) if (action.kind === "set") notePaths(action.behaviours, paths);
  }
  return paths;
}

function notePaths(behaviours: readonly Behaviour[], paths: string[]): void {
  for (const behaviour of behaviours) {
    if (behaviour.kind === "fork") paths.push(...behaviour.exec.map(({ exe }) => exe));
    if (behaviour.kind === "exec") paths.push(...behaviour.programs.map(({ exe }) => exe));
  }
}

/** The program of a path, or undefined. */
export function findProgram(config: KernelConfig, path: string): Program | undefined {
  return config.programs.find((one) => one.path === path);
}
