/**
 * Puts the transformed program of `synthproc check` into dist/check, if its sources or the transform have changed. What
 * runs it later needs neither.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const STAMP = "stamp";

/** When the sources were what the program in dist/check was made of: milliseconds, 0 if there is none. */
export function programTime(dist) {
  return statSync(join(dist, "check", STAMP), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Builds the program.
 * @param onBuild called if it has to be made anew, which takes a while
 * @throws Error that says with file and line what cannot be explored
 */
export async function buildCheck(esbuild, root, dist, onBuild) {
  const began = new Date();
  await makeProgram(esbuild, root, dist, onBuild);
  // What is changed while it is made counts as newer.
  utimesSync(join(dist, "check", STAMP), began, began);
}

async function makeProgram(esbuild, root, dist, onBuild) {
  const transform = await bundleTransform(esbuild, root);
  const target = join(dist, "check");
  const stamp = stampOf(root, target, transform);
  if (programTime(dist) !== 0 && readFileSync(join(target, STAMP), "utf8") === stamp) {
    return;
  }
  onBuild();
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
