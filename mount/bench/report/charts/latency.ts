/** How long an operation of the writer takes. */
import type { Comparison, Form, Latency, WriterResult } from "../../result.ts";
import { FORMS } from "../../result.ts";
import { roundTime, time } from "../format.ts";
import type { Markup } from "../markup.ts";
import { LEFT, RIGHT, WIDTH, hiddenAxis, linearAxis, logAxis, verticals } from "./axes.ts";
import type { Bin, Scale } from "./scales.ts";
import { logBins, logScale } from "./scales.ts";
import type { Point, Shape, ToPixels } from "./shapes.ts";
import { area, circle, dashOf, diamond, label, line, path, shapes } from "./shapes.ts";
import { COLOURS, draw } from "./svg.ts";

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

function histogram(form: Form, bins: readonly Bin[], at: ToPixels): Shape[] {
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

function latencyText(all: Latency | null): string {
  if (all === null) return "no operation";
  return `median ${time(all.medianNs)}, p99 ${time(all.p99Ns)}, longest ${time(all.maxNs)}`;
}
