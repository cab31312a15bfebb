/** The result as text for a terminal. */
import Table from "cli-table3";
import type { BenchResult, Comparison, Form, Latency, Storm, Summary, Where } from "../result.ts";
import { FORMS } from "../result.ts";
import { conclusions } from "./conclusions.ts";
import * as describe from "./describe.ts";
import { WHERES, whereText, whereTitle } from "./describe.ts";
import { MISSING, interval, percent, range, rate, time } from "./format.ts";
import type { Paint } from "./lines.ts";
import { colouredPaint, plainPaint, wrap } from "./lines.ts";
import type { Metric } from "./verdict.ts";
import { METRICS, NO_DIFFERENCE, TOO_FEW, judgeMetric, judgeStorm, markedFactor, ratioText } from "./verdict.ts";

export interface TextOptions {
  /** Width of the terminal; 80 if unknown. The least width that is used is 80. */
  columns?: number;
  /** ANSI colours. */
  colour: boolean;
}

interface Page {
  columns: number;
  /** Room for the spread beside each figure. */
  wide: boolean;
  paint: Paint;
}

const NARROW = 80;
const WIDE = 120;

/** Wide enough for whatever `format.ts` writes into them. */
const COLUMNS = { narrow: [18, 10, 13, 13, 13, 8], wide: [18, 10, 24, 25, 25, 8] };

const BORDERLESS = Object.fromEntries(
  ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
    .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid"])
    .map((name) => [name, ""]),
);

/** Blanks between two columns. */
function gap({ wide }: Page): number {
  return wide ? 2 : 1;
}

