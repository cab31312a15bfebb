/** Options that several commands share, and the parsers of their values. */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { LOG_FORMATS, LOG_LEVELS } from "../log.ts";
import type { LogFormat, LogLevel } from "../log.ts";
import { errorText } from "../errors.ts";
import { parseMetricsAddress } from "../metrics-address.ts";
import type { TransportName } from "../transport/transport.ts";

export const MAX_THREADS = 64;
export const MAX_SEED = 2 ** 32 - 1;

/** Options of `mount` and `run`. */
export interface SimulationFlags {
  scenario: string;
  seed?: number;
  workers?: number;
  mutators: number;
  transport: TransportName;
  ticks?: number;
  speed: number;
  paused: boolean;
  record?: string;
  metrics?: string;
  debug: boolean;
  progress: boolean;
  logLevel: LogLevel;
  logFormat: LogFormat;
}

/** Parser of a whole number between two bounds. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Parser of a whole number between two bounds, or `all`. */
export function integerOrAll(least: number, most: number): (text: string) => number | "all" {
  return (text) => {
    if (text === "all") return text;
    if (!/^\d+$/.test(text))
      throw new InvalidArgumentError(`It must be "all" or a whole number from ${least} to ${most}.`);
    return integer(least, most)(text);
  };
}

/** Parser of the name of a file or folder, which an unset variable is none of. */
export function file(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must be a name.");
  return text;
}

/** Parser of whole numbers between two bounds, with commas between them. */
export function integerList(least: number, most: number): (text: string) => number[] {
  const one = integer(least, most);
  return (text) => text.split(",").map(one);
}

/** Parser of a number between two bounds. */
export function decimal(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
    }
    return value;
  };
}

function speed(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value > 0 && value <= 1000)) {
    throw new InvalidArgumentError("It must be a number above 0, at most 1000.");
  }
  return value;
}

function metricsAddress(text: string): string {
  try {
    parseMetricsAddress(text);
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
  return text;
}

/** Adds what a simulation needs to know. */
export function addSimulationOptions(command: Command): Command {
  return command
    .option("-s, --scenario <name|file>", "shipped scenario, YAML file, or - for standard input", "webserver")
    .option("--seed <n>", "seed of everything random (default: drawn, and printed)", integer(0, MAX_SEED))
    .option("-w, --workers <n>", "serving threads (default: one per CPU, at most 4)", integer(1, MAX_THREADS))
    .option("-m, --mutators <n>", "threads that change the table", integer(1, MAX_THREADS), 1)
    .addOption(
      new Option("-t, --transport <kind>", "how to reach the kernel; auto takes dev where it can")
        .choices(["auto", "dev", "fuse-native"])
        .default("auto"),
    )
    .option("--ticks <n>", "simulate so many ticks from a fixed date, then stand still and serve", integer(0, 1e9))
    .option("--speed <factor>", "simulated seconds per second", speed, 1)
    .option("--paused", "start with the table standing still", false)
    .option("--record <file>", "record every FUSE message in a file (transport dev)", file)
    .option("--metrics <[host:]port>", "serve Prometheus metrics over HTTP; port 0: any", metricsAddress)
    .option("--debug", "log one line a request (with --log-level debug)", false)
    .option("--progress", "show progress while the table is built, even without a terminal", false);
}

/** Adds what logs need to know. */
export function addLogOptions(command: Command, level: LogLevel): Command {
  return command
    .addOption(new Option("--log-level <level>", "least severity that is logged").choices(LOG_LEVELS).default(level))
    .addOption(new Option("--log-format <format>", "auto: text on a terminal").choices(LOG_FORMATS).default("auto"));
}
