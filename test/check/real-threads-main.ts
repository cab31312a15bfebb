/**
 * The program of real-threads.ts: scenarios as they are, on real threads. Its first argument is a {@link RealRun}; what it
 * prints is a list of {@link RealVerdict}. The same file is the program of its threads.
 *
 * Each round has an arena of its own. The threads of a scenario go through the rounds together: each waits for the others
 * before it starts, then a little longer, by chance.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { attachThread, judge, makeModel, runThread } from "../../src/check/model.ts";
import type { Form, Results, Scenario } from "../../src/check/scenario.ts";
import { formsOf, scenariosOf } from "../../src/check/scenario.ts";
import { Random } from "../../src/kernel/random.ts";

/** What is to be run. */
export interface RealRun {
  /** Names of scenario files, without their ending. */
  readonly files: readonly string[];
  /** Beginnings of the names of scenarios; none: all. */
  readonly names: readonly string[];
  /** Arenas for each scenario and form. */
  readonly rounds: number;
  readonly seed: number;
  /** Milliseconds after which a round in which nothing has ended never will. */
  readonly patience: number;
}

/** What became of one scenario in one form. */
export interface RealVerdict {
  readonly scenario: string;
  readonly form: Form;
  /** What is wrong, or null. */
  readonly wrong: string | null;
}

/** One thread's part in the rounds of one scenario. */
interface Part {
  readonly file: string;
  readonly scenario: string;
  readonly thread: string;
  /** Number of the thread, and how many there are. */
  readonly index: number;
  readonly threads: number;
  readonly rounds: readonly { readonly buffer: SharedArrayBuffer; readonly plan: unknown }[];
  readonly seed: number;
  /** How many starts there have been in all; then the rounds that each thread has ended. */
  readonly control: SharedArrayBuffer;
}

/** A thread's results, a round each; or what it died of. */
type Answer = { readonly results: readonly unknown[] } | { readonly error: string };

/** Rounds whose arenas are there at once: a run that goes wrong early ends early. */
const BATCH = 100;
/** Looks at the others before a thread that has come first sleeps. */
const EAGER_LOOKS = 20_000;
const LONGEST_SLEEP_MS = 1;
/** Looks, at most, by which a thread starts later: a power of two, each of which is as likely. */
const SKEW_BITS = 13;

async function scenariosOfFile(file: string): Promise<Scenario[]> {
  return scenariosOf((await import(`../../src/check/scenarios/${file}.scenario.ts`)) as object);
}

async function main(run: RealRun): Promise<void> {
  const verdicts: RealVerdict[] = [];
  const cast = new Cast(run.patience);
  for (const file of run.files) {
    for (const spec of await scenariosOfFile(file)) {
      if (run.names.length > 0 && !run.names.some((name) => spec.name.startsWith(name))) continue;
      for (const form of formsOf(spec)) {
        verdicts.push({ scenario: spec.name, form, wrong: await perform(cast, run, file, spec, form) });
      }
    }
  }
  process.stdout.write(JSON.stringify(verdicts));
  await cast.dismiss();
}

/** All rounds of a scenario in one form; one of them, if a thread has nobody to meet. @returns what is wrong, or null */
async function perform(cast: Cast, run: RealRun, file: string, spec: Scenario, form: Form): Promise<string | null> {
  const all = Object.keys(spec.threads).length === 1 ? 1 : run.rounds;
  for (let first = 0; first < all; first += BATCH) {
    const rounds = Math.min(BATCH, all - first);
    const wrong = await performBatch(cast, { ...run, rounds, seed: run.seed + first }, file, spec, form);
    if (wrong !== null) return wrong;
  }
  return null;
}

async function performBatch(
  cast: Cast,
  run: RealRun,
  file: string,
  spec: Scenario,
  form: Form,
): Promise<string | null> {
  const { rounds, seed } = run;
  const models = Array.from({ length: rounds }, () => makeModel(spec, form));
  const threads = Object.keys(spec.threads);
  const control = new SharedArrayBuffer(4 * (1 + threads.length));
  const arenas = models.map(({ k, plan }) => ({ buffer: k.m.buffer, plan }));
  const common = { file, scenario: spec.name, threads: threads.length, rounds: arenas, seed, control };
  const answers = await cast.play(threads.map((thread, index) => ({ ...common, thread, index })));
  if (typeof answers === "string") return answers;
  for (const [round, { k, plan }] of models.entries()) {
    const results: Results = {};
    for (const [index, thread] of threads.entries()) results[thread] = answers[index]?.[round];
    const wrong = judge(spec, k, plan, results, form);
    if (wrong !== null) return `round ${round}: ${wrong}`;
  }
  return null;
}

