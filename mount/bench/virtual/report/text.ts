/** The result of virtual CPUs as text for a terminal. */
import Table from "cli-table3";
import { factor, range, rate } from "../../report/format.ts";
import { colouredPaint, plainPaint, wrap } from "../../report/lines.ts";
import type { Paint } from "../../report/lines.ts";
import { FORMS } from "../../result.ts";
import { bandOf, FIGURES, ratioOf } from "../result.ts";
import type { Band, VirtualResult, VirtualScale, VirtualWorkload } from "../result.ts";
import * as words from "./words.ts";

export interface TextOptions {
  columns?: number | undefined;
  colour: boolean;
}

const NARROW = 80;
const WIDE = 120;
const HEAD = ["CPUs", "lockfree", "locked", "ratio, reads/s", "one read", "one write"];
const WIDTHS = { narrow: [5, 8, 8, 22, 9, 23], wide: [5, 22, 22, 22, 22, 22] };
const BLANK = ["top", "bottom", "left", "mid", "right"].flatMap((side) =>
  ["", "-mid", "-left", "-right"].map((corner) => [`${side}${corner}`, ""]),
);

/** The whole report. */
export function renderText(result: VirtualResult, { columns = NARROW, colour }: TextOptions): string {
  const paint = colour ? colouredPaint() : plainPaint();
  const width = Math.max(columns, NARROW);
  const lines = (texts: readonly string[]): string => texts.map((text) => wrap(text, width, "  ")).join("\n");
  const published = words.publishedLine(result);
  const parts = [
    lines([
      paint.bold(words.TITLE),
      words.whenLine(result),
      `Local work: ${words.localWorkLines(result).join(" ")}`,
      `Sweep: ${words.sweepLine(result)}`,
    ]),
    ...result.workloads.map((workload) => workloadText(workload, width, paint)),
    lines([...words.LEGEND.map(paint.dim), ...(published === undefined ? [] : [published])]),
    lines([paint.bold("What the model leaves out"), ...words.LEFT_OUT.map((text) => `- ${text}`)]),
    lines([`Again: ${words.repeatCommand(result)}`]),
  ];
  return `${parts.join("\n\n")}\n`.replace(/[ \t]+$/gm, "");
}

function workloadText({ name, reads, writes, scales }: VirtualWorkload, width: number, paint: Paint): string {
  const wide = width >= WIDE;
  const table = new Table({
    head: HEAD,
    colWidths: wide ? WIDTHS.wide : WIDTHS.narrow,
    colAligns: HEAD.map(() => "right"),
    chars: { ...(Object.fromEntries(BLANK) as object), middle: " " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  for (const scale of scales) table.push(row(scale, wide));
  const written = writes === null ? "nobody writes" : `meanwhile ${writes}`;
  return `${wrap(`${paint.bold(name)}: ${reads}; ${written}`, width, "  ")}\n${table.toString()}`;
}

function row(scale: VirtualScale, wide: boolean): string[] {
  const read = bandOf(scale, ratioOf(FIGURES.read));
  return [
    String(scale.cpus),
    ...FORMS.map((form) =>
      rateText(
        bandOf(scale, (forms) => FIGURES.reads(forms[form])),
        wide,
      ),
    ),
    words.bandText(bandOf(scale, ratioOf(FIGURES.reads))),
    wide ? words.bandText(read) : factor(read.middle),
    words.bandText(bandOf(scale, ratioOf(FIGURES.write))),
  ];
}

function rateText({ middle, low, high }: Band, wide: boolean): string {
  return wide ? `${rate(middle)} (${range(low, high, rate)})` : rate(middle);
}
