/** The drawings of the report. Each shows the forms apart without colour too: filled or hollow, solid or dashed. */
import type { Comparison, Form, Latency, Ratio, Storm, Summary, WriterResult } from "../result.ts";
import { FORMS } from "../result.ts";
import { factor, interval, percent, plural, rate, roundRate, roundTime, time } from "./format.ts";
import type { Markup } from "./markup.ts";
import type { Scale } from "./scales.ts";
import { logBins, logScale, tickValue } from "./scales.ts";
import { COLOURS, FONT_SIZE, draw } from "./svg.ts";
import type { Metric, Verdict } from "./verdict.ts";
import { judgeMetric } from "./verdict.ts";

/** Width of the drawings of one comparison. */
const WIDTH = 460;
const LEFT = 82;
const RIGHT = 16;
const LABEL = { color: COLOURS.muted, fontSize: FONT_SIZE };

type Point = [number, number];
type Shape = Record<string, unknown>;
/** From values of both axes to pixels. */
type ToPixels = (x: number, y: number) => Point;

/** A series that draws whatever it likes in the coordinates of a grid. */
function shapes(grid: number, shapesOf: (at: ToPixels) => Shape[]): Shape {
  return {
    type: "custom",
    silent: true,
    xAxisIndex: grid,
    yAxisIndex: grid,
    data: [[0, 0]],
    encode: { x: -1, y: -1 },
    renderItem: (_: unknown, api: { coord(point: Point): Point }) => ({
      type: "group",
      children: shapesOf((x, y) => api.coord([x, y])),
    }),
  };
}

function line(from: Point, to: Point, stroke: string, more: Shape = {}): Shape {
  const shape = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return { type: "line", shape, style: { stroke, lineWidth: 1.5, ...more } };
}

function path(points: readonly Point[], style: Shape): Shape {
  return { type: "polyline", shape: { points }, style: { fill: "none", ...style } };
}

function area(points: readonly Point[], style: Shape): Shape {
  return { type: "polygon", shape: { points }, style };
}

function circle([cx, cy]: Point, r: number, style: Shape): Shape {
  return { type: "circle", shape: { cx, cy, r }, style };
}

function diamond([x, y]: Point, r: number, style: Shape): Shape {
  return area(
    [
      [x - r, y],
      [x, y - r],
      [x + r, y],
      [x, y + r],
    ],
    style,
  );
}

function label(text: string, [x, y]: Point, align: "left" | "right" | "center", fill: string = COLOURS.ink): Shape {
  return { type: "text", style: { text, x, y, fill, fontSize: FONT_SIZE, align, verticalAlign: "middle" } };
}

/** Filled for the patched form, hollow for the previous one. */
function fillOf(form: Form): Shape {
  const colour = COLOURS[form];
  return { fill: form === "lockfree" ? colour : COLOURS.page, stroke: colour, lineWidth: 1.5 };
}

function dashOf(form: Form): Shape {
  return form === "lockfree" ? {} : { lineDash: [4, 3] };
}

/** Logarithmic: a plain axis of logarithms, whose ticks are chosen. */
function logAxis(grid: number, { min, max, ticks }: Scale, format: (value: number) => string): Shape {
  return {
    type: "value",
    gridIndex: grid,
    min,
    max,
    axisLine: { show: true, lineStyle: { color: COLOURS.line } },
    axisTick: { show: true, customValues: ticks, lineStyle: { color: COLOURS.line } },
    axisLabel: {
      ...LABEL,
      customValues: ticks,
      formatter: (tick: number) => format(tickValue(tick)),
      hideOverlap: true,
    },
    splitLine: { show: false },
  };
}

function linearAxis(format: (value: number) => string, more: Shape = {}): Shape {
  return {
    type: "value",
    min: 0,
    splitNumber: 4,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { ...LABEL, formatter: format, hideOverlap: true },
    splitLine: { lineStyle: { color: COLOURS.grid } },
    ...more,
  };
}

function hiddenAxis(grid: number, max: number, inverse: boolean): Shape {
  return { type: "value", gridIndex: grid, min: 0, max, inverse, show: false };
}

