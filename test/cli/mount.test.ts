/** `synthproc mount`: how it starts and ends, in the foreground, as a daemon, and when it is killed. */
import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { isAlive } from "../../mount/cli/mounted.ts";
import { mountAt } from "../../mount/mountinfo.ts";
import { cannotMount, client, removeDirectory, temporaryDirectory, until } from "../mount/helpers.ts";
import { ended, shell } from "../support/programs.ts";
import type { Outcome } from "../support/programs.ts";
import { PROGRAM, synthproc } from "./helpers.ts";
import { CliServer } from "./server.ts";
import type { Mounted } from "./server.ts";

describe.skipIf(cannotMount("test/cli/mount"))("mount", () => {
  const servers: CliServer[] = [];
  const directories: string[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.remove();
    for (const dir of directories.splice(0)) removeDirectory(dir);
  });

  async function serve(...args: string[]): Promise<CliServer> {
    const server = new CliServer(args);
    servers.push(server);
    await server.ready();
    return server;
  }

  function directory(): string {
    const dir = temporaryDirectory();
    directories.push(dir);
    return dir;
  }

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s unmounts, status 0", async (signal) => {
    const server = await serve("--scenario", "idle");
    expect((await client("cat", server.at("1/comm"))).stdout).toBe("systemd\n");
    server.process.kill(signal);
    expect(await server.ended).toEqual({ status: EXIT.ok, signal: null });
    expect(server.isMounted()).toBe(false);
    expect(server.stderr).toBe("");
  });

  test("says where, with which seed and transport; a drawn seed is printed too", async () => {
    const server = await serve("--scenario", "idle", "--seed", "7");
    const mounted = JSON.parse(server.stdout) as Mounted;
    expect(mounted).toMatchObject({ dir: server.dir, seed: 7, transport: "dev", pid: server.process.pid });
    const other = await serve("--scenario", "idle");
    expect((JSON.parse(other.stdout) as Mounted).seed).toBeGreaterThanOrEqual(0);
  });

  test("--daemon returns when it serves, logs to a file, and ends with umount", async () => {
    const dir = directory();
    const log = `${dir}.log`;
    const started = await synthproc(["mount", "--daemon", "--json", "-s", "idle", "--log-file", log, dir]);
    expect(started.status).toBe(EXIT.ok);
    const { pid } = JSON.parse(started.stdout) as Mounted;
    expect((await client("cat", `${dir}/1/comm`)).stdout).toBe("systemd\n");
    expect(await synthproc(["umount", dir])).toEqual({ status: EXIT.ok, signal: null, stdout: "", stderr: "" });
    expect(isAlive(pid)).toBe(false);
    expect(mountAt(dir)).toBeNull();
    expect(readFileSync(log, "utf8")).toContain("unmounted from");
    rmSync(log);
  });

  test("SIGKILL leaves nothing mounted after a second", async () => {
    const server = await serve("--scenario", "churn");
    server.process.kill("SIGKILL");
    const start = performance.now();
    await until(() => !server.isMounted(), "it is unmounted");
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("a mount whose server and watchdog were killed is cleared by the next mount", async () => {
    const server = await serve("--scenario", "idle");
    const watchdog = Number((await ended("pgrep", ["-f", `synthproc-watchdog ${server.dir} `])).stdout);
    expect(watchdog).toBeGreaterThan(1);
    process.kill(watchdog, "SIGKILL");
    await until(() => !isAlive(watchdog), "the watchdog has ended");
    server.process.kill("SIGKILL");
    await server.ended;
    expect((await client("ls", server.dir)).stderr).toContain("Transport endpoint is not connected");
    const next = await synthproc(["mount", "--daemon", "-s", "idle", server.dir]);
    expect(next.stderr).toContain("cleared");
    expect(next.status).toBe(EXIT.ok);
    expect((await client("cat", server.at("1/comm"))).stdout).toBe("systemd\n");
    expect((await synthproc(["umount", server.dir])).status).toBe(EXIT.ok);
  });

  test("--paused stands still until sysctl lets it go on; writing 1 stops it again", async () => {
    const server = await serve("--scenario", "churn", "--paused");
    const forks = async (): Promise<string> =>
      /^forks (\d+)$/m.exec((await client("cat", server.at("synthproc/stats"))).stdout)?.[1] ?? "none";
    const uptime = async (): Promise<string> => (await client("cat", server.at("uptime"))).stdout;
    const before = [await forks(), await uptime()];
    await sleep(300);
    expect([await forks(), await uptime()]).toEqual(before);
    const sysctl = (setting: string): Promise<{ status: number | null; stderr: string; stdout: string }> =>
      ended("unshare", ["-m", "sh", "-c", 'mount --bind "$0" /proc && exec sysctl -w "$1"', server.dir, setting]);
    expect(await sysctl("synthproc.mutator.paused=0")).toMatchObject({
      status: 0,
      stdout: "synthproc.mutator.paused = 0\n",
      stderr: "",
    });
    await sleep(500);
    expect(Number(await forks())).toBeGreaterThan(Number(before[0]));
    expect((await client("sh", "-c", `echo 1 > ${server.at("sys/synthproc/mutator/paused")}`)).status).toBe(0);
    await sleep(200);
    const stopped = [await forks(), await uptime()];
    await sleep(300);
    expect([await forks(), await uptime()]).toEqual(stopped);
    expect((await sysctl("synthproc.mutator.paused=2")).stderr).toContain("Invalid argument");
  });

  test("the clock goes on with real time, --speed times as fast", async () => {
    const server = await serve("--scenario", "idle", "--speed", "10");
    const uptime = async (): Promise<number> => Number.parseFloat((await client("cat", server.at("uptime"))).stdout);
    const [start, from] = [performance.now(), await uptime()];
    await sleep(1000);
    const [seconds, passed] = [(performance.now() - start) / 1000, (await uptime()) - from];
    // The machine may be busy: ticks that are far overdue are dropped.
    expect(passed).toBeGreaterThan(seconds * 2);
    expect(passed).toBeLessThan(seconds * 11 + 1);
  });

  describe("what can't be mounted", () => {
    /** Mounts on `dir`, started by a shell in whose /dev there is next to nothing. */
    function withBareDev(start: string, dir: string): Promise<Outcome> {
      const bare =
        "mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9";
      const args = ["mount", "-s", "idle", "--log-level", "error", dir];
      return ended("unshare", ["-m", "sh", "-c", `${bare} && ${start}`, PROGRAM, ...args], { cwd: "/" });
    }

    test("no such directory, a file, a mount of someone else, ours a second time", async () => {
      const file = directory();
      writeFileSync(`${file}/file`, "");
      const server = await serve("--scenario", "idle");
      for (const [dir, sentence] of [
        [`${file}/missing`, /does not exist; create it first/],
        [`${file}/file`, /is not a directory/],
        ["/proc", /is a mount point already/],
        [server.dir, /is a mount point already/],
      ] as const) {
        const outcome = await synthproc(["mount", "-s", "idle", "--log-level", "error", dir]);
        expect(outcome.stderr).toMatch(sentence);
        expect(outcome.stderr.split("\n")).toHaveLength(2);
        expect(outcome.status).toBe(EXIT.mountPoint);
      }
      expect((await client("cat", server.at("1/comm"))).stdout).toBe("systemd\n");
    });

    test("without the right to open the device", async () => {
      const dir = directory();
      const nobody = `mknod -m 600 /dev/fuse c 10 229 && chown nobody ${dir} && exec setpriv --reuid=65534 --clear-groups`;
      const outcome = await withBareDev(`${nobody} "$0" "$@"`, dir);
      expect(outcome.stderr).toMatch(/\/dev\/fuse may not be opened/);
      expect(outcome.status).toBe(EXIT.permission);
    });

    test("without the device", async () => {
      const dir = directory();
      const outcome = await withBareDev('exec "$0" "$@"', dir);
      expect(outcome.stderr).toMatch(/^synthproc: \/dev\/fuse does not exist: load the fuse module[^\n]*\n$/);
      expect(outcome.status).toBe(EXIT.noFuse);
    });

    test("impossible scenarios name the place", async () => {
      const dir = directory();
      const wrong = `${dir}/wrong.yaml`;
      writeFileSync(wrong, "processes:\n  - command: /bin/a\n    rates: { exec: -3/s }\n");
      const outcome = await synthproc(["mount", "-s", wrong, dir]);
      expect(outcome.stderr).toMatch(/^synthproc: \S+wrong\.yaml:3:\d+: [^\n]*\n$/);
      expect(outcome.status).toBe(EXIT.scenario);
    });
  });

  test("an absurd offset is answered, and the mount lives on", async () => {
    const server = await serve("--scenario", "idle");
    const script = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for offset in (1 << 31, 1 << 53, (1 << 63) - 4096):
    try: print(os.pread(fd, 100, offset))
    except OSError as error: print(error.errno)
`;
    const run = (dir: string): Promise<{ stdout: string }> => client("python3", "-c", script, `${dir}/1/status`);
    expect((await run(server.dir)).stdout).toBe("b''\nb''\nb''\n");
    expect((await client("cat", server.at("1/comm"))).stdout).toBe("systemd\n");
  });

  test("npm start mounts, its three commands work as printed, Ctrl-C unmounts", async () => {
    const dir = directory();
    const demo = spawn("npm", ["start", "--silent", "--", dir], { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    demo.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const over = new Promise<number | null>((resolve) => demo.once("close", resolve));
    const deadline = performance.now() + 60_000;
    while (!text.includes("Ctrl-C") && performance.now() < deadline) await sleep(20);
    const commands = [...text.matchAll(/^ {2}(\S.*)$/gm)].map((match) => match[1]!);
    expect(commands).toHaveLength(3);
    for (const command of commands) {
      const outcome = await shell(command);
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      expect(outcome.stdout.split("\n").length).toBeGreaterThan(3);
    }
    // Ctrl-C in a terminal goes to the whole foreground group.
    process.kill(-demo.pid!, "SIGINT");
    // npm itself ends by the signal that it has passed on; 0 is the demo's own status.
    expect([0, null]).toContain(await over);
    await until(() => mountAt(dir) === null, "it is unmounted");
  });
});

test("--version answers at once", async () => {
  await synthproc(["--version"]);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    expect((await synthproc(["--version"])).status).toBe(0);
    times.push(performance.now() - start);
  }
  const best = Math.min(...times);
  console.log(`--version: ${best.toFixed(0)} ms (best of 5)`);
  expect(best).toBeLessThan(300);
});
