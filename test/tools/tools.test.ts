/**
 * Real tools on a simulated /proc while it changes. The yardstick is this machine's own /proc: the same tools run there
 * first, and what they say and return there they may say and return on the mount; beyond that only what comes of
 * processes that end between two looks at them, as they do on every machine.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended } from "../support/programs.ts";
import { missingTools } from "./needs.ts";
import { Complaints, Results } from "./results.ts";

const SYNTHPROC = fileURLToPath(new URL("../../bin/synthproc", import.meta.url));
const DRIVE = fileURLToPath(new URL("./drive.sh", import.meta.url));

const why = missingTools(["ps", "top", "pgrep", "pidof", "pstree", "pmap", "lsof", "htop", "tmux", "sysctl", "sar"]);
if (why !== "") console.warn(`skipped: tools on the mount: ${why}`);

/** What pgrep and pidof look for, how many processes there are at least, and which tools run. */
const SCENARIOS = [
  { scenario: "webserver", name: "nginx", program: "nginx", least: 40, which: "all" },
  { scenario: "churn", name: "still", program: "sleep", least: 40, which: "all" },
  { scenario: "10k", name: "nginx", program: "sshd", least: 10_000, which: "some" },
] as const;

/** Tools that have nothing to say on standard error, here or on a real /proc, and end with 0. */
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
  "psutil",
  "loadavg",
  "meminfo",
  "self",
  "substitution",
  "stdin",
] as const;

/** The same for the tools of "all"; lsof -i has something to show only where there are sockets. */
const QUIET_TOO = [
  "ps-columns-0",
  "ps-columns-1",
  "ps-columns-2",
  "ps-columns-3",
  "top-threads",
  "pgrep-full",
  "pstree-users",
  "pmap-XX",
  "pwdx",
  "lsns",
  "vmstat-s",
  "vmstat-d",
  "vmstat-m",
  "slabtop",
  "lscpu",
  "sysctl-a",
  "lsof-all",
  "mpstat",
  "iostat",
  "pidstat",
  "sar",
  "tail",
  "wc",
] as const;

/** Tools that go through all processes by name, and say so when one has gone meanwhile. */
const RACING = ["find", "grep-status", "grep-r", "ls-lR", "find-cat", "lslocks"] as const;

function columns(lines: readonly string[]): string[][] {
  return lines.slice(1).map((line) => line.trim().split(/\s+/));
}