/** The threads: as many as a scenario has needed so far. */
class Cast {
  private workers: Worker[] = [];
  private readonly patience: number;

  constructor(patience: number) {
    this.patience = patience;
  }

  /** @returns each part's results, or what went wrong: then there are no threads any more */
  async play(parts: readonly Part[]): Promise<(readonly unknown[])[] | string> {
    while (this.workers.length < parts.length) this.workers.push(new Worker(new URL(import.meta.url)));
    const control = new Int32Array((parts[0] as Part).control);
    const played = Promise.all(parts.map((part, i) => playOn(this.workers[i] as Worker, part)));
    const over = new AbortController();
    try {
      return await Promise.race([played, watch(control, parts, this.patience, over.signal)]);
    } catch (error) {
      await this.dismiss();
      return String(error instanceof Error ? error.message : error);
    } finally {
      over.abort();
    }
  }

  async dismiss(): Promise<void> {
    const workers = this.workers;
    this.workers = [];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** @throws Error if the thread dies */
function playOn(worker: Worker, part: Part): Promise<readonly unknown[]> {
  return new Promise((resolve, reject) => {
    const died = (error: Error) => reject(error);
    worker.once("error", died);
    worker.once("message", (answer: Answer) => {
      worker.off("error", died);
      if ("results" in answer) resolve(answer.results);
      else reject(new Error(answer.error));
    });
    worker.postMessage(part);
  });
}

/** Sees to it that the rounds go on. @throws Error if they don't */
async function watch(
  control: Int32Array,
  parts: readonly Part[],
  patience: number,
  over: AbortSignal,
): Promise<string> {
  for (let last = ""; !over.aborted;) {
    const ended = parts.map((part) => Atomics.load(control, 1 + part.index));
    if (ended.join() === last) {
      const stuck = parts.filter((part) => ended[part.index] === Math.min(...ended)).map(({ thread }) => thread);
      throw new Error(`round ${Math.min(...ended)}: stuck in ${stuck.join(", ")}`);
    }
    last = ended.join();
    await sleep(patience, undefined, { signal: over, ref: false }).catch((error: unknown) => {
      if (!over.aborted) throw error;
    });
  }
  return "over";
}

/** A thread's rounds. */
async function play(part: Part): Promise<Answer> {
  const control = new Int32Array(part.control);
  const random = new Random(part.seed, part.index);
  const results: unknown[] = [];
  try {
    const spec = (await scenariosOfFile(part.file)).find(({ name }) => name === part.scenario) as Scenario;
    for (const { buffer, plan } of part.rounds) {
      const k = attachThread(buffer);
      startTogether(control, (results.length + 1) * part.threads);
      for (let i = random.below(2 ** random.below(SKEW_BITS)); i > 0; i--) Atomics.load(control, 0);
      results.push(runThread(spec, part.thread, k, plan));
      Atomics.add(control, 1 + part.index, 1);
    }
  } catch (error) {
    return {
      error: `round ${results.length}: ${part.thread}: ${error instanceof Error ? error.stack : String(error)}`,
    };
  }
  return { results };
}

/** Waits until so many starts have been announced. */
function startTogether(control: Int32Array, starts: number): void {
  Atomics.add(control, 0, 1);
  Atomics.notify(control, 0);
  for (let looks = 0; ; looks++) {
    const announced = Atomics.load(control, 0);
    if (announced >= starts) return;
    if (looks >= EAGER_LOOKS) Atomics.wait(control, 0, announced, LONGEST_SLEEP_MS);
  }
}

if (isMainThread) await main(JSON.parse(process.argv[2] as string) as RealRun);
else parentPort?.on("message", (part: Part) => void play(part).then((answer) => parentPort?.postMessage(answer)));
