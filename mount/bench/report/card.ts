/** One comparison: what it shows, drawings, figures. */
import type { Comparison, Form, Ratio, Summary } from "../result.ts";
import { FORMS } from "../result.ts";
import { dash, ratioCell, summaryCell, table } from "./cells.ts";
import { latencyChart } from "./charts/latency.ts";
import { readsChart } from "./charts/reads.ts";
import { publishedText, whereTitle } from "./describe.ts";
import { integer, rate, time } from "./format.ts";
import type { Content, Markup } from "./markup.ts";
import { html } from "./markup.ts";
import { judge, sentences } from "./verdict.ts";

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
          <figcaption>Reads a second: median of the rounds; each dot is a round, the first one on top</figcaption>
          ${readsChart(comparison, `${id}-reads`)}
        </figure>
      </div>
      <figure>
        <figcaption>
          One ${comparison.writerOperation} by the writer: ● median, ◆ p99, │ longest; how many took how long
        </figcaption>
        ${latencyChart(comparison, `${id}-writer`)}
      </figure>
    </div>
    ${comparisonTable(comparison)} ${comparison.notes.map((note) => html`<p class="small muted">${note}</p>`)}
  </article>`;
}

function comparisonTable(comparison: Comparison): Markup {
  const { forms, writerAlone, ratio } = comparison;
  const judged = (of: Ratio, pick: (form: Form) => Summary, more: boolean) =>
    ratioCell(of, judge(of, pick("lockfree"), pick("locked"), more));
  const writerRow = (name: string, key: "median" | "mean" | "p99" | "max", of: Ratio | null) => [
    name,
    ...FORMS.map((form) => summaryCell(forms[form].writer[key], time)),
    of === null ? dash : judged(of, (form) => forms[form].writer[key], false),
    summaryCell(writerAlone[key], time),
  ];
  const rows: Content[][] = [
    [
      "reads a second",
      ...FORMS.map((form) => summaryCell(forms[form].readsPerSecond, rate)),
      judged(ratio.readsPerSecond, (form) => forms[form].readsPerSecond, true),
      dash,
    ],
    writerRow("writer, median", "median", ratio.writerMedian),
    writerRow("writer, mean", "mean", ratio.writerMean),
    writerRow("writer, p99", "p99", ratio.writerP99),
    writerRow("writer, longest", "max", null),
    countRow("operations of the writer", forms, ({ writer }) => writer.all?.count ?? 0, writerAlone.all?.count ?? 0),
    countRow("reads", forms, ({ rounds }) => rounds.reduce((sum, { reads }) => sum + reads, 0), null),
    countRow(
      "reads that failed in a race",
      forms,
      ({ rounds }) => rounds.reduce((sum, round) => sum + round.readErrors, 0),
      null,
    ),
    ...eventRows(forms),
  ];
  const caption = "Medians over the rounds, with the least and the largest round";
  return table(caption, ["", ...FORMS, "lockfree / locked", "no readers"], rows);
}

type Forms = Comparison["forms"];

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
