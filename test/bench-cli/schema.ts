/** The shape of `synthproc bench --json`, as mount/bench/result.ts promises it: nothing missing, nothing more. */
import { Ajv } from "ajv";
import type { BenchResult } from "../../mount/bench/result.ts";

type Schema = Record<string, unknown>;

const text = { type: "string", minLength: 1 };
const count = { type: "integer", minimum: 0 };
const size = { type: "number", minimum: 0 };
const positive = { type: "number", exclusiveMinimum: 0 };
const percent = { type: "number", minimum: 0, maximum: 100 };

function record(properties: Record<string, Schema>): Schema {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: "null" }] };
}

const summary = record({
  count,
  min: orNull(size),
  q1: orNull(size),
  median: orNull(size),
  q3: orNull(size),
  max: orNull(size),
});
const ratio = record({ value: orNull(size), low: orNull(size), high: orNull(size), confidence: size });
const latency = record({
  count,
  minNs: positive,
  meanNs: positive,
  medianNs: positive,
  p99Ns: positive,
  maxNs: positive,
});
const writerFields = {
  all: orNull(latency),
  median: summary,
  mean: summary,
  p99: summary,
  max: summary,
  histogram: list(record({ fromNs: positive, toNs: positive, count: { type: "integer", minimum: 1 } })),
};
const writer = record(writerFields);
const writerAlone = record({ ...writerFields, writesPerSecond: summary });
const events = { type: "object", additionalProperties: count, minProperties: 1 };
const round = record({
  order: count,
  seconds: positive,
  reads: count,
  readsPerSecond: size,
  readErrors: count,
  writer: orNull(latency),
  writesPerSecond: size,
});
const form = record({ rounds: list(round), readsPerSecond: summary, writer, events });
const where = { enum: ["in-process", "mount"] };
const published = record({ source: text, metric: text, lockfreeNs: size, lockedNs: size, ratio: size, ours: ratio });
const comparison = record({
  name: text,
  where,
  readers: count,
  writers: count,
  what: text,
  writerOperation: text,
  notes: list(text),
  forms: record({ lockfree: form, locked: form }),
  writerAlone,
  ratio: record({ readsPerSecond: ratio, writerMedian: ratio, writerMean: ratio, writerP99: ratio }),
  published: orNull(published),
});
const stormSample = record({
  order: count,
  seconds: positive,
  runs: count,
  runsPerSecond: positive,
  systemPercent: percent,
  userPercent: percent,
});
const stormForm = record({ rounds: list(stormSample), runsPerSecond: summary, systemPercent: summary, events });
const load = { type: "array", items: size, minItems: 3, maxItems: 3 };

const SCHEMA = record({
  tool: { const: "synthproc bench" },
  version: text,
  seed: count,
  startedAt: { type: "string", pattern: "^\\d{4}-\\d\\d-\\d\\dT.*Z$" },
  tookSeconds: positive,
  machine: record({
    cpus: count,
    cpuModel: text,
    kernel: text,
    architecture: text,
    node: text,
    memoryBytes: positive,
    loadBefore: load,
    loadAfter: load,
  }),
  options: record({
    names: list(text),
    where: { enum: ["in-process", "mount", "both"] },
    rounds: count,
    secondsPerRound: positive,
    readers: count,
    ps: list(count),
  }),
  comparisons: list(comparison),
  storms: list(
    record({
      parallel: count,
      forms: record({ lockfree: stormForm, locked: stormForm }),
      ratio: record({ runsPerSecond: ratio }),
    }),
  ),
  skipped: list(record({ name: text, where, why: text })),
});

/** The one document that standard output holds. @throws Error that names what is wrong */
export function parseResult(stdout: string): BenchResult {
  const document: unknown = JSON.parse(stdout);
  const ajv = new Ajv({ allErrors: true });
  if (!ajv.validate(SCHEMA, document)) throw new Error(ajv.errorsText(ajv.errors, { separator: "\n" }));
  return document as BenchResult;
}
