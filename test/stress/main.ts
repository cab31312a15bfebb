/**
 * One stress run: the program of the child process, and of its worker threads. See harness.ts.
 *
 * The main thread makes the arena and the world, starts the threads, watches their progress, switches the paths if told
 * so, and at the end looks whether anything is left. It prints a StressResult as JSON.
 */
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { SharedHistory } from "../../src/check/history.ts";
import type { State } from "../../src/check/history.ts";
import { Cache, cacheName } from "../../src/kernel/caches.ts";
import { EVENT_NAMES, eventCount } from "../../src/kernel/counters.ts";
import type { EventId } from "../../src/kernel/counters.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { bootKernel } from "../../src/kernel/boot.ts";
import { LOCKED, LOCKFREE, PATH_NAMES } from "../../src/kernel/knobs.ts";
import { HOST, TOKEN } from "../../src/kernel/layout.ts";
import { Random } from "../../src/kernel/random.ts";
import { liveObjects } from "../../src/mutate/build/teardown.ts";
import { MAX_CACHES } from "../../src/shm/slab.ts";
import type { Ptr } from "../../src/sync/atomics.ts";
import { Memory } from "../../src/sync/atomics.ts";
import { TEST_CONFIG } from "../support/kernel.ts";
import { startInit } from "../support/processes.ts";
import type { Form, Outcomes, StressJob, StressResult, StressThread, World } from "./world.ts";
import { WORLDS } from "./worlds.ts";

const ARENA = 2 ** 30;
/** Steps between two looks at the stop word. */
const STEPS = 20;
/** How many times longer a run may take on a busy machine to meet what it must. */
const LONGER = 6;
const SWITCH_MS = 1;
const LOOK_MS = 10;
const WATCH_MS = 100;
/** One of so many looks interrupts whoever waits, until the next. */
const INTERRUPTED_EVERY = 5;
const VIOLATIONS_SHOWN = 5;

/** Words of the control memory: stop, violations so far, the steps of each thread, which outcomes were met. */
const STOP = 16;
const VIOLATED = 32;
const STEPS_OF = 48;
const MET = 256;

interface ThreadData {
  readonly job: StressJob;
  readonly buffer: SharedArrayBuffer;
  readonly history: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly plan: unknown;
  readonly interruptWord: Ptr;
  readonly role: "reader" | "writer";
  readonly index: number;
  /** Number among all threads. */
  readonly number: number;
}

interface ThreadResult {
  readonly steps: number;
  readonly violations: readonly string[];
  readonly unchecked: number;
  readonly outcomes: Outcomes;
}

function worldOf(job: StressJob): World<unknown> {
  const world = WORLDS[job.world];
  if (world === undefined) throw new Error(`no world ${job.world}`);
  return world;
}

/** What a run must meet and the threads count: all but the product's own counters. */
function expectedOutcomes(job: StressJob): string[] {
  return worldOf(job)
    .expected(job.form)
    .filter((name) => !isCounter(name));
}

/** True for a counter of the product, `path.event`. */
function isCounter(name: string): boolean {
  return name.includes(".");
}

/** The body of a worker thread. */
class Body implements StressThread<unknown> {
  readonly k: Kernel;
  readonly plan: unknown;
  readonly history: SharedHistory;
  readonly random: Random;
  readonly form: Form;
  readonly index: number;
  readonly interruptWord: Ptr;
  private readonly control: Memory;
  private readonly data: ThreadData;
  private readonly violations: string[] = [];
  private readonly outcomes: Outcomes = {};
  private readonly expected: readonly string[];
  private unchecked = 0;

  constructor(data: ThreadData) {
    const { job } = data;
    this.data = data;
    this.k = Kernel.attach(data.buffer, TEST_CONFIG, { debug: job.lockdep });
    this.plan = data.plan;
    this.history = new SharedHistory(data.history, worldOf(job).history);
    this.random = new Random(job.seed, data.number + 1);
    this.form = job.form;
    this.index = data.index;
    this.interruptWord = data.interruptWord;
    this.control = new Memory(data.control);
    this.expected = expectedOutcomes(job);
  }

