/** Many instances of ps at once. */
import type { Form, Storm, Summary } from "../../result.ts";
import { FORMS } from "../../result.ts";
import { percent, plural, rate, roundRate } from "../format.ts";
import type { Markup } from "../markup.ts";
import { LABEL, LEFT, WIDTH, largest, linearAxis, spreadText } from "./axes.ts";
import type { Point, Shape, ToPixels } from "./shapes.ts";
import { circle, dashOf, diamond, fillOf, label, line, path, shapes } from "./shapes.ts";
import { COLOURS, draw } from "./svg.ts";

/** What of a storm is drawn. */
export interface StormFigure {
  title: string;
  summary: (storm: Storm, form: Form) => Summary;
  format: (value: number) => string;
  axis: (value: number) => string;
}

export const STORM_FIGURES: readonly StormFigure[] = [
  {
    title: "runs of ps a second",
    summary: ({ forms }, form) => forms[form].runsPerSecond,
    format: rate,
    axis: roundRate,
  },
  {
    title: "share of CPU time in the system",
    summary: ({ forms }, form) => forms[form].systemPercent,
    format: percent,
    axis: (value) => `${value} %`,
  },
];

/** Lines over the number of instances, with the spread of the rounds. */
export function stormChart(
  storms: readonly Storm[],
  { title, summary, format, axis }: StormFigure,
  id: string,
): Markup {
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
      yAxis: linearAxis(axis, { max: top * 1.08 }),
      series: [
        ...FORMS.map((form, index) => shapes(0, (at) => stormLine(storms, form, index, summary, at))),
        shapes(0, (at) => lineNames(storms, summary, at)),
      ],
    },
  });
}

/** Names at the ends of the lines, kept apart from each other. */
function lineNames(storms: readonly Storm[], summary: StormFigure["summary"], at: ToPixels): Shape[] {
  const ends = FORMS.flatMap((form) => {
    const place = storms.findLastIndex((storm) => summary(storm, form).median !== null);
    return place < 0 ? [] : [{ form, point: at(place, summary(storms[place]!, form).median!) }];
  });
  ends.sort((a, b) => a.point[1] - b.point[1]);
  const [upper, lower] = ends;
  const missing = upper && lower ? Math.max(0, NAME_HEIGHT - (lower.point[1] - upper.point[1])) / 2 : 0;
  return ends.map(({ form, point: [x, y] }, index) =>
    label(form, [x + 12, y + (index === 0 ? -missing : missing)], "left", COLOURS[form]),
  );
}

const NAME_HEIGHT = 16;

function stormAxis(storms: readonly Storm[]): Shape {
  const at = storms.map((_, index) => index);
  return {
    type: "value",
    min: -0.3,
    max: storms.length - 0.7,
    axisLine: { show: true, onZero: false, lineStyle: { color: COLOURS.line } },
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
  return [path(points, { stroke: colour, lineWidth: 1.5, ...dashOf(form) }), ...whiskers, ...markers];
}

function stormText(storm: Storm, summary: StormFigure["summary"], format: (value: number) => string): string {
  const texts = FORMS.map(
    (form) => `${form} ${spreadText(summary(storm, form), (value) => (value === null ? "–" : format(value)))}`,
  );
  return `${plural(storm.parallel, "instance")}: ${texts.join(", ")}.`;
}
