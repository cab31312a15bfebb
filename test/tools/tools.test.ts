/**
 * Real tools on a simulated /proc while it changes: exit status as on a real one, nothing on stderr, and an output that
 * makes sense.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const SYNTHPROC = fileURLToPath(new URL("../../bin/synthproc", import.meta.url));
const DRIVE = fileURLToPath(new URL("./drive.sh", import.meta.url));

const NEEDED = ["ps", "top", "pgrep", "pstree", "pmap", "free", "w", "vmstat", "lsof", "htop", "tmux", "sysctl"];

/** Why these tests can't run here, or null. */
function obstacle(): string | null {
  if (process.getuid?.() !== 0) return "needs root";
  if (!existsSync("/dev/fuse")) return "needs /dev/fuse";
  const missing = NEEDED.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
  return missing.length > 0 ? `missing tools: ${missing.join(", ")}` : null;
}

const why = obstacle();
if (why !== null) console.warn(`skipped: tools on the mount: ${why}`);

/** A process to look for by name, and one that stays, by scenario. */
const SCENARIOS = [
  { scenario: "webserver", name: "nginx", least: 40 },
  { scenario: "churn", name: "systemd", least: 40 },
  { scenario: "10k", name: "systemd", least: 10_000 },
] as const;

class Results {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  out(id: string): string {
    return readFileSync(join(this.dir, `${id}.out`), "latin1");
  }

  err(id: string): string {
    return readFileSync(join(this.dir, `${id}.err`), "latin1");
  }

  status(id: string): number {
    return Number(readFileSync(join(this.dir, `${id}.rc`), "latin1"));
  }

  lines(id: string): string[] {
    return this.out(id)
      .split("\n")
      .filter((line) => line !== "");
  }
}

/** Tools that must end with 0 and say nothing on stderr. */
const QUIET = [
  "ps-ef",
  "ps-aux",
  "ps-eLf",
  "ps-axjf",
  "top",
  "pgrep",
  "pidof",
  "pstree",
  "pmap",
  "free",
  "uptime",
  "w",
  "vmstat",
  "lsof",
  "sysctl",
  "sysctl-w",
  "psutil",
  "find",
  "loadavg",
  "meminfo",
  "self",
  "substitution",
] as const;

describe.skipIf(why !== null).each(SCENARIOS)("$scenario", ({ scenario, name, least }) => {
  const dir = mkdtempSync(join(tmpdir(), "synthproc-tools-"));
  const results = new Results(dir);

  beforeAll(() => {
    const command = [
      "run",
      "--scenario",
      scenario,
      "--seed",
      "7",
      "--mutators",
      "2",
      "--",
      "bash",
      DRIVE,
      dir,
      name,
      "1",
    ];
    const run = spawnSync(SYNTHPROC, command, { encoding: "utf8", timeout: 400_000 });
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
  }, 420_000);

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each(QUIET)("%s: status 0, nothing on stderr, some output", (id) => {
    expect(results.err(id)).toBe("");
    expect(results.status(id)).toBe(0);
    expect(results.out(id).length).toBeGreaterThan(0);
  });

  test("htop draws processes and leaves on q", () => {
    expect(results.err("htop")).toBe("");
    expect(results.status("htop")).toBe(0);
    expect(results.out("htop")).toMatch(/Tasks: \d+/);
    expect(results.out("htop")).toMatch(/systemd|init/);
  });

  test("ps -ef: pid 1 first, parents exist, about as many as readdir lists", () => {
    const rows = results
      .lines("ps-ef")
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
    expect(rows.length).toBeGreaterThan(least * 0.9);
    const pids = new Set(rows.map((row) => row[1]));
    const orphans = rows.filter((row) => row[2] !== "0" && !pids.has(row[2]));
    // A parent may end, or a child be handed to init, while ps goes from one to the other.
    expect(orphans.length).toBeLessThan(rows.length * 0.03 + 3);
    expect(rows[0]?.slice(1, 3)).toEqual(["1", "0"]);
  });

  test("ps -eLf shows more threads than processes, NLWP agrees with the rows of a process that holds still", () => {
    const rows = results
      .lines("ps-eLf")
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
    const ofInit = rows.filter((row) => row[1] === "1");
    expect(Number(ofInit[0]?.[5])).toBe(ofInit.length);
    expect(rows.length).toBeGreaterThanOrEqual(results.lines("ps-ef").length * 0.9);
  });

  test("free, meminfo and psutil agree on the total", () => {
    const total = /MemTotal: +(\d+) kB/.exec(results.out("meminfo"))?.[1];
    expect(/Mem: +(\d+)/.exec(results.out("free"))?.[1]).toBe(total);
    expect(/^total (\d+)/m.exec(results.out("psutil"))?.[1]).toBe(String(Number(total) * 1024));
  });

  test("the caller is still itself", () => {
    expect(results.out("self")).toBe("cat\n");
    expect(results.out("substitution")).toBe("through a pipe\n");
  });

  test("the name that was looked for is found", () => {
    expect(results.out("pgrep")).toMatch(new RegExp(`^\\d+ .*${name}`, "m"));
    expect(results.out("pidof")).toMatch(/^\d+( \d+)*$/m);
  });
});

test.skipIf(why !== null)("nothing stays mounted", () => {
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  expect(mounts.filter((line) => line.startsWith("synthproc "))).toEqual([]);
});
