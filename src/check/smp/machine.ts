/**
 * Virtual CPUs: a machine of discrete events that runs the transformed code and prices each access by who has the 64-byte
 * line that it goes to.
 *
 * A CPU runs its thread at once as long as only it uses the lines that it comes to, or nobody writes them, and adds what
 * that costs to its clock. An access to any other line has its moment: the thread stops before it, and goes on when all
 * that comes earlier has happened. A line that one CPU wants to write, or that another has written, moves from one to the
 * next (transfers.ts).
 *
 * What is left out: caches have no end, stores aren't buffered, nothing is fetched ahead of time, the connection between
 * CPUs has no limit of its own, and what the code computes between its accesses takes no time unless it says so.
 */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import type { Result, WordOpId } from "../interleave/backend.ts";
import { WordOp, perform } from "../interleave/backend.ts";
import type { Event } from "./agenda.ts";
import { Agenda, What } from "./agenda.ts";
import { Backend } from "./backend.ts";
import { Caches } from "./caches.ts";
import { MachineCounts } from "./counts.ts";
import type { VirtualThread } from "./cpu.ts";
import { Cpu, NO_OP, isReading, wouldSleep } from "./cpu.ts";
import type { Line } from "./line.ts";
import type { Prices } from "./prices.ts";
import { PRICES } from "./prices.ts";
import { Sleepers } from "./sleepers.ts";
import { Transfers } from "./transfers.ts";

const NO_WORK: SiteWork = new Float64Array(0);

/** Local work that accesses stand for: nanoseconds, by the number of the access. */
export type SiteWork = Float64Array;

/**
 * The machine. Code that runs alone, before or after the others, runs on a machine of one CPU: it never stops.
 */
export class VirtualMachine extends Backend {
  counts = new MachineCounts();
  private prices = PRICES;
  private siteWork: SiteWork = NO_WORK;
  private cpus: Cpu[] = [];
  private agenda = new Agenda();
  private caches = new Caches(0, 0, this.prices, this.counts);
  private transfers = new Transfers(this.agenda, this.prices, this.counts);
  private sleepers = new Sleepers(this.agenda, this.prices, this.counts);
  private current = new Cpu(0);
  private moment = 0;

  /**
   * A machine of so many CPUs, all of whose caches are empty.
   * @param words of the arena
   */
  reset(cpus: number, words: number, prices: Prices = PRICES, siteWork: SiteWork = NO_WORK): void {
    this.counts = new MachineCounts();
    this.prices = prices;
    this.siteWork = siteWork;
    this.cpus = Array.from({ length: cpus }, (_, id) => new Cpu(id));
    this.agenda = new Agenda();
    this.caches = new Caches(cpus, words, prices, this.counts);
    this.transfers = new Transfers(this.agenda, prices, this.counts);
    this.sleepers = new Sleepers(this.agenda, prices, this.counts);
    this.current = this.cpus[0] as Cpu;
    this.moment = 0;
  }

  /** Runs code that nobody else can get in the way of, on a machine of one CPU. */
  alone<T>(thread: Generator<undefined, T, number | boolean>): T {
    const { done, value } = thread.next();
    if (done !== true) throw new Error("code that runs alone waits for others");
    return value;
  }

  /** Starts a thread on a CPU, at a moment of virtual time. */
  start(cpu: number, thread: VirtualThread, time = 0): void {
    const one = this.cpus[cpu] as Cpu;
    one.thread = thread;
    one.clock = time;
    this.agenda.enter(time, What.turn, one);
  }

  /** Goes on until `done` says so, which is asked after each event, or nothing more happens. */
  run(done: () => boolean): void {
    while (!done()) {
      const event = this.agenda.pop();
      if (event === undefined) return;
      this.moment = event.time;
      this.happen(event);
    }
  }

  /** The time of the CPU whose thread runs: to be called by threads. */
  now(): number {
    return this.current.clock;
  }

  /** The moment of the latest event. */
  time(): number {
    return this.moment;
  }

  /** Local work of the CPU whose thread runs: to be called by threads. */
  work(ns: number): void {
    this.current.clock += ns;
  }

