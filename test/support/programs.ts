/** Programs in child processes, run without blocking this one: vitest's own messages must get through meanwhile. */
import { spawn } from "node:child_process";
import type { SpawnOptions } from "node:child_process";

export interface Outcome {
  /** Null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions extends SpawnOptions {
  /** What standard input says; empty unless given. */
  readonly input?: string;
}

/** Runs a program to its end; SIGKILL after `timeout` milliseconds, 30 s unless given. */
export function ended(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { input = "", ...rest } = options;
  return new Promise((resolve, reject) => {
    const limits = { timeout: 30_000, killSignal: "SIGKILL" } as const;
    const child = spawn(program, [...args], {
      ...limits,
      ...rest,
      stdio: [input === "" ? "ignore" : "pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString("latin1")));
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString("latin1")));
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
    child.stdin?.end(input);
  });
}

/** A shell command line. */
export function shell(line: string, options: RunOptions = {}): Promise<Outcome> {
  return ended("bash", ["-c", line], options);
}
