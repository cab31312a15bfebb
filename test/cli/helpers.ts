/** Runs the real program in a child process. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const PROGRAM = fileURLToPath(new URL("../../bin/synthproc", import.meta.url));

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** @param input becomes standard input. */
export function synthproc(args: readonly string[], input = ""): Promise<Outcome> {
  return new Promise((done, reject) => {
    const child = spawn(PROGRAM, [...args], {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (status) => done({ status, stdout, stderr }));
    child.stdin.end(input);
  });
}
