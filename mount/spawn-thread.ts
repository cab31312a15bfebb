/** Starting a thread from an entry file, both from the sources (through tsx) and from the bundles in dist/. */
import { createRequire } from "node:module";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerOptions } from "node:worker_threads";
import { Worker } from "node:worker_threads";

/**
 * Starts `<entry>.ts` of this folder or one below, or its bundle if this code itself runs from one. Bundles of all folders
 * lie side by side.
 *
 * Worker threads do not inherit a loader on Node 20 (`execArgv: ["--import", "tsx"]` has no effect there), so the
 * source case goes through a line of code that registers tsx first.
 */
export function spawnThread(entry: string, options: WorkerOptions): Worker {
  const here = import.meta.url;
  // Whatever node was started with is meant for the program that uses us; --input-type even keeps threads from starting.
  if (!here.endsWith(".ts")) return new Worker(new URL(`./${basename(entry)}.js`, here), { ...options, execArgv: [] });
  const url = new URL(`./${entry}.ts`, here).href;
  // The module version of the package's "tsx/esm/api"; a require() would resolve to the other one.
  const tsx = new URL("dist/esm/api/index.mjs", pathToFileURL(createRequire(here).resolve("tsx/package.json"))).href;
  const boot = `import(${JSON.stringify(tsx)}).then((api) => { api.register(); return import(${JSON.stringify(url)}); })`;
  return new Worker(boot, { ...options, eval: true });
}
