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
import { COLOURS, draw } from "./svg.ts";

const ROW = 22;
/** Above the rows are the titles of the panels, below them the values of the axis. */
const [ABOVE, BELOW] = [46, 30];
/** Room for the longest name there is. */
const NAMES = 146;
const [GAP, RIGHT] = [30, 10];

/** One figure, drawn. */
interface Panel {
  metric: Metric;
  /** Of ECharts: which grid and which axes. */
  grid: number;
  left: number;
  width: number;
  scale: Scale;
}

/**
 * Ratios with their intervals, a panel for each figure, a row for each comparison. The side of a marker says who wins;
 * a hollow one is within the spread.
 */
export function ratioChart(
  comparisons: readonly Comparison[],
  metrics: readonly Metric[],
  { id, width, title }: { id: string; width: number; title: string },
): Markup {
  const rows = comparisons.length;
  const all = panels(comparisons, metrics, width);
  return draw({
    id,
    width,
    height: ABOVE + rows * ROW + BELOW,
    title,
    description: comparisons.map((comparison) => ratioText(comparison, metrics)).join(" "),
    option: {
      grid: all.map((panel) => ({ left: panel.left, width: panel.width, top: ABOVE, bottom: BELOW })),
      xAxis: all.map(({ grid, scale }) => logAxis(grid, scale, String)),
      yAxis: all.map(({ grid }) => hiddenAxis(grid, rows, true)),
      series: [...all.flatMap((panel) => panelSeries(comparisons, panel)), names(comparisons)],
    },
  });
}

function panels(comparisons: readonly Comparison[], metrics: readonly Metric[], all: number): Panel[] {
  const width = (all - NAMES - RIGHT - GAP * (metrics.length - 1)) / metrics.length;
  return metrics.map((metric, grid) => {
    const scale = ratioScale(comparisons.map(metric.ratio), width);
    return { metric, grid, left: NAMES + grid * (width + GAP), width, scale };
  });
}

function panelSeries(comparisons: readonly Comparison[], { metric, grid, left, width, scale }: Panel): Shape[] {
  const rows = comparisons.length;
  return [
    verticals(scale, grid, rows),
    shapes(grid, (at) => [line(at(0, 0), at(0, rows), COLOURS.muted)]),
    shapes(grid, (at) => ratioMarks(comparisons, metric, scale, at)),
    shapes(grid, () => panelTitle(metric, left + width / 2)),
  ];
}

function names(comparisons: readonly Comparison[]): Shape {
  const name = (text: string, [, y]: Point) => label(text, [NAMES - 12, y], "right");
  return shapes(0, (at) => comparisons.map((comparison, row) => name(comparison.name, at(0, row + 0.5))));
}

function panelTitle(metric: Metric, middle: number): Shape[] {
  return [
    label(PANEL_TITLES[metric.key], [middle, 9], "center", COLOURS.ink),
    label(metric.moreIsBetter ? "better →" : "← better", [middle, 27], "center", COLOURS.muted),
  ];
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
