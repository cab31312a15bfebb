/**
 * Which names go when a task is reaped. The mount lets the kernel keep names of processes for long, and takes them back
 * when it hears of an exit (see kernel/exit-events.ts). Answers are right without that too: a node of a task that is
 * gone says so itself; but a path that nobody walks again would hold memory.
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { findTask, pidGeneration } from "../../kernel/pid.ts";
import { NULL } from "../../sync/atomics.ts";
import type { DirEntry } from "./entries.ts";
import { encodeRow } from "./node-id.ts";

/** Takes names that are no longer valid: `name` in the directory with this node id. */
export interface EntryNotifier {
  invalidate(parentHi: number, parentLo: number, name: string): void;
}

const ROOT_HI = 0;
const ROOT_LO = 1;

/**
 * Tells of the names of a reaped task.
 * @param process the table of /proc/<pid>, as the file system has it
 * @param tgid its process; it is gone as a whole if `pid` equals it
 */
export function invalidateReaped(
  k: Kernel,
  process: DirEntry,
  tgid: number,
  pid: number,
  notifier: EntryNotifier,
): void {
  const name = String(pid);
  notifier.invalidate(ROOT_HI, ROOT_LO, name);
  const taskDirectory = process.byName.get("task");
  // Below a directory that is gone itself there is nothing to take back.
  if (pid === tgid || taskDirectory === undefined || findTask(k, tgid) === NULL) return;
  const node = { nodeHi: 0, nodeLo: 0 };
  encodeRow(node, taskDirectory.number, tgid, pidGeneration(k, tgid));
  notifier.invalidate(node.nodeHi, node.nodeLo, name);
}
