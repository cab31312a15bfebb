/** A running simulation with its mount: what the commands (and tests of agents) start and stop. */
import type { Scenario } from "../src/mutate/scenario.ts";
import { MountError } from "./errors.ts";
import type { Logger } from "./options.ts";
import type { TransportName } from "./transport/transport.ts";

export interface SimulationOptions {
  /** Existing directory to mount on. */
  dir: string;
  scenario: Scenario;
  /** Text of the scenario, for /proc/synthproc/scenario. */
  scenarioText: string;
  /** Serving threads; undefined: one per CPU, at most four. */
  workers: number | undefined;
  /** Threads that change the table. */
  mutators: number;
  transport: TransportName;
  /** Undefined: one is drawn. */
  seed: number | undefined;
  /** Simulate so many ticks before serving, as fast as possible, and then stand still; undefined: go on in real time. */
  ticks: number | undefined;
  /** Simulated seconds per second. */
  speed: number;
  paused: boolean;
  logger: Logger;
  /** Logs one line a request at level debug. */
  debug: boolean;
  /** Records every message in this file; undefined: none. */
  record: string | undefined;
  /** For a private /proc: where its users find the real proc; undefined: /proc. */
  realProc: string | undefined;
  /** Called while a large table is built. */
  onProgress?: (built: number, total: number) => void;
}

export interface Simulation {
  /** Absolute path of the mount point. */
  readonly dir: string;
  readonly seed: number;
  readonly transport: "dev" | "fuse-native";
  /** Why this transport: one clause. */
  readonly why: string;
  /** Processes at the start. */
  readonly processes: number;
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

function notYet(what: string): Promise<never> {
  return Promise.reject(new MountError("ESYNTH_THREAD", `${what} is not wired up yet.`));
}

/** @throws MountError; nothing stays mounted and no thread stays behind. */
export function startSimulation(options: SimulationOptions): Promise<Simulation> {
  return notYet(`A simulation on ${options.dir}`);
}

/** The scenario, as YAML, that describes a real /proc. */
export function captureScenario(options: CaptureOptions): Promise<string> {
  return notYet(`Capturing ${options.procRoot}`);
}
