/** What a transformed program must be, to be loaded: its scenario files export scenarios, each with a name of its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  PROGRAM_FILE,
  ProgramChangedError,
  ScenarioFileError,
  loadProgram,
} from "../../../src/check/interleave/load.ts";

const MODEL = "src/check/model.js";
const FIRST = "src/check/scenarios/first.scenario.js";
const SECOND = "src/check/scenarios/second.scenario.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "synthproc-load-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function scenario(variable: string, name: string): string {
  return `export const ${variable} = { name: "${name}", about: "", setup() {}, threads: {}, check() {} };\n`;
}

/** Writes a program of these scripts, as build.ts does, and loads it. */
function load(scripts: Readonly<Record<string, string>>): ReturnType<typeof loadProgram> {
  const all = { "package.json": '{ "type": "module" }', ...scripts };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  writeFileSync(join(dir, PROGRAM_FILE), JSON.stringify({ entries: Object.keys(scripts), sites: [] }));
  return loadProgram(dir);
}

test("scenarios come by name, and only from scenario files", async () => {
  const { scenarios, modules } = await load({
    [MODEL]: scenario("none", "model/none"),
    [FIRST]: scenario("b", "first/b") + scenario("a", "first/a"),
    [SECOND]: scenario("a", "second/a"),
  });
  expect(scenarios.map(({ name }) => name)).toEqual(["first/a", "first/b", "second/a"]);
  expect(modules.get(MODEL)).toHaveProperty("none");
});

test("one name for two scenarios is an error that names both files", async () => {
  const loading = load({ [FIRST]: scenario("a", "io/exec"), [SECOND]: scenario("a", "io/exec") });
  await expect(loading).rejects.toThrow(
    "two scenarios are called io/exec, in src/check/scenarios/first.scenario.ts and in src/check/scenarios/second.scenario.ts",
  );
});

test("so it is if one file has both", async () => {
  const loading = load({ [FIRST]: scenario("a", "io/exec") + scenario("b", "io/exec") });
  await expect(loading).rejects.toThrow(
    "two scenarios are called io/exec, both in src/check/scenarios/first.scenario.ts",
  );
});

test("what is exported and no scenario is an error that names file and export", async () => {
  const loading = load({ [FIRST]: `${scenario("a", "io/exec")}export const ROUNDS = 3;\n` });
  await expect(loading).rejects.toThrow(ScenarioFileError);
  await expect(loading).rejects.toThrow(
    "src/check/scenarios/first.scenario.ts: a scenario file exports scenarios: ROUNDS is none",
  );
});

test("a program that is built anew while it is loaded is an error", async () => {
  const change = `import { appendFileSync } from "node:fs"; appendFileSync(new URL("../../${PROGRAM_FILE}", import.meta.url), " ");`;
  await expect(load({ [MODEL]: change })).rejects.toThrow(ProgramChangedError);
  const remove = `import { rmSync } from "node:fs"; rmSync(new URL("../../${PROGRAM_FILE}", import.meta.url)); await import("./gone.js");`;
  await expect(load({ [FIRST]: remove.replaceAll("../../", "../../../") })).rejects.toThrow("run it again");
  await expect(load({ [SECOND]: 'import "./gone.js";' })).rejects.toThrow("gone.js");
});