describe.skipIf(why !== "")("tools", () => {
  const realDir = mkdtempSync(join(tmpdir(), "synthproc-tools-"));
  const real = new Results(realDir);
  let resting: ChildProcess;

  beforeAll(async () => {
    resting = spawn("sleep", ["900"], { stdio: "ignore" });
    const args = [DRIVE, realDir, "sleep", "sleep", String(resting.pid), "all"];
    expect((await ended("bash", args, { timeout: 200_000 })).status).toBe(0);
  }, 220_000);

  afterAll(() => {
    resting.kill();
    rmSync(realDir, { recursive: true, force: true });
  });

  describe.each(SCENARIOS)("$scenario", ({ scenario, name, program, least, which }) => {
    const dir = mkdtempSync(join(tmpdir(), "synthproc-tools-"));
    const results = new Results(dir);

    beforeAll(async () => {
      const options = ["--scenario", scenario, "--seed", "7", "--mutators", "2"];
      const command = ["run", ...options, "--", "bash", DRIVE, dir, name, program, "1", which];
      const run = await ended(SYNTHPROC, command, { timeout: 400_000 });
      expect(run.stderr).toBe("");
      expect(run.status).toBe(0);
    }, 420_000);

    afterAll(() => rmSync(dir, { recursive: true, force: true }));

    test.each(which === "all" ? [...QUIET, ...QUIET_TOO] : QUIET)("%s: status 0, nothing on stderr", (id) => {
      expect(results.err(id)).toBe("");
      expect(results.status(id)).toBe(0);
      expect(results.out(id).length).toBeGreaterThan(0);
    });

    test.each(which === "all" ? RACING : RACING.slice(0, 1))("%s: complains only as on a real /proc", (id) => {
      const complaints = new Complaints(results.err(id));
      expect(complaints.beyond(new Complaints(real.err(id)))).toEqual([]);
      // Status 1 (2 of grep) is what these tools return when they had a reason to complain.
      const allowed = complaints.count > 0 ? [real.status(id), 1, id.startsWith("grep") ? 2 : 1] : [0];
      expect(allowed).toContain(results.status(id));
    });

    test("htop draws processes and leaves on q", () => {
      expect(results.err("htop")).toBe("");
      expect(results.status("htop")).toBe(0);
      expect(results.out("htop")).toMatch(/Tasks: +[\d,]+/);
      expect(results.out("htop")).toMatch(/\/sbin\/init|systemd|\/usr\/local\/bin|nginx|python3/);
    });

    test("ps -ef: pid 1 first, parents exist, about as many as there are", () => {
      const rows = columns(results.lines("ps-ef"));
      expect(rows.length).toBeGreaterThan(least * 0.9);
      const pids = new Set(rows.map((row) => row[1]));
      const orphans = rows.filter((row) => row[2] !== "0" && !pids.has(row[2]));
      // A parent may end, or a child be handed to init, while ps goes from one to the other.
      expect(orphans.length).toBeLessThan(rows.length * 0.03 + 3);
      expect(rows[0]?.slice(1, 3)).toEqual(["1", "0"]);
    });

    test("ps -eLf shows more threads than processes, NLWP agrees with the rows of a process that holds still", () => {
      const rows = columns(results.lines("ps-eLf"));
      const ofInit = rows.filter((row) => row[1] === "1");
      expect(Number(ofInit[0]?.[5])).toBe(ofInit.length);
      expect(rows.length).toBeGreaterThanOrEqual(results.lines("ps-ef").length * 0.9);
    });

    test("top counts what ps lists", () => {
      const totals = [...results.out("top").matchAll(/^(?:Tasks|Threads): +(\d+) total/gm)].map((match) =>
        Number(match[1]),
      );
      expect(totals).toHaveLength(2);
      for (const total of totals) {
        const listed = results.lines("ps-ef").length - 1;
        expect(total).toBeGreaterThan(listed * 0.5);
        expect(total).toBeLessThan(listed * 2);
      }
    });

    test("free, meminfo and psutil agree on the total", () => {
      const total = /MemTotal: +(\d+) kB/.exec(results.out("meminfo"))?.[1];
      expect(/Mem: +(\d+)/.exec(results.out("free"))?.[1]).toBe(total);
      expect(/^total (\d+)/m.exec(results.out("psutil"))?.[1]).toBe(String(Number(total) * 1024));
    });

    test("pmap: the total is the sum of the rows", () => {
      const rows = columns(results.lines("pmap").slice(1));
      const total = rows.at(-1)!;
      const sums = [2, 3, 4].map((column) =>
        rows.filter((row) => /^[0-9a-f]{16}$/.test(row[0]!)).reduce((sum, row) => sum + Number(row[column - 1]), 0),
      );
      expect(total.slice(0, 2)).toEqual(["total", "kB"]);
      expect(total.slice(2, 5).map(Number)).toEqual(sums);
    });

    test("the caller is still itself", () => {
      expect(results.out("self")).toBe("cat\n");
      expect(results.out("substitution")).toBe("through a pipe\n");
      expect(results.out("stdin")).toBe("through stdin\n");
    });

    test("the name that was looked for is found", () => {
      expect(results.out("pgrep")).toMatch(/^\d+ \S/m);
      expect(results.lines("pgrep").length).toBeGreaterThan(1);
      expect(results.out("pidof")).toMatch(/^\d+( \d+)*$/m);
    });

    if (which !== "all") return;

    test("python reads every file, and is refused only what it is refused everywhere", () => {
      const refused = (all: Results): string[] => all.lines("python-all").filter((line) => /^E[A-Z]+ /.test(line));
      expect(results.err("python-all")).toBe("");
      expect(results.status("python-all")).toBe(0);
      expect(Number(/^files (\d+)/m.exec(results.out("python-all"))?.[1])).toBeGreaterThan(least * 50);
      const allowed = new Set(refused(real));
      expect(refused(results).filter((line) => !allowed.has(line))).toEqual([]);
    });

    test("lsof -i: who listens; status 1 where nobody has a socket", () => {
      const listens = /^nginx .* TCP \*:80 \(LISTEN\)$/m.test(results.out("lsof-i"));
      expect(results.err("lsof-i")).toBe("");
      expect(listens).toBe(scenario === "webserver");
      expect(results.status("lsof-i")).toBe(results.out("lsof-i") === "" ? 1 : 0);
    });
  });
});

test.skipIf(why !== "")("nothing stays mounted, and no folder is left", () => {
  const mounts = readFileSync("/proc/mounts", "latin1").split("\n");
  expect(mounts.filter((line) => line.startsWith("synthproc ") && line.includes(`${tmpdir()}/synthproc-`))).toEqual([]);
  expect(readdirSync(tmpdir()).filter((folder) => folder.startsWith("synthproc-tools-"))).toEqual([]);
});
