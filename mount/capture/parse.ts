/** Texts of /proc taken apart. All texts are latin1, one byte a character. */

/** Fields of stat behind the name and the state, in order (proc_pid_stat(5)). */
const STAT_FIELDS = (
  "ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime priority nice " +
  "num_threads itrealvalue starttime vsize rss rsslim startcode endcode startstack kstkesp kstkeip signal blocked " +
  "sigignore sigcatch wchan nswap cnswap exit_signal processor rt_priority policy delayacct_blkio_ticks guest_time " +
  "cguest_time start_data end_data start_brk arg_start arg_end env_start env_end exit_code"
).split(" ");

export interface ParsedStat {
  comm: string;
  state: string;
  fields: Record<string, number>;
}

/** The name may hold anything, parentheses and blanks too: it ends at the last one. */
export function parseStat(text: string): ParsedStat {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const [state = "S", ...values] = text
    .slice(close + 2)
    .trimEnd()
    .split(" ");
  const fields: Record<string, number> = {};
  STAT_FIELDS.forEach((name, index) => {
    const value = Number(values[index] ?? "0");
    if (Number.isSafeInteger(value)) fields[name] = value;
  });
  return { comm: text.slice(open + 1, close), state, fields };
}

/** `Name:\tvalue` lines. */
export function parseLines(text: string): Map<string, string> {
  const lines = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":\t");
    if (colon > 0) lines.set(line.slice(0, colon), line.slice(colon + 2));
  }
  return lines;
}

/** `name: number` lines, as of io. */
export function parseNumbers(text: string): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const match of text.matchAll(/^(\w+): +?(\d+)$/gm)) numbers[match[1]!] = Number(match[2]);
  return numbers;
}

export interface ParsedVma {
  /** The line as in maps. */
  vma: string;
  smaps: Record<string, number>;
  flags: string;
}

const GATE = "[vsyscall]";
const VMA_LINE = /^[0-9a-f]+-[0-9a-f]+ /;
/** Values of smaps that follow from the line itself. */
const REDUNDANT = new Set(["Size", "KernelPageSize", "MMUPageSize"]);

/** smaps, or maps; without the gate area, which is the kernel's own. Values of 0 are left out. */
export function parseSmaps(text: string): ParsedVma[] {
  const all: ParsedVma[] = [];
  for (const line of text.split("\n")) {
    if (VMA_LINE.test(line)) {
      all.push({ vma: line, smaps: {}, flags: "" });
      continue;
    }
    const vma = all.at(-1);
    const match = /^(\w+): +(.*)$/.exec(line);
    if (vma === undefined || match === null) continue;
    const [, name, value] = match as unknown as [string, string, string];
    if (name === "VmFlags") vma.flags = value.trim();
    else if (!REDUNDANT.has(name) && Number.parseInt(value, 10) !== 0) vma.smaps[name] = Number.parseInt(value, 10);
  }
  return all.filter(({ vma }) => !vma.endsWith(GATE));
}

/** Names of limits in a scenario by their names in the file. */
const LIMITS: Record<string, string> = {
  "Max cpu time": "cpu",
  "Max file size": "fsize",
  "Max data size": "data",
  "Max stack size": "stack",
  "Max core file size": "core",
  "Max resident set": "rss",
  "Max processes": "nproc",
  "Max open files": "nofile",
  "Max locked memory": "memlock",
  "Max address space": "as",
  "Max file locks": "locks",
  "Max pending signals": "sigpending",
  "Max msgqueue size": "msgqueue",
  "Max nice priority": "nice",
  "Max realtime priority": "rtprio",
  "Max realtime timeout": "rttime",
};

/** `SOFT:HARD` by name. */
export function parseLimits(text: string): Record<string, string> {
  const limits: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const name = LIMITS[line.slice(0, 26).trimEnd()];
    const values = line.slice(26).trim().split(/ +/);
    if (name !== undefined && values.length >= 2) limits[name] = `${values[0]}:${values[1]}`;
  }
  return limits;
}

export interface ParsedTimer {
  id: number;
  signal: number;
  value: string;
  notify: string;
  to_thread: boolean;
  target: number;
  clock: number;
}

const TIMER = /^ID: (\d+)\nsignal: (\d+)\/([0-9a-f]+)\nnotify: (\w+)\/(pid|tid)\.(\d+)\nClockID: (-?\d+)$/gm;

export function parseTimers(text: string): ParsedTimer[] {
  return [...text.matchAll(TIMER)].map(([, id, signal, value, notify, kind, target, clock]) => ({
    id: Number(id),
    signal: Number(signal),
    value: value!.replace(/^0+(?=.)/, ""),
    notify: notify!,
    to_thread: kind === "tid",
    target: Number(target),
    clock: Number(clock),
  }));
}

/** The name of a terminal by its number in stat (new_decode_dev); null for other devices. */
export function ttyName(nr: number): string | null {
  const major = (nr >> 8) & 0xfff;
  const minor = (nr & 0xff) | ((nr >> 12) & 0xfff00);
  if (major >= 136 && major < 144) return `pts/${(major - 136) * 256 + minor}`;
  if (major !== 4) return null;
  return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
}
