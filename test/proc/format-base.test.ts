import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { IoSnapshot } from "../../src/kernel/io-accounting.ts";
import { RLIM_INFINITY } from "../../src/kernel/layout.ts";
import {
  formatAutogroup,
  formatCoredumpFilter,
  formatIdMap,
  formatIo,
  formatLimits,
  formatPersonality,
  formatStack,
  formatSyscall,
  formatTimensOffset,
  formatTimer,
} from "../../src/proc/task/base-format.ts";
import { LimitsSnapshot, RegistersSnapshot } from "../../src/proc/task/snapshots.ts";
import { Text } from "../../src/proc/text.ts";
import { TimerSnapshot } from "../../src/time/posix-timers.ts";
import { everywhere } from "./format-real.ts";

function written(format: (out: Text) => void): string {
  const out = new Text(16);
  format(out);
  return out.toString();
}

/** Compares a formatter with every file of a name: `parse` turns its text into a formatter call. */
function reproduces(file: string, parse: (text: string, out: Text) => void): void {
  const files = everywhere(file);
  expect(files.length, file).toBeGreaterThan(0);
  for (const [path, text] of files)
    expect(
      written((out) => parse(text, out)),
      path,
    ).toBe(text);
}

test("io", () => {
  reproduces("io", (text, out) => {
    const s = new IoSnapshot();
    const [rchar, wchar, syscr, syscw, readBytes, writeBytes, cancelledWriteBytes] = text
      .match(/\d+/g)
      ?.map(Number) as number[];
    formatIo(Object.assign(s, { rchar, wchar, syscr, syscw, readBytes, writeBytes, cancelledWriteBytes }), out);
  });
});

test("limits", () => {
  const value = (text: string): number => (text.trim() === "unlimited" ? RLIM_INFINITY : Number(text));
  reproduces("limits", (text, out) => {
    const s = new LimitsSnapshot();
    const lines = text.trimEnd().split("\n").slice(1);
    expect(lines).toHaveLength(16);
    for (const [i, line] of lines.entries()) {
      s.soft[i] = value(line.slice(26, 47));
      s.hard[i] = value(line.slice(47, 68));
    }
    formatLimits(s, out);
  });
});

test("personality and coredump_filter", () => {
  reproduces("personality", (text, out) => formatPersonality(parseInt(text, 16), out));
  reproduces("coredump_filter", (text, out) => formatCoredumpFilter(parseInt(text, 16), out));
});

test("autogroup", () => {
  // A session of its own has one; what else runs on a machine may have none at all.
  const session = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  try {
    reproduces("autogroup", (text, out) => {
      const [id, nice] = text.match(/-?\d+/g)?.map(Number) as [number, number];
      formatAutogroup(Math.abs(id), nice, out);
    });
  } finally {
    session.kill("SIGKILL");
  }
});

test("maps of ids and time namespaces", () => {
  for (const file of ["uid_map", "gid_map", "projid_map"]) {
    reproduces(file, (text, out) => {
      for (const line of text.trimEnd().split("\n")) {
        const [first, lower, count] = line.trim().split(/ +/).map(Number) as [number, number, number];
        formatIdMap(first, lower, count, out);
      }
    });
  }
  reproduces("timens_offsets", (text, out) => {
    for (const line of text.trimEnd().split("\n")) {
      const [clock, seconds, nanoseconds] = line.split(/ +/) as [string, string, string];
      formatTimensOffset(clock, Number(seconds), Number(nanoseconds), out);
    }
  });
});

test("stack", () => {
  reproduces("stack", (text, out) => {
    formatStack(
      text
        .trimEnd()
        .split("\n")
        .map((line) => line.slice("[<0>] ".length)),
      out,
    );
  });
});

test("syscall", () => {
  const s = new RegistersSnapshot();
  let compared = 0;
  for (const [path, text] of everywhere("syscall")) {
    const words = text.trimEnd().split(" ");
    const numbers = words.slice(1).map(Number);
    // Simulated registers are addresses and small numbers: below 2^53.
    if (numbers.some((number) => number > Number.MAX_SAFE_INTEGER)) continue;
    s.running = words[0] === "running";
    s.syscall = Number(words[0]);
    for (const [i, value] of numbers.slice(0, -2).entries()) s.args[i] = value;
    s.sp = numbers.at(-2) ?? 0;
    s.pc = numbers.at(-1) ?? 0;
    expect(
      written((out) => formatSyscall(s, out)),
      path,
    ).toBe(text);
    compared++;
  }
  expect(compared).toBeGreaterThan(0);
});

test("timers, as captured from a real process", () => {
  const s = new TimerSnapshot();
  Object.assign(s, { id: 0, signo: 12, notify: 0, pid: 15, clock: 1 });
  expect(written((out) => formatTimer(s, out))).toBe(
    "ID: 0\nsignal: 12/0000000000000000\nnotify: signal/pid.15\nClockID: 1\n",
  );
  Object.assign(s, { id: 7, signo: 64, valueLow: 0xdeadbeef, valueHigh: 0x7f12, notify: 4, pid: 18, clock: 0 });
  expect(written((out) => formatTimer(s, out))).toBe(
    "ID: 7\nsignal: 64/00007f12deadbeef\nnotify: signal/tid.18\nClockID: 0\n",
  );
  Object.assign(s, { notify: 1 });
  expect(written((out) => formatTimer(s, out))).toContain("notify: none/pid.18\n");
  Object.assign(s, { notify: 2 });
  expect(written((out) => formatTimer(s, out))).toContain("notify: thread/pid.18\n");
});
