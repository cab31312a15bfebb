/** Facts about the machine that a result belongs to. */
import { arch, availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import type { Machine } from "./result.ts";

/** Load averages of 1, 5 and 15 minutes. */
export function loads(): [number, number, number] {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return [one, five, fifteen];
}

/** @param loadBefore {@link loads} at the start; those of now are the ones at the end */
export function machineFacts(loadBefore: [number, number, number]): Machine {
  return {
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model.trim() ?? "unknown",
    kernel: release(),
    architecture: arch(),
    node: process.version,
    memoryBytes: totalmem(),
    loadBefore,
    loadAfter: loads(),
  };
}
