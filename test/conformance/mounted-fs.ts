/** The file system module of a mounted test world. */
import { Kernel } from "../../src/kernel/kernel.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import type { CallerFacts } from "../../src/proc/vfs.ts";
import { TEST_HOST, TEST_SYNTHPROC } from "../proc/file-system.ts";
import { TEST_CONFIG } from "../support/kernel.ts";

export function createFileSystem(data: unknown, context: { callers: CallerFacts }): ProcFs {
  const { arena } = data as { arena: SharedArrayBuffer };
  const kernel = Kernel.attach(arena, TEST_CONFIG, { debug: true });
  kernel.t.maySleep = false;
  return new ProcFs({
    kernel,
    host: { ...TEST_HOST, realProc: "/proc" },
    facts: context.callers,
    tables: tablesOf(TEST_HOST),
    synthproc: TEST_SYNTHPROC,
  });
}
