/** The result as one page of HTML that needs nothing else: no script, no network. */
import type { BenchResult, Comparison, Form, Ratio, Storm, Summary, Where } from "../result.ts";
import { FORMS } from "../result.ts";
import { STORM_FIGURES, latencyChart, ratioChart, readsChart, stormChart } from "./charts.ts";
import { conclusions } from "./conclusions.ts";
import * as describe from "./describe.ts";
import { WHERES, whereText, whereTitle } from "./describe.ts";
import { MISSING, factor, integer, interval, percent, plural, range, rate, time } from "./format.ts";
import type { Content } from "./markup.ts";
import { Markup, html } from "./markup.ts";
import { STYLE } from "./style.ts";
import type { Verdict } from "./verdict.ts";
import { METRICS, judge, judgeStorm, sentences } from "./verdict.ts";

const FORM_TEXTS: Record<Form, string> = { lockfree: "as patched", locked: "as before the patch" };
const WIDE = 1080;
const NARROW = 400;

/** The whole page. */
export function renderHtml(result: BenchResult): string {
  const names = describe.measuredNames(result);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>synthproc bench: ${names}</title>
        <style>
          ${new Markup(STYLE)}
        </style>
      </head>
      <body>
        <main>${[heading(result), overview(result), ...paths(result), storms(result.storms), method(result)]}</main>
      </body>
    </html> `;
  return page.text;
}

function heading(result: BenchResult): Markup {
  const facts: [string, Content][] = [
    ["When", describe.whenLine(result)],
    ["Machine", `${describe.machineLine(result)}; ${describe.loadLine(result)}`],
    ["Run", describe.optionsLine(result)],
    ["Again", html`<code>${describe.repeatCommand(result)}</code>`],
  ];
  return html`<header>
    <h1>synthproc bench</h1>
    <p class="muted">Read paths of /proc, lock-free as patched against locked as before, by turns in one run</p>
    <dl class="facts">
      ${facts.map(
        ([term, text]) =>
          html`<dt>${term}</dt>
            <dd>${text}</dd>`,
      )}
    </dl>
    <p class="small">
      ${FORMS.map((form) => html`<span class="key"><i class="${form}"></i>${form}, ${FORM_TEXTS[form]}</span>`)}
    </p>
    ${describe.warnings(result).map((text) => html`<p class="warning small">${text}</p>`)}
  </header>`;
}

function overview(result: BenchResult): Markup {
  const texts = [...conclusions(result), ...describe.skippedLines(result)];
  return html`<section aria-labelledby="overview">
    <h2 id="overview">What this run shows</h2>
    ${WHERES.map((where) => ratios(result, where))}
    <p class="small muted">
      lockfree / locked on a logarithmic axis, with the interval of the ratio. Filled: a difference, in favour of
      <b class="better">● lockfree</b> or <b class="worse">◆ locked</b>. Hollow ○: no difference that this machine can
      show.
    </p>
    <ul>
      ${texts.map((text) => html`<li>${text}</li>`)}
    </ul>
  </section>`;
}

function ratios({ comparisons }: BenchResult, where: Where): Content {
  const shown = comparisons.filter((comparison) => comparison.where === where);
  if (shown.length === 0) return [];
  const title = `${whereTitle(where)}: lockfree / locked`;
  const id = `ratios-${where}`;
  const one = (metric: (typeof METRICS)[number]) =>
    ratioChart(shown, [metric], { id: `${id}-${metric.key}`, width: NARROW, title: `${title}, ${metric.label}` });
  return html`<div class="card">
    <header>
      <h3>${whereTitle(where)}</h3>
      <span class="muted small">${whereText(where)}</span>
    </header>
    <div class="wide">${ratioChart(shown, METRICS, { id, width: WIDE, title })}</div>
    <div class="narrow">${METRICS.map(one)}</div>
  </div>`;
}

/** A section for each path, its places below each other. */
function paths({ comparisons }: BenchResult): Markup[] {
  const names = [...new Set(comparisons.map(({ name }) => name))];
  return names.map((name, index) => {
    const shown = comparisons.filter((comparison) => comparison.name === name);
    return html`<section aria-labelledby="path-${index}">
      <h2 id="path-${index}">${name}</h2>
      ${shown.map((comparison, place) => comparisonCard(comparison, `c${index}-${place}`))}
    </section>`;
  });
}

function comparisonCard(comparison: Comparison, id: string): Markup {
  const published = describe.publishedText(comparison);
  return html`<article class="card">
    <header>
      <h3>${whereTitle(comparison.where)}</h3>
      <span class="muted small">${comparison.what}</span>
    </header>
    ${sentences(comparison).map((text) => html`<p>${text}</p>`)} ${published === "" ? [] : html`<p>${published}</p>`}
    <div class="charts">
      <figure>
        <figcaption>Reads a second: median, least and most over the rounds; a dot is a round</figcaption>
        ${readsChart(comparison, `${id}-reads`)}
      </figure>
      <figure>
        <figcaption>
          One ${comparison.writerOperation} of the writer: ● median, ◆ p99, │ longest; below, share of all by duration
        </figcaption>
        ${latencyChart(comparison, `${id}-writer`)}
      </figure>
    </div>
    ${comparisonTable(comparison)} ${comparison.notes.map((note) => html`<p class="small muted">${note}</p>`)}
  </article>`;
}

const dash = html`<td>${MISSING}</td>`;

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

function summaryCell({ median, min, max, count }: Summary, format: (value: number | null) => string): Markup {
  const spread = count > 1 ? html` <span class="spread">${range(min, max, format)}</span>` : "";
  return html`<td>${format(median)}${spread}</td>`;
}

function ratioCell(ratio: Ratio, verdict: Verdict): Markup {
  const ends = interval(ratio.low, ratio.high);
  const mark = verdict === "none" ? "≈ " : "";
  const spread = ends === "" ? "" : html` <span class="spread">${ends}</span>`;
  return html`<td><span class="${verdict}">${mark}${factor(ratio.value)}</span>${spread}</td>`;
}

/** The first of each row is its name, the others are cells. */
function table(caption: string, head: readonly string[], rows: readonly Content[][]): Markup {
  const line = ([name, ...cells]: Content[]) =>
    html`<tr>
      <th scope="row">${name!}</th>
      ${cells}
    </tr>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head.map((name) => (name === "" ? html`<td></td>` : html`<th scope="col">${name}</th>`))}
        </tr>
      </thead>
      <tbody>
        ${rows.map(line)}
      </tbody>
    </table>
  </div>`;
}

function storms(all: readonly Storm[]): Content {
  if (all.length === 0) return [];
  const rows = all.map((storm) => [
    plural(storm.parallel, "instance"),
    ...FORMS.flatMap((form) => [
      summaryCell(storm.forms[form].runsPerSecond, rate),
      html`<td>${percent(storm.forms[form].systemPercent.median)}</td>`,
    ]),
    ratioCell(storm.ratio.runsPerSecond, judgeStorm(storm)),
  ]);
  const head = ["", "lockfree, runs/s", "system", "locked, runs/s", "system", "lockfree / locked"];
  return html`<section aria-labelledby="storms">
    <h2 id="storms">ps -fe</h2>
    <article class="card">
      <header>
        <h3>Over the mount</h3>
        <span class="muted small">so many instances at once; path walks in RCU mode, or with references as before</span>
      </header>
      <div class="charts">
        ${STORM_FIGURES.map(
          (figure, index) =>
            html`<figure>
              <figcaption>${figure.title}</figcaption>
              ${stormChart(all, figure, `storm-${index}`)}
            </figure>`,
        )}
      </div>
      ${table("Medians over the rounds, with the least and the largest round", head, rows)}
    </article>
  </section>`;
}

function method(result: BenchResult): Markup {
  const { options } = result;
  return html`<section aria-labelledby="method">
    <h2 id="method">How it was measured</h2>
    <ul>
      <li>
        Both forms in one run, by turns: each has ${plural(options.rounds, "round")} of ${options.secondsPerRound} s, in
        the order lockfree, locked, locked, lockfree and so on, so that whatever drifts hits both.
      </li>
      <li>${whereTitle("in-process")}: ${whereText("in-process")}. ${whereTitle("mount")}: ${whereText("mount")}.</li>
      <li>Every operation of the writer is timed. The column “no readers” is the same writer alone.</li>
      <li>
        A ratio is that of the medians over the rounds. A difference is stated only if the interval of the ratio leaves
        1 out and the middle halves of the rounds of both forms don't overlap.
      </li>
      <li>
        Counters say which way reads were served; they show that the forms really were those that they are called.
      </li>
      <li>Numbers of other machines are not comparable with these; ratios are, with care.</li>
    </ul>
  </section>`;
}
