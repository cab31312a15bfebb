/** The library that draws is large: only `--html` loads it. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Packages that are loaded together with each bundled module, and the modules that come only when asked for. */
async function bundle() {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["mount/cli.ts"],
    outdir: "dist",
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  return metafile.outputs;
}

type Outputs = Awaited<ReturnType<typeof bundle>>;

function loadedWith(outputs: Outputs, start: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set([start]);
  for (const path of seen) {
    for (const { path: other, kind, external } of outputs[path]!.imports) {
      if (kind !== "import-statement") continue;
      if (external) packages.add(other);
      else seen.add(other);
    }
  }
  return packages;
}

function outputOf(outputs: Outputs, source: string): string {
  const found = Object.keys(outputs).find((path) => outputs[path]!.entryPoint === source);
  expect(found, source).toBeDefined();
  return found!;
}

test("echarts comes with the page alone, the table with the text alone", async () => {
  const outputs = await bundle();
  const loaded = (source: string) => [...loadedWith(outputs, outputOf(outputs, source))];
  const drawing = (name: string) => /^(echarts|zrender)/.test(name);
  expect(loaded("mount/bench/report/html.ts").some(drawing)).toBe(true);
  expect(loaded("mount/bench/report/text.ts")).toContain("cli-table3");
  for (const source of ["mount/cli.ts", "mount/cli/bench.ts", "mount/bench/report/text.ts"]) {
    expect(loaded(source).filter(drawing)).toEqual([]);
  }
  for (const source of ["mount/cli.ts", "mount/cli/bench.ts"]) expect(loaded(source)).not.toContain("cli-table3");
});
