/** The style sheet of the report: quiet, light or dark as the reader has it, light on paper. */

const LIGHT = `
  --page: #f7f7f5; --card: #ffffff; --ink: #1b1d20; --muted: #5b6067; --line: #c9ccd0; --grid: #ebecee;
  --lockfree: #17699c; --locked: #ad5712; --code: #eff0f1;`;

const DARK = `
  --page: #131518; --card: #1a1d21; --ink: #e4e6e8; --muted: #a1a7ae; --line: #434951; --grid: #292d33;
  --lockfree: #62b3e4; --locked: #e39a57; --code: #23272c;`;

export const STYLE = `
:root { color-scheme: light dark; ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; font-size: 16px; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 72px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; margin: 48px 0 4px; }
h3 { font-size: 1rem; margin: 0; }
p, ul { margin: 8px 0; max-width: 76ch; }
ul { padding-left: 1.2em; }
li { margin: 3px 0; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.card { background: var(--card); border: 1px solid var(--grid); border-radius: 8px; padding: 20px; margin: 14px 0; }
.card > header { display: flex; flex-wrap: wrap; gap: 0 12px; align-items: baseline; }
.card p { font-size: 0.9375rem; }
.warning { border-left: 3px solid var(--locked); padding-left: 12px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 20px 0; font-size: 0.9375rem; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.found { display: grid; grid-template-columns: fit-content(20em) 1fr; gap: 8px 24px; margin: 20px 0; font-size: 0.9375rem; }
.found dt { font-weight: 600; }
.found dd { margin: 0; }
.found .none, .found .unknown, .found .unmeasured { color: var(--muted); }
code { font-family: ui-monospace, "SF Mono", "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: 0.875em;
  background: var(--code); border-radius: 4px; padding: 1px 5px; }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px 32px; align-items: start;
  margin: 14px 0; }
figure { margin: 0; }
.charts > div > p:first-child { margin-top: 0; }
.charts p + figure { margin-top: 16px; }
nav a { display: inline-block; margin: 2px 12px 2px 0; }
figcaption { font-size: 0.8125rem; color: var(--muted); margin-bottom: 6px; }
svg text { font-size: 13px; font-family: inherit; dominant-baseline: central; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; color: var(--muted); font-size: 0.8125rem; padding-bottom: 4px; }
th, td { padding: 4px 0 4px 20px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th { font-weight: 600; }
thead th { color: var(--muted); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 400; }
.spread { color: var(--muted); font-size: 0.92em; }
.better { color: var(--lockfree); font-weight: 600; }
.worse { color: var(--locked); font-weight: 600; }
.key { display: inline-flex; align-items: center; gap: 6px; margin-right: 16px; white-space: nowrap; }
.key i { width: 22px; height: 11px; border: 1.5px solid; border-radius: 2px; }
.key .lockfree { background: var(--lockfree); border-color: var(--lockfree); }
.key .locked { border-color: var(--locked); border-style: dashed; }
@media (max-width: 760px) {
  main { padding: 24px 14px 48px; }
  .card { padding: 14px; }
  .charts { grid-template-columns: minmax(0, 1fr); }
  .facts, .found { grid-template-columns: 1fr; gap: 0; }
  .facts dd, .found dd { margin-bottom: 6px; }
  .wide { display: none; }
  .narrow { display: block; }
}
@media print {
  :root { ${LIGHT} --page: #ffffff; }
  main { padding: 0; max-width: none; }
  body { font-size: 11pt; }
  .card, figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .card { border-color: var(--line); }
  .scroll { overflow: visible; }
}
`;
