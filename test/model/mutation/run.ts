/**
 * The mutation score of the protocol sources: runs every automatic mistake (mutants.ts) against the scenarios that reach
 * it, until one of them notices. `npm run test:mutants [-- --only src/sync] [-- --jobs 2] [-- --limit SECONDS]`
 *
 * Survivors are compared with survivors.yaml, which says for each why it survives. Status 1 if one survives that has no
 * reason there, or if one that is said to survive is noticed after all.
 */
import { createWriteStream, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import Table from "cli-table3";
import { parse } from "yaml";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import { inEachForm, loadScenarios } from "../../check/scenario-files.ts";
import type { Mutant } from "./mutants.ts";
import { instrument } from "./mutants.ts";
import { Pool } from "./pool.ts";
import { PROTOCOL_SOURCES } from "./sources.ts";
import type { Measured, Trial } from "./worker.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SURVIVORS = fileURLToPath(new URL("./survivors.yaml", import.meta.url));

/** How a survivor is excused. */
interface Reason {
  /**
   * equivalent: nothing that anybody could see changes; slower: it is right, and costs more; assertion: what is gone is an
   * assertion, which shipped code never trips; open: it is wrong, and nobody notices yet.
   */
  readonly kind: "equivalent" | "slower" | "assertion" | "open";
  readonly reason: string;
}

/** How a mutant fared. */
interface Fate {
  readonly mutant: Mutant;
  /** Who noticed, and what it said; null for a survivor. */
  readonly by: Trial | null;
  readonly said: string | null;
  /** Trials that were made, and how many reach the mutant. */
  readonly trials: number;
  readonly reach: number;
}

interface Options {
  readonly json: string;
  readonly only: string;
  readonly mutants: string;
  readonly scenarios: string;
  readonly jobs: string;
  readonly limit: string;
  readonly budget: string;
  readonly again: string;
  readonly first: string;
  readonly unexcused: boolean;
}

/** Milliseconds for one exploration, and after which a mutant is tried no more. */
interface Limits {
  readonly limitMs: number;
  readonly budgetMs: number;
}

const reasons = parse(readFileSync(SURVIVORS, "utf8")) as Record<string, Reason>;

/** A mutant may need more executions than the shipped code. */
const MORE = 4;
const AT_LEAST = 2000;

async function main(options: Options): Promise<void> {
  const { edits, mutants } = allMutants(options.only);
  refuseUnknown(mutants, edits);
  const wanted = wantedOf(mutants, options);
  const dir = new ProgramBuilder(ROOT).build({ edits });
  const pool = new Pool(dir, Number(options.jobs));
  try {
    const limits = { limitMs: Number(options.limit) * 1000, budgetMs: Number(options.budget) * 1000 };
    const measured = await measureAll(pool, limits.limitMs, new RegExp(options.scenarios));
    const first = noticedIn(options.first);
    const log = options.json === "" ? null : createWriteStream(options.json);
    const fates = await pool.each(wanted, async (mutant) => {
      const fate = await fateOf(pool, mutant, inOrder(measured, mutant, first.get(mutant.id)), limits);
      log?.write(`${JSON.stringify(fate)}\n`);
      return fate;
    });
    log?.end();
    report(fates);
  } finally {
    await pool.close();
    rmSync(dir, { recursive: true });
  }
}

/** Protocols of address spaces, all of which are about each file of src/mm. */
const OF_MM = ["maps", "smaps", "vma"];

/** True for scenarios that bear the name of the mutant's file, or are about its folder. */
function isAbout({ scenario }: Trial, { file }: Mutant): boolean {
  const name = basename(file, ".ts").replaceAll("-", "_");
  const protocol = scenario.slice(0, scenario.indexOf("/"));
  if (file.startsWith("src/mm/") && OF_MM.includes(protocol)) return true;
  return name.startsWith(protocol) || name.endsWith(protocol);
}

/** A reason for what is no mutant any more excuses nobody. */
function refuseUnknown(mutants: readonly Mutant[], edits: ReadonlyMap<string, string>): void {
  const known = new Set(mutants.map(({ id }) => id));
  const unknown = Object.keys(reasons).filter((id) => edits.has(id.slice(0, id.indexOf(" "))) && !known.has(id));
  if (unknown.length > 0) throw new Error(`survivors.yaml has what is no mutant:\n${unknown.join("\n")}`);
}

/** Those asked for, which an earlier run, if given, did not notice, and no reason excuses, if such are not wanted. */
function wantedOf(mutants: readonly Mutant[], { mutants: pattern, again, unexcused }: Options): Mutant[] {
  const noticed = noticedIn(again);
  const excused = (id: string): boolean => unexcused && (reasons[id]?.kind ?? "open") !== "open";
  const asked = new RegExp(pattern);
  return mutants.filter(({ id }) => asked.test(id) && !noticed.has(id) && !excused(id));
}

/** Who noticed a mutant in an earlier run, by the mutants' ids. @param file as written by --json; "": there was none */
function noticedIn(file: string): Map<string, Trial> {
  const lines = file === "" ? [] : readFileSync(file, "utf8").trim().split("\n");
  const fates = lines.map((line) => JSON.parse(line) as Fate);
  return new Map(fates.flatMap(({ mutant, by }) => (by === null ? [] : [[mutant.id, by]])));
}

function allMutants(only: string): { edits: Map<string, string>; mutants: Mutant[] } {
  const edits = new Map<string, string>();
  const mutants: Mutant[] = [];
  for (const file of PROTOCOL_SOURCES.filter((source) => new RegExp(only).test(source))) {
    const made = instrument(file, readFileSync(join(ROOT, file), "utf8"), mutants.length);
    edits.set(file, made.text);
    mutants.push(...made.mutants);
  }
  return { edits, mutants };
}

type Measurement = Measured & { readonly trial: Trial };

/** What each trial reaches and costs, the cheapest first. */
async function measureAll(pool: Pool, limitMs: number, asked: RegExp): Promise<Measurement[]> {
  const trials = inEachForm(await loadScenarios())
    .map(({ spec, form }): Trial => ({ scenario: spec.name, form }))
    .filter(({ scenario }) => asked.test(scenario));
  const measured = await pool.each(trials, async (trial) => ({ ...(await pool.measure(trial, limitMs)), trial }));
  for (const { trial, failure } of measured) {
    if (failure !== null) throw new Error(`${trial.scenario} (${trial.form}) fails without a mutant: ${failure}`);
  }
  return measured.sort((a, b) => a.milliseconds - b.milliseconds);
}

/** The trials that reach a mutant: who noticed it before, then its own protocol's, and of these the cheaper ones first. */
function inOrder(measured: readonly Measurement[], mutant: Mutant, first: Trial | undefined): Measurement[] {
  const rank = ({ trial }: Measurement): number => {
    if (trial.scenario === first?.scenario && trial.form === first.form) return 0;
    return isAbout(trial, mutant) ? 1 : 2;
  };
  const reaching = measured.filter(({ reached }) => reached.includes(mutant.number));
  return reaching.sort((a, b) => rank(a) - rank(b));
}

async function fateOf(pool: Pool, mutant: Mutant, reaching: readonly Measurement[], limits: Limits): Promise<Fate> {
  const reach = reaching.length;
  const until = performance.now() + limits.budgetMs;
  let trials = 0;
  for (const { trial, executions } of reaching) {
    if (performance.now() > until) break;
    trials++;
    const said = await pool.attempt(trial, mutant.number, AT_LEAST + MORE * executions, limits.limitMs);
    if (said !== null) return { mutant, by: trial, said, trials, reach };
  }
  return { mutant, by: null, said: null, trials, reach };
}

function report(fates: readonly Fate[]): void {
  const survivors = fates.filter(({ by }) => by === null);
  const unexplained = survivors.filter(({ mutant }) => reasons[mutant.id] === undefined);
  const killedNow = fates.filter(({ mutant, by }) => by !== null && reasons[mutant.id] !== undefined);
  for (const { mutant, trials, reach } of unexplained) {
    say(`survives ${trials} of ${reach} trials: ${mutant.file}:${mutant.line} ${mutant.id}`);
  }
  for (const { mutant, said } of killedNow) say(`has a reason, but is noticed: ${mutant.id}: ${said}`);
  say(table(fates));
  const killed = fates.length - survivors.length;
  say(`${fates.length} mutants: ${killed} killed, ${survivors.length} survive, ${unexplained.length} without a reason`);
  if (unexplained.length + killedNow.length > 0) process.exitCode = 1;
}

/** A line for each file. */
function table(fates: readonly Fate[]): string {
  const files = new Table({ head: ["file", "mutants", "killed", "survive"], style: { head: [], border: [] } });
  for (const file of new Set(fates.map(({ mutant }) => mutant.file))) {
    const own = fates.filter(({ mutant }) => mutant.file === file);
    const survive = own.filter(({ by }) => by === null).length;
    files.push([file, own.length, own.length - survive, survive]);
  }
  return files.toString();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const command = new Command("mutants")
  .description("runs every automatic mistake in the protocol sources against the scenarios")
  .option("--only <pattern>", "only sources whose path this regular expression matches", "")
  .option("--mutants <pattern>", "only mutants whose id this regular expression matches", "")
  .option("--scenarios <pattern>", "only scenarios whose name this regular expression matches", "")
  .option("--jobs <number>", "threads", String(availableParallelism()))
  .option("--limit <seconds>", "time for one exploration", "20")
  .option("--budget <seconds>", "time for one mutant", "60")
  .option("--again <file>", "without what was noticed there, as written by --json", "")
  .option("--first <file>", "try first what noticed a mutant there", "")
  .option("--unexcused", "without what survivors.yaml excuses", false)
  .option("--json <file>", "write how each mutant fared, one JSON line each as it goes", "")
  .action(main);
await command.parseAsync();
