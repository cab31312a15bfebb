/** The result of virtual CPUs as one page of HTML that needs nothing else. */
import { table } from "../../report/cells.ts";
import * as describe from "../../report/describe.ts";
import { factor, range, rate, roundRate, roundTime, time } from "../../report/format.ts";
import type { Content } from "../../report/markup.ts";
import { html, Markup } from "../../report/markup.ts";
import { STYLE } from "../../report/style.ts";
import type { Form } from "../../result.ts";
import { FORMS } from "../../result.ts";
import type { RunResult } from "../../../../src/check/smp/simulate.ts";
import { bandOf, FIGURES, ratioOf } from "../result.ts";
import type { Band, VirtualResult, VirtualScale, VirtualWorkload } from "../result.ts";
import type { Curve } from "./chart.ts";
import { curveChart } from "./chart.ts";
import * as words from "./words.ts";

/** The whole page; it is well-formed XML too. */
export function renderHtml(result: VirtualResult): string {
  const names = result.workloads.map(({ name }) => name).join(", ");
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>synthproc bench, virtual CPUs: ${names}</title>
      <style>
        ${new Markup(STYLE)}
      </style>
    </head>
    <body>
      <main>${[heading(result), ...result.workloads.map(section), method(result)]}</main>
    </body>
  </html>`;
  return `<!DOCTYPE html>\n${page.text}\n`;
}

function heading(result: VirtualResult): Markup {
  const published = words.publishedLine(result);
  return html`<header>
    <h1>synthproc bench: virtual CPUs</h1>
    <p class="muted">${words.TITLE}</p>
    <dl class="facts">
      <dt>When</dt>
      <dd>${words.whenLine(result)}</dd>
      <dt>Local work</dt>
      <dd>${words.localWorkLines(result).join(" ")}</dd>
      <dt>Sweep</dt>
      <dd>${words.sweepLine(result)}</dd>
      <dt>Again</dt>
      <dd><code>${words.repeatCommand(result)}</code></dd>
    </dl>
    <p class="small">${FORMS.map((form) => html`<span class="key"><i class="${form}"></i>${form}</span>`)}</p>
    ${published === undefined ? [] : html`<p>${published}</p>`}
    <nav class="small" aria-label="Paths">
      ${result.workloads.map(({ name }) => html`<a href="#${describe.anchor(name)}">${name}</a> `)}
    </nav>
  </header>`;
}

function section({ name, reads, writes, scales }: VirtualWorkload): Markup {
  const id = describe.anchor(name);
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${name}</h2>
    <article class="card">
      <p>Readers: ${reads}. Writer: ${writes ?? "none"}.</p>
      <div class="charts">
        ${figure("reads a second", scales, `${id}-reads`, formCurves(FIGURES.reads), roundRate)}
        ${figure("lockfree / locked", scales, `${id}-ratio`, ratioCurves(), factor, 1)}
        ${figure("one read, mean", scales, `${id}-read`, formCurves(FIGURES.read), roundTime)}
        ${writes === null ? [] : figure("one write, mean", scales, `${id}-write`, formCurves(FIGURES.write), roundTime)}
      </div>
      ${throughputTable(scales)} ${latencyTable(scales, writes !== null)}
    </article>
  </section>`;
}

function formCurves(figureOf: (run: RunResult) => number | null): Curve[] {
  return FORMS.map((form) => ({ form, name: form, band: (scale) => bandOf(scale, (forms) => figureOf(forms[form])) }));
}

function ratioCurves(): Curve[] {
  const band = (scale: VirtualScale): Band => bandOf(scale, ratioOf(FIGURES.reads));
  return [{ form: "lockfree", name: "reads a second, lockfree / locked", band }];
}

function figure(
  title: string,
  scales: readonly VirtualScale[],
  id: string,
  curves: readonly Curve[],
  format: (value: number) => string,
  level?: number,
): Markup {
  const chart = { id, title, curves, format, ...(level === undefined ? {} : { level }) };
  return html`<figure>
    <figcaption>${title}</figcaption>
    ${curveChart(scales, chart)}
  </figure>`;
}

function bandCell(band: Band, format: (value: number | null) => string): Markup {
  return html`<td>${format(band.middle)} <span class="spread">${range(band.low, band.high, format)}</span></td>`;
}

function throughputTable(scales: readonly VirtualScale[]): Markup {
  const head = ["CPUs", "lockfree, reads/s", "locked, reads/s", "ratio", "ratio, one read", "ratio, one write"];
  const rows = scales.map((scale): Content[] => [
    String(scale.cpus),
    ...FORMS.map((form) =>
      bandCell(
        bandOf(scale, (forms) => FIGURES.reads(forms[form])),
        rate,
      ),
    ),
    bandCell(bandOf(scale, ratioOf(FIGURES.reads)), factor),
    bandCell(bandOf(scale, ratioOf(FIGURES.read)), factor),
    bandCell(bandOf(scale, ratioOf(FIGURES.write)), factor),
  ]);
  return table("The middle of the sweep, with the least and the largest of its points", head, rows);
}

const LATENCIES = ["mean", "p50", "p99"] as const;

function latencyTable(scales: readonly VirtualScale[], written: boolean): Markup {
  const sides = written ? (["read", "write"] as const) : (["read"] as const);
  const columns = sides.flatMap((side) => FORMS.map((form) => ({ side, form })));
  const cell = (scale: VirtualScale, form: Form, side: "read" | "write"): Markup => {
    const latency = scale.points[0]?.[form][side] ?? null;
    return html`<td>${LATENCIES.map((name) => time(latency?.[name] ?? null)).join(" · ")}</td>`;
  };
  const rows = scales.map((scale): Content[] => [
    String(scale.cpus),
    ...columns.map(({ side, form }) => cell(scale, form, side)),
  ]);
  const head = ["CPUs", ...columns.map(({ side, form }) => `${form}, ${side}`)];
  return table("How long one takes in the middle of the sweep: mean, median, 99th percentile", head, rows);
}

function method(result: VirtualResult): Markup {
  return html`<section aria-labelledby="method">
    <h2 id="method">How it was computed</h2>
    <ul>
      ${words.LEGEND.map((text) => html`<li>${text}</li>`)}
      <li>
        The code is the shipped one, of which each access to shared memory is priced by which CPU has its line.
        ${words.sweepLine(result)}
      </li>
    </ul>
    <h3>What the model leaves out</h3>
    <ul>
      ${words.LEFT_OUT.map((text) => html`<li>${text}</li>`)}
    </ul>
  </section>`;
}
