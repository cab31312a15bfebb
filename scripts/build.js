/**
 * Bundles mount/ and src/ into dist/: one entry per executable thread, shared code in chunks beside them.
 *
 * Files appear by rename, chunks before the entries that name them, so that a command which starts during a build
 * sees either the old program or the new one. Chunk names carry a hash of their content, and old chunks stay for a
 * day, because a running mount may still load one.
 */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildCheck, programTime } from "./build-check.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const DAY_MS = 86_400_000;

function entryPoints() {
  const wanted = /^(cli|index|worker|file-system|(?!spawn-).*-thread)\.ts$/;
  return ["mount", "mount/bench", "mount/check"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => wanted.test(name))
      .map((name) => join(root, folder, name)),
  );
}

function newestSource(folder) {
  let newest = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestSource(path) : statSync(path).mtimeMs);
  }
  return newest;
}

/** True if the bundle is missing or older than a source file, or than a folder in which one was removed. */
export function isBundleStale() {
  const built = statSync(join(dist, "cli.js"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return built < newest("src", "mount", "scripts");
}

/** The same of the program that `check` explores. */
export function isProgramStale() {
  return programTime(dist) < newest("src", "scripts");
}

function newest(...folders) {
  return Math.max(...folders.map((folder) => newestSource(join(root, folder))));
}

function install(outputFiles, entries) {
  const isEntry = (path) => entries.has(basename(path).replace(/\.map$/, ""));
  const ordered = [...outputFiles].sort((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)));
  for (const file of ordered) {
    const temporary = `${file.path}.${process.pid}`;
    writeFileSync(temporary, file.contents);
    renameSync(temporary, file.path);
  }
}

/** What the program reads at run time, beside its code as in the sources. */
function installSources() {
  const name = "client.c";
  const temporary = join(dist, `${name}.${process.pid}`);
  copyFileSync(join(root, "mount/bench", name), temporary);
  renameSync(temporary, join(dist, name));
}

function removeOldChunks(outputFiles) {
  const current = new Set(outputFiles.map((file) => basename(file.path)));
  for (const name of readdirSync(dist)) {
    const path = join(dist, name);
    if (/-[A-Z0-9]{8}\.js(\.map)?$/.test(name) && !current.has(name) && statSync(path).mtimeMs < Date.now() - DAY_MS) {
      rmSync(path, { force: true });
    }
  }
}

/** Removes everything built before, for a package that holds nothing else. */
function clean() {
  rmSync(dist, { recursive: true, force: true });
}

/** Builds everything; throws an error of esbuild's or of the transform's, whose message names file and line. */
export async function build() {
  await buildProgram(() => undefined);
  await buildBundle();
}

/** Builds what `check` explores. @param onBuild called if there is more to do than to look */
export async function buildProgram(onBuild) {
  mkdirSync(dist, { recursive: true });
  await buildCheck(await import("esbuild"), root, dist, onBuild);
}

/** Builds what runs. */
export async function buildBundle() {
  const esbuild = await import("esbuild");
  const entries = entryPoints();
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: dist,
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: true,
    logLevel: "silent",
  });
  mkdirSync(dist, { recursive: true });
  installSources();
  install(result.outputFiles, new Set(entries.map((path) => basename(path).replace(/\.ts$/, ".js"))));
  removeOldChunks(result.outputFiles);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    if (process.argv.includes("--clean")) {
      clean();
    }
    await build();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
