/**
 * Virtual CPUs: a machine of discrete events that runs the transformed code and prices each access by who has the 64-byte
 * line that it goes to.
 *
 * A CPU runs its thread at once as long as only it uses the lines that it comes to, or nobody writes them, and adds what
 * that costs to its clock. An access to any other line has its moment: the thread stops before it, and goes on when all
 * that comes earlier has happened. A line that one CPU wants to write, or that another has written, moves from one to the
 * next, one transfer at a time, in the order of asking. Who owned it can't write it from the beginning of the transfer, who
 * has a copy can read that until its end.
 *
 * What is left out: caches have no end, stores aren't buffered, nothing is fetched ahead of time, the connection between
 * CPUs has no limit of its own, and what the code computes between its accesses takes no time unless it says so.
 */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { EventQueue } from "./events.ts";
import { Line, NOBODY } from "./line.ts";
import type { Prices } from "./prices.ts";
import { PRICES } from "./prices.ts";

const LINE_WORDS = 16;
const NO_WORK: SiteWork = new Float64Array(0);
const NS_PER_MS = 1e6;

/** A thread: stops by yielding, and goes on with the result of the access that it stopped at. */
export type VirtualThread = Generator<undefined, unknown, number | boolean>;

/** Local work that accesses stand for: nanoseconds, by the number of the access. */
export type SiteWork = Float64Array;

/** What a CPU is about to do when its thread has stopped. */
const Op = {
  /** Nothing: the thread wants others to come first. */
  none: 0,
  load: 1,
  loadU32: 2,
  store: 3,
  add: 4,
  or: 5,
  and: 6,
  exchange: 7,
  compareExchange: 8,
  wait: 9,
  nap: 10,
  notify: 11,
} as const;
type OpId = (typeof Op)[keyof typeof Op];

/** What an event is. */
const What = {
  /** The CPU's access begins, or its thread goes on if it has none. */
  turn: 0,
  /** The line that the CPU waits for is there. */
  arrival: 1,
  /** A line may move on. */
  release: 2,
  /** A sleep has been long enough. */
  timeout: 3,
} as const;

interface Event {
  time: number;
  order: number;
  what: (typeof What)[keyof typeof What];
  cpu: Cpu;
  line: Line<Cpu> | undefined;
  /** Of the sleep that a timeout ends. */
  sleep: number;
}

/** What has been counted over all CPUs since the machine began. */
export interface MachineCounts {
  /** How often a thread went on. */
  turns: number;
  /** Accesses that had a moment of their own. */
  steps: number;
  /** Lines that came from another CPU. */
  transfers: number;
  /** Compare-and-swaps that found something else. */
  failedSwaps: number;
  sleeps: number;
}

/** What an access gives if it could be done at once. */
type Result = number | boolean | undefined;

class Cpu {
  readonly id: number;
  /** Nanoseconds of virtual time. */
  clock = 0;
  thread: VirtualThread | undefined;
  op: OpId = Op.none;
  m: Memory | undefined;
  at: Ptr = 0;
  a = 0;
  b = 0;
  /** What the thread goes on with. */
  result: number | boolean = 0;
  /** {@link Line.epoch} when the line set out that it waits for; and is it a transfer that others have to wait for? */
  epoch = 0;
  serial = false;
  /** Numbers its sleeps; -1 while awake. */
  sleep = -1;
  sleeps = 0;

  constructor(id: number) {
    this.id = id;
  }
}

/**
 * The machine, and what transformed code calls for its accesses. Code that runs alone, before or after the others, runs on
 * a machine of one CPU: it never stops.
 */
export class VirtualMachine {
  counts: MachineCounts = { turns: 0, steps: 0, transfers: 0, failedSwaps: 0, sleeps: 0 };
  private prices = PRICES;
  private siteWork: SiteWork = NO_WORK;
  private cpus: Cpu[] = [];
  private events = new EventQueue<Event>();
  /** For each line: 0 untouched; n+1 only CPU n has used it; -n-1 it is `shared[n]`. */
  private users = new Int32Array(0);
  private shared: Line<Cpu>[] = [];
  private sleepers = new Map<Ptr, Cpu[]>();
  private current = new Cpu(0);
  private moment = 0;

  /**
   * A machine of so many CPUs, all of whose caches are empty.
   * @param words of the arena
   */
  reset(cpus: number, words: number, prices: Prices = PRICES, siteWork: SiteWork = NO_WORK): void {
    this.counts = { turns: 0, steps: 0, transfers: 0, failedSwaps: 0, sleeps: 0 };
    this.prices = prices;
    this.siteWork = siteWork;
    this.cpus = Array.from({ length: cpus }, (_, id) => new Cpu(id));
    this.events = new EventQueue();
    this.users = new Int32Array(Math.ceil(words / LINE_WORDS));
    this.shared = [];
    this.sleepers = new Map();
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
    this.enter(time, What.turn, one);
  }

