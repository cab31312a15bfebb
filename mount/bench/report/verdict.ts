/** What the figures say: a difference is stated only where it is larger than the spread of the rounds. */
import type { Comparison, Form, Ratio, Storm, Summary } from "../result.ts";
import { FORMS } from "../result.ts";
import { factor, interval, list } from "./format.ts";

export type Verdict =
  /** More than the spread, in favour of the patched form, or of the previous one. */
  | "better"
  | "worse"
  /** Within the spread. */
  | "none"
  /** Too few rounds to know a spread, or too few operations for a p99. */
  | "unknown"
  /** One side has no figure. */
  | "unmeasured";

export const NO_DIFFERENCE = "no difference that this machine can show";
export const TOO_FEW = "too few rounds or operations to tell a difference from chance";

/** One figure of a comparison: how to find it, and how to speak of it. */
export interface Metric {
  readonly key: "reads" | "median" | "mean" | "p99";
  /** `reads a second` */
  readonly label: string;
  readonly moreIsBetter: boolean;
  readonly ratio: (comparison: Comparison) => Ratio;
  readonly summary: (comparison: Comparison, form: Form) => Summary;
}

export const READS: Metric = {
  key: "reads",
  label: "reads a second",
  moreIsBetter: true,
  ratio: ({ ratio }) => ratio.readsPerSecond,
  summary: ({ forms }, form) => forms[form].readsPerSecond,
};

export const WRITER_MEDIAN: Metric = {
  key: "median",
  label: "median latency of the writer",
  moreIsBetter: false,
  ratio: ({ ratio }) => ratio.writerMedian,
  summary: ({ forms }, form) => forms[form].writer.median,
};

export const WRITER_MEAN: Metric = {
  key: "mean",
  label: "mean latency of the writer",
  moreIsBetter: false,
  ratio: ({ ratio }) => ratio.writerMean,
  summary: ({ forms }, form) => forms[form].writer.mean,
};

export const WRITER_P99: Metric = {
  key: "p99",
  label: "p99 latency of the writer",
  moreIsBetter: false,
  ratio: ({ ratio }) => ratio.writerP99,
  summary: ({ forms }, form) => forms[form].writer.p99,
};

/** Those that are spoken of. */
export const METRICS: readonly Metric[] = [READS, WRITER_MEDIAN, WRITER_P99];

/**
 * Judges a ratio (patched / previous): its interval must not contain 1, and the middle halves of the rounds of both
 * forms must not overlap, since an interval of few rounds is easily too narrow.
 */
export function judge(ratio: Ratio, patched: Summary, previous: Summary, moreIsBetter: boolean): Verdict {
  if (ratio.value === null) return "unmeasured";
  if (ratio.low === null || ratio.high === null) return "unknown";
  if ((ratio.low <= 1 && ratio.high >= 1) || halvesOverlap(patched, previous)) return "none";
  return ratio.value > 1 === moreIsBetter ? "better" : "worse";
}

function halvesOverlap(a: Summary, b: Summary): boolean {
  if (a.q1 === null || a.q3 === null || b.q1 === null || b.q3 === null) return false;
  return a.q1 <= b.q3 && b.q1 <= a.q3;
}

/** Of fewer operations in a round, the p99 is nothing but the longest. */
const ENOUGH_FOR_P99 = 100;

export function judgeMetric(comparison: Comparison, metric: Metric): Verdict {
  if (metric.key === "p99" && fewOperations(comparison)) return "unknown";
  const patched = metric.summary(comparison, "lockfree");
  return judge(metric.ratio(comparison), patched, metric.summary(comparison, "locked"), metric.moreIsBetter);
}

function fewOperations({ forms }: Comparison): boolean {
  return FORMS.some((form) => {
    const { writer, rounds } = forms[form];
    return writer.all !== null && writer.all.count < ENOUGH_FOR_P99 * rounds.length;
  });
}

export function judgeStorm({ ratio, forms }: Storm): Verdict {
  return judge(ratio.runsPerSecond, forms.lockfree.runsPerSecond, forms.locked.runsPerSecond, true);
}

/** `1.42`, `≈ 1.02` within the spread, `? 0.70` if there is no telling. */
export function markedFactor({ value }: Ratio, verdict: Verdict): string {
  const marks: Partial<Record<Verdict, string>> = { none: "≈ ", unknown: "? " };
  return `${marks[verdict] ?? ""}${factor(value)}`;
}

/** `1.42 (1.38–1.47)`, marked as by `markedFactor()`. */
export function ratioText(ratio: Ratio, verdict: Verdict): string {
  const ends = interval(ratio.low, ratio.high);
  const value = markedFactor(ratio, verdict);
  return ends === "" ? value : `${value} (${ends})`;
}

/** What a comparison shows, in two or three sentences. */
export function sentences(comparison: Comparison): string[] {
  const found = METRICS.map((metric) => ({ metric, verdict: judgeMetric(comparison, metric) }));
  const said = found.filter(({ verdict }) => verdict === "better" || verdict === "worse");
  const same = found.filter(({ verdict }) => verdict === "none");
  const unknown = found.filter(({ verdict }) => verdict === "unknown");
  const missing = found.filter(({ verdict }) => verdict === "unmeasured");
  const result = said.map(({ metric }) => difference(comparison, metric));
  if (same.length > 0) result.push(`${subject(same, found)}: ${NO_DIFFERENCE}.`);
  if (unknown.length > 0) result.push(`${subject(unknown, found)}: ${TOO_FEW}.`);
  if (missing.length > 0) result.push(`${subject(missing, found)}: not measured on both sides.`);
  return result;
}

interface Judged {
  metric: Metric;
}

function subject(some: readonly Judged[], all: readonly Judged[]): string {
  if (some.length === all.length) return "Readers and writer";
  return capital(list(some.map(({ metric }) => metric.label)));
}

function difference(comparison: Comparison, metric: Metric): string {
  const ratio = metric.ratio(comparison);
  const times = `${factor(ratio.value)} times`;
  const ends = interval(ratio.low, ratio.high);
  if (metric.key === "reads") return `Lockfree, readers do ${times} as many reads a second as locked (${ends}).`;
  const direction = ratio.value! > 1 ? "longer" : "shorter";
  return `Lockfree, the ${metric.label} is ${times} what it is locked (${ends}): ${direction}.`;
}

/** The beginning of a sentence; "p99" is written so everywhere. */
function capital(text: string): string {
  return text.startsWith("p99") ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
