/** Prometheus' node_exporter on a plain mount, with the same exporter on this machine's own /proc as the yardstick. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CliServer } from "../cli/server.ts";
import { client } from "../mount/helpers.ts";
import { missingTools } from "./needs.ts";

const EXPORTER = "prometheus-node-exporter";

interface Scrape {
  readonly metrics: string;
  /** What was logged at level error, without times. */
  readonly errors: string[];
  readonly status: number | null;
  readonly signal: string | null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function metricsOf(port: number): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    } catch {
      // It doesn't listen yet.
      await sleep(100);
    }
  }
  throw new Error("the exporter doesn't listen");
}

/** Two scrapes of an exporter; the second one's metrics. */
async function scrape(procfs: string): Promise<Scrape> {
  const port = await freePort();
  const args = [`--path.procfs=${procfs}`, `--web.listen-address=127.0.0.1:${port}`, "--collector.processes"];
  const exporter = spawn(EXPORTER, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  exporter.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<[number | null, string | null]>((resolve) =>
    exporter.once("close", (code, signal) => resolve([code, signal])),
  );
  await metricsOf(port);
  const metrics = await metricsOf(port);
  exporter.kill("SIGTERM");
  const [status, signal] = await ended;
  const errors = log.split("\n").filter((line) => line.includes("level=error"));
  const bare = errors.map((line) => line.replace(/^ts=\S+ /, "").replace(/duration_seconds=\S+ /, ""));
  return { metrics, errors: [...new Set(bare)].sort(), status, signal };
}

function value(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
}

function failed(metrics: string): string[] {
  return [...metrics.matchAll(/^node_scrape_collector_success\{collector="(\w+)"\} 0$/gm)].map((match) => match[1]!);
}

const why = missingTools([EXPORTER]);
if (why !== "") console.warn(`skipped: node_exporter: ${why}`);

describe.skipIf(why !== "")("node_exporter", () => {
  let real: Scrape;
  beforeAll(async () => {
    real = await scrape("/proc");
  });

  describe.each(["webserver", "churn", "10k"])("%s", (scenario) => {
    let server: CliServer;
    let mounted: Scrape;
    beforeAll(async () => {
      server = new CliServer(["-s", scenario, "--seed", "7"]);
      await server.ready();
      mounted = await scrape(server.dir);
    }, 120_000);
    afterAll(() => server.remove());

    test("logs and ends as on the real /proc; the same collectors succeed", () => {
      expect(mounted.errors.filter((line) => !real.errors.includes(line))).toEqual([]);
      expect([mounted.status, mounted.signal]).toEqual([real.status, real.signal]);
      expect(failed(mounted.metrics).filter((name) => !failed(real.metrics).includes(name))).toEqual([]);
    });

    test("what it says is what the mount says", async () => {
      const meminfo = (await client("cat", server.at("meminfo"))).stdout;
      const kilobytes = Number(/^MemTotal: +(\d+) kB$/m.exec(meminfo)?.[1]);
      expect(value(mounted.metrics, "node_memory_MemTotal_bytes")).toBe(kilobytes * 1024);
      const stat = (await client("cat", server.at("stat"))).stdout;
      expect(value(mounted.metrics, "node_boot_time_seconds")).toBe(Number(/^btime (\d+)$/m.exec(stat)?.[1]));
      expect(value(mounted.metrics, "node_processes_pids")).toBeGreaterThan(30);
      expect(value(mounted.metrics, "node_forks_total")).toBeLessThanOrEqual(
        Number(/^processes (\d+)$/m.exec(stat)?.[1]),
      );
    });
  });
});
