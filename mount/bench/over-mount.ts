/**
 * Comparisons over a real mount: client processes read it, a writer thread changes the table behind it, and the forms are
 * switched through the mount's own /proc/sys/synthproc.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HOST } from "../../src/kernel/layout.ts";
import { mountFileSystem, createMountShared } from "../mount.ts";
import type { MountedFileSystem } from "../mount.ts";
import { SILENT } from "../options.ts";
import { PATH_NAMES } from "../../src/kernel/knobs.ts";
import { moduleBeside } from "../simulation.ts";
import { TableThreads } from "../table-threads.ts";
import type { Bench } from "./catalogue.ts";
import { LOWEST_PRIORITY } from "./catalogue.ts";
import type { ClientProgram, ClientRound } from "./clients.ts";
import { Clients } from "./clients.ts";
import { roundOf, withPids, writerJob } from "./in-process.ts";
import type { Rig, RoundResult } from "./measure.ts";
import { measure } from "./measure.ts";
import type { BenchPlan } from "./plan.ts";
import { sleep, unlessAborted } from "./plan.ts";
import type { Comparison, Form } from "./result.ts";
import type { BenchTable, Subjects } from "./table.ts";
import { LoadThreads } from "./threads.ts";

const WRITER = 0;

/** The table, mounted. */
export class BenchMount {
  private readonly mounted: MountedFileSystem;
  private readonly threads: TableThreads;

  private constructor(mounted: MountedFileSystem, threads: TableThreads) {
    this.mounted = mounted;
    this.threads = threads;
  }

  /** @throws MountError if this can't be done here; nothing stays behind */
  static async start(table: BenchTable, dir: string): Promise<BenchMount> {
    const shared = createMountShared({ buffer: table.kernel.m.buffer, index: HOST.parkWord });
    const threads = new TableThreads(table.kernel, SILENT);
    try {
      await threads.start("reaped-thread", "reaped", { fileSystem: table.fileSystem, ring: shared.ring });
      const fileSystemModule = moduleBeside("file-system");
      const mounted = await mountFileSystem({
        dir,
        fileSystemModule,
        data: table.fileSystem,
        transport: "dev",
        shared,
      });
      return new BenchMount(mounted, threads);
    } catch (error) {
      await threads.stop();
      throw error;
    }
  }

  get dir(): string {
    return this.mounted.dir;
  }

  /** Switches a path, as anybody would. */
  async setForm(path: number, form: Form): Promise<void> {
    await writeFile(join(this.dir, "sys", "synthproc", PATH_NAMES[path] as string), `${form}\n`);
  }

  /** @throws MountError ESYNTH_UNMOUNT_FAILED */
  async close(): Promise<void> {
    try {
      await this.mounted.unmount();
    } finally {
      await this.threads.stop();
    }
  }
}

/** @throws Interrupted, MountError, Error */
export function measureOverMount(
  table: BenchTable,
  mount: BenchMount,
  bench: Bench,
  program: ClientProgram,
  plan: BenchPlan,
  step: () => void,
): Promise<Comparison> {
  return table.withSubjects(bench, async (subjects) => {
    const threads = new LoadThreads();
    const clients = new Clients();
    try {
      await clients.start(program, plan.readers);
      if (bench.lowPriority === true) clients.setPriority(LOWEST_PRIORITY);
      await threads.start(table.fileSystem, [writerJob(bench, subjects, plan.seed)]);
      const rig = rigOf({ table, mount, bench, subjects, clients, threads, plan, program });
      return await measure(rig, bench, plan, step);
    } finally {
      await clients.close();
      await threads.close();
    }
  });
}

interface Parts {
  readonly table: BenchTable;
  readonly mount: BenchMount;
  readonly bench: Bench;
  readonly subjects: Subjects;
  readonly clients: Clients;
  readonly threads: LoadThreads;
  readonly plan: BenchPlan;
  readonly program: ClientProgram;
}

const WAYS = {
  read: "open, read and close",
  stat: "stat",
  ask: "open, write a question, read the answer and close",
} as const;

function rigOf(parts: Parts): Rig {
  const { table, mount, bench, program } = parts;
  return {
    where: "mount",
    reads: `${WAYS[bench.mode]} of ${bench.file}`,
    notes: notesOf(bench, program),
    setForm: (form) => mount.setForm(bench.path, form),
    form: () => table.formOf(bench.path),
    events: () => table.events(bench.path),
    round: (seconds, reading) => mountRound(parts, seconds, reading),
  };
}

function notesOf(bench: Bench, program: ClientProgram): string[] {
  const notes = [bench.note, program.note].filter((note) => typeof note === "string");
  if (bench.lowPriority === true) {
    notes.push(
      `Client processes run at nice ${LOWEST_PRIORITY}; the threads that serve them and the writer at the usual priority.`,
    );
  }
  return notes;
}

/** The clients' time is the round's; the writer goes on until the last of them has answered. */
async function mountRound(parts: Parts, seconds: number, reading: boolean): Promise<RoundResult> {
  const { mount, bench, subjects, clients, threads, plan } = parts;
  const path = join(mount.dir, withPids(bench.file, subjects));
  const question = withPids(bench.question ?? "", subjects);
  let reads: ClientRound[] = [];
  const messages = await threads.run([WRITER], async () => {
    if (reading) reads = await unlessAborted(clients.run(bench.mode, seconds * 1000, path, question), plan.signal);
    else await sleep(seconds, plan.signal);
  });
  return {
    ...roundOf(messages, path),
    reads: reads.reduce((sum, one) => sum + one.reads, 0),
    readErrors: reads.reduce((sum, one) => sum + one.errors, 0),
    readsPerSecond: reads.reduce((sum, one) => sum + one.reads / one.seconds, 0),
  };
}
