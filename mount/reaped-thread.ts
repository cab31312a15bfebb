/**
 * Entry of the thread that hears of reaped tasks and passes on which names went with them, for the notifier to tell the
 * kernel. Its event loop doesn't turn while it runs.
 */
import { parentPort, workerData } from "node:worker_threads";
import { drainReaped, waitReaped } from "../src/kernel/exit-events.ts";
import { Role, roleWord } from "../src/kernel/thread-role.ts";
import { mutatorsStopped } from "../src/mutate/run/pace.ts";
import type { EntryNotifier } from "../src/proc/fs/notify.ts";
import type { FileSystemData } from "./file-system.ts";
import { createProcFs } from "./file-system.ts";
import { INVALIDATE, NotifyRing } from "./notify.ts";
import { RealCallers } from "./caller.ts";

/** What the thread is started with. */
export interface ReapedThreadData {
  fileSystem: FileSystemData;
  /** The mount's notification ring. */
  ring: SharedArrayBuffer;
}

/** Entries passed on between two looks at the stop word. */
const BATCH = 256;
const SLEEP_MS = 250;
/** A name that no entry of the ring can hold: every name is doubtful. */
const EVERYTHING = "x".repeat(256);

function run({ fileSystem, ring }: ReapedThreadData): void {
  const fs = createProcFs(fileSystem, new RealCallers("/proc"), roleWord(Role.reaped));
  const k = fs.kernel();
  const notifications = new NotifyRing(ring);
  const notifier: EntryNotifier = {
    invalidate: (hi, lo, name) => notifications.push(INVALIDATE, hi, lo, 0, 0, name),
  };
  parentPort?.postMessage({ kind: "ready" });
  while (!mutatorsStopped(k)) {
    fs.busy();
    const count = drainReaped(k, (tgid, pid) => fs.invalidateReaped(tgid, pid, notifier), BATCH);
    fs.idle();
    // Mutators free what is retired, but not while they are paused; a serving thread might block with a batch in hand.
    k.slab.reclaim();
    if (count < 0) notifier.invalidate(0, 1, EVERYTHING);
    if (count === 0) waitReaped(k, SLEEP_MS);
  }
}

run(workerData as ReapedThreadData);
