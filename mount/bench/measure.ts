/** One comparison: rounds of both forms in turn, and what they amount to. The same for threads and for clients. */
import { EVENT_LABELS } from "../../src/kernel/counters.ts";
import type { Bench } from "./catalogue.ts";
import { OPERATIONS } from "./catalogue.ts";
import type { BenchPlan } from "./plan.ts";
import { checkGoing } from "./plan.ts";
import { PUBLISHED } from "./published.ts";
import type { Comparison, Form, FormResult, RoundSample, Where } from "./result.ts";
import { FORMS } from "./result.ts";
import { latencyOf, ratioOf, summarise, writerResult } from "./summary.ts";
import type { WriterRound } from "./summary.ts";

/** What one round gave. */
export interface RoundResult extends WriterRound {
  /** Of the writer. */
  readonly seconds: number;
  readonly reads: number;
  readonly readErrors: number;
  /** Sum over the readers of what each did a second. */
  readonly readsPerSecond: number;
}

/** Whatever can read and write: threads on an arena, or clients of a mount. */
export interface Rig {
  readonly where: Where;
  /** What readers read, as in {@link Comparison.what}. */
  readonly reads: string;
  readonly notes: readonly string[];
  setForm(form: Form): Promise<void>;
  /** The form that readers meet. */
  form(): Form;
  /** @param reading false: the writer alone */
  round(seconds: number, reading: boolean): Promise<RoundResult>;
  /** Counters of the path, in the order of EVENT_LABELS. */
  events(): number[];
}

/** Seconds of the rounds that only warm up. */
const WARM_UP_SECONDS = 0.1;

/** The forms in the order in which they are measured: A B, B A, A B, ... */
export function formOrder(rounds: number): Form[] {
  const order: Form[] = [];
  for (let round = 0; round < rounds; round++) order.push(...(round % 2 === 0 ? FORMS : [...FORMS].reverse()));
  return order;
}

/** Rounds of one comparison, those of the writer alone included. */
export function stepsOf(rounds: number): number {
  return 2 * rounds + aloneRounds(rounds);
}

function aloneRounds(rounds: number): number {
  return Math.ceil(rounds / 2);
}

/** What was measured of one form. */
class FormRecord {
  readonly rounds: RoundSample[] = [];
  readonly writer: WriterRound[] = [];
  private readonly events: number[] = EVENT_LABELS.map(() => 0);

  add(order: number, round: RoundResult, before: readonly number[], after: readonly number[]): void {
    const latency = latencyOf(round.histogram);
    this.rounds.push({
      order,
      seconds: round.seconds,
      reads: round.reads,
      readsPerSecond: round.readsPerSecond,
      readErrors: round.readErrors,
      writer: latency,
      writesPerSecond: writesPerSecond(round),
    });
    this.writer.push(round);
    // Counters have 32 bits and may wrap around.
    after.forEach((count, event) => (this.events[event] = this.count(event) + ((count - (before[event] ?? 0)) >>> 0)));
  }

  result(): FormResult {
    return {
      rounds: this.rounds,
      readsPerSecond: summarise(this.rounds.map((round) => round.readsPerSecond)),
      writer: writerResult(this.writer),
      events: Object.fromEntries(EVENT_LABELS.map((name, event) => [name, this.count(event)])),
    };
  }

  private count(event: number): number {
    return this.events[event] ?? 0;
  }
}

function writesPerSecond({ histogram, seconds }: RoundResult): number {
  return histogram.count / seconds;
}

/** @throws Interrupted, MountError, Error (a reader or the writer fails) */
export async function measure(rig: Rig, bench: Bench, plan: BenchPlan, step: () => void): Promise<Comparison> {
  const { signal, secondsPerRound } = plan;
  const warm = Math.min(WARM_UP_SECONDS, secondsPerRound);
  for (const form of FORMS) {
    await rig.setForm(form);
    await rig.round(warm, true);
  }
  const records = { lockfree: new FormRecord(), locked: new FormRecord() };
  const alone: RoundResult[] = [];
  for (const [order, form] of formOrder(plan.rounds).entries()) {
    checkGoing(signal);
    // Before every second pair, so that it is spread over the run as they are.
    if (order % 4 === 0) {
      alone.push(await rig.round(secondsPerRound, false));
      step();
    }
    await measureRound(rig, form, order, secondsPerRound, records[form]);
    step();
  }
  await rig.setForm("lockfree");
  return comparisonOf(rig, bench, plan, records, alone);
}

async function measureRound(rig: Rig, form: Form, order: number, seconds: number, record: FormRecord): Promise<void> {
  await rig.setForm(form);
  if (rig.form() !== form) throw new Error(`the path is not ${form}, though it was switched`);
  const before = rig.events();
  const round = await rig.round(seconds, true);
  record.add(order, round, before, rig.events());
}

function comparisonOf(
  rig: Rig,
  bench: Bench,
  plan: BenchPlan,
  records: Record<Form, FormRecord>,
  alone: readonly RoundResult[],
): Comparison {
  const forms = { lockfree: records.lockfree.result(), locked: records.locked.result() };
  const ratio = ratiosOf(forms, plan.seed);
  const published = PUBLISHED[bench.name];
  return {
    name: bench.name,
    where: rig.where,
    readers: plan.readers,
    writers: 1,
    what: `readers: ${rig.reads}; writer: ${OPERATIONS[bench.writer]}`,
    writerOperation: OPERATIONS[bench.writer],
    notes: [...rig.notes],
    forms,
    writerAlone: { ...writerResult(alone), writesPerSecond: summarise(alone.map(writesPerSecond)) },
    ratio,
    published: published === undefined ? null : { ...published, ours: ratio.writerMean },
  };
}

function ratiosOf(forms: Record<Form, FormResult>, seed: number): Comparison["ratio"] {
  const ratio = (value: (round: RoundSample) => number | undefined): Comparison["ratio"]["writerMean"] => {
    const of = (form: Form): number[] => forms[form].rounds.map(value).filter((one) => one !== undefined);
    return ratioOf(of("lockfree"), of("locked"), seed);
  };
  return {
    readsPerSecond: ratio((round) => round.readsPerSecond),
    writerMedian: ratio((round) => round.writer?.medianNs),
    writerMean: ratio((round) => round.writer?.meanNs),
    writerP99: ratio((round) => round.writer?.p99Ns),
  };
}
