/** What each serving thread of a mount is made of: its handle on the arena, and the /proc side over it. */
import type { KernelConfig } from "../src/kernel/config.ts";
import { Kernel } from "../src/kernel/kernel.ts";
import { Role, roleWord } from "../src/kernel/thread-role.ts";
import { controlHandler } from "../src/mutate/control/control.ts";
import { FaultInjector, hasFaults } from "../src/mutate/run/faults.ts";
import type { Scenario } from "../src/mutate/scenario-types.ts";
import type { HostView } from "../src/proc/host-view.ts";
import { ProcFs } from "../src/proc/procfs.ts";
import { tablesOf } from "../src/proc/tables.ts";
import { FaultyFileSystem } from "../src/proc/fs/faulty-fs.ts";
import type { CallerFacts, FileSystem } from "../src/proc/vfs.ts";
import { monotonicNs } from "./clock.ts";
import { packageVersion } from "./version.ts";
import type { FileSystemContext } from "./file-system-module.ts";

/** What the threads of one simulation share; cloned into each. */
export interface FileSystemData {
  arena: SharedArrayBuffer;
  config: KernelConfig;
  scenario: Scenario;
  host: HostView;
  /** Text of the scenario, for /proc/synthproc/scenario. */
  scenarioText: string;
  /** Check lock order and RCU sections as they happen. */
  lockdep: boolean;
  /** Threads that serve requests: they share the rates of faults. */
  threads: number;
}

/** The file system of one thread, which must not sleep in a request; with the faults that the scenario asks for. */
export function createFileSystem(raw: unknown, context: FileSystemContext): FileSystem {
  const data = raw as FileSystemData;
  const { scenario } = data;
  const fs = createProcFs(data, context.callers, roleOf(context));
  // What the slow lane tries has been tried before, and had its chance of a fault then.
  if (!hasFaults(scenario) || context.role === "slow") return fs;
  const injector = new FaultInjector(fs.kernel(), scenario, data.config.seed, context.thread, data.threads);
  return new FaultyFileSystem(fs, fs.kernel(), injector);
}

function roleOf({ role, thread }: FileSystemContext): number {
  return role === "slow" ? roleWord(Role.slow) : roleWord(Role.worker, thread);
}

/** The file system of one thread without faults. @param role see KernelOptions */
export function createProcFs(data: FileSystemData, callers: CallerFacts, role?: number): ProcFs {
  const kernel = Kernel.attach(data.arena, data.config, {
    debug: data.lockdep,
    now: monotonicNs,
    ...(role === undefined ? {} : { role }),
  });
  kernel.t.maySleep = false;
  return new ProcFs({
    kernel,
    host: data.host,
    facts: callers,
    tables: tablesOf(data.host),
    synthproc: {
      control: controlHandler({ host: data.scenario.host }),
      version: packageVersion(),
      scenario: Buffer.from(data.scenarioText, "utf8").toString("latin1"),
    },
  });
}
