/** What is counted over all CPUs since the machine began. */
export class MachineCounts {
  /** How often a thread went on. */
  turns = 0;
  /** Accesses that had a moment of their own. */
  steps = 0;
  /** Lines that came from another CPU. */
  transfers = 0;
  /** Compare-and-swaps that found something else. */
  failedSwaps = 0;
  sleeps = 0;
}
