/** `synthproc bench`, from the plan to the result. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { MountErrorCode } from "../errors.ts";
import { MountError } from "../errors.ts";
import { makePrivatePlaces, removePrivatePlaces } from "../private-proc.ts";
import type { PrivatePlaces } from "../private-proc.ts";
import { packageVersion } from "../version.ts";
import { BENCHES, PS } from "./catalogue.ts";
import type { Bench } from "./catalogue.ts";
import { clientProgram } from "./clients.ts";
import { measureInProcess } from "./in-process.ts";
import { loads, machineFacts } from "./machine.ts";
import { stepsOf } from "./measure.ts";
import { BenchMount, measureOverMount } from "./over-mount.ts";
import type { BenchPlan } from "./plan.ts";
import { checkGoing } from "./plan.ts";
import type { BenchResult, Comparison, Skipped, Storm } from "./result.ts";
import { measureStorms, NoStorm, stormSteps } from "./storm.ts";
import { BenchTable } from "./table.ts";

/** Why a machine can't mount anything; the rest of the benchmark goes on without. */
const NO_MOUNT: readonly MountErrorCode[] = [
  "ESYNTH_NO_FUSE",
  "ESYNTH_NO_MOUNT_PROGRAM",
  "ESYNTH_NO_TRANSPORT",
  "ESYNTH_PERMISSION",
];

/**
 * Measures what the plan says, one after another.
 * @throws Interrupted; MountError (with where = "mount", also if nothing can be mounted here); Error. No mount, thread,
 *   process or file stays behind.
 */
export async function runBench(plan: BenchPlan): Promise<BenchResult> {
  const startedAt = new Date().toISOString();
  const start = performance.now();
  const loadBefore = loads();
  const places = makePrivatePlaces();
  try {
    const run = new Run(plan, places);
    await run.inProcess();
    await run.overMount();
    run.progress.end();
    return {
      tool: "synthproc bench",
      version: packageVersion(),
      seed: plan.seed,
      startedAt,
      tookSeconds: (performance.now() - start) / 1000,
      machine: machineFacts(loadBefore),
      options: optionsOf(plan),
      comparisons: run.comparisons,
      storms: run.storms,
      skipped: run.skipped,
    };
  } finally {
    removePrivatePlaces(places);
  }
}

function optionsOf({ names, where, rounds, secondsPerRound, readers, ps }: BenchPlan): BenchResult["options"] {
  return { names, where, rounds, secondsPerRound, readers, ps };
}

/** Counts measurements. */
class Progress {
  private readonly plan: BenchPlan;
  private readonly total: number;
  private done = 0;

  constructor(plan: BenchPlan, total: number) {
    this.plan = plan;
    this.total = total;
  }

  step(label: string): void {
    this.done++;
    this.plan.onProgress(this.done, this.total, label);
  }

  end(): void {
    this.plan.onProgress(this.total, this.total, "done");
  }
}

class Run {
  readonly comparisons: Comparison[] = [];
  readonly storms: Storm[] = [];
  readonly skipped: Skipped[] = [];
  readonly progress: Progress;
  private readonly plan: BenchPlan;
  private readonly places: PrivatePlaces;
  private readonly table: BenchTable;
  private readonly benches: readonly Bench[];

  constructor(plan: BenchPlan, places: PrivatePlaces) {
    this.plan = plan;
    this.places = places;
    this.benches = BENCHES.filter((bench) => plan.names.includes(bench.name));
    const parts = plan.where === "both" ? 2 : 1;
    const storms = this.wantsStorms() ? stormSteps(plan) : 0;
    this.progress = new Progress(plan, parts * this.benches.length * stepsOf(plan.rounds) + storms);
    this.table = new BenchTable(plan.seed, places);
  }

  async inProcess(): Promise<void> {
    if (this.plan.where === "mount") return;
    for (const bench of this.benches) {
      checkGoing(this.plan.signal);
      const step = (): void => this.progress.step(`${bench.name}, in-process`);
      this.comparisons.push(await measureInProcess(this.table, bench, this.plan, step));
    }
  }

  async overMount(): Promise<void> {
    if (this.plan.where === "in-process") {
      if (this.plan.names.includes(PS)) this.skip([PS], "It needs a mount, and --where says in-process.");
      return;
    }
    const mount = await this.tryMount();
    if (mount === null) return;
    const folder = mkdtempSync(join(tmpdir(), "synthproc-bench-"));
    try {
      await this.compareOverMount(mount, folder);
      if (this.wantsStorms()) await this.tryStorms(mount);
    } finally {
      rmSync(folder, { recursive: true });
      await mount.close();
    }
  }

  private async compareOverMount(mount: BenchMount, folder: string): Promise<void> {
    const program = await clientProgram(folder);
    for (const bench of this.benches) {
      checkGoing(this.plan.signal);
      const step = (): void => this.progress.step(`${bench.name}, over the mount`);
      this.comparisons.push(await measureOverMount(this.table, mount, bench, program, this.plan, step));
    }
  }

  /** Null if this machine can't, which is an error only if nothing else was asked for. */
  private async tryMount(): Promise<BenchMount | null> {
    checkGoing(this.plan.signal);
    try {
      return await BenchMount.start(this.table, this.places.simulation);
    } catch (error) {
      const cannot = error instanceof MountError && NO_MOUNT.includes(error.code);
      if (!cannot || this.plan.where === "mount") throw error;
      this.skip([...this.benches.map((bench) => bench.name), ...(this.wantsStorms() ? [PS] : [])], error.message);
      return null;
    }
  }

  private async tryStorms(mount: BenchMount): Promise<void> {
    try {
      const step = (label: string): void => this.progress.step(label);
      this.storms.push(...(await measureStorms(this.table, mount, this.places, this.plan, step)));
    } catch (error) {
      if (!(error instanceof NoStorm)) throw error;
      this.skip([PS], error.message);
    }
  }

  private wantsStorms(): boolean {
    return this.plan.where !== "in-process" && this.plan.names.includes(PS);
  }

  private skip(names: readonly string[], why: string): void {
    for (const name of names) this.skipped.push({ name, where: "mount", why });
  }
}
