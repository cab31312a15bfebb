/** `--metrics`: what Prometheus would scrape, and how the port is taken and given back. */
import { createServer, connect } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { isAlive } from "../../mount/cli/mounted.ts";
import type { StructuredStats } from "../../mount/cli/stats.ts";
import { parseStats, structureStats } from "../../mount/cli/stats.ts";
import { startSimulation } from "../../mount/index.ts";
import { addressText, parseMetricsAddress } from "../../mount/metrics-address.ts";
import { mountAt } from "../../mount/mountinfo.ts";
import { EVENT_LABELS } from "../../src/kernel/counters.ts";
import { PATH_NAMES } from "../../src/kernel/knobs.ts";
import { cannotMount, client, removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import type { Family } from "../support/prometheus.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { PROGRAM, synthproc } from "./helpers.ts";
import type { Mounted } from "./server.ts";
import { CliServer } from "./server.ts";

const NS_PER_S = 1e9;

async function scrape(url: string): Promise<Map<string, Family>> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parsePrometheus(await response.text());
}

function series(families: Map<string, Family>, name: string): Record<string, number> {
  return Object.fromEntries([...families.get(name)!.series].filter(([, value]) => value !== 0));
}

/** What the metrics should hold, from what synthproc/stats says. */
function expected(stats: StructuredStats): Record<string, Record<string, number>> {
  const events: Record<string, number> = {};
  const waited: Record<string, number> = {};
  const longest: Record<string, number> = {};
  for (const [thread, paths] of Object.entries(stats.threads)) {
    for (const [path, numbers] of Object.entries(paths)) {
      for (const [name, value] of Object.entries(numbers)) {
        const where = `path="${path}",thread="${thread}"`;
        if (name === "waited_ns") waited[where] = Number(value) / NS_PER_S;
        else if (name === "longest_wait_ns") longest[where] = Number(value) / NS_PER_S;
        else events[`event="${name}",${where}`] = Number(value);
      }
    }
  }
  return {
    synthproc_path_events_total: events,
    synthproc_lock_wait_seconds_total: waited,
    synthproc_lock_wait_longest_seconds: longest,
    synthproc_tasks: { "": Number(stats["tasks"]) },
    synthproc_processes: { "": Number(stats["processes"]) },
    synthproc_forks_total: { "": Number(stats["forks"]) },
    synthproc_arena_used_bytes: { "": Number(stats.arena["used_bytes"]) },
  };
}

