/** Held writers over a real mount: readers of one process wait, all others go on, and nothing stays behind. */
import { afterEach, describe, expect, test } from "vitest";
import { CliServer } from "../cli/server.ts";
import { parseStats } from "../../mount/cli/stats.ts";
import { RunningClient, cannotMount, client, removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A reader that has not ended by then waits. */
const WAITING_MS = 500;

/** Threads that each read a file, and again after EINTR. */
const PATIENT = `
import sys, threading
def read():
    with open(sys.argv[1], "rb", buffering=0) as f:
        f.read()
threads = [threading.Thread(target=read) for _ in range(int(sys.argv[2]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
`;

describe.skipIf(cannotMount("test/control/held-mount"))("held writers", () => {
  let server: CliServer;
  let reader: RunningClient | undefined;

  afterEach(async () => {
    await server.remove();
    await reader?.endWith("SIGKILL");
    reader = undefined;
  });

  async function start(...args: string[]): Promise<void> {
    server = new CliServer(["-s", "idle", "--seed", "7", ...args]);
    await server.ready();
  }

  const ctl = (...commands: string[]): Promise<string> => server.ctl(...commands);

  async function waits(running: RunningClient): Promise<boolean> {
    const over = await Promise.race([running.ended.then(() => true), sleep(WAITING_MS).then(() => false)]);
    return !over;
  }

  test.each(["exec PID /usr/bin/env --hold 1h", "tsync PID --hold 1h"])("paused: %s", async (line) => {
    await start("--paused", "--workers", "1");
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    const other = await ctl("fork 1 --exec /usr/bin/sleep 61");
    expect(await ctl(line.replace("PID", pid))).toMatch(/paused/);
    reader = new RunningClient("cat", server.at(`${pid}/io`));
    expect(await waits(reader)).toBe(true);
    expect((await client("cat", server.at(`${other}/io`))).stdout).toMatch(/^rchar/);
    await server.remove();
    expect(server.isMounted()).toBe(false);
    // The exec has been finished first: the reader gets what it waited for.
    expect(await reader.ended).toEqual({ code: 0, signal: null });
    expect(reader.stdout).toMatch(/^rchar/);
  });

  test("a fault strikes at the first try of a read, not at each later one", async () => {
    const file = join(temporaryDirectory(), "faults.yaml");
    writeFileSync(file, "faults: { eintr: 5% }\nprocesses: [{ name: init, exe: /sbin/init }]\n");
    server = new CliServer(["--scenario", file, "--seed", "7"]);
    await server.ready();
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    await ctl(`exec ${pid} /usr/bin/env --hold 1h`);
    reader = new RunningClient("python3", "-c", PATIENT, server.at(`${pid}/io`), "40");
    await sleep(4000);
    // Who got EINTR from the fault has tried again, once or twice: 40 readers wait, few more waits were begun.
    const stats = parseStats((await client("cat", server.at("synthproc/stats"))).stdout);
    expect(stats["io.waited"]).toBeGreaterThanOrEqual(40);
    expect(stats["io.waited"]).toBeLessThan(60);
    removeDirectory(dirname(file));
  });

  test("resumed: the reader gets what it waited for", async () => {
    await start("--paused");
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    await ctl(`exec ${pid} /usr/bin/env --hold 200ms`);
    reader = new RunningClient("cat", server.at(`${pid}/io`));
    expect(await waits(reader)).toBe(true);
    await ctl("resume");
    expect((await reader.ended).code).toBe(0);
    expect(reader.stdout).toMatch(/^rchar/);
    expect((await client("cat", server.at(`${pid}/cmdline`))).stdout).toBe("/usr/bin/env\0");
  });

  test("a table that stands still after its ticks holds nothing, and says so", async () => {
    await start("--ticks", "10");
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    expect(await ctl(`exec ${pid} /usr/bin/env --hold 1h`)).toMatch(/finished at once/);
    expect(await ctl(`tsync ${pid} --hold 1h`)).toMatch(/finished at once/);
    expect((await client("cat", server.at(`${pid}/io`))).stdout).toMatch(/^rchar/);
    expect((await client("cat", server.at(`${pid}/status`))).stdout).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test("failing halfway after a while: the reader is told that the process is gone", async () => {
    await start();
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    await ctl(`exec ${pid} /usr/bin/passwd --hold 300ms --fail halfway`);
    reader = new RunningClient("cat", server.at(`${pid}/io`));
    await reader.ended;
    for (let tries = 0; tries < 50; tries++) {
      const { stderr } = await client("cat", server.at(`${pid}/status`));
      if (stderr.includes("No such file")) return;
      await sleep(100);
    }
    throw new Error(`process ${pid} still exists`);
  });
});
