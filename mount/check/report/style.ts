/** What the page adds to the style sheet of the house: lanes, marks, arrows, details. */
import { STYLE } from "../../bench/report/style.ts";

/** One colour for each of at most eight threads. */
const LIGHT = ["#17699c", "#ad5712", "#4a7d2a", "#8a4a9e", "#a33b4f", "#3f6f73", "#7a6a1c", "#5b5fae"];
const DARK = ["#62b3e4", "#e39a57", "#95cb6e", "#cf9be0", "#ee8b9d", "#84c4c8", "#d0bd62", "#a9adf0"];

function properties(colours: readonly string[]): string {
  return colours.map((colour, lane) => `--t${lane}: ${colour};`).join(" ");
}

const LANES = LIGHT.map((_, lane) => `.t${lane} { --thread: var(--t${lane}); }`).join("\n");

export const CHECK_STYLE = `${STYLE}
:root { ${properties(LIGHT)} --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { ${properties(DARK)} --bad: #ff8a80; } }
${LANES}
.holds { color: var(--lockfree); font-weight: 600; }
.fails, .broken { color: var(--bad); font-weight: 600; }
.unfinished { color: var(--locked); font-weight: 600; }
.summary th, .summary td { text-align: left; }
.summary td.figure, .summary th.figure { text-align: right; }
.wrong { border-left: 3px solid var(--bad); padding-left: 12px; overflow-wrap: anywhere; }
.again code { overflow-wrap: anywhere; }
.key svg { display: inline-block; width: 22px; height: 26px; }
.key { --thread: var(--ink); }
.run { overflow-x: clip; margin-top: 12px; }
.run table { table-layout: fixed; }
.run th, .run td { text-align: left; padding: 0 10px 0 0; border-bottom: 0; height: 26px; line-height: 26px;
  overflow: hidden; text-overflow: ellipsis; }
.run thead th { vertical-align: bottom; font-weight: 500; }
.run .lanes { padding: 0; overflow: visible; position: relative; }
.run svg { width: auto; height: auto; }
.run svg text { font-size: 13px; font-weight: 600; fill: var(--thread); dominant-baseline: auto; }
.run label { display: block; overflow: hidden; text-overflow: ellipsis; cursor: pointer; }
.run .lanes label { overflow: visible; }
.run col.number { width: 44px; }
.run col.thread { width: 110px; }
.run col.place { width: 30%; }
.run td.number { text-align: right; color: var(--muted); padding-right: 12px; }
.run td.thread { color: var(--thread); font-weight: 600; }
.run td.place { color: var(--muted); }
.run .switched td { background: linear-gradient(var(--line), var(--line)) top / 100% 1px no-repeat; }
.run input { position: absolute; opacity: 0; width: 1px; height: 1px; margin: 0; scroll-margin: 80px 0 260px; }
.run tbody tr:hover, .run tbody tr:has(:checked) { background: var(--code); }
.run tbody tr:has(:focus-visible) { outline: 2px solid var(--lockfree); outline-offset: -2px; }
line { stroke: var(--thread); }
line.ready { stroke-width: 1; opacity: 0.5; }
line.running { stroke-width: 3; }
line.asleep { stroke-width: 1.5; stroke-dasharray: 2 4; }
.mark { stroke: var(--thread); stroke-width: 2; fill: var(--thread); }
.mark.reads, .mark.sleeps { fill: var(--card); }
.arrow .shaft { fill: none; stroke: var(--muted); stroke-width: 1; opacity: 0.55; }
.arrow .head { fill: var(--muted); }
.arrow.woken .shaft { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 3; opacity: 1; }
.arrow.woken .head { fill: var(--bad); }
tr:hover .arrow .shaft, tr:has(:checked) .arrow .shaft { opacity: 1; stroke-width: 2; }
.detail { display: none; position: fixed; z-index: 1; left: 0; right: 0; bottom: 0; max-height: 40vh; overflow: auto;
  background: var(--card); color: var(--ink); border-top: 2px solid var(--thread); padding: 10px 24px 14px;
  white-space: normal; line-height: 1.45; box-shadow: 0 -4px 16px rgb(0 0 0 / 0.18); }
.detail > div { margin: 0 auto; max-width: 1072px; }
.detail p { margin: 0 0 6px; max-width: none; font-size: 0.9375rem; }
.detail dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 14px; margin: 0; }
.detail dt { color: var(--muted); }
.detail dd { margin: 0; overflow-wrap: anywhere; }
.detail .name { color: var(--thread); margin: 0 6px; }
.run .detail label { display: inline; text-decoration: underline; text-underline-offset: 3px; }
.run .detail label.close { float: right; padding: 0 8px; text-decoration: none; font-size: 1.2rem; }
tr:has(:checked) .detail { display: block; }
tr:hover .detail { display: block; z-index: 2; }
@media (max-width: 760px) {
  .run col.place, .run th.place, .run col.thread, .run .thread { display: none; }
  .run td.place { width: 0; padding: 0; }
  .run td.place > label { display: none; }
  .run col.place { display: table-column; width: 0; }
  .run td.number { padding-right: 8px; }
  .run col.number { width: 32px; }
  .detail { padding: 8px 14px 10px; }
}
@media print { .detail { display: none !important; } }
`;
