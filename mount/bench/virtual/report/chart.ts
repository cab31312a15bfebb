/** Figures over the number of CPUs, with their bands. */
import { LABEL, LEFT, WIDTH, logAxis } from "../../report/charts/axes.ts";
import { logScale, tickValue } from "../../report/charts/scales.ts";
import type { Scale } from "../../report/charts/scales.ts";
import type { Point, Shape, ToPixels } from "../../report/charts/shapes.ts";
import { area, circle, dashOf, diamond, fillOf, line, path, shapes } from "../../report/charts/shapes.ts";
import { COLOURS, draw } from "../../report/charts/svg.ts";
import type { Markup } from "../../report/markup.ts";
import type { Form } from "../../result.ts";
import type { Band, VirtualScale } from "../result.ts";

/** A line of a chart. */
export interface Curve {
  /** Its colour and dashes. */
  readonly form: Form;
  readonly name: string;
  readonly band: (scale: VirtualScale) => Band;
}

export interface CurveChart {
  readonly id: string;
  readonly title: string;
  readonly curves: readonly Curve[];
  readonly format: (value: number) => string;
  /** A value that has a line of its own: 1 for ratios. */
  readonly level?: number;
}

const HEIGHT = 250;
const MOST_TICKS = 7;

/** Both axes are logarithmic. */
export function curveChart(scales: readonly VirtualScale[], chart: CurveChart): Markup {
  const { id, title, curves, format, level } = chart;
  const bands = curves.map((curve) => scales.map(curve.band));
  const vertical = scaleOf(bands.flat(), level);
  return draw({
    id,
    width: WIDTH,
    height: HEIGHT,
    title,
    description: curves.map((curve, index) => `${curve.name}: ${texts(scales, bands[index]!, format)}`).join("; "),
    option: {
      grid: { left: LEFT - 20, right: 20, top: 12, bottom: 46 },
      xAxis: cpuAxis(scales),
      yAxis: { ...logAxis(0, vertical, format), position: "left" },
      series: [
        shapes(0, (at) => vertical.ticks.map((tick) => across(tick, scales.length, COLOURS.grid, at))),
        shapes(0, (at) => (level === undefined ? [] : [across(Math.log10(level), scales.length, COLOURS.muted, at)])),
        ...curves.map((curve, index) => shapes(0, (at) => bandArea(curve.form, bands[index]!, at))),
        ...curves.map((curve, index) => shapes(0, (at) => curveLine(curve.form, bands[index]!, at))),
      ],
    },
  });
}

function scaleOf(bands: readonly Band[], level: number | undefined): Scale {
  const values = bands.flatMap(({ low, middle, high }) => [low, middle, high]).filter((value) => value !== null);
  const all = level === undefined ? values : [...values, level * 0.8, level * 1.25];
  return all.length === 0 ? logScale(1, 10, MOST_TICKS) : logScale(Math.min(...all), Math.max(...all), MOST_TICKS);
}

function cpuAxis(scales: readonly VirtualScale[]): Shape {
  const at = scales.map((_, index) => index);
  return {
    type: "value",
    min: -0.3,
    max: scales.length - 0.7,
    axisLine: { show: true, onZero: false, lineStyle: { color: COLOURS.line } },
    axisTick: { show: true, customValues: at, lineStyle: { color: COLOURS.line } },
    axisLabel: { ...LABEL, customValues: at, formatter: (index: number) => String(scales[index]?.cpus ?? "") },
    splitLine: { show: false },
    name: "CPUs that read",
    nameLocation: "middle",
    nameGap: 26,
    nameTextStyle: LABEL,
  };
}

function across(tick: number, count: number, colour: string, at: ToPixels): Shape {
  return line(at(-0.3, tick), at(count - 0.7, tick), colour, { lineWidth: 1 });
}

function bandArea(form: Form, bands: readonly Band[], at: ToPixels): Shape[] {
  const known = bands.flatMap(({ low, high }, place) => (low === null || high === null ? [] : [{ place, low, high }]));
  if (known.length < 2) return [];
  const upper = known.map(({ place, high }) => at(place, Math.log10(high)));
  const lower = known.map(({ place, low }) => at(place, Math.log10(low)));
  return [
    area([...upper, ...lower.reverse()], { fill: COLOURS[form], fillOpacity: form === "lockfree" ? 0.22 : 0.13 }),
  ];
}

function curveLine(form: Form, bands: readonly Band[], at: ToPixels): Shape[] {
  const points = bands.flatMap(({ middle }, place): Point[] =>
    middle === null ? [] : [at(place, Math.log10(middle))],
  );
  const markers = points.map((point) =>
    form === "lockfree" ? circle(point, 3.5, fillOf(form)) : diamond(point, 4.5, fillOf(form)),
  );
  return [path(points, { stroke: COLOURS[form], lineWidth: 1.5, ...dashOf(form) }), ...markers];
}

function texts(scales: readonly VirtualScale[], bands: readonly Band[], format: (value: number) => string): string {
  const one = (value: number | null): string => (value === null ? "unknown" : format(tickValue(Math.log10(value))));
  return bands
    .map(({ low, middle, high }, place) => `${scales[place]!.cpus} CPUs ${one(middle)} (${one(low)} to ${one(high)})`)
    .join(", ");
}
