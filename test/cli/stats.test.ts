/** `synthproc stats`: waits of real readers on real mounts, and how the numbers are shown. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { StructuredStats } from "../../mount/cli/stats.ts";
import { duration, parseStats, statsTable, structureStats } from "../../mount/cli/stats.ts";
import { RunningClient, cannotMount, client } from "../mount/helpers.ts";
import { synthproc } from "./helpers.ts";
import { CliServer } from "./server.ts";

describe.skipIf(cannotMount("test/cli/stats"))("readers behind a slow exec", () => {
  let server: CliServer | undefined;
  const readers: RunningClient[] = [];

  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.endWith("SIGKILL");
    await server?.remove();
    server = undefined;
  });

  async function serve(...args: string[]): Promise<CliServer> {
    server = new CliServer(["-s", "idle", "--seed", "7", ...args]);
    await server.ready();
    return server;
  }

  async function stats(): Promise<StructuredStats> {
    const { stdout } = await synthproc(["stats", "--json", server!.dir]);
    return JSON.parse(stdout) as StructuredStats;
  }

  async function waitUntil(what: string, condition: (now: StructuredStats) => boolean): Promise<StructuredStats> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const now = await stats();
      if (condition(now)) return now;
      if (performance.now() > deadline) throw new Error(`waited in vain until ${what}: ${JSON.stringify(now.paths)}`);
      await sleep(20);
    }
  }

  /** A process that is in the middle of an exec for so long. @returns its pid */
  async function slowExec(hold: string): Promise<string> {
    const forked = await synthproc(["ctl", server!.dir, "fork 1"]);
    const pid = forked.stdout.trim();
    const held = await synthproc(["ctl", server!.dir, `exec ${pid} /usr/bin/env --hold ${hold}`]);
    expect(held).toMatchObject({ status: 0, stderr: "" });
    return pid;
  }

  function start(file: string): RunningClient {
    const reader = new RunningClient("cat", server!.at(file));
    readers.push(reader);
    return reader;
  }

  test.each([
    ["dev", ["worker0"], "slow"],
    ["fuse-native", ["worker0"], "worker0"],
  ])("%s: a reader waits once, until the exec is over", async (transport, meets, ends) => {
    await serve("--workers", "1", "--transport", transport);
    const pid = await slowExec("3s");
    const reader = start(`${pid}/io`);
    const waiting = await waitUntil("the reader waits", ({ paths }) => paths["io"]?.["waited"] === 1);
    expect(waiting.paths["io"]).toEqual({ fell_back: 1, waited: 1 });
    if (transport === "dev") expect(waiting["waiting"]).toBe(1);
    expect((await reader.ended).code).toBe(0);
    expect(reader.stdout).toMatch(/^rchar: \d+$/m);
    const after = await stats();
    expect(after["waiting"]).toBeUndefined();
    const ns = Number(after.paths["io"]?.["waited_ns"]);
    expect(after.paths["io"]).toEqual({ fell_back: 1, waited: 1, waited_ns: ns, longest_wait_ns: ns });
    expect(ns).toBeGreaterThan(0.5e9);
    expect(ns).toBeLessThan(30e9);
    for (const thread of meets) expect(after.threads[thread]?.["io"]).toMatchObject({ fell_back: 1, waited: 1 });
    expect(after.threads[ends]?.["io"]).toMatchObject({ waited_ns: ns });
    const { stdout } = await synthproc(["stats", server!.dir]);
    expect(stdout).toMatch(/^path +thread +(\w+ +)*fell_back +waited +(\w+ +)*waited for +longest$/m);
    expect(stdout).toMatch(/^io +all +1 +1 +([\d.]+) s +\1 s$/m);
    expect(stdout).toMatch(/^waited for: .+$/m);
    expect(stdout).toMatch(/^processes \d+$/m);
  });

  test("many readers, of several files; those that are killed have waited too", async () => {
    await serve("--workers", "1");
    const pid = await slowExec("1000s");
    const files = ["io", "io", "io", "stack", "syscall", "personality", "environ", "maps"];
    const started = files.map((file) => start(`${pid}/${file}`));
    await waitUntil("all wait", (now) => now["waiting"] === files.length);
    await sleep(600);
    for (const reader of started) expect(await reader.endWith("SIGKILL")).toBeLessThan(2000);
    const { paths, waiting } = await waitUntil("nobody waits", (now) => now["waiting"] === undefined);
    expect(waiting).toBeUndefined();
    // environ and maps are opened through the same path.
    const readersOf = { io: 3, stack: 1, syscall: 1, personality: 1, mm_access: 2 };
    for (const [path, count] of Object.entries(readersOf)) {
      expect([path, paths[path]]).toEqual([path, expect.objectContaining({ fell_back: count, waited: count })]);
      const { waited_ns, longest_wait_ns } = paths[path]!;
      expect(Number(waited_ns)).toBeGreaterThan(0.5e9 * count);
      expect(Number(waited_ns)).toBeLessThan(60e9 * count);
      expect(Number(longest_wait_ns)).toBeGreaterThan(Number(waited_ns) / count - 1);
    }
    // Others are not behind it.
    expect((await client("cat", server!.at("1/io"))).status).toBe(0);
    expect((await stats()).paths["io"]).toMatchObject({ speculated: 1, waited: 3 });
  });
});

