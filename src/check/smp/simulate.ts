/** Runs a workload on virtual CPUs: so many that read, one more that writes, and what both of them got done. */
import { mean, quantileSorted } from "simple-statistics";
import type { Kernel } from "../../kernel/kernel.ts";
import { Random } from "../../kernel/random.ts";
import { installBackend } from "../interleave/backend.ts";
import type { LoadedProgram, Steps } from "../interleave/load.ts";
import { loadProgram } from "../interleave/load.ts";
import type { Form } from "../scenario.ts";
import type { Workload } from "./catalogue.ts";
import type { VirtualThread } from "./cpu.ts";
import type { ReadKind, WriteKind } from "./kinds.ts";
import type { SiteWork } from "./machine.ts";
import { VirtualMachine } from "./machine.ts";
import type { SweepPoint } from "./prices.ts";
import type { Scratch } from "./workloads/reading.ts";
import type { Table } from "./workloads/table.ts";
import type { Progress } from "./workloads/writing.ts";

/** What is run. */
export interface RunSpec {
  readonly workload: Workload;
  readonly form: Form;
  /** CPUs that read. */
  readonly cpus: number;
  readonly point: SweepPoint;
  /** Nanoseconds of work between two reads, and for each record within one; before the point multiplies them. */
  readonly workPerRead: number;
  readonly workPerRecord: number;
  readonly seed: number;
  /** Checks the order of locks, too. */
  readonly debug?: boolean;
}

/** Nanoseconds of one operation, over all that were done. */
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  /** Null if there were too few. */
  readonly p99: number | null;
}

export interface RunResult {
  readonly readsPerSecond: number;
  /** Null if too few came to their end. */
  readonly read: Latency | null;
  /** Null also if nobody writes. */
  readonly write: Latency | null;
  readonly writesPerSecond: number;
  /** Virtual nanoseconds that were measured. */
  readonly nanoseconds: number;
  /** Lines that came from another CPU, and swaps that failed, for each read. */
  readonly transfersPerRead: number;
  readonly failedSwapsPerRead: number;
}

/** The transformed modules of workloads/: every function of theirs is a generator. */
interface Workloads {
  makeTable(k: Kernel, read: ReadKind, write: WriteKind | null): Steps<Table>;
  joinCpu(buffer: SharedArrayBuffer, debug: boolean): Steps<Kernel>;
  newScratch(): Steps<Scratch>;
  read(k: Kernel, kind: ReadKind, table: Table, scratch: Scratch, turn: number): Steps<number>;
  afterRead(k: Kernel): Steps<void>;
  write(k: Kernel, kind: WriteKind, table: Table, progress: Progress, random: Random): Steps<void>;
  afterWrite(k: Kernel, kind: WriteKind, table: Table): Steps<void>;
}

const MODULES = ["table", "reading", "writing"];
/** Functions that stand for the work of a record, by their first access. */
const RECORD_FUNCTIONS = ["readVma", "readTimer"];
/** Reads of all, also for each CPU, and operations of the writer, that are enough. */
const ENOUGH_READS = 2000;
const READS_PER_CPU = 10;
const ENOUGH_WRITES = 100;
/** Turns of threads after which a run ends in any case, and how many more for each CPU. */
const MOST_TURNS = 40_000;
const TURNS_PER_CPU = 800;
/** Of these, the part after which measuring begins, though not every CPU has read once. */
const COLD = 0.5;
/** Operations below which there is no telling how long they take: those that take longest have not come to their end. */
const TELLING_READS_PER_CPU = 2;
const TELLING_WRITES = 10;
/** Operations below which there is no telling a 99th percentile. */
const TELLING_P99 = 100;
/** Work is between this and as much more than 1. */
const LEAST_JITTER = 0.75;

/** The operations of one side. */
class Tally {
  readonly latencies: number[] = [];

  note(ns: number): void {
    this.latencies.push(ns);
  }

  count(): number {
    return this.latencies.length;
  }

  latency(least: number): Latency | null {
    const sorted = Array.from(this.latencies).sort((a, b) => a - b);
    const count = sorted.length;
    if (count < least) return null;
    const p99 = count < TELLING_P99 ? null : quantileSorted(sorted, 0.99);
    return { count, mean: mean(sorted), p50: quantileSorted(sorted, 0.5), p99 };
  }
}

/** A loaded program and the machine that it runs on. */
export class Simulator {
  private readonly machine: VirtualMachine;
  private readonly program: LoadedProgram;
  private readonly code: Workloads;
  private readonly recordSites: readonly number[];

  private constructor(machine: VirtualMachine, program: LoadedProgram) {
    this.machine = machine;
    this.program = program;
    this.code = Object.assign(
      {},
      ...MODULES.map((name) => program.modules.get(`src/check/smp/workloads/${name}.js`)),
    ) as Workloads;
    this.recordSites = RECORD_FUNCTIONS.map((name) => program.sites.findIndex((site) => site?.fn === name));
    if (this.recordSites.includes(-1)) throw new Error(`one of ${RECORD_FUNCTIONS.join(", ")} has no access`);
  }

  /** @param dir the tree of a transformed program */
  static async load(dir: string): Promise<Simulator> {
    const machine = new VirtualMachine();
    installBackend(machine);
    return new Simulator(machine, await loadProgram(dir));
  }

