/** The report as a page. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { rate, time } from "../../mount/bench/report/format.ts";
import { renderHtml } from "../../mount/bench/report/html.ts";
import { FORMS } from "../../mount/bench/result.ts";
import type { BenchResult } from "../../mount/bench/result.ts";
import { EVIL_NAME, ODD_RESULTS } from "./odd.ts";
import { recorded, sample } from "./sample.ts";

interface Drawing {
  role: string;
  labelledBy: string[];
  viewBox: string;
  title: string;
  description: string;
  /** Texts in it. */
  labels: string[];
  shapes: number;
  /** Attributes that hold coordinates. */
  numbers: string[];
}

/** What page.py finds. */
interface Page {
  title: string;
  tags: string[];
  attributes: string[];
  ids: string[];
  links: string[];
  headings: string[];
  labelledBy: string[];
  rows: string[][];
  drawings: Drawing[];
  text: string;
}

const READER = fileURLToPath(new URL("page.py", import.meta.url));

/** The page as a strict parser sees it; fails if it is not well-formed. */
function parsed(html: string): Page {
  const { status, stdout, stderr } = spawnSync("python3", [READER], { input: html, encoding: "utf8", timeout: 30_000 });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout) as Page;
}

const results: [string, () => BenchResult][] = [["the sample", sample], ["a recorded run", recorded], ...ODD_RESULTS];

