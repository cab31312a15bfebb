/** The counters of a simulation as Prometheus text, over HTTP: `GET /metrics`. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { Counter, Gauge, Registry } from "prom-client";
import type { PathCounts, ThreadCounts } from "../src/kernel/counters.ts";
import { EVENT_LABELS, PATH_EVENTS } from "../src/kernel/counters.ts";
import type { Kernel } from "../src/kernel/kernel.ts";
import { PATH_NAMES } from "../src/kernel/knobs.ts";
import type { Stats } from "../src/proc/synthproc/stats.ts";
import { readStats } from "../src/proc/synthproc/stats.ts";
import { MountError, errorCode, errorText } from "./errors.ts";
import type { MetricsAddress } from "./metrics-address.ts";
import { addressText } from "./metrics-address.ts";
import { packageVersion } from "./version.ts";

const NS_PER_S = 1e9;

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is taken",
  EACCES: "this port is not permitted to this user",
  EADDRNOTAVAIL: "this machine does not have the address",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's address cannot be found out",
};

/** The numbers of /proc/synthproc/stats as Prometheus text. */
function prometheusText(stats: Stats): Promise<string> {
  const registry = new Registry();
  addPaths(registry, stats.threads);
  addTable(registry, stats);
  return registry.metrics();
}

function addPaths(registry: Registry, threads: readonly ThreadCounts[]): void {
  const registers = [registry];
  const events = new Counter({
    name: "synthproc_path_events_total",
    help: "What happened on a read path, by the thread that did it; see the legend of synthproc/stats.",
    labelNames: ["path", "thread", "event"],
    registers,
  });
  const waited = new Counter({
    name: "synthproc_lock_wait_seconds_total",
    help: "Time that readers of a path waited for its lock, by the thread on which the wait ended.",
    labelNames: ["path", "thread"],
    registers,
  });
  const longest = new Gauge({
    name: "synthproc_lock_wait_longest_seconds",
    help: "Longest wait so far for the lock of a path, by the thread on which it ended.",
    labelNames: ["path", "thread"],
    registers,
  });
  for (const thread of threads) {
    const serves = /^(worker|slow$)/.test(thread.name);
    for (let path = 0; path < PATH_NAMES.length; path++) {
      const counts = thread.paths[path] as PathCounts;
      // Who serves has all its series from the start, so that the first increase is seen as one.
      if (!serves && counts.empty()) continue;
      const labels = { path: PATH_NAMES[path] as string, thread: thread.name };
      for (const event of PATH_EVENTS[path] as readonly number[]) {
        events.inc({ ...labels, event: EVENT_LABELS[event] as string }, counts.events[event]);
      }
      waited.inc(labels, counts.waitedNs / NS_PER_S);
      longest.set(labels, counts.longestWaitNs / NS_PER_S);
    }
  }
}

function addTable(registry: Registry, stats: Stats): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name: `synthproc_${name}`, help, registers }).set(value);
  gauge("waiting_requests", "Requests that wait for a lock now.", stats.waiting);
  gauge("tasks", "Simulated tasks alive, threads included.", stats.tasks);
  gauge("processes", "Simulated processes alive, zombies included.", stats.processes);
  new Counter({ name: "synthproc_forks_total", help: "Forks since the simulated boot.", registers }).inc(stats.forks);
  gauge(
    "arena_used_bytes",
    "Shared memory handed out, which is not given back before the mount ends.",
    stats.arenaUsed,
  );
  const slabs = new Gauge({
    name: "synthproc_slab_objects",
    help: "Objects in use in the arena, by kind.",
    labelNames: ["cache"],
    registers,
  });
  for (const { name, live } of stats.slabs) slabs.set({ cache: name }, live);
  new Gauge({
    name: "synthproc_build_info",
    help: "Always 1; the label says which version serves.",
    labelNames: ["version"],
    registers,
  }).set({ version: packageVersion() }, 1);
}

/** An HTTP server that shows the metrics of one simulation. */
export class MetricsServer {
  /** Where they are, with the port that was chosen. */
  readonly url: string;
  private readonly server: Server;
  private kernel: Kernel | null = null;

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
    server.on("request", (request, response) => void this.answer(request, response));
  }

  /** Takes the port. @throws MountError ESYNTH_METRICS */
  static async listen(address: MetricsAddress): Promise<MetricsServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(cannotListen(address, error)));
      server.listen(address.port, address.host, resolve);
    });
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
    return new MetricsServer(server, `http://${addressText({ host: address.host, port })}/metrics`);
  }

  /** The table has been built: shows its numbers, which are looked at anew for each request. */
  show(kernel: Kernel): void {
    this.kernel = kernel;
  }

  /** Gives the port back; requests in progress are cut off. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path !== "/metrics") end(response, 404, "There is only /metrics here.\n");
    else if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      end(response, 405, "Metrics can only be read.\n");
    } else if (this.kernel === null) end(response, 503, "The table is being built.\n");
    else await answerMetrics(this.kernel, response);
  }
}

async function answerMetrics(kernel: Kernel, response: ServerResponse): Promise<void> {
  try {
    const text = await prometheusText(readStats(kernel));
    response.setHeader("Content-Type", Registry.PROMETHEUS_CONTENT_TYPE);
    response.end(text);
  } catch (error) {
    end(response, 500, `The numbers could not be shown: ${errorText(error)}\n`);
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
}

function cannotListen(address: MetricsAddress, error: unknown): MountError {
  const why = PROBLEMS[errorCode(error)] ?? errorText(error);
  const message = `Metrics cannot be served on ${addressText(address)}: ${why}.`;
  return new MountError("ESYNTH_METRICS", message, { cause: error });
}
