/** Runs exported functions of a test module in real worker threads. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

const tsx = new URL(
  "dist/esm/api/index.mjs",
  pathToFileURL(createRequire(import.meta.url).resolve("tsx/package.json")),
);

const BOOT = `
const { parentPort, workerData } = require("node:worker_threads");
import(workerData.tsx).then((api) => { api.register(); return import(workerData.module); }).then((module) =>
  parentPort.postMessage(module[workerData.name](workerData.argument)));
`;

/**
 * Calls `name` of the module with each argument, one thread a call; resolves with the results in order.
 * Arguments and results must be cloneable. A thread that throws rejects the whole.
 */
export function inThreads<A, R>(module: string, name: string, args: readonly A[]): Promise<R[]> {
  return Promise.all(
    args.map(
      (argument) =>
        new Promise<R>((resolve, reject) => {
          const worker = new Worker(BOOT, { eval: true, workerData: { tsx: tsx.href, module, name, argument } });
          worker.once("message", resolve);
          worker.once("error", reject);
        }),
    ),
  );
}