describe.skipIf(cannotMount("test/cli/metrics"))("metrics of a mount", () => {
  let server: CliServer;
  let mounted: Mounted;
  let url: string;

  beforeAll(async () => {
    server = new CliServer(["-s", "idle", "--seed", "7", "--workers", "2", "--metrics", "0"]);
    mounted = await server.ready();
    url = mounted.metrics!;
  });

  afterAll(() => server.remove());

  async function stats(): Promise<StructuredStats> {
    return structureStats(parseStats((await client("cat", server.at("synthproc/stats"))).stdout));
  }

  test("are on loopback, at a port that was free", () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*\/metrics$/);
  });

  test("are the numbers of synthproc/stats, while the table stands still", async () => {
    const pid = (await synthproc(["ctl", server.dir, "fork 1"])).stdout.trim();
    await synthproc(["ctl", server.dir, `exec ${pid} /usr/bin/env --hold 2s`]);
    const readers = ["io", "stack"].map((file) => client("cat", server.at(`${pid}/${file}`)));
    for (const reader of readers) expect((await reader).status).toBe(0);
    for (const form of ["locked", "lockfree"]) {
      for (const path of PATH_NAMES) {
        expect((await client("sh", "-c", `echo ${form} > "$0"`, server.at(`sys/synthproc/${path}`))).status).toBe(0);
      }
      const files = ["maps", "smaps", "smaps_rollup", "numa_maps", "timers", "environ", "status"];
      expect((await client("cat", ...files.map((file) => server.at(`1/${file}`)))).status).toBe(0);
      expect((await client("ls", "-l", server.at("1/map_files"))).status).toBe(0);
      expect((await synthproc(["kcmp", server.dir, "1", "1", "FILES"])).status).toBe(0);
    }
    expect(await synthproc(["ctl", server.dir, "pause"])).toMatchObject({ status: 0 });

    const families = await scrape(url);
    const now = await stats();
    const want = expected(now);
    for (const [name, values] of Object.entries(want)) expect([name, series(families, name)]).toEqual([name, values]);
    const counted = Object.keys(want["synthproc_path_events_total"]!).map((key) => key.replace(/,thread=.*/, ""));
    for (const event of ["speculated", "fell_back", "rcu_walk", "ref_walk"]) {
      expect(counted).toContain(`event="${event}",path="revalidate"`);
    }
    expect(Object.keys(want["synthproc_lock_wait_seconds_total"]!)).toEqual([
      'path="io",thread="slow"',
      'path="stack",thread="slow"',
    ]);
    // The file that shows the numbers is open itself, and keeps its text.
    for (const [cache, live] of Object.entries(now.slab)) {
      if (cache === "openFile" || cache.startsWith("bytes-")) continue;
      expect([cache, families.get("synthproc_slab_objects")!.series.get(`cache="${cache}"`)]).toEqual([cache, live]);
    }
    expect(families.get("synthproc_waiting_requests")!.series.get("")).toBe(0);
  });

  test("are looked at anew for each scrape; what serves has its series from the start", async () => {
    const reads = async (): Promise<number> => {
      const all = [...(await scrape(url)).get("synthproc_path_events_total")!.series];
      return all
        .filter(([key]) => /event="speculated",path="personality"/.test(key))
        .reduce((sum, [, n]) => sum + n, 0);
    };
    expect(await reads()).toBe(0);
    for (let i = 1; i <= 3; i++) {
      await client("cat", server.at("1/personality"));
      expect(await reads()).toBe(i);
    }
    const { series: all } = (await scrape(url)).get("synthproc_path_events_total")!;
    expect(all.get('event="mmap_lock_fallback",path="maps",thread="slow"')).toBe(0);
    expect(all.get('event="retried",path="io",thread="worker1"')).toBe(0);
    // What a path can't have has no series.
    const eventsOf = (path: string): string[] =>
      [...all.keys()].flatMap(
        (key) => new RegExp(`^event="(\\w+)",path="${path}",thread="worker1"$`).exec(key)?.[1] ?? [],
      );
    expect(eventsOf("io")).toEqual(["speculated", "retried", "fell_back", "waited"]);
    expect(eventsOf("timers")).toEqual(["speculated", "fell_back", "waited"]);
    expect(eventsOf("revalidate").sort()).toEqual([...EVENT_LABELS].sort());
  });

  test("many at a time are all whole", async () => {
    const one = parseStats((await client("cat", server.at("synthproc/stats"))).stdout)["tasks"];
    const many = await Promise.all(Array.from({ length: 20 }, () => scrape(url)));
    for (const families of many) expect(families.get("synthproc_tasks")!.series.get("")).toBe(one);
  });

  test("404 for other paths, 405 for other methods, HEAD without a body", async () => {
    expect((await fetch(url.replace("/metrics", "/"))).status).toBe(404);
    expect((await fetch(`${url}/x`)).status).toBe(404);
    const post = await fetch(url, { method: "POST", body: "x=1" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await fetch(`${url}?name[]=x`)).status).toBe(200);
  });

  test("are on no other address", async () => {
    const other = connect(Number(new URL(url).port), "127.0.0.2");
    const [error] = (await once(other, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  test("a port that is taken: a sentence, a status, and nothing is mounted", async () => {
    const dir = temporaryDirectory();
    const { port } = new URL(url);
    const second = await synthproc(["mount", dir, "-s", "idle", "--metrics", port, "--log-level", "error"]);
    const sentence = `synthproc: Metrics cannot be served on 127.0.0.1:${port}: the port is taken.\n`;
    expect(second).toEqual({ status: EXIT.mountFailed, signal: null, stdout: "", stderr: sentence });
    const run = await synthproc(["run", "-s", "idle", "--metrics", port, "--", "true"]);
    expect(run).toMatchObject({ status: EXIT.runFailed, stderr: sentence });
    await expect(startSimulation({ dir, scenario: "idle", metrics: Number(port) })).rejects.toMatchObject({
      code: "ESYNTH_METRICS",
    });
    expect(mountAt(dir)).toBeNull();
    removeDirectory(dir);
  });
});

describe.skipIf(cannotMount("test/cli/metrics"))("the port", () => {
  const dirs: string[] = [];
  const sockets: (Socket | Server)[] = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) {
      if ("destroy" in socket) socket.destroy();
      else socket.close();
    }
    for (const dir of dirs.splice(0)) removeDirectory(dir);
  });

  function directory(): string {
    const dir = temporaryDirectory();
    dirs.push(dir);
    return dir;
  }

  /** True if somebody listens there. */
  async function answers(url: string): Promise<boolean> {
    return fetch(url).then(
      () => true,
      () => false,
    );
  }

  test("is given back with the mount, even if somebody holds a connection; a daemon says where it is", async () => {
    const dir = directory();
    const started = await synthproc(["mount", "--daemon", "--metrics", "localhost:0", "-s", "idle", dir]);
    const url = /metrics on (http:\S+)\n$/.exec(started.stdout)?.[1];
    expect(url).toBeDefined();
    await scrape(url!);
    const idle = connect(Number(new URL(url!).port), "localhost");
    sockets.push(idle);
    idle.on("error", () => undefined);
    await once(idle, "connect");
    const closed = once(idle, "close");
    const start = performance.now();
    expect(await synthproc(["umount", dir])).toMatchObject({ status: 0, stderr: "" });
    await closed;
    expect(performance.now() - start).toBeLessThan(15_000);
    expect(await answers(url!)).toBe(false);
  });

  test("run says where it is on standard error, and gives it back", async () => {
    const child = spawn(PROGRAM, ["run", "-s", "idle", "--metrics", "0", "--", "sleep", "60"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "close");
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    while (!stderr.includes("\n")) await once(child.stderr, "data");
    const url = /^synthproc: metrics on (\S+)\n$/.exec(stderr)![1]!;
    expect((await scrape(url)).get("synthproc_tasks")!.series.get("")).toBeGreaterThan(10);
    child.kill("SIGTERM");
    expect(await ended).toEqual([143, null]);
    expect(isAlive(child.pid!)).toBe(false);
    expect(await answers(url)).toBe(false);
  });

  test("the library has it too", async () => {
    const dir = directory();
    const simulation = await startSimulation({ dir, scenario: "idle", metrics: "127.0.0.1:0", paused: true });
    const families = await scrape(simulation.metrics!);
    expect(families.get("synthproc_processes")!.series.get("")).toBe(simulation.processes);
    await simulation.unmount();
    expect(await answers(simulation.metrics!)).toBe(false);
    const without = await startSimulation({ dir, scenario: "idle" });
    expect(without.metrics).toBeNull();
    await without.unmount();
    const wrong = startSimulation({ dir, scenario: "idle", metrics: 70_000 });
    await expect(wrong).rejects.toMatchObject({ code: "ESYNTH_OPTION" });
  });

  test("is given back if mounting fails", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    const wrong = { dir: directory(), scenario: "idle", workers: 1000, metrics: port };
    await expect(startSimulation(wrong)).rejects.toMatchObject({ code: "ESYNTH_OPTION" });
    expect(await answers(`http://127.0.0.1:${port}/metrics`)).toBe(false);
  });
});

