/** A running simulation with its mount: what the commands (and tests of agents) start and stop. */
import { randomInt } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import type { KernelConfig } from "../src/kernel/config.ts";
import { endHolding } from "../src/kernel/exec-hold.ts";
import { Kernel } from "../src/kernel/kernel.ts";
import { HOST } from "../src/kernel/layout.ts";
import { Role, roleWord } from "../src/kernel/thread-role.ts";
import { buildScenario } from "../src/mutate/build/build.ts";
import { kernelConfig } from "../src/mutate/build/config.ts";
import { hostView } from "../src/mutate/build/host.ts";
import type { Built } from "../src/mutate/built.ts";
import { publishMembers } from "../src/mutate/run/members.ts";
import { Mutator } from "../src/mutate/run/mutator.ts";
import type { Scenario } from "../src/mutate/scenario.ts";
import { monotonicNs } from "./clock.ts";
import { controlFile, submitCommand } from "./control-file.ts";
import { MountError } from "./errors.ts";
import type { FileSystemData } from "./file-system.ts";
import type { MetricsServer } from "./metrics.ts";
import { prepareMountPoint } from "./mount-point.ts";
import { createMountShared, mountFileSystem } from "./mount.ts";
import type { MountShared, MountedFileSystem } from "./mount.ts";
import type { MutatorThreadData } from "./mutator-thread.ts";
import { defaultWorkers, MOUNT_NAME } from "./options.ts";
import type { SimulationOptions, SimulationPlan } from "./simulation-options.ts";
import { planSimulation } from "./simulation-options.ts";
import { TableThreads } from "./table-threads.ts";

export type { SimulationOptions };

export interface Simulation {
  /** Absolute path of the mount point. */
  readonly dir: string;
  readonly seed: number;
  readonly transport: "dev" | "fuse-native";
  /** Why this transport: one clause. */
  readonly why: string;
  /** Processes at the start. */
  readonly processes: number;
  /** URL of the Prometheus metrics; null if none are served. */
  readonly metrics: string | null;
  /**
   * Makes something happen now: a command as `synthproc ctl` takes it, such as "exec 120 /usr/bin/foo".
   * @returns what the command says, without the newline: a new pid, an address, or nothing
   * @throws MountError ESYNTH_COMMAND if it is refused; the message says why
   */
  command(line: string): Promise<string>;
  /** May be called again; all calls end together. @throws MountError ESYNTH_UNMOUNT_FAILED */
  unmount(): Promise<void>;
  /** Resolves once nothing is mounted and no thread runs any more, whoever unmounted. Never rejects. */
  readonly closed: Promise<void>;
}

export interface CaptureOptions {
  /** Empty: all processes. */
  pids: readonly number[];
  /** Where the proc to capture is mounted. */
  procRoot: string;
  /** False leaves environments out, which often hold secrets. */
  environ: boolean;
}

/** Bytes reserved for the arena; pages cost memory when they are first touched. Machines that refuse get the next. */
const ARENA_SIZES = [8 * 2 ** 30, 4 * 2 ** 30, 2 ** 30] as const;
/**
 * Pids that simulations leave to the real machine, so that a tool's own pid is not taken: new processes have pids from
 * 300 on (RESERVED_PIDS) once pids have wrapped around, and few machines get beyond the end.
 */
export const REAL_PIDS = [300, 100_000] as const;
/** Below this there is no room to leave any. */
const PID_MAX_TO_AVOID = 200_000;
/** Everybody sees the network of this simulated process, and in a plain mount its mounts too. */
const INIT_PID = "1";
const NS_PER_MS = 1e6;
/**
 * Wall time, in seconds, of a table that stands still: with the real time, boot would be at another second in each mount
 * of the same seed. 2026-01-01 12:00:00 UTC.
 */
const STANDING_NOW = 1_767_268_800;

/** A table, built and standing still. */
interface Table {
  readonly kernel: Kernel;
  readonly config: KernelConfig;
  readonly built: Built;
}

/**
 * Builds a scenario, mounts it and lets it run.
 *
 * The program that calls this must not look into the mount with synchronous calls: use child processes, or fs/promises.
 *
 * @throws ScenarioError, BuildError (the scenario can't be made), MountError; nothing stays mounted and no thread stays
 *   behind
 */
export async function startSimulation(given: SimulationOptions): Promise<Simulation> {
  const options = planSimulation(given);
  await checkPlaces(options);
  const seed = options.seed ?? randomInt(2 ** 32);
  options.logger.info(`seed ${seed}`);
  const metrics = await startMetrics(options);
  try {
    const table = buildTable(options, seed);
    metrics?.show(table.kernel);
    return await startServing(table, options, metrics);
  } catch (error) {
    await metrics?.close();
    throw error;
  }
}

/** Takes the port before the table is built. */
async function startMetrics({ metrics: address, logger }: SimulationPlan): Promise<MetricsServer | null> {
  if (address === undefined) return null;
  const { MetricsServer } = await import("./metrics.ts");
  const server = await MetricsServer.listen(address);
  logger.info(`metrics on ${server.url}`);
  return server;
}

async function startServing(table: Table, options: SimulationPlan, metrics: MetricsServer | null): Promise<Simulation> {
  const threads = new TableThreads(table.kernel, options.logger);
  try {
    return await serveTable(table, options, threads, metrics);
  } catch (error) {
    await threads.stop();
    throw error;
  }
}

