/** `synthproc run`: status, signals, the caller's own /proc entries, standard streams. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { cannotMount } from "../mount/helpers.ts";
import { PROGRAM, synthproc } from "./helpers.ts";

const IDLE = ["run", "-s", "idle", "--seed", "7", "--"];

function run(...command: string[]): ReturnType<typeof synthproc> {
  return synthproc([...IDLE, ...command]);
}

describe.skipIf(cannotMount("test/cli/run"))("run", () => {
  test("the status is that of the command", async () => {
    expect(await run("true")).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
    expect(await run("sh", "-c", "exit 7")).toMatchObject({ status: 7 });
    expect(await run("sh", "-c", "kill -TERM $$")).toMatchObject({ status: 143 });
    expect(await run("sh", "-c", "kill -KILL $$")).toMatchObject({ status: 137 });
  });

  test("126 and 127 as a shell gives them, with a sentence", async () => {
    const missing = await run("/no/such/program");
    expect(missing).toMatchObject({ status: 127, stdout: "" });
    expect(missing.stderr).toContain("/no/such/program");
    const noProgram = await run("/etc/passwd");
    expect(noProgram).toMatchObject({ status: 126, stdout: "" });
    expect(noProgram.stderr).toContain("Permission denied");
  });

  test("the simulation is all there is to see, and the caller is not in it", async () => {
    const { status, stdout, stderr } = await run("ps", "-e", "-o", "pid=,comm=");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^ +1 systemd$/m);
    expect(stdout).not.toMatch(/vitest|node|unshare/);
  });

  test("the caller's own links: self, thread-self, fd, exe, /dev/stdin, process substitution", async () => {
    const script = [
      'test "$(cat /proc/self/comm)" = cat',
      // A process sees its own directory and those of its ancestors, and nobody else's.
      "read -r comm </proc/$$/comm",
      'test "$comm" = bash',
      'test "$(cat /proc/$$/comm)" = bash',
      "{ sleep 1 >/dev/null 2>&1 & }",
      "! cat /proc/$!/comm 2>/dev/null",
      '[[ "$(readlink -f /proc/self/exe)" = */readlink ]]',
      'test "$(echo one | cat /dev/stdin)" = one',
      'test "$(cat <(echo two))" = two',
      // Into a pipe: what the tests give as standard output is a socket, which can't be opened anywhere.
      'test "$(echo three >/dev/stdout)" = three',
      'test "$(cat /proc/thread-self/comm)" = cat',
      'test "$(cat /proc/self/mounts | grep -c "^synthproc /proc ")" = 1',
    ].join(" && ");
    expect(await run("bash", "-c", script)).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
  });

  test("standard input is the command's", async () => {
    expect(await synthproc([...IDLE, "wc", "-c"], "12345")).toMatchObject({ status: 0, stdout: "5\n" });
  });

  test("SIGTERM and SIGHUP mean the command; SIGINT is left to it", async () => {
    for (const [signal, status] of [
      ["SIGTERM", 33],
      ["SIGHUP", 34],
    ] as const) {
      const script = "trap 'exit 33' TERM; trap 'exit 34' HUP; echo ready; while :; do sleep 0.05; done";
      const child = spawn(PROGRAM, [...IDLE, "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
      child.kill("SIGINT");
      await sleep(200);
      expect(child.exitCode).toBeNull();
      child.kill(signal);
      expect(await ended).toBe(status);
    }
  });

  test("nothing is left: no mount, no folder", () => {
    expect(readFileSync("/proc/mounts", "latin1")).not.toMatch(/^synthproc \S*\/synthproc-[A-Za-z0-9]{6}\/proc /m);
    expect(readdirSync(tmpdir()).filter((name) => /^synthproc-[A-Za-z0-9]{6}$/.test(name))).toEqual([]);
  });
});

describe.skipIf(cannotMount("test/cli/run, fuse-native"))("run over fuse-native", () => {
  test("ps, ls and cat", async () => {
    const script = "ps -ef | head -3; ls /proc/1/task; head -1 /proc/1/status; cat /proc/$$/comm; true";
    const args = ["run", "--transport", "fuse-native", "-s", "webserver", "--seed", "7", "--", "bash", "-c", script];
    const { status, stdout, stderr } = await synthproc(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines[1]).toMatch(/^root +1 +0 .*\/sbin\/init$/);
    expect(lines.slice(3)).toEqual(["1", "Name:\tsystemd", "bash", ""]);
  });
});