describe("addresses", () => {
  test.each([
    ["9464", "127.0.0.1", 9464],
    [0, "127.0.0.1", 0],
    ["0.0.0.0:1", "0.0.0.0", 1],
    ["my-host.example:65535", "my-host.example", 65535],
    ["[::1]:9464", "::1", 9464],
    ["[fe80::1%eth0]:9464", "fe80::1%eth0", 9464],
  ])("%s", (given, host, port) => {
    expect(parseMetricsAddress(given)).toEqual({ host, port });
  });

  test.each(["", "x", ":1", "host:", "65536", "-1", "1.5", "::1:9464", "a b:1", "[::1]", "http://x:1"])(
    "%j is refused",
    (given) => {
      expect(() => parseMetricsAddress(given)).toThrow(/^Metrics are served on PORT, HOST:PORT/);
    },
  );

  test("as text", () => {
    expect(addressText({ host: "::1", port: 7 })).toBe("[::1]:7");
    expect(addressText({ host: "localhost", port: 7 })).toBe("localhost:7");
  });
});

describe("the strict reader of the tests", () => {
  const good = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 2\n';

  test("reads what is right", () => {
    expect(parsePrometheus(good).get("a_total")!.series.get('x="1"')).toBe(2);
  });

  test.each([
    ["no newline", good.trimEnd()],
    ["a type without help", "# TYPE a_total counter\na_total 1\n"],
    ["a counter without _total", good.replaceAll("a_total", "a")],
    ["a gauge with _total", good.replace("counter", "gauge")],
    ["a series twice", `${good}a_total{x="1"} 3\n`],
    ["a stranger", `${good}b 3\n`],
    ["no series", "# HELP a_total A.\n# TYPE a_total counter\n"],
    ["a wrong unit", good.replaceAll("a_total", "a_ns_total")],
    ["a bad label", good.replace('x="1"', "x=1")],
    ["no number", good.replace(" 2\n", " two\n")],
    ["a negative one", good.replace(" 2\n", " -2\n")],
  ])("refuses %s", (_what, text) => {
    expect(() => parsePrometheus(text)).toThrow(Error);
  });
});
