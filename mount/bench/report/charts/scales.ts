/** Logarithmic axes: which ticks they have, and how a histogram looks on one. */
import type { Bucket } from "../../result.ts";

export interface Scale {
  /** Decimal logarithms of both ends. */
  min: number;
  max: number;
  /** Decimal logarithms, ascending. */
  ticks: number[];
}

/** Steps within a decade, from few to many. */
const STEPS = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]];
const MARGIN = 0.04;

/**
 * A scale from `low` to `high` (both above 0) with a little room at both ends, and as many ticks as fit: at most
 * `ticks`, at least two unless no step of the finest has them.
 */
export function logScale(low: number, high: number, ticks: number): Scale {
  const [from, to] = [Math.log10(low), Math.log10(Math.max(high, low * 1.05))];
  const room = (to - from) * MARGIN;
  const [min, max] = [from - room, to + room];
  const choices = [...sparse(min, max, ticks), ...STEPS.map((steps) => within(min, max, steps))];
  const fitting = choices.filter((choice) => choice.length <= ticks);
  return { min, max, ticks: fitting.at(-1) ?? within(min, max, [1]) };
}

/** Ticks at each n-th decade, for scales of very many. */
function sparse(min: number, max: number, ticks: number): number[][] {
  const every = Math.ceil((max - min) / ticks);
  return every <= 1 ? [] : [within(min, max, [1]).filter((tick) => tick % every === 0)];
}

function within(min: number, max: number, steps: readonly number[]): number[] {
  const result: number[] = [];
  for (let decade = Math.floor(min); decade <= max; decade++) {
    for (const step of steps) {
      const tick = decade + Math.log10(step);
      if (tick >= min && tick <= max) result.push(tick);
    }
  }
  return result;
}

/** The value of a tick, without the noise of its logarithm. */
export function tickValue(tick: number): number {
  return Number((10 ** tick).toPrecision(3));
}

/** A share of all operations (0 to 1) between two decimal logarithms of nanoseconds. */
export interface Bin {
  from: number;
  to: number;
  share: number;
}

/**
 * Buckets of whatever width as bins of equal width on a logarithmic axis, so that areas can be compared. A bucket's
 * operations are taken to lie evenly in it.
 */
export function logBins(buckets: readonly Bucket[], min: number, max: number, count: number): Bin[] {
  const width = (max - min) / count;
  const bins = Array.from({ length: count }, (_, index) => ({
    from: min + index * width,
    to: min + (index + 1) * width,
    share: 0,
  }));
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  for (const bucket of buckets) {
    spread(bucket, total, bins, min, width);
  }
  return bins;
}

function spread({ fromNs, toNs, count }: Bucket, total: number, bins: Bin[], min: number, width: number): void {
  const from = Math.log10(Math.max(fromNs, 1));
  const to = Math.log10(Math.max(toNs, fromNs + 1, 2));
  const clamp = (index: number) => Math.min(bins.length - 1, Math.max(0, index));
  const first = clamp(Math.floor((from - min) / width));
  const last = clamp(Math.ceil((to - min) / width) - 1);
  let left = count / total;
  for (let index = first; index < last; index++) {
    const bin = bins[index]!;
    const share = (count / total) * ((Math.min(bin.to, to) - Math.max(bin.from, from)) / (to - from));
    bin.share += share;
    left -= share;
  }
  bins[last]!.share += left;
}
