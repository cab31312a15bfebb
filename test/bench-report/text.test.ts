/** The report for a terminal. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { renderText } from "../../mount/bench/report/text.ts";
import { wrap } from "../../mount/bench/report/lines.ts";
import type { BenchResult } from "../../mount/bench/result.ts";
import { ODD_RESULTS } from "./odd.ts";
import { recorded, sample } from "./sample.ts";

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g");

function expected(name: string): string {
  return readFileSync(fileURLToPath(new URL(`expected/${name}`, import.meta.url)), "utf8");
}

function longest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

test.each([80, 120])("of the sample, %d columns wide, is exactly what is expected", (columns) => {
  expect(renderText(sample(), { columns, colour: false })).toBe(expected(`sample-${columns}.txt`));
});

const results: [string, () => BenchResult][] = [["the sample", sample], ["a recorded run", recorded], ...ODD_RESULTS];

describe.each(results)("%s", (_, make) => {
  test.each([80, 100, 120, 200])("fits into %d columns", (columns) => {
    expect(longest(renderText(make(), { columns, colour: false }))).toBeLessThanOrEqual(columns);
  });

  test("is cut nowhere, has no blanks at ends of lines, and says nothing that is no number", () => {
    for (const columns of [80, 120]) {
      const text = renderText(make(), { columns, colour: false });
      expect(text).not.toMatch(/…|[ \t]$|NaN|Infinity|undefined|null/m);
      expect(text).not.toMatch(/\n\n\n/);
      expect(text.endsWith("\n")).toBe(true);
    }
  });

  test("says the same in colour", () => {
    for (const columns of [80, 120]) {
      const coloured = renderText(make(), { columns, colour: true });
      expect(coloured).toMatch(ESCAPES);
      expect(coloured.replace(ESCAPES, "").replace(/[ \t]+$/gm, "")).toBe(
        renderText(make(), { columns, colour: false }),
      );
    }
  });
});

test("without a width it is 80 columns wide, and never less", () => {
  const usual = renderText(sample(), { columns: 80, colour: false });
  expect(renderText(sample(), { colour: false })).toBe(usual);
  expect(renderText(sample(), { columns: 40, colour: false })).toBe(usual);
});

test("names every comparison, every storm, and the machine of a recorded run", () => {
  const result = recorded();
  const text = renderText(result, { columns: 120, colour: false });
  for (const { name } of result.comparisons) expect(text).toMatch(new RegExp(`^${name} +lockfree +\\d`, "m"));
  for (const { parallel } of result.storms) expect(text).toMatch(new RegExp(`^${parallel} at once +\\d`, "m"));
  expect(text).toContain(result.machine.cpuModel);
  expect(text).toContain(`seed ${result.seed};`);
});

describe("lines", () => {
  test("break at blanks, and go on indented", () => {
    expect(wrap("aa bb cc dd", 5, " ")).toBe("aa bb\n cc\n dd");
  });

  test("keep the blanks at their beginning, and words that are too long", () => {
    expect(wrap("  aa bbbbbbbb c", 6, "    ")).toBe("  aa\n    bbbbbbbb\n    c");
  });

  test("don't count what can't be seen", () => {
    expect(wrap("\u001b[1maa\u001b[22m \u001b[2mbb\u001b[22m", 5, "")).toBe(
      "\u001b[1maa\u001b[22m \u001b[2mbb\u001b[22m",
    );
  });
});