describe.each(results)("%s", (_, make) => {
  const html = renderHtml(make());
  const page = parsed(html);

  test("needs nothing else: no script, no address, no other file", () => {
    expect(html).not.toMatch(/https?:|\/\/[a-z]|@import|javascript:/i);
    for (const match of html.matchAll(/url\(([^)]*)\)/g)) expect(match[1]).toMatch(/^#/);
    for (const tag of ["script", "link", "img", "iframe", "object", "image", "use"])
      expect(page.tags).not.toContain(tag);
    expect(page.attributes.filter((name) => name.startsWith("on") || name === "src")).toEqual([]);
  });

  test("has ids that are unique, and only links and names that lead to one of them", () => {
    expect(new Set(page.ids).size).toBe(page.ids.length);
    for (const link of page.links) expect(page.ids).toContain(link.slice(1));
    for (const name of page.labelledBy) expect(page.ids).toContain(name);
    for (const [, id] of html.matchAll(/url\(#([^)]*)\)/g)) expect(page.ids).toContain(id);
  });

  test("has drawings with a title and a description, of finite coordinates and colours of the style sheet", () => {
    for (const drawing of page.drawings) {
      expect(drawing.role).toBe("img");
      expect(drawing.labelledBy).toHaveLength(2);
      expect(drawing.title).not.toBe("");
      expect(drawing.description).not.toBe("");
      expect(drawing.shapes).toBeGreaterThan(0);
      for (const numbers of drawing.numbers) expect(numbers).not.toMatch(/NaN|Infinity|undefined|null|e[+-]?\d/);
    }
    const colours = new Set([...html.matchAll(/ (?:fill|stroke)="([^"]*)"/g)].map((match) => match[1]));
    // Black is only the shape of a clip path, which isn't seen.
    for (const colour of colours) expect(colour).toMatch(/^(var\(--[a-z]+\)|none|#000)$/);
  });

  test("says nothing that is no number", () => {
    expect(page.text.replace(/:root \{[^]*?\}/g, "")).not.toMatch(/NaN|Infinity|undefined|\bnull\b|\[object/);
  });
});

function normal(text: string): string {
  return text.replace(/\s+/g, " ");
}

test("of a recorded run has a section, drawings and figures of both forms for each comparison", () => {
  const result = recorded();
  const page = parsed(renderHtml(result));
  const rows = (name: string) => page.rows.filter((row) => row[0] === name);
  expect(page.headings).toEqual(expect.arrayContaining(["synthproc bench", "io", "timers", "ps -fe", "In process"]));
  const names = [...new Set(result.comparisons.map(({ name }) => name))];
  const ordered = names.flatMap((name) => result.comparisons.filter((one) => one.name === name));
  ordered.forEach((comparison, index) => {
    FORMS.forEach((form, column) => {
      const { readsPerSecond, writer } = comparison.forms[form];
      expect(rows("reads a second")[index]![column + 1]).toContain(rate(readsPerSecond.median));
      expect(rows("writer, median")[index]![column + 1]).toContain(time(writer.median.median));
      expect(rows("writer, p99")[index]![column + 1]).toContain(time(writer.p99.median));
      expect(rows("all operations together, longest")[index]![column + 1]).toBe(time(writer.all!.maxNs));
      const reads = page.drawings.filter(({ title }) => title === `${comparison.name}: reads a second`);
      expect(reads.some(({ description }) => description.includes(`${form}: ${rate(readsPerSecond.median)}`))).toBe(
        true,
      );
    });
  });
  for (const storm of result.storms) {
    const row = page.rows.find(
      ([name]) => name === (storm.parallel === 1 ? "1 instance" : `${storm.parallel} instances`),
    )!;
    expect(row[1]).toContain(rate(storm.forms.lockfree.runsPerSecond.median));
    expect(row[3]).toContain(rate(storm.forms.locked.runsPerSecond.median));
  }
  // Ratios at two widths; reads and latencies of each; two of the storms.
  expect(page.drawings).toHaveLength(2 * 4 + 2 * result.comparisons.length + 2);
});

test("tells how much the writer does a second: in both forms, and with no readers", () => {
  const rows = parsed(renderHtml(sample())).rows.filter(([name]) => name === "operations of the writer a second");
  expect(rows).toHaveLength(sample().comparisons.length);
  for (const [, lockfree, locked, , alone] of rows)
    expect([lockfree, locked, alone]).toEqual(["8.00 k", "8.00 k", "9.87 k"]);
});

test("labels what it draws", () => {
  const result = sample();
  const { drawings } = parsed(renderHtml(result));
  const labels = (title: string) => drawings.find((drawing) => drawing.title === title)!.labels;
  expect(labels("In process: lockfree / locked")).toEqual(
    expect.arrayContaining([
      "reads a second",
      "writer, median",
      "writer, p99",
      "better →",
      "← better",
      "io",
      "maps",
      "1",
    ]),
  );
  expect(labels("io: reads a second")).toEqual(expect.arrayContaining([...FORMS, "1.23 M", "820 k", "0", "1 M"]));
  const latency = labels("io: how long the writer's operation (exec) takes");
  expect(latency).toEqual(expect.arrayContaining([...FORMS, "no readers", "10 µs", "1 ms", "0 %"]));
  const storm = labels("ps -fe in parallel: runs of ps a second");
  expect(storm).toEqual(expect.arrayContaining([...FORMS, "1", "8", "64", "instances at once"]));
});

test("names the machine, the seed, the options, the date, and how to repeat it", () => {
  const result = sample();
  const { text } = parsed(renderHtml(result));
  for (const said of [
    "2 CPUs (Intel(R) Xeon(R) Processor), 7.75 GiB; Linux 6.18.5 x86_64; Node v20.20.2; load 0.33 before, 3.10 after",
    "seed 7; 5 rounds of 0.5 s for each form, in the order A B B A; 2 readers; 42 s in all",
    "2026-11-20 23:35 UTC, synthproc 0.1.0",
    "synthproc bench io maps maps-remap ps --seed 7 --rounds 5 --seconds 0.5 --where both --readers 2 --ps 1,8,64",
    "published 13.0 µs → 10.0 µs, a ratio of 0.77",
    "Not measured: maps, over the mount: the compiler cc is missing.",
    "The scanners run at nice 19.",
    "Up to 3 readers and writers share 2 CPUs",
  ]) {
    expect(normal(text)).toContain(said);
  }
});

test("shows names, operations, notes and reasons as text, whatever they hold", () => {
  const result = sample();
  const [first] = result.comparisons;
  Object.assign(first!, { name: EVIL_NAME, what: EVIL_NAME, writerOperation: EVIL_NAME, notes: [EVIL_NAME] });
  result.machine.cpuModel = `${EVIL_NAME}\u0000\u001b[31m\ud800`;
  result.skipped = [{ name: EVIL_NAME, where: "mount", why: EVIL_NAME }];
  result.options.names = [EVIL_NAME];
  const html = renderHtml(result);
  const page = parsed(html);
  expect(html).not.toContain("<script");
  expect(page.headings).toContain(EVIL_NAME);
  expect(page.title).toContain(EVIL_NAME);
  expect(page.text.split(EVIL_NAME).length).toBeGreaterThan(8);
  expect(page.text).toContain("\ufffd\ufffd[31m\ufffd");
  expect(new Set(page.ids).size).toBe(page.ids.length);
});

test("is the same each time", () => {
  expect(renderHtml(sample())).toBe(renderHtml(sample()));
});

test("is drawn light, dark and on paper", () => {
  const html = renderHtml(sample());
  const colours = (part: string) => [...part.matchAll(/(--[a-z]+): #[0-9a-f]{6}/g)].map((match) => match[1]);
  const dark = html.slice(html.indexOf("prefers-color-scheme: dark"), html.indexOf("* {"));
  const print = html.slice(html.indexOf("@media print"));
  const used = new Set([...html.matchAll(/var\((--[a-z]+)\)/g)].map((match) => match[1]!));
  expect(used.size).toBeGreaterThan(5);
  for (const colour of used) {
    expect(colours(dark)).toContain(colour);
    expect(colours(print)).toContain(colour);
  }
});
