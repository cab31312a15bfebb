/**
 * Many `ps -fe` at a time, in a private /proc over the mounted table, with path walks in both forms: what the patch of
 * pid_revalidate was measured by.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import type { Readable } from "node:stream";
import { EVENT_LABELS } from "../../src/kernel/counters.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { PRIVATE_SETUP_FAILED, startPrivately } from "../private-proc.ts";
import type { PrivatePlaces } from "../private-proc.ts";
import { formOrder } from "./measure.ts";
import type { BenchMount } from "./over-mount.ts";
import type { BenchPlan } from "./plan.ts";
import { checkGoing, unlessAborted } from "./plan.ts";
import type { Form, Storm, StormForm, StormSample } from "./result.ts";
import { ratioOf, summarise } from "./summary.ts";
import type { BenchTable } from "./table.ts";

/** Runs of ps in a measurement, if no more are wanted at a time. */
const LEAST_RUNS = 8;

/** Thrown if ps can't be run here; the message is one sentence. */
export class NoStorm extends Error {
  override readonly name = "NoStorm";
}

/** A storm takes long: half as many rounds as a comparison has. */
export function stormRounds(rounds: number): number {
  return Math.max(1, Math.ceil(rounds / 2));
}

/** Measurements of all storms. */
export function stormSteps(plan: Pick<BenchPlan, "rounds" | "ps">): number {
  return plan.ps.length * 2 * stormRounds(plan.rounds);
}

/** A shell that has the table as its /proc. */
class PrivateShell {
  private readonly child: ChildProcess;
  private readonly lines: Interface;
  private readonly ended: Promise<number | null>;

  constructor(places: PrivatePlaces) {
    // A process group of its own, which can be ended as a whole.
    this.child = startPrivately(places, ["sh"], { stdio: ["pipe", "pipe", "inherit"], detached: true });
    this.lines = createInterface({ input: this.child.stdout as Readable });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (status) => resolve(status));
    });
    // Whoever runs a line, or closes, hears of its end, and of what keeps it from starting.
    this.ended.catch(() => undefined);
    this.child.stdin?.on("error", () => undefined);
  }

  /** Exit status of a command line. @throws NoStorm if the shell has ended */
  async run(line: string): Promise<number> {
    const answer = once(this.lines, "line") as Promise<[string]>;
    this.child.stdin?.write(`${line}; echo "$?"\n`);
    const gone = this.ended.then(
      (status) => {
        throw new NoStorm(
          status === PRIVATE_SETUP_FAILED ? "A private /proc is not permitted here." : "The shell of ps ended.",
        );
      },
      () => {
        throw new NoStorm("unshare(1) is not installed (package util-linux).");
      },
    );
    const [status] = await Promise.race([answer, gone]);
    return Number(status);
  }

  async close(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(-pid, "SIGKILL");
    await this.ended;
  }
}

/** @throws NoStorm */
async function checkPrograms(shell: PrivateShell): Promise<void> {
  if ((await shell.run("type ps seq sed xargs >/dev/null 2>&1")) === 0) return;
  throw new NoStorm("ps, seq, sed or xargs is not installed.");
}

/** Runs ps so many times, so many at a time. @throws NoStorm, Error */
async function runPs(shell: PrivateShell, runs: number, parallel: number): Promise<void> {
  const status = await shell.run(`seq ${runs} | sed 's/.*/-fe/' | xargs -n 1 -P ${parallel} ps >/dev/null`);
  if (status !== 0) throw new Error(`ps -fe failed: xargs ended with ${status}`);
}

/** CPU time of the machine so far, by kind, in milliseconds. */
function cpuTimes(): { user: number; system: number; total: number } {
  const sum = { user: 0, system: 0, total: 0 };
  for (const { times } of cpus()) {
    sum.user += times.user + times.nice;
    sum.system += times.sys + times.irq;
    sum.total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return sum;
}

async function sample(shell: PrivateShell, parallel: number, order: number, signal: AbortSignal): Promise<StormSample> {
  const runs = Math.max(parallel, LEAST_RUNS);
  const before = cpuTimes();
  const start = performance.now();
  await unlessAborted(runPs(shell, runs, parallel), signal);
  const seconds = (performance.now() - start) / 1000;
  const after = cpuTimes();
  const share = (kind: "user" | "system"): number =>
    (100 * (after[kind] - before[kind])) / Math.max(1, after.total - before.total);
  return {
    order,
    seconds,
    runs,
    runsPerSecond: runs / seconds,
    systemPercent: share("system"),
    userPercent: share("user"),
  };
}

class StormRecord {
  readonly rounds: StormSample[] = [];
  readonly events: number[] = EVENT_LABELS.map(() => 0);

  result(): StormForm {
    return {
      rounds: this.rounds,
      runsPerSecond: summarise(this.rounds.map((round) => round.runsPerSecond)),
      systemPercent: summarise(this.rounds.map((round) => round.systemPercent)),
      events: Object.fromEntries(EVENT_LABELS.map((name, event) => [name, this.events[event] ?? 0])),
    };
  }
}

/** @throws NoStorm if ps can't be run here; Interrupted, Error */
export async function measureStorms(
  table: BenchTable,
  mount: BenchMount,
  places: PrivatePlaces,
  plan: BenchPlan,
  step: (label: string) => void,
): Promise<Storm[]> {
  const shell = new PrivateShell(places);
  try {
    await unlessAborted(checkPrograms(shell), plan.signal);
    const storms: Storm[] = [];
    for (const parallel of plan.ps) storms.push(await measureStorm(table, mount, shell, parallel, plan, step));
    return storms;
  } finally {
    await shell.close();
  }
}

async function measureStorm(
  table: BenchTable,
  mount: BenchMount,
  shell: PrivateShell,
  parallel: number,
  plan: BenchPlan,
  step: (label: string) => void,
): Promise<Storm> {
  const records: Record<Form, StormRecord> = { lockfree: new StormRecord(), locked: new StormRecord() };
  for (const [order, form] of formOrder(stormRounds(plan.rounds)).entries()) {
    checkGoing(plan.signal);
    await mount.setForm(Path.revalidate, form);
    const before = table.events(Path.revalidate);
    records[form].rounds.push(await sample(shell, parallel, order, plan.signal));
    const { events } = records[form];
    table.events(Path.revalidate).forEach((count, event) => {
      events[event] = (events[event] ?? 0) + ((count - (before[event] ?? 0)) >>> 0);
    });
    step(`ps x ${parallel}`);
  }
  await mount.setForm(Path.revalidate, "lockfree");
  const rates = (form: Form): number[] => records[form].rounds.map((round) => round.runsPerSecond);
  return {
    parallel,
    forms: { lockfree: records.lockfree.result(), locked: records.locked.result() },
    ratio: { runsPerSecond: ratioOf(rates("lockfree"), rates("locked"), plan.seed) },
  };
}
