/** Axes of the drawings, and their sizes. */
import type { Summary } from "../../result.ts";
import type { Scale } from "./scales.ts";
import { tickValue } from "./scales.ts";
import type { Shape } from "./shapes.ts";
import { line, shapes } from "./shapes.ts";
import { COLOURS, FONT_SIZE } from "./svg.ts";

/** Width of the drawings of one comparison. */
export const WIDTH = 460;
export const LEFT = 82;
export const RIGHT = 16;
export const LABEL = { color: COLOURS.muted, fontSize: FONT_SIZE };

/** Logarithmic: a plain axis of logarithms, whose ticks are chosen. */
export function logAxis(grid: number, { min, max, ticks }: Scale, format: (value: number) => string): Shape {
  return {
    type: "value",
    gridIndex: grid,
    min,
    max,
    position: "bottom",
    axisLine: { show: true, onZero: false, lineStyle: { color: COLOURS.line } },
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

export function linearAxis(format: (value: number) => string, more: Shape = {}): Shape {
  return {
    type: "value",
    min: 0,
    splitNumber: 4,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { ...LABEL, formatter: format, hideOverlap: true, showMaxLabel: false },
    splitLine: { showMaxLine: false, lineStyle: { color: COLOURS.grid } },
    ...more,
  };
}

export function hiddenAxis(grid: number, max: number, inverse: boolean): Shape {
  return { type: "value", gridIndex: grid, min: 0, max, inverse, show: false };
}

export function verticals({ ticks }: Scale, grid: number, height: number): Shape {
  return shapes(grid, (at) => ticks.map((tick) => line(at(tick, 0), at(tick, height), COLOURS.grid, { lineWidth: 1 })));
}

export function largest(summaries: readonly Summary[]): number {
  return Math.max(0, ...summaries.map(({ max }) => max ?? 0));
}

export function spreadText({ min, median, max }: Summary, format: (value: number | null) => string): string {
  return median === null ? "not measured" : `${format(median)} (${format(min)} to ${format(max)})`;
}
