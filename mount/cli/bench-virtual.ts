/** `synthproc bench --virtual-cpus`: the same comparisons on a computed machine of many CPUs. */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { LocalWork, WorkName } from "../bench/virtual/local-work.ts";
import { LocalWorkError, WORK_NAMES } from "../bench/virtual/local-work.ts";
import { renderHtml } from "../bench/virtual/report/html.ts";
import { renderText } from "../bench/virtual/report/text.ts";
import { runVirtual, VIRTUAL_NAMES } from "../bench/virtual/run.ts";
import type { BenchPlan } from "../bench/plan.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";

/** What the command line says to it. */
export interface VirtualFlags {
  json: boolean;
  html?: string;
  seed?: number;
  virtualCpus: number;
  localWork?: string;
}

/** Runs, and @returns the report. @throws Interrupted, CommandError */
export async function benchVirtual(
  names: readonly string[],
  flags: VirtualFlags,
  stdout: NodeJS.WriteStream,
  guard: Pick<BenchPlan, "signal" | "onProgress">,
): Promise<string> {
  const localWork = flags.localWork === undefined ? {} : parseLocalWork(flags.localWork);
  const plan = {
    names: names.length === 0 ? VIRTUAL_NAMES : names,
    cpus: flags.virtualCpus,
    seed: flags.seed ?? randomInt(2 ** 32),
    localWork,
    ...guard,
  };
  try {
    const result = await runVirtual(plan);
    if (flags.html !== undefined) writeFileSync(flags.html, renderHtml(result));
    if (flags.json) return `${JSON.stringify(result)}\n`;
    return renderText(result, { columns: stdout.columns, colour: stdout.isTTY === true });
  } catch (error) {
    if (!(error instanceof LocalWorkError)) throw error;
    throw new CommandError(EXIT.failed, `local work can't be measured: ${error.message}; give it with --local-work`);
  }
}

/** @throws CommandError if virtual CPUs can't do one of these */
export function checkVirtual(names: readonly string[]): void {
  const unknown = names.find((name) => !VIRTUAL_NAMES.includes(name));
  if (unknown === undefined) return;
  const there = VIRTUAL_NAMES.join(", ");
  throw new CommandError(EXIT.usage, `virtual CPUs have no benchmark "${unknown}"; they have ${there}`);
}

/** `9300`, a walk, or `walk=9300,read=4800`: nanoseconds. @throws CommandError */
export function parseLocalWork(text: string): LocalWork {
  const work: Partial<Record<WorkName, number>> = {};
  for (const part of text.split(",")) {
    const match = /^(?:(\w+)=)?(\d{1,9})$/.exec(part);
    const name = WORK_NAMES.find((known) => known === (match?.[1] ?? "walk"));
    if (match === null || name === undefined) {
      throw new CommandError(EXIT.usage, `--local-work: "${part}" is no NAME=NANOSECONDS; names: ${WORK_NAMES.join()}`);
    }
    work[name] = Number(match[2]);
  }
  return work;
}
