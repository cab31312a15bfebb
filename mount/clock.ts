/** The clock by which waits for locks are timed. */

const NS_PER_S = 1e9;

/** Nanoseconds of CLOCK_MONOTONIC: the same for all threads, unlike performance.now(). */
export function monotonicNs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * NS_PER_S + ns;
}