/** What would fail after the table has been built, which may take a while, fails before. */
async function checkPlaces({ dir, record, logger }: SimulationPlan): Promise<void> {
  const { clearedStale } = await prepareMountPoint(dir, MOUNT_NAME, "/proc");
  if (clearedStale) logger.warn(`cleared a dead mount of ours from ${dir}`);
  if (record !== undefined) closeSync(openSync(record, "a", 0o600));
}

async function serveTable(
  table: Table,
  options: SimulationPlan,
  threads: TableThreads,
  metrics: MetricsServer | null,
): Promise<Simulation> {
  const shared = createMountShared({ buffer: table.kernel.m.buffer, index: HOST.parkWord });
  const fileSystem = fileSystemData(table, options);
  const reaped = threads.start("reaped-thread", "reaped", { fileSystem, ring: shared.ring });
  const mutators = options.ticks === undefined ? startMutators(table, options, threads) : Promise.resolve();
  await Promise.all([reaped, mutators]);
  const mounted = await mountTable(fileSystem, options, shared);
  const closed = mounted.closed.then(() => Promise.all([threads.stop(), metrics?.close()])).then(() => undefined);
  return {
    dir: mounted.dir,
    seed: table.built.seed >>> 0,
    transport: mounted.transport,
    why: mounted.why,
    processes: table.built.pids.reduce((sum, pids) => sum + pids.length, 0),
    metrics: metrics?.url ?? null,
    command: async (line) => {
      const { accepted, text } = await submitCommand(controlFile(mounted.dir), line);
      if (!accepted) throw new MountError("ESYNTH_COMMAND", `${line}: ${text}`);
      return text.trimEnd();
    },
    unmount: async () => {
      letWaitersGo(table.kernel);
      await mounted.unmount();
      await closed;
    },
    closed,
  };
}

/** Whoever waits for a writer that is held on purpose would keep the mount in use. */
function letWaitersGo(kernel: Kernel): void {
  kernel.busy();
  endHolding(kernel);
  kernel.idle();
}

function buildTable(options: SimulationPlan, seed: number): Table {
  const { scenario } = options.scenario;
  const config = kernelConfig(scenario, {
    seed,
    now: options.ticks === undefined ? Math.floor(Date.now() / 1000) : STANDING_NOW,
    pidAvoid: scenario.host.pidMax > PID_MAX_TO_AVOID ? REAL_PIDS : [0, 0],
  });
  const kernel = createKernel(config, options.debug);
  const built = buildScenario(kernel, scenario, options.onProgress);
  publishMembers(kernel, built);
  kernel.m.store(HOST.hidepid, scenario.faults.hidepid);
  kernel.m.store(HOST.mutatorPaused, options.paused ? 1 : 0);
  kernel.m.store(HOST.mutatorSpeed, Math.round(options.speed * 100));
  if (options.ticks !== undefined) runTicks(kernel, scenario, built, options.ticks);
  return { kernel, config, built };
}

/** Moves a table on by so many ticks, all in this thread: the same seed always gives the same table. */
function runTicks(kernel: Kernel, scenario: Scenario, built: Built, ticks: number): void {
  const mutator = new Mutator(kernel, scenario, built, { index: 0, count: 1, seed: built.seed });
  for (let tick = 0; tick < ticks; tick++) mutator.tick(scenario.tickMs * NS_PER_MS);
  mutator.end();
}

async function startMutators(table: Table, options: SimulationPlan, threads: TableThreads): Promise<void> {
  const { kernel, config, built } = table;
  const starts: Promise<void>[] = [];
  for (let index = 0; index < options.mutators; index++) {
    const data: MutatorThreadData = {
      arena: kernel.m.buffer,
      config,
      scenario: options.scenario.scenario,
      built,
      place: { index, count: options.mutators, seed: built.seed },
      realtime: true,
      ticks: Infinity,
      lockdep: options.debug,
    };
    starts.push(threads.start("mutator-thread", `mutator-${index}`, data));
  }
  await Promise.all(starts);
}

/** The largest arena that this machine lets us reserve. */
export function createKernel(config: KernelConfig, debug: boolean): Kernel {
  const options = { debug, now: monotonicNs, role: roleWord(Role.main) };
  for (const bytes of ARENA_SIZES.slice(0, -1)) {
    try {
      return Kernel.create(bytes, config, options);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return Kernel.create(ARENA_SIZES[ARENA_SIZES.length - 1] as number, config, options);
}

function fileSystemData(table: Table, options: SimulationPlan): FileSystemData {
  const inPrivateProc = options.realProc !== undefined;
  return {
    arena: table.kernel.m.buffer,
    config: table.config,
    scenario: options.scenario.scenario,
    host: hostView(options.scenario.scenario, table.config, {
      realProc: options.realProc ?? "/proc",
      netOf: INIT_PID,
      mountsOf: inPrivateProc ? "self" : INIT_PID,
    }),
    scenarioText: options.scenario.text,
    lockdep: options.debug,
    threads: options.workers ?? defaultWorkers(),
  };
}

function mountTable(data: FileSystemData, options: SimulationPlan, shared: MountShared): Promise<MountedFileSystem> {
  return mountFileSystem({
    dir: options.dir,
    fileSystemModule: moduleBeside("file-system"),
    data,
    transport: options.transport,
    debug: options.debug,
    logger: options.logger,
    shared,
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.record === undefined ? {} : { record: options.record }),
  });
}

/** URL of a module of this folder, or of its bundle if this code itself runs from one. */
export function moduleBeside(name: string): string {
  const here = import.meta.url;
  return new URL(`./${name}${here.endsWith(".ts") ? ".ts" : ".js"}`, here).href;
}
