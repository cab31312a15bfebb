/**
 * Puts the transformed program of `synthproc check` into dist/check, if its sources or the transform have changed. What
 * runs it later needs neither.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  futimesSync,
  openSync,
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
/** No build takes that long. */
const HOUR_MS = 3_600_000;

/** When the sources were what the program in dist/check was made of: milliseconds, 0 if there is none. */
export function programTime(dist) {
  return statSync(join(dist, "check", STAMP), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Builds the program. Several processes may do so at once, and sources may change meanwhile.
 * @param onBuild called if it has to be made anew, which takes a while
 * @throws Error that says with file and line what cannot be explored
 */
export async function buildCheck(esbuild, root, dist, onBuild) {
  // What is changed from now on counts as newer.
  const began = new Date();
  const transform = await bundleTransform(esbuild, root);
  const sources = hashesBelow(join(root, "src"));
  const target = join(dist, "check");
  if (isMadeOf(target, sources, transform, began)) {
    return;
  }
  onBuild();
  removeLeftovers(dist);
  const fresh = join(dist, `check.${process.pid}`);
  const script = join(dist, `transform.${process.pid}.js`);
  try {
    writeFileSync(script, transform);
    const { ProgramBuilder } = await import(pathToFileURL(script).href);
    new ProgramBuilder(root).build({ outDir: fresh });
    // Of the sources as they were before they were read: if one was changed just then, it is made anew the next time.
    writeFileSync(join(fresh, STAMP), stampOf(sources, fresh, transform));
    utimesSync(join(fresh, STAMP), began, began);
    // Another process may have made the same meanwhile, and somebody reads it now.
    if (!isMadeOf(target, sources, transform, began)) {
      replace(target, fresh);
    }
  } finally {
    rmSync(script, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** True if the program is made of these sources; then it also counts as new. Whoever replaces it meanwhile is left alone. */
function isMadeOf(program, sources, transform, now) {
  const file = openIfThere(join(program, STAMP));
  if (file === null) {
    return false;
  }
  try {
    const same = readFileSync(file, "utf8") === stampOf(sources, program, transform);
    if (same) {
      futimesSync(file, now, now);
    }
    return same;
  } finally {
    closeSync(file);
  }
}

function openIfThere(path) {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (error.code === "ENOENT") {
      return null;
    }
    throw error;
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

/** Changes with the transform, with the sources of a program, and with which files there are. */
function stampOf(sources, program, transform) {
  const hash = createHash("sha256").update(transform);
  for (const [file, ofText] of sources) {
    hash.update(`${file}\n`);
    if (existsSync(join(program, "src", file.replace(/\.ts$/, ".js")))) {
      hash.update(ofText);
    }
  }
  return hash.digest("hex");
}

/** Of all sources, by path. */
function hashesBelow(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".ts"));
  return files.sort().map((name) => [name, hashOf(join(folder, name))]);
}

/** A file that has just been removed is none any more. */
function hashOf(path) {
  return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
}

/** Puts `fresh` in the place of `target`, whoever else does the same: the last one remains. */
function replace(target, fresh) {
  for (let turn = 0; ; turn++) {
    const old = `${target}.${process.pid}.${turn}.old`;
    if (moved(target, old, "ENOENT")) {
      rmSync(old, { recursive: true, force: true });
    }
    if (moved(fresh, target, "ENOTEMPTY", "EEXIST")) {
      return;
    }
  }
}

/** What builds that were killed have left behind. */
function removeLeftovers(dist) {
  for (const name of readdirSync(dist)) {
    const path = join(dist, name);
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (/^(check|transform)\.\d+\./.test(`${name}.`) && modified < Date.now() - HOUR_MS) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Renames a folder. @returns false if one of these errors is in the way */
function moved(from, to, ...errors) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (errors.includes(error.code)) {
      return false;
    }
    throw error;
  }
}
