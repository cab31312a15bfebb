/** The result as one page of HTML that needs nothing else: no script, no network. */
import type { BenchResult, Form, Storm, Where } from "../result.ts";
import { FORMS } from "../result.ts";
import { comparisonCard } from "./card.ts";
import { ratioCell, summaryCell, table } from "./cells.ts";
import { ratioChart } from "./charts/ratios.ts";
import { STORM_FIGURES, stormChart } from "./charts/storm.ts";
import type { Conclusion, Group } from "./conclusions.ts";
import { conclusions } from "./conclusions.ts";
import * as describe from "./describe.ts";
import { WHERES, whereText, whereTitle } from "./describe.ts";
import { list, percent, plural, rate } from "./format.ts";
import type { Content } from "./markup.ts";
import { Markup, html } from "./markup.ts";
import { STYLE } from "./style.ts";
import { METRICS, judgeStorm } from "./verdict.ts";

const FORM_TEXTS: Record<Form, string> = { lockfree: "as patched", locked: "as before the patch" };
const WIDE = 1080;
const NARROW = 400;

/** The whole page; it is well-formed XML too. */
export function renderHtml(result: BenchResult): string {
  const names = list(describe.names(result));
  const page = html`<html lang="en">
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
  </html>`;
  return `<!DOCTYPE html>\n${page.text}\n`;
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
  return html`<section aria-labelledby="overview">
    <h2 id="overview">What this run shows</h2>
    <nav class="small" aria-label="Paths">
      ${describe.names(result).map((name) => html`<a href="#${describe.anchor(name)}">${name}</a> `)}
    </nav>
    ${WHERES.map((where) => ratios(result, where))}
    <p class="small muted">
      lockfree / locked on a logarithmic axis, with the interval of the ratio. Filled: a difference, in favour of
      <b class="better">● lockfree</b> or <b class="worse">◆ locked</b>. Hollow ○: no difference that this machine can
      show, or too few rounds or operations to tell.
    </p>
    <dl class="found">${conclusions(result).map(conclusion)}</dl>
    ${describe.skippedLines(result).map((text) => html`<p class="small">${text}</p>`)}
  </section>`;
}

function conclusion({ title, groups, remark }: Conclusion): Markup {
  const line = ({ verdict, label, names }: Group) =>
    html`<div><span class="${verdict}">${label}:</span> ${names.join(", ")}</div>`;
  return html`<dt>${title}</dt>
    <dd>${groups.map(line)}${remark === "" ? [] : html`<div class="small">${remark}</div>`}</dd>`;
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
    const id = describe.anchor(name);
    const shown = comparisons.filter((comparison) => comparison.name === name);
    return html`<section aria-labelledby="${id}">
      <h2 id="${id}">${name}</h2>
      ${shown.map((comparison, place) => comparisonCard(comparison, `c${index}-${place}`))}
    </section>`;
  });
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
  return html`<section aria-labelledby="${describe.anchor("ps")}">
    <h2 id="${describe.anchor("ps")}">ps -fe</h2>
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

function stormRounds({ storms: [first] }: BenchResult): string {
  return first === undefined ? "" : `Of ps: ${plural(first.forms.lockfree.rounds.length, "round")}.`;
}

function method(result: BenchResult): Markup {
  const { options } = result;
  return html`<section aria-labelledby="method">
    <h2 id="method">How it was measured</h2>
    <ul>
      <li>
        Both forms in one run, by turns: each has ${plural(options.rounds, "round")} of ${options.secondsPerRound} s, in
        the order lockfree, locked, locked, lockfree and so on, so that whatever drifts hits both.
        ${stormRounds(result)}
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
