/** A real process and a simulated one that starts as its copy, and does the same, call by call. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { capture } from "../../mount/capture.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { hostView } from "../../src/mutate/build/host.ts";
import { runCommand } from "../../src/mutate/control/control.ts";
import type { World } from "../../src/mutate/control/control.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { TEST_FACTS, TEST_SYNTHPROC } from "../proc/file-system.ts";
import { VfsClient } from "../proc/vfs-client.ts";

const ARENA = 2 ** 30;

/** Looks at /proc/<pid> of one of the two. */
export interface View {
  /** A file's text, latin1. */
  cat(name: string): string;
  ls(name: string): string[];
  readlink(name: string): string;
}

/** Node sorts what it lists. */
function inOrder(names: string[]): string[] {
  return [...names].sort();
}

/** The C program of twin.c. */
export class RealTwin implements View {
  readonly pid: number;
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;

  private constructor(program: string) {
    // Standard error is a pipe, too: the same kind of file three times.
    this.process = spawn(program, ["first", "second argument"], { env: { TWIN: "before", EMPTY: "" } });
    this.pid = this.process.pid as number;
    this.answers = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when it waits for its first line. */
  static async start(program: string): Promise<RealTwin> {
    const twin = new RealTwin(program);
    await twin.answer();
    return twin;
  }

  /** One system call; @returns its result, or minus an errno */
  async call(line: string): Promise<number> {
    this.process.stdin.write(`${line}\n`);
    return this.answer();
  }

  private async answer(): Promise<number> {
    const { value } = await this.answers.next();
    // What it says before it waits again is said by then.
    while (!/^(0|-1) 0x/.test(this.cat("syscall"))) await sleep(1);
    return Number(value);
  }

  cat(name: string): string {
    return readFileSync(`/proc/${this.pid}/${name}`, "latin1");
  }

  ls(name: string): string[] {
    return inOrder(readdirSync(`/proc/${this.pid}/${name}`));
  }

  readlink(name: string): string {
    return readlinkSync(`/proc/${this.pid}/${name}`, "latin1");
  }

  async end(): Promise<void> {
    this.process.kill("SIGKILL");
    await once(this.process, "close");
  }
}

/** Its simulated copy: made from a capture, told by commands of ctl. */
export class SimulatedTwin implements View {
  readonly k: Kernel;
  private readonly world: World;
  private readonly pid: number;
  private readonly client: VfsClient;

  private constructor(yaml: string, pid: number) {
    const scenario = parseScenario(yaml, "captured.yaml");
    const config = kernelConfig(scenario, { seed: 1, now: 0 });
    this.k = Kernel.create(ARENA, config, { debug: true });
    buildScenario(this.k, scenario);
    this.k.busy();
    this.pid = pid;
    this.world = { host: scenario.host };
    const host = hostView(scenario, config, { realProc: "/proc", netOf: "self", mountsOf: "self" });
    const tables = tablesOf(host);
    const fs = new ProcFs({ kernel: this.k, host, facts: TEST_FACTS, tables, synthproc: TEST_SYNTHPROC });
    this.client = new VfsClient(fs, { uid: 0, gid: 0, pid: 0 });
  }

  static async of(pid: number): Promise<SimulatedTwin> {
    const yaml = await capture({ pids: [pid], procRoot: "/proc", environ: true, note: () => undefined });
    return new SimulatedTwin(yaml, pid);
  }

  /** One command, with PID in the place of the pid; @returns what the system call would return, or minus an errno */
  call(command: string): number {
    const { errno, text } = runCommand(this.k, command.replace("PID", String(this.pid)), this.world);
    this.k.quiescent();
    if (errno !== 0) return -errno;
    if (command.startsWith("brk")) return 0;
    return /^m(re)?map/.test(command) ? parseInt(text, 16) : Number(text);
  }

  cat(name: string): string {
    return this.client.cat(`${this.pid}/${name}`);
  }

  ls(name: string): string[] {
    return inOrder(this.client.ls(`${this.pid}/${name}`));
  }

  readlink(name: string): string {
    return this.client.readlink(`${this.pid}/${name}`);
  }
}