function verticals({ ticks }: Scale, grid: number, height: number): Shape {
  return shapes(grid, (at) => ticks.map((tick) => line(at(tick, 0), at(tick, height), COLOURS.grid, { lineWidth: 1 })));
}

/** Bars of reads a second from 0, with the spread over the rounds and each round. */
export function readsChart(comparison: Comparison, id: string): Markup {
  const summaries = FORMS.map((form) => comparison.forms[form].readsPerSecond);
  const height = 128;
  return draw({
    id,
    width: WIDTH,
    height,
    title: `${comparison.name}: reads a second`,
    description: FORMS.map((form, index) => `${form}: ${spreadText(summaries[index]!, rate)}`).join("; "),
    option: {
      grid: { left: LEFT, right: 68, top: 6, bottom: 28 },
      xAxis: linearAxis(roundRate, { max: largest(summaries) || 1, splitNumber: 3 }),
      yAxis: hiddenAxis(0, 2, true),
      series: FORMS.map((form, index) => shapes(0, (at) => bar(comparison, form, index, at))),
    },
  });
}

function bar(comparison: Comparison, form: Form, index: number, at: ToPixels): Shape[] {
  const { readsPerSecond, rounds } = comparison.forms[form];
  const middle = index + 0.5;
  const name = label(form, [LEFT - 8, at(0, middle)[1]], "right");
  const { median, max } = readsPerSecond;
  if (median === null || max === null) return [name, label("not measured", at(0, middle), "left", COLOURS.muted)];
  const [x, y] = at(0, middle - 0.28);
  const [right, bottom] = at(median, middle + 0.28);
  const box = { type: "rect", shape: { x, y, width: right - x, height: bottom - y } };
  const style = { ...fillOf(form), fill: COLOURS[form], fillOpacity: form === "lockfree" ? 0.85 : 0.18 };
  const dots = rounds.map((round) =>
    circle(at(round.readsPerSecond, middle), 2, { fill: COLOURS.page, stroke: COLOURS.ink, lineWidth: 1 }),
  );
  const end = at(max, middle);
  return [
    name,
    { ...box, style },
    ...whisker(readsPerSecond, middle, at, COLOURS.ink),
    ...dots,
    label(rate(median), [end[0] + 8, end[1]], "left"),
  ];
}

/** From the least to the largest round, lying. */
function whisker({ min, max }: Summary, y: number, at: ToPixels, colour: string): Shape[] {
  if (min === null || max === null) return [];
  const [from, to] = [at(min, y), at(max, y)];
  const cap = ([x, middle]: Point) => line([x, middle - 4], [x, middle + 4], colour, { lineWidth: 1 });
  return [line(from, to, colour, { lineWidth: 1 }), cap(from), cap(to)];
}

/** Strips of median, p99 and maximum above histograms of both forms, on one logarithmic axis. */
export function latencyChart(comparison: Comparison, id: string): Markup {
  const writers: Lane[] = [
    ...FORMS.map((form) => ({ name: form, colour: COLOURS[form], form, writer: comparison.forms[form].writer })),
    { name: "no readers", colour: COLOURS.muted, form: null, writer: comparison.writerAlone },
  ];
  const scale = latencyScale(writers);
  return draw({
    id,
    width: WIDTH,
    height: 276,
    title: `${comparison.name}: how long the writer's operation (${comparison.writerOperation}) takes`,
    description: writers.map(({ name, writer }) => `${name}: ${latencyText(writer.all)}`).join("; "),
    option: latencyOption(writers, scale),
  });
}

interface Lane {
  name: string;
  colour: string;
  /** Null for the writer alone, of which no histogram is drawn. */
  form: Form | null;
  writer: WriterResult;
}

const BINS = 80;

function latencyScale(lanes: readonly Lane[]): Scale {
  const all = lanes.flatMap(({ writer }) => (writer.all === null ? [] : [writer.all]));
  if (all.length === 0) return logScale(1_000, 1_000_000, 6);
  const low = Math.min(...all.map(({ minNs }) => Math.max(minNs, 1)));
  return logScale(low, Math.max(...all.map(({ maxNs }) => maxNs), low), 6);
}

