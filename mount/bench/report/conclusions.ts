/** What a whole run shows: which comparisons differ by more than their spread, and which do not. */
import type { BenchResult, Storm, Where } from "../result.ts";
import { WHERES, whereTitle } from "./describe.ts";
import { factor, list } from "./format.ts";
import type { Verdict } from "./verdict.ts";
import { METRICS, NO_DIFFERENCE, judgeMetric, judgeStorm } from "./verdict.ts";

interface Judged {
  name: string;
  value: number | null;
  verdict: Verdict;
}

/** One sentence for each figure and place, nothing about what was not measured anywhere. */
export function conclusions(result: BenchResult): string[] {
  return [...WHERES.flatMap((where) => ofComparisons(result, where)), ...ofStorms(result.storms)];
}

function ofComparisons({ comparisons }: BenchResult, where: Where): string[] {
  const shown = comparisons.filter((comparison) => comparison.where === where);
  if (shown.length === 0) return [];
  return METRICS.map((metric) => {
    const judged = shown.map((comparison) => ({
      name: comparison.name,
      value: metric.ratio(comparison).value,
      verdict: judgeMetric(comparison, metric),
    }));
    return `${whereTitle(where)}, ${metric.label}: ${grouped(judged, metric.moreIsBetter)}.`;
  });
}

function ofStorms(storms: readonly Storm[]): string[] {
  if (storms.length === 0) return [];
  const judged = storms.map((storm) => ({
    name: `${storm.parallel} at once`,
    value: storm.ratio.runsPerSecond.value,
    verdict: judgeStorm(storm),
  }));
  return [`ps -fe, runs a second: ${grouped(judged, true)}.`];
}

/** `more with lockfree: io (1.42); no difference that this machine can show: stack and maps` */
function grouped(judged: readonly Judged[], moreIsBetter: boolean): string {
  const words: Record<Verdict, string> = {
    better: moreIsBetter ? "more with lockfree" : "shorter with lockfree",
    worse: moreIsBetter ? "fewer with lockfree" : "longer with lockfree",
    none: NO_DIFFERENCE,
    unknown: "too few rounds to tell",
    unmeasured: "not measured",
  };
  const parts: string[] = [];
  for (const verdict of Object.keys(words) as Verdict[]) {
    const members = judged.filter((one) => one.verdict === verdict);
    const stated = verdict === "better" || verdict === "worse";
    const names = members.map(({ name, value }) => (stated ? `${name} (${factor(value)})` : name));
    if (names.length > 0) parts.push(`${words[verdict]}: ${list(names)}`);
  }
  return parts.join("; ");
}
