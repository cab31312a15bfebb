/** Runs workloads on virtual CPUs over the whole sweep, patched and previous form. */
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WORKLOADS } from "../../../src/check/smp/catalogue.ts";
import type { Workload } from "../../../src/check/smp/catalogue.ts";
import { SWEEP } from "../../../src/check/smp/prices.ts";
import { Simulator } from "../../../src/check/smp/simulate.ts";
import type { RunResult } from "../../../src/check/smp/simulate.ts";
import { packageVersion } from "../../version.ts";
import { loads, machineFacts } from "../machine.ts";
import { checkGoing } from "../plan.ts";
import type { Form } from "../result.ts";
import { FORMS } from "../result.ts";
import type { LocalWork, PsMeasurement, WorkName } from "./local-work.ts";
import { measurePs, measureReads, walkNs } from "./local-work.ts";
import type { VirtualResult, VirtualScale, VirtualWorkload } from "./result.ts";
import { readsText, writesText } from "./words.ts";

/** Every name that can be asked for. */
export const VIRTUAL_NAMES: readonly string[] = WORKLOADS.map(({ name }) => name);

/** The transformed program: beside the code in an installed package, in dist/ of a checkout. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../../dist/check/" : "./check/", import.meta.url),
);

export interface VirtualPlan {
  readonly names: readonly string[];
  /** The most CPUs; fewer are powers of two. */
  readonly cpus: number;
  readonly seed: number;
  /** What need not be measured. */
  readonly localWork: LocalWork;
  /** Folder of the transformed program; the shipped one unless given. */
  readonly program?: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

/** @throws Interrupted; LocalWorkError if something can't be measured here */
export async function runVirtual(plan: VirtualPlan): Promise<VirtualResult> {
  const startedAt = new Date();
  const before = loads();
  const workloads = WORKLOADS.filter(({ name }) => plan.names.includes(name));
  const { localWork, ps } = measureMissing(workloads, plan.localWork);
  const machine = machineFacts(before);
  const simulator = await Simulator.load(plan.program ?? PROGRAM);
  const steps = new Steps(plan, workloads.length);
  const results: VirtualWorkload[] = [];
  for (const workload of workloads) results.push(await runWorkload(simulator, workload, localWork, plan, steps));
  steps.end();
  return {
    tool: "synthproc bench --virtual-cpus",
    version: packageVersion(),
    seed: plan.seed,
    startedAt: startedAt.toISOString(),
    tookSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    machine,
    localWork,
    ps,
    sweep: SWEEP,
    workloads: results,
  };
}

/** Powers of two, and the most. */
export function cpuCounts(most: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}

/** What the reader of a workload has to do besides. */
function worksOf({ work, records, name }: Workload): WorkName[] {
  return records ? [work, name as WorkName] : [work];
}

function measureMissing(
  workloads: readonly Workload[],
  given: LocalWork,
): { localWork: LocalWork; ps: PsMeasurement | null } {
  const missing = new Set(workloads.flatMap(worksOf).filter((name) => given[name] === undefined));
  const ps = missing.has("walk") ? measurePs() : null;
  missing.delete("walk");
  const reads = missing.size === 0 ? {} : measureReads(missing);
  return { localWork: { ...given, ...reads, ...(ps === null ? {} : { walk: walkNs(ps) }) }, ps };
}

async function runWorkload(
  simulator: Simulator,
  workload: Workload,
  localWork: LocalWork,
  plan: VirtualPlan,
  steps: Steps,
): Promise<VirtualWorkload> {
  const scales: VirtualScale[] = [];
  for (const cpus of cpuCounts(plan.cpus)) {
    const points: Record<Form, RunResult>[] = [];
    for (const point of SWEEP) {
      const forms: Partial<Record<Form, RunResult>> = {};
      for (const form of FORMS) {
        await steps.next(`${workload.name}, ${cpus} CPUs`);
        const workPerRead = localWork[workload.work] as number;
        const workPerRecord = workload.records ? (localWork[workload.name as WorkName] as number) : 0;
        forms[form] = simulator.run({ workload, form, cpus, point, workPerRead, workPerRecord, seed: plan.seed });
      }
      points.push(forms as Record<Form, RunResult>);
    }
    scales.push({ cpus, points });
  }
  return { name: workload.name, reads: readsText(workload), writes: writesText(workload), scales };
}

/** How far it has come. */
class Steps {
  private readonly plan: VirtualPlan;
  private readonly total: number;
  private done = 0;

  constructor(plan: VirtualPlan, workloads: number) {
    this.plan = plan;
    this.total = workloads * cpuCounts(plan.cpus).length * SWEEP.length * FORMS.length;
  }

  /** Before each run: signals get a chance. @throws Interrupted */
  async next(label: string): Promise<void> {
    this.plan.onProgress(this.done++, this.total, label);
    await setImmediate();
    checkGoing(this.plan.signal);
  }

  end(): void {
    this.plan.onProgress(this.total, this.total, "done");
  }
}