function latencyOption(lanes: readonly Lane[], scale: Scale): Shape {
  const histograms = lanes.flatMap(({ form, writer }) =>
    form === null ? [] : [{ form, writer, bins: logBins(writer.histogram, scale.min, scale.max, BINS) }],
  );
  const top = Math.max(...histograms.flatMap(({ bins }) => bins.map(({ share }) => share)), 0.001);
  const strips = { left: LEFT, right: RIGHT, top: 4, height: 74 };
  const below = { left: LEFT, right: RIGHT, top: 92, bottom: 28 };
  return {
    grid: [strips, below],
    xAxis: [{ ...logAxis(0, scale, roundTime), show: false }, logAxis(1, scale, roundTime)],
    yAxis: [
      hiddenAxis(0, lanes.length, true),
      { ...linearAxis((share) => percentLabel(share)), gridIndex: 1, max: top * 1.05, splitNumber: 3 },
    ],
    series: [
      verticals(scale, 0, lanes.length),
      verticals(scale, 1, top * 1.05),
      ...lanes.map((lane, index) => shapes(0, (at) => strip(lane, index, at))),
      ...histograms.map(({ form, bins }) => shapes(1, (at) => histogram(form, bins, at))),
      ...histograms.map(({ form, writer }) => shapes(1, (at) => medianLine(form, writer.all, top, at))),
    ],
  };
}

