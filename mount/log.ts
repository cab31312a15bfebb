/** Logs through pino: JSON lines for machines, short lines for people. */
import { writeSync } from "node:fs";
import { pino } from "pino";
import type { Level, Logger } from "pino";

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["auto", "text", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Where log lines go; a daemon turns it away from its parent's standard error. */
export interface LogSink {
  write(line: string): void;
}

/** Writes at once, so that nothing is lost when the process ends. */
export class FdSink implements LogSink {
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  write(line: string): void {
    writeSync(this.fd, line);
  }
}

/** A sink that can be exchanged while loggers hold it. */
export class SwitchableSink implements LogSink {
  private target: LogSink | null;

  constructor(target: LogSink) {
    this.target = target;
  }

  /** Null drops everything from now on. */
  switchTo(target: LogSink | null): void {
    this.target = target;
  }

  write(line: string): void {
    this.target?.write(line);
  }
}

const NAMES: Record<number, string> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** One line of pino's JSON as text: time, level, message and the remaining fields. */
export function formatLine(json: string): string {
  const { level, time, msg, pid, hostname, name, ...rest } = JSON.parse(json) as Record<string, unknown>;
  void [pid, hostname, name];
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  return `${clock} ${(NAMES[Number(level)] ?? String(level)).padEnd(5)} ${String(msg ?? "")}${fields.join("")}\n`;
}

/** `auto` is text on a terminal and JSON elsewhere. */
export function createLogger(level: LogLevel, format: LogFormat, sink: LogSink, isTerminal: boolean): Logger {
  const asText = format === "text" || (format === "auto" && isTerminal);
  const stream = asText ? { write: (line: string): void => sink.write(formatLine(line)) } : sink;
  return pino({ level: level as Level, name: "synthproc" }, stream);
}
