/** An access in words. */
import type { TraceStep } from "../../../src/check/explore/report.ts";

/** What sort of access it is; each has a mark of its own in a drawing. */
export type Deed = "reads" | "writes" | "sleeps" | "wakes";

/** What an access does to its word, and how that is said. */
interface Operation {
  deed(step: TraceStep): Deed;
  /** True if what it gives depends on what was in the word. */
  readonly reads: boolean;
  /** The value of the word afterwards, if the step tells it. */
  after(step: TraceStep): number | undefined;
  /** @param before the value of the word, if it is known */
  text(step: TraceStep, before: number | undefined): string;
}

const LOAD: Operation = {
  deed: () => "reads",
  reads: true,
  after: found,
  text: ({ word, result }) => `${word} is ${result}`,
};

type Compute = (old: number, operand: number) => number;

/**
 * A change whose new value follows from the old one.
 * @param how which change it is: two of them may make the same values of the same
 */
function change(reads: boolean, how: (operand: number) => string, compute: Compute): Operation {
  const after = (step: TraceStep): number | undefined => {
    const old = reads ? found(step) : 0;
    return old === undefined ? undefined : compute(old, step.operands[0] ?? 0) | 0;
  };
  const text = (step: TraceStep, before: number | undefined): string => {
    const old = reads ? found(step) : before;
    const values = old === undefined ? `${step.word} = ${after(step)}` : `${step.word}: ${old} -> ${after(step)}`;
    return `${values} (${how(step.operands[0] ?? 0)})`;
  };
  return { deed: () => "writes", reads, after, text };
}

/** A change to a value that doesn't depend on the old one. */
function replace(reads: boolean, how: string): Operation {
  return change(
    reads,
    () => how,
    (_, value) => value,
  );
}

/** A change of what is found. */
function modify(how: string, compute: Compute): Operation {
  return change(true, (operand) => `${how} ${operand}`, compute);
}

const COMPARE_EXCHANGE: Operation = {
  deed: (step) => (swapped(step) ? "writes" : "reads"),
  reads: true,
  after: (step) => (swapped(step) ? step.operands[1] : found(step)),
  text: (step) => {
    const { word, operands, result } = step;
    const [expected, desired] = operands;
    return swapped(step)
      ? `${word}: ${result} -> ${desired} (compare-exchange)`
      : `${word} is ${result}, not ${expected}`;
  },
};

/** A wait of either kind: `expected` is what the word must hold for it to sleep. */
function wait(verb: string): Operation {
  return {
    deed: ({ result }) => (result === "sleeps" ? "sleeps" : "reads"),
    reads: true,
    after: ({ result, operands }) => (result === "sleeps" ? operands[0] : undefined),
    text: ({ word, operands, result }) => {
      const [expected] = operands;
      return result === "sleeps"
        ? `${verb} while ${word} is ${expected}`
        : `need not sleep: ${word} is not ${expected}`;
    },
  };
}

/** How a sleep ends: no access, but a moment of the run. */
function goesOn(how: string): Operation {
  return { deed: () => "reads", reads: false, after: () => undefined, text: ({ word }) => `${how} (${word})` };
}

/** An access to memory that only one thread should see at the moment; what it finds or stores isn't told. */
function plain(deed: Deed, text: string): Operation {
  return { deed: () => deed, reads: deed === "reads", after: () => undefined, text: ({ word }) => `${text} ${word}` };
}

const NOTIFY: Operation = {
  deed: () => "wakes",
  reads: false,
  after: () => undefined,
  text: ({ word, result }) =>
    result === 0 ? `wakes nobody, since none sleeps on ${word}` : `wakes ${result} on ${word}`,
};

const OPERATIONS: { readonly [name: string]: Operation | undefined } = {
  load: LOAD,
  loadU32: LOAD,
  store: replace(false, "store"),
  add: modify("add", (old, delta) => old + delta),
  or: modify("or", (old, bits) => old | bits),
  and: modify("and", (old, bits) => old & bits),
  exchange: replace(true, "exchange"),
  compareExchange: COMPARE_EXCHANGE,
  wait: wait("sleeps"),
  nap: wait("naps"),
  notify: NOTIFY,
  wake: goesOn("goes on, woken"),
  timeout: goesOn("sleeps no longer: its time has run out"),
  plainRead: plain("reads", "plain load of"),
  plainWrite: plain("writes", "plain store to"),
};

function found({ result }: TraceStep): number | undefined {
  return typeof result === "number" ? result : undefined;
}

function swapped({ operands, result }: TraceStep): boolean {
  return operands[0] === result;
}

function operationOf({ operation }: TraceStep): Operation {
  const known = OPERATIONS[operation];
  if (known === undefined) throw new Error(`there are no words for the operation "${operation}"`);
  return known;
}

export function deedOf(step: TraceStep): Deed {
  return operationOf(step).deed(step);
}

export function readsValue(step: TraceStep): boolean {
  return operationOf(step).reads;
}

/** The value of the word after the access, if the step tells it. */
export function valueAfter(step: TraceStep): number | undefined {
  return operationOf(step).after(step);
}

/** @param before the value of the word before it, if it is known */
export function accessText(step: TraceStep, before: number | undefined): string {
  return operationOf(step).text(step, before);
}
