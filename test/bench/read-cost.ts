/**
 * Microseconds per open-read-close of <pid>/io: synthproc (standing still, and with its mutator running), a C server on
 * libfuse3 that gives static answers, fuse-native, and the real /proc. Rounds are interleaved, so that all meet the same
 * load. What a message costs depends most on where the scheduler puts client and server, hence three placements.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { scenarioFile, Server, Workshop, cpus, quantile } from "./programs.ts";

export interface ReadCost {
  workers: number;
  /** "any": as the scheduler likes; "same": client and server on one CPU; "other": on two. */
  placement: string;
  server: string;
  /** Medians over the rounds of each round's median, 10th percentile and mean, in microseconds. */
  median: number;
  p10: number;
  mean: number;
  /** Lowest and highest median of a round. */
  spread: [number, number];
  /** Median divided by the C server's. */
  ratio: number;
}

interface Candidate {
  name: string;
  dir: string;
  names: string;
  server: Server | null;
  rounds: number[][];
}

interface Placement {
  name: string;
  client: string;
  server: string;
}

const BASELINE = "C on libfuse3";
/** Until the servers' code is compiled: once for each server, and a little after each move to other CPUs. */
const FIRST_WARM_UP_ROUNDS = 20;
const WARM_UP_ROUNDS = 2;

function placements(): Placement[] {
  const all = cpus();
  const any = { name: "any", client: all.join(","), server: all.join(",") };
  const [first, second] = all;
  if (first === undefined || second === undefined) return [any];
  return [any, { name: "same", client: first, server: first }, { name: "other", client: first, server: second }];
}

function measure(client: string, candidate: Candidate, cpu: string, rounds: number): number[] {
  const args = ["-c", cpu, client, candidate.dir, "io", String(rounds)];
  const line = execFileSync("taskset", args, { encoding: "utf8", input: candidate.names, timeout: 120_000 });
  const [median, p10, mean, , missing] = line.trim().split(" ").map(Number) as [number, number, number, number, number];
  if (missing > 0 && candidate.server !== null) throw new Error(`${candidate.name}: ${missing} files are missing`);
  return [median, p10, mean];
}

async function startAll(shop: Workshop, baseline: string, workers: number): Promise<Candidate[]> {
  const options = ["--scenario", scenarioFile("read"), "--workers", String(workers)];
  const synthproc = (...more: string[]): Promise<Server> => Server.synthproc(shop.mountPoint(), ...options, ...more);
  const c = shop.mountPoint();
  const paused = await synthproc("--paused");
  const servers: [string, Server][] = [
    [BASELINE, await Server.start(c, baseline, c, String(workers))],
    ["synthproc", paused],
    ["synthproc, mutating", await synthproc()],
    ["synthproc on fuse-native", await synthproc("--paused", "--transport", "fuse-native")],
  ];
  const names = paused.pids().join("\n");
  const candidates = servers.map(([name, server]) => ({ name, dir: server.dir, names, server, rounds: [] }));
  const real = realPids();
  return [...candidates, { name: "real /proc", dir: "/proc", names: real.join("\n"), server: null, rounds: [] }];
}

/** Real processes whose counters this user may read: even root may not see every one from inside a container. */
function realPids(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isReadable(`/proc/${name}/io`));
}

function isReadable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "ENOENT" || code === "ESRCH") return false;
    throw error;
  }
}

function summary(candidate: Candidate, placement: string, workers: number, baseline: number): ReadCost {
  const column = (index: number): number[] => candidate.rounds.map((round) => round[index] as number);
  const medians = column(0);
  const median = quantile(medians, 0.5);
  return {
    workers,
    placement,
    server: candidate.name,
    median,
    p10: quantile(column(1), 0.5),
    mean: quantile(column(2), 0.5),
    spread: [Math.min(...medians), Math.max(...medians)],
    ratio: median / baseline,
  };
}

function measureAt(candidates: Candidate[], placement: Placement, client: string, rounds: number): void {
  for (const candidate of candidates) {
    candidate.server?.pin(placement.server);
    candidate.rounds.length = 0;
    measure(client, candidate, placement.client, WARM_UP_ROUNDS);
  }
  for (let round = 0; round < rounds; round++) {
    for (const candidate of candidates) candidate.rounds.push(measure(client, candidate, placement.client, 1));
  }
}

async function measureWith(shop: Workshop, workers: number, rounds: number): Promise<ReadCost[]> {
  const client = shop.compile("open-read-close");
  const candidates = await startAll(shop, shop.compile("libfuse3-baseline", ["fuse3"]), workers);
  const results: ReadCost[] = [];
  try {
    for (const candidate of candidates) measure(client, candidate, cpus().join(","), FIRST_WARM_UP_ROUNDS);
    for (const placement of placements()) {
      measureAt(candidates, placement, client, rounds);
      const reference = candidates.find((candidate) => candidate.name === BASELINE) as Candidate;
      const cost = summary(reference, placement.name, workers, 1).median;
      for (const candidate of candidates) results.push(summary(candidate, placement.name, workers, cost));
    }
  } finally {
    for (const candidate of candidates) await candidate.server?.stop();
  }
  return results;
}

/** @throws Error if a server does not start or a file cannot be read */
export async function readCost(rounds: number): Promise<ReadCost[]> {
  const shop = new Workshop();
  try {
    return [...(await measureWith(shop, 1, rounds)), ...(await measureWith(shop, 2, rounds))];
  } finally {
    shop.close();
  }
}
