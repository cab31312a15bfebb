/** Comparisons in this process: reader threads and a writer thread on one arena, with no file system in between. */
import type { Bench } from "./catalogue.ts";
import { LOWEST_PRIORITY } from "./catalogue.ts";
import type { RoundMessage } from "./threads.ts";
import { LoadThreads } from "./threads.ts";
import type { LoadThreadData } from "./load-thread.ts";
import type { Rig, RoundResult } from "./measure.ts";
import { measure } from "./measure.ts";
import type { BenchPlan } from "./plan.ts";
import { sleep } from "./plan.ts";
import type { Comparison } from "./result.ts";
import type { BenchTable, Subjects } from "./table.ts";

const WRITER = 0;

/** Where a path stands for the processes of a comparison: PID and OTHER in it become pids. */
export function withPids(text: string, { pid, other }: Subjects): string {
  return text.replace(/\bPID\b/g, String(pid)).replace(/\bOTHER\b/g, String(other));
}

/** What the writer thread of a comparison is told. */
export function writerJob(bench: Bench, subjects: Subjects, seed: number): LoadThreadData["job"] {
  return { role: "write", writer: { ...subjects, kind: bench.writer, seed } };
}

function readerJob(bench: Bench, subjects: Subjects): LoadThreadData["job"] {
  const path = withPids(bench.file, subjects).split("/");
  return { role: "read", reader: { ...subjects, kind: bench.reader, path }, lowPriority: bench.lowPriority === true };
}

/** Puts together what the threads of a round say. @throws Error if nothing could be read */
export function roundOf(messages: readonly RoundMessage[], path: string): RoundResult {
  const written = messages.find((message) => message.kind === "written");
  if (written === undefined) throw new Error("the writer said nothing");
  const reads = messages.filter((message) => message.kind === "read");
  for (const one of reads) {
    if (one.reads > 0 && one.errors === one.reads) throw new Error(`${path} can't be read`);
  }
  const total = (value: (one: (typeof reads)[number]) => number): number =>
    reads.reduce((sum, one) => sum + value(one), 0);
  return {
    seconds: written.seconds,
    reads: total((one) => one.reads),
    readErrors: total((one) => one.errors),
    readsPerSecond: total((one) => one.reads / one.seconds),
    histogram: written.histogram,
    counts: written.counts,
  };
}

/** @throws Interrupted, MountError, Error */
export function measureInProcess(
  table: BenchTable,
  bench: Bench,
  plan: BenchPlan,
  step: () => void,
): Promise<Comparison> {
  return table.withSubjects(bench, async (subjects) => {
    const threads = new LoadThreads();
    try {
      const readers = Array.from({ length: plan.readers }, () => readerJob(bench, subjects));
      await threads.start(table.fileSystem, [writerJob(bench, subjects, plan.seed), ...readers]);
      return await measure(rigOf(table, bench, plan, threads), bench, plan, step);
    } finally {
      await threads.close();
    }
  });
}

function notesOf({ note, lowPriority }: Bench): string[] {
  const priority =
    lowPriority === true ? [`Reader threads run at nice ${LOWEST_PRIORITY}, the writer at the usual priority.`] : [];
  return note === undefined ? priority : [note, ...priority];
}

function rigOf(table: BenchTable, bench: Bench, plan: BenchPlan, threads: LoadThreads): Rig {
  const everyone = Array.from({ length: plan.readers + 1 }, (_, place) => place);
  return {
    where: "in-process",
    reads: `${bench.reads} (${bench.name})`,
    notes: notesOf(bench),
    setForm: (form) => Promise.resolve(table.setForm(bench.path, form)),
    form: () => table.formOf(bench.path),
    events: () => table.events(bench.path),
    round: async (seconds, reading) => {
      const messages = await threads.run(reading ? everyone : [WRITER], () => sleep(seconds, plan.signal));
      return roundOf(messages, bench.name);
    },
  };
}
