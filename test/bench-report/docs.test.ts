/** The reference of the benchmarks is that of the program. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { BENCH_NAMES } from "../../mount/bench/catalogue.ts";
import { renderText } from "../../mount/bench/report/text.ts";
import { sample } from "./sample.ts";

const DOCS = readFileSync(fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url)), "utf8");

test("its table has every name, in the order of the program", () => {
  const names = [...DOCS.matchAll(/^\| `([\w-]+)` /gm)].map((match) => match[1]);
  expect(names).toEqual(BENCH_NAMES);
});

test("its example is what the program prints", () => {
  const [, example] = /^```text\n([^]*?)^```$/m.exec(DOCS)!;
  expect(example).toContain("lockfree");
  expect(renderText(sample(), { columns: 80, colour: false })).toContain(example);
});
