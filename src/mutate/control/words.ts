/** The words of a control command: positions and options, taken one by one and checked as they are taken. */
import { splitCommandLine } from "../command-line.ts";
import { parseDuration, parseSize, UnitError } from "../units.ts";

/** A command that doesn't say what it should: EINVAL, with this sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const SIGNALS = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU " +
  "XFSZ VTALRM PROF WINCH IO PWR SYS"
).split(" ");
const LAST_SIGNAL = 64;
const LARGEST_PID = 4_194_303;
const LARGEST_ID = 4_294_967_295;

/** What options a command has: true for those that take a value. */
export type OptionNames = Readonly<Record<string, boolean>>;

/** Splits a line as a shell does. @throws UsageError for an open quote, or nothing at all */
export function splitLine(line: string): string[] {
  try {
    return splitCommandLine(line);
  } catch (error) {
    if (error instanceof UnitError) throw new UsageError(error.message);
    throw error;
  }
}

/** The words of one command behind its name. Everything after `--` is a position. */
export class Words {
  private readonly positions: string[] = [];
  private readonly options = new Map<string, string>();
  private next = 0;

  /** @throws UsageError for an option that the command doesn't have, or that lacks its value */
  constructor(words: readonly string[], names: OptionNames) {
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as string;
      if (word === "--") {
        this.positions.push(...words.slice(i + 1));
        return;
      }
      if (!word.startsWith("--")) {
        this.positions.push(word);
        continue;
      }
      const [name, inline] = cut(word.slice(2));
      if (!(name in names)) throw new UsageError(`there is no option --${name} (behind -- it would be an argument)`);
      const takesValue = names[name] === true;
      if (!takesValue && inline !== undefined) throw new UsageError(`--${name} takes no value`);
      const value = takesValue ? (inline ?? words[++i]) : "";
      if (value === undefined) throw new UsageError(`--${name} needs a value`);
      this.options.set(name, value);
    }
  }

  /** True if a position is left. */
  more(): boolean {
    return this.next < this.positions.length;
  }

  /** The next position. */
  text(what: string): string {
    if (!this.more()) throw new UsageError(`${what} is missing`);
    return this.positions[this.next++] as string;
  }

  /** All positions that are left. */
  rest(): string[] {
    const left = this.positions.slice(this.next);
    this.next = this.positions.length;
    return left;
  }

  /** @throws UsageError if there are more words than the command takes */
  end(): void {
    if (this.more()) throw new UsageError(`"${this.positions[this.next] as string}" is one word too many`);
  }

  pid(what = "PID"): number {
    return this.integer(what, 1, LARGEST_PID);
  }

  id(what: string): number {
    return this.integer(what, 0, LARGEST_ID);
  }

  integer(what: string, low: number, high: number): number {
    return toInteger(this.text(what), what, low, high);
  }

  /** An address in hexadecimal, as maps shows it, with or without 0x. */
  address(what = "ADDR"): number {
    return toAddress(this.text(what), what);
  }

  /** Bytes, such as 4096, 64K or 1M; `signed` allows a minus. */
  size(what: string, signed = false): number {
    const text = this.text(what);
    const negative = signed && text.startsWith("-");
    const value = quantity(negative ? text.slice(1) : text, parseSize);
    return negative ? -value : value;
  }

  duration(what: string): number {
    return quantity(this.text(what), parseDuration);
  }

  signal(what = "SIGNAL"): number {
    return toSignal(this.text(what), what);
  }

  flag(name: string): boolean {
    return this.options.has(name);
  }

  option(name: string): string | undefined {
    return this.options.get(name);
  }

  optionInteger(name: string, low: number, high: number): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : toInteger(text, `--${name}`, low, high);
  }

  optionAddress(name: string): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : toAddress(text, `--${name}`);
  }

  optionDuration(name: string): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : quantity(text, parseDuration);
  }

  optionSize(name: string): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : quantity(text, parseSize);
  }

  optionSignal(name: string): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : toSignal(text, `--${name}`);
  }

  /** One of some words, by option. */
  optionOneOf<T>(name: string, choices: Readonly<Record<string, T>>): T | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : choose(text, `--${name}`, choices);
  }

  /** One of some words. */
  oneOf<T>(what: string, choices: Readonly<Record<string, T>>): T {
    return choose(this.text(what), what, choices);
  }
}

function cut(word: string): [string, string | undefined] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

function choose<T>(text: string, what: string, choices: Readonly<Record<string, T>>): T {
  const value = Object.hasOwn(choices, text) ? choices[text] : undefined;
  if (value === undefined) throw new UsageError(`${what} is one of ${Object.keys(choices).join(", ")}, not "${text}"`);
  return value;
}

function toInteger(text: string, what: string, low: number, high: number): number {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!(value >= low && value <= high))
    throw new UsageError(`${what} is a number from ${low} to ${high}, not "${text}"`);
  return value;
}

function toAddress(text: string, what: string): number {
  if (!/^(0x)?[0-9a-f]{1,13}$/i.test(text)) throw new UsageError(`${what} is a hexadecimal address, not "${text}"`);
  return Number.parseInt(text, 16);
}

function toSignal(text: string, what: string): number {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const index = SIGNALS.indexOf(name);
  return index >= 0 ? index + 1 : toInteger(text, what, 0, LAST_SIGNAL);
}

/** @throws UsageError with the sentence of the unit parser */
function quantity(text: string, parse: (value: string) => number): number {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof UnitError) throw new UsageError(error.message);
    throw error;
  }
}
