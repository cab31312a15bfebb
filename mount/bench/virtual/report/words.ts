/** The sentences of both reports on virtual CPUs. */
import * as describe from "../../report/describe.ts";
import { factor, integer, interval, list, time } from "../../report/format.ts";
import { WORK_NAMES } from "../local-work.ts";
import type { PsMeasurement } from "../local-work.ts";
import { bandOf, FIGURES, ratioOf } from "../result.ts";
import type { Band, VirtualResult, VirtualScale } from "../result.ts";

export const TITLE = "Virtual CPUs: lockfree (as patched) against locked (as before the patch)";

export const LEGEND: readonly string[] = [
  "So many CPUs read, one more writes. Figures are those of the middle of the sweep, with the least and the largest of all " +
    "its points in brackets: a model is no machine, and a figure without its band means nothing.",
  "lockfree and locked: reads a second. Ratios are lockfree / locked, of reads a second and of the mean times of one read " +
    "and one write. More reads and shorter times are better. – could not be told: too few operations came to " +
    "their end.",
];

/** What the model has no idea of. */
export const LEFT_OUT: readonly string[] = [
  "Caches have no end, lines come for the same price whatever else is on its way, and nothing is fetched ahead.",
  "Stores wait for their line, as sequentially consistent ones do; a kernel's release stores don't.",
  "Spinlocks are this program's: everybody who spins takes the line to himself. The kernel's queue, which makes locked " +
    "paths with a spinlock (timers, references to /proc) better there than here.",
  "Nobody loses a CPU, and no CPU does anything else. Of the kernel around the protocols only time is there: the work " +
    "between two reads, as it was measured with nobody in the way, which does not contend for anything.",
];

/** Where the local work comes from. */
export function localWorkLines({ localWork, ps }: VirtualResult): string[] {
  const known = WORK_NAMES.filter((name) => localWork[name] !== undefined);
  const texts = known.map((name) => `${name} ${time(localWork[name] as number)}`);
  const lines = [`${list(texts)}, measured on this machine unless given.`];
  return ps === null ? lines : [...lines, psLine(ps)];
}

function psLine({ command, walks, cpuNs, startWalks, startCpuNs }: PsMeasurement): string {
  const start = `of which starting it takes ${integer(startWalks)} and ${time(startCpuNs)}`;
  return `One ${command} on the /proc of this machine: ${integer(walks)} path walks, ${time(cpuNs)} of CPU time, ${start}.`;
}

export function sweepLine({ sweep }: VirtualResult): string {
  const prices = sweep.map((point) => point.prices);
  const range = (values: readonly number[]): string => `${Math.min(...values)}–${Math.max(...values)}`;
  const [middle] = prices;
  if (middle === undefined) return "";
  return (
    `${sweep.length} points: a line from a CPU of the same socket (${middle.socket}) takes ` +
    `${range(prices.map(({ near }) => near))} ns, from another ${range(prices.map(({ far }) => far))} ns, and is kept for ` +
    `${range(prices.map(({ hold }) => hold))} ns; local work is multiplied with ${range(sweep.map(({ work }) => work))}.`
  );
}

/** The command that gives the same numbers again. */
export function repeatCommand({ workloads, seed, localWork }: VirtualResult): string {
  const cpus = Math.max(...workloads.flatMap(({ scales }) => scales.map((scale) => scale.cpus)));
  const work = WORK_NAMES.filter((name) => localWork[name] !== undefined).map((name) => `${name}=${localWork[name]}`);
  const names = workloads.map(({ name }) => name).join(" ");
  return `synthproc bench --virtual-cpus ${cpus} ${names} --seed ${seed} --local-work ${work.join()}`;
}

export function whenLine(result: VirtualResult): string {
  return `synthproc ${result.version}, ${describe.machineLine(result)}, seed ${result.seed}`;
}

/** `3.47 (1.51–7.92)`. */
export function bandText({ middle, low, high }: Band): string {
  const ends = interval(low, high);
  return ends === "" ? factor(middle) : `${factor(middle)} (${ends})`;
}

const PUBLISHED_CPUS = 128;
const PUBLISHED_NAME = "ps";

/** The published figure beside this one; undefined if it was not run. */
export function publishedLine({ workloads }: VirtualResult): string | undefined {
  const ps = workloads.find(({ name }) => name === PUBLISHED_NAME);
  const scale = ps?.scales.find(({ cpus }) => cpus === PUBLISHED_CPUS);
  return scale === undefined ? undefined : publishedText(scale);
}

function publishedText(scale: VirtualScale): string {
  const band = bandText(bandOf(scale, ratioOf(FIGURES.reads)));
  return (
    `Published for ${PUBLISHED_CPUS} instances of ps -fe on ${PUBLISHED_CPUS} CPUs ("proc: Allow pid_revalidate() during ` +
    `LOOKUP_RCU", October 2021): 3 to 4 times as many in the same time. Here: ${band} times as many path walks, each with ` +
    "all that ps does for one."
  );
}
