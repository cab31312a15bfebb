/** Results that a run on a usual machine never has, or hardly ever. */
import type { BenchResult, Comparison, FormResult, Latency } from "../../mount/bench/result.ts";
import { NO_RATIO, NO_SUMMARY, NO_WRITER, NO_WRITER_ALONE, sample, withForms } from "./sample.ts";

function changed(change: (result: BenchResult) => void): () => BenchResult {
  return () => {
    const result = sample();
    change(result);
    return result;
  };
}

function eachForm(result: BenchResult, change: (form: FormResult) => FormResult): void {
  result.comparisons = result.comparisons.map((comparison) => withForms(comparison, change));
}

function oneRound(form: FormResult): FormResult {
  const one = ({ median }: { median: number | null }) => ({
    count: 1,
    min: median,
    q1: median,
    median,
    q3: median,
    max: median,
  });
  const { writer } = form;
  return {
    ...form,
    rounds: form.rounds.slice(0, 1),
    readsPerSecond: one(form.readsPerSecond),
    writer: {
      ...writer,
      median: one(writer.median),
      mean: one(writer.mean),
      p99: one(writer.p99),
      max: one(writer.max),
    },
  };
}

function withoutWrites(form: FormResult): FormResult {
  const rounds = form.rounds.map((round) => ({ ...round, writer: null, writesPerSecond: 0 }));
  return { ...form, rounds, writer: NO_WRITER };
}

function noRatios(comparison: Comparison): void {
  comparison.ratio = { readsPerSecond: NO_RATIO, writerMedian: NO_RATIO, writerMean: NO_RATIO, writerP99: NO_RATIO };
}

const LONG_NS = 1e14;

function endless(form: FormResult): FormResult {
  const longer = (all: Latency | null) => all && { ...all, p99Ns: LONG_NS, maxNs: LONG_NS };
  const p99 = { count: 5, min: LONG_NS, q1: LONG_NS, median: LONG_NS, q3: LONG_NS, max: LONG_NS };
  const histogram = [...form.writer.histogram, { fromNs: LONG_NS, toNs: LONG_NS * 1.01, count: 3 }];
  return { ...form, writer: { ...form.writer, all: longer(form.writer.all), p99, histogram } };
}

function withoutReads(form: FormResult): FormResult {
  const zero = { count: 5, min: 0, q1: 0, median: 0, q3: 0, max: 0 };
  const rounds = form.rounds.map((round) => ({ ...round, reads: 0, readsPerSecond: 0 }));
  return { ...form, rounds, readsPerSecond: zero };
}

/** A name that would be markup, a script and the end of an attribute. */
export const EVIL_NAME = `</title><script>alert("1")</script>&'`;

export const ODD_RESULTS: [string, () => BenchResult][] = [
  [
    "a single round",
    changed((result) => {
      result.options.rounds = 1;
      eachForm(result, oneRound);
      for (const { ratio } of result.comparisons) {
        for (const one of Object.values(ratio)) Object.assign(one, { low: null, high: null });
      }
    }),
  ],
  [
    "no operation of the writer",
    changed((result) => {
      eachForm(result, withoutWrites);
      for (const comparison of result.comparisons) {
        comparison.writerAlone = NO_WRITER_ALONE;
        const { readsPerSecond } = comparison.ratio;
        comparison.ratio = { readsPerSecond, writerMedian: NO_RATIO, writerMean: NO_RATIO, writerP99: NO_RATIO };
      }
    }),
  ],
  [
    "no read at all",
    changed((result) => {
      eachForm(result, withoutReads);
      for (const comparison of result.comparisons) comparison.ratio.readsPerSecond = NO_RATIO;
    }),
  ],
  ["latencies of a day", changed((result) => eachForm(result, endless))],
  [
    "ratios beyond measure",
    changed((result) => {
      const [huge, tiny] = result.comparisons;
      huge!.ratio.readsPerSecond = { value: 123_456, low: 0.000_01, high: 1e9, confidence: 0.95 };
      tiny!.ratio.writerMedian = { value: 0.000_02, low: 0, high: 0.000_03, confidence: 0.95 };
    }),
  ],
  [
    "no figure at all",
    changed((result) => {
      eachForm(result, (form) => ({ ...withoutWrites(form), rounds: [], readsPerSecond: NO_SUMMARY, events: {} }));
      result.comparisons.forEach(noRatios);
      for (const comparison of result.comparisons) comparison.writerAlone = NO_WRITER_ALONE;
    }),
  ],
  [
    "nothing over the mount",
    changed((result) => {
      result.comparisons = result.comparisons.filter(({ where }) => where === "in-process");
      result.storms = [];
      result.skipped = [{ name: "io", where: "mount", why: "/dev/fuse does not exist: is the module loaded?" }];
    }),
  ],
  [
    "storms only",
    changed((result) => {
      result.comparisons = [];
      result.options.names = ["ps"];
    }),
  ],
  ["a storm of one size", changed((result) => (result.storms = result.storms.slice(0, 1)))],
  [
    "nothing measured",
    changed((result) => {
      result.comparisons = [];
      result.storms = [];
    }),
  ],
];