  count(outcome: string): void {
    const before = this.outcomes[outcome] ?? 0;
    this.outcomes[outcome] = before + 1;
    const expected = before === 0 ? this.expected.indexOf(outcome) : -1;
    if (expected >= 0) this.control.store(MET + expected, 1);
  }

  violation(text: string): void {
    this.control.add(VIOLATED, 1);
    if (this.violations.length < VIOLATIONS_SHOWN) this.violations.push(text);
    if (this.data.job.stopAtFirst) this.control.store(STOP, 1);
  }

  judge(states: readonly State[] | null, oracle: (states: readonly State[]) => string | null): void {
    if (states === null) {
      this.unchecked++;
      return;
    }
    const text = oracle(states);
    if (text !== null) this.violation(text);
  }

  run(): ThreadResult {
    const { k, control, data } = this;
    const world = worldOf(data.job);
    k.busy();
    const step = data.role === "reader" ? world.reader(this) : world.writer(this);
    let steps = 0;
    while (control.load(STOP) === 0) {
      for (let i = 0; i < STEPS; i++) {
        step();
        k.quiescent();
        k.slab.reclaim();
      }
      steps += STEPS;
      control.store(STEPS_OF + data.number, steps);
    }
    k.idle();
    k.slab.flush();
    return { steps, violations: this.violations, unchecked: this.unchecked, outcomes: this.outcomes };
  }
}

/** The main thread's side. */
class Run {
  private readonly job: StressJob;
  private readonly world: World<unknown>;
  private readonly k: Kernel;
  private readonly control = Memory.reserve(4096);
  private readonly failures: string[] = [];
  private readonly results: { role: string; result: ThreadResult }[] = [];
  private readonly random: Random;
  private readonly interruptWord: Ptr;

  constructor(job: StressJob) {
    this.job = job;
    this.world = worldOf(job);
    this.k = Kernel.create(ARENA, TEST_CONFIG, { debug: job.lockdep });
    this.random = new Random(job.seed);
    this.interruptWord = this.k.slab.alloc(Cache.token) + TOKEN.count;
  }

  async run(): Promise<StressResult> {
    const { k, world } = this;
    k.busy();
    bootKernel(k);
    startInit(k);
    const before = liveObjects(k);
    const history = SharedHistory.reserve(world.history);
    const plan = world.setup(k, new SharedHistory(history, world.history), world.writers);
    k.idle();
    this.setPaths(() => this.job.form === "locked");
    await this.contend(history, plan);
    if (this.failures.length === 0) this.lookForLeaks(plan, before);
    return this.result();
  }

  private async contend(history: SharedArrayBuffer, plan: unknown): Promise<void> {
    const { job, world, k, interruptWord } = this;
    const roles = [...Array<"writer">(world.writers).fill("writer"), ...Array<"reader">(world.readers).fill("reader")];
    const shared = { job, buffer: k.m.buffer, history, control: this.control.buffer, plan, interruptWord };
    const threads = roles.map((role, number) => {
      const index = role === "writer" ? number : number - world.writers;
      return this.start({ ...shared, role, index, number });
    });
    await this.watch(threads.length);
    this.control.store(STOP, 1);
    const late = new Promise<"late">((resolve) => setTimeout(resolve, this.job.stuckAfter, "late").unref());
    if ((await Promise.race([Promise.all(threads), late])) === "late") this.fail("a thread doesn't come to its end");
  }

