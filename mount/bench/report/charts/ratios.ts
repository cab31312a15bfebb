/** Lockfree / locked, for many comparisons at once. */
import type { Comparison, Ratio } from "../../result.ts";
import { factor, interval } from "../format.ts";
import type { Markup } from "../markup.ts";
import type { Metric, Verdict } from "../verdict.ts";
import { judgeMetric } from "../verdict.ts";
import { hiddenAxis, logAxis, verticals } from "./axes.ts";
import type { Scale } from "./scales.ts";
import { logScale } from "./scales.ts";
import type { Point, Shape, ToPixels } from "./shapes.ts";
import { circle, diamond, label, line, shapes } from "./shapes.ts";
import { COLOURS, FONT_SIZE, draw } from "./svg.ts";

const ROW = 22;
const ROWS_TOP = 46;

/**
 * Ratios with their intervals, a panel for each figure, a row for each comparison. The side of a marker says who wins;
 * a hollow one is within the spread.
 */
export function ratioChart(
  comparisons: readonly Comparison[],
  metrics: readonly Metric[],
  { id, width, title }: { id: string; width: number; title: string },
): Markup {
  const names = 146;
  const gap = 30;
  const panel = (width - names - 10 - gap * (metrics.length - 1)) / metrics.length;
  const scales = metrics.map((metric) => ratioScale(comparisons.map(metric.ratio), panel));
  const height = ROWS_TOP + comparisons.length * ROW + 30;
  const left = (index: number) => names + index * (panel + gap);
  return draw({
    id,
    width,
    height,
    title,
    description: comparisons.map((comparison) => ratioText(comparison, metrics)).join(" "),
    option: {
      title: metrics.map((metric, index) => panelTitle(metric, left(index) + panel / 2)),
      grid: metrics.map((_, index) => ({ left: left(index), width: panel, top: ROWS_TOP, bottom: 30 })),
      xAxis: scales.map((scale, index) => logAxis(index, scale, (value) => String(value))),
      yAxis: metrics.map((_, index) => hiddenAxis(index, comparisons.length, true)),
      series: [
        ...scales.map((scale, index) => verticals(scale, index, comparisons.length)),
        ...metrics.map((_, index) =>
          shapes(index, (at) => [line(at(0, 0), at(0, comparisons.length), COLOURS.muted, { lineWidth: 1.5 })]),
        ),
        ...metrics.map((metric, index) => shapes(index, (at) => ratioMarks(comparisons, metric, scales[index]!, at))),
        shapes(0, (at) => comparisons.map(({ name }, row) => label(name, [names - 12, at(0, row + 0.5)[1]], "right"))),
      ],
    },
  });
}

function panelTitle(metric: Metric, left: number): Shape {
  return {
    text: PANEL_TITLES[metric.key],
    subtext: metric.moreIsBetter ? "better →" : "← better",
    left,
    top: 0,
    textAlign: "center",
    padding: 0,
    itemGap: 3,
    textStyle: { color: COLOURS.ink, fontSize: FONT_SIZE, fontWeight: 600 },
    subtextStyle: { color: COLOURS.muted, fontSize: FONT_SIZE - 1 },
  };
}

const PANEL_TITLES: Record<Metric["key"], string> = {
  reads: "reads a second",
  median: "writer, median",
  mean: "writer, mean",
  p99: "writer, p99",
};

/** Ratios outside of this are drawn at its ends. */
const RATIO_LIMIT = 1000;

function ratioScale(ratios: readonly Ratio[], width: number): Scale {
  const ends = ratios.flatMap(({ value, low, high }) => [value, low, high]).filter((end) => end !== null && end > 0);
  const limited = (ends as number[]).map((end) => Math.min(RATIO_LIMIT, Math.max(1 / RATIO_LIMIT, end)));
  return logScale(Math.min(0.8, ...limited), Math.max(1.25, ...limited), Math.max(3, Math.floor(width / 46)));
}

function ratioMarks(comparisons: readonly Comparison[], metric: Metric, scale: Scale, at: ToPixels): Shape[] {
  return comparisons.flatMap((comparison, row) => {
    const y = row + 0.5;
    const { value, low, high } = metric.ratio(comparison);
    if (value === null || value <= 0)
      return [label("not measured", at((scale.min + scale.max) / 2, y), "center", COLOURS.muted)];
    const x = (ratio: number) => Math.min(scale.max, Math.max(scale.min, Math.log10(Math.max(ratio, 1e-9))));
    const verdict = judgeMetric(comparison, metric);
    const colour = verdictColour(verdict);
    const ends = low === null || high === null ? [] : [line(at(x(low), y), at(x(high), y), colour, { lineWidth: 2 })];
    return [...ends, ratioMarker(verdict, at(x(value), y), colour)];
  });
}

function verdictColour(verdict: Verdict): string {
  if (verdict === "better") return COLOURS.lockfree;
  return verdict === "worse" ? COLOURS.locked : COLOURS.muted;
}

function ratioMarker(verdict: Verdict, point: Point, colour: string): Shape {
  if (verdict === "worse") return diamond(point, 5.5, { fill: colour, stroke: colour });
  const fill = verdict === "better" ? colour : COLOURS.page;
  return circle(point, 4.5, { fill, stroke: colour, lineWidth: 1.5 });
}

function ratioText(comparison: Comparison, metrics: readonly Metric[]): string {
  const parts = metrics.map((metric) => {
    const { value, low, high } = metric.ratio(comparison);
    const ends = interval(low, high);
    return `${metric.label} ${factor(value)}${ends === "" ? "" : ` (${ends})`}`;
  });
  return `${comparison.name}: ${parts.join(", ")}.`;
}
