/** What `check` explores is built of the sources as they are, whoever changes them or builds too, meanwhile. */
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outcome } from "../support/programs.ts";
import { ended } from "../support/programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TIMEOUT_MS = 120_000;
/** The transform and what it needs. */
const COPIED = ["tsconfig.json", "package.json", "src/check/interleave", "src/check/scenario.ts", "scripts"];
const BUILD = "src/check/interleave/build.ts";
const MODEL = "src/check/model.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "synthproc-build-"));
  for (const name of COPIED) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  mkdirSync(join(root, "dist"));
  writeFileSync(join(root, MODEL), "export const version = 1;\n");
});
afterEach(() => rmSync(root, { recursive: true }));

/** A process that builds, and says whether there was something to do. */
function build(): Promise<Outcome> {
  const script = `
    import * as esbuild from "esbuild";
    import { buildCheck } from ${JSON.stringify(join(root, "scripts/build-check.js"))};
    let built = "nothing to do";
    await buildCheck(esbuild, ${JSON.stringify(root)}, ${JSON.stringify(join(root, "dist"))}, () => (built = "built"));
    console.log(built);`;
  return ended(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT, timeout: TIMEOUT_MS });
}

const built = { status: 0, signal: null, stdout: "built\n", stderr: "" };
const text = (): string => readFileSync(join(root, "dist/check/src/check/model.js"), "utf8");

test(
  "a source that changes after it has been read is read again",
  async () => {
    const writes = "writeProgram(outDir, entries, program);";
    const change = `if (!readFileSync("${root}/${MODEL}", "utf8").includes("2")) appendFileSync("${root}/${MODEL}", "export const more = 2;\\n");`;
    const source = readFileSync(join(root, BUILD), "utf8");
    expect(source.split(writes)).toHaveLength(2);
    const changing = source.replace(writes, `${writes} ${change}`);
    writeFileSync(join(root, BUILD), `import { appendFileSync, readFileSync } from "node:fs"; ${changing}`);
    expect(await build()).toEqual(built);
    expect(text()).not.toContain("more");
    expect(await build()).toEqual(built);
    expect(text()).toContain("more = 2");
    expect(await build()).toEqual({ ...built, stdout: "nothing to do\n" });
  },
  TIMEOUT_MS,
);

test(
  "several that build at once leave one whole program, and nothing else",
  async () => {
    for (const version of [2, 3]) {
      appendFileSync(join(root, MODEL), `export const also${version} = ${version};\n`);
      const all = await Promise.all([build(), build(), build()]);
      // Who comes late finds it made.
      for (const one of all)
        expect(one).toEqual({ ...built, stdout: expect.stringMatching(/^(built|nothing)/) as string });
      expect(text()).toContain(`also${version}`);
      expect(readdirSync(join(root, "dist"))).toEqual(["check"]);
    }
  },
  TIMEOUT_MS,
);
