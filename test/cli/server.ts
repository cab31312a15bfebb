/** `synthproc mount` in a process of its own, and what tests ask of it. */
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { mountAt } from "../../mount/mountinfo.ts";
import { removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import { PROGRAM, synthproc } from "./helpers.ts";

/** What `mount --json` prints. */
export interface Mounted {
  readonly dir: string;
  readonly seed: number;
  readonly transport: string;
  readonly processes: number;
  readonly pid: number;
  /** Only with --metrics. */
  readonly metrics?: string;
}

export class CliServer {
  readonly dir = temporaryDirectory();
  readonly process: ChildProcess;
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: SpawnOptions = {}) {
    const command = ["mount", this.dir, "--json", "--log-level", "warn", ...args];
    this.process = spawn(PROGRAM, command, { stdio: ["ignore", "pipe", "pipe"], ...options });
    this.process.stdout?.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.process.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => this.process.once("close", (status, signal) => resolve({ status, signal })));
  }

  /** Resolves when it is mounted. @throws Error if it isn't within a minute */
  async ready(): Promise<Mounted> {
    const deadline = performance.now() + 60_000;
    while (!this.stdout.includes("\n")) {
      if (this.process.exitCode !== null || performance.now() > deadline) throw new Error(`no mount: ${this.stderr}`);
      await sleep(10);
    }
    return JSON.parse(this.stdout) as Mounted;
  }

  at(name: string): string {
    return `${this.dir}/${name}`;
  }

  /** Commands by the program's own ctl, all of which must succeed; @returns what they say */
  async ctl(...commands: string[]): Promise<string> {
    const outcome = await synthproc(["ctl", this.dir, ...commands]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    return outcome.stdout.trim();
  }

  isMounted(): boolean {
    return mountAt(this.dir) !== null;
  }

  /** Whatever state it is in: ends the server and removes the directory. */
  async remove(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGTERM");
      await Promise.race([this.ended, sleep(10_000)]);
      this.process.kill("SIGKILL");
    }
    await this.ended;
    removeDirectory(this.dir);
  }
}
