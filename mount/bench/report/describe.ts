/** The circumstances of a run in words: machine, options, how to repeat it, and what to beware of. */
import { median } from "simple-statistics";
import { BENCH_NAMES, PS } from "../catalogue.ts";
import type { BenchResult, Comparison, Form, Where } from "../result.ts";
import { READS, judgeMetric } from "./verdict.ts";
import { bytes, date, factor, integer, interval, list, plural, time } from "./format.ts";

/** More than this share of the CPUs busy before the run began is worth a warning. */
const BUSY = 0.5;

export const WHERES: readonly Where[] = ["in-process", "mount"];

const WHERE_TITLES: Record<Where, string> = { "in-process": "In process", mount: "Over the mount" };

const WHERE_TEXTS: Record<Where, string> = {
  "in-process": "threads call the reader in shared memory: what the protocol itself costs",
  mount: "programs open, read and close files of a real mount: what its users see",
};

export function whereTitle(where: Where): string {
  return WHERE_TITLES[where];
}

export function whereText(where: Where): string {
  return WHERE_TEXTS[where];
}

/** `2 CPUs (Intel Xeon), 15.6 GiB; Linux 6.18.5 x86_64; Node v20.20.2` */
export function machineLine({ machine }: Pick<BenchResult, "machine">): string {
  const cpus = `${plural(machine.cpus, "CPU")} (${machine.cpuModel}), ${bytes(machine.memoryBytes)}`;
  return `${cpus}; Linux ${machine.kernel} ${machine.architecture}; Node ${machine.node}`;
}

/** `load 0.33 before, 2.10 after` */
export function loadLine({ machine }: BenchResult): string {
  return `load ${machine.loadBefore[0].toFixed(2)} before, ${machine.loadAfter[0].toFixed(2)} after`;
}

/** `seed 7; 5 rounds of 0.5 s for each form, in the order A B B A; 2 readers; 93 s in all` */
export function optionsLine({ seed, options, tookSeconds }: BenchResult): string {
  const rounds = `${plural(options.rounds, "round")} of ${options.secondsPerRound} s for each form`;
  const order = options.rounds > 1 ? ", in the order A B B A" : "";
  return `seed ${seed}; ${rounds}${order}; ${plural(options.readers, "reader")}; ${Math.round(tookSeconds)} s in all`;
}

/** The command that runs the same again. */
export function repeatCommand({ seed, options }: BenchResult): string {
  const words = ["synthproc bench", ...(isAll(options) ? [] : options.names)];
  words.push(`--seed ${seed} --rounds ${options.rounds} --seconds ${options.secondsPerRound}`);
  words.push(`--where ${options.where} --readers ${options.readers}`);
  if (options.ps.length > 0) words.push(`--ps ${options.ps.join(",")}`);
  return words.join(" ");
}

/** True for the names that are taken if none is given. */
function isAll({ names, where }: BenchResult["options"]): boolean {
  const all = where === "in-process" ? BENCH_NAMES.filter((name) => name !== PS) : BENCH_NAMES;
  return names.length === all.length && all.every((name) => names.includes(name));
}

export function whenLine({ startedAt, version }: BenchResult): string {
  return `${date(startedAt)}, synthproc ${version}`;
}

/** What may mislead a reader of these figures; computed, one sentence each. */
export function warnings(result: BenchResult): string[] {
  return [...busyWarning(result), ...crowdedWarning(result), ...fewRoundsWarning(result), ...wrongForms(result)];
}

function busyWarning({ machine }: BenchResult): string[] {
  const [load] = machine.loadBefore;
  if (load <= machine.cpus * BUSY) return [];
  const text = `The machine was busy before the run began (load ${load.toFixed(2)} on ${plural(machine.cpus, "CPU")})`;
  return [`${text}: spreads are wide, and some differences may be those of other programs.`];
}

function crowdedWarning({ machine, comparisons }: BenchResult): string[] {
  const crowded = comparisons.filter((comparison) => threads(comparison) > machine.cpus);
  if (crowded.length === 0) return [];
  const most = Math.max(...crowded.map(threads));
  const text = `Up to ${most} readers and writers share ${plural(machine.cpus, "CPU")}`;
  return [
    `${text}: they take turns, so that the longest waits are those for a CPU, and contention of caches hardly shows.`,
  ];
}

function threads({ readers, writers }: Comparison): number {
  return readers + writers;
}

function fewRoundsWarning({ options }: BenchResult): string[] {
  if (options.rounds >= 3) return [];
  return [`With ${plural(options.rounds, "round")} for each form there is no telling a difference from chance.`];
}