function percentLabel(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function strip({ name, colour, form, writer }: Lane, index: number, at: ToPixels): Shape[] {
  const y = index + 0.5;
  const { all } = writer;
  const head = label(name, [LEFT - 8, at(0, y)[1]], "right", form === null ? COLOURS.muted : COLOURS.ink);
  if (all === null) return [head, label("no operation", [LEFT + 4, at(0, y)[1]], "left", COLOURS.muted)];
  const [min, median, p99, max] = [all.minNs, all.medianNs, all.p99Ns, all.maxNs].map((ns) =>
    at(Math.log10(Math.max(ns, 1)), y),
  ) as [Point, Point, Point, Point];
  const filled = form === "locked" ? { fill: COLOURS.page } : { fill: colour };
  const marker = { ...filled, stroke: colour, lineWidth: 1.5 };
  return [
    head,
    line(min, max, colour, form === null ? {} : dashOf(form)),
    line([max[0], max[1] - 6], [max[0], max[1] + 6], colour),
    diamond(p99, 5.5, marker),
    circle(median, 4.5, marker),
  ];
}

function histogram(form: Form, bins: readonly { from: number; to: number; share: number }[], at: ToPixels): Shape[] {
  const shown = bins.filter(({ share }) => share > 0);
  if (shown.length === 0) return [];
  const used = bins.slice(bins.indexOf(shown[0]!), bins.indexOf(shown.at(-1)!) + 1);
  const outline = [
    at(used[0]!.from, 0),
    ...used.flatMap(({ from, to, share }) => [at(from, share), at(to, share)]),
    at(used.at(-1)!.to, 0),
  ];
  const stroke = COLOURS[form];
  return [
    area(outline, { fill: stroke, fillOpacity: form === "lockfree" ? 0.28 : 0.1 }),
    path(outline, { stroke, lineWidth: 1.5, ...dashOf(form) }),
  ];
}

function medianLine(form: Form, all: Latency | null, top: number, at: ToPixels): Shape[] {
  if (all === null) return [];
  const x = Math.log10(Math.max(all.medianNs, 1));
  return [line(at(x, 0), at(x, top * 1.05), COLOURS[form], { lineWidth: 1, ...dashOf(form) })];
}

/** One row of the drawing of ratios. */
export interface RatioRow {
  comparison: Comparison;
}

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

/** What of a storm is drawn. */
export interface StormFigure {
  title: string;
  summary: (storm: Storm, form: Form) => Summary;
  format: (value: number) => string;
}

export const STORM_FIGURES: readonly StormFigure[] = [
  {
    title: "runs of ps a second",
    summary: ({ forms }, form) => forms[form].runsPerSecond,
    format: (value) => rate(value),
  },
  {
    title: "share of CPU time in the system",
    summary: ({ forms }, form) => forms[form].systemPercent,
    format: (value) => percent(value),
  },
];

/** Lines over the number of instances, with the spread of the rounds. */
export function stormChart(storms: readonly Storm[], { title, summary, format }: StormFigure, id: string): Markup {
  const top = largest(storms.flatMap((storm) => FORMS.map((form) => summary(storm, form)))) || 1;
  return draw({
    id,
    width: WIDTH,
    height: 250,
    title: `ps -fe in parallel: ${title}`,
    description: storms.map((storm) => stormText(storm, summary, format)).join(" "),
    option: {
      grid: { left: LEFT - 26, right: 74, top: 14, bottom: 46 },
      xAxis: stormAxis(storms),
      yAxis: linearAxis((value) => (top > 50 && title.startsWith("share") ? `${value} %` : roundRate(value)), {
        max: top * 1.08,
      }),
      series: FORMS.map((form, index) => shapes(0, (at) => stormLine(storms, form, index, summary, at))),
    },
  });
}

function stormAxis(storms: readonly Storm[]): Shape {
  const at = storms.map((_, index) => index);
  return {
    type: "value",
    min: -0.3,
    max: storms.length - 0.7,
    axisLine: { show: true, lineStyle: { color: COLOURS.line } },
    axisTick: { show: true, customValues: at, lineStyle: { color: COLOURS.line } },
    axisLabel: { ...LABEL, customValues: at, formatter: (index: number) => String(storms[index]?.parallel ?? "") },
    splitLine: { show: false },
    name: "instances at once",
    nameLocation: "middle",
    nameGap: 26,
    nameTextStyle: LABEL,
  };
}

function stormLine(
  storms: readonly Storm[],
  form: Form,
  index: number,
  summary: StormFigure["summary"],
  at: ToPixels,
): Shape[] {
  // A little aside, so that the whiskers of both forms are seen.
  const aside = index === 0 ? -3 : 3;
  const move = ([x, y]: Point): Point => [x + aside, y];
  const known = storms.flatMap((storm, place) => {
    const { min, median, max } = summary(storm, form);
    return median === null ? [] : [{ place, min: min ?? median, median, max: max ?? median }];
  });
  const points = known.map(({ place, median }) => move(at(place, median)));
  const colour = COLOURS[form];
  const whiskers = known.map(({ place, min, max }) =>
    line(move(at(place, min)), move(at(place, max)), colour, { lineWidth: 1 }),
  );
  const markers = points.map((point) =>
    form === "lockfree" ? circle(point, 4, fillOf(form)) : diamond(point, 5, fillOf(form)),
  );
  const end = points.at(-1);
  const name = end === undefined ? [] : [label(form, [end[0] + 10, end[1] + (index === 0 ? -9 : 9)], "left", colour)];
  return [path(points, { stroke: colour, lineWidth: 1.5, ...dashOf(form) }), ...whiskers, ...markers, ...name];
}

function stormText(storm: Storm, summary: StormFigure["summary"], format: (value: number) => string): string {
  const texts = FORMS.map(
    (form) => `${form} ${spreadText(summary(storm, form), (value) => (value === null ? "–" : format(value)))}`,
  );
  return `${plural(storm.parallel, "instance")}: ${texts.join(", ")}.`;
}

function largest(summaries: readonly Summary[]): number {
  return Math.max(0, ...summaries.map(({ max }) => max ?? 0));
}

function spreadText({ min, median, max }: Summary, format: (value: number | null) => string): string {
  return median === null ? "not measured" : `${format(median)} (${format(min)} to ${format(max)})`;
}

function latencyText(all: Latency | null): string {
  if (all === null) return "no operation";
  return `median ${time(all.medianNs)}, p99 ${time(all.p99Ns)}, longest ${time(all.maxNs)}`;
}
