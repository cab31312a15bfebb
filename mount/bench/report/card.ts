/** One comparison: what it shows, drawings, figures. */
import type { Comparison, Form, FormResult, Latency, RoundSample, Summary, WriterResult } from "../result.ts";
import { FORMS } from "../result.ts";
import { dash, ratioCell, summaryCell, table } from "./cells.ts";
import { latencyChart } from "./charts/latency.ts";
import { readsChart } from "./charts/reads.ts";
import { publishedText, whereTitle, writesPerSecond } from "./describe.ts";
import { integer, rate, time } from "./format.ts";
import type { Content, Markup } from "./markup.ts";
import { html } from "./markup.ts";
import type { Metric } from "./verdict.ts";
import { READS, WRITER_MEAN, WRITER_MEDIAN, WRITER_P99, judgeMetric, sentences } from "./verdict.ts";

/** An article; `id` begins the ids in it. */
export function comparisonCard(comparison: Comparison, id: string): Markup {
  const published = publishedText(comparison);
  return html`<article class="card">
    <header>
      <h3>${whereTitle(comparison.where)}</h3>
      <span class="muted small">${comparison.what}</span>
    </header>
    <div class="charts">
      <div>
        ${sentences(comparison).map((text) => html`<p>${text}</p>`)}
        ${published === "" ? [] : html`<p>${published}</p>`}
        <figure>
          <figcaption>Reads a second: median; each dot is a round, the first one on top</figcaption>
          ${readsChart(comparison, `${id}-reads`)}
        </figure>
      </div>
      <figure>
        <figcaption>The writer, all operations: ● median, ◆ p99, │ longest; below, how many took how long</figcaption>
        ${latencyChart(comparison, `${id}-writer`)}
      </figure>
    </div>
    ${comparisonTable(comparison)} ${comparison.notes.map((note) => html`<p class="small muted">${note}</p>`)}
  </article>`;
}

function comparisonTable(comparison: Comparison): Markup {
  const { writerAlone } = comparison;
  const rows = [
    metricRow("reads a second", comparison, READS, rate, null),
    metricRow("writer, median", comparison, WRITER_MEDIAN, time, writerAlone.median),
    metricRow("writer, mean", comparison, WRITER_MEAN, time, writerAlone.mean),
    metricRow("writer, p99", comparison, WRITER_P99, time, writerAlone.p99),
    ...operationRows(comparison),
    ...readRows(comparison.forms),
    ...eventRows(comparison.forms),
  ];
  const caption = "Medians over the rounds, with the least and the largest round";
  return table(caption, ["", ...FORMS, "lockfree / locked", "no readers"], rows);
}

type Format = (value: number | null) => string;

function metricRow(name: string, of: Comparison, metric: Metric, format: Format, alone: Summary | null): Content[] {
  const cells = FORMS.map((form) => summaryCell(metric.summary(of, form), format));
  const ratio = ratioCell(metric.ratio(of), judgeMetric(of, metric));
  return [name, ...cells, ratio, alone === null ? dash : summaryCell(alone, format)];
}

function operationRows(comparison: Comparison): Content[][] {
  const { forms, writerAlone } = comparison;
  const perSecond = FORMS.map((form) => html`<td>${rate(writesPerSecond(comparison, form))}</td>`);
  return [
    latencyRow("all operations together, median", forms, writerAlone, ({ medianNs }) => medianNs),
    latencyRow("all operations together, p99", forms, writerAlone, ({ p99Ns }) => p99Ns),
    latencyRow("all operations together, longest", forms, writerAlone, ({ maxNs }) => maxNs),
    countRow("operations of the writer", forms, ({ writer }) => writer.all?.count ?? 0, writerAlone.all?.count ?? 0),
    [
      "operations of the writer a second",
      ...perSecond,
      dash,
      html`<td>${rate(writerAlone.writesPerSecond.median)}</td>`,
    ],
  ];
}

function readRows(forms: Forms): Content[][] {
  const sum = (form: FormResult, pick: (round: RoundSample) => number) =>
    form.rounds.reduce((total, round) => total + pick(round), 0);
  return [
    countRow("reads", forms, (form) => sum(form, ({ reads }) => reads), null),
    countRow("reads that failed in a race", forms, (form) => sum(form, ({ readErrors }) => readErrors), null),
  ];
}

type Forms = Comparison["forms"];

function latencyRow(name: string, forms: Forms, alone: WriterResult, pick: (all: Latency) => number): Content[] {
  const cell = ({ all }: WriterResult) => html`<td>${time(all === null ? null : pick(all))}</td>`;
  return [name, ...FORMS.map((form) => cell(forms[form].writer)), dash, cell(alone)];
}

function countRow(name: string, forms: Forms, count: (form: Forms[Form]) => number, alone: number | null): Content[] {
  const cells = FORMS.map((form) => html`<td>${integer(count(forms[form]))}</td>`);
  return [name, ...cells, dash, alone === null ? dash : html`<td>${integer(alone)}</td>`];
}

/** Counters that counted anything: which way reads were served. */
function eventRows(forms: Forms): Content[][] {
  const names = [...new Set(FORMS.flatMap((form) => Object.keys(forms[form].events)))];
  const counted = names.filter((name) => FORMS.some((form) => (forms[form].events[name] ?? 0) > 0));
  return counted.map((name) => countRow(`counter ${name}`, forms, ({ events }) => events[name] ?? 0, null));
}