  /** Starts a thread; resolves when it has ended. */
  private start(data: ThreadData): Promise<void> {
    return new Promise((resolve) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: data });
      worker.once("message", (result: ThreadResult) => this.results.push({ role: data.role, result }));
      worker.once("error", (error) => this.fail(`${data.role} ${data.index} died: ${error.stack ?? error.message}`));
      worker.once("exit", () => resolve());
    });
  }

  /** Waits until the time is over, a thread hangs, or somebody stops the run. */
  private async watch(threads: number): Promise<void> {
    const { control, job } = this;
    const steps = Array<number>(threads).fill(0);
    const moved = Array<number>(threads).fill(performance.now());
    const begun = performance.now();
    let looked = 0;
    while (this.goesOn(performance.now() - begun) && control.load(STOP) === 0) {
      await new Promise((resolve) => setTimeout(resolve, job.form === "switching" ? SWITCH_MS : LOOK_MS));
      if (job.form === "switching") this.setPaths(() => this.random.below(2) === 1);
      const interrupts = job.interrupts !== false && this.random.below(INTERRUPTED_EVERY) === 0;
      this.k.m.store(this.interruptWord, interrupts ? 1 : 0);
      const now = performance.now();
      if (now - looked < WATCH_MS) continue;
      looked = now;
      for (let i = 0; i < threads; i++) {
        const made = control.load(STEPS_OF + i);
        if (made !== steps[i]) moved[i] = now;
        steps[i] = made;
        if (now - (moved[i] as number) > job.stuckAfter)
          return this.fail(`thread ${i} makes no progress after ${made} steps`);
      }
    }
  }

  /** A run that shall find nothing goes on until all was met that must be. */
  private goesOn(milliseconds: number): boolean {
    const { job } = this;
    if (job.reads !== undefined) return milliseconds < job.milliseconds && this.reads() < job.reads;
    if (milliseconds < job.milliseconds) return true;
    if (job.stopAtFirst || milliseconds > LONGER * job.milliseconds) return false;
    if (expectedOutcomes(job).some((_name, index) => this.control.load(MET + index) === 0)) return true;
    const counters = this.counters();
    return this.world.expected(job.form).some((name) => isCounter(name) && counters[name] === undefined);
  }

  /** Reads so far. */
  private reads(): number {
    let sum = 0;
    for (let i = 0; i < this.world.readers; i++) sum += this.control.load(STEPS_OF + this.world.writers + i);
    return sum;
  }

  private setPaths(locked: () => boolean): void {
    for (const path of this.world.paths) this.k.m.store(HOST.pathMode + path, locked() ? LOCKED : LOCKFREE);
  }

  private fail(text: string): void {
    this.control.store(STOP, 1);
    this.failures.push(text);
  }

  /** Ends what the world has made, lets grace periods pass, and compares. */
  private lookForLeaks(plan: unknown, before: readonly number[]): void {
    const { k, world } = this;
    k.busy();
    world.teardown(k, plan);
    while (k.slab.reclaiming()) {
      k.quiescent();
      k.slab.reclaim();
    }
    k.idle();
    const after = liveObjects(k);
    for (let cache = 0; cache < MAX_CACHES; cache++) {
      if (after[cache] !== before[cache]) {
        this.fail(`${cacheName(cache)}: ${before[cache]} objects at the start, ${after[cache]} at the end`);
      }
    }
  }

  private result(): StressResult {
    const of = (role: string): number =>
      this.results.reduce((sum, entry) => sum + (entry.role === role ? entry.result.steps : 0), 0);
    const outcomes: Outcomes = {};
    for (const { result } of this.results) {
      for (const [name, count] of Object.entries(result.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + count;
    }
    return {
      violations: this.results.flatMap(({ result }) => result.violations).slice(0, VIOLATIONS_SHOWN),
      violated: this.control.load(VIOLATED),
      failures: this.failures,
      reads: of("reader"),
      writes: of("writer"),
      unchecked: this.results.reduce((sum, { result }) => sum + result.unchecked, 0),
      outcomes,
      counters: this.counters(),
    };
  }

  private counters(): Record<string, number> {
    const counters: Record<string, number> = {};
    for (const path of this.world.paths) {
      for (let event = 0; event < EVENT_NAMES.length; event++) {
        const count = eventCount(this.k, path, event as EventId);
        if (count !== 0) counters[`${PATH_NAMES[path]}.${EVENT_NAMES[event]}`] = count;
      }
    }
    return counters;
  }
}

if (isMainThread) {
  const result = await new Run(JSON.parse(process.argv[2] as string) as StressJob).run();
  // Threads that hang must not keep the process: it ends when the text is out.
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
} else {
  parentPort?.postMessage(new Body(workerData as ThreadData).run());
}
