/**
 * A run as a timeline: time goes down, a lane for each thread, and beside it a table of the same accesses. Each row is a
 * radio button, so that arrow keys go through the run and details show without a script.
 */
import type { Site } from "../../../src/check/explore/report.ts";
import type { Content, Markup } from "../../bench/report/markup.ts";
import { html } from "../../bench/report/markup.ts";
import type { Event, Story } from "./story.ts";
import { placeText } from "./text.ts";
import type { Deed } from "./words.ts";

/** Pixels. */
const ROW = 26;
const LANE = 30;
const MARGIN = 18;
/** Names of threads stand aslant. */
const SLANT = 55;
const LETTER = 7;

/** What the marks mean, for the key. */
export const DEED_TEXTS: Readonly<Record<Deed, string>> = {
  reads: "reads",
  writes: "writes",
  sleeps: "goes to sleep",
  wakes: "wakes others",
};

/** Whether a thread has begun, has ended, or sleeps, in each row. */
type LaneState = "away" | "ready" | "running" | "asleep";

/** The whole drawing with its table; `id` begins the ids in it. */
export function timeline(story: Story, id: string, caption: string): Markup {
  const width = widthOf(story);
  const rows = story.events.map((event) => row(event, story, id));
  return html`<div class="run">
    <input class="none" type="radio" name="${id}" id="${id}-none" aria-label="no access" checked="" />
    <table>
      <caption>
        ${caption}
      </caption>
      <colgroup>
        <col style="width: ${width}px" />
        <col class="number" />
        <col class="thread" />
        <col class="text" />
        <col class="place" />
      </colgroup>
      <thead>
        <tr>
          <td class="lanes">${laneNames(story, width)}</td>
          <th scope="col"></th>
          <th scope="col" class="thread">thread</th>
          <th scope="col">access</th>
          <th scope="col" class="place">where</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

function widthOf({ threads }: Story): number {
  return 2 * MARGIN + (threads.length - 1) * LANE;
}

function laneX(lane: number): number {
  return MARGIN + lane * LANE;
}

function laneNames({ threads }: Story, width: number): Markup {
  const longest = Math.max(0, ...threads.map((name) => name.length)) * LETTER;
  const height = Math.ceil(longest * Math.sin((SLANT * Math.PI) / 180)) + 18;
  const names = threads.map((name, lane) => {
    const at = `translate(${laneX(lane) + 4} ${height - 6}) rotate(-${SLANT})`;
    return html`<text class="t${lane}" transform="${at}">${name}</text>`;
  });
  return html`<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-hidden="true">
    ${names}
  </svg>`;
}

function row(event: Event, story: Story, id: string): Markup {
  const own = `${id}-${event.number}`;
  const name = `${event.number}, ${event.thread}: ${event.text}`;
  const cell = (kind: string, content: Content): Markup =>
    html`<td class="${kind}"><label for="${own}">${content}</label></td>`;
  return html`<tr class="t${event.lane}${event.switched ? " switched" : ""}">
    <td class="lanes">
      <input type="radio" name="${id}" id="${own}" aria-label="${name}" /><label for="${own}"
        >${lanes(event, story)}</label
      >
    </td>
    ${cell("number", event.number)} ${cell("thread", event.thread)} ${cell("text", event.text)}
    <td class="place"><label for="${own}">${placeText(event.site)}</label>${details(event, story, id)}</td>
  </tr>`;
}

function lanes(event: Event, story: Story): Markup {
  const width = widthOf(story);
  const lines = story.threads.map((_, lane) => laneLine(lane, stateOf(lane, event, story)));
  const arrows = [arrow(event, event.sees, "sees", story), arrow(event, event.wokenBy, "woken", story)];
  return html`<svg viewBox="0 0 ${width} ${ROW}" width="${width}" height="${ROW}" aria-hidden="true">
    ${[...lines, ...arrows, mark(event.deed, laneX(event.lane))]}
  </svg>`;
}

function stateOf(lane: number, { number }: Event, { events }: Story): LaneState {
  if (events[number - 1]!.lane === lane) return "running";
  const before = events.findLast((event) => event.lane === lane && event.number < number);
  const later = events.some((event) => event.lane === lane && event.number > number);
  if (before?.deed === "sleeps") return "asleep";
  return before === undefined || !later ? "away" : "ready";
}

function laneLine(lane: number, state: LaneState): Content {
  if (state === "away") return [];
  const x = laneX(lane);
  return html`<line class="t${lane} ${state}" x1="${x}" y1="0" x2="${x}" y2="${ROW}" />`;
}

/** Shapes differ as well as colours do. */
export function mark(deed: Deed, x: number): Markup {
  const y = ROW / 2;
  if (deed === "sleeps") return html`<rect class="mark sleeps" x="${x - 5}" y="${y - 5}" width="10" height="10" />`;
  if (deed === "wakes")
    return html`<path class="mark wakes" d="M${x} ${y - 7}L${x + 7} ${y + 5}L${x - 7} ${y + 5}Z" />`;
  return html`<circle class="mark ${deed}" cx="${x}" cy="${y}" r="5.5" />`;
}

/** From an earlier access to this one. It hangs on this row, and reaches out of it upwards. */
function arrow(event: Event, from: number | null, kind: "sees" | "woken", { events }: Story): Content {
  const source = from === null ? undefined : events[from - 1];
  if (source === undefined) return [];
  const [x0, x1] = [laneX(source.lane), laneX(event.lane)];
  const [y0, y1] = [ROW / 2 - (event.number - source.number) * ROW, ROW / 2];
  const side = Math.sign(x1 - x0);
  const [start, tip] = [x0 + 6 * side, x1 - 7 * side];
  const middle = (kind === "woken" ? (x1 + tip) / 2 : (x0 + start) / 2) + side * (LANE / 2 - 4);
  const bend = kind === "woken" ? x1 - side * (LANE / 2) : middle;
  const head = `M${tip} ${y1}L${tip - 6 * side} ${y1 - 3.5}L${tip - 6 * side} ${y1 + 3.5}Z`;
  return html`<g class="arrow ${kind}">
    <path
      class="shaft"
      d="M${start} ${y0}C${bend} ${y0} ${bend} ${y0} ${bend} ${y0 + 8}L${bend} ${y1 - 8}C${bend} ${y1} ${bend} ${y1} ${tip - 5 * side} ${y1}"
    />
    <path class="head" d="${head}" />
  </g>`;
}

function details(event: Event, { events }: Story, id: string): Markup {
  const { number, thread, text, site, callers, sees, wokenBy } = event;
  const links = (numbers: readonly number[]): Content =>
    numbers.map((one, index) => [index === 0 ? "" : ", ", html`<label class="link" for="${id}-${one}">${one}</label>`]);
  const seenBy = events.filter((one) => one.sees === number).map((one) => one.number);
  const woke = events.filter((one) => one.wokenBy === number).map((one) => one.number);
  const facts: [string, Content][] = [
    ["at", html`<code>${site.text}</code> in ${site.fn}, ${siteText(site)}`],
    ...callers.map((caller): [string, Content] => ["in", `${caller.fn}, ${placeText(caller)}`]),
  ];
  if (sees !== null) facts.push(["sees what was written by", links([sees])]);
  if (wokenBy !== null) facts.push(["woken by", links([wokenBy])]);
  if (seenBy.length > 0) facts.push(["seen by", links(seenBy)]);
  if (woke.length > 0) facts.push(["woke", links(woke)]);
  return html`<div class="detail">
    <div>
      <p><b>${number}</b> <b class="name">${thread}</b> ${text}<label class="close" for="${id}-none">×</label></p>
      <dl>
        ${facts.map(
          ([term, content]) =>
            html`<dt>${term}</dt>
              <dd>${content}</dd>`,
        )}
      </dl>
    </div>
  </div>`;
}

function siteText({ file, line, column }: Site): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}
