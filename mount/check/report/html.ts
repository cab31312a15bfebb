/** The result as one page of HTML that needs nothing else: no script, no network. */
import type { Replay } from "../../../src/check/explore/report.ts";
import { MISSING, integer } from "../../bench/report/format.ts";
import type { Content } from "../../bench/report/markup.ts";
import { Markup, html } from "../../bench/report/markup.ts";
import type { CheckResult, Job, Outcome, Verdict } from "../result.ts";
import * as describe from "./describe.ts";
import { tell } from "./story.ts";
import { CHECK_STYLE } from "./style.ts";
import { NOTHING_SHARED } from "./text.ts";
import { DEED_TEXTS, mark, timeline } from "./timeline.ts";
import type { Deed } from "./words.ts";

/** The whole page; it is well-formed XML too. */
export function renderHtml(result: CheckResult): string {
  const failures = result.outcomes.filter(({ verdict }) => verdict === "fails" || verdict === "broken");
  return page(describe.totals(result), [heading(result), overview(result), ...failures.map(failureSection)]);
}

/** The page of one run. */
export function renderReplayHtml(job: Omit<Job, "extent">, schedule: string, replay: Replay): string {
  const title = describe.jobName(job);
  const id = anchor(job);
  const style = replay.failure === null ? "" : "wrong";
  const sentences = describe.replayText(replay).map((text) => html`<p class="${style}">${text}</p>`);
  return page(
    title,
    html`<section aria-labelledby="${id}">
      <h1 id="${id}">${title}</h1>
      <p class="muted">${job.about}</p>
      ${sentences} ${again(job, schedule)} ${runOf(replay, id)}
    </section>`,
  );
}

function page(title: string, content: Content): string {
  const whole = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>synthproc check: ${title}</title>
      <style>
        ${new Markup(CHECK_STYLE)}
      </style>
    </head>
    <body>
      <main>${content}</main>
    </body>
  </html>`;
  return `<!DOCTYPE html>\n${whole.text}\n`;
}

function heading(result: CheckResult): Markup {
  const text = describe.endText(result);
  const ended = text === "" ? [] : html`<p class="warning small">${text}</p>`;
  return html`<header>
    <h1>synthproc check</h1>
    <p class="muted">Interleavings of the shipped protocol code, synthproc ${result.version}</p>
    <dl class="facts">
      <dt>Verdict</dt>
      <dd>${describe.totals(result)}</dd>
      <dt>Explored</dt>
      <dd>${describe.effort(result)}</dd>
    </dl>
    ${ended}
  </header>`;
}

const CLASSES: Readonly<Record<Verdict, string>> = {
  holds: "holds",
  "nothing found": "muted",
  fails: "fails",
  broken: "broken",
  "not finished": "unfinished",
  "not run": "muted",
};

function overview({ outcomes }: CheckResult): Markup {
  const heads = ["form", "verdict", "bound", "executions", "given up", "traces", "time"];
  const figures: readonly string[] = ["executions", "given up", "traces", "time"];
  return html`<section aria-labelledby="overview">
    <h2 id="overview">Scenarios</h2>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="overview">
      <table class="summary">
        <thead>
          <tr>
            <th scope="col">scenario</th>
            ${heads.map((name) => html`<th scope="col" class="${figures.includes(name) ? "figure" : ""}">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${outcomes.map(outcomeRow)}
        </tbody>
      </table>
    </div>
  </section>`;
}

function outcomeRow(outcome: Outcome): Markup {
  const { scenario, form, extent, report, verdict, about } = outcome;
  const figure = (value: number | undefined): Markup =>
    html`<td class="figure">${value === undefined ? MISSING : integer(value)}</td>`;
  const text = describe.verdictText(outcome);
  const shown = verdict === "fails" || verdict === "broken" ? html`<a href="#${anchor(outcome)}">${text}</a>` : text;
  return html`<tr>
    <th scope="row" title="${about}">${scenario}</th>
    <td>${form}</td>
    <td><span class="${CLASSES[verdict]}">${shown}</span></td>
    <td>${describe.extentText(extent)}</td>
    ${figure(report?.executions)}${figure(report?.blocked)}${figure(report?.traces)}
    <td class="figure">${report === null ? MISSING : describe.seconds(report.milliseconds)}</td>
  </tr>`;
}

function anchor({ scenario, form }: Pick<Job, "scenario" | "form">): string {
  return `${scenario}-${form}`.replace(/[^A-Za-z0-9_-]/g, "-");
}

function failureSection(outcome: Outcome): Markup {
  const id = anchor(outcome);
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${describe.jobName(outcome)}</h2>
    <p class="muted">${outcome.about}</p>
    ${failureContent(outcome, id)}
  </section>`;
}

function failureContent(outcome: Outcome, id: string): Content {
  const failure = outcome.report?.failure;
  if (failure === undefined || failure === null || outcome.replay === null) {
    return html`<p class="wrong">It could not be explored: ${outcome.error ?? "there is no run to show"}</p>`;
  }
  return html`<p class="wrong">${describe.failureText(outcome)}</p>
    ${again(outcome, failure.schedule)} ${runOf(outcome.replay, id)}`;
}

function again(job: Pick<Job, "scenario" | "form">, schedule: string): Markup {
  return html`<p class="small again">Again: <code>${describe.replayCommand(job, schedule)}</code></p>`;
}

/** The accesses of a run, drawn. */
function runOf(replay: Replay, id: string): Markup {
  const story = tell(replay);
  if (story.events.length === 0) return html`<p>${NOTHING_SHARED}</p>`;
  const caption = "One row for each access to a word that threads contend for";
  return html`<div class="card">${key()}${timeline(story, `${id}-run`, caption)}</div>`;
}

const DEEDS: readonly Deed[] = ["reads", "writes", "sleeps", "wakes"];

function key(): Markup {
  const marks = DEEDS.map(
    (deed) =>
      html`<span class="key"
        ><svg viewBox="0 0 22 26" aria-hidden="true">${mark(deed, 11)}</svg>${DEED_TEXTS[deed]}</span
      > `,
  );
  return html`<p class="small">${marks}</p>
    <p class="small muted">
      Arrows lead from a store to another thread that finds its value, and, dashed, from a waker to the woken. Rows have
      a line above them where another thread goes on. Point at one or choose it for details; arrow keys go through the
      run.
    </p>`;
}
