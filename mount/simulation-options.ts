/** What startSimulation() takes, and what it makes of what is left out. */
import { MountError } from "./errors.ts";
import type { MetricsAddress } from "./metrics-address.ts";
import { parseMetricsAddress } from "./metrics-address.ts";
import type { Logger } from "./options.ts";
import { SILENT } from "./options.ts";
import type { LoadedScenario } from "./scenario-files.ts";
import { loadScenario } from "./scenario-files.ts";
import type { TransportName } from "./transport/transport.ts";

export interface SimulationOptions {
  /** Existing directory to mount on. */
  dir: string;
  /** A shipped scenario's name, a file's path, or what loadScenario() gave. */
  scenario: string | LoadedScenario;
  /** Serving threads, 1 to 64; default: one per CPU, at most four. */
  workers?: number | undefined;
  /** Threads that change the table, 1 to 64; default: 1. */
  mutators?: number | undefined;
  /** Default: "auto". */
  transport?: TransportName | undefined;
  /** Seed of everything random, 0 to 2^32 - 1; default: one is drawn. */
  seed?: number | undefined;
  /** Simulate so many ticks before serving, as fast as possible, and then stand still; default: go on in real time. */
  ticks?: number | undefined;
  /** Simulated seconds per second, above 0, at most 1000; default: 1. */
  speed?: number | undefined;
  /** Starts with the table standing still. */
  paused?: boolean | undefined;
  /** Default: nothing is logged. */
  logger?: Logger | undefined;
  /** Logs one line a request at level debug. */
  debug?: boolean | undefined;
  /** Records every message in this file; transport "dev" only. */
  record?: string | undefined;
  /** Serves Prometheus metrics on this port (0: any) of 127.0.0.1, or on "HOST:PORT"; default: nowhere. */
  metrics?: number | string | undefined;
  /** For a private /proc: where its users find the real proc; default: /proc. */
  realProc?: string | undefined;
  /** Called while a large table is built. */
  onProgress?: ((built: number, total: number) => void) | undefined;
}

/** Options with all defaults filled in; undefined where it has a meaning of its own. */
export interface SimulationPlan extends Omit<SimulationOptions, "scenario" | "metrics"> {
  scenario: LoadedScenario;
  /** Undefined: nowhere. */
  metrics: MetricsAddress | undefined;
  mutators: number;
  transport: TransportName;
  speed: number;
  paused: boolean;
  logger: Logger;
  debug: boolean;
}

const MAX_SPEED = 1000;

/** @throws ScenarioError; MountError ESYNTH_OPTION */
export function planSimulation(options: SimulationOptions): SimulationPlan {
  checkInteger("mutators", options.mutators, 1, 64);
  checkInteger("seed", options.seed, 0, 2 ** 32 - 1);
  checkInteger("ticks", options.ticks, 0, 1e9);
  const { scenario, speed = 1 } = options;
  if (!(speed > 0 && speed <= MAX_SPEED)) {
    throw new MountError("ESYNTH_OPTION", `The speed must be above 0 and at most ${MAX_SPEED}, not ${speed}.`);
  }
  return {
    ...options,
    scenario: typeof scenario === "string" ? loadScenario(scenario) : scenario,
    metrics: options.metrics === undefined ? undefined : parseMetricsAddress(options.metrics),
    mutators: options.mutators ?? 1,
    transport: options.transport ?? "auto",
    speed,
    paused: options.paused ?? false,
    logger: options.logger ?? SILENT,
    debug: options.debug ?? false,
  };
}

function checkInteger(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new MountError(
    "ESYNTH_OPTION",
    `The option ${name} must be a whole number from ${least} to ${most}, not ${value}.`,
  );
}
