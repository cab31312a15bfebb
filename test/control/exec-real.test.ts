/** Execs that fail: the real kernel, and ours, side by side. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runCommand } from "../../src/mutate/control/control.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { buildText } from "../build/kernel.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import { ended } from "../support/programs.ts";

const SCRIPT = fileURLToPath(new URL("./exec-real.py", import.meta.url));

interface Failures {
  missing: number;
  not_executable: number;
  no_program: number;
  halfway: { comm: string; state: string; exit_code: number; waited: number };
}

async function real(): Promise<Failures> {
  const folder = mkdtempSync(join(tmpdir(), "synthproc-test-"));
  try {
    const { status, stdout, stderr } = await ended("python3", [SCRIPT, folder]);
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as Failures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function simulated(): Failures {
  const { k, scenario } = buildText(`
processes:
  - { name: parent, pid: 400, command: /usr/sbin/parent, children: [{ name: child, pid: 500, command: /usr/bin/child }] }
`);
  const proc = fileSystem(k, tablesOf(TEST_HOST)).client;
  const run = (line: string): number => runCommand(k, line, { host: scenario.host }).errno;
  const library = k.config.files.find(({ mode }) => (mode & 0o111) === 0);
  expect(run("unlink /bin/true")).toBe(0);
  const failures = {
    missing: run("exec 500 /bin/true"),
    not_executable: run(`exec 500 ${library?.path}`),
    no_program: run("exec 500 /usr/bin/env --fail before"),
  };
  expect(proc.cat("500/comm")).toBe("child\n");
  expect(run("exec 500 /usr/bin/halfway --fail halfway")).toBe(0);
  const fields = proc.cat("500/stat").trimEnd().split(" ");
  const code = Number(fields.at(-1));
  const halfway = { comm: proc.cat("500/comm"), state: fields[2] as string, exit_code: code, waited: code };
  return { ...failures, halfway };
}

test("errno before the point of no return; name, state and signal behind it", async () => {
  expect(simulated()).toEqual(await real());
});