/** The whole report; lines end in a newline and have no blanks at their ends. */
export function renderText(result: BenchResult, { columns = NARROW, colour }: TextOptions): string {
  const width = Math.max(columns, NARROW);
  const page: Page = { columns: width, wide: width >= WIDE, paint: colour ? colouredPaint() : plainPaint() };
  const parts = [
    heading(result, page),
    ...WHERES.map((where) => comparisonsText(result, where, page)),
    stormsText(result.storms, page),
    remarks(result, page),
    conclusionsText(result, page),
    wrap(`Again: ${describe.repeatCommand(result)}`, width, "  "),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`.replace(/[ \t]+$/gm, "");
}

function heading(result: BenchResult, { columns, paint }: Page): string {
  const lines = [
    describe.whenLine(result),
    `${describe.machineLine(result)}; ${describe.loadLine(result)}`,
    describe.optionsLine(result),
  ];
  const title = paint.bold("lockfree (as patched) against locked (as before the patch)");
  return [title, ...lines.map((line) => wrap(line, columns, "  "))].join("\n");
}

function comparisonsText({ comparisons }: BenchResult, where: Where, page: Page): string {
  const shown = comparisons.filter((comparison) => comparison.where === where);
  if (shown.length === 0) return "";
  const colWidths = page.wide ? COLUMNS.wide : COLUMNS.narrow;
  const table = borderless(page, { head: HEAD, colWidths, colAligns: numbersRight(HEAD.length) });
  for (const comparison of shown) {
    table.push(...comparisonRows(comparison, page));
  }
  const title = `${page.paint.bold(whereTitle(where))}: ${whereText(where)}`;
  return `${wrap(title, page.columns, "  ")}\n\n${writerHead(colWidths, gap(page))}\n${table.toString().trimEnd()}`;
}

const HEAD = ["", "", "reads/s", "median", "p99", "max"];

/** A line above the heads of the columns that are about the writer. */
function writerHead(widths: readonly number[], gaps: number): string {
  const text = " one operation of the writer ";
  const left = sum(widths.slice(0, 3)) + 3 * gaps;
  const right = sum(widths.slice(3)) + 2 * gaps;
  return " ".repeat(left) + text.padStart((right + text.length) >> 1, "─").padEnd(right, "─");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function comparisonRows(comparison: Comparison, page: Page): string[][] {
  const { paint, wide } = page;
  const names = [paint.bold(comparison.name), ""];
  const rows = FORMS.map((form, index) => [names[index]!, form, ...formCells(comparison, form, page)]);
  rows.push(["", "ratio", ...METRICS.map((metric) => ratioCell(comparison, metric, page)), ""]);
  if (!wide)
    rows.push(["", paint.dim("  interval"), ...METRICS.map((metric) => intervalCell(comparison, metric, page)), ""]);
  rows.push(
    ["", paint.dim("no readers"), ...aloneCells(comparison).map(paint.dim)],
    HEAD.map(() => ""),
  );
  return rows;
}

function formCells(comparison: Comparison, form: Form, page: Page): string[] {
  const { readsPerSecond, writer } = comparison.forms[form];
  const cells = [
    withSpread(readsPerSecond, rate, page),
    withSpread(writer.median, time, page),
    withSpread(writer.p99, time, page),
  ];
  return [...cells, time(writer.all?.maxNs ?? null)];
}

function withSpread(summary: Summary, format: (value: number | null) => string, { wide, paint }: Page): string {
  const spread = wide && summary.count > 1 ? range(summary.min, summary.max, format) : "";
  return spread === "" ? format(summary.median) : `${format(summary.median)} ${paint.dim(`(${spread})`)}`;
}

function ratioCell(comparison: Comparison, metric: Metric, { wide, paint }: Page): string {
  const ratio = metric.ratio(comparison);
  const verdict = judgeMetric(comparison, metric);
  return paint.verdict(verdict, wide ? ratioText(ratio, verdict) : markedFactor(ratio, verdict));
}

function intervalCell(comparison: Comparison, metric: Metric, { paint }: Page): string {
  const { low, high } = metric.ratio(comparison);
  return paint.dim(interval(low, high) || MISSING);
}

function aloneCells({ writerAlone }: Comparison): string[] {
  const all: Latency | null = writerAlone.all;
  return [MISSING, time(writerAlone.median.median), time(writerAlone.p99.median), time(all?.maxNs ?? null)];
}

const STORM_HEAD = ["", "lockfree runs/s", "system", "locked runs/s", "system", "ratio"];

function stormsText(storms: readonly Storm[], page: Page): string {
  if (storms.length === 0) return "";
  const colWidths = page.wide ? [14, 24, 10, 24, 10, 24] : [12, 15, 8, 13, 8, 14];
  const table = borderless(page, { head: STORM_HEAD, colWidths, colAligns: numbersRight(STORM_HEAD.length, 1) });
  for (const storm of storms) {
    table.push(stormRow(storm, page));
  }
  const title = `${page.paint.bold("ps -fe")}: so many at a time, on the mount; path walks as patched and as before`;
  return `${wrap(title, page.columns, "")}\n\n${table.toString()}`;
}

function stormRow(storm: Storm, page: Page): string[] {
  const cells = FORMS.flatMap((form) => {
    const { runsPerSecond, systemPercent } = storm.forms[form];
    return [withSpread(runsPerSecond, rate, page), percent(systemPercent.median)];
  });
  const verdict = judgeStorm(storm);
  const ratio = storm.ratio.runsPerSecond;
  const text = page.wide ? ratioText(ratio, verdict) : markedFactor(ratio, verdict);
  return [`${storm.parallel} at once`, ...cells, page.paint.verdict(verdict, text)];
}

function conclusionsText(result: BenchResult, { columns, paint }: Page): string {
  const blocks = conclusions(result).map(({ title, groups, remark }) => {
    const lines = groups.map(({ verdict, label, names }) => `  ${paint.verdict(verdict, label)}: ${names.join(", ")}`);
    if (remark !== "") lines.push(`  ${remark}`);
    return [title, ...lines.map((line) => wrap(line, columns, "    "))].join("\n");
  });
  return blocks.length === 0 ? "" : [paint.bold("What this shows"), ...blocks].join("\n");
}

const LEGEND = [
  "Figures are medians over the rounds. A ratio is lockfree / locked, with its 95 % interval: more reads and shorter times " +
    "are better.",
  `≈ ${NO_DIFFERENCE}: the interval contains 1, or the middle halves of the rounds overlap.`,
  `? ${TOO_FEW}.`,
];

/** How to read it, what the writers did, published figures, notes, what was skipped, warnings. */
function remarks(result: BenchResult, { columns, paint }: Page): string {
  const about = [
    ...describe.writers(result.comparisons),
    ...result.comparisons.map(describe.publishedText).filter((text) => text !== ""),
    ...describe.notes(result.comparisons),
    ...describe.skippedLines(result),
    ...describe.warnings(result).map((text) => paint.bold(text)),
  ];
  const legend = LEGEND.map((text) => paint.dim(text));
  return [...legend, ...about].map((line) => wrap(line, columns, "  ")).join("\n");
}

function borderless(page: Page, options: Table.TableConstructorOptions): Table.Table {
  const style = { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true };
  return new Table({ ...options, chars: { ...BORDERLESS, middle: " ".repeat(gap(page)) }, style });
}

/** Names on the left, figures on the right. */
function numbersRight(columns: number, names = 2): Table.HorizontalAlignment[] {
  return Array.from({ length: columns }, (_, index) => (index < names ? "left" : "right"));
}
