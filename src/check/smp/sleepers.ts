/** CPUs whose threads sleep, until they are woken or have slept for long enough. */
import type { Ptr } from "../../sync/atomics.ts";
import { WordOp } from "../interleave/backend.ts";
import type { Agenda } from "./agenda.ts";
import { What } from "./agenda.ts";
import type { MachineCounts } from "./counts.ts";
import type { Cpu } from "./cpu.ts";
import { NO_OP } from "./cpu.ts";
import type { Prices } from "./prices.ts";

const NS_PER_MS = 1e6;

export class Sleepers {
  private readonly agenda: Agenda;
  private readonly prices: Prices;
  private readonly counts: MachineCounts;
  /** By word, who fell asleep first in front. */
  private readonly queues = new Map<Ptr, Cpu[]>();

  constructor(agenda: Agenda, prices: Prices, counts: MachineCounts) {
    this.agenda = agenda;
    this.prices = prices;
    this.counts = counts;
  }

  /** A CPU has come to a wait or nap, and sleeps. */
  add(cpu: Cpu): void {
    this.counts.sleeps++;
    const queue = this.queues.get(cpu.at);
    if (queue === undefined) this.queues.set(cpu.at, [cpu]);
    else queue.push(cpu);
    cpu.sleep = cpu.sleeps++;
    const until = cpu.clock + Math.max(cpu.b * NS_PER_MS, this.prices.sleep);
    cpu.clock += this.prices.sleep;
    this.agenda.enter(until, What.timeout, cpu);
  }

  /** A sleep has been long enough. @param sleep its number; it may be over */
  timeOut(cpu: Cpu, sleep: number, now: number): void {
    if (cpu.sleep !== sleep) return;
    const queue = this.queues.get(cpu.at) as Cpu[];
    queue.splice(queue.indexOf(cpu), 1);
    this.wake(cpu, now, false);
  }

  /** A CPU wakes sleepers, at most so many. @returns how many */
  notify(waker: Cpu, at: Ptr, count: number): number {
    const woken = this.queues.get(at)?.splice(0, count) ?? [];
    for (const cpu of woken) {
      waker.clock += this.prices.wake;
      this.wake(cpu, Math.max(waker.clock, cpu.clock), true);
    }
    return woken.length;
  }

  /** A thread goes on, some time after it was woken. @param notified what its wait gives */
  private wake(cpu: Cpu, now: number, notified: boolean): void {
    cpu.sleep = -1;
    cpu.clock = now + this.prices.latency;
    cpu.result = cpu.op === WordOp.nap ? 0 : notified;
    cpu.op = NO_OP;
    this.agenda.enter(cpu.clock, What.turn, cpu);
  }
}
