/** Shapes drawn in the coordinates of a grid, and the two styles that tell the forms apart without colour. */
import type { Form, Summary } from "../../result.ts";
import { COLOURS, FONT_SIZE } from "./svg.ts";

export type Point = [number, number];
export type Shape = Record<string, unknown>;
/** From values of both axes to pixels. */
export type ToPixels = (x: number, y: number) => Point;

/** A series that draws whatever it likes in the coordinates of a grid. */
export function shapes(grid: number, shapesOf: (at: ToPixels) => Shape[]): Shape {
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

export function line(from: Point, to: Point, stroke: string, more: Shape = {}): Shape {
  const shape = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return { type: "line", shape, style: { fill: "none", stroke, lineWidth: 1.5, ...more } };
}

export function path(points: readonly Point[], style: Shape): Shape {
  return { type: "polyline", shape: { points }, style: { fill: "none", ...style } };
}

export function area(points: readonly Point[], style: Shape): Shape {
  return { type: "polygon", shape: { points }, style };
}

export function circle([cx, cy]: Point, r: number, style: Shape): Shape {
  return { type: "circle", shape: { cx, cy, r }, style };
}

export function diamond([x, y]: Point, r: number, style: Shape): Shape {
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

export function label(
  text: string,
  [x, y]: Point,
  align: "left" | "right" | "center",
  fill: string = COLOURS.ink,
): Shape {
  return {
    type: "text",
    style: { text, x, y, fill, fontFamily: "inherit", fontSize: FONT_SIZE, align, verticalAlign: "middle" },
  };
}

/** Filled for the patched form, hollow for the previous one. */
export function fillOf(form: Form): Shape {
  const colour = COLOURS[form];
  return { fill: form === "lockfree" ? colour : COLOURS.page, stroke: colour, lineWidth: 1.5 };
}

export function dashOf(form: Form): Shape {
  return form === "lockfree" ? {} : { lineDash: [4, 3] };
}

/** From the least to the largest round, lying. */
export function whisker({ min, max }: Summary, y: number, at: ToPixels, colour: string): Shape[] {
  if (min === null || max === null) return [];
  const [from, to] = [at(min, y), at(max, y)];
  const cap = ([x, middle]: Point) => line([x, middle - 4], [x, middle + 4], colour, { lineWidth: 1 });
  return [line(from, to, colour, { lineWidth: 1 }), cap(from), cap(to)];
}
