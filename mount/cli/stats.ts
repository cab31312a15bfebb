/** `synthproc stats DIR`: counters of a mounted simulation. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Table from "cli-table3";
import { EXIT } from "./exit-codes.ts";
import { findOurMount } from "./mounted.ts";

export interface StatsOptions {
  json: boolean;
}

export async function stats(
  dir: string,
  options: StatsOptions,
  stdout: { write(text: string): unknown },
): Promise<number> {
  const text = await readFile(join(findOurMount(dir).dir, "synthproc", "stats"), "utf8");
  const structured = structureStats(parseStats(text));
  stdout.write(options.json ? `${JSON.stringify(structured)}\n` : statsTable(structured, parseLegend(text)));
  return EXIT.ok;
}

/** Lines `NAME VALUE` as an object; a value that is no number stays text. Lines that begin with # are the legend. */
export function parseStats(text: string): Record<string, number | string> {
  const result: Record<string, number | string> = {};
  for (const line of text.split("\n")) {
    const match = /^([^\s#]\S*?):?\s+(.*\S)\s*$/.exec(line);
    if (match !== null) {
      const value = match[2]!;
      result[match[1]!] = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    }
  }
  return result;
}

/** What the legend says of each `<path>.NAME`. */
function parseLegend(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^# <path>\.(\w+): (.*)$/gm)].map((match) => [match[1]!, match[2]!]));
}

/** Numbers by name, such as `{ speculated: 12, waited: 1 }`. */
type Numbers = Record<string, number | string>;

/** The counters by what they belong to; zeros are left out. */
export interface StructuredStats {
  /** All threads together, by path. */
  paths: Record<string, Numbers>;
  /** By thread, then path. */
  threads: Record<string, Record<string, Numbers>>;
  arena: Numbers;
  slab: Numbers;
  /** tasks, processes, forks, waiting. */
  [name: string]: number | string | object;
}

/** Sorts the lines of the file by their names: `PATH.NAME`, `THREAD.PATH.NAME`, `arena.NAME`, `slab.NAME`, `NAME`. */
export function structureStats(flat: Numbers): StructuredStats {
  const result: StructuredStats = { paths: {}, threads: {}, arena: {}, slab: {} };
  for (const [name, value] of Object.entries(flat)) {
    const [first, second, third] = name.split(".") as [string, string?, string?];
    if (second === undefined) result[first] = value;
    else if (first === "arena" || first === "slab") result[first][name.slice(first.length + 1)] = value;
    else if (third === undefined) (result.paths[first] ??= {})[second] = value;
    else ((result.threads[first] ??= {})[second] ??= {})[third] = value;
  }
  return result;
}

/** Columns in nanoseconds, and what they are called once they are in a unit for people. */
const TIMES: Readonly<Record<string, string>> = { waited_ns: "waited for", longest_wait_ns: "longest" };
const NO_LINES = Object.fromEntries(
  [
    ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
    ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
  ]
    .flat()
    .map((place) => [place, ""]),
);

/** A line for each path, and below it one for each thread; then the other numbers as `NAME VALUE`. */
export function statsTable(stats: StructuredStats, legend: Record<string, string>): string {
  const { paths, threads, arena, slab, ...others } = stats;
  const columns = Object.keys(legend).filter((name) => Object.values(paths).some((numbers) => name in numbers));
  const table = new Table({
    head: ["path", "thread", ...columns.map((name) => TIMES[name] ?? name)],
    colAligns: ["left", "left", ...columns.map(() => "right" as const)],
    chars: { ...NO_LINES, middle: " " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 1 },
  });
  for (const [path, numbers] of Object.entries(paths)) {
    table.push([path, "all", ...cells(numbers, columns)]);
    for (const [thread, byPath] of Object.entries(threads)) {
      const own = byPath[path];
      if (own !== undefined) table.push(["", thread, ...cells(own, columns)]);
    }
  }
  const parts = [
    columns.length === 0 ? "Nothing has been read yet.\n" : trimLines(`${table.toString()}\n`),
    columns.map((name) => `${TIMES[name] ?? name}: ${legend[name]}\n`).join(""),
    lines({ ...others, ...prefixed("arena", arena), ...prefixed("slab", slab) }),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function cells(numbers: Numbers, columns: readonly string[]): string[] {
  return columns.map((name) => {
    const value = numbers[name];
    if (value === undefined) return "";
    return name in TIMES ? duration(Number(value)) : String(value);
  });
}

const UNITS: readonly (readonly [ns: number, unit: string])[] = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
];

/** Nanoseconds for people, with three digits: "1.00 s", "12.3 ms". */
export function duration(ns: number): string {
  for (const [size, unit] of UNITS) {
    // What would be rounded up to 1000 of a unit is 1 of the next.
    if (ns < size * 0.9995) continue;
    const value = ns / size;
    return `${value < 1000 ? value.toPrecision(3) : value.toFixed(0)} ${unit}`;
  }
  return `${ns} ns`;
}

function prefixed(prefix: string, numbers: Numbers): Numbers {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function lines(numbers: Record<string, unknown>): string {
  return Object.entries(numbers)
    .map(([name, value]) => `${name} ${String(value)}\n`)
    .join("");
}

function trimLines(text: string): string {
  return text.replace(/ +$/gm, "");
}
