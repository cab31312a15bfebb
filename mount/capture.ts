/** Turns a real /proc into a scenario. */
import { readdirSync } from "node:fs";
import { stringify } from "yaml";
import { captureHost } from "./capture/host.ts";
import { captureProcess } from "./capture/process.ts";
import type { Entry } from "./capture/process.ts";
import { GoneError, ProcFolder } from "./capture/read.ts";
import { parseStat } from "./capture/parse.ts";
import { MountError, errorText } from "./errors.ts";

export interface CaptureOptions {
  /** Empty: all processes. */
  pids: readonly number[];
  /** Where the proc to capture is mounted. */
  procRoot: string;
  /** False leaves environments out, which often hold secrets. */
  environ: boolean;
  /** Takes one sentence about something that could not be captured. */
  note: (sentence: string) => void;
}

/**
 * The scenario as YAML: the machine, and its processes or those named and their ancestors. Processes that end meanwhile
 * are left out; so is what this caller may not read. Both are noted.
 * @throws MountError if there is no /proc, or none of the processes named
 */
export async function capture(options: CaptureOptions): Promise<string> {
  const root = new ProcFolder(options.procRoot, (name) => options.note(`${options.procRoot}/${name} can't be read`));
  const pids = wantedPids(root, options);
  const processes = pids.flatMap((pid) => oneProcess(pid, root, options));
  const kept = withParents(processes, options);
  if (kept.length === 0) throw new MountError("ESYNTH_OPTION", "None of these processes can be captured.");
  // The clock goes on while processes are read. It is read last, so that none of them starts in the future.
  const host = captureHost(root);
  const document = { description: `Captured from ${String(host["hostname"])}.`, host, processes: kept };
  return await Promise.resolve(stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }));
}

function wantedPids(root: ProcFolder, { pids, procRoot }: CaptureOptions): number[] {
  const all = listPids(procRoot);
  if (all.length === 0) throw new MountError("ESYNTH_OPTION", `${procRoot} holds no processes; it is no proc.`);
  if (pids.length === 0) return all;
  const missing = pids.find((pid) => !all.includes(pid));
  if (missing !== undefined) throw new MountError("ESYNTH_OPTION", `There is no process ${missing} to capture.`);
  const wanted = new Set<number>();
  for (const pid of pids) {
    for (let at = pid; at > 0 && !wanted.has(at); at = parentOf(root, at)) wanted.add(at);
  }
  return all.filter((pid) => wanted.has(pid));
}

function listPids(procRoot: string): number[] {
  try {
    return readdirSync(procRoot)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    throw new MountError("ESYNTH_OPTION", `${procRoot} can't be read: ${errorText(error)}`);
  }
}

/** 0 if there is none, or the process is gone. */
function parentOf(root: ProcFolder, pid: number): number {
  const text = root.within(String(pid)).maybeText("stat");
  return text === null ? 0 : (parseStat(text).fields["ppid"] ?? 0);
}

function oneProcess(pid: number, root: ProcFolder, options: CaptureOptions): Entry[] {
  const hidden: string[] = [];
  const folder = new ProcFolder(`${root.path}/${pid}`, (name) => hidden.push(name));
  try {
    const entry = captureProcess(pid, folder, options);
    const missing = entry["kernel"] === true ? [] : hidden.filter((name) => !isUsuallyHidden(name));
    if (missing.length > 0) options.note(`process ${pid}: ${missing.slice(0, 6).join(", ")} can't be read`);
    return [entry];
  } catch (error) {
    if (!(error instanceof GoneError)) throw error;
    options.note(`process ${pid} ended while it was captured`);
    return [];
  }
}

/** What even root doesn't get of some tasks. */
function isUsuallyHidden(name: string): boolean {
  return /^(task\/.*|stack|syscall|personality|timerslack_ns)$/.test(name);
}

/** A process whose parent is missing (it ended, or is in another namespace) becomes a child of pid 1, or of nobody. */
function withParents(processes: Entry[], { note }: CaptureOptions): Entry[] {
  const there = new Set(processes.map(({ pid }) => pid));
  for (const entry of processes) {
    if (entry["ppid"] === 0 || there.has(entry["ppid"])) continue;
    note(`process ${String(entry["pid"])}: its parent ${String(entry["ppid"])} is not captured`);
    entry["ppid"] = there.has(1) && entry["pid"] !== 1 ? 1 : 0;
  }
  return processes;
}
