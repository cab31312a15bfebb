/** Tables of figures. */
import type { Ratio, Summary } from "../result.ts";
import { MISSING, interval, range } from "./format.ts";
import type { Content, Markup } from "./markup.ts";
import { html } from "./markup.ts";
import type { Verdict } from "./verdict.ts";
import { markedFactor } from "./verdict.ts";

/** A cell without a figure. */
export const dash = html`<td>${MISSING}</td>`;

export function summaryCell({ median, min, max, count }: Summary, format: (value: number | null) => string): Markup {
  const spread = count > 1 ? html` <span class="spread">${range(min, max, format)}</span>` : "";
  return html`<td>${format(median)}${spread}</td>`;
}

export function ratioCell(ratio: Ratio, verdict: Verdict): Markup {
  const ends = interval(ratio.low, ratio.high);
  const spread = ends === "" ? "" : html` <span class="spread">${ends}</span>`;
  return html`<td><span class="${verdict}">${markedFactor(ratio, verdict)}</span>${spread}</td>`;
}

/** The first of each row is its name, the others are cells. */
export function table(caption: string, head: readonly string[], rows: readonly Content[][]): Markup {
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
