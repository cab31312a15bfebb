/**
 * Puts the transformed program of `synthproc check` into dist/check, if its sources or the transform have changed. What
 * runs it later needs neither.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const STAMP = "stamp";

/** True if there is no program. */
export function isMissing(dist) {
  return !existsSync(join(dist, "check", STAMP));
}

/** Builds the program. @throws Error that says with file and line what cannot be explored */
export async function buildCheck(esbuild, root, dist) {
  const transform = await bundleTransform(esbuild, root);
  const target = join(dist, "check");
  const stamp = stampOf(root, target, transform);
  if (!isMissing(dist) && readFileSync(join(target, STAMP), "utf8") === stamp) {
    return;
  }
  const fresh = join(dist, `check.${process.pid}`);
  const script = join(dist, `transform.${process.pid}.js`);
  try {
    writeFileSync(script, transform);
    const { ProgramBuilder } = await import(pathToFileURL(script).href);
    new ProgramBuilder(root).build({ outDir: fresh });
    writeFileSync(join(fresh, STAMP), stampOf(root, fresh, transform));
    replace(target, fresh);
  } finally {
    rmSync(script, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

async function bundleTransform(esbuild, root) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [join(root, "src/check/interleave/build.ts")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "silent",
  });
  return outputFiles[0].text;
}

/** Changes with the transform, with the sources of the program that is there, and with which files there are. */
function stampOf(root, program, transform) {
  const hash = createHash("sha256").update(transform);
  for (const file of filesBelow(join(root, "src"))) {
    hash.update(`${file}\n`);
    if (existsSync(join(program, "src", file.replace(/\.ts$/, ".js")))) {
      hash.update(readFileSync(join(root, "src", file)));
    }
  }
  return hash.digest("hex");
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .sort();
}

function replace(target, fresh) {
  const old = `${target}.${process.pid}.old`;
  if (existsSync(target)) {
    renameSync(target, old);
  }
  renameSync(fresh, target);
  rmSync(old, { recursive: true, force: true });
}