  /** Done at once if its moment doesn't matter, else noted. */
  protected access(op: WordOpId, site: number, m: Memory, at: Ptr, a: number, b: number): Result {
    const cpu = this.current;
    cpu.clock += this.siteWork[site] ?? 0;
    cpu.op = op;
    cpu.m = m;
    cpu.at = at;
    cpu.a = a;
    cpu.b = b;
    if (!this.atOnce(cpu)) return undefined;
    cpu.op = NO_OP;
    return this.perform(cpu, m, op);
  }

  protected plain(at: Ptr, bytes: number, writes: boolean): void {
    this.caches.plain(this.current, at, bytes, writes);
  }

  /** True, and the price is paid, if nobody else's accesses can make a difference to this one. */
  private atOnce(cpu: Cpu): boolean {
    if (wouldSleep(cpu)) return false;
    const { op } = cpu;
    const line = this.caches.lineOf(cpu, cpu.at);
    if (line === undefined) {
      this.caches.hit(cpu);
      return true;
    }
    if (line.contended) return this.hits(cpu, line);
    if (op === WordOp.load || op === WordOp.loadU32) {
      this.caches.read(cpu, line);
      return true;
    }
    line.contended ||= !isReading(op);
    return false;
  }

  /**
   * True, and the price is paid, if the CPU has a contended line, and nothing can come between. Sleeping and waking have
   * their moment in any case.
   */
  private hits(cpu: Cpu, line: Line<Cpu>): boolean {
    if (cpu.op >= WordOp.wait || !this.ahead(cpu, line) || !this.caches.has(cpu, line)) return false;
    this.caches.hit(cpu);
    return true;
  }

  /**
   * True if nothing can come between now and an access by a CPU that has the line. Its clock may be ahead of what has
   * happened: a copy stays good until a writer has the line, which takes a transfer that has not even begun, or is known
   * of.
   */
  private ahead(cpu: Cpu, line: Line<Cpu>): boolean {
    const next = this.agenda.nextTime();
    if (!isReading(cpu.op)) return cpu.clock < next;
    return cpu.clock < Math.min(next + this.prices.near, line.taken);
  }

  private happen({ time, what, cpu, line, sleep }: Event): void {
    switch (what) {
      case What.turn:
        if (cpu.op === NO_OP) this.resume(cpu, cpu.result);
        else this.begin(cpu);
        return;
      case What.arrival:
        this.transfers.arrive(cpu, line as Line<Cpu>, time);
        this.finish(cpu);
        return;
      case What.release:
        this.transfers.release(line as Line<Cpu>, time);
        return;
      case What.timeout:
        this.sleepers.timeOut(cpu, sleep, time);
    }
  }

  /** Lets the thread run until it stops. */
  private resume(cpu: Cpu, result: number | boolean): void {
    this.counts.turns++;
    this.current = cpu;
    cpu.op = NO_OP;
    cpu.result = 0;
    const { done } = (cpu.thread as VirtualThread).next(result);
    if (done !== true) this.agenda.enter(cpu.clock, What.turn, cpu);
  }

  /** The moment of an access has come. */
  private begin(cpu: Cpu): void {
    this.counts.steps++;
    this.current = cpu;
    const line = this.caches.lineOf(cpu, cpu.at);
    if (line !== undefined && !this.caches.has(cpu, line)) {
      this.transfers.ask(cpu, line);
      return;
    }
    this.caches.hit(cpu);
    this.finish(cpu);
  }

  /** Does what the CPU has come for, and lets its thread go on. */
  private finish(cpu: Cpu): void {
    if (wouldSleep(cpu)) this.sleepers.add(cpu);
    else this.resume(cpu, this.perform(cpu, cpu.m as Memory, cpu.op as WordOpId));
  }

  private perform(cpu: Cpu, m: Memory, op: WordOpId): number | boolean {
    const { at, a, b } = cpu;
    if (op === WordOp.notify) return this.sleepers.notify(cpu, at, a);
    if (op >= WordOp.wait) return op === WordOp.wait ? true : 0;
    const found = perform(op, m, at, a, b);
    if (op === WordOp.compareExchange && found !== (a | 0)) this.counts.failedSwaps++;
    return found;
  }
}
