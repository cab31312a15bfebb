/** Parts of the command line that need no child process. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { leftText } from "../../mount/cli/bar.ts";
import { parseStats } from "../../mount/cli/stats.ts";
import { progressLine, progressText } from "../../mount/cli/progress.ts";
import { explain } from "../../mount/cli/failure.ts";
import { MOUNT_ERROR_CODES, MountError } from "../../mount/errors.ts";
import { createLogger, formatLine, SwitchableSink } from "../../mount/log.ts";

function collector(): { lines: string[]; write(text: string): void } {
  const lines: string[] = [];
  return { lines, write: (text) => void lines.push(text) };
}

describe("logs", () => {
  test("are JSON for machines", () => {
    const sink = collector();
    createLogger("info", "auto", sink, false).info({ seed: 7 }, "mounted");
    expect(JSON.parse(sink.lines[0]!)).toMatchObject({ level: 30, seed: 7, msg: "mounted", name: "synthproc" });
  });

  test("are short lines for people, and keep to the level", () => {
    const sink = collector();
    const logger = createLogger("warn", "auto", sink, true);
    logger.info("unseen");
    logger.warn({ dir: "/mnt" }, "stale");
    expect(sink.lines).toHaveLength(1);
    expect(sink.lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}stale dir="\/mnt"\n$/);
  });

  test("format of a line", () => {
    expect(formatLine('{"level":30,"time":0,"pid":1,"hostname":"h","msg":"m","a":1}')).toBe(
      "00:00:00.000 info  m a=1\n",
    );
  });

  test("a switched sink takes the lines that follow", () => {
    const [before, after] = [collector(), collector()];
    const sink = new SwitchableSink(before);
    sink.write("1");
    sink.switchTo(after);
    sink.write("2");
    sink.switchTo(null);
    sink.write("3");
    expect([before.lines, after.lines]).toEqual([["1"], ["2"]]);
  });
});

describe("progress", () => {
  test("groups digits and rounds down", () => {
    expect(progressText(12_000, 100_001)).toBe("building the process table: 12,000 of 100,001 (11%)");
    expect(progressText(0, 0)).toBe("building the process table: 0 of 0 (100%)");
  });

  test("is silent without a terminal unless asked for", () => {
    expect(progressLine({ write: () => undefined }, false)).toBeUndefined();
  });

  test("ends its line on a terminal only when done, and leaves small tables alone", () => {
    const stream = { isTTY: true, ...collector() };
    const show = progressLine(stream, false)!;
    show(10, 100);
    show(10_000, 100_000);
    show(10_001, 100_000);
    show(100_000, 100_000);
    expect(stream.lines[0]).toBe("\rbuilding the process table: 10,000 of 100,000 (10%)");
    expect(stream.lines.at(-1)).toBe("\rbuilding the process table: 100,000 of 100,000 (100%)\n");
    expect(stream.lines).toHaveLength(2);
  });
});

test.each([
  [3000, 3, 97, ""],
  [4000, 4, 96, "  1 min 36 s left"],
  [4000, 4, 59, "  59 s left"],
  [4000, 4, 60, "  1 min 0 s left"],
  [10, 100, 1, "  1 s left"],
  [4000, 100, 0, ""],
])("%d ms for %d steps, %d to do", (elapsedMs, done, toDo, text) => {
  expect(leftText(elapsedMs, done, toDo)).toBe(text);
});

describe("failures", () => {
  test.each(MOUNT_ERROR_CODES)("%s has a status and one line", (code) => {
    const failure = explain(new MountError(code, "first line\n  second line"));
    expect(failure.status).toBeGreaterThan(0);
    expect(failure.sentence).toBe("first line second line");
  });

  test("an error of the system names the file first", () => {
    expect(() => readFileSync("/nope/x")).toThrow();
    try {
      readFileSync("/nope/x");
    } catch (error) {
      expect(explain(error)).toEqual({ status: 1, sentence: "/nope/x: no such file or directory (ENOENT)" });
    }
  });

  test("an unexpected error is called internal and keeps its stack", () => {
    const failure = explain(new TypeError("x is not a function"));
    expect(failure.status).toBe(70);
    expect(failure.sentence).toContain("parts.test.ts");
  });
});

test("stats become an object", () => {
  expect(parseStats("# maps.fast 7: a legend\nmaps.fast 12\nmaps.retry: 0\nmode lockfree\n\n")).toEqual({
    "maps.fast": 12,
    "maps.retry": 0,
    mode: "lockfree",
  });
});
