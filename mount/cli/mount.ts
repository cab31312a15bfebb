/** `synthproc mount DIR`: starts a simulation and serves it until it is unmounted. */
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { createLogger, FdSink, SwitchableSink } from "../log.ts";
import type { Logger } from "../options.ts";
import { loadScenario } from "../scenario-files.ts";
import { startSimulation } from "../simulation.ts";
import type { Simulation, SimulationOptions } from "../simulation.ts";
import { forgetMark, isDaemonCopy, reportReady, startDaemon } from "./daemon.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";
import type { SimulationFlags } from "./options.ts";
import { progressLine } from "./progress.ts";

export interface MountFlags extends SimulationFlags {
  daemon: boolean;
  json: boolean;
  logFile?: string;
}

/** @param argv the command line as it was given, for a daemon to repeat. */
export async function mount(dir: string, flags: MountFlags, argv: readonly string[]): Promise<number> {
  if (flags.logFile !== undefined) checkLogFile(flags.logFile, flags.daemon);
  const copy = isDaemonCopy();
  if (flags.daemon && !copy) {
    return startDaemon(argv, process.stdout);
  }
  forgetMark();
  const sink = new SwitchableSink(new FdSink(2));
  const options = simulationOptions(dir, flags, sink);
  const simulation = await startSimulation(options);
  const ready = readyText(simulation, flags);
  unmountOnSignals(simulation);
  if (copy) {
    await reportReady(ready, flags.logFile === undefined ? undefined : resolve(flags.logFile), sink);
    options.logger.info(ready.trim());
  } else {
    process.stdout.write(ready);
  }
  await simulation.closed;
  options.logger.info(`unmounted from ${simulation.dir}`);
  return EXIT.ok;
}

/** Before anything is mounted: a daemon that can't log would have to unmount again. */
function checkLogFile(file: string, daemon: boolean): void {
  if (!daemon) throw new CommandError(EXIT.usage, "--log-file needs --daemon; otherwise, redirect standard error");
  closeSync(openSync(file, "a"));
}

/**
 * Options of a simulation from those of the command line.
 *
 * @param realProc only for a private /proc: where the real one stays visible.
 * @throws ScenarioError
 */
export function simulationOptions(
  dir: string,
  flags: SimulationFlags,
  sink: SwitchableSink,
  realProc?: string,
): SimulationOptions & { logger: Logger } {
  const onProgress = progressLine(process.stderr, flags.progress);
  return {
    dir: resolve(dir),
    scenario: loadScenario(flags.scenario),
    workers: flags.workers,
    mutators: flags.mutators,
    transport: flags.transport,
    seed: flags.seed,
    ticks: flags.ticks,
    speed: flags.speed,
    paused: flags.paused,
    logger: createLogger(flags.logLevel, flags.logFormat, sink, process.stderr.isTTY === true),
    debug: flags.debug,
    record: flags.record === undefined ? undefined : resolve(flags.record),
    metrics: flags.metrics,
    realProc,
    onProgress,
  };
}

function readyText(simulation: Simulation, flags: MountFlags): string {
  const { dir, seed, transport, why, processes, metrics } = simulation;
  if (flags.json) {
    const more = metrics === null ? {} : { metrics };
    return `${JSON.stringify({ dir, seed, transport, why, processes, pid: process.pid, ...more })}\n`;
  }
  const where = metrics === null ? "" : `, metrics on ${metrics}`;
  return `mounted on ${dir}: ${processes} processes, seed ${seed}, transport ${transport} (${why})${where}\n`;
}

/** A failed unmount ends up on standard error with its exit status, since nothing else waits for it. */
function unmountOnSignals(simulation: Simulation): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      simulation.unmount().catch((error: Error) => {
        process.stderr.write(`synthproc: ${error.message}\n`);
        process.exit(EXIT.mountFailed);
      });
    });
  }
}
