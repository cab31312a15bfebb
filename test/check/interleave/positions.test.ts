/** Nothing of a source moves: types become blanks, all else is inserted, and no line changes its number. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import type { Output } from "../../../src/check/interleave/emit.ts";
import { PROLOGUE } from "../../../src/check/interleave/emit.ts";
import { allEntries } from "../../../src/check/interleave/entries.ts";
import type { Site } from "../../../src/check/explore/report.ts";
import { ROOT } from "./probe.ts";

const { outputs, sites } = new ProgramBuilder(ROOT).transform(allEntries(ROOT));
const files = [...outputs].map(([file, output]) => ({ file, output, source: readFileSync(join(ROOT, file), "utf8") }));

function withoutInsertions({ text, insertions }: Output): string {
  let rest = text.slice(PROLOGUE.length);
  for (const insertion of insertions) {
    const { at } = insertion;
    expect(rest.slice(at, at + insertion.text.length)).toBe(insertion.text);
    rest = rest.slice(0, at) + rest.slice(at + insertion.text.length);
  }
  return rest;
}

describe.each(files)("$file", ({ output, source }) => {
  test("without what was inserted it's the source without types", () => {
    expect(withoutInsertions(output)).toBe(output.blanked);
  });

  test("what isn't blank stands where the source has it, and imports name scripts", () => {
    expect(output.blanked).toHaveLength(source.length);
    // A comment may show imports too.
    const scripts = source.replace(/(?<!^ \*.*)(from\s+"\.[^"]*)\.ts"/gm, '$1.js"');
    // Where a statement was a type, a semicolon may be left.
    const moved = [...output.blanked].filter((is, i) => is !== scripts[i] && is !== " " && is !== ";");
    expect(moved).toEqual([]);
  });

  test("is a script", () => {
    expect(output.text.split("\n")).toHaveLength(source.split("\n").length);
    const parsed = ts.createSourceFile("x.js", output.text, ts.ScriptTarget.ES2022) as ts.SourceFile & {
      parseDiagnostics: readonly ts.Diagnostic[];
    };
    expect(parsed.parseDiagnostics.map(({ messageText }) => messageText)).toEqual([]);
  });
});

test("each site is where the source makes the access", () => {
  expect(sites.length).toBeGreaterThan(1000);
  const lines = new Map(files.map(({ file, source }) => [file, source.split("\n")]));
  for (const site of sites) {
    const { file, line, column, text } = site as Site;
    const here = lines
      .get(file)!
      .slice(line - 1, line + 9)
      .join("\n")
      .slice(column - 1);
    expect(here.replace(/\s+/g, " ").startsWith(text), `${file}:${line}:${column}`).toBe(true);
  }
});

test("every access that the sources make is a site", () => {
  const access = /\bm\.(load|store|add|or|and|exchange|compareExchange|wait|nap|notify|plainStore|copyOut)\(/g;
  const made = files.flatMap(({ source }) => source.replace(/^\s*(\*|\/[/*]).*$/gm, "").match(access) ?? []);
  const found = sites.filter((site) => new RegExp(`^[\\w.]*${access.source}`).test((site as Site).text));
  expect(found.length).toBe(made.length);
});
