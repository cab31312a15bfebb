/** What the tests of mount/ share: temporary mount points, client processes, and reasons to skip. */
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MountOptions, MountedFileSystem } from "../../mount/mount.ts";
import { mountFileSystem } from "../../mount/mount.ts";
import { mountAt } from "../../mount/mountinfo.ts";
import type { SharedWords } from "../../mount/shared.ts";
import type { Outcome } from "../support/programs.ts";
import { ended } from "../support/programs.ts";
import { createGate } from "./tree-fs.ts";

/** Why real mounts cannot be tested here, or "". */
export function whyNoMounts(): string {
  if (process.getuid?.() !== 0) return "mounting needs root";
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  return "";
}

/** Like whyNoMounts, but says so on the terminal, once a file. */
export function cannotMount(file: string): boolean {
  const why = whyNoMounts();
  if (why !== "") console.warn(`${file}: skipped, because ${why}`);
  return why !== "";
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "synthproc-test-"));
}

/** Removes a directory that must not be a mount any more. */
export function removeDirectory(dir: string): void {
  if (mountAt(dir) !== null) execFileSync("umount", ["-l", dir]);
  rmSync(dir, { recursive: true, force: true });
}

/** Runs a client to its end, at most ten seconds. */
export function client(program: string, ...args: string[]): Promise<Outcome> {
  return ended(program, args, { timeout: 10_000 });
}

/** A client that goes on until it is told otherwise. */
export class RunningClient {
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  stdout = "";

  constructor(program: string, ...args: string[]) {
    this.process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.process.stdout?.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.ended = new Promise((resolve) => this.process.once("close", (code, signal) => resolve({ code, signal })));
  }

  /** Sends a signal. @returns milliseconds until the process was gone */
  async endWith(signal: NodeJS.Signals): Promise<number> {
    const start = performance.now();
    this.process.kill(signal);
    await this.ended;
    return performance.now() - start;
  }
}

/** Waits until something is true. @throws Error if it is not within five seconds */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(5);
  }
}

export interface TestMount {
  dir: string;
  gate: SharedWords;
  mounted: MountedFileSystem;
  log: string[];
  end(): Promise<void>;
}

/** Mounts tree-fs in this process. */
export async function mountTree(options: Partial<MountOptions> = {}): Promise<TestMount> {
  const dir = options.dir ?? temporaryDirectory();
  const gate = createGate();
  const log: string[] = [];
  const note = (line: string): void => void log.push(line);
  const mounted = await mountFileSystem({
    dir,
    fileSystemModule: new URL("./tree-fs.ts", import.meta.url),
    data: { gate: gate.buffer },
    transport: "dev",
    logger: { debug: note, info: note, warn: note, error: note },
    ...options,
  });
  const end = async (): Promise<void> => {
    await mounted.unmount();
    removeDirectory(dir);
  };
  return { dir, gate, mounted, log, end };
}

/** A server in a process of its own. */
export class ServerProcess {
  readonly dir = temporaryDirectory();
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(options: Record<string, unknown> = {}, wrapper: string[] = []) {
    const script = new URL("./server.ts", import.meta.url).pathname;
    const command = [...wrapper, process.execPath, "--import", "tsx", script, this.dir, JSON.stringify(options)];
    this.process = spawn(command[0] as string, command.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
    const take = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.process.stdout?.on("data", take);
    this.process.stderr?.on("data", take);
    this.ended = new Promise((resolve) => this.process.once("close", resolve));
  }

  async ready(): Promise<this> {
    const deadline = performance.now() + 20_000;
    while (!this.output.includes("READY")) {
      if (this.process.exitCode !== null || performance.now() > deadline) throw new Error(`no server: ${this.output}`);
      await sleep(10);
    }
    return this;
  }

  isMounted(): boolean {
    return mountAt(this.dir) !== null;
  }

  async remove(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGKILL");
    await this.ended;
    removeDirectory(this.dir);
  }
}

/** Command lines of the watchdogs that look after a directory. */
export function watchdogsOf(dir: string): string[] {
  const lines = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.includes("synthproc-watchdog") && line.includes(dir));
}

/** The state letter of a process, or "" if it is gone. */
export function stateOf(pid: number): string {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "";
  } catch {
    return "";
  }
}