describe("how the numbers are shown", () => {
  const text = [
    "# <path>.speculated: begun",
    "# <path>.waited: waits",
    "# <path>.waited_ns: all waits",
    "io.speculated 12",
    "io.waited 1",
    "io.waited_ns 1500000000",
    "maps.speculated 7",
    "worker0.io.speculated 12",
    "worker0.maps.speculated 7",
    "slow.io.waited 1",
    "slow.io.waited_ns 1500000000",
    "waiting 2",
    "tasks 9",
    "arena.used_bytes 4096",
    "slab.bytes-8 3",
    "slab.task 4",
    "",
  ].join("\n");

  test("JSON sorts them by what they belong to", () => {
    expect(structureStats(parseStats(text))).toEqual({
      paths: { io: { speculated: 12, waited: 1, waited_ns: 1.5e9 }, maps: { speculated: 7 } },
      threads: {
        worker0: { io: { speculated: 12 }, maps: { speculated: 7 } },
        slow: { io: { waited: 1, waited_ns: 1.5e9 } },
      },
      waiting: 2,
      tasks: 9,
      arena: { used_bytes: 4096 },
      slab: { "bytes-8": 3, task: 4 },
    });
  });

  test("the table has a line a path and thread, and only columns in which something is", () => {
    const legend = { speculated: "begun", retried: "again", waited: "waits", waited_ns: "all waits" };
    expect(statsTable(structureStats(parseStats(text)), legend)).toBe(
      [
        "path  thread   speculated  waited  waited for",
        "io    all              12       1      1.50 s",
        "      worker0          12",
        "      slow                      1      1.50 s",
        "maps  all               7",
        "      worker0           7",
        "",
        "speculated: begun",
        "waited: waits",
        "waited for: all waits",
        "",
        "waiting 2",
        "tasks 9",
        "arena.used_bytes 4096",
        "slab.bytes-8 3",
        "slab.task 4",
        "",
      ].join("\n"),
    );
    expect(statsTable(structureStats({ tasks: 1 }), legend)).toBe("Nothing has been read yet.\n\ntasks 1\n");
  });

  test.each([
    [0, "0 ns"],
    [999, "999 ns"],
    [1000, "1.00 µs"],
    [12_345, "12.3 µs"],
    [999_400, "999 µs"],
    [999_600, "1.00 ms"],
    [45_678_901, "45.7 ms"],
    [1e9, "1.00 s"],
    [123.4e9, "123 s"],
    [12_345.6e9, "12346 s"],
  ])("%d ns are %s", (ns, shown) => {
    expect(duration(ns)).toBe(shown);
  });
});
