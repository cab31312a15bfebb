/**
 * Entry of a thread that reads or writes as fast as it can while a round lasts.
 *
 * Rounds come as messages; the control word says which one is under way. Between rounds the thread's event loop turns,
 * and it is offline for RCU.
 */
import { setPriority } from "node:os";
import { performance } from "node:perf_hooks";
import type { RecordableHistogram } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Role, roleWord } from "../../src/kernel/thread-role.ts";
import { createProcFs } from "../file-system.ts";
import type { FileSystemData } from "../file-system.ts";
import { SharedWords } from "../shared.ts";
import { LOWEST_PRIORITY, PAUSE_MS } from "./catalogue.ts";
import { makeReader, ROOT_FACTS } from "./readers.ts";
import type { Reader, ReaderJob } from "./readers.ts";
import { bucketOf, BUCKETS, latencyHistogram } from "./summary.ts";
import { makeWriter } from "./writers.ts";
import type { Writer, WriterJob } from "./writers.ts";

/** What the thread is started with. */
export interface LoadThreadData {
  fileSystem: FileSystemData;
  /** Numbers the threads of a comparison from 0. */
  index: number;
  /** One word: the number of the round under way, 0 between rounds. */
  control: SharedArrayBuffer;
  job: { role: "read"; reader: ReaderJob; lowPriority: boolean } | { role: "write"; writer: WriterJob };
}

/** What it is told. */
export interface RoundOrder {
  /** Number of the round, from 1. */
  round: number;
}

/** What it says. */
export type LoadMessage =
  | { kind: "ready" }
  | { kind: "read"; round: number; seconds: number; reads: number; errors: number }
  | { kind: "written"; round: number; seconds: number; histogram: RecordableHistogram; counts: Float64Array };

/** Operations between two looks at what can be freed. */
const BATCH = 16;
const NS_PER_MS = 1e6;

const data = workerData as LoadThreadData;
const control = new SharedWords(data.control);
const fs = createProcFs(data.fileSystem, ROOT_FACTS, roleWord(Role.thread, data.index));
const k = fs.kernel();
// A thread of its own may wait for a lock; the threads that serve a mount may not.
k.t.maySleep = true;

function post(message: LoadMessage): void {
  parentPort?.postMessage(message);
}

function readRound(reader: Reader, round: number): LoadMessage {
  let reads = 0;
  let errors = 0;
  const start = performance.now();
  k.busy();
  while (control.load(0) === round) {
    if (reader.read() < 0) errors++;
    reads++;
    k.quiescent();
    if (reads % BATCH === 0) k.slab.reclaim();
  }
  k.idle();
  return { kind: "read", round, seconds: (performance.now() - start) / 1000, reads, errors };
}

function writeRound(writer: Writer, pauseMs: number, round: number): LoadMessage {
  const histogram = latencyHistogram();
  const counts = new Float64Array(BUCKETS);
  const start = performance.now();
  k.busy();
  while (control.load(0) === round) {
    const before = performance.now();
    writer.operation();
    const ns = Math.max(1, Math.round((performance.now() - before) * NS_PER_MS));
    histogram.record(ns);
    const bucket = bucketOf(ns);
    counts[bucket] = (counts[bucket] as number) + 1;
    writer.settle?.();
    rest(k, writer.pauses() ? pauseMs : 0, round);
  }
  k.idle();
  return { kind: "written", round, seconds: (performance.now() - start) / 1000, histogram, counts };
}

/** Nothing is held between two operations, and memory is freed; then the pause, which the end of the round cuts short. */
function rest(k: Kernel, pauseMs: number, round: number): void {
  k.quiescent();
  k.slab.reclaim();
  if (pauseMs === 0) return;
  k.idle();
  control.wait(0, round, pauseMs);
  k.busy();
}

interface Load {
  run(round: number): LoadMessage;
  close(): void;
}

function prepare(): Load {
  const { job } = data;
  k.busy();
  try {
    if (job.role === "read") {
      if (job.lowPriority) setPriority(0, LOWEST_PRIORITY);
      const reader = makeReader(fs, job.reader);
      return { run: (round) => readRound(reader, round), close: () => reader.close?.() };
    }
    const writer = makeWriter(k, job.writer);
    const pauseMs = PAUSE_MS[job.writer.kind];
    return { run: (round) => writeRound(writer, pauseMs, round), close: () => undefined };
  } finally {
    k.idle();
  }
}

function leave(load: Load): void {
  k.busy();
  load.close();
  k.idle();
  k.detach();
  parentPort?.close();
}

const load = prepare();
parentPort?.on("message", (order: RoundOrder | null) => {
  if (order === null) leave(load);
  else post(load.run(order.round));
});
post({ kind: "ready" });
