/**
 * A strict reader of the Prometheus text format 0.0.4: whatever the format or the naming rules of Prometheus forbid is an
 * error.
 */

/** A series: its labels, sorted by name, as they stand between the braces. */
export type Series = ReadonlyMap<string, number>;

export interface Family {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly series: Series;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const NUMBER = /^(\d+(\.\d+)?([eE][+-]?\d+)?|NaN|[+-]Inf)$/;

/** Families by name. @throws Error that names the offending line */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the text does not end with a newline");
  const families = new Map<string, Family>();
  let current: { name: string; help: string; type: string; series: Map<string, number> } | null = null;
  for (const line of text.split("\n")) {
    const wrong = (why: string): Error => new Error(`${why}: ${line}`);
    if (line === "") continue;
    const help = /^# HELP (\S+) (\S.*)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
    if (help !== null) {
      if (families.has(help[1]!)) throw wrong("a family begins twice");
      current = { name: help[1]!, help: help[2]!, type: "", series: new Map() };
    } else if (type !== null) {
      if (current?.name !== type[1] || current!.type !== "") throw wrong("TYPE does not follow its HELP");
      checkName(type[1]!, type[2]!, wrong);
      current!.type = type[2]!;
      families.set(type[1]!, current as unknown as Family);
    } else if (line.startsWith("#")) {
      throw wrong("neither HELP nor TYPE");
    } else {
      addSample(line, current, wrong);
    }
  }
  for (const [name, { series }] of families) if (series.size === 0) throw new Error(`${name} has no series`);
  return families;
}

function checkName(name: string, type: string, wrong: (why: string) => Error): void {
  if ((type === "counter") !== name.endsWith("_total")) throw wrong("counters, and nothing else, end in _total");
  if (/_(ns|us|ms|nanoseconds|microseconds|milliseconds|kilobytes|kb|pages)(_|$)/.test(name)) throw wrong("unit");
  if (/[A-Z]/.test(name)) throw wrong("names are in snake case");
}

function addSample(
  line: string,
  family: { name: string; type: string; series: Map<string, number> } | null,
  wrong: (why: string) => Error,
): void {
  const match = SAMPLE.exec(line);
  if (match === null) throw wrong("not a sample");
  const [, name, labels = "", value] = match;
  if (family?.name !== name || family!.type === "") throw wrong("a sample outside of its family");
  if (!NUMBER.test(value!)) throw wrong("not a number");
  const key = sortedLabels(labels, wrong);
  if (family!.series.has(key)) throw wrong("a series occurs twice");
  family!.series.set(key, Number(value));
}

function sortedLabels(labels: string, wrong: (why: string) => Error): string {
  const found: string[] = [];
  const names = new Set<string>();
  for (let rest = labels; rest !== "";) {
    const match = LABEL.exec(rest);
    if (match === null) throw wrong("malformed labels");
    if (names.has(match[1]!)) throw wrong("a label occurs twice");
    names.add(match[1]!);
    found.push(`${match[1]}="${match[2]}"`);
    rest = rest.slice(match[0].length);
  }
  return found.sort().join(",");
}
