/** How many reads a second. */
import type { Comparison, Form } from "../../result.ts";
import { FORMS } from "../../result.ts";
import { rate, roundRate } from "../format.ts";
import type { Markup } from "../markup.ts";
import { LEFT, WIDTH, hiddenAxis, largest, linearAxis, spreadText } from "./axes.ts";
import type { Shape, ToPixels } from "./shapes.ts";
import { circle, fillOf, label, shapes, whisker } from "./shapes.ts";
import { COLOURS, draw } from "./svg.ts";

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
  const dots = rounds.map(({ readsPerSecond: one }, place) =>
    circle(at(one, middle + roundAside(place, rounds.length)), 1.8, {
      fill: COLOURS.page,
      stroke: COLOURS.ink,
      lineWidth: 1,
    }),
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

/** The first round is drawn above, the last one below: so a drift shows. */
function roundAside(place: number, rounds: number): number {
  return rounds < 2 ? 0 : (place / (rounds - 1) - 0.5) * 0.42;
}
