/** `synthproc bench`: the patched paths against the previous ones, in one run. */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { runBench } from "../bench/bench.ts";
import { BENCH_NAMES, describeBench, PS } from "../bench/catalogue.ts";
import { Interrupted } from "../bench/plan.ts";
import type { BenchPlan } from "../bench/plan.ts";
import type { BenchOptions, BenchResult } from "../bench/result.ts";
import { progressOn } from "./bar.ts";
import type { VirtualFlags } from "./bench-virtual.ts";
import { EXIT, statusOfSignal } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";
import { checkWritable } from "./writable.ts";

/** As the command line gives them. */
export interface BenchFlags {
  json: boolean;
  html?: string;
  list: boolean;
  rounds: number;
  seconds: number;
  seed?: number;
  where: BenchOptions["where"];
  readers: number;
  ps: number[];
  /** Given: computed CPUs instead of those of this machine. */
  virtualCpus?: number;
  localWork?: string;
}

export interface BenchStreams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Measures, and prints the report; nothing else goes to standard output. */
export async function bench(names: readonly string[], flags: BenchFlags, streams: BenchStreams): Promise<number> {
  const { virtualCpus } = flags;
  if (virtualCpus !== undefined) return virtual(names, { ...flags, virtualCpus }, streams);
  checkNames(names);
  if (flags.list) {
    streams.stdout.write(listText(names.length === 0 ? BENCH_NAMES : names));
    return EXIT.ok;
  }
  if (flags.html !== undefined) checkWritable(flags.html);
  const result = await guarded(streams.stderr, (guard) => runBench({ ...planOf(names, flags), ...guard }));
  if (typeof result === "number") return result;
  if (flags.html !== undefined) {
    const { renderHtml } = await import("../bench/report/html.ts");
    writeFileSync(flags.html, renderHtml(result));
  }
  streams.stdout.write(await reportText(result, flags.json, streams.stdout));
  return EXIT.ok;
}

function checkNames(names: readonly string[]): void {
  const unknown = names.find((name) => !BENCH_NAMES.includes(name));
  if (unknown === undefined) return;
  throw new CommandError(EXIT.usage, `there is no benchmark "${unknown}"; there are ${BENCH_NAMES.join(", ")}`);
}

/** One line on each name. */
function listText(names: readonly string[]): string {
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) => `${name.padEnd(width)}  ${describeBench(name)}\n`).join("");
}

async function virtual(names: readonly string[], flags: VirtualFlags, streams: BenchStreams): Promise<number> {
  const { benchVirtual, checkVirtual } = await import("./bench-virtual.ts");
  checkVirtual(names);
  if (flags.html !== undefined) checkWritable(flags.html);
  const text = await guarded(streams.stderr, (guard) => benchVirtual(names, flags, streams.stdout, guard));
  if (typeof text === "number") return text;
  streams.stdout.write(text);
  return EXIT.ok;
}

/** What a run finds; or, after a signal, the status that is owed to it, once everything has been cleaned up. */
async function guarded<T>(
  stderr: NodeJS.WriteStream,
  run: (guard: Pick<BenchPlan, "signal" | "onProgress">) => Promise<T>,
): Promise<T | number> {
  const abort = new AbortController();
  let status = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    status ||= statusOfSignal(constants.signals[signal]);
    abort.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const progress = progressOn(stderr, "bench");
  try {
    return await run({ signal: abort.signal, onProgress: progress.show });
  } catch (error) {
    // A signal from a terminal ends the clients too, so that the first to fail need not be who heard of it.
    if (abort.signal.aborted && status !== 0) return status;
    throw error instanceof Interrupted ? new CommandError(EXIT.failed, error.message) : error;
  } finally {
    progress.end();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function planOf(names: readonly string[], flags: BenchFlags): Omit<BenchPlan, "signal" | "onProgress"> {
  const asked = names.length === 0 ? BENCH_NAMES : BENCH_NAMES.filter((name) => names.includes(name));
  // Without names, everything that the place allows.
  const wanted = names.length === 0 && flags.where === "in-process" ? asked.filter((name) => name !== PS) : asked;
  return {
    names: [...wanted],
    where: flags.where,
    rounds: flags.rounds,
    secondsPerRound: flags.seconds,
    readers: flags.readers,
    ps: wanted.includes(PS) ? [...flags.ps] : [],
    seed: flags.seed ?? randomInt(2 ** 32),
  };
}

async function reportText(result: BenchResult, json: boolean, stdout: NodeJS.WriteStream): Promise<string> {
  if (json) return `${JSON.stringify(result)}\n`;
  const { renderText } = await import("../bench/report/text.ts");
  return renderText(result, { columns: stdout.columns, colour: stdout.isTTY === true });
}
