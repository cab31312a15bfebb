/** Held writers over a real mount: readers of one process wait, all others go on, and nothing stays behind. */
import { afterEach, describe, expect, test } from "vitest";
import { CliServer } from "../cli/server.ts";
import { synthproc } from "../cli/helpers.ts";
import { RunningClient, cannotMount, client } from "../mount/helpers.ts";
import { setTimeout as sleep } from "node:timers/promises";

/** A reader that has not ended by then waits. */
const WAITING_MS = 500;

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

  async function ctl(...commands: string[]): Promise<string> {
    const outcome = await synthproc(["ctl", server.dir, ...commands]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    return outcome.stdout.trim();
  }

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
    const begun = performance.now();
    await server.remove();
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(server.isMounted()).toBe(false);
    // The reader is let go with the mount, or as the exec is finished: in any case it ends.
    expect(await waits(reader)).toBe(false);
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
