/** What a whole run shows: which comparisons differ by more than their spread, and which do not. */
import type { BenchResult, Storm, Where } from "../result.ts";
import { WHERES, busierWriters, whereTitle } from "./describe.ts";
import { factor } from "./format.ts";
import type { Verdict } from "./verdict.ts";
import { METRICS, NO_DIFFERENCE, READS, TOO_FEW, judgeMetric, judgeStorm } from "./verdict.ts";

/** About one figure in one place. */
export interface Conclusion {
  /** `In process: reads a second` */
  title: string;
  /** Never empty, and none of them without names. */
  groups: Group[];
  /** What may explain it; or empty. */
  remark: string;
}

export interface Group {
  verdict: Verdict;
  /** `more with lockfree` */
  label: string;
  /** Names; with their ratio if a difference is stated. */
  names: string[];
}

interface Judged {
  name: string;
  value: number | null;
  verdict: Verdict;
}

export function conclusions(result: BenchResult): Conclusion[] {
  return [...WHERES.flatMap((where) => ofComparisons(result, where)), ...ofStorms(result.storms)];
}

function ofComparisons(result: BenchResult, where: Where): Conclusion[] {
  const shown = result.comparisons.filter((comparison) => comparison.where === where);
  if (shown.length === 0) return [];
  return METRICS.map((metric) => {
    const judged = shown.map((comparison) => ({
      name: comparison.name,
      value: metric.ratio(comparison).value,
      verdict: judgeMetric(comparison, metric),
    }));
    const title = `${whereTitle(where)}: ${metric.label}`;
    const remark = metric === READS ? busierWriters(result, where) : "";
    return { title, groups: grouped(judged, metric.moreIsBetter), remark };
  });
}

function ofStorms(storms: readonly Storm[]): Conclusion[] {
  if (storms.length === 0) return [];
  const judged = storms.map((storm) => ({
    name: `${storm.parallel} at once`,
    value: storm.ratio.runsPerSecond.value,
    verdict: judgeStorm(storm),
  }));
  return [{ title: "ps -fe: runs a second", groups: grouped(judged, true), remark: "" }];
}

function grouped(judged: readonly Judged[], moreIsBetter: boolean): Group[] {
  const labels: Record<Verdict, string> = {
    better: moreIsBetter ? "more with lockfree" : "shorter with lockfree",
    worse: moreIsBetter ? "fewer with lockfree" : "longer with lockfree",
    none: NO_DIFFERENCE,
    unknown: TOO_FEW,
    unmeasured: "not measured",
  };
  const groups = (Object.keys(labels) as Verdict[]).map((verdict) => {
    const members = judged.filter((one) => one.verdict === verdict);
    const stated = verdict === "better" || verdict === "worse";
    const names = members.map(({ name, value }) => (stated ? `${name} (${factor(value)})` : name));
    return { verdict, label: labels[verdict], names };
  });
  return groups.filter(({ names }) => names.length > 0);
}
