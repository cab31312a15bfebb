/** Whether a fault happens: by chance on each occasion, and never more often than so many times a second. */
import { Random } from "../../kernel/random.ts";
import type { Fault } from "../scenario-types.ts";

export class Gate {
  private readonly fault: Fault;
  private readonly random: Random;
  /** Nanoseconds before which it stays shut. */
  private shutUntil = -Infinity;

  constructor(fault: Fault, seed: number, stream: number) {
    this.fault = fault;
    this.random = new Random(seed, stream);
  }

  /** True if the fault can happen at all. */
  enabled(): boolean {
    return this.fault.chance > 0 && this.fault.maxPerSecond > 0;
  }

  /** Asks on an occasion. @param at nanoseconds of boot time */
  opens(at: number): boolean {
    if (!this.enabled() || at < this.shutUntil) return false;
    if (this.random.unit() >= this.fault.chance) return false;
    if (this.fault.maxPerSecond !== Infinity) this.shutUntil = at + 1e9 / this.fault.maxPerSecond;
    return true;
  }
}