  /** Goes on until `done` says so, which is asked after each event, or nothing more happens. */
  run(done: () => boolean): void {
    while (!done()) {
      const event = this.events.pop();
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

  load(site: number, m: Memory, at: Ptr): Result {
    return this.step(site, m, Op.load, at, 0, 0);
  }

  loadU32(site: number, m: Memory, at: Ptr): Result {
    return this.step(site, m, Op.loadU32, at, 0, 0);
  }

  store(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.step(site, m, Op.store, at, value, 0);
  }

  add(site: number, m: Memory, at: Ptr, delta: number): Result {
    return this.step(site, m, Op.add, at, delta, 0);
  }

  or(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.step(site, m, Op.or, at, bits, 0);
  }

  and(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.step(site, m, Op.and, at, bits, 0);
  }

  exchange(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.step(site, m, Op.exchange, at, value, 0);
  }

  compareExchange(site: number, m: Memory, at: Ptr, expected: number, desired: number): Result {
    return this.step(site, m, Op.compareExchange, at, expected, desired);
  }

  wait(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.step(site, m, Op.wait, at, expected, timeoutMs);
  }

  nap(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.step(site, m, Op.nap, at, expected, timeoutMs);
  }

  notify(site: number, m: Memory, at: Ptr, count: number): Result {
    return this.step(site, m, Op.notify, at, count, 0);
  }

  plainStore(_site: number, m: Memory, at: Ptr, value: number): void {
    this.plain(at, 4, true);
    m.plainStore(at, value);
  }

  plainStore64(_site: number, m: Memory, at: Ptr, value: number): void {
    this.plain(at, 8, true);
    m.plainStore64(at, value);
  }

  plainZero(_site: number, m: Memory, at: Ptr, count: number): void {
    this.plain(at, 4 * count, true);
    m.plainZero(at, count);
  }

  copyIn(_site: number, m: Memory, at: Ptr, byteOffset: number, source: Uint8Array): void {
    this.plain(at + (byteOffset >> 2), source.length, true);
    m.copyIn(at, byteOffset, source);
  }

  copyOut(
    _site: number,
    m: Memory,
    at: Ptr,
    byteOffset: number,
    target: Uint8Array,
    targetOffset: number,
    length: number,
  ): void {
    this.plain(at + (byteOffset >> 2), length, false);
    m.copyOut(at, byteOffset, target, targetOffset, length);
  }

  byteAt(_site: number, m: Memory, at: Ptr, byteOffset: number): number {
    this.plain(at + (byteOffset >> 2), 1, false);
    return m.byteAt(at, byteOffset);
  }

  latin1(_site: number, m: Memory, at: Ptr, byteOffset: number, length: number): string {
    this.plain(at + (byteOffset >> 2), length, false);
    return m.latin1(at, byteOffset, length);
  }

  noteObject(): void {
    // What becomes of objects costs nothing.
  }

  /** An access: done at once if its moment doesn't matter, else noted. */
  private step(site: number, m: Memory, op: OpId, at: Ptr, a: number, b: number): Result {
    const cpu = this.current;
    cpu.clock += this.siteWork[site] ?? 0;
    cpu.op = op;
    cpu.m = m;
    cpu.at = at;
    cpu.a = a;
    cpu.b = b;
    if (!this.atOnce(cpu)) return undefined;
    cpu.op = Op.none;
    return this.perform(cpu, m, op);
  }

  /** True, and the price is paid, if nobody else's accesses can make a difference to this one. */
  private atOnce(cpu: Cpu): boolean {
    if (wouldSleep(cpu)) return false;
    const line = this.lineOf(cpu, cpu.at);
    if (line === undefined) {
      cpu.clock += this.hitPrice(cpu.op);
      return true;
    }
    if (line.contended) return this.ahead(cpu, line) && this.hit(cpu, line);
    if (cpu.op === Op.load || cpu.op === Op.loadU32) {
      this.payToShare(cpu, line);
      return true;
    }
    line.contended ||= !isReading(cpu.op);
    return false;
  }

  /**
   * True if nothing can come between now and an access by a CPU that has the line. Its clock may be ahead of what has
   * happened: a copy stays good until a writer has the line, which takes a transfer that has not even begun, or is known
   * of.
   */
  private ahead(cpu: Cpu, line: Line<Cpu>): boolean {
    const next = this.events.nextTime();
    if (!isReading(cpu.op)) return cpu.clock < next;
    return cpu.clock < Math.min(next + this.prices.near, line.taken);
  }

  private payToShare(cpu: Cpu, line: Line<Cpu>): void {
    if (line.readable(cpu.id)) {
      cpu.clock += this.prices.hit;
      return;
    }
    cpu.clock += line.readPrice(cpu.id, this.prices);
    this.counts.transfers++;
    line.share(cpu.id);
  }

  /** True, and the price is paid, if the CPU has the line. Sleeping and waking have their moment in any case. */
  private hit(cpu: Cpu, line: Line<Cpu>): boolean {
    const { op } = cpu;
    if (op === Op.wait || op === Op.nap || op === Op.notify) return false;
    if (isReading(op) ? !line.readable(cpu.id) : line.owner !== cpu.id) return false;
    cpu.clock += this.hitPrice(op);
    return true;
  }

  private hitPrice(op: OpId): number {
    return isReading(op) || op === Op.store ? this.prices.hit : this.prices.rmw;
  }

  /** The line at a place, if others have used it too; undefined if it is this CPU's alone. */
  private lineOf(cpu: Cpu, at: Ptr): Line<Cpu> | undefined {
    const index = Math.floor(at / LINE_WORDS);
    const user = this.users[index] as number;
    if (user === cpu.id + 1) return undefined;
    if (user < 0) return this.shared[-user - 1];
    if (user === 0) {
      this.users[index] = cpu.id + 1;
      cpu.clock += this.prices.near;
      return undefined;
    }
    const line = new Line<Cpu>(this.cpus.length, this.prices.socket);
    line.own(user - 1);
    this.users[index] = -this.shared.push(line);
    return line;
  }

  /** A plain access, to memory that nobody else may write or read meanwhile. */
  private plain(at: Ptr, bytes: number, writes: boolean): void {
    const cpu = this.current;
    const end = at + Math.max(1, Math.ceil(bytes / 4));
    for (let word = at; word < end; word += LINE_WORDS - (word % LINE_WORDS)) this.plainLine(cpu, word, writes);
  }

  private plainLine(cpu: Cpu, at: Ptr, writes: boolean): void {
    const line = this.lineOf(cpu, at);
    if (line === undefined || (writes ? line.owner === cpu.id : line.readable(cpu.id))) {
      cpu.clock += this.prices.hit;
      return;
    }
    this.counts.transfers++;
    if (!writes) {
      cpu.clock += line.readPrice(cpu.id, this.prices);
      line.share(cpu.id);
      return;
    }
    cpu.clock += line.writePrice(cpu.id, this.prices);
    line.contended = true;
    line.own(cpu.id);
  }

  private enter(time: number, what: Event["what"], cpu: Cpu, line?: Line<Cpu>): void {
    this.events.push({ time, order: 0, what, cpu, line, sleep: cpu.sleep });
  }

  private happen({ time, what, cpu, line, sleep }: Event): void {
    switch (what) {
      case What.turn:
        if (cpu.op === Op.none) this.resume(cpu, cpu.result);
        else this.begin(cpu);
        return;
      case What.arrival:
        this.arrive(cpu, line as Line<Cpu>, time);
        return;
      case What.release:
        this.release(line as Line<Cpu>, time);
        return;
      case What.timeout:
        if (cpu.sleep === sleep) this.timeOut(cpu, time);
    }
  }

  /** Lets the thread run until it stops. */
  private resume(cpu: Cpu, result: number | boolean): void {
    this.counts.turns++;
    this.current = cpu;
    cpu.op = Op.none;
    cpu.result = 0;
    const { done } = (cpu.thread as VirtualThread).next(result);
    if (done !== true) this.enter(cpu.clock, What.turn, cpu);
  }

  /** The moment of an access has come. */
  private begin(cpu: Cpu): void {
    this.counts.steps++;
    this.current = cpu;
    const line = this.lineOf(cpu, cpu.at);
    if (line === undefined || this.has(cpu, line)) {
      cpu.clock += this.hitPrice(cpu.op);
      this.finish(cpu);
      return;
    }
    line.queue.push(cpu);
    if (!line.busy) this.serve(line, cpu.clock);
  }

  private has(cpu: Cpu, line: Line<Cpu>): boolean {
    return isReading(cpu.op) ? line.readable(cpu.id) : line.owner === cpu.id;
  }

  /** Sends a line to who asked first, and copies of it to all readers before the first writer. */
  private serve(line: Line<Cpu>, now: number): void {
    for (let cpu = line.queue.shift(); cpu !== undefined; cpu = line.queue.shift()) {
      this.counts.transfers++;
      if (!isReading(cpu.op)) {
        // Copies are good until it has it.
        line.owner = NOBODY;
        line.taken = now + line.writePrice(cpu.id, this.prices);
        this.send(line, cpu, line.taken);
        return;
      }
      const price = line.readPrice(cpu.id, this.prices);
      if (line.owner !== NOBODY) {
        // Its owner keeps a copy.
        line.owner = NOBODY;
        this.send(line, cpu, now + price);
        return;
      }
      cpu.serial = false;
      cpu.epoch = line.epoch;
      this.enter(now + price, What.arrival, cpu, line);
    }
  }

  /** A transfer that others have to wait for. */
  private send(line: Line<Cpu>, cpu: Cpu, time: number): void {
    line.busy = true;
    cpu.serial = true;
    cpu.epoch = line.epoch;
    this.enter(time, What.arrival, cpu, line);
  }

  private arrive(cpu: Cpu, line: Line<Cpu>, now: number): void {
    cpu.clock = now;
    if (!isReading(cpu.op)) {
      line.own(cpu.id);
      this.enter(now + this.prices.hold, What.release, cpu, line);
    } else {
      // A copy that was on its way when the line was taken from all is worth no more than this one look.
      if (cpu.epoch === line.epoch) line.share(cpu.id);
      if (cpu.serial) this.release(line, now);
    }
    this.finish(cpu);
  }

  private release(line: Line<Cpu>, now: number): void {
    line.busy = false;
    this.serve(line, now);
  }

  /** Does what the CPU has come for, and lets its thread go on. */
  private finish(cpu: Cpu): void {
    if (wouldSleep(cpu)) this.fallAsleep(cpu);
    else this.resume(cpu, this.perform(cpu, cpu.m as Memory, cpu.op));
  }

  private perform(cpu: Cpu, m: Memory, op: OpId): number | boolean {
    const { at, a, b } = cpu;
    switch (op) {
      case Op.load:
        return m.load(at);
      case Op.loadU32:
        return m.loadU32(at);
      case Op.store:
        m.store(at, a);
        return 0;
      case Op.add:
        return m.add(at, a);
      case Op.or:
        return m.or(at, a);
      case Op.and:
        return m.and(at, a);
      case Op.exchange:
        return m.exchange(at, a);
      case Op.compareExchange:
        return this.compareExchangeCounted(m, at, a, b);
      case Op.wait:
        return true;
      case Op.notify:
        return this.wakeSleepers(cpu, at, a);
      default:
        return 0;
    }
  }

  private compareExchangeCounted(m: Memory, at: Ptr, expected: number, desired: number): number {
    const found = m.compareExchange(at, expected, desired);
    if (found !== (expected | 0)) this.counts.failedSwaps++;
    return found;
  }

  private fallAsleep(cpu: Cpu): void {
    this.counts.sleeps++;
    const sleepers = this.sleepers.get(cpu.at);
    if (sleepers === undefined) this.sleepers.set(cpu.at, [cpu]);
    else sleepers.push(cpu);
    cpu.sleep = cpu.sleeps++;
    const until = cpu.clock + Math.max(cpu.b * NS_PER_MS, this.prices.sleep);
    cpu.clock += this.prices.sleep;
    this.enter(until, What.timeout, cpu);
  }

  private timeOut(cpu: Cpu, now: number): void {
    const sleepers = this.sleepers.get(cpu.at) as Cpu[];
    sleepers.splice(sleepers.indexOf(cpu), 1);
    cpu.sleep = -1;
    cpu.clock = now + this.prices.latency;
    this.enterWakeUp(cpu, cpu.op === Op.nap ? 0 : false);
  }

  private wakeSleepers(cpu: Cpu, at: Ptr, count: number): number {
    const woken = this.sleepers.get(at)?.splice(0, count) ?? [];
    for (const sleeper of woken) {
      cpu.clock += this.prices.wake;
      sleeper.sleep = -1;
      sleeper.clock = Math.max(cpu.clock, sleeper.clock) + this.prices.latency;
      this.enterWakeUp(sleeper, sleeper.op === Op.nap ? 0 : true);
    }
    return woken.length;
  }

  /** The thread of a sleeper goes on at its clock, with the result of its wait. */
  private enterWakeUp(cpu: Cpu, result: number | boolean): void {
    cpu.op = Op.none;
    cpu.result = result;
    this.enter(cpu.clock, What.turn, cpu);
  }
}

/** True for a wait or nap whose word holds what is waited for to change. */
function wouldSleep({ op, m, at, a }: Cpu): boolean {
  return (op === Op.wait || op === Op.nap) && (m as Memory).load(at) === a;
}

/** True for accesses that don't change the word: sleeping and waking look at it, too. */
function isReading(op: OpId): boolean {
  return op === Op.load || op === Op.loadU32 || op >= Op.wait;
}