  /** @throws Error if a read fails, or shipped code throws */
  run(spec: RunSpec): RunResult {
    const { k, table } = this.setUp(spec);
    const cpus = spec.cpus + (spec.workload.write === null ? 0 : 1);
    this.machine.reset(cpus, k.m.size(), spec.point.prices, this.siteWork(spec));
    return new Run(this.machine, this.code, spec, k.m.buffer, table).measure();
  }

  private setUp({ workload, form }: RunSpec): { k: Kernel; table: Table } {
    const { code, machine, program } = this;
    machine.reset(1, ARENA_WORDS);
    const setup = function* (k: Kernel): Steps<Table> {
      return yield* code.makeTable(k, workload.read, workload.write);
    };
    const scenario = {
      name: workload.name,
      about: "",
      paths: [workload.path],
      setup: setup as never,
      threads: {},
      check: () => null,
    };
    const { k, plan } = machine.alone(program.model.makeModel(scenario, form));
    return { k, table: plan as Table };
  }

  private siteWork({ workload, point, workPerRecord }: RunSpec): SiteWork {
    const work = new Float64Array(this.program.sites.length);
    if (workload.records) for (const site of this.recordSites) work[site] = workPerRecord * point.work;
    return work;
  }
}

/** Words of a model's arena. */
const ARENA_WORDS = 2 ** 24;

/** One run. */
class Run {
  private readonly machine: VirtualMachine;
  private readonly code: Workloads;
  private readonly spec: RunSpec;
  private readonly buffer: SharedArrayBuffer;
  private readonly table: Table;
  private readonly reads = new Tally();
  private readonly writes = new Tally();
  /** CPUs that are not warm yet. */
  private cold: number;
  private from = 0;
  private transfers = 0;
  private failedSwaps = 0;

  constructor(machine: VirtualMachine, code: Workloads, spec: RunSpec, buffer: SharedArrayBuffer, table: Table) {
    this.machine = machine;
    this.code = code;
    this.spec = spec;
    this.buffer = buffer;
    this.table = table;
    this.cold = spec.cpus;
  }

  measure(): RunResult {
    const { machine, spec } = this;
    for (let cpu = 0; cpu < spec.cpus; cpu++) machine.start(cpu, this.reader(cpu));
    if (spec.workload.write !== null) machine.start(spec.cpus, this.writer(spec.workload.write));
    const turns = MOST_TURNS + TURNS_PER_CPU * spec.cpus;
    machine.run(() => {
      if (this.cold > 0 && machine.counts.turns > turns * COLD) this.begin();
      return machine.counts.turns > turns || this.enough();
    });
    return this.result();
  }

  private enough(): boolean {
    const { cpus, workload } = this.spec;
    if (this.reads.count() < Math.max(ENOUGH_READS, READS_PER_CPU * cpus)) return false;
    return workload.write === null || this.writes.count() >= ENOUGH_WRITES;
  }

  private result(): RunResult {
    const { machine, reads, writes, spec } = this;
    const count = reads.count();
    if (count === 0) throw new Error(`no read came to its end within ${machine.counts.turns} turns`);
    const nanoseconds = machine.time() - this.from;
    return {
      readsPerSecond: (count / nanoseconds) * 1e9,
      read: reads.latency(TELLING_READS_PER_CPU * spec.cpus),
      write: writes.latency(TELLING_WRITES),
      writesPerSecond: (writes.count() / nanoseconds) * 1e9,
      nanoseconds,
      transfersPerRead: (machine.counts.transfers - this.transfers) / count,
      failedSwapsPerRead: (machine.counts.failedSwaps - this.failedSwaps) / count,
    };
  }

  private *reader(cpu: number): VirtualThread {
    const { code, machine, spec, table } = this;
    const random = new Random(spec.seed, cpu + 1);
    const work = spec.workPerRead * spec.point.work;
    const k = yield* code.joinCpu(this.buffer, spec.debug === true);
    const scratch = yield* code.newScratch();
    machine.work(random.unit() * work);
    yield;
    const first = random.below(Math.max(1, table.pids.length));
    for (let turn = 0; ; turn++) {
      const begun = machine.now();
      const result = yield* code.read(k, spec.workload.read, table, scratch, first + turn);
      if (result < 0) throw new Error(`reading ${spec.workload.name}: errno ${-result}`);
      if (this.cold === 0) this.reads.note(machine.now() - begun);
      yield* code.afterRead(k);
      if (turn === 0) this.warm();
      machine.work(jitter(random) * work);
      yield;
    }
  }

  private *writer(kind: WriteKind): VirtualThread {
    const { code, machine, spec, table } = this;
    const random = new Random(spec.seed, 0);
    const progress: Progress = { step: 0, page: 0, child: 0 };
    const k = yield* code.joinCpu(this.buffer, spec.debug === true);
    for (;;) {
      const begun = machine.now();
      yield* code.write(k, kind, table, progress, random);
      if (this.cold === 0) this.writes.note(machine.now() - begun);
      yield* code.afterWrite(k, kind, table);
      machine.work(jitter(random) * spec.workload.pause);
      yield;
    }
  }

  /** One more CPU has what it needs; with the last, measuring begins. */
  private warm(): void {
    if (this.cold === 1) this.begin();
    else if (this.cold > 0) this.cold--;
  }

  private begin(): void {
    this.cold = 0;
    const { counts } = this.machine;
    this.from = this.machine.time();
    this.transfers = counts.transfers;
    this.failedSwaps = counts.failedSwaps;
  }
}

function jitter(random: Random): number {
  return LEAST_JITTER + 2 * (1 - LEAST_JITTER) * random.unit();
}
