/** The README is true: its examples run, its tables are those of the sources. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { BY_SIGNAL, EXIT_CODES } from "../mount/cli/exit-codes.ts";
import { shippedScenarios } from "../mount/scenario-files.ts";
import { FUSE_NATIVE_LIMITS } from "../mount/transport/fuse-native.ts";
import { COMMANDS } from "../src/mutate/control/control.ts";
import schema from "../src/mutate/scenario.schema.json" with { type: "json" };
import { cannotMount, removeDirectory, temporaryDirectory } from "./mount/helpers.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const README = readFileSync(`${ROOT}README.md`, "utf8");
const SCENARIOS = readFileSync(`${ROOT}docs/scenarios.md`, "utf8");
const TIME_LIMIT_MS = 60_000;

interface Example {
  /** Line of the README where its code begins. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The code blocks that are marked to be run. */
function examples(text: string): Example[] {
  const found: Example[] = [];
  for (const match of text.matchAll(/^<!-- run -->\n+```(\w+)\n([^]*?)^```$/gm)) {
    const line = text.slice(0, text.indexOf("\n", match.index + match[0].indexOf("```"))).split("\n").length + 1;
    found.push({ line, language: match[1]!, code: match[2]! });
  }
  return found;
}

interface Outcome {
  status: number;
  stderr: string;
}

/** Runs an example in the checkout, as a reader would; a command that fails ends it. */
function run({ language, code }: Example): Promise<Outcome> {
  const [program, args] =
    language === "js" ? ["node", ["--input-type=module", "-e", code]] : ["bash", ["-eo", "pipefail", "-c", code]];
  return new Promise((done) => {
    const options = { cwd: ROOT, timeout: TIME_LIMIT_MS, killSignal: "SIGKILL", maxBuffer: 1 << 26 } as const;
    execFile(program as string, args as string[], options, (error, _stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), stderr });
    });
  });
}

/** What follows a marker, up to the first line after it that fits neither. */
function listAfter(marker: string, item: RegExp): string[][] {
  const lines = README.slice(README.indexOf(marker) + marker.length).split("\n");
  const rows: string[][] = [];
  for (const line of lines) {
    const match = item.exec(line);
    if (match !== null) rows.push(match.slice(1));
    else if (rows.length > 0) break;
  }
  return rows;
}

describe.skipIf(cannotMount("test/readme"))("examples", () => {
  // A place of their own, so that whoever has tried the README on this machine isn't in the way.
  const dir = temporaryDirectory();
  afterAll(() => {
    removeDirectory(`${dir}/box`);
    removeDirectory(dir);
  });
  const moved = README.replaceAll("/tmp/box", `${dir}/box`);
  const all = examples(moved).map((example) => [`${example.language} at line ${example.line}`, example] as const);

  test("there are some, in the shell and as a program", () => {
    expect(all.filter(([, { language }]) => language === "sh").length).toBeGreaterThanOrEqual(3);
    expect(all.filter(([, { language }]) => language === "js")).toHaveLength(1);
    expect(all).toHaveLength(README.split("<!-- run -->").length - 1);
  });

  test.each(all)(
    "%s",
    async (_name, example) => {
      const { status, stderr } = await run(example);
      expect({ status, errors: stderr.split("\n").filter((line) => /^synthproc:|rror:/.test(line)) }).toEqual({
        status: 0,
        errors: [],
      });
    },
    TIME_LIMIT_MS + 5000,
  );
});

test("the exit statuses are those of the source", () => {
  const rows = listAfter("<!-- exit statuses -->", /^\| (\d+) +\| (.*?) +\|$/);
  expect(rows).toEqual(EXIT_CODES.map(({ status, meaning }) => [String(status), meaning]));
  expect(README).toContain(`${BY_SIGNAL}.\n`);
});

test("what fuse-native can't do is what its source says", () => {
  // A list item may go on in further lines.
  const text = README.replace(/\n {2}(?=\S)/g, " ");
  const from = text.indexOf("<!-- fuse-native limits -->");
  const items = /\n\n((?:- .*\n)+)/.exec(text.slice(from))?.[1]?.trim().split("\n") ?? [];
  expect(items).toEqual(FUSE_NATIVE_LIMITS.map((limit) => `- ${limit}`));
});

test("every command of ctl and every shipped scenario is named", () => {
  for (const { name } of COMMANDS) expect(README).toContain(`\`${name}\``);
  for (const name of shippedScenarios()) expect(README).toContain(`\`${name}\``);
});

test("the scenario reference names every key of groups, rates, phases and faults", () => {
  for (const part of ["group", "rates", "phase", "faults"] as const) {
    const known = Object.keys(schema.$defs[part].properties).filter((key) => key !== "exact");
    expect(known.filter((key) => !SCENARIOS.includes(`\`${key}\``))).toEqual([]);
  }
  const rows = [...SCENARIOS.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1]!);
  const keys = [schema.properties, schema.$defs.rates.properties, schema.$defs.faults.properties].flatMap(Object.keys);
  expect(rows.filter((key) => !/^\d/.test(key) && !keys.includes(key))).toEqual([]);
});

test("files that the documents name exist", () => {
  for (const text of [README, SCENARIOS, readFileSync(`${ROOT}CONTRIBUTING.md`, "utf8")]) {
    for (const [, path] of text.matchAll(/`((?:src|mount|test|docs|fixtures|scripts)\/[\w./-]+)`/g)) {
      expect(existsSync(`${ROOT}${path!}`), path).toBe(true);
    }
  }
});

describe("docs/protocols.md names what there is", () => {
  const text = readFileSync(`${ROOT}docs/protocols.md`, "utf8");
  const named = [...text.matchAll(/((?:`\w+`,? ?)+)\((src\/[\w./-]+)\)/g)];

  test("in every protocol", () => expect(named.length).toBeGreaterThan(25));

  test.each(named.map((match) => [match[2]!, match[1]!.match(/\w+/g)!] as const))("%s: %j", (file, names) => {
    const source = readFileSync(`${ROOT}${file}`, "utf8");
    for (const name of names) expect(source, name).toMatch(new RegExp(`\\b${name}\\b\\W`));
  });

  test("and tests that exist", () => {
    const tests = [...text.matchAll(/test\/[\w./-]*\w/g)].map((match) => match[0]);
    for (const path of tests)
      expect(
        [path, `${path}.test.ts`].some((name) => existsSync(ROOT + name)),
        path,
      ).toBe(true);
  });
});
