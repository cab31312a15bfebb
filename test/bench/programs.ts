/** Programs that are measured: building them, mounting them, placing them on CPUs, taking them down. */
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
export const SYNTHPROC = join(HERE, "../../bin/synthproc");
const START_TIMEOUT_MS = 60_000;

export const scenarioFile = (name: string): string => join(HERE, `${name}.yaml`);

/** A directory for compiled programs and mount points, removed at the end. */
export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), "synthproc-bench-"));

  /** Compiles a C program of this folder. @returns its path @throws Error with the compiler's words */
  compile(name: string, packages: readonly string[] = []): string {
    const config = (option: string): string[] =>
      packages.length === 0
        ? []
        : run("pkg-config", option, ...packages)
            .trim()
            .split(/\s+/);
    const program = join(this.dir, name);
    run("cc", "-O2", ...config("--cflags"), "-o", program, join(HERE, `${name}.c`), ...config("--libs"));
    return program;
  }

  mountPoint(): string {
    return mkdtempSync(join(this.dir, "mount-"));
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Output of a program. @throws Error if it fails, or takes longer than two minutes */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], timeout: 120_000 });
}

/** A file system served by a process of its own. */
export class Server {
  readonly dir: string;
  readonly process: ChildProcess;
  private readonly ended: Promise<void>;

  private constructor(dir: string, process: ChildProcess) {
    this.dir = dir;
    this.process = process;
    this.ended = new Promise((resolve) => process.once("close", () => resolve()));
  }

  /** Starts a server that prints something once it has mounted. @throws Error if it ends or stays silent */
  static async start(dir: string, program: string, ...args: string[]): Promise<Server> {
    const server = new Server(dir, spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] }));
    const ready = new Promise<boolean>((resolve) => {
      server.process.stdout?.once("data", () => resolve(true));
      server.process.once("close", () => resolve(false));
      setTimeout(() => resolve(false), START_TIMEOUT_MS).unref();
    });
    if (await ready) return server;
    server.process.kill("SIGTERM");
    throw new Error(`${program} ${args.join(" ")} did not mount`);
  }

  static synthproc(dir: string, ...args: string[]): Promise<Server> {
    return Server.start(dir, SYNTHPROC, "mount", dir, "--seed", "1", "--log-level", "error", ...args);
  }

  /** Lets every thread of the server run on these CPUs only. */
  pin(cpus: string): void {
    run("taskset", "-a", "-p", "-c", cpus, String(this.process.pid));
  }

  /** Names of the processes that are shown. */
  pids(): string[] {
    return readdirSync(this.dir).filter((name) => /^\d+$/.test(name));
  }

  /** Resident set in KiB. */
  residentKiB(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.process.pid}/status`, "latin1"))?.[1]);
  }

  /** Value of a line of synthproc/stats. */
  stat(name: string): number {
    return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(run("cat", join(this.dir, "synthproc/stats")))?.[1] ?? 0);
  }

  async stop(): Promise<void> {
    run("umount", this.dir);
    await this.ended;
    rmdirSync(this.dir);
  }
}

/** "0", "1", ... of the CPUs that this process may use. */
export function cpus(): string[] {
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "";
  const found = list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number | undefined];
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
  });
  return found.length > 0 ? found : Array.from({ length: availableParallelism() }, (_, i) => String(i));
}

/** The value below which `share` of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}
