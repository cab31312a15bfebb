/** Numbers as people read them: three significant digits, a unit; what could not be measured is a dash. */

export const MISSING = "–";

const DIGITS = 3;
/** Sizes of units are powers of ten, so that rounding to three digits never needs a fourth. */
const TIMES = [
  [1e12, "ks"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
] as const;
const COUNTS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
  [1, ""],
] as const;

type Units = readonly (readonly [number, string])[];

/** `12.3 µs`; takes nanoseconds. */
export function time(ns: number | null): string {
  return scaled(ns, TIMES, significant);
}

/** `1.23 M`; takes events a second, or any other count. */
export function rate(perSecond: number | null): string {
  return scaled(perSecond, COUNTS, significant);
}

/** As `time()`, without zeros at the end: for axes. */
export function roundTime(ns: number): string {
  return scaled(ns, TIMES, String);
}

/** As `rate()`, without zeros at the end: for axes. */
export function roundRate(perSecond: number): string {
  return scaled(perSecond, COUNTS, String);
}

/** `1.42`, `12.3`, `0.076`, `1.23k`: never more than six characters, if it is below a billion times a thousand. */
export function factor(value: number | null): string {
  if (value === null) return MISSING;
  if (value >= 999.5) return rate(value).replace(" ", "");
  if (value >= 9.995) return significant(value);
  if (value >= 0.0995 || value === 0) return value.toFixed(2);
  return value.toFixed(value < 0.00995 ? 4 : 3);
}

/** `0.95–1.08`, or nothing if one end is unknown. */
export function interval(low: number | null, high: number | null): string {
  return low === null || high === null ? "" : `${factor(low)}–${factor(high)}`;
}

/** `1.20 M–1.25 M`, or a unit for both ends if it is the same. */
export function range(low: number | null, high: number | null, format: (value: number | null) => string): string {
  if (low === null || high === null) return "";
  const [from, to] = [format(low), format(high)];
  const [number, unit] = from.split(" ");
  return unit !== undefined && to.endsWith(` ${unit}`) ? `${number}–${to}` : `${from}–${to}`;
}

/** `12,345`. */
export function integer(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `45.6 %`; takes 0 to 100. */
export function percent(value: number | null): string {
  return value === null ? MISSING : `${value.toFixed(1)} %`;
}

/** `15.6 GiB`. */
export function bytes(value: number): string {
  const gibibytes = value / 2 ** 30;
  return gibibytes >= 1 ? `${significant(gibibytes)} GiB` : `${significant(value / 2 ** 20)} MiB`;
}

/** `1 reader`, `2 readers`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${integer(count)} ${count === 1 ? noun : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** `2026-11-20 23:35 UTC`; a text that is no date stays as it is. */
export function date(iso: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z$/.exec(iso);
  return match === null ? iso : `${match[1]} ${match[2]} UTC`;
}

function scaled(value: number | null, units: Units, write: (rounded: number) => string): string {
  if (value === null) return MISSING;
  if (value === 0) return `0 ${units.at(-1)![1]}`.trimEnd();
  const rounded = Number(value.toPrecision(DIGITS));
  const [size, unit] = units.find(([from]) => Math.abs(rounded) >= from) ?? units.at(-1)!;
  return `${write(Number((rounded / size).toPrecision(DIGITS)))} ${unit}`.trimEnd();
}

/** Three digits that count. */
function significant(value: number): string {
  const rounded = Number(value.toPrecision(DIGITS));
  const magnitude = Math.abs(rounded);
  if (magnitude >= 1000) return integer(rounded);
  if (magnitude === 0) return "0";
  const decimals = Math.max(0, DIGITS - 1 - Math.floor(Math.log10(magnitude)));
  return rounded.toFixed(Math.min(decimals, 20));
}