/** Counters that only one of the forms moves. */
const FAST_EVENTS = ["speculated", "rcu_walk"];

/** Counters must agree that a form was what it is called. */
function wrongForms({ comparisons }: BenchResult): string[] {
  const fast = ({ forms }: Comparison, form: Form) =>
    FAST_EVENTS.reduce((sum, name) => sum + (forms[form].events[name] ?? 0), 0);
  return comparisons.flatMap((comparison) => {
    const [lockfree, locked] = [fast(comparison, "lockfree"), fast(comparison, "locked")];
    if (lockfree > 0 && locked === 0) return [];
    const counted = `lock-free reads: ${integer(lockfree)} in lockfree, ${integer(locked)} in locked`;
    return [`${comparison.name}, ${whereTitle(comparison.where).toLowerCase()}: the forms were mixed up (${counted}).`];
  });
}

/** Operations of the writer a second, median over the rounds. */
export function writesPerSecond({ forms }: Comparison, form: Form): number | null {
  const { rounds } = forms[form];
  return rounds.length === 0 ? null : median(rounds.map((round) => round.writesPerSecond));
}

/** So many times more operations of the writer are worth a remark where reads became fewer. */
const BUSIER = 1.2;

/** One sentence on comparisons with fewer reads, whose writers got more done in the same time; else an empty text. */
export function busierWriters({ machine, comparisons }: BenchResult, where: Where): string {
  const busier = comparisons.flatMap((comparison) => {
    const [patched, previous] = [writesPerSecond(comparison, "lockfree"), writesPerSecond(comparison, "locked")];
    const crowded = threads(comparison) > machine.cpus;
    if (comparison.where !== where || !crowded || patched === null || !previous) return [];
    const times = patched / previous;
    if (judgeMetric(comparison, READS) !== "worse" || times < BUSIER) return [];
    return [`${comparison.name} (${factor(times)} times)`];
  });
  if (busier.length === 0) return "";
  const text = `meanwhile the writer got more done with lockfree: ${list(busier)}`;
  return `${text}; that may explain fewer reads, since readers share the CPUs with it`;
}

/** What was measured, each name once, in the order of the run. */
export function names({ comparisons, storms }: BenchResult): string[] {
  const all = [...new Set(comparisons.map(({ name }) => name))];
  return storms.length > 0 ? [...all, "ps"] : all;
}

/** The id of a name's section in the page. */
export function anchor(name: string): string {
  return `path-${name.replace(/[^A-Za-z0-9_-]/g, "-")}`;
}

/** The published figure beside ours, or nothing if there is none. */
export function publishedText({ name, where, published }: Comparison): string {
  if (published === null) return "";
  const { source, metric, lockfreeNs, lockedNs, ratio, ours } = published;
  const theirs = `published ${time(lockedNs)} → ${time(lockfreeNs)}, a ratio of ${factor(ratio)} (${source})`;
  const ends = interval(ours.low, ours.high);
  return `${name}, ${whereTitle(where).toLowerCase()}, ${metric}: ${theirs}; here ${factor(ours.value)}${ends === "" ? "" : ` (${ends})`}.`;
}

/** A note that several comparisons share is given once. */
export function notes(comparisons: readonly Comparison[]): string[] {
  const names = new Map<string, Set<string>>();
  for (const comparison of comparisons) {
    for (const note of comparison.notes) {
      names.set(note, (names.get(note) ?? new Set()).add(comparison.name));
    }
  }
  return [...names].map(([note, of]) => (of.size > 3 ? note : `${list([...of])}: ${note}`));
}

/** `Not measured: maps, over the mount: the compiler cc is missing.` */
export function skippedLines({ skipped }: BenchResult): string[] {
  return skipped.map(({ name, where, why }) => `Not measured: ${name}, ${whereTitle(where).toLowerCase()}: ${why}`);
}

/** `Writers: exec (io, mm_access); TSYNC (stack)`, or nothing if nothing was measured. */
export function writers(comparisons: readonly Comparison[]): string[] {
  const names = new Map<string, Set<string>>();
  for (const { name, writerOperation } of comparisons) {
    names.set(writerOperation, (names.get(writerOperation) ?? new Set()).add(name));
  }
  const texts = [...names].map(([operation, of]) => `${operation} [${[...of].join(", ")}]`);
  return texts.length === 0 ? [] : [`One operation of the writer: ${texts.join("; ")}.`];
}
