/**
 * Entry of every thread of a mount. Three roles: "serve" (reads the device), "slow" (answers requests that had to
 * wait), "notify" (tells the kernel which names became wrong).
 *
 * Once a role's loop runs, the thread's event loop never turns again: it can post messages but gets none.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { FileSystem } from "../src/proc/vfs.ts";
import { RealCallers } from "./caller.ts";
import { Control } from "./control.ts";
import { loadFileSystem } from "./file-system-module.ts";
import { NotifyRing, drainNotifications } from "./notify.ts";
import type { WakeWord } from "./parking.ts";
import { ParkingLot } from "./parking.ts";
import type { SessionOptions } from "./session.ts";
import { Session } from "./session.ts";
import { FuseDevice, serve, serveParked } from "./transport/dev.ts";
import { Recorder } from "./transport/recording.ts";

export type Role = "serve" | "slow" | "notify";

/** What a thread is started with. */
export interface ThreadData {
  role: Role;
  /** Numbers the threads of a mount from 0. */
  index: number;
  fd: number;
  control: SharedArrayBuffer;
  lot: SharedArrayBuffer;
  wake: WakeWord;
  ring: SharedArrayBuffer;
  /** URL of a module that exports createFileSystem. */
  fileSystemModule: string;
  /** First argument of createFileSystem; anything that can be cloned between threads. */
  data: unknown;
  procRoot: string;
  debug: boolean;
  /** File to record messages in, or "". */
  record: string;
  readdirPlus: NonNullable<SessionOptions["readdirPlus"]>;
}

/** What a thread tells the main thread. */
export type ThreadMessage =
  | { kind: "ready" }
  | { kind: "init"; minor: number; kernelMinor: number; flags: number }
  | { kind: "trace"; line: string }
  | { kind: "complaint"; sentence: string }
  | { kind: "end"; why: string };

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

const complain = (sentence: string): void => post({ kind: "complaint", sentence });

function makeFileSystem(data: ThreadData): Promise<FileSystem> {
  const callers = new RealCallers(data.procRoot);
  return loadFileSystem(data.fileSystemModule, data.data, {
    thread: data.index,
    role: data.role === "slow" ? "slow" : "serve",
    callers,
  });
}

function sessionOptions(data: ThreadData, control: Control, lot: ParkingLot): SessionOptions {
  const options: SessionOptions = {
    complain,
    readdirPlus: data.readdirPlus,
    onInit: (agreement) => {
      control.setKernelMinor(agreement.kernelMinor);
      post({ kind: "init", ...agreement });
    },
  };
  if (data.role === "serve") options.interrupt = (low, high, wait) => lot.interrupt(low, high, wait);
  if (data.debug) options.trace = (line) => post({ kind: "trace", line });
  return options;
}

async function runSession(data: ThreadData, control: Control): Promise<string> {
  const lot = new ParkingLot(data.lot, data.wake);
  const fileSystem = await makeFileSystem(data);
  const session = new Session(fileSystem, sessionOptions(data, control, lot));
  const device = new FuseDevice(data.fd, data.record === "" ? null : new Recorder(data.record));
  fileSystem.idle();
  post({ kind: "ready" });
  if (!control.waitAtGate()) return "cancelled";
  if (data.role === "serve") return serve(device, session, lot, control, data.index, complain);
  serveParked(device, session, lot, control, complain);
  return "stopped";
}

function runNotifier(data: ThreadData, control: Control): string {
  // Most names that end are unknown to the kernel, which says so by an error: don't collect a stack for each.
  Error.stackTraceLimit = 0;
  const device = new FuseDevice(data.fd);
  post({ kind: "ready" });
  if (!control.waitAtGate()) return "cancelled";
  drainNotifications(new NotifyRing(data.ring), {
    send: (bytes, length) => device.send(bytes, length),
    stopped: () => control.stopped(),
    kernelMinor: () => control.kernelMinor(),
    complain,
  });
  return "stopped";
}

const data = workerData as ThreadData;
const control = new Control(data.control);
const why = data.role === "notify" ? runNotifier(data, control) : await runSession(data, control);
post({ kind: "end", why });
