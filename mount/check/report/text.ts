/** The result, and the run of a failing schedule, as text for a terminal. */
import Table from "cli-table3";
import type { Replay, Site } from "../../../src/check/explore/report.ts";
import type { Scenario } from "../../../src/check/scenario.ts";
import { formsOf } from "../../../src/check/scenario.ts";
import { MISSING, integer } from "../../bench/report/format.ts";
import type { Paint } from "../../bench/report/lines.ts";
import { colouredPaint, plainPaint, wrap } from "../../bench/report/lines.ts";
import type { CheckResult, Outcome, Verdict } from "../result.ts";
import * as describe from "./describe.ts";
import type { Event, Story } from "./story.ts";
import { tell } from "./story.ts";

export interface TextOptions {
  /** ANSI colours. */
  readonly colour: boolean;
  /** Below each access, the calls that led to it. */
  readonly stacks: boolean;
}

/** "given up": executions that were not run to their end, since what was left had been explored before. */
const HEAD = ["scenario", "form", "bound", "executions", "given up", "traces", "verdict", "time"];
const FIGURES: readonly string[] = ["executions", "given up", "traces", "time"];

/** Between two columns. */
const GAP = "  ";
const BORDERLESS = Object.fromEntries(
  ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"]
    .concat(["left", "left-mid", "mid", "mid-mid", "right", "right-mid"])
    .map((name) => [name, ""]),
);

/** Columns that what a scenario is about needs beside the rest; with fewer, it has lines of its own. */
const ABOUT_LEAST = 40;
const ABOUT_INDENT = "    ";

/**
 * The scenarios there are, a line each.
 * @param columns that a line may have; where it has more, what a scenario is about goes on in further lines
 */
export function renderList(scenarios: readonly Scenario[], columns = Infinity): string {
  const table = borderless({});
  for (const spec of scenarios) table.push([spec.name, formsOf(spec).join(", "), describe.extentsText(spec)]);
  const rows = table.toString().split("\n");
  const width = Math.max(0, ...rows.map((row) => row.length)) + GAP.length;
  const lines = rows.map((row, index) => {
    const { about } = scenarios[index]!;
    if (columns - width < ABOUT_LEAST) return `${row}\n${wrap(ABOUT_INDENT + about, columns, ABOUT_INDENT)}`;
    return wrap(row.padEnd(width) + about, columns, " ".repeat(width));
  });
  return trimmed(lines.join("\n"));
}

/** The whole report: for each failure its interleaving, then the table. */
export function renderText(result: CheckResult, options: TextOptions): string {
  const paint = paintOf(options);
  const parts = [
    ...result.outcomes.map((outcome) => failureBlock(outcome, options)),
    outcomesTable(result, paint),
    describe.endText(result),
    `${describe.totals(result)}; ${describe.effort(result)}`,
  ];
  return trimmed(parts.filter((part) => part !== "").join("\n\n"));
}

/** The run of one schedule, and what is wrong with it. */
export function renderReplay(name: string, replay: Replay, options: TextOptions): string {
  const paint = paintOf(options);
  const sentences = describe.replayText(replay);
  const verdict = sentences.pop()!;
  const told = replay.failure === null ? verdict : paint.bold(verdict);
  return trimmed([paint.bold(name), interleaving(tell(replay), options), "", ...sentences, told].join("\n"));
}

function failureBlock(outcome: Outcome, options: TextOptions): string {
  const paint = paintOf(options);
  const title = paint.bold(describe.jobName(outcome));
  if (outcome.verdict === "broken") return `${title}\n\nIt could not be explored: ${outcome.error}`;
  const failure = outcome.report?.failure;
  if (failure === undefined || failure === null || outcome.replay === null) return "";
  return [
    title,
    interleaving(tell(outcome.replay), options),
    "",
    paint.bold(describe.failureText(outcome)),
    `Again: ${describe.replayCommand(outcome, failure.schedule)}`,
  ].join("\n");
}

/** Of a mistake that a thread makes alone. */
export const NOTHING_SHARED = "No access to a word that threads contend for.";

/** Stands where another thread goes on. */
const SWITCH = "→";

/** One line an access. */
export function interleaving({ events }: Story, options: TextOptions): string {
  if (events.length === 0) return NOTHING_SHARED;
  const colours = laneColours(options);
  const table = borderless({ colAligns: ["right"] });
  for (const event of events) {
    const { number, lane, thread, site } = event;
    const mark = event.switched ? SWITCH : " ";
    table.push([String(number), `${mark} ${colours(lane, thread)}`, placeText(site), site.fn, eventText(event)]);
  }
  const lines = table.toString().split("\n");
  if (!options.stacks) return lines.join("\n");
  return lines.flatMap((line, index) => [line, ...callLines(events[index]!)]).join("\n");
}

function eventText({ text, wokenBy }: Event): string {
  return wokenBy === null ? text : `${text} (woken by ${wokenBy})`;
}

function callLines({ callers }: Event): string[] {
  return callers.map((site) => `          in ${site.fn}, ${placeText(site)}`);
}

/** `src/kernel/exec.ts:120` */
export function placeText({ file, line }: Site): string {
  return line === 0 ? file : `${file}:${line}`;
}

/** Cyan, magenta, yellow, green, blue, and over again. */
const LANE_COLOURS = [36, 35, 33, 32, 34];

function laneColours({ colour }: TextOptions): (lane: number, text: string) => string {
  if (!colour) return (_, text) => text;
  return (lane, text) => `\u001b[${LANE_COLOURS[lane % LANE_COLOURS.length]}m${text}\u001b[39m`;
}

/** Those that were not run have nothing to tell but how many they are. */
function outcomesTable({ outcomes }: CheckResult, paint: Paint): string {
  const shown = outcomes.filter(({ verdict }) => verdict !== "not run");
  const left = outcomes.length - shown.length;
  const table = borderless({
    head: HEAD,
    colAligns: HEAD.map((name) => (FIGURES.includes(name) ? "right" : "left")),
  });
  for (const outcome of shown) table.push(outcomeRow(outcome, paint));
  const rest = left === 0 ? "" : describe.counted("not run", left);
  return [shown.length === 0 ? "" : table.toString(), rest].filter((part) => part !== "").join("\n");
}

const COLOURS: Readonly<Partial<Record<Verdict, "better" | "none">>> = { holds: "better", "nothing found": "none" };

function outcomeRow(outcome: Outcome, paint: Paint): string[] {
  const { scenario, form, extent, report, verdict } = outcome;
  const figures =
    report === null ? [MISSING, MISSING, MISSING] : [report.executions, report.blocked, report.traces].map(integer);
  const painted = paint.verdict(COLOURS[verdict] ?? "worse", describe.verdictText(outcome));
  const time = report === null ? MISSING : describe.seconds(report.milliseconds);
  return [scenario, form, describe.extentText(extent), ...figures, painted, time];
}

function paintOf({ colour }: TextOptions): Paint {
  return colour ? colouredPaint() : plainPaint();
}

function borderless(options: Table.TableConstructorOptions): Table.Table {
  const style = { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true };
  return new Table({ ...options, chars: { ...BORDERLESS, middle: GAP }, style });
}

/** Without blanks at the ends of lines. */
function trimmed(text: string): string {
  return `${text.trimEnd()}\n`.replace(/[ \t]+$/gm, "");
}
